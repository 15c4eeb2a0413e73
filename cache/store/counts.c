/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/counts.c - see counts.h.
 */
#include "cache/store/counts.h"

#include "base/clock.h"
#include "base/stats.h"
#include "cache/store/impl.h"
#include "cache/store/io.h"
#include "cache/store/upkeep.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const enum stats_counter counters[UPKEEP_COUNTS] = {
    [UPKEEP_MEMORY_HITS] = STATS_cache_memory_hits,
    [UPKEEP_DISK_HITS] = STATS_cache_disk_hits,
    [UPKEEP_MISSES] = STATS_cache_misses,
    [UPKEEP_KEPT_BLOCKS] = STATS_cache_kept_blocks,
    [UPKEEP_SHARED_BYTES] = STATS_cache_shared_bytes,
    [UPKEEP_EVICTED_PACKS] = STATS_cache_evicted_packs,
    [UPKEEP_EVICTED_BYTES] = STATS_cache_evicted_bytes,
    [UPKEEP_CORRUPT_BLOCKS] = STATS_cache_corrupt_blocks,
};
static_assert(UPKEEP_COUNTS <= (int)FORMAT_COUNTS, "room for more");

static uint64_t check_of(const struct format_counts *file)
{
	return htole64(hash_plain(file, offsetof(struct format_counts, check)));
}

static bool read_file(int fd, struct format_counts *out)
{
	return io_pread(fd, out, sizeof(*out), 0) == sizeof(*out) &&
	    out->check == check_of(out);
}

void counts_begin(struct store *store)
{
	for (unsigned i = 0; i < UPKEEP_COUNTS; i++)
		store->counted[i] = stats_get(counters[i]);
}

/* Below the file's lock. */
static void add(struct store *store, int fd, const uint64_t now[])
{
	struct format_counts file;

	if (!read_file(fd, &file))
		file = (struct format_counts){
		    .since_s = htole64(clock_wall_s(store->clock))};
	for (unsigned i = 0; i < UPKEEP_COUNTS; i++)
		file.counts[i] = htole64(
		    le64toh(file.counts[i]) + now[i] - store->counted[i]);
	file.check = check_of(&file);
	/* What cannot be written now is added the next time. */
	if (io_pwrite(fd, &file, sizeof(file), 0) == 0)
		memcpy(store->counted, now, UPKEEP_COUNTS * sizeof(*now));
}

void counts_note(struct store *store, const struct generation *generation)
{
	uint64_t now[UPKEEP_COUNTS];
	bool more = false;
	int fd;

	for (unsigned i = 0; i < UPKEEP_COUNTS; i++) {
		now[i] = stats_get(counters[i]);
		more = more || now[i] != store->counted[i];
	}
	if (!more)
		return;
	fd = openat(generation->dir_fd, "counts",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		add(store, fd, now);
	(void)close(fd);
}

void counts_read(const struct generation *generation, struct upkeep_counts *out)
{
	struct format_counts file;
	int fd = openat(generation->dir_fd, "counts",
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*out = (struct upkeep_counts){.since_s = 0};
	if (fd < 0)
		return;
	if (read_file(fd, &file)) {
		out->since_s = le64toh(file.since_s);
		for (unsigned i = 0; i < UPKEEP_COUNTS; i++)
			out->values[i] = le64toh(file.counts[i]);
	}
	(void)close(fd);
}
