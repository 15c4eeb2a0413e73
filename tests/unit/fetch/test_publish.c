/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files on their way to a server: by which requests they go, what becomes of
 * them when answers are lost, and that nothing is said to be there that is
 * not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "store.h"

static const char *const servers[] = {"XrootD", "nginx", "Apache"};

enum { SMALL = 5000, LARGE = 3 * 1024 * 1024 + 77 };

struct run {
	struct store store;
	struct sent sent;
};

/* A server that has been met before: nothing has to be found out. */
static void run_begin(struct run *run, const char *software)
{
	store_init(&run->store, software, 0);
	store_put(&run->store, "/d/met", 1);
	sent_init(&run->sent, 1);
	assert_int_equal(store_publish(&run->store, &run->sent, "/d/met",
	                     FETCH_IF_ANY, NULL),
	    0);
	run->store.log[0] = '\0';
	atomic_store(&run->store.expected, 0);
}

static void run_end(struct run *run)
{
	assert_int_equal(store_temporaries(&run->store), 0);
	assert_int_equal(atomic_load(&run->store.chunked), 0);
	store_fini(&run->store);
}

static int publish(struct run *run, uint64_t size,
    enum fetch_condition condition, const struct fetch_version *version)
{
	sent_init(&run->sent, size);
	return store_publish(
	    &run->store, &run->sent, "/d/f", condition, version);
}

static struct fetch_version version_of(struct run *run)
{
	const struct store_file *file = store_find(&run->store, "/d/f");
	struct fetch_version version = {
	    .size_bytes = file->size, .mtime_s = file->mtime_s};

	if (run->store.conditions)
		(void)snprintf(version.etag, sizeof(version.etag), "\"%u\"",
		    file->version);
	return version;
}

static void assert_there(struct run *run, uint64_t size)
{
	const struct store_file *file = store_find(&run->store, "/d/f");

	assert_non_null(file);
	assert_int_equal(file->size, size);
	assert_true(file->sum == sent_sum(size));
}

static void assert_log(struct run *run, const char *log)
{
	assert_string_equal(run->store.log, log);
	run->store.log[0] = '\0';
}

/* Each server by what it is good for, and no request more. */
static void the_steps_are_those_of_the_server(void **state)
{
	static const char *const new[] = {
	    "PUT PROPFIND PROPFIND MOVE", "PUT PROPFIND MOVE", "PUT PROPFIND"};
	static const char *const same[] = {"PUT PROPFIND HEAD PROPFIND MOVE",
	    "PROPFIND PUT PROPFIND", "PUT PROPFIND"};
	static const char *const any[] = {
	    "PUT PROPFIND MOVE", "PUT PROPFIND", "PUT PROPFIND"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(servers); i++) {
		struct fetch_version version;
		struct run run;

		run_begin(&run, servers[i]);
		/* The look before is by a token that was told of before. */
		assert_int_equal(
		    publish(&run, SMALL, FETCH_IF_ABSENT, NULL), 0);
		assert_there(&run, SMALL);
		assert_log(&run, new[i]);
		assert_int_equal(run.sent.published.proof, FETCH_SIZE);
		assert_true(run.sent.published.sent);
		version = version_of(&run);
		assert_true(
		    fetch_version_equal(&version, &run.sent.published.version));
		assert_int_equal(
		    run.sent.published.version.mtime_s, version.mtime_s);
		assert_int_equal(
		    publish(&run, LARGE, FETCH_IF_SAME, &version), 0);
		assert_there(&run, LARGE);
		assert_log(&run, same[i]);
		assert_int_equal(publish(&run, 0, FETCH_IF_ANY, NULL), 0);
		assert_there(&run, 0);
		assert_log(&run, any[i]);
		run_end(&run);
	}
}

/* It costs a round trip, so not where nothing can come of it. */
static void only_what_may_be_led_away_waits_for_a_100(void **state)
{
	struct run run;

	(void)state;
	store_init(&run.store, "nginx", 0);
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ANY, NULL), 0);
	assert_int_equal(atomic_load(&run.store.expected), 1); /* the first */
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ANY, NULL), 0);
	assert_int_equal(atomic_load(&run.store.expected), 1);
	assert_int_equal(publish(&run, LARGE, FETCH_IF_ANY, NULL), 0);
	assert_int_equal(atomic_load(&run.store.expected), 2);
	run_end(&run);
}

static void a_redirect_takes_the_bytes_and_not_the_token(void **state)
{
	struct store pool;
	struct run run;
	char url[256];

	(void)state;
	run_begin(&run, "nginx");
	store_init(&pool, "nginx", 0);
	(void)snprintf(url, sizeof(url), "https://127.0.0.2:1/x");
	(void)snprintf(
	    url, sizeof(url), "%s/d/pool?authz=x", server_url(pool.server));
	run.store.method = "PUT";
	run.store.times = 1;
	run.store.redirect = url;
	/* Another port is another host: nobody vouches for what it says. */
	assert_int_equal(publish(&run, LARGE, FETCH_IF_ANY, NULL), -EIO);
	assert_int_equal(atomic_load(&pool.with_token), 0);
	assert_int_equal(store_find(&pool, "/d/pool")->size, LARGE);
	/* It has led once, so even a small one waits. */
	atomic_store(&run.store.expected, 0);
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ANY, NULL), 0);
	assert_int_equal(atomic_load(&run.store.expected), 1);
	store_fini(&pool);
	run_end(&run);
}

/* In a cluster the old one goes before the new one has its name. */
static void what_was_removed_for_nothing_is_told(void **state)
{
	struct fetch_version version;
	struct store pool;
	struct run run;
	char url[256];

	(void)state;
	run_begin(&run, "XrootD");
	store_init(&pool, "XrootD", 0);
	(void)snprintf(url, sizeof(url), "%s/d/pool", server_url(pool.server));
	run.store.method = "PUT";
	run.store.times = 1;
	run.store.redirect = url;
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ANY, NULL), -EIO);
	run.store.redirect = NULL;
	store_put(&run.store, "/d/f", 3);
	version = version_of(&run);
	run.store.method = "MOVE";
	run.store.times = 1000;
	run.store.status = 403;
	assert_int_equal(
	    publish(&run, SMALL, FETCH_IF_SAME, &version), -EACCES);
	assert_null(store_find(&run.store, "/d/f"));
	assert_int_equal(store_temporaries(&run.store), 0);
	assert_true(run.sent.published.removed);
	run.store.times = 0;
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ABSENT, NULL), 0);
	assert_there(&run, SMALL);
	assert_false(run.sent.published.removed);
	version = version_of(&run);
	assert_int_equal(publish(&run, LARGE, FETCH_IF_SAME, &version), 0);
	assert_false(run.sent.published.removed);
	store_fini(&pool);
	run_end(&run);
}

static void what_is_in_the_way_stays(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(servers); i++) {
		struct fetch_version version;
		struct run run;

		run_begin(&run, servers[i]);
		store_put(&run.store, "/d/f", 3);
		version = version_of(&run);
		assert_int_equal(
		    publish(&run, SMALL, FETCH_IF_ABSENT, NULL), -EEXIST);
		assert_int_equal(store_find(&run.store, "/d/f")->size, 3);
		store_put(&run.store, "/d/f", 4);
		assert_int_equal(
		    publish(&run, SMALL, FETCH_IF_SAME, &version), -ESTALE);
		assert_int_equal(store_find(&run.store, "/d/f")->size, 4);
		store_remove(&run.store, "/d/f");
		assert_int_equal(
		    publish(&run, SMALL, FETCH_IF_SAME, &version), -ESTALE);
		assert_null(store_find(&run.store, "/d/f"));
		store_mkdir(&run.store, "/d/f");
		assert_int_equal(
		    publish(&run, SMALL, FETCH_IF_ANY, NULL), -EISDIR);
		assert_true(store_find(&run.store, "/d/f")->directory);
		run_end(&run);
	}
}

/* Each server, each request that it goes by, each condition: it is done and
 * not answered, or not even done. */
static void each_break(bool lost)
{
	static const char *const methods[] = {"PUT", "MOVE", "PROPFIND"};

	for (unsigned i = 0; i < ARRAY_COUNT(servers) * 3 * 3; i++) {
		enum fetch_condition condition = (enum fetch_condition)(i % 3);
		struct fetch_version version = {.mtime_s = -1};
		struct run run;

		run_begin(&run, servers[i / 9]);
		if (condition == FETCH_IF_SAME) {
			store_put(&run.store, "/d/f", 3);
			version = version_of(&run);
		}
		run.store.method = methods[i / 3 % 3];
		run.store.times = lost ? 1 : 2;
		run.store.lost = lost;
		run.store.dropped = !lost;
		assert_int_equal(publish(&run, SMALL, condition, &version), 0);
		assert_there(&run, SMALL);
		run_end(&run);
	}
}

/* The file is there, and it is said so. */
static void a_lost_answer_is_found_out(void **state)
{
	(void)state;
	each_break(true);
}

static void a_lost_request_is_sent_again(void **state)
{
	(void)state;
	each_break(false);
}

static void others_write(struct store *store)
{
	store_put(store, "/d/f", 99);
}

/* The answer is lost, and what stands there is somebody else's. */
static void anothers_file_is_not_taken_for_ours(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(servers); i++) {
		struct run run;

		run_begin(&run, servers[i]);
		run.store.method = i == 2 ? "PUT" : "MOVE";
		run.store.times = 1;
		run.store.dropped = true;
		run.store.meanwhile = others_write;
		/* XRootD's MOVE replaces it: the look before has passed. */
		assert_int_equal(publish(&run, SMALL, FETCH_IF_ABSENT, NULL),
		    i == 0 ? 0 : -EEXIST);
		if (i != 0)
			assert_int_equal(
			    store_find(&run.store, "/d/f")->size, 99);
		run_end(&run);
	}
}

static void another_size_is_no_success(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(servers); i++) {
		struct run run;

		run_begin(&run, servers[i]);
		run.store.method = "PUT";
		run.store.times = 1;
		run.store.shorter = 1;
		assert_int_equal(
		    publish(&run, LARGE, FETCH_IF_ANY, NULL), -EIO);
		if (i == 0) /* it never had its name */
			assert_null(store_find(&run.store, "/d/f"));
		run_end(&run);
	}
}

/* Whoever says so: a page with 200 may be anybody's. */
static void a_renaming_that_was_not_done_is_no_success(void **state)
{
	static const struct {
		const char *software;
		int status;
		enum fetch_condition condition;
	} table[] = {{"other", 201, FETCH_IF_ANY},
	    {"other", 204, FETCH_IF_ABSENT}, {"other", 200, FETCH_IF_ANY},
	    {"XrootD", 200, FETCH_IF_ANY}, {"nginx", 200, FETCH_IF_ABSENT}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(table); i++) {
		struct run run;

		run_begin(&run, table[i].software);
		if (table[i].condition == FETCH_IF_ANY)
			store_put(&run.store, "/d/f", 3);
		run.store.method = "MOVE";
		run.store.times = 1;
		run.store.status = table[i].status;
		assert_int_equal(
		    publish(&run, SMALL, table[i].condition, NULL), -EIO);
		assert_non_null(strstr(run.sent.err.text, "send it again"));
		/* What follows compares with what is there. */
		assert_false(run.sent.published.sent);
		assert_false(run.sent.published.version_known);
		assert_int_equal(run.sent.published.removed,
		    table[i].condition == FETCH_IF_ABSENT);
		run_end(&run);
	}
}

static void a_name_that_stays_is_told(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, "XrootD");
	run.store.method = "DELETE";
	run.store.times = 1000;
	run.store.status = 423;
	store_mkdir(&run.store, "/d/f");
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ABSENT, NULL), -EISDIR);
	assert_int_equal(store_temporaries(&run.store), 1);
	assert_non_null(store_find(&run.store, run.sent.leftover));
	/* The very one that can be noted before. */
	assert_string_equal(run.sent.leftover, run.sent.temporary);
	run.store.times = 0;
	assert_int_equal(
	    store_change(&run.store, "delete", run.sent.leftover, NULL), 0);
	run_end(&run);
}

static void each_status_has_its_errno(void **state)
{
	static const struct {
		int status;
		int code;
	} table[] = {{404, -ENOENT}, {405, -ENOTSUP}, {409, -ENOENT},
	    {412, -ESTALE}, {413, -EFBIG}, {415, -ENOTSUP}, {501, -ENOTSUP},
	    {507, -EDQUOT}, {303, -EIO}, {202, -EIO}, {207, -EIO}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(table); i++) {
		struct run run;

		run_begin(&run, "nginx");
		run.store.method = "PUT";
		run.store.times = 1000;
		run.store.status = table[i].status;
		assert_int_equal(
		    publish(&run, SMALL, FETCH_IF_ANY, NULL), table[i].code);
		assert_true(strlen(run.sent.err.text) > 20);
		assert_null(store_find(&run.store, "/d/f"));
		run_end(&run);
	}
}

/* Of a large file a lock that a lost connection of ours still holds on the
 * temporary name is waited for; on the file itself it is told. */
static void a_lock_on_the_temporary_name_is_waited_for(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, "XrootD");
	run.store.method = "PUT";
	run.store.times = 2;
	run.store.status = 423;
	assert_int_equal(publish(&run, LARGE, FETCH_IF_ANY, NULL), 0);
	assert_there(&run, LARGE);
	run.store.method = "MOVE";
	run.store.times = 1;
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ANY, NULL), -EBUSY);
	assert_there(&run, LARGE);
	run_end(&run);
}

static void a_server_without_move_is_sent_to_straight(void **state)
{
	struct run run;

	(void)state;
	store_init(&run.store, "other", 0);
	run.store.method = "MOVE";
	run.store.times = 1000;
	run.store.status = 501;
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ANY, NULL), 0);
	assert_there(&run, SMALL);
	run.store.log[0] = '\0';
	assert_int_equal(publish(&run, LARGE, FETCH_IF_ANY, NULL), 0);
	assert_there(&run, LARGE);
	assert_log(&run, "PUT PROPFIND");
	run_end(&run);
}

/* The fetch thread reads what is in memory by itself, and no more. */
static void bytes_on_the_disk_are_waited_for_elsewhere(void **state)
{
	static const uint64_t cold[] = {UINT64_MAX, 0, 1, 300000, LARGE - 1};
	struct run run;

	(void)state;
	run_begin(&run, "nginx");
	for (unsigned i = 0; i < ARRAY_COUNT(cold); i++) {
		sent_init(&run.sent, LARGE);
		run.sent.cold_at = cold[i];
		assert_int_equal(store_publish(&run.store, &run.sent, "/d/f",
		                     FETCH_IF_ANY, NULL),
		    0);
		assert_there(&run, LARGE);
		if (i == 0)
			assert_int_equal(atomic_load(&run.sent.waited), 0);
		else
			assert_true(atomic_load(&run.sent.waited) > 0);
	}
	run_end(&run);
}

/* What the disk was waited for once is no sign of what comes behind it. */
static void bytes_in_memory_behind_those_on_the_disk_are_not_waited_for(
    void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, "nginx");
	sent_init(&run.sent, LARGE);
	run.sent.cold_at = 300000;
	run.sent.warm_at = run.sent.cold_at + 1;
	assert_int_equal(
	    store_publish(&run.store, &run.sent, "/d/f", FETCH_IF_ANY, NULL),
	    0);
	assert_there(&run, LARGE);
	/* One window, by 50000 bytes. */
	assert_in_range(atomic_load(&run.sent.waited), 1, 6);
	run_end(&run);
}

static void bytes_that_cannot_be_read_end_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(servers); i++) {
		struct run run;

		run_begin(&run, servers[i]);
		sent_init(&run.sent, LARGE);
		run.sent.fails_at = LARGE / 2;
		assert_int_equal(store_publish(&run.store, &run.sent, "/d/f",
		                     FETCH_IF_ANY, NULL),
		    -EIO);
		assert_null(store_find(&run.store, "/d/f"));
		sent_init(&run.sent, LARGE);
		run.sent.cold_at = 0;
		run.sent.fails_at = LARGE / 2;
		assert_int_equal(store_publish(&run.store, &run.sent, "/d/f",
		                     FETCH_IF_ANY, NULL),
		    -EIO);
		sent_init(&run.sent, SMALL);
		run.sent.fails_at = 10;
		assert_int_equal(store_publish(&run.store, &run.sent, "/d/f",
		                     FETCH_IF_ANY, NULL),
		    -EIO);
		run_end(&run);
	}
}

/* The bytes are sent so often and no more, whatever the deadline is. */
static void a_connection_that_always_breaks_is_given_up(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, "nginx");
	run.store.method = "PUT";
	run.store.times = 1000;
	run.store.dropped = true;
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ANY, NULL), -ETIMEDOUT);
	/* With 7.88, and with 8.14 (measured). */
	assert_int_equal(1000 - run.store.times,
	    curl_version_info(CURLVERSION_NOW)->version_num < 0x080e00 ? 8 : 9);
	run_end(&run);
}

static void it_can_be_cancelled_and_stopped_at_each_step(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct run run;
		uint64_t number;

		run_begin(&run, servers[i % 3]);
		sent_init(&run.sent, i % 2 == 0 ? LARGE : SMALL);
		number = store_begin(
		    &run.store, &run.sent, "/d/f", FETCH_IF_ABSENT, NULL);
		(void)usleep(i * 97 % 40 * 100);
		if (i % 4 < 2)
			fetch_cancel(run.store.rig.fetch, number);
		else
			fetch_stop(run.store.rig.fetch);
		(void)sent_wait(&run.sent);
		assert_true(run.sent.code == 0 || run.sent.code == -ECANCELED);
		if (run.sent.code == 0)
			assert_there(&run, run.sent.size);
		else if (i % 4 < 2 && run.sent.leftover[0] == '\0')
			assert_int_equal(store_temporaries(&run.store), 0);
		store_fini(&run.store);
	}
}

static struct run *cancelling;

static void cancel(struct store *store)
{
	struct sent *sent = &cancelling->sent;

	while (atomic_load(&sent->number) == 0)
		(void)usleep(100);
	fetch_cancel(store->rig.fetch, atomic_load(&sent->number));
	(void)usleep(20000); /* the loop has heard of it */
}

/* Whatever it is that the server does just then. */
static void what_the_server_may_have_is_not_ended(void **state)
{
	static const char *const methods[] = {"PUT", "MOVE", "PROPFIND"};

	(void)state;
	for (unsigned i = 0; i < 3 * ARRAY_COUNT(methods) * 2; i++) {
		struct run run;

		run_begin(&run, servers[i % 3]);
		cancelling = &run;
		run.store.method = methods[i / 3 % ARRAY_COUNT(methods)];
		run.store.times = 1;
		run.store.meanwhile = cancel;
		assert_int_equal(
		    publish(&run,
		        i / 3 / ARRAY_COUNT(methods) == 0 ? SMALL : LARGE,
		        FETCH_IF_ABSENT, NULL),
		    0);
		assert_there(&run, run.sent.size);
		assert_string_equal(run.sent.leftover, "");
		run_end(&run);
	}
}

/* A server that is slow may begin with it when it has said that it has no such
 * name; XRootD keeps what was cut. */
static void a_temporary_name_that_may_come_is_told(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(servers); i++) {
		struct run run;

		run_begin(&run, servers[i]);
		sent_init(&run.sent, LARGE);
		run.sent.cancels_at = LARGE / 2;
		assert_int_equal(store_publish(&run.store, &run.sent, "/d/f",
		                     FETCH_IF_ABSENT, NULL),
		    -ECANCELED);
		assert_string_equal(
		    run.sent.leftover, i == 0 ? run.sent.temporary : "");
		assert_null(store_find(&run.store, "/d/f"));
		run_end(&run);
	}
}

/* Nor has a server said the last word that said none in time. */
static void what_was_not_answered_in_time_may_come(void **state)
{
	struct run run;

	(void)state;
	store_init(&run.store, "XrootD", 1000);
	run.store.method = "PUT";
	run.store.times = 1;
	run.store.mute = true;
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ANY, NULL), -ETIMEDOUT);
	assert_string_equal(run.sent.leftover, run.sent.temporary);
	run_end(&run);
}

/* Busy is not begun: no need for a look, and it is waited for. */
static void a_busy_server_is_waited_for(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, "Apache");
	run.store.method = "PUT";
	run.store.times = 4;
	run.store.status = 503;
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ABSENT, NULL), 0);
	assert_there(&run, SMALL);
	assert_log(&run,
	    "PUT(faulty) PUT(faulty) PUT(faulty) PUT(faulty) PUT PROPFIND");
	run_end(&run);
}

static void be_slow(struct store *store)
{
	(void)store;
	(void)usleep(400000);
}

/* That the kernel takes it each time is no progress. */
static void what_is_small_has_one_time_for_all_tries(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct run run;
		int code;

		store_init(&run.store, i < 2 ? "nginx" : "Apache", 1000);
		run.store.method = "PUT";
		run.store.times = 1000;
		run.store.dropped = i % 2 == 0;
		run.store.status = i % 2 == 0 ? 0 : 503;
		run.store.meanwhile = be_slow;
		code = publish(&run, SMALL, FETCH_IF_ABSENT, NULL);
		/* The last one may still be on its way. */
		assert_true(code == -ETIMEDOUT || (i % 2 != 0 && code == -EIO));
		assert_in_range(1000 - run.store.times, 1, 3);
		store_fini(&run.store);
	}
}

static void who_knows_no_expect_is_asked_without(void **state)
{
	struct run run;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(servers); i++) {
		run_begin(&run, servers[i]);
		run.store.method = "PUT";
		run.store.times = 1000;
		run.store.status = 417;
		for (unsigned k = 0; k < 2; k++) {
			assert_int_equal(
			    publish(&run, LARGE, FETCH_IF_ABSENT, NULL), 0);
			assert_there(&run, LARGE);
			assert_int_equal(atomic_load(&run.store.expected), 1);
			store_remove(&run.store, "/d/f");
		}
		run_end(&run);
	}
}

static void after_the_end_it_is_answered_at_once(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, "nginx");
	fetch_stop(run.store.rig.fetch);
	assert_int_equal(publish(&run, SMALL, FETCH_IF_ANY, NULL), -ECANCELED);
	assert_int_equal(
	    store_change(&run.store, "delete", "/d/f", NULL), -ECANCELED);
	run_end(&run);
}

static void changes_whose_answer_is_lost_are_done_once(void **state)
{
	static const struct {
		const char *what;
		const char *method;
		const char *path;
		const char *to;
	} table[] = {{"delete", "DELETE", "/d/x", NULL},
	    {"mkcol", "MKCOL", "/d/new", NULL},
	    {"rmdir", "DELETE", "/d/e", NULL}, {"move", "MOVE", "/d/x", "/d/y"},
	    {"move to none", "MOVE", "/d/x", "/d/y"}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(table) * 3 * 2; i++) {
		unsigned row = i % ARRAY_COUNT(table);
		struct run run;

		run_begin(&run, servers[i / ARRAY_COUNT(table) % 3]);
		store_put(&run.store, "/d/x", 7);
		store_mkdir(&run.store, "/d/e");
		run.store.method = table[row].method;
		run.store.times = 1;
		run.store.lost = i < ARRAY_COUNT(table) * 3;
		run.store.dropped = !run.store.lost;
		assert_int_equal(store_change(&run.store, table[row].what,
		                     table[row].path, table[row].to),
		    0);
		run_end(&run);
	}
}

static void nothing_is_taken_besides(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(servers); i++) {
		struct run run;

		run_begin(&run, servers[i]);
		store_put(&run.store, "/d/x", 7);
		store_mkdir(&run.store, "/d/e");
		store_put(&run.store, "/d/e/y", 8);
		assert_int_equal(
		    store_change(&run.store, "rmdir", "/d/e", NULL),
		    -ENOTEMPTY);
		assert_int_equal(
		    store_change(&run.store, "move to none", "/d/x", "/d/e/y"),
		    -EEXIST);
		assert_int_equal(store_find(&run.store, "/d/e/y")->size, 8);
		assert_int_equal(
		    store_change(&run.store, "mkcol", "/d/e", NULL), -EEXIST);
		assert_int_equal(
		    store_change(&run.store, "move", "/d/x", "/d/e/y"), 0);
		assert_int_equal(store_find(&run.store, "/d/e/y")->size, 7);
		assert_int_equal(
		    store_change(&run.store, "delete", "/d/x", NULL), -ENOENT);
		/* What an upload has left goes with its directory. */
		store_remove(&run.store, "/d/e/y");
		store_put(&run.store,
		    "/d/e/.bearerfs-upload-0123456789abcdef0123456789abcdef",
		    8);
		assert_int_equal(
		    store_change(&run.store, "rmdir", "/d/e", NULL), 0);
		run_end(&run);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_steps_are_those_of_the_server),
	    cmocka_unit_test(only_what_may_be_led_away_waits_for_a_100),
	    cmocka_unit_test(a_redirect_takes_the_bytes_and_not_the_token),
	    cmocka_unit_test(what_was_removed_for_nothing_is_told),
	    cmocka_unit_test(what_is_in_the_way_stays),
	    cmocka_unit_test(a_lost_answer_is_found_out),
	    cmocka_unit_test(a_lost_request_is_sent_again),
	    cmocka_unit_test(anothers_file_is_not_taken_for_ours),
	    cmocka_unit_test(another_size_is_no_success),
	    cmocka_unit_test(a_renaming_that_was_not_done_is_no_success),
	    cmocka_unit_test(a_name_that_stays_is_told),
	    cmocka_unit_test(each_status_has_its_errno),
	    cmocka_unit_test(a_lock_on_the_temporary_name_is_waited_for),
	    cmocka_unit_test(a_server_without_move_is_sent_to_straight),
	    cmocka_unit_test(bytes_on_the_disk_are_waited_for_elsewhere),
	    cmocka_unit_test(
	        bytes_in_memory_behind_those_on_the_disk_are_not_waited_for),
	    cmocka_unit_test(bytes_that_cannot_be_read_end_it),
	    cmocka_unit_test(a_connection_that_always_breaks_is_given_up),
	    cmocka_unit_test(it_can_be_cancelled_and_stopped_at_each_step),
	    cmocka_unit_test(what_the_server_may_have_is_not_ended),
	    cmocka_unit_test(a_temporary_name_that_may_come_is_told),
	    cmocka_unit_test(what_was_not_answered_in_time_may_come),
	    cmocka_unit_test(a_busy_server_is_waited_for),
	    cmocka_unit_test(what_is_small_has_one_time_for_all_tries),
	    cmocka_unit_test(who_knows_no_expect_is_asked_without),
	    cmocka_unit_test(after_the_end_it_is_answered_at_once),
	    cmocka_unit_test(changes_whose_answer_is_lost_are_done_once),
	    cmocka_unit_test(nothing_is_taken_besides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
