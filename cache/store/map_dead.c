/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/map_dead.c - see map_dead.h.
 */
#include "cache/store/map_dead.h"

#include "base/clock.h"
#include "cache/store/impl.h"
#include "cache/store/io.h"
#include "cache/store/map.h"
#include "cache/store/record.h"
#include "cache/store/usage.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	YOUNG_S = 2,  /* its first block may be on its way */
	AT_ONCE = 64, /* entries */
	ENTRIES_MAX = 64 * 1024,
};

/* As much as a dead map can be asked: is its pack, or another one that it was
 * carried into, there? What its check says does not matter. */
static bool is_there(struct generation *generation,
    const struct format_map_entry *entry, size_t size_bytes)
{
	struct table_entry found[TABLE_MATCHES_MAX];
	uint64_t sums[FORMAT_PAGES];
	int count;

	if (!map_has(entry))
		return false;
	if (!pack_is_gone(generation, place_decode(entry->place).pack))
		return true;
	for (unsigned i = 0; i < FORMAT_PAGES; i++)
		sums[i] = le64toh(entry->sums[i]);
	count = table_find(&generation->blocks,
	    hash_address(generation->secret, sums, size_bytes), found);
	for (int i = 0; i < count; i++)
		if (!pack_is_gone(generation, found[i].place.pack))
			return true;
	return count < 0;
}

/* Bytes of a block of a file of that size; at least one, for any entry. */
static size_t block_bytes(uint64_t file_bytes, uint64_t index)
{
	uint64_t last = file_bytes / STORE_BLOCK_BYTES;

	return index == last && file_bytes % STORE_BLOCK_BYTES != 0
	    ? (size_t)(file_bytes % STORE_BLOCK_BYTES)
	    : STORE_BLOCK_BYTES;
}

static bool has_none(struct generation *generation, int fd)
{
	uint8_t bytes[HEAD_BYTES_MAX];
	struct format_map_entry entries[AT_ONCE];
	struct head head;
	ssize_t n = io_pread(fd, bytes, sizeof(bytes), 0);
	uint64_t start;

	if (n < 0)
		return false;
	/* What has no head holds nothing. */
	if (!head_parse(bytes, (size_t)n, &head))
		return true;
	start = round_up(head.bytes, FORMAT_MAP_ALIGN);
	for (uint64_t first = 0; first < ENTRIES_MAX; first += AT_ONCE) {
		n = io_pread(fd, entries, sizeof(entries),
		    start + first * sizeof(*entries));
		if (n < 0)
			return false;
		for (unsigned i = 0; i < (size_t)n / sizeof(*entries); i++)
			if (is_there(generation, &entries[i],
			        block_bytes(head.size_bytes, first + i)))
				return false;
		if ((size_t)n < sizeof(entries))
			return true;
	}
	return false;
}

bool map_is_dead(struct store *store, struct generation *generation, int dir_fd,
    const char *name, const struct stat *stat)
{
	int64_t young_ns =
	    ((int64_t)clock_wall_s(store->clock) - YOUNG_S) * 1000000000;
	bool dead;
	int fd;

	if (usage_time_ns(stat) > young_ns)
		return false;
	fd = openat(
	    dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	dead = has_none(generation, fd);
	(void)close(fd);
	return dead;
}
