/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are looked up by name where nobody lists: when their directory's
 * listing is asked for, what it answers, and what it does not.
 */
#include "cache/ahead/walk.h"
#include "cache/ahead/walk_look.h"
#include "cache/note.h"
#include "cache/paths/meta.h"
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

enum { FILE_BYTES = 5000 };

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
	bed_end(&bed);
	return 0;
}

static const char *file(unsigned number)
{
	static char text[4][64];
	static unsigned next;

	next = (next + 1) % 4;
	(void)snprintf(text[next], sizeof(text[next]), "/d/f%04u", number);
	return text[next];
}

/* Look a file up. @return whether a server was asked. */
static bool look(unsigned number)
{
	static struct bed_answer answer;
	struct fetch_stat stat = fake_file(FILE_BYTES, 1000, "\"e\"");
	unsigned before = fake.stat_count;

	bed_lookup(&bed, file(number), &answer);
	if (answer.count == 0)
		fake_answer_stat(before, 0, &stat);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	assert_int_equal(answer.attr.size_bytes, FILE_BYTES);
	return fake.stat_count > before;
}

/* Answer listing i with files of numbers below `count`. @return what the
 * lister says of the last one. */
static int give(unsigned i, unsigned count)
{
	struct fetch_lister *lister = &fake.list[i].lister;
	struct fetch_stat stat = fake_file(FILE_BYTES, 1000, "\"e\"");
	struct err err = ERR_INIT;
	int code = 0;

	for (unsigned k = 0; k < count && code == 0; k++)
		code =
		    lister->entry(lister->arg, file(k) + strlen("/d/"), &stat);
	fake.list[i].done = true;
	lister->done(lister->arg, code, &err);
	return code;
}

static void several_looks_have_the_listing_asked_for(void **state)
{
	(void)state;
	for (unsigned k = 0; k < WALK_LOOKS_FIRST - 1; k++)
		assert_true(look(k));
	assert_int_equal(fake.list_count, 0);
	assert_true(look(WALK_LOOKS_FIRST - 1));
	assert_int_equal(fake.list_count, 1);
	assert_string_equal(fake.list[0].path, "/src/d");
	/* Behind all that somebody waits for, and nobody waits for it. */
	assert_false(fake.list[0].demand);
	assert_true(look(WALK_LOOKS_FIRST));
	assert_int_equal(give(0, 100), 0);
	for (unsigned k = 0; k < 100; k++)
		assert_false(look(k));
	assert_int_equal(fake.list_count, 1);
}

static void a_listing_that_was_lent_says_of_nothing_that_it_is_absent(
    void **state)
{
	static struct bed_answer answer;

	(void)state;
	for (unsigned k = 0; k < WALK_LOOKS_FIRST; k++)
		(void)look(k);
	(void)give(0, 100);
	/* One that came just now, say. */
	assert_true(look(100));
	bed_lookup(&bed, "/d/none", &answer);
	assert_int_equal(answer.count, 0);
	fake_answer_stat(fake.stat_count - 1, -ENOENT, NULL);
	assert_int_equal(answer.code, -ENOENT);
}

static void it_is_lent_for_a_moment(void **state)
{
	(void)state;
	for (unsigned k = 0; k < WALK_LOOKS_FIRST; k++)
		(void)look(k);
	(void)give(0, 100);
	bed_pass(&bed, META_LENT_MS - 1);
	assert_false(look(50));
	bed_pass(&bed, 1);
	assert_true(look(51));
	/* What was taken out of it stays known for its own time. */
	assert_false(look(50));
	bed_pass(&bed, BED_ATTR_TTL_MS - META_LENT_MS);
	assert_true(look(50));
}

static void what_is_known_to_have_changed_is_asked_for(void **state)
{
	(void)state;
	for (unsigned k = 0; k < WALK_LOOKS_FIRST; k++)
		(void)look(k);
	(void)give(0, 100);
	bed_pass(&bed, 1);
	/* As the end of a range does that found another version. */
	meta_forget(bed.cache, file(20));
	assert_true(look(20));
}

static void slow_looks_are_no_walk(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 100; k++) {
		assert_true(look(k));
		bed_pass(&bed, WALK_LOOKS_WITHIN_MS / (WALK_LOOKS_FIRST - 2));
	}
	assert_int_equal(fake.list_count, 0);
}

static void names_that_are_not_there_are_no_walk(void **state)
{
	static struct bed_answer answer;

	(void)state;
	for (unsigned k = 0; k < 100; k++) {
		bed_lookup(&bed, file(k), &answer);
		fake_answer_stat(fake.stat_count - 1, -ENOENT, NULL);
	}
	assert_int_equal(fake.list_count, 0);
}

/* Make a file. @return whether a server was asked if it is there. */
static bool make(const char *path)
{
	static struct bed_answer answer;
	struct fetch_version version =
	    fake_file(FILE_BYTES, 1000, "\"e\"").version;
	unsigned before = fake.stat_count;

	bed_lookup(&bed, path, &answer);
	if (answer.count == 0)
		fake_answer_stat(before, -ENOENT, NULL);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, -ENOENT);
	/* As does who opens it. */
	assert_int_equal(bed_open_code(&bed, path), -ENOENT);
	cache_note_file(bed.cache, path, &version, 7);
	return fake.stat_count > before;
}

static void where_files_are_made_a_listing_says_what_is_not_there(void **state)
{
	static struct bed_answer answer;
	unsigned lists;

	(void)state;
	for (unsigned k = 0; k < WALK_MADE_FIRST; k++)
		assert_true(make(file(1000 + k)));
	assert_int_equal(fake.list_count, 0);
	assert_true(make(file(1500)));
	assert_int_equal(fake.list_count, 1);
	assert_false(fake.list[0].demand);
	assert_int_equal(give(0, 100), 0);
	for (unsigned k = 0; k < 200; k++)
		assert_false(make(file(2000 + k)));
	/* Servers leave these out. */
	assert_true(make("/d/.hidden"));
	/* What is in it is there, and what was made since. */
	assert_false(look(50));
	assert_false(look(2000));
	/* An absence is not believed for longer than others are. */
	bed_pass(&bed, 5000);
	assert_true(make(file(3000)));
	lists = fake.list_count;
	assert_int_equal(lists, 2);
	assert_int_equal(give(1, 100), 0);
	assert_false(make(file(3001)));
	/* Long after the last one it takes several again. */
	bed_pass(&bed, WALK_LOOKS_WITHIN_MS + 1);
	bed_lookup(&bed, file(4000), &answer);
	assert_int_equal(answer.count, 0);
	fake_answer_stat(fake.stat_count - 1, -ENOENT, NULL);
	assert_int_equal(fake.list_count, lists);
}

static void a_long_listing_where_files_are_made_is_given_up(void **state)
{
	unsigned made = WALK_MADE_FIRST + 1;

	(void)state;
	for (unsigned k = 0; k < made; k++)
		assert_true(make(file(1000 + k)));
	assert_int_equal(
	    give(0, WALK_MADE_FIRST * WALK_LOOK_ENTRIES + 1), -EFBIG);
	for (unsigned k = 0; fake.list_count == 1; k++) {
		assert_true(make(file(2000 + k)));
		made++;
	}
	assert_true(made >= 3 * WALK_MADE_FIRST);
}

static void a_long_listing_is_given_up_and_not_asked_for_soon(void **state)
{
	unsigned most = WALK_LOOKS_FIRST * WALK_LOOK_ENTRIES;

	(void)state;
	for (unsigned k = 0; k < WALK_LOOKS_FIRST; k++)
		(void)look(k);
	assert_int_equal(give(0, most + 1), -EFBIG);
	for (unsigned k = 0; k < WALK_LOOKS_FIRST * WALK_LOOKS_GROW - 1; k++)
		assert_true(look(100 + k));
	assert_int_equal(fake.list_count, 1);
	assert_true(look(99));
	assert_int_equal(fake.list_count, 2);
}

static void the_next_one_is_dearer_until_the_first_is_forgotten(void **state)
{
	static struct walk_looks looks;
	uint64_t now_ms = 5000;
	uint32_t wanted = WALK_LOOKS_FIRST;

	(void)state;
	looks = (struct walk_looks){0};
	for (unsigned round = 0; round < 12; round++) {
		for (uint32_t k = 1; k < wanted; k++)
			assert_int_equal(walk_looks_found(&looks, 7, k,
			                     WALK_LOOKS_FIRST, now_ms),
			    0);
		assert_int_equal(walk_looks_found(&looks, 7, wanted,
		                     WALK_LOOKS_FIRST, now_ms),
		    wanted * WALK_LOOK_ENTRIES);
		if (wanted < WALK_LOOKS_MAX)
			wanted *= WALK_LOOKS_GROW;
	}
	now_ms += WALK_LOOKS_FORGOTTEN_MS + 1;
	for (uint32_t k = 1; k < WALK_LOOKS_FIRST; k++)
		assert_int_equal(
		    walk_looks_found(&looks, 7, k, WALK_LOOKS_FIRST, now_ms),
		    0);
	assert_true(
	    walk_looks_found(&looks, 7, 99, WALK_LOOKS_FIRST, now_ms) > 0);
}

static void directories_are_counted_apart(void **state)
{
	static struct walk_looks looks;

	(void)state;
	looks = (struct walk_looks){0};
	/* Those of one place, too: they push each other out. */
	for (unsigned k = 0; k < 10 * WALK_LOOKS_FIRST; k++) {
		uint64_t hash = k % 2 == 0 ? 7 : 7 + WALK_LOOK_PLACES;

		assert_int_equal(
		    walk_looks_found(&looks, hash, k, WALK_LOOKS_FIRST, 1), 0);
	}
}

static void the_same_one_again_is_no_walk(void **state)
{
	static struct walk_looks looks;

	(void)state;
	looks = (struct walk_looks){0};
	for (unsigned k = 0; k < 10; k++)
		assert_int_equal(
		    walk_looks_found(&looks, 7, 1, WALK_LISTED_FIRST, 1), 0);
	assert_int_equal(walk_looks_found(&looks, 7, 2, WALK_LISTED_FIRST, 1),
	    WALK_LISTED_FIRST * WALK_LOOK_ENTRIES);
}

static void where_the_door_is_shut_no_listing_is_asked_for(void **state)
{
	(void)state;
	for (unsigned k = 0; k < WALK_LOOKS_FIRST - 1; k++)
		(void)look(k);
	bed_lookup(&bed, file(50), &(struct bed_answer){0});
	bed.door = BED_NEVER;
	fake_answer_stat(fake.stat_count - 1, 0,
	    &(struct fetch_stat){.kind = FETCH_FILE, .exact = true});
	assert_int_equal(fake.list_count, 0);
	bed.door = 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(several_looks_have_the_listing_asked_for),
	    TEST(a_listing_that_was_lent_says_of_nothing_that_it_is_absent),
	    TEST(it_is_lent_for_a_moment),
	    TEST(what_is_known_to_have_changed_is_asked_for),
	    TEST(slow_looks_are_no_walk),
	    TEST(names_that_are_not_there_are_no_walk),
	    TEST(where_files_are_made_a_listing_says_what_is_not_there),
	    TEST(a_long_listing_where_files_are_made_is_given_up),
	    TEST(a_long_listing_is_given_up_and_not_asked_for_soon),
	    TEST(the_next_one_is_dearer_until_the_first_is_forgotten),
	    TEST(directories_are_counted_apart),
	    TEST(the_same_one_again_is_no_walk),
	    TEST(where_the_door_is_shut_no_listing_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
