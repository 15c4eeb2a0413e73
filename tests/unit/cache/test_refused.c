/* SPDX-License-Identifier: Apache-2.0 */
/* A code that is of a caller's token and goes to the program is told once,
 * with whose it was and for what; no other code is. */
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE = 100000 };

static struct bed bed;
static struct bed_answer answer;
static int look_says;
static int bytes_say;

static int judge(struct bed *of, const struct ident *ident, const char *path,
    enum cache_want want)
{
	(void)of;
	(void)ident;
	(void)path;
	return want == CACHE_BYTES ? bytes_say : look_says;
}

static void start(bool shared)
{
	bed = (struct bed){.shared = shared, .judge = judge};
	bed.ident = (struct ident){.uid = 7, .gid = 7, .pid = 1, .tgid = 1};
	look_says = 0;
	bytes_say = 0;
	bed_start(&bed, NULL, false);
}

static int end(void **state)
{
	(void)state;
	if (bed.cache != NULL)
		bed_end(&bed);
	return 0;
}

static void told(
    unsigned count, const char *path, enum cache_want want, int code)
{
	assert_int_equal(bed.refused_count, count);
	assert_int_equal(bed.refused.uid, 7);
	assert_string_equal(bed.refused.path, path);
	assert_int_equal(bed.refused.want, want);
	assert_int_equal(bed.refused.code, code);
}

static void lookup(const char *path)
{
	answer.count = 0;
	bed_lookup(&bed, path, &answer);
}

static void list(const char *path)
{
	answer.count = 0;
	bed_list(&bed, path, &answer);
}

static void what_a_server_says_of_the_token(void **state)
{
	static const int codes[] = {
	    -EACCES, -EKEYREJECTED, -ENOKEY, -EKEYEXPIRED};

	(void)state;
	start(false);
	for (unsigned i = 0; i < ARRAY_COUNT(codes); i++) {
		lookup("/a/b");
		fake_answer_stat(i, codes[i], NULL);
		assert_int_equal(answer.code, codes[i]);
		told(i + 1, "/src/a/b", CACHE_LOOK, codes[i]);
	}
	list("/d");
	fake.list[0].lister.done(fake.list[0].lister.arg, -EACCES, NULL);
	fake.list[0].done = true;
	told(5, "/src/d", CACHE_LIST, -EACCES);
}

static void nothing_else(void **state)
{
	static const int codes[] = {-ENOENT, -EIO, -ETIMEDOUT, -EHOSTUNREACH};
	struct fetch_stat stat = fake_file(SIZE, 1000, "\"x\"");

	(void)state;
	start(false);
	for (unsigned i = 0; i < ARRAY_COUNT(codes); i++) {
		char path[8];

		(void)snprintf(path, sizeof(path), "/%u", i);
		lookup(path);
		fake_answer_stat(i, codes[i], NULL);
	}
	lookup("/ok");
	fake_answer_stat(ARRAY_COUNT(codes), 0, &stat);
	assert_int_equal(answer.code, 0);
	/* A directory above the token's reach is shown. */
	bed.reach[0] = "alice";
	bed.reach_count = 1;
	lookup("/above");
	fake_answer_stat(ARRAY_COUNT(codes) + 1, -EACCES, NULL);
	assert_int_equal(answer.code, 0);
	assert_int_equal(bed.refused_count, 0);
}

static void what_the_door_says(void **state)
{
	(void)state;
	start(true);
	look_says = -EKEYEXPIRED;
	lookup("/a");
	/* Not before it is final. */
	assert_int_equal(bed.await_count, 1);
	assert_int_equal(bed.refused_count, 0);
	bed.await[0].done = true;
	bed.await[0].answer(bed.await[0].arg, -EKEYEXPIRED);
	told(1, "/src/a", CACHE_LOOK, -EKEYEXPIRED);
	/* At the deadline too. */
	look_says = -ENOKEY;
	lookup("/a");
	bed_pass(&bed, BED_TIMEOUT_MS);
	assert_int_equal(answer.code, -ENOKEY);
	told(2, "/src/a", CACHE_LOOK, -ENOKEY);
}

static void opened(
    void *arg, int code, struct cache_file *file, const struct cache_attr *attr)
{
	(void)attr;
	assert_null(file);
	*(int *)arg = code;
}

static void that_bytes_are_refused_to_who_may_look(void **state)
{
	struct fetch_stat stat = fake_file(SIZE, 1000, "\"x\"");
	int code = 1;

	(void)state;
	start(true);
	bytes_say = -EAGAIN;
	lookup("/a");
	fake_answer_stat(0, 0, &stat);
	assert_int_equal(bed.refused_count, 0);
	/* The server is asked for a byte, and says no. */
	cache_open(bed.cache, &bed.ident, "/a", opened, &code);
	assert_int_equal(code, 1);
	fake_done(0, -EKEYREJECTED);
	assert_int_equal(code, -EKEYREJECTED);
	told(1, "/src/a", CACHE_BYTES, -EKEYREJECTED);
	/* It is not asked. */
	bytes_say = -EKEYEXPIRED;
	cache_open(bed.cache, &bed.ident, "/a", opened, &code);
	assert_int_equal(code, -EKEYEXPIRED);
	told(2, "/src/a", CACHE_BYTES, -EKEYEXPIRED);
}

static void that_a_read_is_refused(void **state)
{
	struct cache_file *file;

	(void)state;
	start(false);
	file = bed_open(&bed, "/a", SIZE, 1000, "\"x\"");
	/* By the server. */
	answer.count = 0;
	bed_read(&bed, file, 0, 100, &answer);
	bed_wait_ranges(1);
	fake_done(0, -EACCES);
	assert_int_equal(answer.code, -EACCES);
	told(1, "/src/a", CACHE_BYTES, -EACCES);
	/* By the door. */
	bytes_say = -EKEYREJECTED;
	answer.count = 0;
	bed_read(&bed, file, 0, 100, &answer);
	assert_int_equal(answer.code, -EKEYREJECTED);
	told(2, "/src/a", CACHE_BYTES, -EKEYREJECTED);
	/* After a wait for a newer token. */
	bytes_say = -EKEYEXPIRED;
	answer.count = 0;
	bed_read(&bed, file, 0, 100, &answer);
	assert_int_equal(bed.refused_count, 2);
	bed_pass(&bed, BED_TIMEOUT_MS);
	assert_int_equal(answer.code, -EKEYEXPIRED);
	told(3, "/src/a", CACHE_BYTES, -EKEYEXPIRED);
	/* A reader who is given bytes is told of nothing. */
	bytes_say = 0;
	answer.count = 0;
	bed_read(&bed, file, SIZE, 100, &answer);
	assert_int_equal(answer.code, 0);
	assert_int_equal(bed.refused_count, 3);
	cache_close(file);
}

#define CASE(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(what_a_server_says_of_the_token),
	    CASE(nothing_else),
	    CASE(what_the_door_says),
	    CASE(that_bytes_are_refused_to_who_may_look),
	    CASE(that_a_read_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
