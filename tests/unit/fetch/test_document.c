/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/document.h: one document from a scripted server. */
#include "fetch/document.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server.h"

/* What the server says. */
struct script {
	const char *status;  /* NULL: "200 OK" */
	const char *headers; /* more of them */
	const char *body;
	const char *target; /* of redirects, "%s"-free; NULL: none */
	unsigned redirects; /* how many come before the document */
	unsigned pause_ms;  /* before each answer */
	bool silent;
	bool endless;
	bool garbled;
	char seen[16384]; /* headers of the last request */
};

static bool speak(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	struct script *script = arg;
	const char *body = script->body != NULL ? script->body : "";

	(void)snprintf(
	    script->seen, sizeof(script->seen), "%s", request->headers);
	if (script->silent) {
		server_be_silent(peer);
		return false;
	}
	if (script->pause_ms != 0)
		(void)usleep(script->pause_ms * 1000);
	if (script->garbled) {
		server_say(peer, "SSH-2.0-server\r\n");
		return false;
	}
	if (request->number <= script->redirects) {
		server_say(peer,
		    "HTTP/1.1 302 Found\r\nLocation: %s\r\n"
		    "Cache-Control: max-age=1\r\nContent-Length: 4\r\n\r\nmove",
		    script->target);
		return true;
	}
	if (script->endless) {
		char bytes[8192];

		memset(bytes, 'a', sizeof(bytes));
		server_say(peer, "HTTP/1.1 200 OK\r\n\r\n");
		for (unsigned i = 0; i < 1000; i++)
			server_send(peer, bytes, sizeof(bytes));
		return false;
	}
	server_say(peer, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s",
	    script->status != NULL ? script->status : "200 OK",
	    script->headers != NULL ? script->headers : "", strlen(body), body);
	return true;
}

/* Ask for `path`: the code; the body and the facts are checked. */
static int get(struct script *script, bool tls, const char *path,
    struct tokens_document_facts *facts, unsigned *requests)
{
	struct server *server = server_new(tls, speak, script);
	struct fetch_document_config config = {
	    .ca_file = server_ca_file(server), .timeout_ms = 30000};
	char url[512];
	struct err err = ERR_INIT;
	struct buf out;
	int code;

	if (script->silent)
		config.timeout_ms = 300;
	if (script->pause_ms != 0)
		config.timeout_ms = script->pause_ms * 2;
	buf_init(&out, 1024 * 1024);
	(void)snprintf(url, sizeof(url), "%s%s", server_url(server), path);
	code = fetch_document(&config, url, &out, facts, &err);
	if (code == 0)
		assert_string_equal(buf_text(&out), script->body);
	else
		assert_true(err.code == code && err.text[0] != '\0');
	*requests = server_requests(server);
	buf_fini(&out);
	server_free(server);
	return code;
}

static int answer_to(struct script *script)
{
	struct tokens_document_facts facts;
	unsigned requests;

	return get(script, true, "/doc", &facts, &requests);
}

static void a_document_comes_whole_and_without_a_token(void **state)
{
	struct script script = {.body = "{\"keys\":[]}"};
	struct tokens_document_facts facts;
	unsigned requests;

	(void)state;
	assert_int_equal(get(&script, true, "/doc?a=b", &facts, &requests), 0);
	assert_int_equal(requests, 1);
	assert_int_equal(facts.status, 200);
	assert_int_equal(facts.max_age_s, -1);
	assert_null(strcasestr(script.seen, "authorization"));
	assert_null(strcasestr(script.seen, "cookie"));
}

static void its_age_is_read(void **state)
{
	static const struct {
		const char *headers;
		int64_t max_age_s;
	} rows[] = {
	    {"Cache-Control: max-age=3600\r\n", 3600},
	    {"cache-control: public, MAX-AGE=7 , must-revalidate\r\n", 7},
	    {"Cache-Control: no-cache\r\nCache-Control: max-age=9\r\n", 9},
	    {"Cache-Control: max-age=5, max-age=6\r\n", 5},
	    {"Cache-Control: s-maxage=5\r\n", -1},
	    {"Cache-Control: max-age=-5\r\n", -1},
	    {"Cache-Control: max-age=\r\n", -1},
	    {"Cache-Control: max-age=1x\r\n", -1},
	    {"Cache-Control: max-age=99999999999999999999999\r\n", -1},
	    {"Cache-Control: ,,,\r\n", -1},
	    {"", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct script script = {
		    .headers = rows[i].headers, .body = "x"};
		struct tokens_document_facts facts;
		unsigned requests;

		assert_int_equal(get(&script, true, "/", &facts, &requests), 0);
		if (facts.max_age_s != rows[i].max_age_s)
			fail_msg("%s", rows[i].headers);
	}
}

static void each_status_has_its_code(void **state)
{
	static const struct {
		const char *status;
		int code;
	} rows[] = {
	    {"404 Not Found", -ENOENT},
	    {"410 Gone", -ENOENT},
	    {"401 Unauthorized", -EACCES},
	    {"403 Forbidden", -EACCES},
	    {"500 Internal Server Error", -EIO},
	    {"503 Service Unavailable", -EIO},
	    {"204 No Content", -EIO},
	    {"206 Partial Content", -EIO},
	    {"304 Not Modified", -EIO},
	    {"300 Multiple Choices", -EIO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct script script = {.status = rows[i].status};

		if (answer_to(&script) != rows[i].code)
			fail_msg("%s", rows[i].status);
	}
}

static void redirects_are_followed_a_little(void **state)
{
	struct tokens_document_facts facts;
	unsigned requests;

	(void)state;
	for (unsigned n = 1; n <= DOCUMENT_REDIRECTS_MAX + 1; n++) {
		struct script script = {
		    .redirects = n, .target = "/next", .body = "here"};
		int code = get(&script, true, "/", &facts, &requests);

		assert_int_equal(
		    code, n <= DOCUMENT_REDIRECTS_MAX ? 0 : -ELOOP);
		assert_int_equal(requests,
		    n <= DOCUMENT_REDIRECTS_MAX ? n + 1
		                                : DOCUMENT_REDIRECTS_MAX + 1);
		if (code == 0)
			assert_int_equal(facts.max_age_s, -1);
	}
}

/* Each request alone would be in time. */
static void redirects_share_one_deadline(void **state)
{
	struct script script = {.redirects = DOCUMENT_REDIRECTS_MAX,
	    .target = "/next",
	    .body = "late",
	    .pause_ms = 500};

	(void)state;
	assert_int_equal(answer_to(&script), -ETIMEDOUT);
}

static void redirects_do_not_leave_https(void **state)
{
	static const char *const targets[] = {"http://127.0.0.1/",
	    "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/",
	    "https://user@127.0.0.1/"};
	struct tokens_document_facts facts;
	unsigned requests;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(targets); i++) {
		struct script script = {
		    .redirects = 9, .target = targets[i], .body = "x"};
		int code = get(&script, true, "/", &facts, &requests);

		assert_true(code == -EPROTONOSUPPORT || code == -EIO);
		assert_int_equal(requests, 1);
	}
}

static void only_https_is_asked(void **state)
{
	static const char *const urls[] = {"http://127.0.0.1/",
	    "file:///etc/passwd", "", "https://", "//127.0.0.1/",
	    "https://u:p@127.0.0.1/"};
	struct script script = {.body = "x"};
	struct tokens_document_facts facts;
	unsigned requests;

	(void)state;
	assert_int_equal(get(&script, false, "/", &facts, &requests), -EINVAL);
	assert_int_equal(requests, 0);
	for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
		struct fetch_document_config config = {.timeout_ms = 1000};
		struct err err = ERR_INIT;
		struct buf out;

		buf_init(&out, 100);
		assert_int_equal(
		    fetch_document(&config, urls[i], &out, &facts, &err),
		    -EINVAL);
		buf_fini(&out);
	}
}

static void an_answer_has_bounds(void **state)
{
	struct script endless = {.endless = true};
	struct script silent = {.silent = true};
	struct script garbled = {.garbled = true};

	(void)state;
	assert_int_equal(answer_to(&endless), -EMSGSIZE);
	assert_int_equal(answer_to(&silent), -ETIMEDOUT);
	assert_int_equal(answer_to(&garbled), -EIO);
}

static void a_server_that_nobody_vouches_for_is_not_believed(void **state)
{
	struct script script = {.body = "x"};
	struct server *server = server_new(true, speak, &script);
	struct fetch_document_config config = {
	    .ca_dir = "/var/empty-for-this-test", .timeout_ms = 30000};
	struct tokens_document_facts facts;
	struct err err = ERR_INIT;
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(
	    fetch_document(&config, server_url(server), &out, &facts, &err),
	    -EPROTO);
	assert_int_equal(server_requests(server), 0);
	buf_clear(&out);
	/* Nobody is there. */
	assert_int_equal(
	    fetch_document(&config, "https://127.0.0.1:1/", &out, &facts, &err),
	    -EHOSTUNREACH);
	buf_fini(&out);
	server_free(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_document_comes_whole_and_without_a_token),
	    cmocka_unit_test(its_age_is_read),
	    cmocka_unit_test(each_status_has_its_code),
	    cmocka_unit_test(redirects_are_followed_a_little),
	    cmocka_unit_test(redirects_share_one_deadline),
	    cmocka_unit_test(redirects_do_not_leave_https),
	    cmocka_unit_test(only_https_is_asked),
	    cmocka_unit_test(an_answer_has_bounds),
	    cmocka_unit_test(a_server_that_nobody_vouches_for_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
