/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/stream.c: who reads forward, by steps, or at random. */
#include "cache/ahead/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

#define FILE_BYTES (UINT64_C(1) << 32)

static struct stream_plan note(
    struct streams *streams, uint64_t offset_bytes, uint64_t size_bytes)
{
	return streams_note(streams,
	    &(struct stream_read){
	        .offset_bytes = offset_bytes,
	        .size_bytes = size_bytes,
	        .file_bytes = FILE_BYTES,
	        .cap_bytes = 8 * MIB,
	        .step_bytes = 2 * MIB,
	    });
}

static void a_reader_from_the_start_gets_a_growing_window(void **state)
{
	struct streams streams = {0};
	uint64_t ahead = 0;
	uint64_t window = 0;

	(void)state;
	for (uint64_t at = 0; at < 64 * MIB; at += 128 * KIB) {
		struct stream_plan plan = note(&streams, at, 128 * KIB);

		assert_true(plan.sequential);
		assert_true(plan.window_bytes >= window);
		window = plan.window_bytes;
		if (plan.until_bytes > plan.from_bytes) {
			/* Without a gap, never twice, never too far. */
			if (ahead != 0)
				assert_int_equal(plan.from_bytes, ahead);
			ahead = plan.until_bytes;
			assert_true(ahead <= at + 128 * KIB + 8 * MIB);
		}
		assert_true(ahead >= at + 128 * KIB);
	}
	assert_int_equal(window, 8 * MIB);
}

static void ahead_is_asked_for_in_long_pieces(void **state)
{
	struct streams streams = {0};
	unsigned pieces = 0;

	(void)state;
	for (uint64_t at = 0; at < 256 * MIB; at += 128 * KIB) {
		struct stream_plan plan = note(&streams, at, 128 * KIB);

		pieces += plan.until_bytes > plan.from_bytes;
	}
	assert_true(pieces <= 256 / 2 + 8);
}

static void a_full_window_is_kept_full(void **state)
{
	struct streams streams = {0};
	uint64_t ahead = 0;

	(void)state;
	for (uint64_t at = 0; at < 256 * MIB; at += 128 * KIB) {
		struct stream_plan plan = note(&streams, at, 128 * KIB);

		if (plan.until_bytes > plan.from_bytes)
			ahead = plan.until_bytes;
		assert_int_equal(plan.full, plan.window_bytes == 8 * MIB);
		/* All but the range that is asked for next is on its way. */
		if (plan.full)
			assert_true(ahead - at >= 6 * MIB);
	}
}

static void what_is_fetched_in_vain_is_in_proportion(void **state)
{
	(void)state;
	for (uint64_t read = 8 * KIB; read <= 4 * MIB; read *= 2) {
		struct streams streams = {0};
		uint64_t ahead = 0;

		for (uint64_t at = 64 * MIB; at < 64 * MIB + read;
		     at += 4 * KIB) {
			struct stream_plan plan = note(&streams, at, 4 * KIB);

			if (plan.until_bytes > ahead)
				ahead = plan.until_bytes;
		}
		if (ahead > 0)
			assert_true(ahead - 64 * MIB <=
			    3 * read + STREAM_WINDOW_MIN_BYTES);
	}
}

static void reads_out_of_order_stay_one_stream(void **state)
{
	struct streams streams = {0};
	unsigned sequential = 0;

	(void)state;
	/* The kernel's read-ahead: pairs swapped. */
	for (uint64_t at = 0; at < 32 * MIB; at += 256 * KIB) {
		sequential +=
		    note(&streams, at + 128 * KIB, 128 * KIB).sequential;
		sequential += note(&streams, at, 128 * KIB).sequential;
	}
	assert_true(sequential >= 2 * 128 - 2);
}

static void four_streams_in_one_file_are_told_apart(void **state)
{
	struct streams streams = {0};

	(void)state;
	for (uint64_t at = 0; at < 16 * MIB; at += 128 * KIB)
		for (uint64_t k = 0; k < 4; k++) {
			struct stream_plan plan =
			    note(&streams, k * 512 * MIB + at, 128 * KIB);

			if (at > 0)
				assert_true(plan.sequential);
			if (plan.until_bytes > plan.from_bytes)
				assert_true(plan.from_bytes >= k * 512 * MIB);
		}
}

static void streams_share_the_room_of_their_file(void **state)
{
	struct streams streams = {0};
	struct stream_plan plan = {0};
	struct stream_read read = {
	    .size_bytes = 128 * KIB,
	    .file_bytes = FILE_BYTES,
	    .cap_bytes = 8 * MIB,
	    .room_bytes = 12 * MIB,
	    .step_bytes = 2 * MIB,
	};

	(void)state;
	for (uint64_t at = 0; at < 16 * MIB; at += 128 * KIB)
		for (uint64_t k = 0; k < 4; k++) {
			read.offset_bytes = k * 512 * MIB + at;
			plan = streams_note(&streams, &read);
		}
	assert_int_equal(plan.window_bytes, 3 * MIB);
	assert_true(plan.full);
	/* When three have ended, the one has all that it may. */
	for (uint64_t at = 16 * MIB; at < 48 * MIB; at += 128 * KIB) {
		read.offset_bytes = at;
		plan = streams_note(&streams, &read);
	}
	assert_int_equal(plan.window_bytes, 8 * MIB);
}

static void random_readers_get_nothing_ahead(void **state)
{
	struct streams streams = {0};
	unsigned ahead = 0;
	uint64_t seed = 42;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		struct stream_plan plan;

		seed =
		    seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		plan = note(
		    &streams, (seed >> 20) % (FILE_BYTES / 4096) * 4096, 4096);
		ahead += plan.sequential || plan.strides > 0;
	}
	assert_true(ahead <= 100);
}

static void equal_steps_are_foreseen(void **state)
{
	struct streams streams = {0};
	struct stream_plan plan = {0};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		plan = note(&streams, i * 3 * (uint64_t)MIB, 64 * KIB);
	assert_int_equal(plan.strides, 0);
	plan = note(&streams, 9 * (uint64_t)MIB, 64 * KIB);
	assert_int_equal(plan.strides, 2);
	assert_int_equal(plan.step_bytes, 3 * MIB);
	plan = note(&streams, 12 * (uint64_t)MIB, 64 * KIB);
	assert_int_equal(plan.strides, 4);
	for (unsigned i = 5; i < 20; i++)
		plan = note(&streams, i * 3 * (uint64_t)MIB, 64 * KIB);
	assert_int_equal(plan.strides, STREAM_STRIDES_MAX);
	plan = note(&streams, 7, 64 * KIB);
	assert_int_equal(plan.strides, 0);
}

static void a_window_ends_with_the_file(void **state)
{
	struct streams streams = {0};

	(void)state;
	for (uint64_t at = 0; at < 3 * MIB; at += 128 * KIB) {
		struct stream_plan plan = streams_note(&streams,
		    &(struct stream_read){
		        .offset_bytes = at,
		        .size_bytes = 128 * KIB,
		        .file_bytes = 3 * MIB,
		        .cap_bytes = 8 * MIB,
		    });

		assert_true(plan.until_bytes <= 3 * MIB);
	}
}

static void what_was_not_carried_out_is_planned_again(void **state)
{
	struct streams streams = {0};
	struct stream_plan plan = note(&streams, 0, 128 * KIB);

	(void)state;
	assert_true(plan.until_bytes > plan.from_bytes);
	streams_cut(&streams, &plan, plan.from_bytes);
	plan = note(&streams, 128 * KIB, 128 * KIB);
	assert_int_equal(plan.from_bytes, 256 * KIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_reader_from_the_start_gets_a_growing_window),
	    cmocka_unit_test(ahead_is_asked_for_in_long_pieces),
	    cmocka_unit_test(a_full_window_is_kept_full),
	    cmocka_unit_test(what_is_fetched_in_vain_is_in_proportion),
	    cmocka_unit_test(reads_out_of_order_stay_one_stream),
	    cmocka_unit_test(four_streams_in_one_file_are_told_apart),
	    cmocka_unit_test(streams_share_the_room_of_their_file),
	    cmocka_unit_test(random_readers_get_nothing_ahead),
	    cmocka_unit_test(equal_steps_are_foreseen),
	    cmocka_unit_test(a_window_ends_with_the_file),
	    cmocka_unit_test(what_was_not_carried_out_is_planned_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
