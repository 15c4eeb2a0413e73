/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is asked for first, and how much at once: readers that wait go before
 * read-ahead, a server is not flooded, and one that asks for peace gets it.
 */
#include "base/ident.h"
#include "fetch/calls/share.h"
#include "fetch/change.h"
#include "fetch/servers/server.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"
#include "server.h"

enum { FILE_BYTES = 100000, DEMAND_OFFSET = 77777 };

static const struct fetch_version version = {
    .size_bytes = FILE_BYTES, .mtime_s = 0};

struct script {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool open; /* requests are answered */
	unsigned inside;
	unsigned inside_max;
	bool demand_came;
	unsigned busy; /* so many 429 first */
	atomic_uint requests;
};

static bool on_request(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	struct script *script = arg;
	unsigned nth = atomic_fetch_add(&script->requests, 1) + 1;

	if (nth <= script->busy) {
		server_say(peer,
		    "HTTP/1.1 429 Too Many Requests\r\nDate: x\r\n"
		    "Retry-After: 1\r\nContent-Length: 0\r\n\r\n");
		return true;
	}
	(void)pthread_mutex_lock(&script->mutex);
	script->inside++;
	if (script->inside > script->inside_max)
		script->inside_max = script->inside;
	if (request->first == DEMAND_OFFSET)
		script->demand_came = true;
	(void)pthread_cond_broadcast(&script->cond);
	while (!script->open)
		(void)pthread_cond_wait(&script->cond, &script->mutex);
	script->inside--;
	(void)pthread_mutex_unlock(&script->mutex);
	if (strcmp(request->method, "DELETE") == 0) {
		server_say(peer, "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n");
		return true;
	}
	server_say(peer,
	    "HTTP/1.1 206 Partial Content\r\nDate: x\r\n"
	    "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
	    "Content-Length: 1\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64
	    "/%d\r\n\r\n%c",
	    request->first, request->last, (int)FILE_BYTES,
	    rig_byte(request->first));
	return true;
}

struct run {
	struct script script;
	struct server *server;
	struct rig rig;
};

static void run_begin_for(struct run *run, bool shared)
{
	memset(run, 0, sizeof(*run));
	(void)pthread_mutex_init(&run->script.mutex, NULL);
	(void)pthread_cond_init(&run->script.cond, NULL);
	run->server = server_new(false, on_request, &run->script);
	rig_init(&run->rig,
	    &(struct rig_config){
	        .url = server_url(run->server), .shared = shared});
}

static void run_begin(struct run *run)
{
	run_begin_for(run, false);
}

static void set_open(struct run *run)
{
	(void)pthread_mutex_lock(&run->script.mutex);
	run->script.open = true;
	(void)pthread_cond_broadcast(&run->script.cond);
	(void)pthread_mutex_unlock(&run->script.mutex);
}

static void run_end(struct run *run)
{
	set_open(run);
	rig_fini(&run->rig);
	server_free(run->server);
}

static uint64_t ask(
    struct run *run, struct answer *answer, uint64_t offset, bool demand)
{
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .offset_bytes = offset,
	    .length_bytes = 1,
	    .demand = demand};

	answer_init(answer, offset, 1);
	return rig_range(&run->rig, &range, answer);
}

/* Wait, a minute at most, until `done` says so. */
static void wait_until(struct run *run, bool (*done)(const struct script *))
{
	struct timespec until;
	bool is_done;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	(void)pthread_mutex_lock(&run->script.mutex);
	while (!done(&run->script) &&
	    pthread_cond_timedwait(
	        &run->script.cond, &run->script.mutex, &until) == 0)
		;
	is_done = done(&run->script);
	(void)pthread_mutex_unlock(&run->script.mutex);
	assert_true(is_done);
}

static bool ahead_is_full(const struct script *script)
{
	return script->inside >= SERVER_AHEAD_MAX;
}

static bool demand_came(const struct script *script)
{
	return script->demand_came;
}

static bool all_is_full(const struct script *script)
{
	return script->inside >= SERVER_REQUESTS_MAX;
}

static void a_reader_that_waits_goes_before_read_ahead(void **state)
{
	enum { AHEAD = 40 };
	struct answer answers[AHEAD];
	struct answer demand;
	struct run run;

	(void)state;
	run_begin(&run);
	for (unsigned i = 0; i < AHEAD; i++)
		(void)ask(&run, &answers[i], i, false);
	wait_until(&run, ahead_is_full);
	(void)ask(&run, &demand, DEMAND_OFFSET, true);
	/* Nothing has been answered, and yet it is asked for. */
	wait_until(&run, demand_came);
	set_open(&run);
	assert_int_equal(answer_wait(&demand), 0);
	assert_true(answer_is_right(&demand));
	answer_fini(&demand);
	for (unsigned i = 0; i < AHEAD; i++) {
		assert_int_equal(answer_wait(&answers[i]), 0);
		answer_fini(&answers[i]);
	}
	run_end(&run);
	assert_in_range(
	    run.script.inside_max, SERVER_AHEAD_MAX, SERVER_AHEAD_MAX + 1);
}

static void read_ahead_that_is_waited_for_goes_first(void **state)
{
	enum { AHEAD = 40 };
	struct answer answers[AHEAD];
	struct answer wanted;
	struct run run;
	uint64_t first;
	uint64_t number;

	(void)state;
	run_begin(&run);
	first = ask(&run, &answers[0], 0, false);
	for (unsigned i = 1; i < AHEAD; i++)
		(void)ask(&run, &answers[i], i, false);
	number = ask(&run, &wanted, DEMAND_OFFSET, false);
	wait_until(&run, ahead_is_full);
	fetch_hurry(run.rig.fetch, number, 0);
	wait_until(&run, demand_came);
	/* One that is on its way, the same again, and one that there is not. */
	fetch_hurry(run.rig.fetch, first, 0);
	fetch_hurry(run.rig.fetch, first, 0);
	fetch_hurry(run.rig.fetch, number + 1000, 0);
	set_open(&run);
	assert_int_equal(answer_wait(&wanted), 0);
	assert_true(answer_is_right(&wanted));
	answer_fini(&wanted);
	for (unsigned i = 0; i < AHEAD; i++) {
		assert_int_equal(answer_wait(&answers[i]), 0);
		answer_fini(&answers[i]);
	}
	run_end(&run);
	assert_int_equal(run.script.inside_max, SERVER_REQUESTS_MAX);
}

struct changes {
	atomic_uint count;
	atomic_uint failed;
};

static void changed(void *arg, int code, const struct err *err)
{
	struct changes *changes = arg;

	(void)err;
	if (code != 0)
		(void)atomic_fetch_add(&changes->failed, 1);
	(void)atomic_fetch_add(&changes->count, 1);
}

static bool changes_are_full(const struct script *script)
{
	return script->inside >= SERVER_CHANGES_MAX;
}

/* What takes several round trips for a small file goes many at a time. */
static void more_changes_are_under_way_than_reads(void **state)
{
	enum { CHANGES = 60 };
	static struct changes changes;
	static const struct ident ident = {.uid = 0};
	struct run run;

	(void)state;
	run_begin(&run);
	for (unsigned i = 0; i < CHANGES; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/d%u", i);
		fetch_delete(run.rig.fetch, &ident, path, changed, &changes);
	}
	wait_until(&run, changes_are_full);
	set_open(&run);
	for (unsigned i = 0; i < 60000 && changes.count < CHANGES; i++)
		(void)usleep(1000);
	assert_int_equal(changes.count, CHANGES);
	assert_int_equal(changes.failed, 0);
	run_end(&run);
	assert_int_equal(run.script.inside_max, SERVER_CHANGES_MAX);
}

static bool most_is_full(const struct script *script)
{
	return script->inside >= 12;
}

/* One user's requests that no server answers, and another's. */
static void a_user_who_waits_keeps_no_other_waiting(void **state)
{
	enum { RANGES = 60 };
	static const struct ident eve = {.uid = 1};
	static const struct ident ada = {.uid = 2};
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .length_bytes = 1,
	    .demand = true,
	    .ident = &eve};
	struct answer answers[RANGES];
	struct answer other;
	struct run run;

	(void)state;
	run_begin_for(&run, true);
	for (unsigned i = 0; i < RANGES; i++) {
		range.offset_bytes = i;
		answer_init(&answers[i], i, 1);
		(void)rig_range(&run.rig, &range, &answers[i]);
	}
	wait_until(&run, most_is_full);
	range.ident = &ada;
	range.offset_bytes = DEMAND_OFFSET;
	answer_init(&other, DEMAND_OFFSET, 1);
	(void)rig_range(&run.rig, &range, &other);
	wait_until(&run, demand_came);
	assert_int_equal(run.script.inside_max, 13);
	set_open(&run);
	assert_int_equal(answer_wait(&other), 0);
	answer_fini(&other);
	for (unsigned i = 0; i < RANGES; i++) {
		assert_int_equal(answer_wait(&answers[i]), 0);
		assert_true(answer_is_right(&answers[i]));
		answer_fini(&answers[i]);
	}
	run_end(&run);
}

/* What another waits for, too, has their turn. */
static void what_two_wait_for_comes_at_whose_turn_is_sooner(void **state)
{
	enum { RANGES = 60 };
	static const struct ident eve = {.uid = 1};
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .length_bytes = 1,
	    .demand = true,
	    .ident = &eve};
	struct answer answers[RANGES];
	uint64_t last = 0;
	struct run run;

	(void)state;
	run_begin_for(&run, true);
	for (unsigned i = 0; i < RANGES; i++) {
		range.offset_bytes = i == RANGES - 1 ? DEMAND_OFFSET : i;
		answer_init(&answers[i], range.offset_bytes, 1);
		last = rig_range(&run.rig, &range, &answers[i]);
	}
	wait_until(&run, most_is_full);
	fetch_hurry(run.rig.fetch, last, 1); /* her own is no sooner */
	fetch_hurry(run.rig.fetch, last, 2);
	wait_until(&run, demand_came);
	assert_int_equal(run.script.inside_max, 13);
	set_open(&run);
	for (unsigned i = 0; i < RANGES; i++) {
		assert_int_equal(answer_wait(&answers[i]), 0);
		assert_true(answer_is_right(&answers[i]));
		answer_fini(&answers[i]);
	}
	run_end(&run);
}

static void a_users_questions_have_a_limit(void **state)
{
	static const struct ident eve = {.uid = 1};
	static const struct ident ada = {.uid = 2};
	static struct answer answers[SHARE_CALLS_MAX + 1];
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .length_bytes = 1,
	    .ident = &eve};
	struct answer other;
	struct run run;

	(void)state;
	run_begin_for(&run, true);
	for (unsigned i = 0; i <= SHARE_CALLS_MAX; i++) {
		range.offset_bytes = i;
		answer_init(&answers[i], i, 1);
		(void)rig_range(&run.rig, &range, &answers[i]);
	}
	assert_int_equal(answer_wait(&answers[SHARE_CALLS_MAX]), -EIO);
	assert_non_null(
	    strstr(answers[SHARE_CALLS_MAX].err.text, "of this user"));
	range.ident = &ada;
	range.demand = true;
	range.offset_bytes = DEMAND_OFFSET;
	answer_init(&other, DEMAND_OFFSET, 1);
	(void)rig_range(&run.rig, &range, &other);
	wait_until(&run, demand_came);
	set_open(&run);
	assert_int_equal(answer_wait(&other), 0);
	answer_fini(&other);
	for (unsigned i = 0; i <= SHARE_CALLS_MAX; i++) {
		assert_int_equal(
		    answer_wait(&answers[i]), i == SHARE_CALLS_MAX ? -EIO : 0);
		answer_fini(&answers[i]);
	}
	run_end(&run);
}

static void a_server_is_asked_for_so_much_at_once(void **state)
{
	enum { RANGES = 60 };
	struct answer answers[RANGES];
	struct run run;

	(void)state;
	run_begin(&run);
	for (unsigned i = 0; i < RANGES; i++)
		(void)ask(&run, &answers[i], i, i % 4 != 0);
	wait_until(&run, all_is_full);
	set_open(&run);
	for (unsigned i = 0; i < RANGES; i++) {
		assert_int_equal(answer_wait(&answers[i]), 0);
		assert_true(answer_is_right(&answers[i]));
		answer_fini(&answers[i]);
	}
	run_end(&run);
	assert_int_equal(run.script.inside_max, SERVER_REQUESTS_MAX);
}

static void a_server_that_asks_for_peace_gets_it(void **state)
{
	enum { RANGES = 5 };
	struct answer first;
	struct answer answers[RANGES];
	struct run run;

	(void)state;
	run_begin(&run);
	run.script.open = true;
	run.script.busy = 1;
	(void)ask(&run, &first, 0, true);
	assert_int_equal(answer_wait(&first), 0);
	/* The refusal, then the answer: nothing in between. */
	assert_int_equal(atomic_load(&run.script.requests), 2);
	for (unsigned i = 0; i < RANGES; i++)
		(void)ask(&run, &answers[i], i, true);
	for (unsigned i = 0; i < RANGES; i++) {
		assert_int_equal(answer_wait(&answers[i]), 0);
		answer_fini(&answers[i]);
	}
	answer_fini(&first);
	run_end(&run);
}

static void silence_is_counted_while_somebody_waits(void **state)
{
	struct timespec pause = {.tv_nsec = 2000000};
	struct answer answer;
	struct run run;
	uint64_t silent_ms = 0;

	(void)state;
	run_begin(&run);
	assert_int_equal(fetch_silent_ms(run.rig.fetch), 0);
	(void)ask(&run, &answer, 0, true);
	for (unsigned i = 0; i < 30000 && silent_ms < 5; i++) {
		silent_ms = fetch_silent_ms(run.rig.fetch);
		(void)nanosleep(&pause, NULL);
	}
	assert_true(silent_ms >= 5);
	set_open(&run);
	assert_int_equal(answer_wait(&answer), 0);
	/* done() comes after the count. */
	assert_int_equal(fetch_silent_ms(run.rig.fetch), 0);
	answer_fini(&answer);
	run_end(&run);
}

static const struct fetch_source example = {.origin = "https://example.org"};

static void holding_is_bounded(void **state)
{
	struct fetch_server server;

	(void)state;
	server_init(&server, &example, false);
	assert_true(server_may_start(&server, SERVER_DEMAND, 1000));
	server_hold(&server, 1000, UINT32_MAX);
	assert_false(server_may_start(&server, SERVER_DEMAND, 1000));
	assert_false(server_may_start(
	    &server, SERVER_DEMAND, 1000 + SERVER_HOLD_MAX_MS - 1));
	assert_true(server_may_start(
	    &server, SERVER_DEMAND, 1000 + SERVER_HOLD_MAX_MS));
	server_fini(&server);
}

static void read_ahead_leaves_room(void **state)
{
	struct fetch_server server;

	(void)state;
	server_init(&server, &example, false);
	for (unsigned i = 0; i < SERVER_AHEAD_MAX; i++) {
		assert_true(server_may_start(&server, SERVER_AHEAD, 0));
		server_began(&server, SERVER_AHEAD);
	}
	assert_false(server_may_start(&server, SERVER_AHEAD, 0));
	for (unsigned i = SERVER_AHEAD_MAX; i < SERVER_REQUESTS_MAX; i++) {
		assert_true(server_may_start(&server, SERVER_DEMAND, 0));
		server_began(&server, SERVER_DEMAND);
	}
	assert_false(server_may_start(&server, SERVER_DEMAND, 0));
	server_ended(&server, SERVER_DEMAND);
	assert_true(server_may_start(&server, SERVER_DEMAND, 0));
	assert_false(server_may_start(&server, SERVER_AHEAD, 0));
	server_fini(&server);
}

static void long_read_ahead_leaves_more_room(void **state)
{
	struct fetch_server server;

	(void)state;
	server_init(&server, &example, false);
	for (unsigned i = 0; i < SERVER_AHEAD_LONG_MAX; i++) {
		assert_true(server_may_start(&server, SERVER_AHEAD_LONG, 0));
		server_began(&server, SERVER_AHEAD_LONG);
	}
	assert_false(server_may_start(&server, SERVER_AHEAD_LONG, 0));
	/* What is short may use the rest of what is ahead. */
	for (unsigned i = SERVER_AHEAD_LONG_MAX; i < SERVER_AHEAD_MAX; i++) {
		assert_true(server_may_start(&server, SERVER_AHEAD, 0));
		server_began(&server, SERVER_AHEAD);
	}
	assert_false(server_may_start(&server, SERVER_AHEAD, 0));
	/* One that a reader has come to wait for leaves its place. */
	server_hurried(&server, SERVER_AHEAD_LONG);
	assert_true(server_may_start(&server, SERVER_AHEAD_LONG, 0));
	server_ended(&server, SERVER_DEMAND);
	server_fini(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_reader_that_waits_goes_before_read_ahead),
	    cmocka_unit_test(read_ahead_that_is_waited_for_goes_first),
	    cmocka_unit_test(more_changes_are_under_way_than_reads),
	    cmocka_unit_test(a_user_who_waits_keeps_no_other_waiting),
	    cmocka_unit_test(what_two_wait_for_comes_at_whose_turn_is_sooner),
	    cmocka_unit_test(a_users_questions_have_a_limit),
	    cmocka_unit_test(a_server_is_asked_for_so_much_at_once),
	    cmocka_unit_test(a_server_that_asks_for_peace_gets_it),
	    cmocka_unit_test(silence_is_counted_while_somebody_waits),
	    cmocka_unit_test(holding_is_bounded),
	    cmocka_unit_test(read_ahead_leaves_room),
	    cmocka_unit_test(long_read_ahead_leaves_more_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
