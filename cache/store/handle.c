/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/handle.c - see handle.h.
 */
#include "cache/store/handle.h"

#include "cache/store/impl.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void unlink_handle(struct handles *handles, struct handle *handle)
{
	if (handle->newer != NULL)
		handle->newer->older = handle->older;
	else
		handles->newest = handle->older;
	if (handle->older != NULL)
		handle->older->newer = handle->newer;
	else
		handles->oldest = handle->newer;
	handle->newer = handle->older = NULL;
}

static void link_newest(struct handles *handles, struct handle *handle)
{
	handle->newer = NULL;
	handle->older = handles->newest;
	if (handles->newest != NULL)
		handles->newest->newer = handle;
	else
		handles->oldest = handle;
	handles->newest = handle;
}

static void kill_handle(struct handles *handles, struct handle *handle)
{
	handle->older = handles->dead;
	handles->dead = handle;
}

void handle_drop(struct handles *handles, struct handle *handle)
{
	if (handle->owner == NULL)
		return;
	*handle->owner = NULL;
	handle->owner = NULL;
	handle->touched_ms = NULL;
	unlink_handle(handles, handle);
	handles->count--;
	if (handle->users == 0)
		kill_handle(handles, handle);
}

/* Recency in memory at once; on disk later, and not too often. */
static void mark(struct handle *handle, uint64_t now_ms)
{
	if (handle->touched_ms == NULL)
		return;
	if (*handle->touched_ms != 0 &&
	    now_ms - *handle->touched_ms < STORE_TOUCH_MS)
		return;
	*handle->touched_ms = now_ms;
	handle->touch = true;
}

struct handle *handle_add(struct handles *handles, int fd,
    struct handle **owner, uint64_t *touched_ms, uint64_t now_ms)
{
	struct handle *handle = malloc(sizeof(*handle));

	assert(*owner == NULL);
	if (handle == NULL) {
		(void)close(fd);
		return NULL;
	}
	*handle = (struct handle){.owner = owner, .fd = fd, .users = 1};
	handle->touched_ms = touched_ms;
	*owner = handle;
	mark(handle, now_ms);
	link_newest(handles, handle);
	handles->count++;
	for (struct handle *old = handles->oldest;
	     handles->count > handles->limit && old != NULL;) {
		struct handle *next = old->newer;

		if (old->users == 0)
			handle_drop(handles, old);
		old = next;
	}
	return handle;
}

void handle_use(struct handles *handles, struct handle *handle, uint64_t now_ms)
{
	handle->users++;
	if (handle->owner != NULL)
		mark(handle, now_ms);
	if (handles->newest != handle && handle->owner != NULL) {
		unlink_handle(handles, handle);
		link_newest(handles, handle);
	}
}

void handle_done(struct handles *handles, struct handle *handle)
{
	assert(handle->users > 0);
	if (--handle->users == 0 && handle->owner == NULL)
		kill_handle(handles, handle);
}

/* Hold every handle for the time of a look at it. */
static unsigned hold_all(struct handles *handles, struct handle *held[],
    bool touch[], unsigned limit) REQUIRES(store_lock)
{
	unsigned count = 0;

	for (struct handle *at = handles->newest; at != NULL && count < limit;
	     at = at->older) {
		at->users++;
		touch[count] = at->touch;
		at->touch = false;
		held[count++] = at;
	}
	return count;
}

void handles_tend(struct store *store, struct handles *handles)
{
	enum { LIMIT = 2 * STORE_PACK_DESCRIPTORS };
	struct handle *held[LIMIT];
	bool touch[LIMIT];
	struct handle *dead;
	unsigned count;

	store_enter(store);
	count = hold_all(handles, held, touch, LIMIT);
	store_leave(store);
	for (unsigned i = 0; i < count; i++) {
		struct stat stat;
		bool gone =
		    fstat(held[i]->fd, &stat) == 0 && stat.st_nlink == 0;

		if (touch[i] && !gone)
			(void)futimens(held[i]->fd, NULL);
		store_enter(store);
		if (gone)
			handle_drop(handles, held[i]);
		handle_done(handles, held[i]);
		store_leave(store);
	}
	store_enter(store);
	dead = handles_take_dead(handles);
	store_leave(store);
	handles_close(dead);
}

void handles_drop_all(struct handles *handles)
{
	while (handles->newest != NULL)
		handle_drop(handles, handles->newest);
}

struct handle *handles_take_dead(struct handles *handles)
{
	struct handle *dead = handles->dead;

	handles->dead = NULL;
	return dead;
}

void handles_close(struct handle *dead)
{
	while (dead != NULL) {
		struct handle *next = dead->older;

		/* A time that cannot be set costs a place in the order. */
		if (dead->touch)
			(void)futimens(dead->fd, NULL);
		(void)close(dead->fd);
		free(dead);
		dead = next;
	}
}
