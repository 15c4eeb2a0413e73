/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store_carry.c - what is used outlives what is
 * not, wherever in a pack it lies: scans pass through, used blocks of packs
 * that go are carried over, found where they are now, and counted.
 */
#include "base/stats.h"
#include "cache/store/impl.h"
#include "cache/store/uses.h"
#include "tests/unit/cache/store/store_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MIB = 1024 * 1024,
	CACHE_MIB = 40, /* packs of a MiB: enough for two classes */
	FILE_BLOCKS = 8,
	FILE_BYTES = (FILE_BLOCKS - 1) * STORE_BLOCK_BYTES + 1000,
	SMALL_BYTES = 5000,
	SCAN = 1000, /* numbers of files that are read once */
};

static int set_up(void **state)
{
	static struct bed bed;

	bed_init_in_memory(&bed, (uint64_t)CACHE_MIB * MIB);
	*state = &bed;
	return 0;
}

static int tear_down(void **state)
{
	bed_fini(*state);
	return 0;
}

static struct store_object *open_file(
    struct store *store, unsigned i, uint64_t size_bytes)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "/f%u", i);
	return bed_object(store, name, size_bytes);
}

static unsigned keep_in(struct store *store, unsigned i, uint64_t size_bytes)
{
	struct store_object *object = open_file(store, i, size_bytes);
	unsigned blocks = (unsigned)((size_bytes + STORE_BLOCK_BYTES - 1) /
	    STORE_BLOCK_BYTES);
	unsigned kept = bed_keep(store, object, size_bytes, i, 0, blocks);

	store_object_close(object);
	return kept;
}

static void keep_file(struct bed *bed, unsigned i)
{
	assert_int_equal(keep_in(bed->store, i, FILE_BYTES), FILE_BLOCKS);
}

/* Blocks [first, end) of a file that are there. */
static unsigned load_part(
    struct bed *bed, unsigned i, unsigned first, unsigned end)
{
	struct store_object *object = open_file(bed->store, i, FILE_BYTES);
	unsigned there = 0;

	for (unsigned b = first; b < end; b++)
		there += (unsigned)bed_load(bed, object, FILE_BYTES, i, b);
	store_object_close(object);
	return there;
}

static unsigned load_file(struct bed *bed, unsigned i)
{
	return load_part(bed, i, 0, FILE_BLOCKS);
}

/* Files that nobody reads again, as much as `mib`; who keeps them evicts. */
static void scan_in_haste(struct bed *bed, unsigned mib)
{
	static unsigned next = SCAN;

	for (unsigned i = 0; i < mib * 2; i++)
		keep_file(bed, next++);
}

/* The same with time to tend the directory. */
static void scan(struct bed *bed, unsigned mib)
{
	for (unsigned i = 0; i < mib; i += 4) {
		scan_in_haste(bed, 4);
		bed_tend(bed);
	}
}

/* What was used is noted within ten seconds. */
static void note(struct bed *bed)
{
	atomic_fetch_add(&bed->clock.monotonic_ms, 10000);
	bed_tend(bed);
}

static void a_scan_leaves_what_is_used(void **state)
{
	enum { HOT = 40 }; /* half of the cache */
	struct bed *bed = *state;

	for (unsigned i = 0; i < HOT; i++)
		keep_file(bed, i);
	for (unsigned i = 0; i < HOT; i++)
		assert_int_equal(load_file(bed, i), FILE_BLOCKS);
	note(bed);
	/* Ten times the cache, and no use of the hot ones meanwhile. */
	scan(bed, 10 * CACHE_MIB);
	for (unsigned i = 0; i < HOT; i++)
		assert_int_equal(load_file(bed, i), FILE_BLOCKS);
	assert_true(bed_disk_bytes(bed->cache) <= bed->size_bytes);
}

/* What other files have as well is wanted, though nobody read it again. */
static void what_is_shared_is_used(void **state)
{
	struct bed *bed = *state;

	for (unsigned i = 0; i < 10; i++)
		keep_file(bed, i);
	for (unsigned i = 0; i < 10; i++) {
		struct store_object *copy =
		    open_file(bed->store, 100 + i, FILE_BYTES);

		assert_int_equal(
		    bed_keep(bed->store, copy, FILE_BYTES, i, 0, FILE_BLOCKS),
		    FILE_BLOCKS);
		store_object_close(copy);
	}
	note(bed);
	scan(bed, 3 * CACHE_MIB);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(load_file(bed, i), FILE_BLOCKS);
}

static void what_is_used_no_more_gives_way(void **state)
{
	enum { HOT = 60 };
	struct bed *bed = *state;
	unsigned there = 0;

	for (unsigned i = 0; i < HOT; i++)
		keep_file(bed, i);
	for (unsigned i = 0; i < HOT; i++)
		assert_int_equal(load_file(bed, i), FILE_BLOCKS);
	note(bed);
	/* Another set is used now, larger than the share of what is new. */
	for (unsigned round = 0; round < 6; round++) {
		for (unsigned i = 100; i < 100 + HOT; i++)
			if (load_file(bed, i) < FILE_BLOCKS)
				keep_file(bed, i);
		note(bed);
	}
	for (unsigned i = 100; i < 100 + HOT; i++)
		there += load_file(bed, i) == FILE_BLOCKS;
	assert_true(there > HOT * 9 / 10);
}

static void what_was_asked_for_again_is_proven(void **state)
{
	enum { HOT = 10 };
	struct bed *bed = *state;
	unsigned there = 0;

	for (unsigned i = 0; i < HOT; i++)
		keep_file(bed, i);
	scan(bed, CACHE_MIB * 6 / 5);
	for (unsigned i = 0; i < HOT; i++)
		assert_int_equal(load_file(bed, i), 0);
	/* Fetched a second time, and never read from here. */
	for (unsigned i = 0; i < HOT; i++)
		keep_file(bed, i);
	scan(bed, 4 * CACHE_MIB);
	for (unsigned i = 0; i < HOT; i++)
		there += load_file(bed, i) == FILE_BLOCKS;
	assert_int_equal(there, HOT);
}

/* Half of the files, a block of each, are used. */
static void check_used_blocks(
    struct bed *bed, void (*fill)(struct bed *bed, unsigned mib))
{
	enum { FILES = 60 };
	uint64_t carried = stats_get(STATS_cache_carried_bytes);
	uint64_t corrupt = stats_get(STATS_cache_corrupt_blocks);

	for (unsigned i = 0; i < FILES; i++)
		keep_file(bed, i);
	for (unsigned i = 0; i < FILES; i += 2)
		assert_int_equal(load_part(bed, i, 3, 4), 1);
	note(bed);
	fill(bed, 2 * CACHE_MIB);
	for (unsigned i = 0; i < FILES; i++) {
		assert_int_equal(load_part(bed, i, 3, 4), i % 2 == 0);
		assert_int_equal(load_part(bed, i, 0, 3), 0);
		assert_int_equal(load_part(bed, i, 4, FILE_BLOCKS), 0);
	}
	assert_true(stats_get(STATS_cache_carried_bytes) - carried >=
	    FILES / 2 * STORE_BLOCK_BYTES);
	assert_int_equal(stats_get(STATS_cache_corrupt_blocks), corrupt);
	/* The map was mended: found at once, and by others. */
	bed_reopen(bed);
	for (unsigned i = 0; i < FILES; i += 2)
		assert_int_equal(load_part(bed, i, 3, 4), 1);
}

static void used_blocks_of_packs_that_go_are_carried_over(void **state)
{
	check_used_blocks(*state, scan);
}

static void entries_of_a_batch_do_not_undo_those_of_eviction(void **state)
{
	/* The table is full: new entries take the places of old ones. */
	scan_in_haste(*state, 3 * CACHE_MIB);
	check_used_blocks(*state, scan_in_haste);
}

static bool is_proven(struct bed *bed, uint64_t pack)
{
	struct generation *generation = generation_get(bed->store);
	struct uses uses;

	uses_read(generation, pack, &uses);
	generation_put(bed->store, generation);
	return uses.proven;
}

static void each_class_goes_on_with_its_own_packs(void **state)
{
	struct bed *bed = *state;
	uint64_t pack;

	bed_carry_fill(bed);
	bed_evict(bed->store, (uint64_t)2 << 20);
	pack = bed->store->proven.pack;
	assert_true(pack != 0 && is_proven(bed, pack));
	/* Its writer has ended; it has room. */
	bed_reopen(bed);
	for (unsigned i = 0; i < 40; i++) {
		keep_file(bed, i);
		assert_true(bed->store->fresh.pack != pack);
		assert_false(is_proven(bed, bed->store->fresh.pack));
	}
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(load_part(bed, i, 0, 1), 1);
	bed_evict(bed->store, (uint64_t)2 << 20);
	assert_int_equal(bed->store->proven.pack, pack);
	assert_int_equal(bed_carry_check(bed, true), BED_CARRY_USED);
}

/* Neither by its writer nor by another one. */
static void a_pack_that_is_written_stays(void **state)
{
	struct bed *bed = *state;
	struct store *other = bed_second(bed);

	for (unsigned i = 0; i < 4; i++)
		keep_file(bed, i);
	/* Little of it is used: it would be carried over. */
	assert_int_equal(load_part(bed, 3, 0, 1), 1);
	note(bed);
	bed_evict(other, (uint64_t)10 << 20);
	bed_evict(bed->store, (uint64_t)10 << 20);
	store_close(other);
	assert_int_equal(load_part(bed, 0, 0, 1), 0);
	assert_int_equal(load_file(bed, 3), FILE_BLOCKS);
	keep_file(bed, 4);
	assert_int_equal(load_file(bed, 4), FILE_BLOCKS);
}

static void what_was_spared_has_a_whole_round(void **state)
{
	enum { HOT = 36, A_PACK = 900 * 1024 };
	struct bed *bed = *state;
	uint64_t gone = stats_get(STATS_cache_evicted_packs);

	/* Sixteen packs that were all used: twelve are proven, then, as
	 * nothing else is left, the first of them goes. */
	for (unsigned i = 0; i < HOT; i++)
		keep_file(bed, i);
	for (unsigned i = 0; i < HOT; i++)
		assert_int_equal(load_file(bed, i), FILE_BLOCKS);
	note(bed);
	bed_evict(bed->store, A_PACK);
	assert_int_equal(stats_get(STATS_cache_evicted_packs), gone + 1);
	assert_int_equal(load_part(bed, 0, 0, 1), 0);
	/* The second is used: the hand passes it, and goes on from there. */
	assert_int_equal(load_file(bed, 3), FILE_BLOCKS);
	note(bed);
	bed_evict(bed->store, A_PACK);
	bed_evict(bed->store, A_PACK);
	assert_int_equal(stats_get(STATS_cache_evicted_packs), gone + 3);
	assert_int_equal(load_file(bed, 3), FILE_BLOCKS);
	assert_int_equal(load_part(bed, 5, 0, 1), 0);
	assert_int_equal(load_part(bed, 7, 0, 1), 0);
}

static void rows_and_ends_of_files_are_carried_over(void **state)
{
	enum { FILES = 20, FILLERS = 3 };
	struct bed *bed = *state;
	unsigned next = 500;

	/* A pack: the last four blocks of one file, and fillers. */
	for (unsigned i = 0; i < FILES; i++) {
		keep_file(bed, i);
		for (unsigned k = 0; k < FILLERS; k++)
			keep_file(bed, next++);
	}
	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(load_part(bed, i, 5, FILE_BLOCKS), 3);
	note(bed);
	scan(bed, 2 * CACHE_MIB);
	for (unsigned i = 0; i < FILES; i++) {
		struct store_object *object =
		    open_file(bed->store, i, FILE_BYTES);

		assert_int_equal(store_object_blocks(object), 3);
		/* In one go, as they lie. */
		assert_int_equal(
		    store_load(object, 5, 3, STORE_WAIT, bed->buffers), 3);
		assert_int_equal(store_object_blocks(object), 3);
		store_object_close(object);
		assert_int_equal(load_part(bed, i, 5, FILE_BLOCKS), 3);
	}
}

static void pages_of_a_carried_block_are_found(void **state)
{
	struct bed *bed = *state;
	struct store_object *object;
	uint8_t expected[STORE_BLOCK_BYTES];

	keep_file(bed, 1);
	keep_file(bed, 2);
	object = open_file(bed->store, 1, FILE_BYTES);
	assert_int_equal(
	    store_load_pages(object, 2, 5000, 100, STORE_WAIT, bed->buffers[0]),
	    1);
	note(bed);
	scan(bed, 2 * CACHE_MIB);
	bed_fill(expected, sizeof(expected), 1, 2);
	/* Who must not wait is told so. */
	assert_int_equal(store_load_pages(object, 2, 5000, 100, STORE_NOWAIT,
	                     bed->buffers[0]),
	    -EAGAIN);
	assert_int_equal(
	    store_load_pages(object, 2, 5000, 100, STORE_WAIT, bed->buffers[0]),
	    1);
	assert_memory_equal(
	    (uint8_t *)bed->buffers[0] + 5000, expected + 5000, 100);
	assert_int_equal(
	    store_load_pages(object, 3, 5000, 100, STORE_WAIT, bed->buffers[0]),
	    0);
	store_object_close(object);
}

static bool load_small(struct bed *bed, unsigned i)
{
	struct store_object *object = open_file(bed->store, i, SMALL_BYTES);
	int there = bed_load(bed, object, SMALL_BYTES, i, 0);

	store_object_close(object);
	return there == 1;
}

static void small_files_are_carried_over(void **state)
{
	enum { FILES = 120, EACH = 12 }; /* a unit of a pack has as many */
	struct bed *bed = *state;
	struct store_object *open;
	unsigned others = 0;

	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(keep_in(bed->store, i, SMALL_BYTES), 1);
	/* In a unit of its own, at the pack's other end. */
	for (unsigned i = 0; i < FILES; i += 60)
		assert_true(load_small(bed, i));
	open = open_file(bed->store, 0, SMALL_BYTES);
	note(bed);
	scan(bed, 2 * CACHE_MIB);
	for (unsigned i = 0; i < FILES; i += 60)
		assert_true(load_small(bed, i));
	for (unsigned i = 0; i < FILES; i++)
		others += i % 60 != 0 && load_small(bed, i);
	assert_true(others < 3 * EACH);
	/* And by who had it open. */
	assert_int_equal(bed_load(bed, open, SMALL_BYTES, 0, 0), 1);
	store_object_close(open);
}

static void flip_a_byte_in_each_page(void *arg, const char *path)
{
	int fd;
	struct stat stat_;

	(void)arg;
	if (strstr(path, "/packs/") == NULL)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &stat_), 0);
	for (off_t at = 17; at < stat_.st_size; at += 4096) {
		uint8_t byte;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	(void)close(fd);
}

static void what_is_damaged_is_not_carried_over(void **state)
{
	enum { FILES = 20 };
	struct bed *bed = *state;
	uint64_t carried = stats_get(STATS_cache_carried_bytes);

	assert_int_equal(keep_in(bed->store, 100, SMALL_BYTES), 1);
	for (unsigned i = 0; i < FILES; i++)
		keep_file(bed, i);
	/* Not the last one, which has good blocks for neighbours. */
	for (unsigned i = 0; i < FILES - 1; i++)
		assert_int_equal(load_part(bed, i, 0, 1), 1);
	assert_true(load_small(bed, 100));
	note(bed);
	bed_each_file(bed->cache, flip_a_byte_in_each_page, NULL);
	scan(bed, 2 * CACHE_MIB);
	assert_int_equal(stats_get(STATS_cache_carried_bytes), carried);
	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(load_file(bed, i), 0);
	assert_false(load_small(bed, 100));
}

/* Uses that another mount noted count, whoever evicts. */
static void uses_of_all_mounts_count(void **state)
{
	enum { FILES = 20 };
	struct bed *bed = *state;
	struct store *other = bed_second(bed);

	for (unsigned i = 0; i < FILES; i++)
		keep_file(bed, i);
	for (unsigned i = 0; i < FILES; i++) {
		struct store_object *object = open_file(other, i, FILE_BYTES);

		for (unsigned b = 0; b < FILE_BLOCKS; b++)
			assert_int_equal(
			    bed_load(bed, object, FILE_BYTES, i, b), 1);
		store_object_close(object);
	}
	/* It ends without having been tended. */
	store_close(other);
	scan(bed, 4 * CACHE_MIB);
	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(load_file(bed, i), FILE_BLOCKS);
}

static void without_notes_it_goes_on(void **state)
{
	struct bed *bed = *state;
	char path[600];
	char name[64] = "";
	FILE *find;

	(void)snprintf(path, sizeof(path),
	    "find %s -name uses -exec sh -c 'rm \"$1\"; mkdir -p \"$1/x\"' - "
	    "{} ';' 2>/dev/null",
	    bed->cache);
	store_close(bed->store);
	find = popen(path, "re"); // NOLINT(cert-env33-c)
	assert_non_null(find);
	(void)!fgets(name, sizeof(name), find);
	(void)pclose(find);
	bed->store = bed_second(bed);
	for (unsigned i = 0; i < 10; i++)
		keep_file(bed, i);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(load_file(bed, i), FILE_BLOCKS);
	note(bed);
	scan(bed, 2 * CACHE_MIB);
	assert_int_equal(load_file(bed, 0), 0);
	assert_true(bed_disk_bytes(bed->cache) <= bed->size_bytes);
}

/* A process that evicts is killed: its lock is free, the bound holds, every
 * byte is right. */
static void a_killed_evictor_leaves_its_lock(void **state)
{
	struct bed *bed = *state;
	uint64_t random = 5;

	for (unsigned round = 0; round < 20; round++) {
		pid_t pid = fork();
		uint64_t evicted;
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			struct store *store = bed_second(bed);

			for (unsigned i = round * 5000;; i++)
				(void)keep_in(store, i, FILE_BYTES);
		}
		(void)usleep(20000 + (unsigned)(bed_random(&random) % 40000));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		evicted = stats_get(STATS_cache_evicted_packs);
		scan(bed, CACHE_MIB);
		if (round > 2)
			assert_true(
			    stats_get(STATS_cache_evicted_packs) > evicted);
		for (unsigned i = 0; i < 200; i++)
			(void)load_file(bed, round * 5000 + i);
		assert_true(bed_disk_bytes(bed->cache) <= bed->size_bytes);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_scan_leaves_what_is_used),
	    TEST(what_is_shared_is_used),
	    TEST(what_is_used_no_more_gives_way),
	    TEST(what_was_asked_for_again_is_proven),
	    TEST(used_blocks_of_packs_that_go_are_carried_over),
	    TEST(entries_of_a_batch_do_not_undo_those_of_eviction),
	    TEST(each_class_goes_on_with_its_own_packs),
	    TEST(a_pack_that_is_written_stays),
	    TEST(what_was_spared_has_a_whole_round),
	    TEST(rows_and_ends_of_files_are_carried_over),
	    TEST(pages_of_a_carried_block_are_found),
	    TEST(small_files_are_carried_over),
	    TEST(what_is_damaged_is_not_carried_over),
	    TEST(uses_of_all_mounts_count),
	    TEST(without_notes_it_goes_on),
	    TEST(a_killed_evictor_leaves_its_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
