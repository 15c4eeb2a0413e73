/* SPDX-License-Identifier: Apache-2.0 */
/* When a server counts as one that cannot be reached, and when no more. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "rig.h"
#include "server.h"

enum { TIMEOUT_MS = 1000, STEP_MS = 20 };

/* HEAD of "/mute" is never answered, of "/quiet" while `mute` is set. */
static bool on_request(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	const atomic_bool *mute = arg;

	if (strcmp(request->target, "/mute") == 0 || atomic_load(mute)) {
		server_be_silent(peer);
		return false;
	}
	server_say(peer,
	    strcmp(request->method, "HEAD") == 0
	        ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
	        : "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n");
	return true;
}

struct run {
	atomic_bool mute;
	struct server *server;
	struct rig rig;
};

static void run_begin(struct run *run)
{
	struct fetch_reach reach;

	atomic_init(&run->mute, false);
	run->server = server_new(false, on_request, &run->mute);
	rig_init(&run->rig,
	    &(struct rig_config){
	        .url = server_url(run->server), .timeout_ms = TIMEOUT_MS});
	assert_false(fetch_unreachable(run->rig.fetch, &reach));
}

static int stat_code(struct run *run, const char *path)
{
	struct answer answer;
	int code;

	answer_init(&answer, 0, 0);
	rig_stat(&run->rig, path, &answer);
	code = answer_wait(&answer);
	answer_fini(&answer);
	return code;
}

static void where_nobody_listens_is_nobody(void **state)
{
	struct fetch_reach first;
	struct fetch_reach later;
	struct run run;

	(void)state;
	run_begin(&run);
	assert_int_equal(stat_code(&run, "/f"), 0);
	assert_false(fetch_unreachable(run.rig.fetch, &first));
	server_free(run.server);
	assert_int_equal(stat_code(&run, "/f"), -EHOSTUNREACH);
	assert_true(fetch_unreachable(run.rig.fetch, &first));
	assert_true(first.since_ms > 0 && first.since_ms <= first.tried_ms);
	assert_int_equal(stat_code(&run, "/f"), -EHOSTUNREACH);
	assert_true(fetch_unreachable(run.rig.fetch, &later));
	assert_int_equal(later.since_ms, first.since_ms);
	assert_true(later.tried_ms > first.tried_ms);
	rig_fini(&run.rig);
}

static void a_server_that_says_nothing_is_not_there_until_it_speaks(
    void **state)
{
	struct fetch_reach reach;
	struct run run;

	(void)state;
	run_begin(&run);
	atomic_store(&run.mute, true);
	assert_int_equal(stat_code(&run, "/quiet"), -ETIMEDOUT);
	assert_true(fetch_unreachable(run.rig.fetch, &reach));
	atomic_store(&run.mute, false);
	assert_int_equal(stat_code(&run, "/quiet"), 0);
	assert_false(fetch_unreachable(run.rig.fetch, &reach));
	rig_fini(&run.rig);
	server_free(run.server);
}

static bool is_done(struct answer *answer)
{
	bool done;

	(void)pthread_mutex_lock(&answer->mutex);
	done = answer->done;
	(void)pthread_mutex_unlock(&answer->mutex);
	return done;
}

static void one_request_in_vain_is_not_the_whole_server(void **state)
{
	const struct timespec pause = {.tv_nsec = STEP_MS * 1000000L};
	struct fetch_reach reach;
	struct answer mute;
	struct run run;

	(void)state;
	run_begin(&run);
	answer_init(&mute, 0, 0);
	rig_stat(&run.rig, "/mute", &mute);
	while (!is_done(&mute)) {
		assert_int_equal(stat_code(&run, "/f"), 0);
		(void)nanosleep(&pause, NULL);
	}
	assert_int_equal(answer_wait(&mute), -ETIMEDOUT);
	assert_false(fetch_unreachable(run.rig.fetch, &reach));
	answer_fini(&mute);
	rig_fini(&run.rig);
	server_free(run.server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(where_nobody_listens_is_nobody),
	    cmocka_unit_test(
	        a_server_that_says_nothing_is_not_there_until_it_speaks),
	    cmocka_unit_test(one_request_in_vain_is_not_the_whole_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
