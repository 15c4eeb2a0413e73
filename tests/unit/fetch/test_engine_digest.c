/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking for checksums: by HEAD, and with a range that is the whole file; what
 * is learned of a host, and that refusals of it count for nothing.
 */
#include "base/ident.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"
#include "server.h"

#define TOLD "200 OK\r\nDigest: adler32=084b021f\r\n"
#define DATE "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"

enum { SIZE = 10, MTIME_S = 1700000000 };

struct script {
	const char *head;   /* status and more of the answer to HEAD */
	const char *digest; /* header lines of GET; "": none */
	int refuses; /* GET that wants one: this status; 0: it does not; -1:
			the connection ends without an answer */
	unsigned size_bytes; /* that HEAD tells */
	atomic_uint heads;
	atomic_uint gets;
	atomic_uint wanted; /* requests that ask for a checksum */
};

static bool wants(const struct server_request *request)
{
	char value[128];

	return server_header(request, "Want-Digest", value, sizeof(value))[0] !=
	    '\0' &&
	    server_header(
	        request, "Want-Repr-Digest", value, sizeof(value))[0] != '\0';
}

static bool say_range(const struct script *script,
    const struct server_request *request, struct server_peer *peer)
{
	uint8_t bytes[SIZE];
	size_t size = (size_t)(request->last - request->first + 1);

	for (size_t i = 0; i < size; i++)
		bytes[i] = rig_byte(request->first + i);
	server_say(peer,
	    "HTTP/1.1 206 Part\r\n" DATE "%sETag: \"e\"\r\n"
	    "Content-Length: %zu\r\nContent-Range: bytes %u-%u/%d\r\n\r\n",
	    script->digest, size, (unsigned)request->first,
	    (unsigned)request->last, (int)SIZE);
	server_send(peer, bytes, size);
	return true;
}

static bool on_request(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	struct script *script = arg;

	if (wants(request))
		atomic_fetch_add(&script->wanted, 1);
	if (strcmp(request->method, "HEAD") == 0) {
		atomic_fetch_add(&script->heads, 1);
		server_say(peer,
		    "HTTP/1.1 %s" DATE "Content-Length: %u\r\n\r\n",
		    script->head, script->size_bytes);
		return true;
	}
	atomic_fetch_add(&script->gets, 1);
	if (script->refuses < 0 && wants(request))
		return false;
	if (script->refuses != 0 && wants(request)) {
		server_say(peer,
		    "HTTP/1.1 %d No\r\n" DATE "Content-Length: 0\r\n\r\n",
		    script->refuses);
		return true;
	}
	return say_range(script, request, peer);
}

struct run {
	struct script script;
	struct server *server;
	struct rig rig;
};

static void run_begin(struct run *run, const char *head)
{
	memset(run, 0, sizeof(*run));
	run->script.head = head;
	run->script.digest = "";
	run->script.size_bytes = SIZE;
	run->server = server_new(true, on_request, &run->script);
	rig_init(&run->rig,
	    &(struct rig_config){.url = server_url(run->server),
	        .ca_file = server_ca_file(run->server)});
}

static void run_end(struct run *run)
{
	rig_fini(&run->rig);
	server_free(run->server);
}

struct got {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool done;
	int code;
	char text[FETCH_DIGEST_TEXT_BYTES];
};

static void take(void *arg, int code, const struct fetch_digest *digest)
{
	struct got *got = arg;

	(void)pthread_mutex_lock(&got->mutex);
	got->code = code;
	got->text[0] = '\0';
	assert_int_equal(code == 0, digest != NULL);
	if (code == 0)
		fetch_digest_text(got->text, digest);
	got->done = true;
	(void)pthread_cond_signal(&got->cond);
	(void)pthread_mutex_unlock(&got->mutex);
}

static const struct fetch_version version = {
    .size_bytes = SIZE, .mtime_s = MTIME_S, .etag = "\"e\""};

/* Ask; the code, and what was told. */
static int ask(struct run *run, char text[FETCH_DIGEST_TEXT_BYTES])
{
	struct got got = {.mutex = PTHREAD_MUTEX_INITIALIZER,
	    .cond = PTHREAD_COND_INITIALIZER};
	const struct ident ident = {.uid = 1};

	fetch_digest(run->rig.fetch,
	    &(struct fetch_digest_ask){
	        .ident = &ident, .path = "/f", .version = &version},
	    take, &got);
	(void)pthread_mutex_lock(&got.mutex);
	while (!got.done)
		(void)pthread_cond_wait(&got.cond, &got.mutex);
	(void)pthread_mutex_unlock(&got.mutex);
	(void)strcpy(text, got.text);
	return got.code;
}

static enum fetch_digests state_of(struct run *run)
{
	enum fetch_algorithm algorithm = FETCH_ALGORITHM_COUNT;
	enum fetch_digests digests = fetch_digests(run->rig.fetch, &algorithm);

	assert_int_equal(
	    digests == FETCH_DIGESTS_TOLD, algorithm != FETCH_ALGORITHM_COUNT);
	return digests;
}

static void a_checksum_is_asked_for_by_head(void **state)
{
	char text[FETCH_DIGEST_TEXT_BYTES];
	struct run run;

	(void)state;
	run_begin(&run, TOLD);
	assert_int_equal(state_of(&run), FETCH_DIGESTS_UNKNOWN);
	assert_int_equal(ask(&run, text), 0);
	assert_string_equal(text, "adler32:084b021f");
	assert_int_equal(run.script.wanted, 1);
	assert_int_equal(state_of(&run), FETCH_DIGESTS_TOLD);
	run_end(&run);
}

static void none_is_an_answer(void **state)
{
	static const char *const heads[] = {"200 OK\r\n",
	    "200 OK\r\nDigest: adler32=nonsense\r\n", "404 No\r\n",
	    "500 No\r\n", "401 No\r\n", "403 No\r\n", "204 None\r\n"};
	char text[FETCH_DIGEST_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(heads); i++) {
		struct answer answer;
		struct run run;

		run_begin(&run, heads[i]);
		assert_int_equal(ask(&run, text), -ENODATA);
		assert_int_equal(run.script.heads, 1);
		/* Only a good answer tells that there is none. */
		assert_int_equal(state_of(&run),
		    i < 2 ? FETCH_DIGESTS_NONE : FETCH_DIGESTS_UNKNOWN);
		/* Nobody is refused for it. */
		answer_init(&answer, 0, SIZE);
		(void)rig_range(&run.rig,
		    &(struct fetch_range){.path = "/f",
		        .version = &version,
		        .length_bytes = SIZE,
		        .demand = true},
		    &answer);
		assert_int_equal(answer_wait(&answer), 0);
		answer_fini(&answer);
		assert_int_equal(run.script.gets, 1);
		run_end(&run);
	}
}

static void one_of_another_version_is_none(void **state)
{
	static const char *const heads[] = {TOLD "ETag: \"other\"\r\n",
	    TOLD "Last-Modified: Tue, 14 Nov 2023 22:13:21 GMT\r\n", TOLD};
	char text[FETCH_DIGEST_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(heads); i++) {
		struct run run;

		run_begin(&run, heads[i]);
		if (i == 2)
			run.script.size_bytes = SIZE + 1;
		assert_int_equal(ask(&run, text), -ESTALE);
		assert_int_equal(state_of(&run), FETCH_DIGESTS_TOLD);
		run_end(&run);
	}
}

static void part(struct run *run, bool wanted, uint64_t at, uint64_t size,
    const char *expected)
{
	struct answer answer;

	answer_init(&answer, at, size);
	(void)rig_range(&run->rig,
	    &(struct fetch_range){.path = "/f",
	        .version = &version,
	        .offset_bytes = at,
	        .length_bytes = size,
	        .demand = true,
	        .digest = wanted},
	    &answer);
	assert_int_equal(answer_wait(&answer), 0);
	assert_true(answer_is_right(&answer));
	assert_string_equal(answer.digest, expected);
	answer_fini(&answer);
}

static void range(struct run *run, bool wanted, const char *expected)
{
	part(run, wanted, 0, SIZE, expected);
}

static void a_range_brings_it_along(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, "200 OK\r\n");
	run.script.digest = "Digest: adler32=084b021f\r\n";
	range(&run, true, "adler32:084b021f");
	assert_int_equal(run.script.wanted, 1);
	assert_int_equal(state_of(&run), FETCH_DIGESTS_TOLD);
	run.script.digest = "Repr-Digest: md5=:/jqlmZf0VkgHNrWfcrb9sw==:\r\n";
	range(&run, true, "md5:fe3aa59997f456480736b59f72b6fdb3");
	run_end(&run);
}

/* XRootD 5.5 repeats that of an earlier file. */
static void one_that_was_not_asked_for_is_not_believed(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, "200 OK\r\n");
	run.script.digest = "Server: XrootD/v5.5.3\r\n"
	                    "Digest: adler32=084b021f\r\n";
	/* What sends that header is asked for nothing by the way. */
	part(&run, false, 0, 1, "");
	assert_int_equal(run.script.wanted, 1);
	run.script.wanted = 0;
	range(&run, false, "");
	assert_int_equal(run.script.wanted, 0);
	run_end(&run);
}

static void an_unknown_host_is_asked_by_the_way(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, "200 OK\r\n");
	part(&run, false, 2, 3, "");
	assert_int_equal(state_of(&run), FETCH_DIGESTS_NONE);
	range(&run, false, "");
	assert_int_equal(run.script.wanted, 1);
	assert_int_equal(run.script.heads, 0);
	run_end(&run);
	run_begin(&run, "200 OK\r\n");
	run.script.digest = "Digest: adler32=084b021f\r\n";
	/* It may be that of the part. */
	part(&run, true, 0, 3, "");
	assert_int_equal(state_of(&run), FETCH_DIGESTS_TOLD);
	range(&run, false, "");
	assert_int_equal(run.script.wanted, 1);
	run_end(&run);
}

static void what_failed_with_one_is_tried_without(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, "200 OK\r\n");
	run.script.refuses = -1;
	range(&run, true, "");
	assert_int_equal(run.script.gets, 2);
	assert_int_equal(run.script.wanted, 1);
	/* It went well without: the next ones do not ask. */
	assert_int_equal(state_of(&run), FETCH_DIGESTS_NONE);
	run_end(&run);
}

/* Its 5.5.3 answers such a GET with anything, or ends. */
static void of_xrootd_a_range_brings_none_along(void **state)
{
	char text[FETCH_DIGEST_TEXT_BYTES];
	struct run run;

	(void)state;
	run_begin(&run,
	    "200 OK\r\nServer: XrootD/v5.5.3\r\n"
	    "Digest: adler32=084b021f\r\n");
	run.script.digest = "Server: XrootD/v5.5.3\r\n"
	                    "Digest: adler32=084b021f\r\n";
	assert_int_equal(ask(&run, text), 0);
	assert_string_equal(text, "adler32:084b021f");
	assert_true(fetch_digests_apart(run.rig.fetch));
	assert_int_equal(state_of(&run), FETCH_DIGESTS_TOLD);
	range(&run, true, "");
	assert_int_equal(run.script.wanted, 1);
	assert_int_equal(run.script.gets, 1);
	run_end(&run);
}

static void an_unknown_host_that_is_busy_is_not_pressed(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, "200 OK\r\n");
	run.script.refuses = 404;
	{
		struct answer answer;

		answer_init(&answer, 0, SIZE);
		(void)rig_range(&run.rig,
		    &(struct fetch_range){.path = "/f",
		        .version = &version,
		        .length_bytes = SIZE,
		        .demand = true},
		    &answer);
		assert_int_equal(answer_wait(&answer), -ENOENT);
		answer_fini(&answer);
	}
	assert_int_equal(run.script.gets, 1);
	assert_int_equal(state_of(&run), FETCH_DIGESTS_UNKNOWN);
	run_end(&run);
}

static void bytes_come_although_a_checksum_does_not(void **state)
{
	static const int statuses[] = {404, 500, 503, 403, 412};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(statuses); i++) {
		struct run run;

		run_begin(&run, "200 OK\r\n");
		run.script.refuses = statuses[i];
		range(&run, true, "");
		assert_int_equal(run.script.gets, 2);
		assert_int_equal(run.script.wanted, 1);
		/* A refusal may be of the token. */
		assert_int_equal(state_of(&run),
		    statuses[i] == 403 ? FETCH_DIGESTS_UNKNOWN
		                       : FETCH_DIGESTS_NONE);
		run_end(&run);
	}
}

static void a_host_that_told_some_is_believed_for_a_while(void **state)
{
	char text[FETCH_DIGEST_TEXT_BYTES];
	struct run run;

	(void)state;
	run_begin(&run, TOLD);
	assert_int_equal(ask(&run, text), 0);
	run.script.head = "200 OK\r\n";
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ask(&run, text), -ENODATA);
		assert_int_equal(state_of(&run), FETCH_DIGESTS_TOLD);
	}
	assert_int_equal(ask(&run, text), -ENODATA);
	assert_int_equal(state_of(&run), FETCH_DIGESTS_NONE);
	run_end(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_checksum_is_asked_for_by_head),
	    cmocka_unit_test(none_is_an_answer),
	    cmocka_unit_test(one_of_another_version_is_none),
	    cmocka_unit_test(a_range_brings_it_along),
	    cmocka_unit_test(one_that_was_not_asked_for_is_not_believed),
	    cmocka_unit_test(an_unknown_host_is_asked_by_the_way),
	    cmocka_unit_test(what_failed_with_one_is_tried_without),
	    cmocka_unit_test(of_xrootd_a_range_brings_none_along),
	    cmocka_unit_test(an_unknown_host_that_is_busy_is_not_pressed),
	    cmocka_unit_test(bytes_come_although_a_checksum_does_not),
	    cmocka_unit_test(a_host_that_told_some_is_believed_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
