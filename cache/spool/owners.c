/* SPDX-License-Identifier: Apache-2.0 */
/* cache/spool/owners.c - see owners.h. */
#include "cache/spool/owners.h"

#include "cache/spool/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Where a number is in the table, or would be: mostly behind all others. */
static size_t place_of(const struct owned *owned, uint64_t serial)
{
	size_t low = 0;
	size_t high = owned->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (owned->list[middle] < serial)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has(const struct owned *owned, uint64_t serial)
{
	size_t at = place_of(owned, serial);

	return at < owned->count && owned->list[at] == serial;
}

/* @retval 0, -EBUSY, -ENOMEM */
static int add(struct owned *owned, uint64_t serial)
{
	size_t at = place_of(owned, serial);

	if (has(owned, serial))
		return -EBUSY;
	if (owned->count == owned->room) {
		size_t room = owned->room > 0 ? owned->room * 2 : 64;
		uint64_t *list = realloc(owned->list, room * sizeof(*list));

		if (list == NULL)
			return -ENOMEM;
		owned->list = list;
		owned->room = room;
	}
	memmove(owned->list + at + 1, owned->list + at,
	    (owned->count - at) * sizeof(*owned->list));
	owned->list[at] = serial;
	owned->count++;
	return 0;
}

static void take_out(struct spool *spool, uint64_t serial)
{
	struct owned *owned;
	size_t at;

	spool_facts_enter(spool);
	owned = &spool->owned;
	at = place_of(owned, serial);
	owned->count--;
	memmove(owned->list + at, owned->list + at + 1,
	    (owned->count - at) * sizeof(*owned->list));
	spool_facts_leave(spool);
}

static struct flock lock_of(uint64_t serial, short type)
{
	return (struct flock){.l_type = type,
	    .l_whence = SEEK_SET,
	    .l_start = (off_t)serial,
	    .l_len = 1};
}

int owners_take(struct spool *spool, uint64_t serial)
{
	struct flock lock = lock_of(serial, F_WRLCK);
	int code;

	spool_facts_enter(spool);
	code = add(&spool->owned, serial);
	spool_facts_leave(spool);
	if (code < 0)
		return code;
	if (fcntl(spool->owners_fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	code = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	take_out(spool, serial);
	return code;
}

void owners_leave(struct spool *spool, uint64_t serial)
{
	struct flock lock = lock_of(serial, F_UNLCK);

	/* In this order: who takes it here then does not lose its lock. */
	(void)fcntl(spool->owners_fd, F_OFD_SETLK, &lock);
	take_out(spool, serial);
}

bool owners_have(struct spool *spool, uint64_t serial)
{
	struct flock lock = lock_of(serial, F_WRLCK);
	bool here;

	spool_facts_enter(spool);
	here = has(&spool->owned, serial);
	spool_facts_leave(spool);
	return here || fcntl(spool->owners_fd, F_OFD_GETLK, &lock) < 0 ||
	    lock.l_type != F_UNLCK;
}
