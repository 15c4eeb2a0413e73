/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/budget.c: what guesses may cost, and what pays for them. */
#include "cache/ahead/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KIB = 1024, MIB = 1024 * 1024, BLOCK = 64 * KIB, WHOLE = 0xffff };

static struct budget budget;

static int begin(void **state)
{
	(void)state;
	budget_init(&budget);
	return 0;
}

/* A reader waits for a block and is given `pages` of it. */
static void read_block(struct budget_file *file, uint16_t pages)
{
	struct budget_note note = {0};

	budget_ask(&budget, file, &note, BLOCK, false);
	(void)budget_use(&budget, file, &note, BLOCK, pages);
}

/* Guess as much as is allowed, by blocks. */
static uint64_t waste(struct budget_file *file)
{
	uint64_t bytes = 0;

	while (budget_may(&budget, file, BLOCK)) {
		struct budget_note note = {0};

		budget_ask(&budget, file, &note, BLOCK, true);
		bytes += BLOCK;
	}
	return bytes;
}

static void isolated_pages_pay_for_no_guess(void **state)
{
	struct budget_file file = {0};

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		read_block(&file, 1);
	for (unsigned i = 0; i < 1000; i++)
		read_block(&file, 0xff); /* half of it: that is 2 x already */
	assert_int_equal(file.balance_bytes, 0);
	assert_int_equal(waste(&file), BUDGET_FILE_BYTES);
}

static void what_is_read_whole_pays_for_as_much_again(void **state)
{
	struct budget_file file = {0};

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		read_block(&file, WHOLE);
	assert_int_equal(waste(&file), 100 * BLOCK + BUDGET_FILE_BYTES);
}

static void a_guess_that_is_read_has_cost_nothing(void **state)
{
	struct budget_file file = {0};
	struct budget_note note[100] = {0};

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		budget_ask(&budget, &file, &note[i], BLOCK, true);
	assert_int_equal(file.balance_bytes, -100 * BLOCK);
	/* One page: it would have been asked for all the same. */
	for (unsigned i = 0; i < 100; i++)
		(void)budget_use(&budget, &file, &note[i], BLOCK, 1);
	assert_int_equal(file.balance_bytes, 0);
	assert_int_equal(budget.left_bytes, BUDGET_MOUNT_BYTES);
	for (unsigned i = 0; i < 100; i++)
		(void)budget_use(&budget, &file, &note[i], BLOCK, WHOLE);
	assert_int_equal(file.balance_bytes, 100 * BLOCK);
}

static void a_gap_is_never_paid_back(void **state)
{
	struct budget_file file = {0};

	(void)state;
	budget_gap(&budget, &file, BLOCK);
	read_block(&file, WHOLE);
	assert_int_equal(file.balance_bytes, 0);
}

static void a_file_owes_so_much_and_not_a_byte_more(void **state)
{
	struct budget_file file = {0};

	(void)state;
	assert_true(budget_may(&budget, &file, BUDGET_FILE_BYTES));
	assert_false(budget_may(&budget, &file, BUDGET_FILE_BYTES + 1));
	assert_false(budget_may(&budget, &file, UINT64_MAX));
	assert_int_equal(waste(&file), BUDGET_FILE_BYTES);
	assert_false(budget_may(&budget, &file, 1));
	assert_true(budget_may(&budget, &file, 0));
}

/* Files that are read as nobody had foreseen. @return what that costs. */
static uint64_t waste_in_many(void)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct budget_file file = {0};

		bytes += waste(&file);
		/* It is closed; that it owes something stays. */
		budget_end(&budget, &file);
	}
	return bytes;
}

static void all_files_together_owe_what_the_mount_has(void **state)
{
	(void)state;
	assert_int_equal(waste_in_many(), BUDGET_MOUNT_BYTES);
}

static void what_a_file_has_earned_is_its_own(void **state)
{
	struct budget_file good = {0};

	(void)state;
	(void)waste_in_many();
	assert_false(budget_may(&budget, &good, 1));
	for (unsigned i = 0; i < 10; i++)
		read_block(&good, WHOLE);
	/* Others get nothing of it, */
	assert_int_equal(waste_in_many(), 0);
	assert_int_equal(waste(&good), 10 * BLOCK);
	/* until nobody can use it any more. */
	for (unsigned i = 0; i < 10; i++)
		read_block(&good, WHOLE);
	budget_end(&budget, &good);
	assert_int_equal(budget.left_bytes, 10 * BLOCK);
}

static void what_is_above_the_most_goes_to_all_up_to_a_bound(void **state)
{
	struct budget_file file = {0};

	(void)state;
	for (unsigned i = 0; i < (BUDGET_FILE_MAX_BYTES + 5 * MIB) / BLOCK; i++)
		read_block(&file, WHOLE);
	assert_int_equal(file.balance_bytes, BUDGET_FILE_MAX_BYTES);
	assert_int_equal(budget.left_bytes, BUDGET_MOUNT_BYTES + 5 * MIB);
	for (unsigned i = 0; i < 10000; i++)
		read_block(&file, WHOLE);
	assert_int_equal(file.balance_bytes, BUDGET_FILE_MAX_BYTES);
	assert_int_equal(budget.left_bytes, BUDGET_MOUNT_MAX_BYTES);
}

static void a_page_counts_once_and_the_last_one_as_long_as_it_is(void **state)
{
	struct budget_file file = {0};
	struct budget_note note = {0};

	(void)state;
	/* Not fetched: nothing counts. */
	assert_int_equal(budget_use(&budget, &file, &note, BLOCK, 3), 0);
	budget_ask(&budget, &file, &note, 8 * KIB + 100, false);
	assert_int_equal(
	    budget_use(&budget, &file, &note, 8 * KIB + 100, 1), 4096);
	assert_int_equal(
	    budget_use(&budget, &file, &note, 8 * KIB + 100, 1), 0);
	assert_int_equal(
	    budget_use(&budget, &file, &note, 8 * KIB + 100, 7), 4096 + 100);
	assert_int_equal(file.used_bytes, 8 * KIB + 100);
	/* All of it was read. */
	assert_int_equal(file.balance_bytes, 8 * KIB + 100);
	/* Fetched again, it was read again. */
	budget_ask(&budget, &file, &note, 8 * KIB + 100, false);
	assert_int_equal(
	    budget_use(&budget, &file, &note, 8 * KIB + 100, 4), 100);
}

static void what_does_not_come_is_not_paid_for(void **state)
{
	struct budget_file file = {0};
	struct budget_note note = {0};

	(void)state;
	budget_ask(&budget, &file, &note, BLOCK, true);
	budget_miss(&budget, &file, &note, BLOCK - 1000);
	assert_int_equal(file.balance_bytes, -1000);
	assert_int_equal(note.how, BUDGET_ELSE);
	/* Who waited was not charged. */
	budget_ask(&budget, &file, &note, BLOCK, false);
	budget_miss(&budget, &file, &note, BLOCK);
	assert_int_equal(file.balance_bytes, -1000);
	/* What was read before the rest failed pays for itself. */
	budget_ask(&budget, &file, &note, BLOCK, true);
	(void)budget_use(&budget, &file, &note, BLOCK, 1);
	budget_miss(&budget, &file, &note, 100);
	assert_int_equal(file.balance_bytes, -1000);
}

static void notes_are_found_again_and_bounded(void **state)
{
	static struct budget_file file[64];
	const uint64_t most = (uint64_t)BUDGET_CHUNKS_MAX * BUDGET_CHUNK_BLOCKS;
	struct budget_file huge = {0};
	struct budget_note *note;
	unsigned made = 0;

	(void)state;
	assert_null(budget_make(&budget, &huge, most + 1, 0));
	assert_null(budget_find(&huge, 0));
	for (unsigned i = 0; i < 64; i++)
		for (uint64_t at = 0; at < most; at += BUDGET_CHUNK_BLOCKS)
			made += budget_make(&budget, &file[i], most, at + i) !=
			    NULL;
	assert_true(budget.notes_bytes <= BUDGET_NOTES_MAX_BYTES);
	assert_true(budget.notes_bytes >
	    BUDGET_NOTES_MAX_BYTES - 2 * BUDGET_CHUNKS_MAX * sizeof(void *));
	assert_true(made > 4096);
	note = budget_find(&file[1], BUDGET_CHUNK_BLOCKS + 1);
	assert_non_null(note);
	note->pages = 7;
	assert_ptr_equal(
	    budget_make(&budget, &file[1], most, BUDGET_CHUNK_BLOCKS + 1),
	    note);
	for (unsigned i = 0; i < 64; i++)
		budget_end(&budget, &file[i]);
	assert_int_equal(budget.notes_bytes, 0);
	assert_non_null(budget_make(&budget, &huge, most, most - 1));
	assert_null(budget_find(&huge, 0));
	budget_end(&budget, &huge);
}

/* Whatever a reader does, and whatever is guessed as far as is allowed. */
static void the_bound_holds_for_any_order_of_things(void **state)
{
	enum { BLOCKS = 4096, STEPS = 200000 };
	static struct budget_note note[BLOCKS];
	struct budget_file file = {0};
	uint64_t seed = 7;
	int64_t fetched = 0;
	int64_t bound = BUDGET_FILE_BYTES;
	unsigned guesses = 0;

	(void)state;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i;

		seed =
		    seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		i = (unsigned)(seed >> 33) % BLOCKS;
		if (note[i].how != BUDGET_ELSE) {
			(void)budget_use(&budget, &file, &note[i], BLOCK,
			    (uint16_t)(1u << (seed >> 60)));
			continue;
		}
		if ((seed >> 32 & 1) != 0 && !budget_may(&budget, &file, BLOCK))
			continue;
		guesses += seed >> 32 & 1;
		budget_ask(
		    &budget, &file, &note[i], BLOCK, (seed >> 32 & 1) != 0);
		fetched += BLOCK;
	}
	assert_true(guesses > 100);
	for (unsigned i = 0; i < BLOCKS; i++) {
		int64_t used =
		    (int64_t)__builtin_popcount(note[i].pages) * 4 * KIB;

		bound += 2 * used > BLOCK                     ? 2 * used
		    : used > 0 || note[i].how == BUDGET_ASKED ? BLOCK
		                                              : 0;
	}
	assert_true(fetched <= bound);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
	    TEST(isolated_pages_pay_for_no_guess),
	    TEST(what_is_read_whole_pays_for_as_much_again),
	    TEST(a_guess_that_is_read_has_cost_nothing),
	    TEST(a_gap_is_never_paid_back),
	    TEST(a_file_owes_so_much_and_not_a_byte_more),
	    TEST(all_files_together_owe_what_the_mount_has),
	    TEST(what_a_file_has_earned_is_its_own),
	    TEST(what_is_above_the_most_goes_to_all_up_to_a_bound),
	    TEST(a_page_counts_once_and_the_last_one_as_long_as_it_is),
	    TEST(what_does_not_come_is_not_paid_for),
	    TEST(notes_are_found_again_and_bounded),
	    TEST(the_bound_holds_for_any_order_of_things),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
