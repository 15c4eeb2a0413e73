/* SPDX-License-Identifier: Apache-2.0 */
/* A version whose bytes are wrong is forgotten, by all who have it open. */
#include "tests/unit/cache/store/store_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
	MIB = 1024 * 1024,
	LARGE_BLOCKS = 200,
	LARGE = LARGE_BLOCKS * STORE_BLOCK_BYTES,
	SMALL = 1000,
};

static struct bed bed;

static int begin(void **state)
{
	(void)state;
	bed_init(&bed, 64 * MIB);
	return 0;
}

static int end(void **state)
{
	(void)state;
	bed_fini(&bed);
	return 0;
}

static void keep_again(
    struct store_object *object, uint64_t size_bytes, unsigned count)
{
	assert_int_equal(
	    bed_keep(bed.store, object, size_bytes, 2, 0, count), count);
	assert_int_equal(bed_load(&bed, object, size_bytes, 2, 0), 1);
	assert_int_equal(bed_load(&bed, object, size_bytes, 2, count - 1), 1);
}

static void forgotten_blocks_are_nowhere(
    uint64_t size_bytes, unsigned count, const char *name, const char *equal)
{
	struct store_object *object = bed_object(bed.store, name, size_bytes);
	struct store_object *other = bed_object(bed.store, equal, size_bytes);
	struct store *second = bed_second(&bed);
	struct store_object *theirs;
	bool have[1] = {true};

	assert_int_equal(
	    bed_keep(bed.store, object, size_bytes, 1, 0, count), count);
	assert_int_equal(
	    bed_keep(bed.store, other, size_bytes, 1, 0, count), count);
	theirs = bed_object(second, name, size_bytes);
	assert_int_equal(
	    store_probe(theirs, count - 1, 1, STORE_WAIT, have), 1);
	assert_true(have[0]);
	store_object_forget(object);
	assert_int_equal(store_object_blocks(object), 0);
	for (unsigned i = 0; i < count; i += 3)
		assert_int_equal(bed_load(&bed, object, size_bytes, 1, i), 0);
	if (count > 1) {
		assert_int_equal(
		    store_probe(theirs, count - 1, 1, STORE_WAIT, have), 1);
		assert_false(have[0]);
	}
	/* Another version with the same bytes has them all the same. */
	assert_int_equal(bed_load(&bed, other, size_bytes, 1, count - 1), 1);
	store_object_close(theirs);
	store_close(second);
	keep_again(object, size_bytes, count);
	store_object_close(other);
	store_object_close(object);
	/* On disk, too. */
	bed_reopen(&bed);
	object = bed_object(bed.store, name, size_bytes);
	assert_int_equal(bed_load(&bed, object, size_bytes, 2, 0), 1);
	store_object_forget(object);
	store_object_close(object);
	bed_reopen(&bed);
	object = bed_object(bed.store, name, size_bytes);
	assert_int_equal(bed_load(&bed, object, size_bytes, 2, 0), 0);
	assert_int_equal(store_object_blocks(object), 0);
	store_object_close(object);
}

static void a_large_version_is_forgotten(void **state)
{
	(void)state;
	forgotten_blocks_are_nowhere(LARGE, LARGE_BLOCKS, "/large", "/equal");
}

static void a_small_version_is_forgotten(void **state)
{
	(void)state;
	forgotten_blocks_are_nowhere(SMALL, 1, "/small", "/same");
}

static void what_is_not_here_is_forgotten_without_harm(void **state)
{
	struct store_object *object = bed_object(bed.store, "/none", LARGE);

	(void)state;
	store_object_forget(object);
	assert_int_equal(store_object_blocks(object), 0);
	store_object_close(object);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_large_version_is_forgotten),
	    TEST(a_small_version_is_forgotten),
	    TEST(what_is_not_here_is_forgotten_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
