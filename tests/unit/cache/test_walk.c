/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked for ahead of a program that goes through a tree: the
 * listings and the small files that it will want next, once each, with its
 * token, and no more than pays.
 */
#include "cache/ahead/walk.h"
#include "cache/ahead/walk_ask.h"
#include "cache/ahead/walk_place.h"
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

enum { KIB = 1024, FILE_BYTES = 5000 };

static struct bed bed;

static const struct cache_limits limits = {.pool_blocks = 512,
    .meta_bytes = 8 * 1024 * 1024,
    .idle_objects = 128,
    .writer_blocks = 160};

static int begin(void **state)
{
	(void)state;
	bed = (struct bed){0};
	bed_start(&bed, &limits, false);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (bed.cache != NULL)
		bed_end(&bed);
	return 0;
}

static const char *name(const char *format, unsigned number)
{
	static char text[4][64];
	static unsigned next;

	next = (next + 1) % 4;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text[next], sizeof(text[next]), format, number);
#pragma GCC diagnostic pop
	return text[next];
}

/* Add entries d000... and f000... to listing i. @return what the lister says
 * of the last one. */
static int add(unsigned i, unsigned dirs, unsigned files, uint64_t file_bytes)
{
	struct fetch_lister *lister = &fake.list[i].lister;
	struct fetch_stat dir = {
	    .kind = FETCH_DIRECTORY, .exact = true, .version.mtime_s = 7};
	struct fetch_stat file = fake_file(file_bytes, 1000, "\"e\"");
	int code = 0;

	for (unsigned k = 0; k < dirs && code == 0; k++)
		code = lister->entry(lister->arg, name("d%03u", k), &dir);
	for (unsigned k = 0; k < files && code == 0; k++)
		code = lister->entry(lister->arg, name("f%04u", k), &file);
	return code;
}

static void done(unsigned i, int code)
{
	struct err err = ERR_INIT;

	assert_false(fake.list[i].done);
	fake.list[i].done = true;
	fake.list[i].lister.done(fake.list[i].lister.arg, code, &err);
}

static void give(unsigned i, unsigned dirs, unsigned files)
{
	assert_int_equal(add(i, dirs, files, FILE_BYTES), 0);
	done(i, 0);
}

/* The listing that was asked for of a path; fails when there is none. */
static unsigned list_of(const char *path)
{
	const char *below = strcmp(path, "/") == 0 ? "" : path;

	for (unsigned i = 0; i < fake.list_count; i++)
		if (strcmp(fake.list[i].path + strlen("/src"), below) == 0 &&
		    !fake.list[i].done)
			return i;
	fail_msg("%s is not asked for", path);
	return 0;
}

/* A program lists a directory; the answer has that many entries. */
static void list(const char *path, unsigned dirs, unsigned files)
{
	static struct bed_answer answer;

	bed_list(&bed, path, &answer);
	if (answer.count == 0)
		give(list_of(path), dirs, files);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	cache_listing_put(answer.listing);
}

/* A program reads a file from its begin and closes it. @return whether it was
 * asked for only now. */
static bool read_file(const char *path, uint64_t size_bytes)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, path, size_bytes, 1000, "\"e\"");
	unsigned before = fake.range_count;
	bool demand = false;

	bed_read(&bed, file, 0, size_bytes < 64 * KIB ? size_bytes : 64 * KIB,
	    &answer);
	for (unsigned i = before; i < fake.range_count; i++)
		demand = demand || fake.range[i].demand;
	fake_finish_all("\"e\"");
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	cache_close(file);
	return demand;
}

static const char *in_dir(unsigned dir, unsigned file)
{
	static char text[64];

	(void)snprintf(text, sizeof(text), "/d%03u/f%04u", dir, file);
	return text;
}

static unsigned asked_ahead(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < fake.range_count; i++)
		count += !fake.range[i].demand;
	return count;
}

static unsigned lists_ahead(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < fake.list_count; i++)
		count += !fake.list[i].demand;
	return count;
}

static void listings_that_follow_are_asked_for_ahead(void **state)
{
	(void)state;
	list("/", 40, 3);
	list("/d000", 0, 1);
	assert_int_equal(lists_ahead(), 0);
	list("/d001", 0, 1);
	assert_int_equal(lists_ahead(), WALK_WINDOW_FIRST);
	assert_string_equal(fake.list[3].path, "/src/d002");
	for (unsigned k = 2; k < 40; k++) {
		list(name("/d%03u", k), 0, 1);
		assert_true(lists_ahead() <= k - 1 + WALK_LISTINGS_MAX);
	}
	/* One for each directory, all but three before they were asked for. */
	assert_int_equal(fake.list_count, 41);
	assert_int_equal(lists_ahead(), 38);
}

/* tar c tree/d000 tree/d001 ...: nobody lists /tree. */
static void directories_listed_by_name_are_gone_through_too(void **state)
{
	unsigned lists = 0;

	(void)state;
	list("/tree/d000", 0, 4);
	list("/tree/d000", 0, 4);
	assert_int_equal(lists_ahead(), 0);
	list("/tree/d001", 0, 4);
	assert_int_equal(lists_ahead(), 1);
	assert_string_equal(fake.list[2].path, "/src/tree");
	assert_false(fake.list[2].demand);
	give(2, 40, 0);
	for (unsigned k = 2; k < 40; k++)
		list(name("/tree/d%03u", k), 0, 4);
	for (unsigned i = 0; i < fake.list_count; i++)
		lists += fake.list[i].demand;
	/* The first four, and no more. */
	assert_int_equal(lists, 4);
	assert_int_equal(fake.list_count, 41);
}

static void what_two_users_list_by_name_is_no_walk(void **state)
{
	(void)state;
	list("/tree/d000", 0, 1);
	bed.ident.uid++;
	list("/tree/d001", 0, 1);
	assert_int_equal(lists_ahead(), 0);
	list("/tree/d002", 0, 1);
	assert_int_equal(lists_ahead(), 1);
}

/* Who has come to the end and begins again elsewhere does not go on from
 * where they were. */
static void listed_again_the_walk_is_where_it_is(void **state)
{
	unsigned before;

	(void)state;
	list("/", 40, 0);
	for (unsigned k = 0; k < 12; k++)
		list(name("/d%03u", k), 0, 30);
	list("/d004", 0, 30);
	for (unsigned i = 0; i < 30; i++)
		(void)read_file(in_dir(4, i), FILE_BYTES);
	before = fake.range_count;
	assert_int_equal(before, 30);
	/* And here they do. */
	list("/d005", 0, 30);
	for (unsigned i = 0; i < 30; i++)
		(void)read_file(in_dir(5, i), FILE_BYTES);
	assert_true(fake.range_count > before + 30);
}

static void a_long_listing_above_is_given_up(void **state)
{
	(void)state;
	list("/tree/d000", 0, 1);
	list("/tree/d001", 0, 1);
	assert_int_equal(lists_ahead(), 1);
	assert_int_equal(
	    add(2, 0, WALK_LISTED_FIRST * WALK_LOOK_ENTRIES + 1, FILE_BYTES),
	    -EFBIG);
	done(2, -EFBIG);
	for (unsigned k = 2; k < 1 + WALK_LISTED_FIRST * WALK_LOOKS_GROW; k++)
		list(name("/tree/d%03u", k), 0, 1);
	assert_int_equal(lists_ahead(), 1);
	list("/tree/d030", 0, 1);
	assert_int_equal(lists_ahead(), 2);
}

static void who_comes_to_wait_hurries_it(void **state)
{
	static struct bed_answer answer[2];
	unsigned i;

	(void)state;
	list("/", 40, 0);
	list("/d000", 0, 1);
	list("/d001", 0, 1);
	i = list_of("/d003");
	assert_false(fake.list[i].hurried);
	bed_list(&bed, "/d003", &answer[0]);
	assert_true(fake.list[i].hurried);
	fake.list[i].hurried = false;
	bed_list(&bed, "/d003", &answer[1]);
	assert_false(fake.list[i].hurried);
	give(i, 0, 7);
	for (unsigned k = 0; k < 2; k++) {
		assert_int_equal(answer[k].count, 1);
		assert_int_equal(cache_listing_count(answer[k].listing), 7);
		cache_listing_put(answer[k].listing);
	}
}

static void a_listing_ahead_that_fails_is_asked_for_again(void **state)
{
	static struct bed_answer answer;

	(void)state;
	list("/", 40, 0);
	list("/d000", 0, 1);
	list("/d001", 0, 1);
	done(list_of("/d002"), -EIO);
	bed_list(&bed, "/d002", &answer);
	assert_int_equal(answer.count, 0);
	assert_true(fake.list[list_of("/d002")].demand);
	give(list_of("/d002"), 0, 2);
	assert_int_equal(answer.code, 0);
	cache_listing_put(answer.listing);
}

static unsigned times_listed(const char *path)
{
	unsigned count = 0;

	for (unsigned i = 0; i < fake.list_count; i++)
		count += strcmp(fake.list[i].path + strlen("/src"), path) == 0;
	return count;
}

static void what_is_on_its_way_or_known_is_not_asked_for_again(void **state)
{
	static struct bed_answer answer;

	(void)state;
	list("/", 40, 0);
	bed_pass(&bed, BED_ATTR_TTL_MS / 2);
	list("/d003", 0, 1);
	bed_pass(&bed, BED_ATTR_TTL_MS / 2);
	list("/", 40, 0);
	bed_list(&bed, "/d002", &answer);
	list("/d000", 0, 1);
	list("/d001", 0, 1);
	assert_int_equal(lists_ahead(), WALK_WINDOW_FIRST - 1);
	assert_int_equal(times_listed("/d002"), 1);
	assert_int_equal(times_listed("/d003"), 1);
	assert_int_equal(times_listed("/d004"), 1);
	/* A slow server: it is still on its way in the next round. */
	bed_pass(&bed, BED_ATTR_TTL_MS);
	list("/", 40, 0);
	list("/d000", 0, 1);
	list("/d001", 0, 1);
	assert_int_equal(times_listed("/d000"), 2);
	assert_int_equal(times_listed("/d004"), 1);
}

static void long_listings_are_given_up_unless_somebody_waits(void **state)
{
	static struct bed_answer answer;
	unsigned i;

	(void)state;
	bed_end(&bed);
	bed = (struct bed){0};
	bed_start(&bed,
	    &(struct cache_limits){.pool_blocks = 16,
	        .meta_bytes = 64 * 1024 * 1024,
	        .idle_objects = 1,
	        .writer_blocks = 1},
	    false);
	list("/", 40, 0);
	list("/d000", 0, 1);
	list("/d001", 0, 1);
	i = list_of("/d002");
	assert_int_equal(add(i, 0, WALK_ENTRIES_MAX, 1), 0);
	assert_int_equal(add(i, 1, 0, 1), -EFBIG);
	/* Who comes too late asks anew. */
	bed_list(&bed, "/d002", &answer);
	assert_int_equal(answer.count, 0);
	done(i, -EFBIG);
	assert_int_equal(answer.count, 0);
	i = list_of("/d002");
	assert_true(fake.list[i].demand);
	assert_int_equal(add(i, 1, WALK_ENTRIES_MAX, 1), 0);
	done(i, 0);
	assert_int_equal(answer.code, 0);
	cache_listing_put(answer.listing);
	/* In time. */
	i = list_of("/d003");
	bed_list(&bed, "/d003", &answer);
	assert_int_equal(add(i, 1, WALK_ENTRIES_MAX, 1), 0);
	done(i, 0);
	assert_int_equal(answer.code, 0);
	cache_listing_put(answer.listing);
}

static void of_long_listings_few_are_asked_for_ahead(void **state)
{
	unsigned before;

	(void)state;
	bed_end(&bed);
	bed = (struct bed){0};
	bed_start(&bed,
	    &(struct cache_limits){.pool_blocks = 16,
	        .meta_bytes = 256 * 1024 * 1024,
	        .idle_objects = 1,
	        .writer_blocks = 1},
	    false);
	list("/", 40, 0);
	for (unsigned k = 0; k < 10; k++) {
		list(name("/d%03u", k), 0, WALK_ENTRIES_MAX / 3);
		before = 0;
		for (unsigned i = 0; i < fake.list_count; i++)
			before += !fake.list[i].done;
		if (k > 1)
			assert_in_range(before, 1, 3 + 2);
	}
}

static void small_files_that_follow_are_asked_for_ahead(void **state)
{
	unsigned missed = 0;

	(void)state;
	bed.ident = (struct ident){.uid = 5, .gid = 6, .pid = 7};
	list("/", 0, 100);
	for (unsigned k = 0; k < 100; k++) {
		missed += read_file(name("/f%04u", k), FILE_BYTES);
		if (k == 1)
			assert_int_equal(asked_ahead(), WALK_WINDOW_FIRST);
		assert_true(fake.range_count <= k + 1 + WALK_FILES_MAX);
	}
	assert_int_equal(missed, 2);
	assert_int_equal(fake.range_count, 100);
	for (unsigned i = 0; i < fake.range_count; i++) {
		assert_int_equal(fake.range[i].length_bytes, FILE_BYTES);
		assert_int_equal(fake.range[i].ident.uid, 5);
		assert_int_equal(fake.range[i].ident.pid, 7);
		assert_string_equal(fake.range[i].pin, "\"e\"");
	}
	assert_int_equal(fake.stat_count, 0);
}

/* The range that was asked for of a path. */
static struct fake_range *range_of(const char *path)
{
	for (unsigned i = 0; i < fake.range_count; i++)
		if (strcmp(fake.range[i].path + strlen("/src"), path) == 0)
			return &fake.range[i];
	fail_msg("%s is not asked for", path);
	abort(); /* which the compiler does not know */
}

static void small_files_are_asked_for_some_at_a_time(void **state)
{
	unsigned before;

	(void)state;
	list("/", 0, 400);
	/* Until the window has grown. */
	for (unsigned k = 0; k < 100; k++)
		(void)read_file(name("/f%04u", k), FILE_BYTES);
	before = asked_ahead();
	for (unsigned k = 100; k < 300; k++) {
		unsigned asked;

		assert_false(read_file(name("/f%04u", k), FILE_BYTES));
		asked = asked_ahead() - before;
		assert_true(
		    asked == 0 || asked >= WALK_FILES_MAX / WALK_BATCHES);
		before += asked;
	}
}

static void a_reader_of_one_pulls_it_forward(void **state)
{
	static struct bed_answer answer[2];
	struct cache_file *file[2];

	(void)state;
	list("/", 0, 100);
	(void)read_file("/f0000", FILE_BYTES);
	file[0] = bed_open(&bed, "/f0001", FILE_BYTES, 1000, "\"e\"");
	bed_read(&bed, file[0], 0, FILE_BYTES, &answer[0]);
	file[1] = bed_open(&bed, "/f0004", FILE_BYTES, 1000, "\"e\"");
	assert_false(range_of("/f0004")->demand);
	assert_false(range_of("/f0004")->hurried);
	bed_read(&bed, file[1], 0, FILE_BYTES, &answer[1]);
	assert_true(range_of("/f0004")->hurried);
	assert_false(range_of("/f0003")->hurried);
	fake_finish_all("\"e\"");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(answer[i].count, 1);
		assert_int_equal(answer[i].code, 0);
		cache_close(file[i]);
	}
}

static void a_walk_that_ends_has_asked_for_a_window_in_vain(void **state)
{
	(void)state;
	list("/", 0, 100);
	(void)read_file("/f0050", FILE_BYTES);
	assert_int_equal(fake.range_count, 1);
	(void)read_file("/f0051", FILE_BYTES);
	assert_int_equal(fake.range_count, 2 + WALK_WINDOW_FIRST);
	/* Back and forth among what was read: no news. */
	for (unsigned k = 0; k < 10; k++) {
		(void)read_file("/f0050", FILE_BYTES);
		(void)read_file("/f0051", FILE_BYTES);
	}
	assert_int_equal(fake.range_count, 2 + WALK_WINDOW_FIRST);
}

static void few_files_here_and_there_are_no_walk(void **state)
{
	(void)state;
	list("/", 0, 1000);
	(void)read_file("/f0500", FILE_BYTES);
	(void)read_file("/f0100", FILE_BYTES);
	(void)read_file("/f0900", FILE_BYTES);
	assert_int_equal(fake.range_count, 3);
}

static void the_files_of_the_next_directory_follow(void **state)
{
	unsigned missed = 0;
	unsigned before;

	(void)state;
	list("/", 30, 0);
	for (unsigned d = 0; d < 30; d++) {
		list(name("/d%03u", d), 0, 10);
		/* What was asked for ahead has come by now. */
		for (unsigned i = 0; i < fake.list_count; i++)
			if (!fake.list[i].done)
				give(i, 0, 10);
		before = missed;
		for (unsigned k = 0; k < 10; k++) {
			char path[64];

			(void)snprintf(
			    path, sizeof(path), "/d%03u/f%04u", d, k);
			missed += read_file(path, FILE_BYTES);
		}
		if (d > 3)
			assert_int_equal(missed, before);
		/* Before it is listed. */
		if (d > 3 && d < 29)
			(void)range_of(name("/d%03u/f0000", d + 1));
	}
	assert_int_equal(fake.range_count, 300);
	assert_int_equal(fake.list_count, 31);
}

static void files_of_the_next_directory_wait_for_a_walk_there(void **state)
{
	(void)state;
	list("/", 30, 0);
	list("/d000", 0, 10);
	list("/d001", 0, 10);
	give(list_of("/d002"), 0, 10);
	/* All of one directory, but no walk through the others has read. */
	for (unsigned k = 0; k < 3; k++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/d000/f%04u", k);
		(void)read_file(path, FILE_BYTES);
	}
	for (unsigned i = 0; i < fake.range_count; i++)
		assert_int_equal(
		    strncmp(fake.range[i].path, "/src/d000/", 10), 0);
}

/* Go through the first directories, reading all; the listings that this has
 * asked for ahead have come, too. */
static void walk_through(unsigned dirs)
{
	for (unsigned d = 0; d < dirs; d++) {
		list(name("/d%03u", d), 0, 10);
		for (unsigned k = 0; k < 10; k++) {
			char path[64];

			(void)snprintf(
			    path, sizeof(path), "/d%03u/f%04u", d, k);
			(void)read_file(path, FILE_BYTES);
		}
	}
	for (unsigned i = 0; i < fake.list_count; i++)
		if (!fake.list[i].done)
			give(i, 0, 10);
}

static bool is_asked(const char *path)
{
	for (unsigned i = 0; i < fake.range_count; i++)
		if (strcmp(fake.range[i].path + strlen("/src"), path) == 0)
			return true;
	return false;
}

static void a_walk_goes_on_into_any_directory(void **state)
{
	unsigned before;

	(void)state;
	list("/", 30, 0);
	walk_through(6);
	assert_false(is_asked("/d010/f0000"));
	list("/d010", 0, 10);
	assert_true(is_asked("/d010/f0000"));
	/* Listed again: no news. */
	before = fake.range_count;
	fake_finish_all("\"e\"");
	list("/d010", 0, 10);
	assert_int_equal(fake.range_count, before);
}

static void a_directory_out_of_order_is_followed_by_none(void **state)
{
	(void)state;
	list("/", 30, 0);
	walk_through(6);
	list("/d010", 0, 10);
	for (unsigned k = 0; k < 10; k++)
		(void)read_file(name("/d010/f%04u", k), FILE_BYTES);
	assert_false(is_asked("/d011/f0000"));
}

static void what_was_read_is_not_asked_for(void **state)
{
	(void)state;
	list("/", 0, 6);
	for (unsigned k = 5; k > 1; k--)
		(void)read_file(name("/f%04u", k), FILE_BYTES);
	/* There is room for four, and only these are left. */
	assert_true(is_asked("/f0000"));
	assert_true(is_asked("/f0001"));
}

static void of_a_large_file_the_begin_is_asked_for(void **state)
{
	uint64_t large = 50 * 1024 * (uint64_t)KIB;
	unsigned ahead = 0;

	static struct bed_answer answer;

	(void)state;
	bed_list(&bed, "/", &answer);
	assert_int_equal(add(0, 0, 10, large), 0);
	done(0, 0);
	cache_listing_put(answer.listing);
	(void)read_file("/f0000", large);
	(void)read_file("/f0001", large);
	for (unsigned i = 0; i < fake.range_count; i++) {
		if (strcmp(fake.range[i].path, "/src/f0002") < 0)
			continue;
		assert_int_equal(fake.range[i].offset_bytes, 0);
		assert_int_equal(fake.range[i].length_bytes, WALK_FILE_BYTES);
		ahead++;
	}
	assert_int_equal(ahead, WALK_WINDOW_FIRST);
}

static int only_some(struct bed *of, const struct ident *ident,
    const char *path, enum cache_want want)
{
	(void)of;
	(void)ident;
	if (want == CACHE_BYTES && strcmp(path, "/src/f0003") == 0)
		return BED_NEVER;
	return strcmp(path, "/src/d003") == 0 ? BED_NEVER : 0;
}

static void where_the_door_is_shut_nothing_is_asked_for(void **state)
{
	(void)state;
	bed.judge = only_some;
	list("/", 40, 40);
	list("/d000", 0, 1);
	list("/d001", 0, 1);
	(void)read_file("/f0000", FILE_BYTES);
	(void)read_file("/f0001", FILE_BYTES);
	assert_int_equal(lists_ahead(), WALK_WINDOW_FIRST - 1);
	assert_int_equal(asked_ahead(), WALK_WINDOW_FIRST - 1);
	for (unsigned i = 0; i < fake.list_count; i++)
		assert_string_not_equal(fake.list[i].path, "/src/d003");
	for (unsigned i = 0; i < fake.range_count; i++)
		assert_string_not_equal(fake.range[i].path, "/src/f0003");
}

static void what_is_not_believed_any_more_is_not_fetched(void **state)
{
	(void)state;
	list("/", 0, 100);
	(void)read_file("/f0000", FILE_BYTES);
	bed_pass(&bed, BED_ATTR_TTL_MS);
	(void)read_file("/f0001", FILE_BYTES);
	(void)read_file("/f0002", FILE_BYTES);
	assert_int_equal(asked_ahead(), 0);
}

/* Read the first ten files, waiting for each. */
static void read_ten(void)
{
	static struct bed_answer answer;

	for (unsigned k = 0; k < 10; k++) {
		struct cache_file *file = bed_open(
		    &bed, name("/f%04u", k), FILE_BYTES, 1000, "\"e\"");

		bed_read(&bed, file, 0, FILE_BYTES, &answer);
		while (atomic_load(&answer.count) == 0) {
			fake_finish_all("\"e\"");
			(void)usleep(1000);
		}
		assert_int_equal(answer.code, 0);
		cache_close(file);
	}
}

static void what_is_on_the_disk_is_not_fetched_ahead(void **state)
{
	(void)state;
	bed_end(&bed);
	bed = (struct bed){0};
	bed_start(&bed, &limits, true);
	list("/", 0, 10);
	read_ten();
	/* Once each, though the disk had to be asked before. */
	assert_int_equal(fake.range_count, 10);
	assert_true(asked_ahead() > 0);
	bed_end(&bed);
	bed_start(&bed, &limits, true);
	list("/", 0, 10);
	read_ten();
	assert_int_equal(fake.range_count, 0);
	bed_end(&bed);
	bed_wipe(&bed);
}

/* One thread: no lock is needed. */
static UNCHECKED const struct walk_track *files_of(const char *path)
{
	return &walk_place_find(&bed.cache->walks, path)->track[WALK_FILES];
}

static void another_listing_begins_anew(void **state)
{
	(void)state;
	list("/", 0, 100);
	(void)read_file("/f0000", FILE_BYTES);
	(void)read_file("/f0001", FILE_BYTES);
	assert_int_equal(asked_ahead(), WALK_WINDOW_FIRST);
	bed_pass(&bed, BED_ATTR_TTL_MS);
	list("/", 0, 100);
	(void)read_file("/f0001", FILE_BYTES);
	assert_int_equal(files_of("/")->taken, 1);
	assert_int_equal(files_of("/")->asked, 0);
	bed_pass(&bed, BED_ATTR_TTL_MS);
	list("/", 0, 50);
	(void)read_file("/f0040", FILE_BYTES);
	(void)read_file("/f0041", FILE_BYTES);
	assert_int_equal(asked_ahead(), 2 * WALK_WINDOW_FIRST);
}

/* Look a path up; whether the server was asked for it. */
static bool look_up(const char *path)
{
	static struct bed_answer answer;
	unsigned before = fake.stat_count;
	struct fetch_stat file = fake_file(FILE_BYTES, 1000, "\"e\"");

	bed_lookup(&bed, path, &answer);
	if (fake.stat_count > before)
		fake_answer_stat(before, 0, &file);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	return fake.stat_count > before;
}

static void of_what_nobody_has_listed_each_file_is_looked_at(void **state)
{
	static struct bed_answer answer;

	(void)state;
	list("/", 40, 0);
	list("/d000", 0, 1);
	list("/d001", 0, 1);
	give(list_of("/d002"), 0, 10);
	assert_true(look_up("/d002/f0001"));
	assert_true(look_up("/d002/new"));
	/* From here on somebody has seen it. */
	list("/d002", 0, 10);
	assert_false(look_up("/d002/f0002"));
	bed_lookup(&bed, "/d002/newer", &answer);
	assert_int_equal(answer.code, -ENOENT);
}

static void there_are_places_for_so_many_directories(void **state)
{
	(void)state;
	list("/", 200, 0);
	for (unsigned k = 0; k < 200; k++) {
		list(name("/d%03u", k), 1, 1);
		list(name("/d%03u/d000", k), 0, 0);
		assert_true(bed.cache->walks.count <= WALK_PLACES_MAX);
	}
	assert_int_equal(bed.cache->walks.count, WALK_PLACES_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(listings_that_follow_are_asked_for_ahead),
	    TEST(directories_listed_by_name_are_gone_through_too),
	    TEST(what_two_users_list_by_name_is_no_walk),
	    TEST(listed_again_the_walk_is_where_it_is),
	    TEST(a_long_listing_above_is_given_up),
	    TEST(who_comes_to_wait_hurries_it),
	    TEST(a_listing_ahead_that_fails_is_asked_for_again),
	    TEST(what_is_on_its_way_or_known_is_not_asked_for_again),
	    TEST(long_listings_are_given_up_unless_somebody_waits),
	    TEST(of_long_listings_few_are_asked_for_ahead),
	    TEST(small_files_that_follow_are_asked_for_ahead),
	    TEST(small_files_are_asked_for_some_at_a_time),
	    TEST(a_reader_of_one_pulls_it_forward),
	    TEST(a_walk_that_ends_has_asked_for_a_window_in_vain),
	    TEST(few_files_here_and_there_are_no_walk),
	    TEST(the_files_of_the_next_directory_follow),
	    TEST(files_of_the_next_directory_wait_for_a_walk_there),
	    TEST(a_walk_goes_on_into_any_directory),
	    TEST(a_directory_out_of_order_is_followed_by_none),
	    TEST(what_was_read_is_not_asked_for),
	    TEST(of_a_large_file_the_begin_is_asked_for),
	    TEST(where_the_door_is_shut_nothing_is_asked_for),
	    TEST(what_is_not_believed_any_more_is_not_fetched),
	    TEST(what_is_on_the_disk_is_not_fetched_ahead),
	    TEST(another_listing_begins_anew),
	    TEST(of_what_nobody_has_listed_each_file_is_looked_at),
	    TEST(there_are_places_for_so_many_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
