/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of an open file: each answered once, in time, with one version. */
#include "base/stats.h"
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

enum { KIB = 1024, MIB = 1024 * 1024 };

static struct bed bed;

/* Places that no reader would be seen to go to next. */
static uint64_t place(unsigned i)
{
	return (uint64_t)(i * i + 8 * i + 5) * MIB;
}

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

static void right(const struct bed_answer *answer, size_t size_bytes)
{
	assert_int_equal(answer->count, 1);
	assert_int_equal(answer->code, 0);
	assert_int_equal(answer->size_bytes, size_bytes);
}

static void an_isolated_miss_fetches_its_block_and_nothing_more(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, "/a", 100 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	bed_read(&bed, file, 50 * MIB + 5000, 4096, &answer);
	assert_int_equal(answer.count, 0);
	assert_int_equal(fake.range_count, 1);
	assert_string_equal(fake.range[0].path, "/src/a");
	assert_string_equal(fake.range[0].pin, "\"x\"");
	assert_int_equal(fake.range[0].offset_bytes, 50 * MIB);
	assert_int_equal(fake.range[0].length_bytes, 64 * KIB);
	assert_true(fake.range[0].demand);
	fake_finish(0, "\"x\"");
	right(&answer, 4096);
	cache_close(file);
}

static void a_read_ends_with_the_file(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = bed_open(&bed, "/a", 65537, 1000, "\"x\"");

	(void)state;
	bed_read(&bed, file, 65000, 5000, &answer);
	assert_int_equal(fake.range_count, 1);
	assert_int_equal(fake.range[0].length_bytes, 65537);
	fake_finish(0, "\"x\"");
	right(&answer, 537);
	bed_read(&bed, file, 65537, 10, &answer);
	right(&answer, 0);
	bed_read(&bed, file, UINT64_MAX - 5, 10, &answer);
	right(&answer, 0);
	bed_read(&bed, file, 65536, 1, &answer);
	right(&answer, 1);
	bed_read(&bed, file, 0, CACHE_READ_BYTES_MAX + 1, &answer);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, -EINVAL);
	cache_close(file);
}

static void an_empty_file_asks_for_nothing(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = bed_open(&bed, "/a", 0, 1000, "");

	(void)state;
	bed_read(&bed, file, 0, 4096, &answer);
	right(&answer, 0);
	assert_int_equal(fake.range_count, 0);
	cache_close(file);
}

static void one_block_is_fetched_once_for_many_readers(void **state)
{
	static struct bed_answer answer[20];
	struct cache_file *file =
	    bed_open(&bed, "/a", 100 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		bed_read(&bed, file, 30 * MIB + 3000, 3000, &answer[i]);
	assert_int_equal(fake.range_count, 1);
	fake_finish(0, "\"x\"");
	for (unsigned i = 0; i < 20; i++)
		right(&answer[i], 3000);
	/* And it stays. */
	bed_read(&bed, file, 30 * MIB, 65536, &answer[0]);
	right(&answer[0], 65536);
	assert_int_equal(fake.range_count, 1);
	cache_close(file);
}

static void two_opens_share_their_blocks(void **state)
{
	static struct bed_answer answer;
	struct cache_file *one =
	    bed_open(&bed, "/a", 10 * (uint64_t)MIB, 1000, "\"x\"");
	struct cache_file *two =
	    bed_open(&bed, "/a", 10 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	bed_read(&bed, one, 5 * MIB, 4096, &answer);
	fake_finish(0, "\"x\"");
	right(&answer, 4096);
	cache_close(one);
	bed_read(&bed, two, 5 * MIB, 4096, &answer);
	right(&answer, 4096);
	cache_close(two);
	/* A closed file is remembered. */
	one = bed_open(&bed, "/a", 10 * (uint64_t)MIB, 1000, "\"x\"");
	bed_read(&bed, one, 5 * MIB, 4096, &answer);
	right(&answer, 4096);
	assert_int_equal(fake.range_count, 1);
	cache_close(one);
}

static void a_reader_is_answered_as_its_bytes_come(void **state)
{
	static struct bed_answer first;
	static struct bed_answer last;
	struct cache_file *file =
	    bed_open(&bed, "/a", 100 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	bed_read(&bed, file, 10 * MIB + 1000, 8000, &first);
	bed_read(&bed, file, 10 * MIB + 60000, 100, &last);
	assert_int_equal(fake.range_count, 1);
	assert_int_equal(fake_begin(0, "\"x\""), 0);
	fake_send(0, 8999);
	assert_int_equal(first.count, 0);
	fake_send(0, 1);
	right(&first, 8000);
	/* One who comes later finds what is there. */
	bed_read(&bed, file, 10 * MIB, 9000, &first);
	right(&first, 9000);
	assert_int_equal(last.count, 0);
	fake_send(0, 65536 - 9000);
	right(&last, 100);
	fake_done(0, 0);
	cache_close(file);
}

static void without_validation_bytes_wait_for_confirmation(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, "/a", 10 * (uint64_t)MIB, 1000, "");

	(void)state;
	fake.validates = false;
	bed_read(&bed, file, 5 * MIB, 100, &answer);
	assert_int_equal(fake_begin(0, ""), 0);
	fake_send(0, 65536);
	assert_int_equal(answer.count, 0);
	fake_done(0, 0);
	right(&answer, 100);
	/* Not confirmed: nothing of it is shown or kept. */
	bed_read(&bed, file, 7 * MIB, 100, &answer);
	assert_int_equal(fake_begin(1, ""), 0);
	fake_send(1, 65536);
	fake_done(1, -ESTALE);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, -ESTALE);
	cache_close(file);
}

static void the_first_etag_pins_all_that_follow(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, "/a", 10 * (uint64_t)MIB, 1000, "");

	(void)state;
	bed_read(&bed, file, 5 * MIB, 100, &answer);
	assert_string_equal(fake.range[0].pin, "");
	fake_finish(0, "\"learned\"");
	right(&answer, 100);
	bed_read(&bed, file, 6 * MIB, 100, &answer);
	assert_string_equal(fake.range[1].pin, "\"learned\"");
	fake_finish(1, "\"learned\"");
	right(&answer, 100);
	cache_close(file);
}

static void another_etag_in_mid_file_is_estale_and_never_a_mix(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, "/a", 10 * (uint64_t)MIB, 1000, "\"x\"");
	struct cache_file *again;
	unsigned stats = fake.stat_count;

	(void)state;
	bed_read(&bed, file, 5 * MIB, 100, &answer);
	fake_finish(0, "\"x\"");
	right(&answer, 100);
	fake.content = 1;
	bed_read(&bed, file, 6 * MIB, 100, &answer);
	fake_finish(1, "\"y\"");
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, -ESTALE);
	bed_read(&bed, file, 5 * MIB, 100, &answer);
	assert_int_equal(answer.code, -ESTALE);
	/* The next open asks anew, although the answer was fresh. */
	again = bed_open(&bed, "/a", 10 * (uint64_t)MIB, 1001, "\"y\"");
	assert_int_equal(fake.stat_count, stats + 1);
	bed_read(&bed, again, 5 * MIB, 100, &answer);
	assert_int_equal(fake.range_count, 3);
	fake_finish(2, "\"y\"");
	right(&answer, 100);
	cache_close(again);
	cache_close(file);
}

static void a_range_that_goes_on_elsewhere_keeps_its_place(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, "/a", 10 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	bed_read(&bed, file, 5 * MIB, 65536, &answer);
	assert_int_equal(fake_begin(0, "\"x\""), 0);
	fake_send(0, 20000);
	assert_int_equal(fake_begin(0, "\"x\""), 0);
	fake_send(0, 45536);
	right(&answer, 65536);
	fake_done(0, 0);
	cache_close(file);
}

static void an_error_reaches_each_reader_once(void **state)
{
	static struct bed_answer answer[3];
	struct cache_file *file =
	    bed_open(&bed, "/a", 10 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		bed_read(&bed, file, 5 * MIB, 100, &answer[i]);
	fake_done(0, -EACCES);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(answer[i].count, 1);
		assert_int_equal(answer[i].code, -EACCES);
	}
	/* And the next one asks again. */
	bed_read(&bed, file, 5 * MIB, 100, &answer[0]);
	fake_finish(1, "\"x\"");
	right(&answer[0], 100);
	cache_close(file);
}

static void a_read_is_answered_by_its_deadline(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, "/a", 10 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	bed_read(&bed, file, 5 * MIB, 100, &answer);
	bed_pass(&bed, BED_TIMEOUT_MS - 1);
	assert_int_equal(answer.count, 0);
	bed_pass(&bed, 1);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, -ETIMEDOUT);
	/* What comes late is not answered again, and is not lost. */
	fake_finish(0, "\"x\"");
	assert_int_equal(answer.count, 1);
	bed_read(&bed, file, 5 * MIB, 100, &answer);
	right(&answer, 100);
	assert_int_equal(fake.range_count, 1);
	cache_close(file);
}

static void only_so_many_reads_wait_for_a_silent_server(void **state)
{
	static struct bed_answer answer[20];
	unsigned given_up = 0;
	struct cache_file *file =
	    bed_open(&bed, "/a", 4000 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		bed_read(&bed, file, place(i), 100, &answer[i]);
	/* A busy server may have as many as it likes. */
	bed_pass(&bed, BED_TIMEOUT_MS / 2);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(answer[i].count, 0);
	fake.silent_ms = BED_TIMEOUT_MS / 2;
	bed_pass(&bed, 100);
	for (unsigned i = 0; i < 20; i++)
		given_up += answer[i].count;
	assert_int_equal(given_up, 20 - 8); /* the oldest */
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(answer[i].count, 1);
		assert_int_equal(answer[i].code, -ETIMEDOUT);
	}
	fake_finish_all("\"x\"");
	for (unsigned i = 12; i < 20; i++)
		right(&answer[i], 100);
	cache_close(file);
}

static void a_sequential_reader_is_fetched_ahead_in_long_ranges(void **state)
{
	static struct bed_answer answer;
	uint64_t fetched = 0;
	uint64_t size = 64 * (uint64_t)MIB;
	struct cache_file *file = bed_open(&bed, "/a", size, 1000, "\"x\"");

	(void)state;
	for (uint64_t at = 0; at < size; at += 128 * KIB) {
		bed_read(&bed, file, at, 128 * KIB, &answer);
		fake_finish_all("\"x\"");
		bed_pass(&bed, 1);
		right(&answer, 128 * KIB);
	}
	for (unsigned i = 0; i < fake.range_count; i++)
		fetched += fake.range[i].length_bytes;
	assert_int_equal(fetched, size);
	assert_true(fake.range_count <= size / MIB + 8);
	cache_close(file);
}

static void read_ahead_leaves_buffers_to_those_who_wait(void **state)
{
	static struct bed_answer answer[20];
	struct cache_file *file[20];

	(void)state;
	/* Deadlock 4: twenty readers of whole files, none of whose ranges
	 * comes in; with what they want ahead they would need 360 of 256
	 * buffers. Each is fetched what it waits for. */
	for (unsigned i = 0; i < 20; i++) {
		char path[8];

		(void)snprintf(path, sizeof(path), "/%u", i);
		file[i] =
		    bed_open(&bed, path, 100 * (uint64_t)MIB, 1000, "\"x\"");
		bed_read(&bed, file[i], 0, 128 * KIB, &answer[i]);
		assert_int_equal(fake.range_count, i + 1);
	}
	assert_true(fake.range[0].length_bytes > 128 * KIB);
	assert_int_equal(fake.range[19].length_bytes, 128 * KIB);
	fake_finish(19, "\"x\"");
	right(&answer[19], 128 * KIB);
	fake_finish_all("\"x\"");
	for (unsigned i = 0; i < 20; i++) {
		right(&answer[i], 128 * KIB);
		cache_close(file[i]);
	}
}

static void without_buffers_a_read_waits_for_its_turn(void **state)
{
	static struct bed_answer answer[30];
	unsigned answered = 0;
	struct cache_file *file =
	    bed_open(&bed, "/a", 4000 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	/* 256 buffers; each read needs 16 and waits. */
	for (unsigned i = 0; i < 30; i++)
		bed_read(&bed, file, place(i), MIB, &answer[i]);
	assert_int_equal(fake.range_count, 16);
	for (unsigned k = 0; k < 30; k++) {
		assert_true(k < fake.range_count);
		fake_finish(k, "\"x\"");
	}
	for (unsigned i = 0; i < 30; i++) {
		right(&answer[i], MIB);
		answered += answer[i].count;
	}
	assert_int_equal(answered, 30);
	cache_close(file);
}

static void a_starved_read_has_a_deadline_too(void **state)
{
	static struct bed_answer answer[30];
	struct cache_file *file =
	    bed_open(&bed, "/a", 4000 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		bed_read(&bed, file, place(i), MIB, &answer[i]);
	bed_pass(&bed, BED_TIMEOUT_MS);
	for (unsigned i = 0; i < 30; i++) {
		assert_int_equal(answer[i].count, 1);
		assert_int_equal(answer[i].code, -ETIMEDOUT);
	}
	cache_close(file);
}

static void failed_read_ahead_is_asked_for_again_by_its_reader(void **state)
{
	static struct bed_answer answer;
	unsigned ahead = 0;
	struct cache_file *file =
	    bed_open(&bed, "/a", 100 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	bed_read(&bed, file, 10 * MIB, 4096, &answer);
	fake_finish_all("\"x\"");
	bed_read(&bed, file, 10 * MIB + 4096, 4096, &answer);
	right(&answer, 4096);
	for (unsigned i = 0; i < fake.range_count; i++)
		if (!fake.range[i].done && !fake.range[i].demand)
			ahead = i;
	assert_true(ahead > 0);
	/* A reader comes to wait for several of its blocks; then it fails. */
	assert_true(fake.range[ahead].length_bytes >= 192 * KIB);
	bed_read(
	    &bed, file, fake.range[ahead].offset_bytes, 192 * KIB, &answer);
	assert_int_equal(answer.count, 0);
	fake_done(ahead, -EHOSTUNREACH);
	assert_int_equal(answer.count, 0);
	fake_finish_all("\"x\"");
	right(&answer, 192 * KIB);
	cache_close(file);
}

static void closing_ends_long_ranges_nobody_waits_for(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, "/a", 4000 * (uint64_t)MIB, 1000, "\"x\"");
	uint64_t at = 0;
	unsigned last;

	(void)state;
	do {
		bed_read(&bed, file, at, 128 * KIB, &answer);
		last = fake.range_count - 1;
		if (answer.count == 0)
			fake_finish_all("\"x\"");
		at += 128 * KIB;
	} while (at < 1000 * (uint64_t)MIB &&
	    (fake.range[last].done ||
	        fake.range[last].length_bytes < RUN_CANCEL_BYTES));
	assert_false(fake.range[last].done);
	assert_false(fake.range[last].cancelled);
	cache_close(file);
	assert_true(fake.range[last].cancelled);
	fake_done(last, -ECANCELED);
}

static void stopping_answers_every_read_once(void **state)
{
	static struct bed_answer answer[40];
	struct cache_file *file =
	    bed_open(&bed, "/a", 4000 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		bed_read(&bed, file, place(i), MIB, &answer[i]);
	assert_int_equal(fake_begin(0, "\"x\""), 0);
	fake_send(0, 100000);
	fake_stop();
	cache_stop(bed.cache);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(answer[i].count, 1);
		assert_int_equal(answer[i].code, -ECANCELED);
	}
	cache_close(file);
	cache_free(bed.cache);
	bed.cache = NULL;
}

static void an_ended_token_closes_the_door_to_blocks_in_memory(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, "/a", 10 * (uint64_t)MIB, 1000, "\"x\"");

	(void)state;
	bed_read(&bed, file, 5 * MIB, 100, &answer);
	fake_finish(0, "\"x\"");
	right(&answer, 100);
	bed.door = -EKEYEXPIRED;
	bed_read(&bed, file, 5 * MIB, 100, &answer);
	assert_int_equal(answer.count, 0);
	assert_int_equal(bed.await_count, 1);
	bed.door = 0;
	bed.await[0].done = true;
	bed.await[0].answer(bed.await[0].arg, 0);
	right(&answer, 100);
	/* No newer one comes: the door's word at the deadline. */
	bed.door = -EKEYEXPIRED;
	bed_read(&bed, file, 5 * MIB, 100, &answer);
	bed_pass(&bed, BED_TIMEOUT_MS);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, -EKEYEXPIRED);
	bed.await[1].done = true;
	bed.await[1].answer(bed.await[1].arg, 0);
	assert_int_equal(answer.count, 1);
	/* Refused: at once. */
	bed.door = -EACCES;
	bed_read(&bed, file, 5 * MIB, 100, &answer);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, -EACCES);
	/* At the stop. */
	bed.door = -ENOKEY;
	bed_read(&bed, file, 5 * MIB, 100, &answer);
	cache_close(file);
	bed_end(&bed);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, -ECANCELED);
}

static void a_young_version_is_not_taken_for_a_later_one(void **state)
{
	static struct bed_answer answer;
	/* Seen in the second in which it was written. */
	struct cache_file *file = bed_open(&bed, "/a", 1 * (uint64_t)MIB,
	    (int64_t)atomic_load(&bed.clock.wall_s), "\"x\"");
	struct cache_file *later;

	(void)state;
	bed_read(&bed, file, 0, 100, &answer);
	fake_finish_all("\"x\"");
	right(&answer, 100);
	cache_close(file);
	bed_pass(&bed, BED_ATTR_TTL_MS + 1000);
	later = bed_open(&bed, "/a", 1 * (uint64_t)MIB, 1000000, "\"x\"");
	fake.content = 1; /* it was written again in that second */
	bed_read(&bed, later, 0, 100, &answer);
	fake_finish_all("\"x\"");
	right(&answer, 100);
	cache_close(later);
}

static void without_a_validator_nothing_outlives_the_open(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file =
	    bed_open(&bed, "/a", 1 * (uint64_t)MIB, -1, "");

	(void)state;
	bed_read(&bed, file, 0, 100, &answer);
	fake_finish_all("");
	right(&answer, 100);
	cache_close(file);
	file = bed_open(&bed, "/a", 1 * (uint64_t)MIB, -1, "");
	fake.content = 1;
	bed_read(&bed, file, 0, 100, &answer);
	fake_finish_all("");
	right(&answer, 100);
	cache_close(file);
}

static void what_was_read_of_what_was_fetched_is_counted_once(void **state)
{
	static struct bed_answer answer;
	uint64_t fetched = stats_get(STATS_cache_fetched_bytes);
	uint64_t used = stats_get(STATS_cache_used_bytes);
	struct cache_file *file =
	    bed_open(&bed, "/a", 10 * (uint64_t)MIB + 100, 1000, "\"x\"");

	(void)state;
	bed_read(&bed, file, 5 * MIB, 4096, &answer);
	fake_finish(0, "\"x\"");
	assert_int_equal(
	    stats_get(STATS_cache_fetched_bytes) - fetched, 64 * KIB);
	assert_int_equal(stats_get(STATS_cache_used_bytes) - used, 4096);
	bed_read(&bed, file, 5 * MIB, 8192, &answer);
	right(&answer, 8192);
	assert_int_equal(stats_get(STATS_cache_used_bytes) - used, 8192);
	bed_read(&bed, file, 10 * MIB, 4096, &answer);
	fake_finish_all("\"x\"");
	right(&answer, 100);
	assert_int_equal(stats_get(STATS_cache_used_bytes) - used, 8192 + 100);
	cache_close(file);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(an_isolated_miss_fetches_its_block_and_nothing_more),
	    TEST(a_read_ends_with_the_file),
	    TEST(an_empty_file_asks_for_nothing),
	    TEST(one_block_is_fetched_once_for_many_readers),
	    TEST(two_opens_share_their_blocks),
	    TEST(a_reader_is_answered_as_its_bytes_come),
	    TEST(without_validation_bytes_wait_for_confirmation),
	    TEST(the_first_etag_pins_all_that_follow),
	    TEST(another_etag_in_mid_file_is_estale_and_never_a_mix),
	    TEST(a_range_that_goes_on_elsewhere_keeps_its_place),
	    TEST(an_error_reaches_each_reader_once),
	    TEST(a_read_is_answered_by_its_deadline),
	    TEST(only_so_many_reads_wait_for_a_silent_server),
	    TEST(a_sequential_reader_is_fetched_ahead_in_long_ranges),
	    TEST(read_ahead_leaves_buffers_to_those_who_wait),
	    TEST(without_buffers_a_read_waits_for_its_turn),
	    TEST(a_starved_read_has_a_deadline_too),
	    TEST(failed_read_ahead_is_asked_for_again_by_its_reader),
	    TEST(closing_ends_long_ranges_nobody_waits_for),
	    TEST(stopping_answers_every_read_once),
	    TEST(an_ended_token_closes_the_door_to_blocks_in_memory),
	    TEST(a_young_version_is_not_taken_for_a_later_one),
	    TEST(without_a_validator_nothing_outlives_the_open),
	    TEST(what_was_read_of_what_was_fetched_is_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
