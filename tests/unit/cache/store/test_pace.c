/* SPDX-License-Identifier: Apache-2.0 */
/* When blocks are better written through the page cache. */
#include "cache/store/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024, BATCH_BYTES = 8 * MIB };

static uint64_t now_us;

/* Batches of one direct write each, with pauses between them. */
static void write_batches(
    struct pace *pace, unsigned count, uint64_t took_us, uint64_t pause_us)
{
	for (unsigned i = 0; i < count; i++) {
		now_us += pause_us;
		pace_batch_begins(pace, now_us);
		pace_wrote(pace, BATCH_BYTES, took_us);
		now_us += took_us;
		pace_batch_ends(pace, now_us);
	}
}

static int begin(void **state)
{
	(void)state;
	now_us = 1000000;
	return 0;
}

static void a_slow_disk_without_a_pause_is_behind(void **state)
{
	struct pace pace = {0};

	(void)state;
	assert_false(pace_is_behind(&pace));
	write_batches(&pace, 10, 80000, 0); /* 100 MB/s */
	assert_true(pace_is_behind(&pace));
}

static void a_slow_disk_with_pauses_keeps_up(void **state)
{
	struct pace pace = {0};

	(void)state;
	write_batches(&pace, 10, 80000, 80000);
	assert_false(pace_is_behind(&pace));
}

static void a_quick_disk_is_never_behind(void **state)
{
	struct pace pace = {0};

	(void)state;
	write_batches(&pace, 100, 4000, 0); /* 2 GB/s */
	assert_false(pace_is_behind(&pace));
}

/* Seven of eight writes waited for a processor. */
static void a_writer_without_a_processor_does_not_blame_the_disk(void **state)
{
	struct pace pace = {0};

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		write_batches(&pace, 1, 4000, 0);
		assert_false(pace_is_behind(&pace));
		write_batches(&pace, 7, 80000, 0);
		assert_false(pace_is_behind(&pace));
	}
}

static void a_disk_that_becomes_slow_is_found_soon_and_forgiven(void **state)
{
	struct pace pace = {0};
	unsigned batches = 0;

	(void)state;
	write_batches(&pace, 10, 2700, 0); /* 3 GB/s */
	while (!pace_is_behind(&pace) && batches < 100) {
		write_batches(&pace, 1, 80000, 0);
		batches++;
	}
	assert_in_range(batches, 8, 16);
	write_batches(&pace, 1, 2700, 0);
	assert_false(pace_is_behind(&pace));
}

static void short_writes_tell_nothing(void **state)
{
	struct pace pace = {0};

	(void)state;
	write_batches(&pace, 10, 80000, 0);
	pace_wrote(&pace, MIB - 1, 1);
	assert_true(pace_is_behind(&pace));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(
	        a_slow_disk_without_a_pause_is_behind, begin),
	    cmocka_unit_test_setup(a_slow_disk_with_pauses_keeps_up, begin),
	    cmocka_unit_test_setup(a_quick_disk_is_never_behind, begin),
	    cmocka_unit_test_setup(
	        a_writer_without_a_processor_does_not_blame_the_disk, begin),
	    cmocka_unit_test_setup(
	        a_disk_that_becomes_slow_is_found_soon_and_forgiven, begin),
	    cmocka_unit_test_setup(short_writes_tell_nothing, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
