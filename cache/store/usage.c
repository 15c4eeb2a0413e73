/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/usage.c - see usage.h.
 */
#include "cache/store/usage.h"

#include "cache/store/impl.h"
#include "cache/store/io.h"
#include "cache/store/pack.h"
#include "cache/store/uses.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
	RESERVE_PERCENT = 5, /* of the disk's bytes and inodes */
	PACKS_PER_CACHE = 256,
	/* A pack with less room than this is full: the largest record, with
	 * its head, has to fit. */
	LEAST_ROOM_BYTES = 128 * 1024,
	PACKS_MAX = 1 << 20, /* more files than any cache of ours has */
	/* Fewer, and those that are being written are most of them. */
	PACKS_FOR_CLASSES = 32,
};

uint64_t usage_pack_bytes(const struct store *store)
{
	uint64_t bytes = atomic_load(&store->bound_bytes) / PACKS_PER_CACHE;

	if (bytes < FORMAT_PACK_BYTES_MIN)
		return FORMAT_PACK_BYTES_MIN;
	if (bytes > FORMAT_PACK_BYTES_MAX)
		return FORMAT_PACK_BYTES_MAX;
	return bytes / STORE_PAGE_BYTES * STORE_PAGE_BYTES;
}

bool usage_has_classes(const struct store *store)
{
	return atomic_load(&store->bound_bytes) / usage_pack_bytes(store) >=
	    PACKS_FOR_CLASSES;
}

bool usage_is_unfinished(const struct store *store, uint64_t size_bytes)
{
	return size_bytes + LEAST_ROOM_BYTES <= usage_pack_bytes(store);
}

/* Packs as they are listed. */
struct listing_room {
	struct usage *usage;
	size_t room;
};

static int add_pack(void *arg, int dir_fd, const char *name)
{
	struct listing_room *list = arg;
	struct usage *usage = list->usage;
	uint64_t number = pack_number(name);
	struct stat stat;

	if (number == 0 ||
	    fstatat(dir_fd, name, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(stat.st_mode))
		return 0;
	if (usage->pack_count == PACKS_MAX)
		return -EOVERFLOW;
	if (usage->pack_count == list->room) {
		size_t more = list->room == 0 ? 256 : list->room * 2;
		struct usage_pack *packs =
		    realloc(usage->packs, more * sizeof(*packs));

		if (packs == NULL)
			return -ENOMEM;
		usage->packs = packs;
		list->room = more;
	}
	usage->packs[usage->pack_count++] = (struct usage_pack){
	    .number = number,
	    .size_bytes = (uint64_t)stat.st_size,
	    .disk_bytes = (uint64_t)stat.st_blocks * 512,
	};
	return 0;
}

/* The configured size, but never so much that less than the reserve of the
 * disk would be free. */
static void find_bound(const struct store *store, int fd, struct usage *usage)
{
	struct statvfs disk;
	uint64_t bound = store->config_bytes;

	if (fstatvfs(fd, &disk) == 0 && disk.f_blocks > 0) {
		uint64_t unit = disk.f_frsize;
		uint64_t free_bytes = (uint64_t)disk.f_bavail * unit;
		uint64_t reserve_bytes =
		    (uint64_t)disk.f_blocks * RESERVE_PERCENT / 100 * unit;
		uint64_t room = usage->disk_bytes + free_bytes;

		room = room > reserve_bytes ? room - reserve_bytes : 0;
		if (room < bound)
			bound = room;
		usage->inodes_low = disk.f_files > 0 &&
		    disk.f_favail < (disk.f_files * RESERVE_PERCENT + 99) / 100;
	}
	usage->bound_bytes = bound;
}

static uint64_t table_bytes(const struct table *table)
{
	return table->fd < 0 ? 0
	                     : (uint64_t)table->buckets * FORMAT_BUCKET_BYTES;
}

/* What they may come to occupy. */
static void add_reserved(const struct store *store, struct usage *usage)
{
	uint64_t pack_bytes = usage_pack_bytes(store);

	usage->reserved_bytes = usage->disk_bytes;
	for (size_t i = 0; i < usage->pack_count; i++) {
		struct usage_pack *pack = &usage->packs[i];

		pack->reserved_bytes = pack->disk_bytes;
		if (usage_is_unfinished(store, pack->size_bytes) &&
		    pack->disk_bytes < pack_bytes)
			pack->reserved_bytes = pack_bytes;
		usage->reserved_bytes +=
		    pack->reserved_bytes - pack->disk_bytes;
	}
}

int usage_count(
    struct store *store, struct generation *generation, struct usage *out)
{
	*out = (struct usage){.packs = NULL};

	struct listing_room list = {.usage = out};
	int code = io_each_name(generation->packs_fd, ".", add_pack, &list);

	if (code < 0)
		return code;
	for (unsigned i = 0; i < STORE_MAP_DIRECTORIES; i++)
		out->map_bytes += generation->map_bytes[i];
	out->disk_bytes = table_bytes(&generation->blocks) +
	    table_bytes(&generation->objects) + uses_disk_bytes(generation) +
	    out->map_bytes;
	for (size_t i = 0; i < out->pack_count; i++)
		out->disk_bytes += out->packs[i].disk_bytes;
	find_bound(store, generation->dir_fd, out);
	/* The size of a pack follows it. */
	atomic_store(&store->bound_bytes, out->bound_bytes);
	atomic_store(&store->used_bytes, out->disk_bytes);
	add_reserved(store, out);
	return 0;
}

void usage_fini(struct usage *usage)
{
	free(usage->packs);
	usage->packs = NULL;
	usage->pack_count = 0;
}
