/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_table.c - the tables on disk: found again what
 * was entered, the least used gives way, noise is nothing.
 */
#include "cache/store/table.h"
#include "tests/unit/cache/store/store_bed.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { BUCKETS = 4, ROOM = BUCKETS * FORMAT_BUCKET_ENTRIES };

static struct hash_secret secret;

struct table_bed {
	char dir[64];
	int dir_fd;
	struct table table;
};

static int set_up(void **state)
{
	static struct table_bed bed;

	(void)snprintf(bed.dir, sizeof(bed.dir), "/tmp/bearerfs-table-XXXXXX");
	assert_non_null(mkdtemp(bed.dir));
	bed.dir_fd = open(bed.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(bed.dir_fd >= 0);
	bed_fill(secret.bytes, sizeof(secret.bytes), 99, 0);
	bed.table = (struct table){.fd = -1,
	    .kind = TABLE_BLOCKS,
	    .buckets = BUCKETS,
	    .secret = &secret};
	assert_int_equal(table_open(&bed.table, bed.dir_fd, "t"), 0);
	*state = &bed;
	return 0;
}

static int tear_down(void **state)
{
	struct table_bed *bed = *state;

	table_close(&bed->table);
	(void)close(bed->dir_fd);
	bed_remove(bed->dir);
	return 0;
}

static struct table_entry entry_of(uint64_t seed)
{
	uint64_t random = seed;

	return (struct table_entry){
	    .key = {.low = bed_random(&random), .high = bed_random(&random)},
	    .place = {.pack = 1 + bed_random(&random) % 1000,
	        .offset_bytes = (uint32_t)(bed_random(&random) % (1 << 20)) *
	            FORMAT_UNIT_BYTES},
	    .extra = (uint32_t)bed_random(&random),
	};
}

static bool is_there(const struct table *table, const struct table_entry *want)
{
	struct table_entry found[TABLE_MATCHES_MAX];
	int count = table_find(table, want->key, found);

	assert_true(count >= 0 && count <= TABLE_MATCHES_MAX);
	for (int i = 0; i < count; i++) {
		if (found[i].place.pack == want->place.pack &&
		    found[i].place.offset_bytes == want->place.offset_bytes &&
		    found[i].extra == want->extra)
			return true;
	}
	return false;
}

static void at_half_load_all_is_found(void **state)
{
	struct table_bed *bed = *state;
	unsigned lost = 0;

	for (uint64_t i = 1; i <= ROOM / 2; i++) {
		struct table_entry entry = entry_of(i);

		assert_false(is_there(&bed->table, &entry));
		assert_int_equal(
		    table_insert(&bed->table, &entry, NULL, NULL), 0);
		assert_true(is_there(&bed->table, &entry));
	}
	for (uint64_t i = 1; i <= ROOM / 2; i++) {
		struct table_entry entry = entry_of(i);

		lost += !is_there(&bed->table, &entry);
	}
	assert_int_equal(lost, 0);
}

static void places_at_the_ends_of_their_ranges_survive(void **state)
{
	struct table_bed *bed = *state;
	static const struct place places[] = {
	    {.pack = 1, .offset_bytes = 0},
	    {.pack = 1, .offset_bytes = FORMAT_PACK_BYTES_MAX - 64},
	    {.pack = FORMAT_PACK_NUMBER_MAX, .offset_bytes = 0},
	    {.pack = FORMAT_PACK_NUMBER_MAX,
	        .offset_bytes = FORMAT_PACK_BYTES_MAX - 64},
	};

	for (unsigned i = 0; i < 4; i++) {
		struct table_entry entry = entry_of(i);

		entry.place = places[i];
		entry.extra = UINT32_MAX;
		assert_int_equal(
		    table_insert(&bed->table, &entry, NULL, NULL), 0);
		assert_true(is_there(&bed->table, &entry));
	}
}

static void an_entry_of_the_same_key_takes_the_place_of_the_old(void **state)
{
	struct table_bed *bed = *state;
	struct table_entry old = entry_of(1);
	struct table_entry new = entry_of(2);

	new.key = old.key;
	assert_int_equal(table_insert(&bed->table, &old, NULL, NULL), 0);
	assert_int_equal(table_insert(&bed->table, &new, NULL, NULL), 0);
	assert_true(is_there(&bed->table, &new));
	assert_false(is_there(&bed->table, &old));
}

static void what_is_used_outlives_what_is_not(void **state)
{
	struct table_bed *bed = *state;
	unsigned used_there = 0;
	unsigned others_there = 0;

	for (uint64_t i = 1; i <= 4 * ROOM; i++) {
		struct table_entry entry = entry_of(i);

		assert_int_equal(
		    table_insert(&bed->table, &entry, NULL, NULL), 0);
		/* The first hundred are used all the time. */
		for (uint64_t u = 1; u <= 100 && i % 16 == 0; u++) {
			struct table_entry used = entry_of(u);

			table_touch(&bed->table, &used);
		}
	}
	for (uint64_t i = 1; i <= 200; i++) {
		struct table_entry entry = entry_of(i);

		if (i <= 100)
			used_there += is_there(&bed->table, &entry);
		else
			others_there += is_there(&bed->table, &entry);
	}
	assert_true(used_there > 90);
	assert_true(others_there < 30);
}

/* Packs up to 500 are gone. */
static bool is_old(void *arg, uint64_t pack)
{
	(void)arg;
	return pack <= 500;
}

/* They tell for a while that something was here: the longer ago, the less. */
static void of_those_that_are_gone_the_oldest_gives_way(void **state)
{
	struct table_bed *bed = *state;
	unsigned young = 0;

	/* Packs 400 to 499 in any order, three times what there is room for;
	 * all are gone. */
	for (uint64_t i = 1; i <= 3 * ROOM; i++) {
		struct table_entry entry = entry_of(i);

		entry.place.pack = 400 + i * 37 % 100;
		assert_int_equal(
		    table_insert(&bed->table, &entry, is_old, NULL), 0);
	}
	/* A third of them are there: those of the youngest packs. */
	for (uint64_t i = 1; i <= 3 * ROOM; i++) {
		struct table_entry entry = entry_of(i);

		entry.place.pack = 400 + i * 37 % 100;
		young +=
		    entry.place.pack >= 470 && is_there(&bed->table, &entry);
	}
	assert_true(young > ROOM * 8 / 10);
}

static void entries_of_packs_that_are_gone_give_way_first(void **state)
{
	struct table_bed *bed = *state;
	unsigned live = 0;
	unsigned there = 0;

	/* Fill the table over and over with entries of which half are gone:
	 * the live ones are fewer than the room. */
	for (uint64_t i = 1; i <= 2 * ROOM; i++) {
		struct table_entry entry = entry_of(i);

		if (i > ROOM / 4)
			entry.place.pack = 1 + entry.place.pack % 500;
		else
			entry.place.pack = 501 + entry.place.pack % 500;
		assert_int_equal(
		    table_insert(&bed->table, &entry, is_old, NULL), 0);
	}
	for (uint64_t i = 1; i <= ROOM / 4; i++) {
		struct table_entry entry = entry_of(i);

		entry.place.pack = 501 + entry.place.pack % 500;
		live++;
		there += is_there(&bed->table, &entry);
	}
	assert_int_equal(there, live);
}

static void noise_is_found_by_nobody_and_gives_way(void **state)
{
	struct table_bed *bed = *state;
	uint8_t *noise = malloc((size_t)BUCKETS * FORMAT_BUCKET_BYTES);
	struct table_entry found[TABLE_MATCHES_MAX];
	unsigned there = 0;

	assert_non_null(noise);
	bed_fill(noise, (size_t)BUCKETS * FORMAT_BUCKET_BYTES, 5, 5);
	assert_int_equal(pwrite(bed->table.fd, noise,
	                     (size_t)BUCKETS * FORMAT_BUCKET_BYTES, 0),
	    BUCKETS * FORMAT_BUCKET_BYTES);
	/* The keys that stand there, with checks that do not. */
	for (unsigned i = 0; i < ROOM; i++) {
		struct format_entry raw;

		memcpy(&raw, noise + i * sizeof(raw), sizeof(raw));
		assert_int_equal(
		    table_find(&bed->table,
		        (struct hash128){.low = raw.key[0], .high = raw.key[1]},
		        found),
		    0);
	}
	for (uint64_t i = 1; i <= ROOM / 2; i++) {
		struct table_entry entry = entry_of(i);

		assert_int_equal(
		    table_insert(&bed->table, &entry, NULL, NULL), 0);
	}
	for (uint64_t i = 1; i <= ROOM / 2; i++) {
		struct table_entry entry = entry_of(i);

		there += is_there(&bed->table, &entry);
	}
	assert_int_equal(there, ROOM / 2);
	free(noise);
}

static void every_flipped_bit_of_an_entry_makes_it_a_miss(void **state)
{
	struct table_bed *bed = *state;
	struct table_entry entry = entry_of(3);
	uint8_t bytes[FORMAT_BUCKET_BYTES];
	off_t bucket = -1;
	unsigned slot = 0;

	assert_int_equal(table_insert(&bed->table, &entry, NULL, NULL), 0);
	for (unsigned b = 0; b < BUCKETS && bucket < 0; b++) {
		assert_int_equal(pread(bed->table.fd, bytes, sizeof(bytes),
		                     (off_t)b * FORMAT_BUCKET_BYTES),
		    sizeof(bytes));
		for (unsigned i = 0; i < sizeof(bytes); i++) {
			if (bytes[i] == 0)
				continue;
			bucket = (off_t)b * FORMAT_BUCKET_BYTES;
			slot = i / 32;
			break;
		}
	}
	assert_true(bucket >= 0);
	for (unsigned bit = 0; bit < 32 * 8; bit++) {
		uint8_t byte = bytes[slot * 32 + bit / 8];
		off_t at = bucket + slot * 32 + bit / 8;
		uint8_t wrong = (uint8_t)(byte ^ (1 << bit % 8));

		assert_int_equal(pwrite(bed->table.fd, &wrong, 1, at), 1);
		/* The low byte of the place is the use mark: no harm. */
		assert_int_equal(is_there(&bed->table, &entry),
		    bit / 8 == offsetof(struct format_entry, place));
		assert_int_equal(pwrite(bed->table.fd, &byte, 1, at), 1);
	}
	assert_true(is_there(&bed->table, &entry));
}

static void entries_of_one_table_are_nothing_in_the_other(void **state)
{
	struct table_bed *bed = *state;
	struct table other = bed->table;
	struct table_entry entry = entry_of(4);

	assert_int_equal(table_insert(&bed->table, &entry, NULL, NULL), 0);
	other.kind = TABLE_OBJECTS;
	assert_false(is_there(&other, &entry));
	assert_true(is_there(&bed->table, &entry));
}

static void a_larger_table_takes_over_what_was_in_a_smaller_one(void **state)
{
	struct table_bed *bed = *state;
	struct table larger = bed->table;

	for (uint64_t i = 1; i <= ROOM / 2; i++) {
		struct table_entry entry = entry_of(i);

		assert_int_equal(
		    table_insert(&bed->table, &entry, NULL, NULL), 0);
	}
	larger.fd = -1;
	larger.buckets = 11;
	assert_int_equal(table_open(&larger, bed->dir_fd, "larger"), 0);
	assert_int_equal(table_copy(&bed->table, &larger), 0);
	for (uint64_t i = 1; i <= ROOM / 2; i++) {
		struct table_entry entry = entry_of(i);

		assert_true(is_there(&larger, &entry));
	}
	table_close(&larger);
}

static void a_table_cut_short_is_lengthened_and_empty_there(void **state)
{
	struct table_bed *bed = *state;
	struct stat stat_;

	for (uint64_t i = 1; i <= ROOM / 4; i++) {
		struct table_entry entry = entry_of(i);

		assert_int_equal(
		    table_insert(&bed->table, &entry, NULL, NULL), 0);
	}
	/* While it is open: what is behind the end is not there. */
	assert_int_equal(ftruncate(bed->table.fd, 5000), 0);
	for (uint64_t i = 1; i <= ROOM / 4; i++) {
		struct table_entry entry = entry_of(i);

		(void)is_there(&bed->table, &entry);
		assert_int_equal(
		    table_insert(&bed->table, &entry, NULL, NULL), 0);
		assert_true(is_there(&bed->table, &entry));
	}
	table_close(&bed->table);
	assert_int_equal(table_open(&bed->table, bed->dir_fd, "t"), 0);
	assert_int_equal(fstat(bed->table.fd, &stat_), 0);
	assert_int_equal(stat_.st_size, BUCKETS * FORMAT_BUCKET_BYTES);
}

static void a_table_that_is_off_finds_and_keeps_nothing(void **state)
{
	struct table off = TABLE_INIT;
	struct table_entry entry = entry_of(5);

	(void)state;
	assert_false(is_there(&off, &entry));
	assert_int_equal(table_insert(&off, &entry, NULL, NULL), 0);
	table_touch(&off, &entry);
	assert_false(is_there(&off, &entry));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(at_half_load_all_is_found),
	    TEST(places_at_the_ends_of_their_ranges_survive),
	    TEST(an_entry_of_the_same_key_takes_the_place_of_the_old),
	    TEST(what_is_used_outlives_what_is_not),
	    TEST(of_those_that_are_gone_the_oldest_gives_way),
	    TEST(entries_of_packs_that_are_gone_give_way_first),
	    TEST(noise_is_found_by_nobody_and_gives_way),
	    TEST(every_flipped_bit_of_an_entry_makes_it_a_miss),
	    TEST(entries_of_one_table_are_nothing_in_the_other),
	    TEST(a_larger_table_takes_over_what_was_in_a_smaller_one),
	    TEST(a_table_cut_short_is_lengthened_and_empty_there),
	    TEST(a_table_that_is_off_finds_and_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
