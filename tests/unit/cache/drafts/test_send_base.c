/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_send_base.c - files that keep parts of the
 * version that they began from: those are brought before they are sent.
 */
#include "tests/unit/cache/drafts/post.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	MIB = 1024 * 1024,
	BASE_BYTES = 5 * MIB + 1234,
	CHANGES = 200,
};

static struct desk desk;
static uint8_t *model;
static size_t model_bytes;

static int setup(void **state)
{
	(void)state;
	desk_init(&desk);
	model_bytes = BASE_BYTES;
	model = calloc(1, 2 * BASE_BYTES);
	assert_non_null(model);
	for (size_t i = 0; i < BASE_BYTES; i++)
		model[i] = bed_base_byte(i);
	(void)fake_put("/old", model, model_bytes);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_publish_reset();
	desk_fini(&desk);
	free(model);
	return 0;
}

static void expect_served(void)
{
	size_t size = 0;
	uint8_t *bytes = fake_get("/old", &size, NULL);

	assert_non_null(bytes);
	assert_int_equal(size, model_bytes);
	assert_memory_equal(bytes, model, size);
	free(bytes);
}

/* Write it here and in the model. */
static void put(struct draft *draft, size_t offset, const char *text)
{
	assert_int_equal(desk_write(draft, offset, text), (int)strlen(text));
	(void)memcpy(model + offset, text, strlen(text));
	if (offset + strlen(text) > model_bytes)
		model_bytes = offset + strlen(text);
}

static void flush_close(struct draft *draft)
{
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	expect_served();
}

static void what_nobody_wrote_is_the_servers(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	put(draft, 3 * MIB - 2, "over a border of steps");
	flush_close(draft);
	/* In steps of a megabyte. */
	assert_int_equal(fake_reads(), 6);
	assert_int_equal(fake_call(0).condition, FETCH_IF_SAME);
	assert_int_equal(fake_open_files(), 0);
	desk_stop(&desk);
}

static void what_is_here_is_not_read(void **state)
{
	struct draft *draft;
	char *text = malloc(3 * MIB + 1);

	(void)state;
	assert_non_null(text);
	(void)memset(text, 'x', 3 * MIB);
	text[3 * MIB] = '\0';
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	put(draft, MIB, text);
	flush_close(draft);
	/* The first, and two behind. */
	assert_int_equal(fake_reads(), 3);
	free(text);
	desk_stop(&desk);
}

static void holes_and_cuts_are_kept(void **state)
{
	struct draft *draft;

	(void)state;
	fake_cache_later();
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	/* Cut, and behind that zeros that are ours. */
	assert_int_equal(desk_truncate(draft, 2 * MIB + 7), 0);
	assert_int_equal(desk_truncate(draft, 4 * MIB), 0);
	(void)memset(model + 2 * MIB + 7, 0, BASE_BYTES);
	model_bytes = 4 * MIB;
	put(draft, 4 * MIB + 100, "behind the end");
	put(draft, 17, "in front");
	flush_close(draft);
	desk_stop(&desk);
}

static void many_small_changes(void **state)
{
	uint64_t random = 42;
	struct draft *draft;

	(void)state;
	fake_cache_later();
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	for (unsigned i = 0; i < CHANGES; i++)
		put(draft, bed_random(&random) % BASE_BYTES, "a change");
	flush_close(draft);
	/* Again, with what it has now as the base. */
	draft = desk_open(&desk, "/old", 0);
	for (unsigned i = 0; i < CHANGES; i++)
		put(draft, bed_random(&random) % BASE_BYTES, "another");
	flush_close(draft);
	desk_stop(&desk);
}

static void a_dense_pattern_is_read_once(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	for (unsigned i = 0; i < 3000; i++)
		put(draft, i * 64, "sixteen bytes it");
	flush_close(draft);
	assert_true(fake_reads() < 30);
	desk_stop(&desk);
}

/* After a crash what was brought has to be brought again. */
static void another_mount_brings_it(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	fake_publish_code(-EBUSY);
	draft = desk_open(&desk, "/old", 0);
	put(draft, MIB, "changed");
	assert_int_equal(desk_flush(&desk, draft), -EBUSY);
	desk_close(&desk, draft);
	desk_until_quiet(&desk);
	desk_stop(&desk);
	fake_publish_code(0);
	fake_cache_later();
	desk_start(&desk);
	desk_until_empty(&desk);
	expect_served();
	assert_int_equal(fake_open_files(), 0);
	desk_stop(&desk);
}

static void a_base_that_is_gone_is_a_conflict(void **state)
{
	struct draft *draft;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		desk_start(&desk);
		fake_publish_code(-EBUSY);
		draft = desk_open(&desk, "/old", 0);
		assert_int_equal(desk_write(draft, MIB, "changed"), 7);
		assert_int_equal(desk_flush(&desk, draft), -EBUSY);
		desk_close(&desk, draft);
		desk_until_quiet(&desk);
		desk_stop(&desk);
		fake_publish_code(0);
		if (i == 0)
			(void)fake_put("/old", "theirs", 6);
		else
			fake_remove("/old");
		desk_start(&desk);
		desk_until_quiet(&desk);
		desk_served("/old", i == 0 ? "theirs" : NULL);
		assert_int_equal(post_conflicts(&desk), 1);
		assert_int_equal(bed_count(&desk.bed, SPOOL_CONFLICT), i + 1);
		desk_stop(&desk);
		(void)fake_put("/old", model, model_bytes);
	}
}

static void no_room_for_it_is_a_failure_that_heals(void **state)
{
	struct draft *draft;

	(void)state;
	desk.bed.size_bytes = 4 * MIB;
	bed_again(&desk.bed);
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	put(draft, MIB, "changed");
	assert_int_equal(desk_flush(&desk, draft), -ENOSPC);
	post_expect_item(&desk, "/src/old", SPOOL_FAILED, -ENOSPC);
	assert_int_equal(fake_published(), 0);
	assert_int_equal(desk_truncate(draft, 2 * MIB), 0);
	model_bytes = 2 * MIB;
	flush_close(draft);
	desk_stop(&desk);
}

/* Nobody waits, and it is filled: the change is done, and no byte of the base
 * comes over it. */
static void it_gives_way_while_it_is_filled(void **state)
{
	struct draft *draft;

	(void)state;
	desk.back = true;
	fake_cache_later();
	desk_start(&desk);
	for (unsigned i = 0; i < 30; i++) {
		draft = desk_open(&desk, "/old", 0);
		put(draft, i * 1000, "first");
		assert_int_equal(desk_flush(&desk, draft), 0);
		put(draft, i * 1000 + 2, "second");
		assert_int_equal(desk_flush(&desk, draft), 0);
		put(draft, BASE_BYTES - 1000 + i, "third");
		desk_close(&desk, draft);
		desk_until_empty(&desk);
		expect_served();
	}
	desk_stop(&desk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(what_nobody_wrote_is_the_servers),
	    TEST(what_is_here_is_not_read),
	    TEST(holes_and_cuts_are_kept),
	    TEST(many_small_changes),
	    TEST(a_dense_pattern_is_read_once),
	    TEST(another_mount_brings_it),
	    TEST(a_base_that_is_gone_is_a_conflict),
	    TEST(no_room_for_it_is_a_failure_that_heals),
	    TEST(it_gives_way_while_it_is_filled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
