/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store_model.c - random operations on two stores
 * of one directory against a trivial model in memory, eviction included.
 *
 * The model knows what each block of each version holds, and what was kept
 * since something was last evicted or could have been lost. What a store
 * gives must be those bytes; what cannot have gone must be there.
 *
 * BEARERFS_SEED and BEARERFS_STEPS choose another walk, or a longer one.
 */
#include "base/stats.h"
#include "cache/store/hash.h"
#include "tests/unit/cache/store/store_bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

enum {
	STORES = 2,
	BLOCKS_MAX = 20,
	STEPS = 100 * 1000,
	VERSIONS_MAX = 240,
	CONTENTS_MAX = 61,
};

/* How large the world is. */
struct scale {
	unsigned versions;
	unsigned contents; /* versions share them: equal blocks */
	uint64_t cache_bytes;
};

static const struct scale small_scale = {
    .versions = 60, .contents = 13, .cache_bytes = 8 << 20};
/* With packs of two classes, and blocks that are carried over. */
static const struct scale large_scale = {
    .versions = 240, .contents = 61, .cache_bytes = 34 << 20};

struct version {
	char name[16];
	uint64_t size_bytes;
	unsigned blocks;
	unsigned content;
	struct store_object *open[STORES];
	/* must be there for this store: kept through it, nothing evicted */
	bool sure[STORES][BLOCKS_MAX];
};

struct model {
	const struct scale *scale;
	struct bed bed;
	struct store *stores[STORES];
	struct version versions[VERSIONS_MAX];
	uint8_t *contents[CONTENTS_MAX]; /* BLOCKS_MAX blocks each */
	uint64_t random;
	uint64_t evicted;
	uint64_t hits;
	uint64_t misses;
};

/* Collisions on demand: the address of a block, cut to few bits. */
static unsigned address_bits = 128;

struct hash128 __real_hash_address(const struct hash_secret *secret,
    const uint64_t sums[FORMAT_PAGES], size_t size_bytes);
struct hash128 __wrap_hash_address(const struct hash_secret *secret,
    const uint64_t sums[FORMAT_PAGES], size_t size_bytes);

struct hash128 __wrap_hash_address(const struct hash_secret *secret,
    const uint64_t sums[FORMAT_PAGES], size_t size_bytes)
{
	struct hash128 hash = __real_hash_address(secret, sums, size_bytes);

	if (address_bits == 128)
		return hash;
	hash.low &= (UINT64_C(1) << address_bits) - 1;
	hash.high = 0;
	return hash;
}

/* The same for keys of versions. */
static unsigned key_bits = 128;

struct hash128 __real_hash_key(
    const struct hash_secret *secret, const void *head, size_t size_bytes);
struct hash128 __wrap_hash_key(
    const struct hash_secret *secret, const void *head, size_t size_bytes);

struct hash128 __wrap_hash_key(
    const struct hash_secret *secret, const void *head, size_t size_bytes)
{
	struct hash128 hash = __real_hash_key(secret, head, size_bytes);

	if (key_bits == 128)
		return hash;
	hash.low &= (UINT64_C(1) << key_bits) - 1;
	hash.high = 0;
	return hash;
}

static uint64_t pick(struct model *model, uint64_t range)
{
	return bed_random(&model->random) % range;
}

static size_t part_of(const struct version *version, uint64_t index)
{
	uint64_t left = version->size_bytes - index * STORE_BLOCK_BYTES;

	return left < STORE_BLOCK_BYTES ? (size_t)left : STORE_BLOCK_BYTES;
}

static const uint8_t *bytes_of(
    const struct model *model, const struct version *version, uint64_t index)
{
	return model->contents[version->content] + index * STORE_BLOCK_BYTES;
}

static void forget_all(struct model *model)
{
	for (unsigned i = 0; i < model->scale->versions; i++)
		memset(model->versions[i].sure, 0,
		    sizeof(model->versions[i].sure));
}

/* After an eviction nothing is sure. */
static bool note_eviction(struct model *model)
{
	uint64_t evicted = stats_get(STATS_cache_evicted_bytes);
	bool seen = evicted != model->evicted;

	if (seen)
		forget_all(model);
	model->evicted = evicted;
	return seen;
}

static struct store_object *open_version(
    struct model *model, struct version *version, unsigned store)
{
	if (version->open[store] == NULL)
		version->open[store] = bed_object(
		    model->stores[store], version->name, version->size_bytes);
	return version->open[store];
}

static void close_version(struct version *version, unsigned store)
{
	store_object_close(version->open[store]);
	version->open[store] = NULL;
}

static void do_keep(
    struct model *model, struct version *version, unsigned store)
{
	struct store_object *object = open_version(model, version, store);
	struct store_block blocks[BLOCKS_MAX];
	unsigned first = (unsigned)pick(model, version->blocks);
	unsigned count = 1 + (unsigned)pick(model, version->blocks - first);
	uint64_t corrupt = stats_get(STATS_cache_corrupt_blocks);

	if (pick(model, 4) != 0 && count > 3)
		count = 1 + (unsigned)pick(model, 3);
	for (unsigned i = 0; i < count; i++)
		blocks[i] = (struct store_block){.object = object,
		    .index = first + i,
		    .bytes = bytes_of(model, version, first + i),
		    .size_bytes = part_of(version, first + i)};

	unsigned kept = store_keep(model->stores[store], blocks, count);
	/* What the call itself evicted may be what it shared. */
	bool calm = !note_eviction(model);

	assert_int_equal(stats_get(STATS_cache_corrupt_blocks), corrupt);
	/* With colliding keys versions take each other's place. */
	if (key_bits == 128 && kept == count && calm) {
		for (unsigned i = 0; i < count; i++)
			version->sure[store][first + i] = true;
	}
}

static void check_bytes(struct model *model, struct version *version,
    uint64_t index, const void *buffer, size_t start, size_t size_bytes)
{
	assert_memory_equal((const uint8_t *)buffer + start,
	    bytes_of(model, version, index) + start, size_bytes);
	model->hits++;
}

static void do_load(
    struct model *model, struct version *version, unsigned store)
{
	struct store_object *object = open_version(model, version, store);
	unsigned first = (unsigned)pick(model, version->blocks);
	unsigned count = 1 + (unsigned)pick(model, STORE_RUN_BLOCKS);
	enum store_how how = pick(model, 3) == 0 ? STORE_NOWAIT : STORE_WAIT;

	if (count > version->blocks - first)
		count = version->blocks - first;

	int loaded = store_load(object, first, count, how, model->bed.buffers);

	if (loaded == -EAGAIN) {
		assert_int_equal(how, STORE_NOWAIT);
		return;
	}
	assert_true(loaded >= 0 && loaded <= (int)count);
	for (unsigned i = 0; i < (unsigned)loaded; i++)
		check_bytes(model, version, first + i, model->bed.buffers[i], 0,
		    part_of(version, first + i));
	if ((unsigned)loaded < count && how == STORE_WAIT) {
		assert_false(version->sure[store][first + (unsigned)loaded]);
		model->misses++;
	}
}

static void do_pages(
    struct model *model, struct version *version, unsigned store)
{
	struct store_object *object = open_version(model, version, store);
	uint64_t index = pick(model, version->blocks);
	size_t part = part_of(version, index);
	size_t start = (size_t)pick(model, part);
	size_t count = 1 + (size_t)pick(model, part - start);
	enum store_how how = pick(model, 3) == 0 ? STORE_NOWAIT : STORE_WAIT;
	int loaded = store_load_pages(
	    object, index, start, count, how, model->bed.buffers[0]);

	if (loaded == 1)
		check_bytes(
		    model, version, index, model->bed.buffers[0], start, count);
	else if (how == STORE_WAIT)
		assert_false(version->sure[store][index]);
	else
		assert_true(loaded == 0 || loaded == -EAGAIN);
}

static void do_probe(
    struct model *model, struct version *version, unsigned store)
{
	struct store_object *object = open_version(model, version, store);
	bool have[STORE_RUN_BLOCKS];
	unsigned first = (unsigned)pick(model, version->blocks);
	int count =
	    store_probe(object, first, STORE_RUN_BLOCKS, STORE_WAIT, have);

	assert_int_equal(count, STORE_RUN_BLOCKS);
	for (unsigned i = 0; i < STORE_RUN_BLOCKS; i++) {
		if (first + i >= version->blocks)
			assert_false(have[i]);
		else if (version->sure[store][first + i])
			assert_true(have[i]);
	}
}

static void do_tend(struct model *model, unsigned store)
{
	atomic_fetch_add(
	    &model->bed.clock.monotonic_ms, 100 + pick(model, 3000));
	store_tend(model->stores[store]);
	(void)note_eviction(model);
	/* Bound: packs, maps and tables of one directory. */
	assert_true(
	    bed_disk_bytes(model->bed.cache) <= model->scale->cache_bytes);
}

static void do_reopen(struct model *model, unsigned store)
{
	for (unsigned i = 0; i < model->scale->versions; i++) {
		close_version(&model->versions[i], store);
		/* A small file is found by its table, which may lose it. */
		memset(model->versions[i].sure[store], 0,
		    sizeof(model->versions[i].sure[store]));
	}
	store_close(model->stores[store]);
	model->stores[store] = bed_second(&model->bed);
}

static void step(struct model *model)
{
	struct version *version =
	    &model->versions[pick(model, model->scale->versions)];
	unsigned store = (unsigned)pick(model, STORES);

	switch (pick(model, 64)) {
	case 0:
		do_tend(model, store);
		break;
	case 1:
		close_version(version, store);
		memset(version->sure[store], 0, sizeof(version->sure[store]));
		break;
	case 2:
		if (pick(model, 20) == 0)
			do_reopen(model, store);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		do_probe(model, version, store);
		break;
	default:
		switch (pick(model, 4)) {
		case 0:
			do_keep(model, version, store);
			break;
		case 1:
			do_pages(model, version, store);
			break;
		default:
			do_load(model, version, store);
			break;
		}
		break;
	}
}

static void make_versions(struct model *model)
{
	static const uint64_t sizes[] = {1, 100, 5000, 65535, 65536, 65537,
	    2 * 65536, 5 * 65536 + 4096, 9 * 65536 + 1, 20 * 65536};

	for (unsigned i = 0; i < model->scale->contents; i++) {
		model->contents[i] = aligned_alloc(
		    STORE_PAGE_BYTES, BLOCKS_MAX * STORE_BLOCK_BYTES);
		assert_non_null(model->contents[i]);
		for (unsigned b = 0; b < BLOCKS_MAX; b++)
			/* Content 0 is the same block again and again. */
			bed_fill(
			    model->contents[i] + (size_t)b * STORE_BLOCK_BYTES,
			    STORE_BLOCK_BYTES, i, i == 0 ? 0 : b);
	}
	for (unsigned i = 0; i < model->scale->versions; i++) {
		struct version *version = &model->versions[i];

		(void)snprintf(version->name, sizeof(version->name), "/v%u", i);
		version->size_bytes =
		    sizes[i % (sizeof(sizes) / sizeof(*sizes))];
		version->blocks =
		    (unsigned)((version->size_bytes + STORE_BLOCK_BYTES - 1) /
		        STORE_BLOCK_BYTES);
		version->content = i % model->scale->contents;
	}
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name); // NOLINT(concurrency-mt-unsafe)

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void walk(const struct scale *scale, unsigned steps)
{
	struct model *model = calloc(1, sizeof(*model));
	uint64_t seed = number_from("BEARERFS_SEED", (uint64_t)time(NULL));
	uint64_t corrupt = stats_get(STATS_cache_corrupt_blocks);

	assert_non_null(model);
	print_message("BEARERFS_SEED=%llu\n", (unsigned long long)seed);
	model->scale = scale;
	model->random = seed;
	model->evicted = stats_get(STATS_cache_evicted_bytes);
	bed_init_in_memory(&model->bed, scale->cache_bytes);
	model->stores[0] = model->bed.store;
	model->stores[1] = bed_second(&model->bed);
	make_versions(model);
	for (unsigned i = 0; i < steps; i++)
		step(model);
	print_message("hits %llu misses %llu evicted %llu shared %llu\n",
	    (unsigned long long)model->hits, (unsigned long long)model->misses,
	    (unsigned long long)model->evicted,
	    (unsigned long long)stats_get(STATS_cache_shared_bytes));
	assert_true(model->hits > 0 && model->misses > 0);
	/* Nothing was damaged, so nothing may be taken for damaged. Colliding
	 * versions write into each other's maps. */
	if (key_bits == 128)
		assert_int_equal(
		    stats_get(STATS_cache_corrupt_blocks), corrupt);
	for (unsigned i = 0; i < model->scale->versions; i++) {
		close_version(&model->versions[i], 0);
		close_version(&model->versions[i], 1);
	}
	for (unsigned i = 0; i < model->scale->contents; i++)
		free(model->contents[i]);
	model->bed.store = model->stores[0];
	store_close(model->stores[1]);
	bed_fini(&model->bed);
	free(model);
}

static void a_store_is_what_the_model_says(void **state)
{
	(void)state;
	address_bits = key_bits = 128;
	walk(&small_scale, (unsigned)number_from("BEARERFS_STEPS", STEPS));
}

static void a_store_with_classes_is_what_the_model_says(void **state)
{
	uint64_t carried = stats_get(STATS_cache_carried_bytes);

	(void)state;
	address_bits = key_bits = 128;
	walk(&large_scale, (unsigned)number_from("BEARERFS_STEPS", STEPS) / 2);
	assert_true(stats_get(STATS_cache_carried_bytes) > carried);
}

static void colliding_blocks_are_never_taken_for_equal(void **state)
{
	(void)state;
	key_bits = 128;
	for (address_bits = 0; address_bits <= 6; address_bits += 3)
		walk(&small_scale, STEPS / 20);
	address_bits = 128;
}

/* Where one of them has moved it is told from the others by its birth. */
static void colliding_blocks_that_move_are_told_apart(void **state)
{
	uint64_t carried = stats_get(STATS_cache_carried_bytes);

	(void)state;
	key_bits = 128;
	address_bits = 5;
	walk(&large_scale, STEPS / 10);
	address_bits = 128;
	assert_true(stats_get(STATS_cache_carried_bytes) > carried);
}

static void colliding_versions_are_never_taken_for_each_other(void **state)
{
	(void)state;
	address_bits = 128;
	for (key_bits = 0; key_bits <= 4; key_bits += 2)
		walk(&small_scale, STEPS / 20);
	key_bits = 128;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_store_is_what_the_model_says),
	    cmocka_unit_test(a_store_with_classes_is_what_the_model_says),
	    cmocka_unit_test(colliding_blocks_are_never_taken_for_equal),
	    cmocka_unit_test(colliding_blocks_that_move_are_told_apart),
	    cmocka_unit_test(colliding_versions_are_never_taken_for_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
