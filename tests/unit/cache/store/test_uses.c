/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_uses.c - what is noted of packs: it comes back,
 * of that pack alone, and whatever happened to the file it is a hint at most.
 */
#include "cache/store/impl.h"
#include "cache/store/uses.h"
#include "tests/unit/cache/store/store_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { UNITS = FORMAT_USE_WORDS * 64, PACK = 70000 };

static struct bed bed;
static struct generation *generation;

static int set_up(void **state)
{
	(void)state;
	bed_init_in_memory(&bed, (uint64_t)8 << 20);
	generation = generation_get(bed.store);
	return generation == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	generation_put(bed.store, generation);
	bed_fini(&bed);
	return 0;
}

static bool is_nothing(uint64_t pack)
{
	struct uses uses;

	uses_read(generation, pack, &uses);
	return !uses.proven && uses_count(uses.used) == 0;
}

static void what_is_written_is_read(void **state)
{
	struct uses uses = {.proven = true, .used = {1, 0, UINT64_C(1) << 63}};
	struct uses found;

	(void)state;
	assert_true(is_nothing(PACK));
	uses_write(generation, PACK, &uses);
	uses_read(generation, PACK, &found);
	assert_true(found.proven);
	assert_memory_equal(found.used, uses.used, sizeof(uses.used));
	assert_int_equal(uses_count(found.used), 2);
}

static void uses_are_added(void **state)
{
	uint64_t more[FORMAT_USE_WORDS] = {6, 1};
	struct uses found;

	(void)state;
	uses_write(generation, PACK,
	    &(struct uses){.proven = true, .used = {3, 0, 4}});
	uses_add(generation, PACK, more);
	uses_read(generation, PACK, &found);
	assert_true(found.proven);
	assert_int_equal(found.used[0], 7);
	assert_int_equal(found.used[1], 1);
	assert_int_equal(found.used[2], 4);
	/* Of a pack that nothing is known of. */
	uses_add(generation, PACK + 1, more);
	uses_read(generation, PACK + 1, &found);
	assert_false(found.proven);
	assert_int_equal(uses_count(found.used), 3);
}

static void packs_of_one_slot_are_told_apart(void **state)
{
	struct uses found;

	(void)state;
	uses_write(generation, PACK, &(struct uses){.proven = true});
	assert_true(is_nothing(PACK + FORMAT_USE_SLOTS));
	uses_add(generation, PACK + FORMAT_USE_SLOTS,
	    (uint64_t[FORMAT_USE_WORDS]){1});
	uses_read(generation, PACK + FORMAT_USE_SLOTS, &found);
	assert_false(found.proven);
	assert_true(is_nothing(PACK));
}

static void the_hand_has_a_slot_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(uses_hand(generation), 0);
	uses_set_hand(generation, 12345);
	assert_int_equal(uses_hand(generation), 12345);
	uses_write(
	    generation, FORMAT_USE_SLOTS, &(struct uses){.proven = true});
	assert_true(is_nothing(FORMAT_USE_SLOTS));
	assert_int_equal(uses_hand(generation), 12345);
}

static void every_flipped_bit_makes_it_nothing(void **state)
{
	enum { SLOT = PACK % FORMAT_USE_SLOTS };
	uint64_t offset = (uint64_t)SLOT * sizeof(struct format_use);

	(void)state;
	for (unsigned bit = 0; bit < sizeof(struct format_use) * 8; bit++) {
		uint8_t byte;
		off_t at = (off_t)(offset + bit / 8);

		uses_write(generation, PACK,
		    &(struct uses){.proven = true, .used = {5}});
		assert_int_equal(pread(generation->uses_fd, &byte, 1, at), 1);
		byte ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(pwrite(generation->uses_fd, &byte, 1, at), 1);
		assert_true(is_nothing(PACK));
	}
}

static void units_are_of_64_kib(void **state)
{
	uint64_t used[FORMAT_USE_WORDS] = {0};

	(void)state;
	for (unsigned i = 0; i < UNITS; i++) {
		uint64_t start = (uint64_t)i * 65536;

		assert_false(uses_has(used, start));
		used[i / 64] |= UINT64_C(1) << i % 64;
		assert_true(uses_has(used, start));
		assert_true(uses_has(used, start + 65535));
		assert_false(uses_has(used, start + 65536));
		assert_int_equal(uses_count(used), i + 1);
	}
}

static void a_missing_file_notes_nothing(void **state)
{
	int fd = generation->uses_fd;

	(void)state;
	generation->uses_fd = -1;
	uses_write(generation, PACK, &(struct uses){.proven = true});
	uses_set_hand(generation, 5);
	assert_true(is_nothing(PACK));
	assert_int_equal(uses_hand(generation), 0);
	assert_int_equal(uses_disk_bytes(generation), 0);
	generation->uses_fd = fd;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(what_is_written_is_read),
	    TEST(uses_are_added),
	    TEST(packs_of_one_slot_are_told_apart),
	    TEST(the_hand_has_a_slot_of_its_own),
	    TEST(every_flipped_bit_makes_it_nothing),
	    cmocka_unit_test(units_are_of_64_kib),
	    TEST(a_missing_file_notes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
