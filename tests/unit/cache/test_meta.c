/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes, listings, absences; the door; above a token's reach. */
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

static void answer_file(unsigned i, uint64_t size_bytes)
{
	struct fetch_stat stat = fake_file(size_bytes, 1000, "");

	fake_answer_stat(i, 0, &stat);
}

/* Answer question i with files f0 ... f<count-1> and a directory "sub". */
static void answer_list(unsigned i, unsigned count)
{
	struct fetch_lister *lister = &fake.list[i].lister;
	struct fetch_stat directory = {
	    .kind = FETCH_DIRECTORY, .exact = true, .version.mtime_s = 7};
	struct err err = ERR_INIT;

	for (unsigned k = 0; k < count; k++) {
		struct fetch_stat stat = fake_file(k, 1000, "\"e\"");
		char name[32];

		(void)snprintf(name, sizeof(name), "f%u", k);
		assert_int_equal(lister->entry(lister->arg, name, &stat), 0);
	}
	assert_int_equal(lister->entry(lister->arg, "sub", &directory), 0);
	fake.list[i].done = true;
	lister->done(lister->arg, 0, &err);
}

static void refuse_list(unsigned i, int code)
{
	struct err err = ERR_INIT;

	fake.list[i].done = true;
	fake.list[i].lister.done(fake.list[i].lister.arg, code, &err);
}

static void an_answer_is_believed_for_its_time(void **state)
{
	static struct bed_answer answer;
	uint64_t now = atomic_load(&bed.clock.monotonic_ms);

	(void)state;
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(answer.count, 0);
	assert_string_equal(fake.stat[0].path, "/src/a");
	answer_file(0, 42);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	assert_int_equal(answer.attr.size_bytes, 42);
	assert_int_equal(answer.attr.mtime_s, 1000);
	assert_int_equal(answer.attr.fresh_until_ms, now + BED_ATTR_TTL_MS);
	bed_pass(&bed, BED_ATTR_TTL_MS - 1);
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(answer.count, 1);
	bed_pass(&bed, 1);
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(answer.count, 0);
	assert_int_equal(fake.stat_count, 2);
}

static void a_version_tells_a_replaced_file(void **state)
{
	static struct bed_answer answer;
	struct fetch_stat stats[] = {
	    fake_file(42, 1000, ""),
	    fake_file(42, 1001, ""),
	    fake_file(43, 1000, ""),
	    fake_file(42, 1000, "\"e\""),
	    fake_file(42, 1000, ""),
	};
	uint64_t version[5];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		bed_lookup(&bed, "/a", &answer);
		fake_answer_stat(i, 0, &stats[i]);
		version[i] = answer.attr.version;
		assert_int_not_equal(version[i], 0);
		bed_pass(&bed, BED_ATTR_TTL_MS);
	}
	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(version[i], version[k]);
	assert_int_equal(version[0], version[4]);
}

static void one_question_is_in_flight_for_a_path(void **state)
{
	static struct bed_answer answer[5];

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		bed_lookup(&bed, "/a", &answer[i]);
	assert_int_equal(fake.stat_count, 1);
	answer_file(0, 42);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(answer[i].count, 1);
		assert_int_equal(answer[i].code, 0);
	}
}

static void another_user_asks_with_their_own_token(void **state)
{
	static struct bed_answer answer[2];

	(void)state;
	bed_lookup(&bed, "/a", &answer[0]);
	bed.ident.uid = 7;
	bed_lookup(&bed, "/a", &answer[1]);
	assert_int_equal(fake.stat_count, 2);
	fake_answer_stat(1, -EACCES, NULL);
	assert_int_equal(answer[1].code, -EACCES);
	assert_int_equal(answer[0].count, 0);
	answer_file(0, 42);
	assert_int_equal(answer[0].code, 0);
}

static void an_absence_is_believed_for_less_long(void **state)
{
	static struct bed_answer answer;
	uint64_t now = atomic_load(&bed.clock.monotonic_ms);

	(void)state;
	bed_lookup(&bed, "/no", &answer);
	fake_answer_stat(0, -ENOENT, NULL);
	assert_int_equal(answer.code, -ENOENT);
	assert_int_equal(answer.attr.fresh_until_ms, now + 5000);
	bed_pass(&bed, 4999);
	bed_lookup(&bed, "/no", &answer);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, -ENOENT);
	bed_pass(&bed, 1);
	bed_lookup(&bed, "/no", &answer);
	assert_int_equal(fake.stat_count, 2);
}

static void a_failure_is_not_remembered(void **state)
{
	static struct bed_answer answer;

	(void)state;
	bed_lookup(&bed, "/a", &answer);
	fake_answer_stat(0, -EHOSTUNREACH, NULL);
	assert_int_equal(answer.code, -EHOSTUNREACH);
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(fake.stat_count, 2);
	answer_file(1, 42);
	assert_int_equal(answer.code, 0);
}

static void a_listing_answers_for_names_and_for_absences(void **state)
{
	static struct bed_answer list;
	static struct bed_answer answer;

	(void)state;
	bed_list(&bed, "/d", &list);
	assert_string_equal(fake.list[0].path, "/src/d");
	answer_list(0, 100);
	assert_int_equal(list.code, 0);
	assert_int_equal(cache_listing_count(list.listing), 101);
	bed_lookup(&bed, "/d/f42", &answer);
	assert_int_equal(answer.code, 0);
	assert_int_equal(answer.attr.size_bytes, 42);
	assert_int_equal(answer.attr.kind, CACHE_FILE);
	bed_lookup(&bed, "/d/sub", &answer);
	assert_int_equal(answer.attr.kind, CACHE_DIRECTORY);
	bed_lookup(&bed, "/d/f100", &answer);
	assert_int_equal(answer.code, -ENOENT);
	assert_int_equal(answer.attr.fresh_until_ms,
	    atomic_load(&bed.clock.monotonic_ms) + BED_ATTR_TTL_MS);
	assert_int_equal(fake.stat_count, 0);
	/* And it is not listed twice. */
	cache_listing_put(list.listing);
	bed_list(&bed, "/d", &list);
	assert_int_equal(list.count, 1);
	assert_int_equal(fake.list_count, 1);
	cache_listing_put(list.listing);
	bed_pass(&bed, BED_ATTR_TTL_MS);
	bed_lookup(&bed, "/d/f42", &answer);
	assert_int_equal(fake.stat_count, 1);
}

static void a_listing_at_the_root_answers_too(void **state)
{
	static struct bed_answer list;
	static struct bed_answer answer;

	(void)state;
	bed_list(&bed, "/", &list);
	assert_string_equal(fake.list[0].path, "/src");
	answer_list(0, 3);
	cache_listing_put(list.listing);
	bed_lookup(&bed, "/f2", &answer);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.attr.size_bytes, 2);
	bed_lookup(&bed, "/f3", &answer);
	assert_int_equal(answer.code, -ENOENT);
}

static void a_listing_and_a_look_agree_on_the_version(void **state)
{
	static struct bed_answer list;
	static struct bed_answer listed;
	static struct bed_answer looked;
	struct fetch_stat stat = fake_file(2, 1000, "\"e\"");

	(void)state;
	bed_list(&bed, "/d", &list);
	answer_list(0, 3);
	cache_listing_put(list.listing);
	bed_lookup(&bed, "/d/f2", &listed);
	bed_pass(&bed, BED_ATTR_TTL_MS);
	bed_lookup(&bed, "/d/f2", &looked);
	fake_answer_stat(0, 0, &stat);
	assert_int_equal(listed.attr.version, looked.attr.version);
}

static void a_changed_file_is_asked_for_although_it_was_listed(void **state)
{
	static struct bed_answer list;
	static struct bed_answer answer;

	(void)state;
	bed_list(&bed, "/d", &list);
	answer_list(0, 3);
	cache_listing_put(list.listing);
	meta_forget(bed.cache, "/d/f2");
	bed_lookup(&bed, "/d/f2", &answer);
	assert_int_equal(answer.count, 0);
	bed_lookup(&bed, "/d/f1", &answer);
	assert_int_equal(answer.count, 1);
	/* What is asked after that is believed again. */
	bed_pass(&bed, 10);
	answer_file(0, 99);
	bed_pass(&bed, 10);
	bed_lookup(&bed, "/d/f2", &answer);
	answer_file(1, 99);
	bed_lookup(&bed, "/d/f2", &answer);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.attr.size_bytes, 99);
}

static void names_without_attributes_are_looked_up(void **state)
{
	static struct bed_answer list;
	static struct bed_answer answer;
	struct fetch_lister *lister;
	struct fetch_stat stat = fake_file(0, -1, "");
	struct err err = ERR_INIT;
	struct cache_attr attr;
	const char *name;
	bool known;

	(void)state;
	stat.exact = false;
	bed_list(&bed, "/d", &list);
	lister = &fake.list[0].lister;
	assert_int_equal(lister->entry(lister->arg, "index.bin", &stat), 0);
	fake.list[0].done = true;
	lister->done(lister->arg, 0, &err);
	cache_listing_entry(list.listing, 0, &name, &attr, &known);
	assert_string_equal(name, "index.bin");
	assert_false(known);
	bed_lookup(&bed, "/d/index.bin", &answer);
	assert_int_equal(answer.count, 0);
	answer_file(0, 42);
	bed_lookup(&bed, "/d/index.bin", &answer);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.attr.size_bytes, 42);
	bed_lookup(&bed, "/d/other", &answer);
	assert_int_equal(answer.code, -ENOENT);
	cache_listing_put(list.listing);
}

static void a_listing_that_begins_again_forgets_the_first_try(void **state)
{
	static struct bed_answer list;
	struct fetch_lister *lister;
	struct fetch_stat stat = fake_file(1, 1000, "");

	(void)state;
	bed_list(&bed, "/d", &list);
	lister = &fake.list[0].lister;
	assert_int_equal(lister->entry(lister->arg, "gone", &stat), 0);
	lister->restart(lister->arg);
	answer_list(0, 2);
	assert_int_equal(cache_listing_count(list.listing), 3);
	cache_listing_put(list.listing);
}

static void of_two_entries_of_one_name_the_first_stays(void **state)
{
	static struct bed_answer list;
	struct fetch_lister *lister;
	struct fetch_stat stat = fake_file(77, 1000, "");
	struct cache_attr attr;
	const char *name;
	bool known;

	(void)state;
	bed_list(&bed, "/d", &list);
	lister = &fake.list[0].lister;
	assert_int_equal(lister->entry(lister->arg, "f1", &stat), 0);
	answer_list(0, 3);
	assert_int_equal(cache_listing_count(list.listing), 4);
	cache_listing_entry(list.listing, 1, &name, &attr, &known);
	assert_string_equal(name, "f1");
	assert_int_equal(attr.size_bytes, 77);
	cache_listing_put(list.listing);
}

static const struct cache_limits roomy = {.pool_blocks = 16,
    .meta_bytes = 16 * 1024 * 1024,
    .idle_objects = 1,
    .writer_blocks = 1};

/* List `count` files whose names go down, and a directory in between. */
static void list_downwards(struct bed_answer *list, unsigned count)
{
	struct fetch_stat directory = {
	    .kind = FETCH_DIRECTORY, .exact = true, .version.mtime_s = 7};
	struct err err = ERR_INIT;
	struct fetch_lister *lister;
	char name[32];

	bed_list(&bed, "/d", list);
	lister = &fake.list[0].lister;
	for (unsigned k = count; k-- > 0;) {
		struct fetch_stat stat = fake_file(k, 1000, "\"e\"");

		(void)snprintf(name, sizeof(name), "f%06u", k);
		assert_int_equal(lister->entry(lister->arg, name, &stat), 0);
		if (k != count / 2)
			continue;
		(void)snprintf(name, sizeof(name), "f%06usub", k);
		assert_int_equal(
		    lister->entry(lister->arg, name, &directory), 0);
	}
	fake.list[0].done = true;
	lister->done(lister->arg, 0, &err);
	assert_int_equal(list->code, 0);
	assert_int_equal(cache_listing_count(list->listing), count + 1);
}

static void entries_are_in_the_order_of_their_names(void **state)
{
	static struct bed_answer list;
	static struct bed_answer answer;
	char last[32] = "";
	struct cache_attr attr;
	const char *name;
	bool known;

	(void)state;
	bed_end(&bed);
	bed = (struct bed){0};
	bed_start(&bed, &roomy, false);
	list_downwards(&list, LISTING_SORTED_MAX - 1);
	for (size_t i = 0; i < LISTING_SORTED_MAX; i++) {
		cache_listing_entry(list.listing, i, &name, &attr, &known);
		assert_true(strcmp(last, name) < 0);
		(void)snprintf(last, sizeof(last), "%s", name);
	}
	bed_lookup(&bed, "/d/f000042", &answer);
	assert_int_equal(answer.code, 0);
	assert_int_equal(answer.attr.size_bytes, 42);
	bed_lookup(&bed, "/d/f008191sub", &answer);
	assert_int_equal(answer.attr.kind, CACHE_DIRECTORY);
	bed_lookup(&bed, "/d/f99", &answer);
	assert_int_equal(answer.code, -ENOENT);
	cache_listing_put(list.listing);
}

static void very_many_entries_stay_as_they_came(void **state)
{
	static struct bed_answer list;
	static struct bed_answer answer;
	struct cache_attr attr;
	const char *name;
	bool known;

	(void)state;
	bed_end(&bed);
	bed = (struct bed){0};
	bed_start(&bed, &roomy, false);
	list_downwards(&list, LISTING_SORTED_MAX);
	cache_listing_entry(list.listing, 0, &name, &attr, &known);
	assert_int_equal(attr.size_bytes, LISTING_SORTED_MAX - 1);
	bed_lookup(&bed, "/d/f000042", &answer);
	assert_int_equal(answer.attr.size_bytes, 42);
	cache_listing_put(list.listing);
}

static void a_listing_changes_its_version_with_its_content(void **state)
{
	static struct bed_answer list[3];
	uint64_t version[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		bed_list(&bed, "/d", &list[i]);
		answer_list(i, i == 1 ? 8 : 7);
		version[i] = cache_listing_version(list[i].listing);
		cache_listing_put(list[i].listing);
		bed_pass(&bed, BED_ATTR_TTL_MS);
	}
	assert_int_not_equal(version[0], version[1]);
	assert_int_equal(version[0], version[2]);
}

static void a_hundred_thousand_entries_are_found(void **state)
{
	static struct bed_answer list;
	static struct bed_answer answer;

	(void)state;
	bed_end(&bed);
	bed = (struct bed){0};
	bed_start(&bed,
	    &(struct cache_limits){.pool_blocks = 64,
	        .meta_bytes = META_BYTES,
	        .idle_objects = 4,
	        .writer_blocks = 64},
	    false);
	bed_list(&bed, "/d", &list);
	answer_list(0, 100000);
	assert_int_equal(cache_listing_count(list.listing), 100001);
	assert_true(listing_bytes(list.listing) < 100001 * 80);
	for (unsigned i = 0; i < 100000; i += 7) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/d/f%u", i);
		bed_lookup(&bed, path, &answer);
		assert_int_equal(answer.count, 1);
		assert_int_equal(answer.attr.size_bytes, i);
	}
	cache_listing_put(list.listing);
}

static void what_is_remembered_is_bounded(void **state)
{
	static struct bed_answer answer;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		static struct bed_answer list;
		char path[32];

		(void)snprintf(path, sizeof(path), "/d%u/x", i);
		bed_list(&bed, path, &list);
		answer_list(i, 1000);
		cache_listing_put(list.listing);
		assert_true(
		    bed.cache->meta.bytes <= bed.cache->meta.limit_bytes);
	}
	/* The latest are there, the first has gone. */
	bed_lookup(&bed, "/d39/x/f1", &answer);
	assert_int_equal(answer.count, 1);
	bed_lookup(&bed, "/d0/x/f1", &answer);
	assert_int_equal(answer.count, 0);
}

static void a_listing_held_outlives_its_eviction(void **state)
{
	static struct bed_answer held;
	struct cache_attr attr;
	const char *name;
	bool known;

	(void)state;
	bed_list(&bed, "/d", &held);
	answer_list(0, 1000);
	for (unsigned i = 1; i < 40; i++) {
		static struct bed_answer list;
		char path[32];

		(void)snprintf(path, sizeof(path), "/d%u/x", i);
		bed_list(&bed, path, &list);
		answer_list(i, 1000);
		cache_listing_put(list.listing);
	}
	cache_listing_entry(held.listing, 999, &name, &attr, &known);
	assert_string_equal(name, "f999");
	cache_listing_put(held.listing);
}

static void an_ended_token_closes_the_door_to_names(void **state)
{
	static struct bed_answer answer;

	(void)state;
	bed_lookup(&bed, "/a", &answer);
	answer_file(0, 42);
	bed.door = -EKEYEXPIRED;
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(answer.count, 0);
	assert_int_equal(bed.await_count, 1);
	/* A newer token came: the fresh answer serves. */
	bed.door = 0;
	bed.await[0].done = true;
	bed.await[0].answer(bed.await[0].arg, 0);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	/* None came. */
	bed.door = -EKEYEXPIRED;
	bed_lookup(&bed, "/a", &answer);
	bed.await[1].done = true;
	bed.await[1].answer(bed.await[1].arg, -EKEYEXPIRED);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, -EKEYEXPIRED);
	assert_int_equal(fake.stat_count, 1);
}

static void a_refused_path_is_asked_again_and_never_told_from_memory(
    void **state)
{
	static struct bed_answer answer;

	(void)state;
	bed_lookup(&bed, "/a", &answer);
	answer_file(0, 42);
	bed.door = -EACCES;
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(answer.count, 0);
	fake_answer_stat(1, -EACCES, NULL);
	assert_int_equal(answer.code, -EACCES);
	/* The server thinks otherwise now. */
	bed_lookup(&bed, "/a", &answer);
	answer_file(2, 42);
	assert_int_equal(answer.code, 0);
}

static void above_a_tokens_reach_its_scopes_are_listed(void **state)
{
	static struct bed_answer answer;
	static struct bed_answer list;
	struct cache_attr attr;
	const char *name;
	bool known;

	(void)state;
	bed.reach[0] = "alice";
	bed.reach_count = 1;
	bed_lookup(&bed, "/", &answer);
	fake_answer_stat(0, -EACCES, NULL);
	assert_int_equal(answer.code, 0);
	assert_int_equal(answer.attr.kind, CACHE_DIRECTORY);
	/* The door knows of the refusal now; the directory stays passable. */
	bed.door = -EACCES;
	bed_lookup(&bed, "/", &answer);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	bed_list(&bed, "/", &list);
	refuse_list(0, -EACCES);
	assert_int_equal(list.code, 0);
	assert_int_equal(cache_listing_count(list.listing), 1);
	cache_listing_entry(list.listing, 0, &name, &attr, &known);
	assert_string_equal(name, "alice");
	assert_false(known);
	cache_listing_put(list.listing);
	bed_list(&bed, "/", &list);
	assert_int_equal(list.count, 1);
	cache_listing_put(list.listing);
	/* An explicit path below works, and is not hidden by the made-up
	 * listing. */
	bed.door = 0;
	bed_lookup(&bed, "/bob", &answer);
	assert_int_equal(answer.count, 0);
	answer_file(1, 1);
	assert_int_equal(answer.code, 0);
	/* A token without scopes below sees the refusal. */
	bed.reach_count = 0;
	bed.door = -EACCES;
	bed_lookup(&bed, "/", &answer);
	fake_answer_stat(2, -EACCES, NULL);
	assert_int_equal(answer.code, -EACCES);
}

static void published_files_are_believed_for_long(void **state)
{
	static struct bed_answer answer;

	(void)state;
	bed_end(&bed);
	bed = (struct bed){0};
	bed_start_as(&bed, NULL, false, true);
	bed_lookup(&bed, "/a", &answer);
	answer_file(0, 42);
	bed_pass(&bed, 30 * BED_ATTR_TTL_MS);
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(answer.count, 1);
	bed_lookup(&bed, "/no", &answer);
	fake_answer_stat(1, -ENOENT, NULL);
	bed_pass(&bed, 5000);
	bed_lookup(&bed, "/no", &answer);
	assert_int_equal(answer.count, 0);
}

static void a_directory_is_not_opened_as_a_file(void **state)
{
	static struct bed_answer list;

	(void)state;
	bed_list(&bed, "/d", &list);
	answer_list(0, 1);
	cache_listing_put(list.listing);
	assert_int_equal(bed_open_code(&bed, "/d/sub"), -EISDIR);
	assert_int_equal(bed_open_code(&bed, "/d/no"), -ENOENT);
}

static void too_long_a_path_is_an_error(void **state)
{
	static struct bed_answer answer;
	char path[PATH_BYTES_MAX];

	(void)state;
	(void)memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	bed_lookup(&bed, path, &answer);
	assert_int_equal(answer.code, -ENAMETOOLONG);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(an_answer_is_believed_for_its_time),
	    TEST(a_version_tells_a_replaced_file),
	    TEST(one_question_is_in_flight_for_a_path),
	    TEST(another_user_asks_with_their_own_token),
	    TEST(an_absence_is_believed_for_less_long),
	    TEST(a_failure_is_not_remembered),
	    TEST(a_listing_answers_for_names_and_for_absences),
	    TEST(a_listing_at_the_root_answers_too),
	    TEST(a_listing_and_a_look_agree_on_the_version),
	    TEST(a_changed_file_is_asked_for_although_it_was_listed),
	    TEST(names_without_attributes_are_looked_up),
	    TEST(a_listing_that_begins_again_forgets_the_first_try),
	    TEST(of_two_entries_of_one_name_the_first_stays),
	    TEST(entries_are_in_the_order_of_their_names),
	    TEST(very_many_entries_stay_as_they_came),
	    TEST(a_listing_changes_its_version_with_its_content),
	    TEST(a_hundred_thousand_entries_are_found),
	    TEST(what_is_remembered_is_bounded),
	    TEST(a_listing_held_outlives_its_eviction),
	    TEST(an_ended_token_closes_the_door_to_names),
	    TEST(a_refused_path_is_asked_again_and_never_told_from_memory),
	    TEST(above_a_tokens_reach_its_scopes_are_listed),
	    TEST(published_files_are_believed_for_long),
	    TEST(a_directory_is_not_opened_as_a_file),
	    TEST(too_long_a_path_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
