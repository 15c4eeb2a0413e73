/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/federation/director.h: one question to a scripted director. */
#include "base/attr.h"
#include "fetch/document.h"
#include "fetch/federation/director.h"
#include "fetch/pelican.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server.h"

#define NAMESPACE "X-Pelican-Namespace: namespace=/ns, require-token=true\r\n"

/* What the director says. */
struct script {
	const char *answer; /* NULL: as `endless` says */
	bool endless_body;
	char target[256]; /* of the last request */
	char method[16];
	char seen[16384]; /* its headers */
};

static void say_without_end(struct server_peer *peer, bool body)
{
	char bytes[8192];

	memset(bytes, 'a', sizeof(bytes));
	server_say(peer, "HTTP/1.1 307 T\r\n" NAMESPACE "%s",
	    body ? "Location: /x\r\n\r\n" : "");
	for (unsigned i = 0; i < 1000; i++) {
		if (!body)
			server_say(peer, "X-%u: ", i);
		server_send(peer, bytes, sizeof(bytes));
		if (!body)
			server_say(peer, "\r\n");
	}
}

static bool speak(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	struct script *script = arg;

	(void)snprintf(
	    script->target, sizeof(script->target), "%.255s", request->target);
	(void)snprintf(
	    script->method, sizeof(script->method), "%s", request->method);
	(void)snprintf(
	    script->seen, sizeof(script->seen), "%s", request->headers);
	if (script->answer == NULL)
		say_without_end(peer, script->endless_body);
	else
		server_say(peer, "%s", script->answer);
	return false;
}

struct asked {
	struct director_said said;
	unsigned servers;
	unsigned requests;
	struct err err;
};

static int ask(
    struct script *script, enum director_about about, struct asked *out)
{
	struct server *server = server_new(true, speak, script);
	const struct fetch_document_config config = {
	    .ca_file = server_ca_file(server), .timeout_ms = 20000};
	struct pelican_facts facts;
	int code;

	*out = (struct asked){.err = ERR_INIT};
	code = director_ask(&config,
	    &(struct director_question){
	        .url = server_url(server), .path = "/ns/a b", .about = about},
	    &facts, &out->said, &out->err);
	out->requests = server_requests(server);
	if (code == 0) {
		out->servers = facts.server_count;
		pelican_facts_fini(&facts);
	} else {
		assert_true(out->err.code == code);
		assert_true(out->err.text[0] != '\0');
	}
	server_free(server);
	return code;
}

static void a_redirect_is_read_and_not_followed(void **state)
{
	struct script script = {
	    .answer = "HTTP/1.1 307 Temporary Redirect\r\n"
	              "Server: pelican/7.14\r\n" NAMESPACE
	              "Location: /ns/elsewhere\r\n"
	              "Link: <https://c/ns/a%20b>; rel=\"duplicate\"; pri=1\r\n"
	              "Content-Length: 0\r\n\r\n"};
	struct asked asked;

	(void)state;
	assert_int_equal(ask(&script, DIRECTOR_CACHES, &asked), 0);
	assert_int_equal(asked.servers, 1);
	assert_int_equal(asked.requests, 1);
	assert_int_equal(asked.said.status, 307);
	assert_string_equal(
	    script.target, "/api/v1.0/director/object/ns/a%20b?skipstat");
	assert_null(strcasestr(script.seen, "authorization"));
	assert_null(strcasestr(script.seen, "cookie"));
	assert_int_equal(ask(&script, DIRECTOR_ORIGINS, &asked), 0);
	assert_string_equal(
	    script.target, "/api/v1.0/director/origin/ns/a%20b?skipstat");
	assert_string_equal(script.method, "GET");
}

static void a_server_that_speaks_for_itself_is_not_asked_for_bytes(void **state)
{
	struct script script = {.answer =
	                            "HTTP/1.1 401 Unauthorized\r\n" NAMESPACE
	                            "Content-Length: 0\r\n\r\n"};
	struct asked asked;

	(void)state;
	assert_int_equal(ask(&script, DIRECTOR_SELF, &asked), 0);
	assert_string_equal(script.target, "/ns/a%20b");
	assert_string_equal(script.method, "HEAD");
	/* A director that refuses says nothing by that. */
	assert_int_equal(ask(&script, DIRECTOR_CACHES, &asked), -EIO);
}

static void each_refusal_is_told_apart(void **state)
{
	static const struct {
		const char *answer;
		int code;
		bool wait_asked;
		uint32_t wait_s;
	} rows[] = {
	    {"404 N\r\nServer: pelican/7", -ENOENT, false, 0},
	    {"404 N\r\nServer: nginx", -EIO, false, 0},
	    {"404 N", -EIO, false, 0},
	    {"405 N\r\nServer: pelican/7", -EOPNOTSUPP, false, 0},
	    {"429 N\r\nRetry-After: 7", -EBUSY, true, 7},
	    {"429 N\r\nRetry-After: 99999999999", -EBUSY, true, UINT32_MAX},
	    {"503 N\r\nRetry-After: soon", -EIO, false, 0},
	    {"500 N", -EIO, false, 0},
	    {"401 N\r\nServer: pelican/7", -EIO, false, 0},
	    {"200 OK", -ENOMSG, false, 0},
	    {"307 T\r\nX-Pelican-Namespace: namespace=/other", -EBADMSG, false,
	        0},
	};
	char answer[512];
	struct script script = {.answer = answer};
	struct asked asked;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		(void)snprintf(answer, sizeof(answer),
		    "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", rows[i].answer);
		assert_int_equal(
		    ask(&script, DIRECTOR_CACHES, &asked), rows[i].code);
		assert_int_equal(asked.said.wait_asked, rows[i].wait_asked);
		assert_int_equal(asked.said.wait_s, rows[i].wait_s);
	}
}

static void answers_without_end_are_cut_off(void **state)
{
	struct script script = {.endless_body = true};
	struct asked asked;

	(void)state;
	/* Its headers are all that is wanted. */
	assert_int_equal(ask(&script, DIRECTOR_CACHES, &asked), 0);
	script.endless_body = false;
	assert_int_equal(ask(&script, DIRECTOR_CACHES, &asked), -EMSGSIZE);
}

static void nobody_is_told_apart_from_noise(void **state)
{
	struct script script = {.answer = "SSH-2.0-server\r\n"};
	const struct fetch_document_config config = {.timeout_ms = 5000};
	struct pelican_facts facts;
	struct director_said said;
	struct asked asked;
	struct err err = ERR_INIT;
	struct director_question question = {
	    .url = "https://127.0.0.1:1", .path = "/ns"};

	(void)state;
	assert_int_equal(ask(&script, DIRECTOR_CACHES, &asked), -EIO);
	assert_int_equal(director_ask(&config, &question, &facts, &said, &err),
	    -EHOSTUNREACH);
	question.url = "http://127.0.0.1:1";
	assert_int_equal(
	    director_ask(&config, &question, &facts, &said, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_redirect_is_read_and_not_followed),
	    cmocka_unit_test(
	        a_server_that_speaks_for_itself_is_not_asked_for_bytes),
	    cmocka_unit_test(each_refusal_is_told_apart),
	    cmocka_unit_test(answers_without_end_are_cut_off),
	    cmocka_unit_test(nobody_is_told_apart_from_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
