/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/abilities.h: what is told of a scripted server, as it answers. */
#include "base/attr.h"
#include "base/clock.h"
#include "fetch/abilities.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "rig.h"
#include "server.h"

#define DATE "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"

/* How the server answers: whole status lines and headers, and bodies. NULL:
 * the connection ends. */
struct script {
	const char *open;
	const char *past;
	const char *multi;
	const char *checksum;
};

static const struct script right = {
    .open = "206 P\r\nContent-Range: bytes 9-9/10\r\n"
            "Content-Length: 1\r\n\r\nx",
    .past = "206 P\r\nContent-Range: bytes 9-9/10\r\n"
            "Content-Length: 1\r\n\r\nx",
    .multi = "206 P\r\nContent-Type: multipart/byteranges; boundary=a\r\n"
             "Content-Length: 3\r\n\r\n--a",
    .checksum = "200 OK\r\nDigest: adler32=084b021f\r\n"
                "Content-Length: 10\r\n\r\n",
};

static struct script script;

static bool speak(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	const char *answer = "200 OK\r\nContent-Length: 0\r\n\r\n";
	char range[64];

	(void)arg;
	(void)server_header(request, "Range", range, sizeof(range));
	if (strcmp(range, "bytes=9-") == 0)
		answer = script.open;
	else if (strcmp(range, "bytes=9-109") == 0)
		answer = script.past;
	else if (strcmp(range, "bytes=0-0,9-9") == 0)
		answer = script.multi;
	else if (strstr(request->headers, "Want-Digest") != NULL)
		answer = script.checksum;
	if (answer == NULL)
		return false;
	server_say(peer, "HTTP/1.1 %.*s" DATE "%s",
	    (int)(strchr(answer, '\n') + 1 - answer), answer,
	    strchr(answer, '\n') + 1);
	/* XRootD cuts what it has claimed. */
	return strstr(answer, "Length: 101") == NULL;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool done;
static int done_code;
static struct fetch_abilities found;

static void answered(void *arg, int code,
    const struct fetch_abilities *abilities, const struct err *err)
{
	(void)arg;
	(void)pthread_mutex_lock(&mutex);
	done = true;
	done_code = code;
	if (code == 0)
		found = *abilities;
	else
		assert_true(err->text[0] != '\0');
	(void)pthread_cond_signal(&cond);
	(void)pthread_mutex_unlock(&mutex);
}

static struct server *server;
static struct rig rig;
static struct clock hand;
static bool passing; /* time does, while an answer is waited for */

static int begin(void **state)
{
	(void)state;
	script = right;
	passing = false;
	server = server_new(false, speak, NULL);
	hand = (struct clock){
	    .hand_driven = 1, .monotonic_ms = 1000000, .wall_s = 1700000000};
	rig_init(&rig,
	    &(struct rig_config){.url = server_url(server), .clock = &hand});
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_fini(&rig);
	server_free(server);
	return 0;
}

static int ask(uint64_t size_bytes)
{
	const struct fetch_version version = {
	    .size_bytes = size_bytes, .mtime_s = -1};

	done = false;
	fetch_abilities(rig.fetch, NULL, "/f", &version, answered, NULL);
	(void)pthread_mutex_lock(&mutex);
	while (!done && !passing)
		(void)pthread_cond_wait(&cond, &mutex);
	while (!done) {
		struct timespec soon;

		(void)clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_sec += 1;
		(void)pthread_cond_timedwait(&cond, &mutex, &soon);
		hand.monotonic_ms += 200;
	}
	(void)pthread_mutex_unlock(&mutex);
	return done_code;
}

static void what_is_right_is_told(void **state)
{
	(void)state;
	assert_int_equal(ask(10), 0);
	assert_int_equal(found.open_range, FETCH_ABILITY_YES);
	assert_int_equal(found.past_end, FETCH_ABILITY_YES);
	assert_int_equal(found.multi_range, FETCH_ABILITY_YES);
	assert_int_equal(found.checksum, FETCH_ABILITY_YES);
	assert_int_equal(found.algorithm, FETCH_ADLER32);
	assert_int_equal(found.http2, FETCH_ABILITY_NO);
	/* It was never listed. */
	assert_int_equal(found.listed_etag, FETCH_ABILITY_UNKNOWN);
	assert_int_equal(found.escaped, FETCH_ABILITY_UNKNOWN);
}

static void it_is_remembered_for_an_hour(void **state)
{
	(void)state;
	assert_int_equal(ask(10), 0);
	assert_int_equal(server_requests(server), 5);
	hand.monotonic_ms += FETCH_ABILITIES_MS - 1;
	assert_int_equal(ask(10), 0);
	assert_int_equal(server_requests(server), 5);
	assert_int_equal(found.age_ms, FETCH_ABILITIES_MS - 1);
	assert_int_equal(found.checksum, FETCH_ABILITY_YES);
	hand.monotonic_ms++;
	assert_int_equal(ask(10), 0);
	assert_int_equal(server_requests(server), 10);
	assert_int_equal(found.age_ms, 0);
}

static void each_answer_is_judged(void **state)
{
	static const struct {
		const char *answer;
		enum fetch_ability ability;
	} rows[] = {
	    {"206 P\r\nContent-Range: bytes 9-9/10\r\n"
	     "Content-Length: 1\r\n\r\nx",
	        FETCH_ABILITY_YES},
	    /* XRootD, of an open one, and of one past the end. */
	    {"206 P\r\nContent-Range: bytes 9--1/10\r\n"
	     "Content-Length: 0\r\n\r\n",
	        FETCH_ABILITY_WRONG},
	    {"206 P\r\nContent-Range: bytes 9-109/10\r\n"
	     "Content-Length: 101\r\n\r\nx",
	        FETCH_ABILITY_WRONG},
	    {"206 P\r\nContent-Range: bytes 8-9/10\r\n"
	     "Content-Length: 2\r\n\r\nxx",
	        FETCH_ABILITY_WRONG},
	    {"206 P\r\nContent-Length: 1\r\n\r\nx", FETCH_ABILITY_WRONG},
	    {"200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
	        FETCH_ABILITY_NO},
	    {"416 R\r\nContent-Length: 0\r\n\r\n", FETCH_ABILITY_NO},
	    {"403 F\r\nContent-Length: 0\r\n\r\n", FETCH_ABILITY_UNKNOWN},
	    {"500 E\r\nContent-Length: 0\r\n\r\n", FETCH_ABILITY_UNKNOWN},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		script.open = rows[i].answer;
		script.past = rows[i].answer;
		assert_int_equal(ask(10), 0);
		assert_int_equal(found.open_range, rows[i].ability);
		assert_int_equal(found.past_end, rows[i].ability);
		assert_int_equal(found.multi_range, FETCH_ABILITY_YES);
		(void)end(state);
		(void)begin(state);
	}
}

static void a_connection_that_ends_is_wrong_and_the_rest_is_tried(void **state)
{
	(void)state;
	passing = true;
	script.past = "206 P\r\nno header line\r\n\r\n";
	script.checksum = "200 OK\r\nContent-Length: 10\r\n\r\n";
	assert_int_equal(ask(10), 0);
	assert_int_equal(found.past_end, FETCH_ABILITY_WRONG);
	assert_int_equal(found.multi_range, FETCH_ABILITY_YES);
	assert_int_equal(found.checksum, FETCH_ABILITY_NO);
}

static void of_a_tiny_file_two_ranges_are_not_asked(void **state)
{
	(void)state;
	script.open = "200 OK\r\nContent-Length: 2\r\n\r\nab";
	assert_int_equal(ask(2), 0);
	assert_int_equal(found.multi_range, FETCH_ABILITY_UNKNOWN);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    CASE(what_is_right_is_told),
	    CASE(it_is_remembered_for_an_hour),
	    CASE(each_answer_is_judged),
	    CASE(a_connection_that_ends_is_wrong_and_the_rest_is_tried),
	    CASE(of_a_tiny_file_two_ranges_are_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
