/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/pack_write.c - see pack_write.h.
 *
 * Locks are flock(2) on descriptors opened here (never inherited: close on
 * exec, and the daemon opens its store after it detached): a killed process
 * lets go of them.
 */
#include "cache/pack_write.h"

#include "base/clock.h"
#include "cache/evict.h"
#include "cache/store_impl.h"
#include "cache/store_io.h"
#include "cache/usage.h"

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

/* Make and lock a new pack. The number is noted first: one that is lost is
 * no harm, one that is used twice would be. */
static int make_pack(struct store *store, struct generation *generation,
    const struct usage *usage)
{
	struct appender *appender = &store->appender;
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
	*appender = (struct appender){
	    .fd = fd, .pack = number, .spoilt = appender->spoilt};
	return 0;
}

/* Take a pack that nobody writes any more. */
static bool adopt(struct store *store, struct generation *generation,
    const struct usage_pack *pack)
{
	struct appender *appender = &store->appender;
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
	*appender = (struct appender){
	    .fd = fd,
	    .pack = pack->number,
	    .offset_bytes =
	        (uint32_t)round_up((uint64_t)stat.st_size, STORE_PAGE_BYTES),
	    .spoilt = appender->spoilt,
	};
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

int append_write(struct store *store, struct generation *generation,
    const struct iovec vectors[], unsigned count, size_t size_bytes)
{
	struct appender *appender = &store->appender;
	int code;

	assert(size_bytes <= append_left(store));
	code = io_pwritev(appender->fd, vectors, count, appender->offset_bytes);
	if (code == -ENOSPC || code == -EDQUOT) {
		evict_run(store, generation, usage_pack_bytes(store));
		code = io_pwritev(
		    appender->fd, vectors, count, appender->offset_bytes);
	}
	if (code < 0) {
		if (code != -ENOSPC && code != -EDQUOT)
			appender->spoilt = appender->pack;
		append_close(store);
		appender->resume_ms = clock_now_ms(store->clock) + RETRY_MS;
		return code;
	}
	appender->offset_bytes += (uint32_t)size_bytes;
	return 0;
}

void append_close(struct store *store)
{
	if (store->appender.fd >= 0)
		(void)close(store->appender.fd);
	store->appender.fd = -1;
}
