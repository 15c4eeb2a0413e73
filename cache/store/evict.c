/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/evict.c - see evict.h.
 */
#include "cache/store/evict.h"

#include "base/log.h"
#include "base/stats.h"
#include "cache/store/evict_maps.h"
#include "cache/store/impl.h"
#include "cache/store/pack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* Recency on disk is coarse, of packs and of maps: a map younger than this
 * before the oldest pack may belong to it. */
static const int64_t slack_ns = (int64_t)2 * STORE_TOUCH_MS * 1000000;

static int compare_use(const void *a, const void *b)
{
	const struct usage_pack *left = a;
	const struct usage_pack *right = b;

	if (left->used_ns != right->used_ns)
		return left->used_ns < right->used_ns ? -1 : 1;
	return left->number < right->number ? -1 : left->number > right->number;
}

void evict_order(struct usage_pack packs[], size_t count)
{
	if (count > 0)
		qsort(packs, count, sizeof(*packs), compare_use);
}

/* Unlink a pack unless somebody writes it. */
static bool remove_pack(
    struct generation *generation, const struct usage_pack *pack)
{
	char name[PACK_NAME_BYTES];
	bool removed = false;

	pack_name(name, pack->number);

	int fd = openat(generation->packs_fd, name,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		removed = unlinkat(generation->packs_fd, name, 0) == 0;
	(void)close(fd);
	return removed;
}

/* Maps used before this belong to packs that are gone. */
static int64_t cutoff_of(const struct usage_pack packs[], size_t count)
{
	int64_t oldest = INT64_MAX;

	for (size_t i = 0; i < count; i++) {
		if (packs[i].used_ns < oldest)
			oldest = packs[i].used_ns;
	}
	return oldest == INT64_MAX ? INT64_MIN : oldest - slack_ns;
}

static void set_live(struct store *store, struct generation *generation,
    const struct usage_pack packs[], size_t count)
{
	uint64_t *numbers = NULL;

	if (count > 0) {
		numbers = calloc(count, sizeof(*numbers));
		if (numbers == NULL)
			return;
	}
	for (size_t i = 0; i < count; i++)
		numbers[i] = packs[i].number;
	packs_set_live(store, generation, numbers, count);
}

static bool is_high(const struct usage *usage, uint64_t need_bytes)
{
	return usage->inodes_low ||
	    usage->reserved_bytes + need_bytes >
	    usage->bound_bytes / 100 * EVICT_HIGH_PERCENT;
}

/* Unlink packs until no more than `target_bytes` are reserved; those that
 * stay are moved to the front. */
static size_t remove_packs(
    struct generation *generation, struct usage *usage, uint64_t target_bytes)
{
	uint64_t freed = 0;
	size_t kept = 0;

	evict_order(usage->packs, usage->pack_count);
	for (size_t i = 0; i < usage->pack_count; i++) {
		struct usage_pack pack = usage->packs[i];

		if (usage->reserved_bytes > target_bytes &&
		    remove_pack(generation, &pack)) {
			usage->reserved_bytes -= pack.reserved_bytes;
			freed += pack.disk_bytes;
		} else {
			usage->packs[kept++] = pack;
		}
	}
	stats_add(STATS_cache_evicted_bytes, (int64_t)freed);
	if (freed > 0)
		log_line(LOG_LEVEL_DEBUG, LOG_CACHE, "evicted",
		    "bytes=%llu packs=%zu", (unsigned long long)freed,
		    usage->pack_count - kept);
	return kept;
}

/* Below its lock: count, choose, unlink. Maps that take more than their
 * share go first, so that no pack goes for them. */
static void evict_locked(
    struct store *store, struct generation *generation, uint64_t need_bytes)
{
	struct usage usage;
	size_t kept;

	handles_tend(store, &generation->packs.handles);
	handles_tend(store, &generation->maps);
	if (usage_count(store, generation, &usage) < 0) {
		usage_fini(&usage);
		return;
	}
	kept = usage.pack_count;
	if (is_high(&usage, need_bytes)) {
		uint64_t low = usage.bound_bytes / 100 * EVICT_LOW_PERCENT;
		uint64_t maps = usage.map_bytes;

		evict_maps(generation, &usage, cutoff_of(usage.packs, kept));
		usage.reserved_bytes -= maps - usage.map_bytes;
		kept = remove_packs(generation, &usage,
		    low > need_bytes ? low - need_bytes : 0);
		evict_maps(generation, &usage, cutoff_of(usage.packs, kept));
	}
	set_live(store, generation, usage.packs, kept);
	usage_fini(&usage);
}

void evict_run(
    struct store *store, struct generation *generation, uint64_t need_bytes)
{
	/* While another evicts, or is stopped doing so, this process keeps
	 * nothing that has no reservation: the bound holds without us. */
	if (flock(generation->packs_fd, LOCK_EX | LOCK_NB) < 0)
		return;
	evict_locked(store, generation, need_bytes);
	(void)flock(generation->packs_fd, LOCK_UN);
}

size_t evict_tend(struct store *store, struct generation *generation)
{
	struct usage usage;
	size_t packs = 0;
	bool high = false;

	if (usage_count(store, generation, &usage) == 0) {
		packs = usage.pack_count;
		high = is_high(&usage, 0);
		set_live(store, generation, usage.packs, packs);
		evict_some_maps(generation, cutoff_of(usage.packs, packs));
	}
	usage_fini(&usage);
	if (high)
		evict_run(store, generation, 0);
	return packs;
}

void evict_after_maps(struct store *store, struct generation *generation)
{
	/* Maps have no reservation; between two counts they may make this
	 * much of the bound. */
	enum { UNSEEN_SHARE = 64 };
	struct usage usage;
	bool high;

	if (generation->made_bytes <
	    atomic_load(&store->bound_bytes) / UNSEEN_SHARE)
		return;
	generation->made_bytes = 0;
	high =
	    usage_count(store, generation, &usage) == 0 && is_high(&usage, 0);
	usage_fini(&usage);
	if (high)
		evict_run(store, generation, 0);
}
