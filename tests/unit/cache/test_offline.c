/* SPDX-License-Identifier: Apache-2.0 */
/* What is served while no server can be reached, to whom, and until when. */
#include "cache/paths/listing.h"
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct bed bed;

static void start(bool offline)
{
	bed = (struct bed){.offline = offline};
	bed_start(&bed, NULL, false);
}

static int begin(void **state)
{
	(void)state;
	start(true);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (bed.cache != NULL)
		bed_end(&bed);
	return 0;
}

static uint64_t now_ms(void)
{
	return atomic_load(&bed.clock.monotonic_ms);
}

/* An attempt fails now; the first did `since_ms` ago. */
static void lose(uint64_t since_ms)
{
	fake.lost = true;
	fake.reach.since_ms = now_ms() - since_ms;
	fake.reach.tried_ms = now_ms();
}

/* Learn of a file, of a listing with one file and no other, of an absence;
 * and let all that grow old. */
static void learn(void)
{
	static struct bed_answer answer;
	struct fetch_stat stat = fake_file(42, 1000, "\"e\"");
	struct fetch_lister *lister;
	struct err err = ERR_INIT;

	bed_lookup(&bed, "/a", &answer);
	fake_answer_stat(0, 0, &stat);
	bed_lookup(&bed, "/no", &answer);
	fake_answer_stat(1, -ENOENT, NULL);
	bed_list(&bed, "/d", &answer);
	lister = &fake.list[0].lister;
	assert_int_equal(lister->entry(lister->arg, "f", &stat), 0);
	fake.list[0].done = true;
	lister->done(lister->arg, 0, &err);
	cache_listing_put(answer.listing);
	bed_pass(&bed, 10 * BED_ATTR_TTL_MS);
}

static int lookup(const char *path)
{
	static struct bed_answer answer;

	bed_lookup(&bed, path, &answer);
	return answer.count == 1 ? answer.code : 1;
}

static void all_that_is_known_is_served(void **state)
{
	static struct bed_answer answer;

	(void)state;
	learn();
	lose(OFFLINE_AFTER_MS);
	assert_int_equal(lookup("/a"), 0);
	assert_int_equal(lookup("/no"), -ENOENT);
	assert_int_equal(lookup("/d/f"), 0);
	assert_int_equal(lookup("/d/g"), -ENOENT);
	bed_list(&bed, "/d", &answer);
	assert_int_equal(answer.count, 1);
	assert_int_equal(cache_listing_count(answer.listing), 1);
	cache_listing_put(answer.listing);
	assert_int_equal(fake.stat_count, 2);
	assert_int_equal(fake.list_count, 1);
	/* What is not known is asked for and waited for. */
	assert_int_equal(lookup("/b"), 1);
	assert_int_equal(fake.stat_count, 3);
	assert_string_equal(fake.stat[2].path, "/src/b");
}

static void what_is_not_allowed_is_not_served(void **state)
{
	(void)state;
	bed_end(&bed);
	start(false);
	learn();
	lose(OFFLINE_AFTER_MS);
	assert_int_equal(lookup("/a"), 1);
	bed_pass(&bed, 100);
	fake_answer_stat(2, -EHOSTUNREACH, NULL);
	assert_int_equal(fake.bare_count, 0);
}

static void a_file_is_opened_and_read_from_what_is_here(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, "/a", 2 * CACHE_BLOCK_BYTES, 1000, "\"e\"");

	(void)state;
	bed_read(&bed, file, 0, CACHE_BLOCK_BYTES, &answer);
	fake_finish_all("\"e\"");
	assert_int_equal(answer.code, 0);
	cache_close(file);
	bed_pass(&bed, 10 * BED_ATTR_TTL_MS);
	lose(OFFLINE_AFTER_MS);
	file = bed_open(&bed, "/a", 2 * CACHE_BLOCK_BYTES, 1000, "\"e\"");
	assert_int_equal(fake.stat_count, 1);
	bed_read(&bed, file, 100, 1000, &answer);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	/* The rest is not: it is waited for. */
	bed_read(&bed, file, CACHE_BLOCK_BYTES, 1000, &answer);
	assert_int_equal(answer.count, 0);
	fake_done(fake_ranges() - 1, -EHOSTUNREACH);
	assert_int_equal(answer.code, -EHOSTUNREACH);
	cache_close(file);
}

static void a_blink_is_waited_for_and_not_longer(void **state)
{
	static struct bed_answer answer;
	static struct bed_answer unknown;

	(void)state;
	learn();
	lose(0);
	bed_lookup(&bed, "/a", &answer);
	bed_lookup(&bed, "/b", &unknown);
	bed_pass(&bed, OFFLINE_AFTER_MS - 1);
	assert_int_equal(answer.count, 0);
	bed_pass(&bed, 1);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	assert_int_equal(answer.attr.size_bytes, 42);
	/* Of which nothing is known waits on, for the same question. */
	bed_pass(&bed, 1000);
	assert_int_equal(unknown.count, 0);
	assert_int_equal(fake.stat_count, 4);
	fake_answer_stat(3, -EHOSTUNREACH, NULL);
	assert_int_equal(unknown.code, -EHOSTUNREACH);
}

static void a_failed_question_is_answered_from_what_is_known(void **state)
{
	static struct bed_answer answer;

	(void)state;
	learn();
	bed_lookup(&bed, "/a", &answer);
	lose(OFFLINE_AFTER_MS);
	fake_answer_stat(2, -ETIMEDOUT, NULL);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
}

static void the_server_is_asked_by_one_question_at_a_time(void **state)
{
	(void)state;
	learn();
	lose(OFFLINE_AFTER_MS);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(lookup("/a"), 0);
	assert_int_equal(fake.bare_count, 1);
	assert_string_equal(fake.bare[0].path, "/src");
	bed_pass(&bed, 2 * OFFLINE_PROBE_MS);
	assert_int_equal(lookup("/a"), 0);
	assert_int_equal(fake.bare_count, 1);
	fake_answer_bare(0, -EHOSTUNREACH);
	lose(20000);
	assert_int_equal(lookup("/a"), 0);
	assert_int_equal(fake.bare_count, 2);
	fake_answer_bare(1, -EHOSTUNREACH);
	bed_pass(&bed, OFFLINE_PROBE_MS - 1);
	assert_int_equal(lookup("/a"), 0);
	assert_int_equal(fake.bare_count, 2);
	bed_pass(&bed, 1);
	assert_int_equal(lookup("/a"), 0);
	assert_int_equal(fake.bare_count, 3);
}

static void when_the_server_is_back_it_is_asked(void **state)
{
	struct fetch_stat newer = fake_file(43, 2000, "\"f\"");
	static struct bed_answer answer;

	(void)state;
	learn();
	lose(OFFLINE_AFTER_MS);
	assert_int_equal(lookup("/a"), 0);
	bed_pass(&bed, 100);
	assert_true(offline_for_ms(bed.cache) > 0);
	fake.lost = false;
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(answer.count, 0);
	fake_answer_stat(2, 0, &newer);
	assert_int_equal(answer.attr.size_bytes, 43);
	bed_pass(&bed, 100);
	assert_int_equal(offline_for_ms(bed.cache), 0);
}

/* A laptop that slept: whether there is a network has to be seen anew. */
static void what_was_seen_long_ago_is_not_believed(void **state)
{
	static struct bed_answer answer;

	(void)state;
	learn();
	lose(OFFLINE_AFTER_MS);
	assert_int_equal(lookup("/a"), 0);
	bed_pass(&bed, OFFLINE_BELIEVED_MS);
	assert_int_equal(lookup("/a"), 0);
	bed_pass(&bed, 1);
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(answer.count, 0);
	assert_int_equal(fake.stat_count, 3);
	/* Not yet: */
	bed_pass(&bed, 100);
	assert_int_equal(answer.count, 0);
	fake.reach.tried_ms = now_ms();
	bed_pass(&bed, 100);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
}

static void what_is_known_to_have_changed_is_not_served(void **state)
{
	static struct bed_answer answer;

	(void)state;
	learn();
	meta_forget(bed.cache, "/a");
	meta_forget(bed.cache, "/d/f");
	lose(OFFLINE_AFTER_MS);
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(answer.count, 0);
	assert_int_equal(lookup("/d/f"), 1);
}

static void an_ended_token_opens_what_it_did(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, "/r", CACHE_BLOCK_BYTES, 1000, "\"e\"");
	static struct bed_answer bytes;

	(void)state;
	bed_read(&bed, file, 0, 100, &bytes);
	fake_finish_all("\"e\"");
	/* Whether there is a server is not known yet. */
	bed.door = -EKEYEXPIRED;
	bed_lookup(&bed, "/r", &answer);
	bed_read(&bed, file, 0, 100, &bytes);
	assert_int_equal(bed.await_count, 2);
	assert_int_equal(fake.bare_count, 1);
	bed_pass(&bed, 100);
	assert_int_equal(answer.count, 0);
	lose(OFFLINE_AFTER_MS);
	bed_pass(&bed, 100);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	assert_int_equal(bytes.count, 1);
	assert_int_equal(bytes.code, 0);
	/* A late answer of the store touches nothing. */
	bed.await[0].done = true;
	bed.await[0].answer(bed.await[0].arg, -EKEYEXPIRED);
	assert_int_equal(answer.count, 1);
	/* Known now: nobody waits. */
	assert_int_equal(lookup("/r"), 0);
	bed_read(&bed, file, 0, 100, &bytes);
	assert_int_equal(bytes.count, 1);
	assert_int_equal(bed.await_count, 2);
	/* The server is there: the end is the end. */
	fake.lost = false;
	assert_int_equal(lookup("/r"), 1);
	assert_int_equal(bed.await_count, 3);
	cache_close(file);
}

static void an_ended_token_opens_for_a_while_and_nothing_refused(void **state)
{
	static struct bed_answer answer;

	(void)state;
	learn();
	bed.door = -EKEYEXPIRED;
	bed.ended = -EKEYEXPIRED;
	lose(OFFLINE_AFTER_MS);
	bed_lookup(&bed, "/a", &answer);
	bed_pass(&bed, 100);
	bed_pass(&bed, 100);
	assert_int_equal(answer.count, 0);
	assert_int_equal(bed.await_count, 1);
	bed.await[0].done = true;
	bed.await[0].answer(bed.await[0].arg, -EKEYEXPIRED);
	assert_int_equal(answer.code, -EKEYEXPIRED);
	/* Refused: the server would have to be asked. */
	bed.ended = -EACCES;
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(answer.count, 0);
	fake_answer_stat(2, -EHOSTUNREACH, NULL);
	assert_int_equal(answer.code, -EHOSTUNREACH);
}

static void above_a_tokens_reach_the_names_stay(void **state)
{
	static struct bed_answer list;

	(void)state;
	bed.reach[0] = "alice";
	bed.reach_count = 1;
	bed.door = -EACCES;
	lose(OFFLINE_AFTER_MS);
	bed_list(&bed, "/", &list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.code, 0);
	assert_int_equal(cache_listing_count(list.listing), 1);
	cache_listing_put(list.listing);
	assert_int_equal(lookup("/"), 0);
	assert_int_equal(fake.stat_count + fake.list_count, 0);
}

static void facts_come(void *arg, int code, const struct cache_facts *facts)
{
	struct bed_answer *answer = arg;

	answer->code = code;
	if (code == 0)
		answer->facts = *facts;
	answer->count++;
}

static void known_comes(void *arg, int code, const struct cache_known *known)
{
	struct cache_known *out = arg;

	assert_int_equal(code, 0);
	*out = *known;
}

static void whether_it_is_served_is_known(void **state)
{
	struct cache_known known;

	(void)state;
	learn();
	cache_known(bed.cache, &bed.ident, "/a", known_comes, &known);
	assert_false(known.offline);
	lose(OFFLINE_AFTER_MS);
	cache_known(bed.cache, &bed.ident, "/a", known_comes, &known);
	assert_true(known.offline);
	assert_false(known.fresh);
	bed.door = -EKEYEXPIRED;
	cache_known(bed.cache, &bed.ident, "/a", known_comes, &known);
	assert_true(known.offline);
	bed.ended = -EKEYEXPIRED;
	cache_known(bed.cache, &bed.ident, "/a", known_comes, &known);
	assert_false(known.offline);
	/* Known by its listing alone. */
	cache_known(bed.cache, &bed.ident, "/d/f", known_comes, &known);
	assert_int_equal(known.size_bytes, 42);
}

static void how_old_it_is_is_told(void **state)
{
	static struct bed_answer answer;
	struct buf out;

	(void)state;
	learn();
	lose(OFFLINE_AFTER_MS);
	cache_facts(bed.cache, &bed.ident, "/a", facts_come, &answer);
	assert_int_equal(answer.count, 1);
	assert_string_equal(answer.facts.freshness, "offline 600 s");
	cache_facts(bed.cache, &bed.ident, "/d/f", facts_come, &answer);
	assert_string_equal(answer.facts.freshness, "offline 600 s");
	buf_init(&out, 4096);
	bed_pass(&bed, 0);
	bed_pass(&bed, 2000);
	assert_int_equal(cache_describe(bed.cache, &out), 0);
	assert_non_null(
	    strstr(buf_text(&out), "\"offline\":\"now\",\"offline_s\":2"));
	buf_clear(&out);
	assert_int_equal(cache_describe_text(bed.cache, &out), 0);
	assert_non_null(
	    strstr(buf_text(&out), "offline: no server can be reached for 2"));
	fake.lost = false;
	bed_pass(&bed, 100);
	buf_clear(&out);
	assert_int_equal(cache_describe(bed.cache, &out), 0);
	assert_non_null(
	    strstr(buf_text(&out), "\"offline\":\"allowed\",\"offline_s\":0"));
	buf_fini(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(all_that_is_known_is_served),
	    TEST(what_is_not_allowed_is_not_served),
	    TEST(a_file_is_opened_and_read_from_what_is_here),
	    TEST(a_blink_is_waited_for_and_not_longer),
	    TEST(a_failed_question_is_answered_from_what_is_known),
	    TEST(the_server_is_asked_by_one_question_at_a_time),
	    TEST(when_the_server_is_back_it_is_asked),
	    TEST(what_was_seen_long_ago_is_not_believed),
	    TEST(what_is_known_to_have_changed_is_not_served),
	    TEST(an_ended_token_opens_what_it_did),
	    TEST(an_ended_token_opens_for_a_while_and_nothing_refused),
	    TEST(above_a_tokens_reach_the_names_stay),
	    TEST(whether_it_is_served_is_known),
	    TEST(how_old_it_is_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
