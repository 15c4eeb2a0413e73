/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/evict.c - see evict.h.
 */
#include "cache/evict.h"

#include "base/log.h"
#include "base/stats.h"
#include "cache/pack.h"
#include "cache/store_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAPS_AT_ONCE = 8, /* directories of maps looked at each second */
	MAPS_SHARE = 16,  /* maps may take a 16th of the bound */
};

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

/* What is done with the maps of a directory. */
struct map_walk {
	int64_t cutoff_ns; /* those used before go */
	uint64_t bytes;    /* of those that stay */
	int64_t *times;    /* of those that stay, when collected; malloc'ed */
	size_t count;
	size_t room;
	bool collect;
};

static void collect_time(struct map_walk *walk, int64_t used_ns)
{
	if (walk->count == walk->room) {
		size_t more = walk->room == 0 ? 1024 : walk->room * 2;
		int64_t *times = realloc(walk->times, more * sizeof(*times));

		/* Those that are known are enough to choose a time from. */
		if (times == NULL)
			return;
		walk->times = times;
		walk->room = more;
	}
	walk->times[walk->count++] = used_ns;
}

static void walk_map(struct map_walk *walk, int dir_fd, const char *name)
{
	struct stat stat;
	int64_t used_ns;

	if (fstatat(dir_fd, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	/* What is no file is no map: it stands in the way of one. */
	if (!S_ISREG(stat.st_mode)) {
		(void)unlinkat(
		    dir_fd, name, S_ISDIR(stat.st_mode) ? AT_REMOVEDIR : 0);
		return;
	}
	used_ns =
	    (int64_t)stat.st_mtim.tv_sec * 1000000000 + stat.st_mtim.tv_nsec;
	if (used_ns < walk->cutoff_ns && unlinkat(dir_fd, name, 0) == 0)
		return;
	walk->bytes += (uint64_t)stat.st_blocks * 512;
	if (walk->collect)
		collect_time(walk, used_ns);
}

/* Walk maps/<hex of index>; its bytes are noted. */
static void walk_directory(
    struct generation *generation, unsigned index, struct map_walk *walk)
{
	char name[4];
	struct dirent *entry;
	uint64_t before = walk->bytes;

	(void)snprintf(name, sizeof(name), "%02x", index & 0xff);

	int fd = openat(generation->maps_fd, name,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		else if (errno == ENOTDIR || errno == ELOOP)
			(void)unlinkat(generation->maps_fd, name, 0);
		generation->map_bytes[index] = 0;
		return;
	}
	/* The stream is this thread's alone. */
	while (
	    (entry = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			walk_map(walk, fd, entry->d_name);
	}
	(void)closedir(dir);
	generation->map_bytes[index] = walk->bytes - before;
}

static void walk_all(struct generation *generation, struct map_walk *walk)
{
	for (unsigned i = 0; i < STORE_MAP_DIRECTORIES; i++)
		walk_directory(generation, i, walk);
}

void evict_count_maps(struct generation *generation)
{
	struct map_walk walk = {.cutoff_ns = INT64_MIN};

	walk_all(generation, &walk);
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

static int compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

/* The maps of a full cache: those of packs that are gone; and, when maps
 * take more than their share or inodes are few, the older half. */
static void trim_maps(
    struct generation *generation, const struct usage *usage, int64_t cutoff_ns)
{
	struct map_walk walk = {.cutoff_ns = cutoff_ns, .collect = true};

	walk_all(generation, &walk);
	if (walk.count > 1 &&
	    (walk.bytes > usage->bound_bytes / MAPS_SHARE ||
	        usage->inodes_low)) {
		struct map_walk again = {.collect = false};

		qsort(
		    walk.times, walk.count, sizeof(*walk.times), compare_times);
		again.cutoff_ns = walk.times[walk.count / 2];
		walk_all(generation, &again);
	}
	free(walk.times);
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

/* Below its lock: count, choose, unlink. */
static void evict_locked(
    struct store *store, struct generation *generation, uint64_t need_bytes)
{
	struct usage usage;
	uint64_t freed = 0;

	handles_tend(store, &generation->packs.handles);
	handles_tend(store, &generation->maps);
	if (usage_count(store, generation, &usage) < 0) {
		usage_fini(&usage);
		return;
	}

	uint64_t low = usage.bound_bytes / 100 * EVICT_LOW_PERCENT;
	uint64_t target = low > need_bytes ? low - need_bytes : 0;

	if (is_high(&usage, need_bytes)) {
		size_t count = usage.pack_count;
		size_t kept = 0;

		evict_order(usage.packs, count);
		for (size_t i = 0; i < count; i++) {
			struct usage_pack pack = usage.packs[i];

			if (usage.reserved_bytes > freed + target &&
			    remove_pack(generation, &pack))
				freed += pack.disk_bytes;
			else
				usage.packs[kept++] = pack;
		}
		set_live(store, generation, usage.packs, kept);
		trim_maps(generation, &usage, cutoff_of(usage.packs, kept));
		stats_add(STATS_cache_evicted_bytes, (int64_t)freed);
		if (freed > 0)
			log_line(LOG_LEVEL_DEBUG, LOG_CACHE, "evicted",
			    "bytes=%llu packs=%zu", (unsigned long long)freed,
			    count - kept);
	} else {
		set_live(store, generation, usage.packs, usage.pack_count);
	}
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
		struct map_walk walk = {
		    .cutoff_ns = cutoff_of(usage.packs, usage.pack_count)};

		packs = usage.pack_count;
		high = is_high(&usage, 0);
		set_live(store, generation, usage.packs, packs);
		for (unsigned i = 0; i < MAPS_AT_ONCE; i++) {
			walk_directory(generation, generation->map_hand, &walk);
			generation->map_hand =
			    (generation->map_hand + 1) % STORE_MAP_DIRECTORIES;
		}
	}
	usage_fini(&usage);
	if (high)
		evict_run(store, generation, 0);
	return packs;
}
