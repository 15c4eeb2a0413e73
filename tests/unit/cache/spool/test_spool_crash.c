/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_spool_crash.c - a process is killed at each of
 * its system calls, in turn, in front of it and in the middle; and the one
 * that looks after what it left is killed at each of its own.
 */
#include "tests/unit/cache/spool/kill_shim.h"
#include "tests/unit/cache/spool/spool_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { OPERATIONS = 40 };

/* BEARERFS_SEEDS: how many lives are killed at each of their calls. */
static uint64_t seeds(void)
{
	const char *text =
	    getenv("BEARERFS_SEEDS"); // NOLINT(concurrency-mt-unsafe)

	return text == NULL ? 1 : strtoull(text, NULL, 10);
}

/* The same life again and again, one call longer each time. */
static void kill_at_each_call(bool in_the_middle)
{
	for (uint64_t seed = 1; seed <= seeds(); seed++) {
		bool lived = false;
		unsigned nth;

		for (nth = 1; !lived; nth++) {
			struct model *model = model_new(seed);

			assert_true(nth < 2000);
			lived =
			    model_run(model, OPERATIONS, nth, in_the_middle);
			model_free(model);
		}
		/* It did die on its way. */
		assert_true(nth > 50);
	}
}

static void a_kill_in_front_of_each_call_loses_nothing(void **state)
{
	(void)state;
	kill_at_each_call(false);
}

static void a_kill_within_each_write_loses_nothing(void **state)
{
	(void)state;
	kill_at_each_call(true);
}

/* A spool with something of every kind, then the kills. */
static void looking_after_the_dead_may_be_killed_at_each_call(void **state)
{
	unsigned died = 0;

	(void)state;
	for (uint64_t seed = 11; seed < 11 + 3 * seeds(); seed++) {
		bool lived = false;

		for (unsigned nth = 1; !lived; nth++) {
			struct model *model = model_new(seed);

			assert_false(model_run(
			    model, 1000, 100 + (unsigned)seed, false));
			/* No operations: it looks after what is there. */
			lived = model_run(model, 0, nth, nth % 2 == 0);
			died += !lived;
			assert_true(model_run(model, 0, 0, false));
			/* Nothing is half removed any more. */
			assert_int_equal(bed_files(&model->bed, ".gone"), 0);
			assert_int_equal(bed_files(&model->bed, ".d"),
			    bed_files(&model->bed, ".j"));
			model_free(model);
		}
	}
	assert_true(died > 20);
}

static void take_out(struct bed *bed, const char *dir)
{
	struct err err = ERR_INIT;
	struct spool_entry *entry;
	char name[SPOOL_TEXT_BYTES_MAX + 32];

	bed->spool = bed_second(bed);
	if (spool_take(bed->spool, 1, &entry, &err) < 0 ||
	    spool_export(&entry, dir, name, &err) < 0)
		_exit(1);
	_exit(0);
}

/* It is here, or there, or in both. */
static void taking_out_may_be_killed_at_each_call(void **state)
{
	int status = KILL_STATUS << 8;

	(void)state;
	for (unsigned nth = 1; status != 0; nth++) {
		struct err err = ERR_INIT;
		struct bed bed;
		struct spool_entry *entry;
		char dir[200];
		char path[220];
		struct stat about;
		pid_t pid;

		bed_init(&bed);
		(void)snprintf(dir, sizeof(dir), "%s/out", bed.top);
		(void)snprintf(path, sizeof(path), "%s/a/b", dir);
		entry = bed_file(&bed, "/a/b");
		bed_write(entry, 0, "bytes");
		assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
		spool_release(entry);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			kill_at(nth, false);
			take_out(&bed, dir);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(status == 0 || status == KILL_STATUS << 8);
		entry = bed_take(&bed, "/a/b");
		if (entry != NULL)
			bed_expect(entry, "bytes");
		else
			assert_int_equal(stat(path, &about), 0);
		if (status == 0)
			assert_null(entry);
		spool_release(entry);
		bed_fini(&bed);
	}
}

/* Directory, numbers, the first entry: also their making dies. */
static void a_spool_is_made_by_whoever_comes_next(void **state)
{
	bool lived = false;

	(void)state;
	for (unsigned nth = 1; !lived; nth++) {
		struct model *model = model_new(5);

		bed_remove(model->bed.dir);
		lived = model_run(model, 1, nth, false);
		assert_true(model_run(model, 10, 0, false));
		model_free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_kill_in_front_of_each_call_loses_nothing),
	    cmocka_unit_test(a_kill_within_each_write_loses_nothing),
	    cmocka_unit_test(looking_after_the_dead_may_be_killed_at_each_call),
	    cmocka_unit_test(taking_out_may_be_killed_at_each_call),
	    cmocka_unit_test(a_spool_is_made_by_whoever_comes_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
