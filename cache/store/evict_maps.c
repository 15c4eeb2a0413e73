/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/evict_maps.c - see evict_maps.h.
 */
#include "cache/store/evict_maps.h"

#include "cache/store/impl.h"
#include "cache/store/io.h"
#include "cache/store/map_dead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	AT_ONCE = 8,         /* directories looked at by evict_some_maps(), */
	AT_ONCE_MAPS = 2000, /* but no more when it were as many maps */
	SHARE = 16,          /* maps may take a 16th of the bound */
};

/* What is done with maps. */
struct walk {
	struct store *store; /* whose dead maps go; NULL: none do */
	struct generation *generation;
	int64_t cutoff_ns; /* those used before go */
	uint64_t bytes;    /* of those that stay */
	unsigned seen;
	bool tidy;      /* directories that are empty go as well */
	int64_t *times; /* of those that stay, when collected; malloc'ed */
	size_t count;
	size_t room;
	bool collect;
};

static void collect_time(struct walk *walk, int64_t used_ns)
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

static bool is_useless(const struct walk *walk, int dir_fd, const char *name,
    const struct stat *stat)
{
	return usage_time_ns(stat) < walk->cutoff_ns ||
	    (walk->store != NULL &&
	        map_is_dead(walk->store, walk->generation, dir_fd, name, stat));
}

static int walk_map(void *arg, int dir_fd, const char *name)
{
	struct walk *walk = arg;
	struct stat stat;

	if (fstatat(dir_fd, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	walk->seen++;
	/* What is no file is no map: it stands in the way of one. */
	if (!S_ISREG(stat.st_mode)) {
		(void)unlinkat(
		    dir_fd, name, S_ISDIR(stat.st_mode) ? AT_REMOVEDIR : 0);
		return 0;
	}
	if (is_useless(walk, dir_fd, name, &stat) &&
	    unlinkat(dir_fd, name, 0) == 0)
		return 0;
	walk->bytes += (uint64_t)stat.st_blocks * 512;
	if (walk->collect)
		collect_time(walk, usage_time_ns(&stat));
	return 0;
}

/* Walk one directory of maps; its bytes are noted. */
static void walk_directory(struct walk *walk, const char *name)
{
	unsigned long index = strtoul(name, NULL, 16);
	uint64_t before = walk->bytes;

	/* What cannot be listed counts as what could be. */
	(void)!io_each_name(walk->generation->maps_fd, name, walk_map, walk);
	/* Who makes a map makes its directory. */
	if (walk->tidy && walk->bytes == before)
		(void)unlinkat(walk->generation->maps_fd, name, AT_REMOVEDIR);
	walk->generation->map_bytes[index] = walk->bytes - before;
}

static int walk_if_directory(void *arg, int dir_fd, const char *name)
{
	(void)dir_fd;
	if (strlen(name) == 2 && strspn(name, "0123456789abcdef") == 2)
		walk_directory(arg, name);
	return 0;
}

static void walk_all(struct walk *walk)
{
	struct generation *generation = walk->generation;

	memset(generation->map_bytes, 0, sizeof(generation->map_bytes));
	(void)!io_each_name(generation->maps_fd, ".", walk_if_directory, walk);
}

void evict_count_maps(struct generation *generation)
{
	struct walk walk = {.generation = generation, .cutoff_ns = INT64_MIN};

	walk_all(&walk);
}

void evict_some_maps(struct store *store, struct generation *generation)
{
	struct walk walk = {.generation = generation, .cutoff_ns = INT64_MIN};

	for (unsigned i = 0; i < AT_ONCE && walk.seen < AT_ONCE_MAPS; i++) {
		char name[4];

		/* A directory is looked through once after packs went. */
		walk.store = generation->map_looks_due > 0 ? store : NULL;
		if (walk.store != NULL)
			generation->map_looks_due--;
		(void)snprintf(
		    name, sizeof(name), "%02x", generation->map_hand & 0xff);
		walk_directory(&walk, name);
		generation->map_hand =
		    (generation->map_hand + 1) % STORE_MAP_DIRECTORIES;
	}
}

void evict_dead_maps(struct store *store, struct generation *generation)
{
	struct walk walk = {
	    .store = store, .generation = generation, .cutoff_ns = INT64_MIN};

	walk_all(&walk);
}

static int compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

static uint64_t share_of(const struct usage *usage)
{
	return usage->bound_bytes / SHARE;
}

/* How many maps have to go for the others to take half their share. */
static size_t surplus(const struct walk *walk, const struct usage *usage)
{
	if (walk->count == 0)
		return 0;
	if (walk->bytes > share_of(usage)) {
		uint64_t each = walk->bytes / walk->count + 1;
		uint64_t stay = share_of(usage) / 2 / each;

		return stay < walk->count ? walk->count - (size_t)stay : 0;
	}
	return usage->inodes_low ? (walk->count + 1) / 2 : 0;
}

void evict_surplus_maps(
    struct store *store, struct generation *generation, struct usage *usage)
{
	struct walk walk = {.store = store,
	    .generation = generation,
	    .cutoff_ns = INT64_MIN,
	    .tidy = usage->inodes_low,
	    .collect = true};
	uint64_t before = usage->map_bytes;
	size_t gone;

	if (before <= share_of(usage) && !usage->inodes_low)
		return;
	walk_all(&walk);
	usage->map_bytes = walk.bytes;
	gone = surplus(&walk, usage);
	if (gone > 0) {
		struct walk again = {.generation = generation};

		qsort(
		    walk.times, walk.count, sizeof(*walk.times), compare_times);
		again.tidy = usage->inodes_low;
		/* With those of the same time, which may be all. */
		again.cutoff_ns = walk.times[gone - 1] + 1;
		walk_all(&again);
		usage->map_bytes = again.bytes;
	}
	free(walk.times);
	usage->reserved_bytes -= before;
	usage->reserved_bytes += usage->map_bytes;
}
