/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/store_bed.c - see store_bed.h.
 */
#include "tests/unit/cache/store/store_bed.h"

#include "cache/store/evict.h"
#include "cache/store/impl.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct store *open_store(struct bed *bed)
{
	struct store_config config = {.clock = &bed->clock,
	    .dir = bed->cache,
	    .size_bytes = bed->size_bytes};
	struct err err = ERR_INIT;
	struct store *store = NULL;

	if (store_open(&store, &config, &err) < 0)
		fail_msg("%s", err.text);
	return store;
}

static void init_in(struct bed *bed, const char *place, uint64_t size_bytes)
{
	*bed =
	    (struct bed){.clock = {.hand_driven = 1}, .size_bytes = size_bytes};
	atomic_store(&bed->clock.monotonic_ms, 1000 * 1000);
	atomic_store(&bed->clock.wall_s, (uint64_t)time(NULL));
	(void)snprintf(
	    bed->dir, sizeof(bed->dir), "%s/bearerfs-store-XXXXXX", place);
	assert_non_null(mkdtemp(bed->dir));
	(void)snprintf(
	    bed->cache, sizeof(bed->cache), "%.240s/cache", bed->dir);
	for (unsigned i = 0; i < STORE_RUN_BLOCKS; i++) {
		bed->buffers[i] =
		    aligned_alloc(STORE_PAGE_BYTES, STORE_BLOCK_BYTES);
		assert_non_null(bed->buffers[i]);
	}
	bed->store = open_store(bed);
}

void bed_init(struct bed *bed, uint64_t size_bytes)
{
	const char *tmp = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe)

	init_in(bed, tmp != NULL ? tmp : "/tmp", size_bytes);
}

void bed_init_in_memory(struct bed *bed, uint64_t size_bytes)
{
	struct statvfs disk;

	if (statvfs("/dev/shm", &disk) == 0 && access("/dev/shm", W_OK) == 0 &&
	    (uint64_t)disk.f_bavail * disk.f_frsize > 8 * size_bytes)
		init_in(bed, "/dev/shm", size_bytes);
	else
		bed_init(bed, size_bytes);
}

void bed_fini(struct bed *bed)
{
	store_close(bed->store);
	for (unsigned i = 0; i < STORE_RUN_BLOCKS; i++)
		free(bed->buffers[i]);
	bed_remove(bed->dir);
}

void bed_reopen(struct bed *bed)
{
	store_close(bed->store);
	bed->store = open_store(bed);
}

struct store *bed_second(struct bed *bed)
{
	return open_store(bed);
}

void bed_tend(struct bed *bed)
{
	atomic_fetch_add(&bed->clock.monotonic_ms, 2000);
	atomic_fetch_add(&bed->clock.wall_s, 2);
	store_tend(bed->store);
}

struct store_object *bed_object(
    struct store *store, const char *name, uint64_t size_bytes)
{
	struct store_identity identity = {.origin = "https://o.example:443",
	    .path = name,
	    .size_bytes = size_bytes,
	    .mtime_s = 1,
	    .etag = ""};
	struct store_object *object = NULL;

	assert_int_equal(store_object_open(store, &identity, &object), 0);
	return object;
}

uint64_t bed_random(uint64_t *state)
{
	/* splitmix64, public domain, by Sebastiano Vigna. */
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void bed_fill(void *out, size_t size_bytes, uint64_t seed, uint64_t index)
{
	uint64_t state = seed * 0x100000001b3 + index;
	uint8_t *at = out;

	while (size_bytes > 0) {
		uint64_t word = bed_random(&state);
		size_t part =
		    size_bytes < sizeof(word) ? size_bytes : sizeof(word);

		memcpy(at, &word, part);
		at += part;
		size_bytes -= part;
	}
}

static size_t block_bytes(uint64_t size_bytes, uint64_t index)
{
	uint64_t left = size_bytes - index * STORE_BLOCK_BYTES;

	return left < STORE_BLOCK_BYTES ? (size_t)left : STORE_BLOCK_BYTES;
}

unsigned bed_keep(struct store *store, struct store_object *object,
    uint64_t size_bytes, uint64_t seed, uint64_t first, unsigned count)
{
	struct store_block *blocks = calloc(count, sizeof(*blocks));
	uint8_t *bytes =
	    aligned_alloc(STORE_PAGE_BYTES, (size_t)count * STORE_BLOCK_BYTES);
	unsigned kept;

	assert_non_null(blocks);
	assert_non_null(bytes);
	for (unsigned i = 0; i < count; i++) {
		uint8_t *at = bytes + (size_t)i * STORE_BLOCK_BYTES;
		size_t part = block_bytes(size_bytes, first + i);

		bed_fill(at, part, seed, first + i);
		blocks[i] = (struct store_block){.object = object,
		    .index = first + i,
		    .bytes = at,
		    .size_bytes = part};
	}
	kept = store_keep(store, blocks, count);
	free(blocks);
	free(bytes);
	return kept;
}

int bed_load(struct bed *bed, struct store_object *object, uint64_t size_bytes,
    uint64_t seed, uint64_t index)
{
	static uint8_t expected[STORE_BLOCK_BYTES];
	size_t part = block_bytes(size_bytes, index);
	int loaded = store_load(object, index, 1, STORE_WAIT, bed->buffers);

	assert_true(loaded == 0 || loaded == 1);
	if (loaded == 1) {
		bed_fill(expected, part, seed, index);
		assert_memory_equal(bed->buffers[0], expected, part);
	}
	return loaded;
}

enum {
	CARRY_FILES = 4,
	CARRY_BLOCKS = 16,
	CARRY_FILE_BYTES = CARRY_BLOCKS * STORE_BLOCK_BYTES - 3000,
	CARRY_SMALLS = 8,
	CARRY_SMALL_BYTES = 20000,
};

static struct store_object *carry_object(
    struct store *store, unsigned i, uint64_t size_bytes)
{
	char name[24];

	(void)snprintf(name, sizeof(name), "/carry%u", i);
	return bed_object(store, name, size_bytes);
}

void bed_carry_fill(struct bed *bed)
{
	for (unsigned i = 0; i < CARRY_FILES + CARRY_SMALLS; i++) {
		bool small = i >= CARRY_FILES;
		uint64_t size_bytes =
		    small ? CARRY_SMALL_BYTES : CARRY_FILE_BYTES;
		struct store_object *object =
		    carry_object(bed->store, i, size_bytes);
		unsigned count = small ? 1 : CARRY_BLOCKS;

		assert_int_equal(
		    bed_keep(bed->store, object, size_bytes, i, 0, count),
		    count);
		store_object_close(object);
	}
	/* The small ones and the last file's end lie in the pack that is
	 * written. */
	bed_reopen(bed);
	assert_int_equal(bed_carry_check(bed, true), BED_CARRY_USED);
	bed_reopen(bed);
}

void bed_evict(struct store *store, uint64_t bytes)
{
	struct generation *generation = generation_get(store);

	assert_non_null(generation);
	evict_by(store, generation, bytes);
	generation_put(store, generation);
}

unsigned bed_carry_check(struct bed *bed, bool used)
{
	unsigned there = 0;

	for (unsigned i = 0; i < CARRY_FILES; i++) {
		struct store_object *object =
		    carry_object(bed->store, i, CARRY_FILE_BYTES);

		for (unsigned b = 0; b < CARRY_BLOCKS; b++)
			if (!used || (i < 3 && b % 8 == 7))
				there += (unsigned)bed_load(
				    bed, object, CARRY_FILE_BYTES, i, b);
		store_object_close(object);
	}
	for (unsigned i = CARRY_FILES; i < CARRY_FILES + CARRY_SMALLS; i++) {
		struct store_object *object =
		    carry_object(bed->store, i, CARRY_SMALL_BYTES);

		if (!used || i % 4 == 3)
			there += (unsigned)bed_load(
			    bed, object, CARRY_SMALL_BYTES, i, 0);
		store_object_close(object);
	}
	return there;
}

static int remove_one(
    const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

void bed_remove(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* nftw(3) has no argument of its own: one walk at a time. */
static void (*walk_each)(void *arg, const char *file);
static void *walk_arg;

static int visit(
    const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)ftw;
	if (type == FTW_F)
		walk_each(walk_arg, path);
	return 0;
}

void bed_each_file(
    const char *path, void (*each)(void *arg, const char *file), void *arg)
{
	walk_each = each;
	walk_arg = arg;
	assert_int_equal(nftw(path, visit, 16, FTW_PHYS), 0);
}

static void add_bytes(void *arg, const char *file)
{
	struct stat stat_;

	if (stat(file, &stat_) == 0)
		*(uint64_t *)arg += (uint64_t)stat_.st_blocks * 512;
}

uint64_t bed_disk_bytes(const char *path)
{
	uint64_t bytes = 0;

	bed_each_file(path, add_bytes, &bytes);
	return bytes;
}

static void read_whole(void *arg, const char *file)
{
	static char bytes[65536];
	FILE *stream = fopen(file, "re");

	(void)arg;
	assert_non_null(stream);
	while (fread(bytes, 1, sizeof(bytes), stream) == sizeof(bytes))
		;
	(void)fclose(stream);
}

void bed_warm(const char *path)
{
	bed_each_file(path, read_whole, NULL);
}
