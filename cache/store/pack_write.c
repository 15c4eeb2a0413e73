/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/pack_write.c - see pack_write.h.
 *
 * Locks are flock(2) on descriptors opened here (never inherited: close on
 * exec, and the daemon opens its store after it detached): a killed process
 * lets go of them.
 */
#include "cache/store/pack_write.h"

#include "base/clock.h"
#include "cache/store/evict.h"
#include "cache/store/impl.h"
#include "cache/store/io.h"
#include "cache/store/usage.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	LOCK_TRIES = 20, /* of a millisecond: a reservation takes less */
	RETRY_MS = 250,  /* after a failure */
	/* Less than the writer's queue of the cache takes at 1 GB/s. */
	WHILE_US = 20 * 1000,
	CACHED_VECTORS = 2, /* blocks of 64 KiB in one write */
};

static int lock_directory(int fd)
{
	struct timespec pause = {.tv_nsec = 1000000};

	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		(void)nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

static uint64_t next_check(const struct format_next *next)
{
	return htole64(hash_plain(&next->number, sizeof(next->number)));
}

/* The number of the next pack. When the file is lost, numbers go on from a
 * random place: none is given out twice. */
static uint64_t read_next(int fd, const struct usage *usage)
{
	struct format_next next;
	uint64_t number = 0;

	if (io_pread(fd, &next, sizeof(next), 0) == sizeof(next) &&
	    next.check == next_check(&next))
		number = le64toh(next.number);
	if (number == 0 || number > FORMAT_PACK_NUMBER_MAX)
		number = usage->pack_count == 0
		    ? 1 + clock_jitter(1 << 20)
		    : 1 + clock_jitter(FORMAT_PACK_NUMBER_MAX / 2);
	for (size_t i = 0; i < usage->pack_count; i++) {
		if (usage->packs[i].number >= number)
			number = usage->packs[i].number + 1;
	}
	return number;
}

static int write_next(int fd, uint64_t number)
{
	struct format_next next = {.number = htole64(number)};

	next.check = next_check(&next);
	return io_pwrite(fd, &next, sizeof(next), 0);
}

/* A locked pack becomes the one that is appended to. */
static void take_pack(struct store *store, struct generation *generation,
    int fd, uint64_t number, uint64_t offset_bytes)
{
	struct appender *appender = &store->appender;
	char name[PACK_NAME_BYTES];

	pack_name(name, number);
	appender->fd = fd;
	appender->pack = number;
	appender->offset_bytes = (uint32_t)offset_bytes;
	appender->direct_fd = -1;
	if (!atomic_load_explicit(
	        &generation->packs.direct_refused, memory_order_relaxed))
		appender->direct_fd = openat(generation->packs_fd, name,
		    O_WRONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);
}

/* Make and lock a new pack. The number is noted first: one that is lost is
 * no harm, one that is used twice would be. */
static int make_pack(struct store *store, struct generation *generation,
    const struct usage *usage)
{
	char name[PACK_NAME_BYTES];
	int next_fd = openat(generation->dir_fd, "next",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (next_fd < 0)
		return -errno;

	uint64_t number = read_next(next_fd, usage);
	int code = number > FORMAT_PACK_NUMBER_MAX
	    ? -EOVERFLOW
	    : write_next(next_fd, number + 1);

	(void)close(next_fd);
	if (code < 0)
		return code;
	pack_name(name, number);

	int fd = openat(generation->packs_fd, name,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		code = -errno;
		(void)close(fd);
		return code;
	}
	take_pack(store, generation, fd, number, 0);
	return 0;
}

/* Take a pack that nobody writes any more. */
static bool adopt(struct store *store, struct generation *generation,
    const struct usage_pack *pack)
{
	char name[PACK_NAME_BYTES];
	struct stat stat;

	pack_name(name, pack->number);

	int fd = openat(generation->packs_fd, name,
	    O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return false;
	/* Its size counts once it is ours; an unlinked one is no use. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &stat) < 0 ||
	    !S_ISREG(stat.st_mode) || stat.st_nlink == 0 ||
	    !usage_is_unfinished(store, (uint64_t)stat.st_size)) {
		(void)close(fd);
		return false;
	}
	take_pack(store, generation, fd, pack->number,
	    round_up((uint64_t)stat.st_size, STORE_PAGE_BYTES));
	return true;
}

static int adopt_or_make(struct store *store, struct generation *generation,
    const struct usage *usage)
{
	if (usage->reserved_bytes > usage->bound_bytes || usage->inodes_low)
		return -ENOSPC;
	for (size_t i = 0; i < usage->pack_count; i++) {
		const struct usage_pack *pack = &usage->packs[i];

		if (pack->number != store->appender.spoilt &&
		    usage_is_unfinished(store, pack->size_bytes) &&
		    adopt(store, generation, pack))
			return 0;
	}
	if (usage->bound_bytes - usage->reserved_bytes <
	    usage_pack_bytes(store))
		return -ENOSPC;
	return make_pack(store, generation, usage);
}

static int reserve(struct store *store, struct generation *generation)
{
	struct usage usage;
	int code = lock_directory(generation->dir_fd);

	if (code < 0)
		return code;
	code = usage_count(store, generation, &usage);
	if (code == 0)
		code = adopt_or_make(store, generation, &usage);
	usage_fini(&usage);
	(void)flock(generation->dir_fd, LOCK_UN);
	return code;
}

size_t append_left(const struct store *store)
{
	uint64_t pack_bytes = usage_pack_bytes(store);

	return store->appender.fd < 0 ||
	        store->appender.offset_bytes >= pack_bytes
	    ? 0
	    : (size_t)(pack_bytes - store->appender.offset_bytes);
}

int append_room(
    struct store *store, struct generation *generation, size_t size_bytes)
{
	struct appender *appender = &store->appender;
	uint64_t now_ms = clock_now_ms(store->clock);

	if (append_left(store) >= size_bytes)
		return 0;
	if (now_ms < appender->resume_ms)
		return -EAGAIN;
	append_close(store);

	int code = reserve(store, generation);

	if (code == -ENOSPC) {
		evict_run(store, generation, usage_pack_bytes(store));
		code = reserve(store, generation);
	}
	if (code < 0)
		appender->resume_ms = now_ms + RETRY_MS;
	return code;
}

void append_align(struct store *store, size_t align_bytes)
{
	store->appender.offset_bytes =
	    (uint32_t)round_up(store->appender.offset_bytes, align_bytes);
}

void append_batch_begins(struct store *store)
{
	struct appender *appender = &store->appender;

	appender->began_us = io_now_us();
	if (appender->ended_us != 0)
		appender->idle_us += appender->began_us - appender->ended_us;
}

void append_batch_ends(struct store *store)
{
	struct appender *appender = &store->appender;

	appender->ended_us = io_now_us();
	appender->busy_us += appender->ended_us - appender->began_us;
	/* The last while counts. */
	while (appender->busy_us + appender->idle_us > WHILE_US) {
		appender->busy_us /= 2;
		appender->idle_us /= 2;
	}
}

/* Hardly a pause for a while: blocks come in faster than the disk takes
 * them, and would be dropped. */
static bool is_behind(const struct appender *appender)
{
	return appender->busy_us > WHILE_US / 4 &&
	    appender->idle_us < appender->busy_us / 8;
}

/* Through the page cache, in small pieces: writes of a megabyte make the
 * kernel look for huge folios, which costs 0.5 to 1.2 CPU s/GB against 0.2
 * for pieces of 64 to 256 KiB (measured: Linux 6.18, ext4). */
static int write_cached(
    const struct appender *appender, const struct append_run *run)
{
	uint64_t offset_bytes = appender->offset_bytes;
	unsigned count;

	for (unsigned i = 0; i < run->vector_count; i += count) {
		int code;

		count = run->vector_count - i;
		if (count > CACHED_VECTORS)
			count = CACHED_VECTORS;
		code = io_pwritev(
		    appender->fd, run->vectors + i, count, offset_bytes);
		if (code < 0)
			return code;
		for (unsigned k = 0; k < count; k++)
			offset_bytes += run->vectors[i + k].iov_len;
	}
	return 0;
}

static int write_run(struct store *store, struct generation *generation,
    const struct append_run *run)
{
	struct appender *appender = &store->appender;
	int code;

	if (run->aligned && appender->direct_fd >= 0 &&
	    appender->offset_bytes % STORE_PAGE_BYTES == 0 &&
	    !is_behind(appender)) {
		code = io_pwritev(appender->direct_fd, run->vectors,
		    run->vector_count, appender->offset_bytes);
		if (code != -EINVAL && code != -EOPNOTSUPP)
			return code;
		atomic_store_explicit(&generation->packs.direct_refused, true,
		    memory_order_relaxed);
		(void)close(appender->direct_fd);
		appender->direct_fd = -1;
	}
	return write_cached(appender, run);
}

int append_write(struct store *store, struct generation *generation,
    const struct append_run *run)
{
	struct appender *appender = &store->appender;
	int code;

	assert(run->size_bytes <= append_left(store));
	code = write_run(store, generation, run);
	if (code == -ENOSPC || code == -EDQUOT) {
		evict_run(store, generation, usage_pack_bytes(store));
		code = write_run(store, generation, run);
	}
	if (code < 0) {
		if (code != -ENOSPC && code != -EDQUOT)
			appender->spoilt = appender->pack;
		append_close(store);
		appender->resume_ms = clock_now_ms(store->clock) + RETRY_MS;
		return code;
	}
	appender->offset_bytes += (uint32_t)run->size_bytes;
	return 0;
}

void append_tend(struct store *store, struct generation *generation)
{
	struct appender *appender = &store->appender;
	char name[PACK_NAME_BYTES];
	struct stat ours;
	struct stat named;

	if (appender->fd < 0)
		return;
	pack_name(name, appender->pack);
	if (fstat(appender->fd, &ours) < 0 ||
	    fstatat(generation->packs_fd, name, &named, AT_SYMLINK_NOFOLLOW) <
	        0 ||
	    ours.st_dev != named.st_dev || ours.st_ino != named.st_ino)
		append_close(store);
}

void append_close(struct store *store)
{
	struct appender *appender = &store->appender;

	if (appender->fd >= 0)
		(void)close(appender->fd);
	if (appender->direct_fd >= 0)
		(void)close(appender->direct_fd);
	appender->fd = appender->direct_fd = -1;
}
