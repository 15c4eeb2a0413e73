/* SPDX-License-Identifier: Apache-2.0 */
/* What was changed here is known at once, and asked of nobody. */
#include "cache/note.h"
#include "cache/paths/listing.h"
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

/* The bed's clock: what was just written has this time, and the same of a
 * server that has no ETag or makes it of seconds; Apache's has microseconds. */
#define NOW_S   1000000
#define COARSE  "\"f4240-2a\""
#define FINE    "\"2a-e8d4a51000\""
#define DRAFT   77
#define DRAFT_2 78

static struct bed bed;

static int begin(void **state)
{
	(void)state;
	bed = (struct bed){0};
	bed_start(&bed, NULL, false);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (bed.cache != NULL)
		bed_end(&bed);
	return 0;
}

static struct fetch_version version_of(
    uint64_t size_bytes, int64_t mtime_s, const char *etag)
{
	return fake_file(size_bytes, mtime_s, etag).version;
}

static void put(const char *path, uint64_t size_bytes, int64_t mtime_s,
    const char *etag, uint64_t was)
{
	struct fetch_version version = version_of(size_bytes, mtime_s, etag);

	cache_note_file(bed.cache, path, &version, was);
}

/* What is known, without a question. */
static struct cache_attr known(const char *path, int code)
{
	static struct bed_answer answer;

	bed_lookup(&bed, path, &answer);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, code);
	return answer.attr;
}

static void not_known(const char *path, struct bed_answer *answer)
{
	bed_lookup(&bed, path, answer);
	assert_int_equal(answer->count, 0);
}

/* Ask the server, who says this. */
static struct cache_attr ask(const char *path, const struct fetch_stat *stat)
{
	static struct bed_answer answer;
	unsigned number = fake.stat_count;

	not_known(path, &answer);
	fake_answer_stat(number, stat == NULL ? -ENOENT : 0, stat);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, stat == NULL ? -ENOENT : 0);
	return answer.attr;
}

/* The listing on its way has files f0 ... and a directory "sub". */
static void fill_list(unsigned i, unsigned count)
{
	struct fetch_lister *lister = &fake.list[i].lister;
	struct fetch_stat directory = {
	    .kind = FETCH_DIRECTORY, .exact = true, .version.mtime_s = 7};
	struct err err = ERR_INIT;
	char name[32];

	for (unsigned k = 0; k < count; k++) {
		struct fetch_stat stat = fake_file(k, 1000, "\"e\"");

		(void)snprintf(name, sizeof(name), "f%u", k);
		assert_int_equal(lister->entry(lister->arg, name, &stat), 0);
	}
	assert_int_equal(lister->entry(lister->arg, "sub", &directory), 0);
	fake.list[i].done = true;
	lister->done(lister->arg, 0, &err);
}

static void list(const char *path, unsigned count)
{
	static struct bed_answer answer;
	unsigned number = fake.list_count;

	bed_list(&bed, path, &answer);
	assert_int_equal(fake.list_count, number + 1);
	fill_list(number, count);
	assert_int_equal(answer.code, 0);
	cache_listing_put(answer.listing);
}

/* The names of a directory, with a space behind each; nobody is asked. */
static const char *names(const char *path)
{
	static struct bed_answer answer;
	static char text[4096];
	unsigned number = fake.list_count;

	text[0] = '\0';
	bed_list(&bed, path, &answer);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	assert_int_equal(fake.list_count, number);
	for (size_t i = 0; i < cache_listing_count(answer.listing); i++) {
		struct cache_attr attr;
		const char *name;
		bool is_known;

		cache_listing_entry(answer.listing, i, &name, &attr, &is_known);
		(void)strncat(text, name, sizeof(text) - strlen(text) - 2);
		(void)strcat(text, is_known ? " " : "? ");
	}
	cache_listing_put(answer.listing);
	return text;
}

static struct cache_attr listed(const char *path, const char *wanted)
{
	static struct bed_answer answer;
	struct cache_attr attr = {0};

	bed_list(&bed, path, &answer);
	assert_int_equal(answer.count, 1);
	for (size_t i = 0; i < cache_listing_count(answer.listing); i++) {
		struct cache_attr entry;
		const char *name;
		bool is_known;

		cache_listing_entry(
		    answer.listing, i, &name, &entry, &is_known);
		if (strcmp(name, wanted) == 0)
			attr = entry;
	}
	cache_listing_put(answer.listing);
	assert_int_not_equal(attr.version, 0);
	return attr;
}

static void what_was_written_is_known(void **state)
{
	struct cache_attr attr;
	struct fetch_version version;

	(void)state;
	assert_false(cache_path_version(bed.cache, "/f", &version));
	put("/f", 42, NOW_S, COARSE, DRAFT);
	attr = known("/f", 0);
	assert_int_equal(attr.size_bytes, 42);
	assert_int_equal(attr.mtime_s, NOW_S);
	assert_int_equal(attr.was, DRAFT);
	assert_int_not_equal(attr.version, DRAFT);
	assert_true(cache_path_version(bed.cache, "/f", &version));
	assert_int_equal(version.size_bytes, 42);
	assert_string_equal(version.etag, COARSE);
	bed_pass(&bed, BED_ATTR_TTL_MS - 1);
	assert_int_equal(known("/f", 0).was, DRAFT);
}

static void an_etag_with_microseconds_tells_it_for_good(void **state)
{
	struct fetch_stat stat = fake_file(42, NOW_S, FINE);
	struct cache_attr attr;
	struct cache_attr later;

	(void)state;
	put("/d/f0", 42, NOW_S, FINE, DRAFT);
	attr = known("/d/f0", 0);
	for (unsigned i = 0; i < 3; i++) {
		bed_pass(&bed, BED_ATTR_TTL_MS);
		later = ask("/d/f0", &stat);
		assert_int_equal(later.version, attr.version);
		assert_int_equal(later.was, DRAFT);
	}
	/* Another one, and the same again. */
	bed_pass(&bed, BED_ATTR_TTL_MS);
	stat = fake_file(42, NOW_S, "\"2a-e8d4a51001\"");
	later = ask("/d/f0", &stat);
	assert_int_not_equal(later.version, attr.version);
	assert_int_equal(later.was, 0);
}

static void a_set_time_tells_it_too(void **state)
{
	struct fetch_stat stat = fake_file(42, 1000, "\"3e8-2a\"");
	struct cache_attr attr;
	struct cache_attr later;

	(void)state;
	put("/f", 42, 1000, "\"3e8-2a\"", DRAFT);
	attr = known("/f", 0);
	bed_pass(&bed, BED_ATTR_TTL_MS);
	later = ask("/f", &stat);
	assert_int_equal(later.version, attr.version);
	assert_int_equal(later.was, DRAFT);
	/* Written again with the same time: another version all the same. */
	put("/f", 42, 1000, "\"3e8-2a\"", DRAFT_2);
	later = known("/f", 0);
	assert_int_not_equal(later.version, attr.version);
	assert_int_equal(later.was, DRAFT_2);
	bed_pass(&bed, BED_ATTR_TTL_MS);
	assert_int_equal(ask("/f", &stat).version, later.version);
}

/* Another client may have put one of the same size there in that second. */
static void a_time_in_seconds_tells_nothing_of_a_young_one(void **state)
{
	struct fetch_stat stat = fake_file(42, NOW_S, COARSE);
	struct cache_attr attr;
	struct cache_attr later;

	(void)state;
	put("/f", 42, NOW_S, COARSE, DRAFT);
	attr = known("/f", 0);
	bed_pass(&bed, BED_ATTR_TTL_MS);
	later = ask("/f", &stat);
	assert_int_not_equal(later.version, attr.version);
	assert_int_equal(later.was, 0);
	/* But what the server tells is the same. */
	assert_int_equal(later.told, attr.told);
	bed_pass(&bed, BED_ATTR_TTL_MS);
	assert_int_equal(ask("/f", &stat).version, later.version);
}

static void without_a_version_it_is_asked_for(void **state)
{
	static struct bed_answer answer;
	struct fetch_stat stat = fake_file(5, NOW_S, "");

	(void)state;
	list("/d", 2);
	cache_note_file(bed.cache, "/d/new", NULL, DRAFT);
	cache_note_file(bed.cache, "/d/f0", NULL, DRAFT);
	assert_string_equal(names("/d"), "f0? f1 new? sub ");
	assert_int_equal(ask("/d/f0", &stat).size_bytes, 5);
	not_known("/d/new", &answer);
}

static void a_listing_is_amended(void **state)
{
	(void)state;
	list("/d", 3);
	put("/d/f1", 99, NOW_S, COARSE, DRAFT);
	put("/d/e", 7, NOW_S, COARSE, DRAFT_2);
	put("/d/tmp", 7, NOW_S, COARSE, 0);
	cache_note_gone(bed.cache, "/d/f0");
	cache_note_gone(bed.cache, "/d/tmp");
	cache_note_directory(bed.cache, "/d/x");
	assert_string_equal(names("/d"), "e f1 f2 sub x ");
	assert_int_equal(listed("/d", "f1").size_bytes, 99);
	assert_int_equal(listed("/d", "f1").was, DRAFT);
	assert_int_equal(listed("/d", "f1").version, known("/d/f1", 0).version);
	assert_int_equal(listed("/d", "x").kind, CACHE_DIRECTORY);
	(void)known("/d/f0", -ENOENT);
	(void)known("/d/tmp", -ENOENT);
	(void)known("/d/other", -ENOENT);
	assert_int_equal(known("/d/f2", 0).size_bytes, 2);
	/* And once more, over what was amended. */
	put("/d/f0", 1, NOW_S, COARSE, 0);
	cache_note_gone(bed.cache, "/d/e");
	assert_string_equal(names("/d"), "f0 f1 f2 sub x ");
	assert_int_equal(listed("/d", "f1").was, DRAFT);
	/* What stays gone is gone as long as the listing would say so. */
	bed_pass(&bed, BED_ATTR_TTL_MS - 1);
	(void)known("/d/e", -ENOENT);
	assert_int_equal(fake.stat_count, 0);
}

static void a_listing_that_is_held_does_not_change(void **state)
{
	static struct bed_answer held;

	(void)state;
	bed_list(&bed, "/d", &held);
	fill_list(0, 3);
	put("/d/e", 7, NOW_S, COARSE, 0);
	assert_string_equal(names("/d"), "e f0 f1 f2 sub ");
	assert_int_equal(cache_listing_count(held.listing), 4);
	assert_int_not_equal(cache_listing_version(held.listing), 0);
	cache_listing_put(held.listing);
}

static void a_thousand_files_cost_no_question(void **state)
{
	static struct bed_answer answer;
	char path[64];

	(void)state;
	cache_note_directory(bed.cache, "/d");
	assert_string_equal(names("/d"), "");
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(
		    path, sizeof(path), "/d/%s%03u", i % 2 == 0 ? "." : "f", i);
		(void)known(path, -ENOENT);
		put(path, i, NOW_S, COARSE, i + 1);
		assert_int_equal(known(path, 0).was, i + 1);
	}
	bed_list(&bed, "/d", &answer);
	assert_int_equal(cache_listing_count(answer.listing), 1000);
	cache_listing_put(answer.listing);
	assert_int_equal(fake.stat_count + fake.list_count, 0);
}

/* Entries are forgotten before the listing is: it must not bring back what
 * stood there before. */
static void a_change_outlives_its_entry(void **state)
{
	char path[64];

	(void)state;
	list("/d", 3);
	put("/d/f1", 99, NOW_S, COARSE, DRAFT);
	cache_note_gone(bed.cache, "/d/f0");
	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(path, sizeof(path), "/far/f%u", i);
		put(path, 1, NOW_S, COARSE, 0);
		if (i % 64 == 0)
			(void)known("/d/f2", 0);
	}
	(void)known("/d/f0", -ENOENT);
	assert_int_equal(known("/d/f1", 0).was, DRAFT);
	assert_string_equal(names("/d"), "f1 f2 sub ");
}

static void a_newer_listing_counts(void **state)
{
	(void)state;
	list("/d", 3);
	put("/d/f1", 99, NOW_S, COARSE, DRAFT);
	cache_note_gone(bed.cache, "/d/f0");
	bed_pass(&bed, BED_ATTR_TTL_MS);
	list("/d", 3);
	assert_int_equal(known("/d/f1", 0).size_bytes, 1);
	assert_int_equal(known("/d/f0", 0).size_bytes, 0);
	assert_string_equal(names("/d"), "f0 f1 f2 sub ");
}

static void a_look_on_its_way_does_not_undo_it(void **state)
{
	static struct bed_answer answer;
	struct fetch_stat stat = fake_file(1, 1000, "");

	(void)state;
	not_known("/f", &answer);
	bed_pass(&bed, 50);
	put("/f", 42, NOW_S, COARSE, DRAFT);
	fake_answer_stat(0, 0, &stat);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.attr.size_bytes, 42);
	not_known("/g", &answer);
	put("/g", 43, NOW_S, COARSE, DRAFT);
	fake_answer_stat(1, -ENOENT, NULL);
	assert_int_equal(answer.code, 0);
	assert_int_equal(answer.attr.size_bytes, 43);
	assert_int_equal(known("/g", 0).size_bytes, 43);
	/* Of one that is in doubt it is asked again. */
	not_known("/h", &answer);
	cache_note_gone(bed.cache, "/h");
	fake_answer_stat(2, 0, &stat);
	assert_int_equal(answer.code, -ENOENT);
}

static void a_listing_on_its_way_is_amended(void **state)
{
	static struct bed_answer answer;

	(void)state;
	bed_list(&bed, "/d", &answer);
	bed_pass(&bed, 50);
	put("/d/e", 42, NOW_S, COARSE, DRAFT);
	cache_note_gone(bed.cache, "/d/f1");
	fill_list(0, 3);
	assert_int_equal(answer.code, 0);
	assert_int_equal(cache_listing_count(answer.listing), 4);
	cache_listing_put(answer.listing);
	assert_string_equal(names("/d"), "e f0 f2 sub ");
}

static void nothing_is_left_below_a_directory_that_went(void **state)
{
	static struct bed_answer answer;

	(void)state;
	list("/d", 3);
	put("/d/sub/f", 42, NOW_S, COARSE, 0);
	put("/d/sub/sub/f", 42, NOW_S, COARSE, 0);
	put("/d/subway", 42, NOW_S, COARSE, 0);
	cache_note_gone(bed.cache, "/d/sub");
	(void)known("/d/sub", -ENOENT);
	(void)known("/d/subway", 0);
	not_known("/d/sub/f", &answer);
	fake_answer_stat(0, -ENOENT, NULL);
	/* A new one is empty. */
	cache_note_directory(bed.cache, "/d/sub");
	(void)known("/d/sub/sub", -ENOENT);
	assert_string_equal(names("/d/sub"), "");
	assert_string_equal(names("/d"), "f0 f1 f2 sub subway ");
}

static void a_file_moves_with_its_version(void **state)
{
	struct cache_attr attr;

	(void)state;
	list("/d", 3);
	put("/d/tmp", 42, NOW_S, COARSE, DRAFT);
	attr = known("/d/tmp", 0);
	cache_note_moved(bed.cache, "/d/tmp", "/d/f1");
	(void)known("/d/tmp", -ENOENT);
	assert_int_equal(known("/d/f1", 0).version, attr.version);
	assert_int_equal(known("/d/f1", 0).was, DRAFT);
	assert_string_equal(names("/d"), "f0 f1 f2 sub ");
	assert_int_equal(listed("/d", "f1").version, attr.version);
	/* One of which nothing is known is asked for. */
	cache_note_moved(bed.cache, "/x/a", "/y/b");
	(void)known("/x/a", -ENOENT);
	{
		static struct bed_answer answer;

		not_known("/y/b", &answer);
	}
}

static void a_directory_moves_with_its_listing(void **state)
{
	struct cache_attr attr;

	(void)state;
	list("/", 1);
	list("/sub", 2);
	put("/sub/f1", 42, NOW_S, COARSE, DRAFT);
	attr = known("/sub/f1", 0);
	cache_note_moved(bed.cache, "/sub", "/there");
	assert_string_equal(names("/"), "f0 there ");
	assert_string_equal(names("/there"), "f0 f1 sub ");
	assert_int_equal(known("/there/f1", 0).version, attr.version);
	(void)known("/there/none", -ENOENT);
	(void)known("/sub", -ENOENT);
	{
		static struct bed_answer answer;

		not_known("/sub/f0", &answer);
	}
}

static void what_is_in_doubt_is_asked_for(void **state)
{
	static struct bed_answer answer;
	unsigned number;

	(void)state;
	list("/d", 3);
	put("/d/f1", 42, NOW_S, COARSE, DRAFT);
	cache_note_doubt(bed.cache, "/d/f1");
	not_known("/d/f1", &answer);
	number = fake.list_count;
	bed_list(&bed, "/d", &answer);
	assert_int_equal(fake.list_count, number + 1);
	fill_list(number, 1);
	cache_listing_put(answer.listing);
}

/* As who looks does that has to know what stands there: in the same
 * millisecond. */
static void what_was_in_doubt_is_known_when_it_is_answered(void **state)
{
	struct fetch_stat stat = fake_file(43, NOW_S, COARSE);
	struct fetch_version version;
	struct cache_attr attr;

	(void)state;
	list("/d", 3);
	put("/d/f1", 42, NOW_S, COARSE, DRAFT);
	cache_note_doubt(bed.cache, "/d/f1");
	assert_false(cache_path_version(bed.cache, "/d/f1", &version));
	attr = ask("/d/f1", &stat);
	assert_int_equal(attr.size_bytes, 43);
	assert_true(cache_path_version(bed.cache, "/d/f1", &version));
	assert_int_equal(version.size_bytes, 43);
	assert_int_equal(known("/d/f1", 0).version, attr.version);
}

/* What is in doubt is one name: a listing on its way is amended by the
 * changes of all others. */
static void a_doubt_does_not_undo_other_changes(void **state)
{
	static struct bed_answer answer;

	(void)state;
	bed_list(&bed, "/d", &answer);
	cache_note_gone(bed.cache, "/d/f1");
	put("/d/f3", 42, NOW_S, COARSE, DRAFT);
	put("/d/new", 42, NOW_S, COARSE, DRAFT);
	cache_note_gone(bed.cache, "/d/f2");
	cache_note_doubt(bed.cache, "/d/f3");
	cache_note_doubt(bed.cache, "/d/none");
	fill_list(0, 3);
	assert_int_equal(answer.code, 0);
	cache_listing_put(answer.listing);
	assert_string_equal(names("/d"), "f0 new sub ");
	not_known("/d/f3", &answer);
}

/* A server may take longer to tell it than that is believed. */
static void what_came_late_is_known_too(void **state)
{
	static struct bed_answer answer;
	struct fetch_stat stat = fake_file(43, NOW_S, COARSE);
	struct fetch_version version;

	(void)state;
	not_known("/d/f1", &answer);
	bed_pass(&bed, BED_ATTR_TTL_MS + 1);
	fake_answer_stat(0, 0, &stat);
	assert_int_equal(answer.count, 1);
	assert_true(cache_path_version(bed.cache, "/d/f1", &version));
	assert_int_equal(version.size_bytes, 43);
	cache_note_gone(bed.cache, "/d/f1");
	assert_false(cache_path_version(bed.cache, "/d/f1", &version));
}

static void a_listing_is_shown_with_others_over_it(void **state)
{
	static struct bed_answer answer;
	const struct cache_over over[] = {
	    {.name = "zz", .attr = {.size_bytes = 5, .version = 500}},
	    {.name = "f1",
	        .attr =
	            {.size_bytes = 6, .mtime_s = 9, .version = 600, .was = 4}},
	    {.name = "a", .attr = {.kind = CACHE_DIRECTORY, .version = 1}},
	};
	static const char *const expected[] = {
	    "a", "f0", "f1", "f2", "sub", "zz"};
	struct cache_listing *over_it;

	(void)state;
	bed_list(&bed, "/d", &answer);
	fill_list(0, 3);
	over_it = cache_listing_over(bed.cache, answer.listing, over, 3);
	assert_non_null(over_it);
	assert_int_equal(cache_listing_count(answer.listing), 4);
	assert_int_not_equal(cache_listing_version(over_it),
	    cache_listing_version(answer.listing));
	cache_listing_put(answer.listing);
	assert_int_equal(cache_listing_count(over_it), 6);
	for (size_t i = 0; i < 6; i++) {
		struct cache_attr attr;
		const char *name;
		bool is_known;

		cache_listing_entry(over_it, i, &name, &attr, &is_known);
		assert_string_equal(name, expected[i]);
		assert_true(is_known);
		if (i == 2) {
			assert_int_equal(attr.version, 600);
			assert_int_equal(attr.was, 4);
			assert_int_equal(attr.size_bytes, 6);
		}
		if (i == 0)
			assert_int_equal(attr.kind, CACHE_DIRECTORY);
	}
	cache_listing_put(over_it);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(what_was_written_is_known),
	    TEST(an_etag_with_microseconds_tells_it_for_good),
	    TEST(a_set_time_tells_it_too),
	    TEST(a_time_in_seconds_tells_nothing_of_a_young_one),
	    TEST(without_a_version_it_is_asked_for),
	    TEST(a_listing_is_amended),
	    TEST(a_listing_that_is_held_does_not_change),
	    TEST(a_thousand_files_cost_no_question),
	    TEST(a_change_outlives_its_entry),
	    TEST(a_newer_listing_counts),
	    TEST(a_look_on_its_way_does_not_undo_it),
	    TEST(a_listing_on_its_way_is_amended),
	    TEST(nothing_is_left_below_a_directory_that_went),
	    TEST(a_file_moves_with_its_version),
	    TEST(a_directory_moves_with_its_listing),
	    TEST(what_is_in_doubt_is_asked_for),
	    TEST(what_was_in_doubt_is_known_when_it_is_answered),
	    TEST(what_came_late_is_known_too),
	    TEST(a_doubt_does_not_undo_other_changes),
	    TEST(a_listing_is_shown_with_others_over_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
