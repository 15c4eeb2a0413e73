/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/pack_make.c - see pack_make.h.
 *
 * Locks are flock(2) on descriptors opened here (never inherited: close on
 * exec, and the daemon opens its store after it detached): a killed process
 * lets go of them.
 */
#include "cache/store/pack_make.h"

#include "base/clock.h"
#include "cache/store/impl.h"
#include "cache/store/io.h"
#include "cache/store/usage.h"
#include "cache/store/uses.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_TRIES = 20, LOCK_PAUSE_MS = 1 }; /* a reservation takes less */

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
static void take_pack(struct appender *appender, struct generation *generation,
    int fd, uint64_t number, uint64_t offset_bytes)
{
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

/* Open the counter, or make it; something else of its name is taken out of
 * the way, or no pack would ever be made again. Below the lock. */
static int open_next(const struct generation *generation)
{
	int dir_fd = generation->dir_fd;
	int code = 0;

	for (unsigned try = 0; try < 2; try++) {
		struct stat stat;
		int fd = openat(dir_fd, "next",
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		    0600);

		if (fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode))
			return fd;
		code = fd < 0 ? -errno : -ENXIO;
		if (fd >= 0)
			(void)close(fd);
		if (code != -EISDIR && code != -ELOOP && code != -ENXIO)
			return code;
		if (unlinkat(dir_fd, "next", 0) < 0)
			(void)unlinkat(dir_fd, "next", AT_REMOVEDIR);
	}
	return code;
}

/* Make and lock a new pack. The number is noted first: one that is lost is
 * no harm, one that is used twice would be. */
static int make_pack(struct appender *appender, struct generation *generation,
    const struct usage *usage)
{
	char name[PACK_NAME_BYTES];
	int next_fd = open_next(generation);

	if (next_fd < 0)
		return next_fd;

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
	if (appender->proven)
		uses_write(generation, number, &(struct uses){.proven = true});
	take_pack(appender, generation, fd, number, 0);
	return 0;
}

/* Take a pack that nobody writes any more. */
static bool adopt(struct store *store, struct generation *generation,
    struct appender *appender, const struct usage_pack *pack)
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
	take_pack(appender, generation, fd, pack->number,
	    round_up((uint64_t)stat.st_size, STORE_PAGE_BYTES));
	return true;
}

/* Is it one of those that the appender fills? */
static bool is_of_class(const struct store *store,
    const struct generation *generation, const struct appender *appender,
    const struct usage_pack *pack)
{
	struct uses uses;

	if (!usage_has_classes(store))
		return true;
	uses_read(generation, pack->number, &uses);
	return uses.proven == appender->proven;
}

uint64_t pack_room_bytes(
    const struct store *store, const struct appender *appender)
{
	/* The last one is left to what eviction carries over. */
	return !appender->proven && usage_has_classes(store)
	    ? 2 * usage_pack_bytes(store)
	    : usage_pack_bytes(store);
}

static int adopt_or_make(struct store *store, struct generation *generation,
    struct appender *appender, const struct usage *usage)
{
	if (usage->reserved_bytes > usage->bound_bytes || usage->inodes_low)
		return -ENOSPC;
	for (size_t i = 0; i < usage->pack_count; i++) {
		const struct usage_pack *pack = &usage->packs[i];

		if (pack->number != appender->spoilt &&
		    usage_is_unfinished(store, pack->size_bytes) &&
		    is_of_class(store, generation, appender, pack) &&
		    adopt(store, generation, appender, pack))
			return 0;
	}
	if (usage->bound_bytes - usage->reserved_bytes <
	    pack_room_bytes(store, appender))
		return -ENOSPC;
	return make_pack(appender, generation, usage);
}

int pack_reserve(struct store *store, struct generation *generation,
    struct appender *appender)
{
	struct usage usage;
	int code =
	    io_lock_briefly(generation->dir_fd, LOCK_TRIES, LOCK_PAUSE_MS);

	if (code < 0)
		return code;
	code = usage_count(store, generation, &usage);
	if (code == 0)
		code = adopt_or_make(store, generation, appender, &usage);
	usage_fini(&usage);
	(void)flock(generation->dir_fd, LOCK_UN);
	return code;
}
