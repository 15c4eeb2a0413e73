/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token's way over TLS: it reaches the origin, nobody else, and a refusal
 * is worth one more look at its source.
 */
#include "base/ident.h"
#include "tokens/tokens.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"
#include "server.h"

static const struct fetch_version version = {.size_bytes = 1000, .mtime_s = 0};

static const char epoch[] = "Thu, 01 Jan 1970 00:00:00 GMT";

struct script {
	const char *wanted;   /* the token that is good; NULL: none is */
	const char *refusal;  /* a status line's end */
	const char *redirect; /* Location for every request; NULL: none */
	const char *etag;     /* a header line of the bytes; NULL: none */
	bool page;            /* answer everything with a page */
	bool other;           /* answer with other bytes than asked for */
	const char *document; /* of a 207, instead; NULL: none */
	atomic_uint gets;
	atomic_uint with_token;    /* any Authorization at all */
	atomic_uint with_authz;    /* ...or authz= in the URL */
	atomic_uint with_good_one; /* `wanted` */
};

static bool on_request(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	struct script *script = arg;
	char authorization[512];
	char expected[512] = "";

	atomic_fetch_add(&script->gets, 1);
	(void)server_header(
	    request, "Authorization", authorization, sizeof(authorization));
	if (script->wanted != NULL)
		(void)snprintf(
		    expected, sizeof(expected), "Bearer %s", script->wanted);
	if (authorization[0] != '\0')
		atomic_fetch_add(&script->with_token, 1);
	if (strstr(request->target, "authz") != NULL)
		atomic_fetch_add(&script->with_authz, 1);
	if (script->redirect != NULL) {
		server_say(peer,
		    "HTTP/1.1 302 Found\r\nDate: %s\r\nLocation: %s\r\n"
		    "Content-Length: 0\r\n\r\n",
		    epoch, script->redirect);
		return true;
	}
	if (script->refusal != NULL &&
	    (expected[0] == '\0' || strcmp(authorization, expected) != 0)) {
		server_say(peer,
		    "HTTP/1.1 %s\r\nDate: %s\r\nContent-Length: 0\r\n\r\n",
		    script->refusal, epoch);
		return true;
	}
	if (script->document != NULL) {
		server_say(peer,
		    "HTTP/1.1 207 Multi-Status\r\nDate: %s\r\nContent-Type: "
		    "application/xml\r\nContent-Length: %zu\r\n\r\n%s",
		    epoch, strlen(script->document), script->document);
		return true;
	}
	if (script->page) {
		server_say(peer,
		    "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: text/html"
		    "\r\nContent-Length: 17\r\n\r\n%s",
		    epoch,
		    strcmp(request->method, "HEAD") == 0
		        ? ""
		        : "<a href=x>x</a>\r\n");
		return true;
	}
	if (script->other) {
		server_say(peer,
		    "HTTP/1.1 206 Partial Content\r\nDate: %s\r\n"
		    "Content-Length: 2\r\nContent-Range: bytes 500-501/1000"
		    "\r\n\r\nxy",
		    epoch);
		return true;
	}
	atomic_fetch_add(&script->with_good_one, 1);
	server_say(peer,
	    "HTTP/1.1 206 Partial Content\r\nDate: %s\r\nLast-Modified: %s\r\n"
	    "%sContent-Length: %" PRIu64 "\r\nContent-Range: bytes %" PRIu64
	    "-%" PRIu64 "/1000\r\n\r\n",
	    epoch, epoch, script->etag != NULL ? script->etag : "",
	    request->last - request->first + 1, request->first, request->last);
	for (uint64_t at = request->first; at <= request->last; at++) {
		uint8_t byte = rig_byte(at);

		server_send(peer, &byte, 1);
	}
	return true;
}

struct run {
	struct script script;
	struct server *server;
	struct rig rig;
	struct answer answer;
};

static void run_begin(
    struct run *run, const char *token_file, const char *const *hosts)
{
	memset(run, 0, sizeof(*run));
	run->server = server_new(true, on_request, &run->script);
	rig_init(&run->rig,
	    &(struct rig_config){
	        .url = server_url(run->server),
	        .ca_file = server_ca_file(run->server),
	        .token_file = token_file,
	        .redirect_hosts = hosts,
	        .redirect_host_count = hosts == NULL ? 0 : 1,
	    });
	answer_init(&run->answer, 0, 100);
}

static int run_range(struct run *run)
{
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .length_bytes = 100,
	    .demand = true};

	answer_fini(&run->answer);
	answer_init(&run->answer, 0, 100);
	(void)rig_range(&run->rig, &range, &run->answer);
	return answer_wait(&run->answer);
}

static void run_end(struct run *run)
{
	rig_fini(&run->rig);
	server_free(run->server);
	answer_fini(&run->answer);
}

static void write_token(const char *path, const char *token)
{
	char beside[128];
	int fd;

	(void)snprintf(beside, sizeof(beside), "%s.new", path);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, token, strlen(token)), strlen(token));
	assert_int_equal(close(fd), 0);
	assert_int_equal(rename(beside, path), 0);
}

static void the_origin_is_given_the_token(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, NULL, NULL);
	run.script.wanted = "opaque-token-one";
	run.script.refusal = "401 Unauthorized";
	assert_int_equal(run_range(&run), 0);
	assert_true(answer_is_right(&run.answer));
	assert_int_equal(atomic_load(&run.script.gets), 1);
	assert_int_equal(run_range(&run), 0);
	assert_int_equal(server_connections(run.server), 1);
	run_end(&run);
}

static void a_refused_token_is_read_again_and_the_new_one_used(void **state)
{
	char directory[] = "/tmp/bearerfs-test-XXXXXX";
	char path[64];
	struct run run;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/token", directory);
	write_token(path, "the-first-token");
	run_begin(&run, path, NULL);
	run.script.wanted = "the-second-token";
	run.script.refusal = "403 Forbidden";
	write_token(path, "the-second-token");
	assert_int_equal(run_range(&run), 0);
	assert_true(answer_is_right(&run.answer));
	assert_in_range(atomic_load(&run.script.gets), 1, 2);
	run_end(&run);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void a_token_refused_twice_is_the_answer(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, NULL, NULL);
	run.script.refusal = "401 Unauthorized";
	assert_int_equal(run_range(&run), -EKEYREJECTED);
	assert_int_equal(atomic_load(&run.script.gets), 2);
	assert_null(strstr(run.answer.err.text, "opaque-token"));
	run_end(&run);

	run_begin(&run, NULL, NULL);
	run.script.refusal = "403 Forbidden";
	assert_int_equal(run_range(&run), -EACCES);
	assert_int_equal(atomic_load(&run.script.gets), 2);
	run_end(&run);
}

/* What any answer tells is asked for without one, and a refusal is an answer:
 * it is not asked again. */
static void a_bare_question_carries_no_token(void **state)
{
	struct run run;
	int64_t skew_s = 0;

	(void)state;
	run_begin(&run, NULL, NULL);
	run.script.wanted = "opaque-token-one";
	run.script.refusal = "401 Unauthorized";
	assert_false(fetch_skew_s(run.rig.fetch, &skew_s));
	rig_stat_bare(&run.rig, "/f", &run.answer);
	assert_int_equal(answer_wait(&run.answer), -EACCES);
	assert_int_equal(atomic_load(&run.script.gets), 1);
	assert_int_equal(atomic_load(&run.script.with_token), 0);
	/* Its Date is that of the epoch. */
	assert_true(fetch_skew_s(run.rig.fetch, &skew_s));
	assert_true(skew_s > 1000000000);
	run_end(&run);
}

/* What is kept of a file is no copy of the token, whatever its server says. */
static void an_etag_made_of_the_token_is_none(void **state)
{
	static const char document[] =
	    "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/%s</D:href>"
	    "<D:propstat><D:prop><D:resourcetype/><D:getcontentlength>1000"
	    "</D:getcontentlength><D:getetag>\"%s\"</D:getetag></D:prop>"
	    "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
	    "</D:multistatus>";
	static const struct {
		const char *etag;
		bool kept;
	} rows[] = {{"opaque-token-one", false},
	    {"1-opaque-token-one-2", false}, {"opaque-token", true},
	    {"6ab2f-3e8", true}, {"", true}, {"opaque-token-two", true}};
	char header[128];
	char self[1024];
	char listed[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char quoted[64] = "";
		struct run run;

		run_begin(&run, NULL, NULL);
		(void)snprintf(
		    header, sizeof(header), "ETag: \"%s\"\r\n", rows[i].etag);
		(void)snprintf(self, sizeof(self), document, "f", rows[i].etag);
		(void)snprintf(
		    listed, sizeof(listed), document, "d/f", rows[i].etag);
		if (rows[i].kept)
			(void)snprintf(
			    quoted, sizeof(quoted), "\"%s\"", rows[i].etag);
		run.script.etag = header;
		assert_int_equal(run_range(&run), 0);
		assert_string_equal(run.answer.etag, quoted);
		run.script.document = self;
		answer_fini(&run.answer);
		answer_init(&run.answer, 0, 0);
		rig_stat(&run.rig, "/f", &run.answer);
		assert_int_equal(answer_wait(&run.answer), 0);
		assert_string_equal(run.answer.stat.version.etag, quoted);
		run.script.document = listed;
		answer_fini(&run.answer);
		answer_init(&run.answer, 0, 0);
		rig_list(&run.rig, "/d", &run.answer);
		assert_int_equal(answer_wait(&run.answer), 0);
		assert_string_equal(run.answer.etag, quoted);
		run_end(&run);
	}
}

/* A 207 may be about anything, for the file too: what it grants is known at
 * its end. */
static void attributes_prove_a_token_when_they_are_whole(void **state)
{
#define HEAD                                                                  \
	"<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\"><D:response>" \
	"<D:href>/f</D:href><D:propstat><D:status>HTTP/1.1 200 OK"            \
	"</D:status><D:prop><D:getcontentlength>5</D:getcontentlength>"       \
	"<D:resourcetype/></D:prop></D:propstat></D:response>"
	static const struct {
		const char *document;
		int door;
	} rows[] = {
	    {HEAD "</D:multi", -EACCES},
	    {"<D:multistatus xmlns:D=\"DAV:\"/>", -EACCES},
	    {HEAD "</D:multistatus>", 0},
	};
	static const struct ident nobody = {.uid = 0};
	struct run run;

	(void)state;
	run_begin(&run, NULL, NULL);
	run.script.refusal = "403 Forbidden";
	rig_stat(&run.rig, "/f", &run.answer);
	assert_int_equal(answer_wait(&run.answer), -EACCES);
	run.script.refusal = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		run.script.document = rows[i].document;
		answer_fini(&run.answer);
		answer_init(&run.answer, 0, 0);
		rig_stat(&run.rig, "/f", &run.answer);
		assert_int_equal(
		    answer_wait(&run.answer) == 0, rows[i].door == 0);
		assert_int_equal(tokens_may(run.rig.tokens, &nobody, "/f",
		                     TOKENS_LOOK, NULL),
		    rows[i].door);
	}
	run_end(&run);
#undef HEAD
}

static void an_answer_to_something_else_proves_nothing(void **state)
{
	static const struct ident nobody = {.uid = 0};
	struct run run;

	(void)state;
	run_begin(&run, NULL, NULL);
	run.script.refusal = "403 Forbidden";
	assert_int_equal(run_range(&run), -EACCES);
	run.script.refusal = NULL;
	run.script.other = true;
	assert_int_equal(run_range(&run), -EIO);
	assert_int_equal(
	    tokens_may(run.rig.tokens, &nobody, "/f", TOKENS_READ, NULL),
	    -EACCES);
	run.script.other = false;
	assert_int_equal(run_range(&run), 0);
	assert_int_equal(
	    tokens_may(run.rig.tokens, &nobody, "/f", TOKENS_READ, NULL), 0);
	run_end(&run);
}

/* From 127.0.0.1 to 127.0.0.2: the same machine, another host. */
static void redirect_to(struct run *run, struct server *target, char out[256])
{
	(void)snprintf(out, 256, "https://127.0.0.2%s/f?authz=Bearer%%20x&u=1",
	    strrchr(server_url(target), ':'));
	run->script.redirect = out;
}

static void a_redirect_does_not_take_the_token_elsewhere(void **state)
{
	struct script there = {.wanted = NULL};
	struct run run;
	struct server *target;
	char location[256];

	(void)state;
	run_begin(&run, NULL, NULL);
	target = server_new_at("127.0.0.2", true, on_request, &there);
	redirect_to(&run, target, location);
	assert_int_equal(run_range(&run), 0);
	assert_true(answer_is_right(&run.answer));
	assert_int_equal(atomic_load(&there.gets), 1);
	assert_int_equal(atomic_load(&there.with_token), 0);
	assert_int_equal(atomic_load(&there.with_authz), 0);
	run_end(&run);
	server_free(target);
}

static void redirect_hosts_may_be_given_the_token(void **state)
{
	static const char *const hosts[] = {"127.0.0.2"};
	struct script there = {
	    .wanted = "opaque-token-one", .refusal = "401 Unauthorized"};
	struct run run;
	struct server *target;
	char location[256];

	(void)state;
	run_begin(&run, NULL, hosts);
	target = server_new_at("127.0.0.2", true, on_request, &there);
	redirect_to(&run, target, location);
	assert_int_equal(run_range(&run), 0);
	assert_int_equal(atomic_load(&there.with_good_one), 1);
	run_end(&run);
	server_free(target);
}

static void a_redirect_host_that_wants_a_token_is_named(void **state)
{
	struct script there = {.refusal = "401 Unauthorized"};
	struct run run;
	struct server *target;
	char location[256];

	(void)state;
	run_begin(&run, NULL, NULL);
	target = server_new_at("127.0.0.2", true, on_request, &there);
	redirect_to(&run, target, location);
	assert_int_equal(run_range(&run), -EACCES);
	assert_non_null(strstr(run.answer.err.text, "redirect_hosts"));
	assert_int_equal(atomic_load(&there.with_token), 0);
	run_end(&run);
	server_free(target);
}

static void a_login_page_elsewhere_is_neither_file_nor_listing(void **state)
{
	/* The script answers every method alike: 302, then 200-like. */
	struct script there = {.wanted = NULL};
	struct run run;
	struct server *target;
	char location[256];

	(void)state;
	run_begin(&run, NULL, NULL);
	target = server_new_at("127.0.0.2", true, on_request, &there);
	redirect_to(&run, target, location);
	there.page = true;
	rig_stat(&run.rig, "/f", &run.answer);
	assert_int_equal(answer_wait(&run.answer), -EIO);
	answer_fini(&run.answer);
	answer_init(&run.answer, 0, 0);
	rig_list(&run.rig, "/f", &run.answer);
	assert_int_equal(answer_wait(&run.answer), -EIO);
	assert_int_equal(atomic_load(&there.with_token), 0);
	run_end(&run);
	server_free(target);
}

static void a_redirect_that_leaves_https_is_not_followed(void **state)
{
	struct script there = {.wanted = NULL};
	struct server *target = server_new(false, on_request, &there);
	struct run run;
	char location[256];

	(void)state;
	run_begin(&run, NULL, NULL);
	(void)snprintf(location, sizeof(location), "%s/f", server_url(target));
	run.script.redirect = location;
	assert_int_equal(run_range(&run), -EIO);
	assert_int_equal(atomic_load(&there.gets), 0);
	run_end(&run);

	/* Nor told of in the server's words, which know the token. */
	run_begin(&run, NULL, NULL);
	run.script.redirect = "http://opaque-token-one/";
	assert_int_equal(run_range(&run), -EIO);
	assert_non_null(strstr(run.answer.err.text, "https"));
	assert_null(strstr(run.answer.err.text, "opaque-token-one"));
	run_end(&run);
	server_free(target);
}

static void a_certificate_that_nobody_vouches_for_ends_the_call(void **state)
{
	struct run run;
	struct rig stranger;
	struct server *other;

	(void)state;
	server_forget_certificate();
	run_begin(&run, NULL, NULL);
	server_forget_certificate();
	other = server_new(true, on_request, &run.script);
	rig_init(&stranger,
	    &(struct rig_config){
	        .url = server_url(other),
	        .ca_file = server_ca_file(run.server),
	    });
	answer_fini(&run.answer);
	answer_init(&run.answer, 0, 0);
	rig_stat(&stranger, "/f", &run.answer);
	assert_int_equal(answer_wait(&run.answer), -EHOSTUNREACH);
	assert_true(fetch_untrusted(stranger.fetch));
	assert_false(fetch_untrusted(run.rig.fetch));
	assert_int_equal(atomic_load(&run.script.gets), 0);
	rig_fini(&stranger);
	server_free(other);
	run_end(&run);
}

static void without_a_token_nothing_is_sent(void **state)
{
	char directory[] = "/tmp/bearerfs-test-XXXXXX";
	char path[64];
	struct run run;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/none", directory);
	memset(&run, 0, sizeof(run));
	run.server = server_new(true, on_request, &run.script);
	rig_init(&run.rig,
	    &(struct rig_config){
	        .url = server_url(run.server),
	        .ca_file = server_ca_file(run.server),
	        .token_file = path,
	        .timeout_ms = 4000,
	    });
	answer_init(&run.answer, 0, 100);
	assert_int_equal(run_range(&run), -ENOKEY);
	assert_int_equal(server_connections(run.server), 0);
	run_end(&run);
	assert_int_equal(rmdir(directory), 0);
}

/* The store may answer long after the engine has gone. */
static void an_engine_may_stop_while_a_token_is_waited_for(void **state)
{
	char directory[] = "/tmp/bearerfs-test-XXXXXX";
	char path[64];
	struct run run;
	struct fetch_range range = {
	    .path = "/f", .version = &version, .length_bytes = 100};

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/none", directory);
	run_begin(&run, path, NULL);
	(void)rig_range(&run.rig, &range, &run.answer);
	fetch_stop(run.rig.fetch);
	assert_true(answer_wait(&run.answer) < 0);
	assert_int_equal(run.answer.times, 1);
	run_end(&run);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_origin_is_given_the_token),
	    cmocka_unit_test(
	        a_refused_token_is_read_again_and_the_new_one_used),
	    cmocka_unit_test(a_token_refused_twice_is_the_answer),
	    cmocka_unit_test(attributes_prove_a_token_when_they_are_whole),
	    cmocka_unit_test(an_answer_to_something_else_proves_nothing),
	    cmocka_unit_test(a_redirect_does_not_take_the_token_elsewhere),
	    cmocka_unit_test(redirect_hosts_may_be_given_the_token),
	    cmocka_unit_test(a_redirect_host_that_wants_a_token_is_named),
	    cmocka_unit_test(
	        a_login_page_elsewhere_is_neither_file_nor_listing),
	    cmocka_unit_test(a_bare_question_carries_no_token),
	    cmocka_unit_test(an_etag_made_of_the_token_is_none),
	    cmocka_unit_test(a_redirect_that_leaves_https_is_not_followed),
	    cmocka_unit_test(
	        a_certificate_that_nobody_vouches_for_ends_the_call),
	    cmocka_unit_test(without_a_token_nothing_is_sent),
	    cmocka_unit_test(an_engine_may_stop_while_a_token_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
