/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/prefetch.h: what is asked for by name is on the disk when it is
 * answered, nothing is fetched twice, and nobody who waits is kept waiting. */
#include "base/stats.h"
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

enum { BLOCK = CACHE_BLOCK_BYTES };

static struct bed bed;

struct outcome {
	_Atomic unsigned count;
	int code;
	uint64_t size_bytes;
	uint64_t brought_bytes;
};

static void take(
    void *arg, int code, uint64_t size_bytes, uint64_t brought_bytes)
{
	struct outcome *outcome = arg;

	outcome->code = code;
	outcome->size_bytes = size_bytes;
	outcome->brought_bytes = brought_bytes;
	outcome->count++;
}

static void ask(struct cache_file *file, uint64_t offset_bytes,
    uint64_t size_bytes, struct outcome *outcome)
{
	*outcome = (struct outcome){.code = 1};
	cache_prefetch(
	    file, &bed.ident, offset_bytes, size_bytes, take, outcome);
}

static void pause_ms(long ms)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Answer whatever is asked for until it is answered. */
static void serve(const struct outcome *outcome)
{
	for (unsigned i = 0; i < 20000 && outcome->count == 0; i++) {
		fake_finish_all("\"e\"");
		pause_ms(1);
	}
	assert_int_equal(outcome->count, 1);
}

static int set_up(void **state)
{
	(void)state;
	bed = (struct bed){.door = 0};
	bed_start(&bed, NULL, true);
	fake.validates = true;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bed_end(&bed);
	bed_wipe(&bed);
	return 0;
}

static void a_range_is_one_polite_request_and_then_on_the_disk(void **state)
{
	uint64_t size = 20 * BLOCK + 77;
	struct cache_file *file = bed_open(&bed, "/f", size, 1000, "\"e\"");
	struct outcome outcome;

	(void)state;
	ask(file, 0, CACHE_PREFETCH_BYTES, &outcome);
	bed_wait_ranges(1);
	assert_false(fake.range[0].demand);
	assert_int_equal(fake.range[0].offset_bytes, 0);
	assert_int_equal(fake.range[0].length_bytes, size);
	serve(&outcome);
	assert_int_equal(outcome.code, 0);
	assert_int_equal(outcome.size_bytes, size);
	assert_int_equal(outcome.brought_bytes, size);
	/* And again: nothing is missing. */
	ask(file, 0, CACHE_PREFETCH_BYTES, &outcome);
	serve(&outcome);
	assert_int_equal(outcome.code, 0);
	assert_int_equal(outcome.brought_bytes, 0);
	assert_int_equal(fake_ranges(), 1);
	cache_close(file);
}

static void only_what_is_missing_is_fetched(void **state)
{
	struct cache_file *file =
	    bed_open(&bed, "/f", 40 * BLOCK, 1000, "\"e\"");
	struct outcome outcome;

	(void)state;
	ask(file, 10 * BLOCK, 5 * BLOCK, &outcome);
	serve(&outcome);
	assert_int_equal(outcome.brought_bytes, 5 * BLOCK);
	ask(file, 0, 40 * BLOCK, &outcome);
	serve(&outcome);
	assert_int_equal(outcome.brought_bytes, 35 * BLOCK);
	assert_int_equal(fake_ranges(), 3);
	assert_int_equal(fake.range[1].length_bytes, 10 * BLOCK);
	assert_int_equal(fake.range[2].offset_bytes, 15 * BLOCK);
	cache_close(file);
}

static void a_reader_goes_first_and_hurries_what_it_needs(void **state)
{
	struct cache_file *file =
	    bed_open(&bed, "/f", 20 * BLOCK, 1000, "\"e\"");
	struct outcome outcome;
	struct bed_answer answer;

	(void)state;
	ask(file, 0, 20 * BLOCK, &outcome);
	bed_wait_ranges(1);
	assert_false(fake.range[0].hurried);
	bed_read(&bed, file, 0, 4096, &answer);
	assert_true(fake.range[0].hurried);
	assert_int_equal(fake_ranges(), 1);
	serve(&outcome);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	cache_close(file);
}

static void a_refusal_is_told_and_not_tried_again(void **state)
{
	struct cache_file *file =
	    bed_open(&bed, "/f", 4 * BLOCK, 1000, "\"e\"");
	struct outcome outcome;

	(void)state;
	ask(file, 0, 4 * BLOCK, &outcome);
	bed_wait_ranges(1);
	fake_done(0, -EACCES);
	serve(&outcome);
	assert_int_equal(outcome.code, -EACCES);
	assert_int_equal(fake_ranges(), 1);
	cache_close(file);
}

static void the_door_is_asked(void **state)
{
	struct cache_file *file =
	    bed_open(&bed, "/f", 4 * BLOCK, 1000, "\"e\"");
	struct outcome outcome;

	(void)state;
	bed.door = BED_NEVER;
	ask(file, 0, 4 * BLOCK, &outcome);
	serve(&outcome);
	assert_int_equal(outcome.code, -EACCES);
	assert_int_equal(fake_ranges(), 0);
	bed.door = 0;
	cache_close(file);
}

static void what_cannot_be_kept_is_told_at_once(void **state)
{
	struct cache_file *file = bed_open(&bed, "/f", 1000, -1, "");
	struct outcome outcome;

	(void)state;
	ask(file, 0, 1000, &outcome);
	assert_int_equal(outcome.code, -ENOTSUP);
	cache_close(file);
	file = bed_open(&bed, "/empty", 0, 1000, "\"e\"");
	ask(file, 0, 0, &outcome);
	assert_int_equal(outcome.code, 0);
	cache_close(file);
}

static void without_a_disk_there_is_no_room(void **state)
{
	struct outcome outcome;
	struct cache_file *file;
	const char *why = NULL;

	(void)state;
	assert_true(cache_room_bytes(bed.cache, &why) > 0);
	bed_end(&bed);
	bed_wipe(&bed);
	bed_start(&bed, NULL, false);
	assert_int_equal(cache_room_bytes(bed.cache, &why), 0);
	assert_non_null(why);
	file = bed_open(&bed, "/f", 1000, 1000, "\"e\"");
	ask(file, 0, 1000, &outcome);
	assert_int_equal(outcome.code, -ENODEV);
	cache_close(file);
}

/* A writer with room for a few blocks drops none of those that are to be
 * kept. */
static void the_writer_is_given_no_more_than_it_takes(void **state)
{
	const struct cache_limits limits = {.pool_blocks = 256,
	    .meta_bytes = 1 << 20,
	    .idle_objects = 4,
	    .writer_blocks = 48};
	int64_t dropped = (int64_t)stats_get(STATS_cache_dropped_writes);
	struct outcome outcomes[6];
	struct cache_file *file;

	(void)state;
	bed_end(&bed);
	bed_wipe(&bed);
	bed_start(&bed, &limits, true);
	fake.validates = true;
	file = bed_open(&bed, "/f", 120 * BLOCK, 1000, "\"e\"");
	for (unsigned i = 0; i < 6; i++)
		ask(file, (uint64_t)i * 20 * BLOCK, 20 * BLOCK, &outcomes[i]);
	bed_wait_ranges(1);
	for (unsigned i = 0; i < 6; i++) {
		bed_pass(&bed, 100);
		serve(&outcomes[i]);
		assert_int_equal(outcomes[i].code, 0);
	}
	assert_int_equal(
	    (int64_t)stats_get(STATS_cache_dropped_writes), dropped);
	cache_close(file);
}

static void stopping_answers_what_is_on_its_way(void **state)
{
	struct cache_file *file =
	    bed_open(&bed, "/f", 400 * BLOCK, 1000, "\"e\"");
	struct outcome outcomes[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		ask(file, (uint64_t)i * CACHE_PREFETCH_BYTES,
		    CACHE_PREFETCH_BYTES, &outcomes[i]);
	bed_wait_ranges(1);
	fake_stop();
	cache_stop(bed.cache);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(outcomes[i].count, 1);
		assert_int_equal(outcomes[i].code, -ECANCELED);
	}
	cache_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(a_range_is_one_polite_request_and_then_on_the_disk),
	    TEST(only_what_is_missing_is_fetched),
	    TEST(a_reader_goes_first_and_hurries_what_it_needs),
	    TEST(a_refusal_is_told_and_not_tried_again),
	    TEST(the_door_is_asked),
	    TEST(what_cannot_be_kept_is_told_at_once),
	    TEST(without_a_disk_there_is_no_room),
	    TEST(the_writer_is_given_no_more_than_it_takes),
	    TEST(stopping_answers_what_is_on_its_way),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
