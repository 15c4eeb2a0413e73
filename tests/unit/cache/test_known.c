/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a path is told without asking, and on a mount of many
 * users to those alone to whom the door is open. */
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { BLOCK = CACHE_BLOCK_BYTES, SIZE = 2 * BLOCK, PATIENCE_MS = 60000 };

static struct bed bed;
static struct bed_answer answer;
static struct cache_known known;
static _Atomic unsigned told;
static int told_code;

static void start(bool shared, bool disk)
{
	bed = (struct bed){.shared = shared};
	bed_start(&bed, NULL, disk);
}

static int end(void **state)
{
	(void)state;
	if (bed.cache != NULL)
		bed_end(&bed);
	bed_wipe(&bed);
	return 0;
}

static void tell(void *arg, int code, const struct cache_known *what)
{
	(void)arg;
	told_code = code;
	if (code == 0)
		known = *what;
	else
		assert_null(what);
	(void)atomic_fetch_add(&told, 1);
}

static int ask(const char *path)
{
	unsigned ranges = fake_ranges();
	unsigned stats = fake.stat_count;

	atomic_store(&told, 0);
	known = (struct cache_known){.absent = false};
	cache_known(bed.cache, &bed.ident, path, tell, NULL);
	for (unsigned i = 0; i < PATIENCE_MS && atomic_load(&told) == 0; i++)
		(void)usleep(1000);
	assert_int_equal(atomic_load(&told), 1);
	assert_int_equal(fake_ranges(), ranges);
	assert_int_equal(fake.stat_count, stats);
	return told_code;
}

static void lookup(const char *path, int code, uint64_t size_bytes)
{
	struct fetch_stat stat = fake_file(size_bytes, 1000, "\"x\"");

	bed_lookup(&bed, path, &answer);
	fake_answer_stat(fake.stat_count - 1, code, &stat);
	assert_int_equal(answer.code, code);
}

static void nothing_is_known_of_what_nobody_asked_for(void **state)
{
	(void)state;
	start(false, false);
	assert_int_equal(ask("/a"), -ENODATA);
}

static void an_answer_is_known_and_grows_old(void **state)
{
	(void)state;
	start(false, false);
	lookup("/a", 0, SIZE);
	assert_int_equal(ask("/a"), 0);
	assert_false(known.absent);
	assert_int_equal(known.kind, CACHE_FILE);
	assert_int_equal(known.size_bytes, SIZE);
	assert_true(known.fresh);
	assert_string_equal(known.facts.freshness, "fresh");
	assert_string_equal(known.facts.etag, "\"x\"");
	bed_pass(&bed, BED_ATTR_TTL_MS);
	assert_int_equal(ask("/a"), 0);
	assert_false(known.fresh);
	assert_string_equal(known.facts.freshness, "stale 60 s");
}

static void an_absence_is_known_while_it_is_believed(void **state)
{
	(void)state;
	start(false, false);
	lookup("/a", -ENOENT, 0);
	assert_int_equal(ask("/a"), 0);
	assert_true(known.absent);
	bed_pass(&bed, 5000);
	assert_int_equal(ask("/a"), -ENODATA);
}

static void what_is_on_disk_is_counted(void **state)
{
	struct cache_file *file;

	(void)state;
	start(false, true);
	file = bed_open(&bed, "/a", SIZE, 1000, "\"x\"");
	assert_int_equal(ask("/a"), 0);
	assert_int_equal(known.facts.cached_percent, 0);
	bed_read(&bed, file, 0, 100, &answer);
	bed_wait_ranges(1);
	fake_finish_all("\"x\"");
	bed_wait(&answer);
	/* The writer keeps it in its own time. */
	for (unsigned i = 0; i < PATIENCE_MS; i++) {
		assert_int_equal(ask("/a"), 0);
		if (known.facts.cached_percent > 0)
			break;
		(void)usleep(1000);
	}
	assert_in_range(known.facts.cached_percent, 50, 100);
	cache_close(file);
}

static void it_is_told_to_whom_the_door_is_open(void **state)
{
	(void)state;
	start(true, false);
	lookup("/a", 0, SIZE);
	assert_int_equal(ask("/a"), 0);
	bed.door = -EAGAIN;
	assert_int_equal(ask("/a"), -EAGAIN);
	bed.door = -EKEYEXPIRED;
	assert_int_equal(ask("/a"), -EKEYEXPIRED);
	assert_int_equal(ask("/none"), -EKEYEXPIRED);
	bed_end(&bed);
	/* Its owner knows in any case. */
	start(false, false);
	lookup("/a", 0, SIZE);
	bed.door = -EKEYEXPIRED;
	assert_int_equal(ask("/a"), 0);
	assert_int_equal(known.size_bytes, SIZE);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	static char path[PATH_BYTES_MAX];

	(void)state;
	start(false, false);
	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	assert_int_equal(ask(path), -ENAMETOOLONG);
}

#define CASE(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(nothing_is_known_of_what_nobody_asked_for),
	    CASE(an_answer_is_known_and_grows_old),
	    CASE(an_absence_is_known_while_it_is_believed),
	    CASE(what_is_on_disk_is_counted),
	    CASE(it_is_told_to_whom_the_door_is_open),
	    CASE(a_path_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
