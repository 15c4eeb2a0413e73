/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/pack.c - see pack.h.
 *
 * Sources: preadv2(2) with RWF_NOWAIT starts read-ahead into the page cache
 * when a page is cold (measured, Linux 6.18), so cachestat(2) is asked first
 * where it exists.
 */
#include "cache/store/pack.h"

#include "cache/store/impl.h"
#include "cache/store/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pack **chain_of(struct packs *packs, uint64_t number)
    REQUIRES(store_lock)
{
	struct pack **at = &packs->chains[number % PACK_CHAINS];

	while (*at != NULL && (*at)->number != number)
		at = &(*at)->next;
	return at;
}

/* What a read holds while it is under way. */
struct pack_hold {
	struct handle *plain;
	struct handle *direct; /* NULL: not needed, or there is none */
};

static void let_go(struct store *store, struct generation *generation,
    const struct pack_hold *hold, bool may_wait)
{
	struct handle *dead = NULL;

	store_enter(store);
	if (hold->plain != NULL)
		handle_done(&generation->packs.handles, hold->plain);
	if (hold->direct != NULL)
		handle_done(&generation->packs.handles, hold->direct);
	if (may_wait)
		dead = handles_take_dead(&generation->packs.handles);
	store_leave(store);
	handles_close(dead);
}

/* Open a pack's file; -ENOENT when it is not one. */
static int open_pack(struct generation *generation, uint64_t number, int flags)
{
	char name[PACK_NAME_BYTES];
	struct stat stat;

	pack_name(name, number);

	int fd = openat(generation->packs_fd, name,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags);

	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? -ENOENT : -errno;
	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
		(void)close(fd);
		return -ENOENT;
	}
	return fd;
}

int pack_lock(struct generation *generation, uint64_t number)
{
	int fd = open_pack(generation, number, 0);

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int code = -errno;

		(void)close(fd);
		return code;
	}
	return fd;
}

/* The pack's entry, made when missing; NULL: out of memory. */
static struct pack *note_pack(struct packs *packs, uint64_t number)
    REQUIRES(store_lock)
{
	struct pack **at = chain_of(packs, number);

	if (*at == NULL) {
		*at = calloc(1, sizeof(**at));
		if (*at != NULL)
			(*at)->number = number;
	}
	return *at;
}

/* Enter a descriptor, unless another thread was faster. */
static struct handle *enter_descriptor(struct store *store,
    struct generation *generation, uint64_t number, int fd, bool direct)
{
	struct packs *packs = &generation->packs;
	struct handle *handle = NULL;
	struct handle *dead;

	store_enter(store);

	struct pack *pack = note_pack(packs, number);

	if (pack != NULL) {
		struct handle **slot = direct ? &pack->direct : &pack->plain;

		if (*slot == NULL) {
			handle = handle_add(&packs->handles, fd, slot, NULL, 0);
			fd = -1;
		} else {
			handle = *slot;
			handle_use(&packs->handles, handle, 0);
		}
	}
	dead = handles_take_dead(&packs->handles);
	store_leave(store);
	handles_close(dead);
	if (fd >= 0)
		(void)close(fd);
	return handle;
}

/* Hold what is open already. */
static struct handle *hold_open(struct store *store,
    struct generation *generation, uint64_t number, bool direct)
{
	struct handle *handle = NULL;

	store_enter(store);

	struct pack *pack = *chain_of(&generation->packs, number);

	if (pack != NULL)
		handle = direct ? pack->direct : pack->plain;
	if (handle != NULL)
		handle_use(&generation->packs.handles, handle, 0);
	store_leave(store);
	return handle;
}

static int hold(struct store *store, struct generation *generation,
    uint64_t number, bool direct, bool may_wait, struct handle **out)
{
	*out = hold_open(store, generation, number, direct);
	if (*out != NULL)
		return 0;
	if (!may_wait)
		return -EAGAIN;

	int fd = open_pack(generation, number, direct ? O_DIRECT : 0);

	if (fd < 0)
		return fd;
	*out = enter_descriptor(store, generation, number, fd, direct);
	return *out == NULL ? -ENOMEM : 0;
}

/* Past the page cache; -EINVAL when this file system has no such thing. */
static ssize_t read_direct(struct store *store, struct generation *generation,
    const struct pack_span *span, struct pack_hold *held)
{
	if (!span->aligned ||
	    atomic_load_explicit(
	        &generation->packs.direct_refused, memory_order_relaxed))
		return -EINVAL;

	int code =
	    hold(store, generation, span->pack, true, true, &held->direct);
	ssize_t n = code;

	if (code == 0)
		n = io_preadv(held->direct->fd, span->vectors,
		    span->vector_count, span->offset_bytes, false);
	if (n == -EINVAL || n == -EOPNOTSUPP) {
		atomic_store_explicit(&generation->packs.direct_refused, true,
		    memory_order_relaxed);
		return -EINVAL;
	}
	return n;
}

/* What the page cache has. -EAGAIN: it does not have all of it. */
static ssize_t read_hot(
    int fd, const struct pack_span *span, enum io_heat *heat)
{
	*heat = io_heat(fd, span->offset_bytes, span->size_bytes);
	if (*heat == IO_COLD)
		return -EAGAIN;
	return io_preadv(
	    fd, span->vectors, span->vector_count, span->offset_bytes, true);
}

static ssize_t read_held(struct store *store, struct generation *generation,
    const struct pack_span *span, enum store_how how, struct pack_hold *held)
{
	int fd = held->plain->fd;
	enum io_heat heat;
	ssize_t n = read_hot(fd, span, &heat);

	if (n != -EAGAIN || how == STORE_NOWAIT)
		return n;
	n = heat == IO_COLD ? read_direct(store, generation, span, held)
	                    : -EINVAL;
	if (n != -EINVAL)
		return n;
	return io_preadv(
	    fd, span->vectors, span->vector_count, span->offset_bytes, false);
}

ssize_t pack_read(struct store *store, struct generation *generation,
    const struct pack_span *span, enum store_how how)
{
	struct pack_hold held = {.plain = NULL};
	bool may_wait = how == STORE_WAIT;
	int code =
	    hold(store, generation, span->pack, false, may_wait, &held.plain);

	if (code < 0)
		return code;

	ssize_t n = read_held(store, generation, span, how, &held);
	struct stat stat;

	if (span->lasting &&
	    (fstat(held.plain->fd, &stat) < 0 || stat.st_nlink == 0))
		n = -ENOENT;
	let_go(store, generation, &held, may_wait);
	return n;
}

/* Ask the disk, past the page cache; -EAGAIN when that takes a wait. */
static ssize_t ask_direct(struct store *store, struct generation *generation,
    const struct pack_span *span, struct pack_ask *ask)
{
	int code;

	if (!span->aligned ||
	    atomic_load_explicit(
	        &generation->packs.direct_refused, memory_order_relaxed))
		return -EAGAIN;
	code = hold(store, generation, span->pack, true, false, &ask->held);
	if (code < 0)
		return code;
	/* Once asked, it may be answered already. */
	code = direct_ask(&store->direct, &ask->read, ask->held->fd,
	    span->vectors[0].iov_base, span->size_bytes, span->offset_bytes);
	if (code < 0)
		pack_asked(store, generation, ask);
	return code < 0 ? code : -EINPROGRESS;
}

ssize_t pack_ask(struct store *store, struct generation *generation,
    const struct pack_span *span, struct pack_ask *ask)
{
	struct pack_hold held = {.plain = NULL};
	enum io_heat heat;
	int code =
	    hold(store, generation, span->pack, false, false, &held.plain);

	assert(span->vector_count == 1);
	if (code < 0)
		return code;

	ssize_t n = read_hot(held.plain->fd, span, &heat);

	let_go(store, generation, &held, false);
	if (n == -EAGAIN && heat == IO_COLD)
		n = ask_direct(store, generation, span, ask);
	return n;
}

void pack_asked(struct store *store, struct generation *generation,
    const struct pack_ask *ask)
{
	struct pack_hold held = {.direct = ask->held};

	let_go(store, generation, &held, false);
}

void pack_note_use(struct store *store, struct generation *generation,
    struct place place, unsigned count)
{
	uint64_t unit = place.offset_bytes / FORMAT_USE_UNIT_BYTES;

	store_enter(store);

	struct pack *pack = *chain_of(&generation->packs, place.pack);

	/* One that was swept meanwhile is gone. */
	if (pack != NULL) {
		for (; count > 0 && unit < (uint64_t)FORMAT_USE_WORDS * 64;
		     count--, unit++)
			pack->used[unit / 64] |= UINT64_C(1) << unit % 64;
		pack->is_used = true;
	}
	store_leave(store);
}

void pack_drop(struct packs *packs, struct pack *pack)
{
	if (pack->plain != NULL)
		handle_drop(&packs->handles, pack->plain);
	if (pack->direct != NULL)
		handle_drop(&packs->handles, pack->direct);
}

void pack_close(
    struct store *store, struct generation *generation, uint64_t number)
{
	struct packs *packs = &generation->packs;
	struct handle *dead;

	store_enter(store);

	struct pack *pack = *chain_of(packs, number);

	if (pack != NULL)
		pack_drop(packs, pack);
	dead = handles_take_dead(&packs->handles);
	store_leave(store);
	handles_close(dead);
}
