/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/read_door.c - cache_read(): past the door, whose token it goes
 * with. See read.h.
 *
 * The one who owns a cache is judged at every read. In a shared cache the
 * handle was let in when it was opened.
 */
#include "cache/bytes/read.h"
#include "cache/core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void read_ask_free(struct read_ask *ask)
{
	struct cache *cache = ask->object->cache;
	struct todo todo;

	todo_init(&todo);
	cache_enter(cache);
	object_put(ask->object, &todo);
	cache_leave(cache, &todo);
	free(ask);
}

/* No bytes: none were asked for, or the code says why not. */
static void give_none(const struct read_ask *ask, int code)
{
	access_tell(ask->object->cache, &ask->ident, ask->object->server_path,
	    CACHE_BYTES, code);
	ask->answer(ask->arg, code, NULL, 0);
}

static void proven(void *arg, int code)
{
	struct read_ask *ask = arg;

	if (code < 0 || ask->size_bytes == 0)
		give_none(ask, code);
	else
		read_start(ask);
	read_ask_free(ask);
}

/* There is a token now. */
static void admitted(void *arg, int code)
{
	struct read_ask *ask = arg;
	const struct object *object = ask->object;
	struct cache *cache = object->cache;
	bool may_ask = false;

	if (code == 0)
		code = access_door(cache, &ask->ident, object->server_path,
		    CACHE_BYTES, &may_ask);
	if (may_ask && (cache->config.shared || code == -EAGAIN))
		access_prove(cache, &ask->ident, object->server_path,
		    &object->version, proven, ask);
	else
		proven(ask, code);
}

static struct read_ask *read_ask_copy(const struct read_ask *ask)
{
	struct cache *cache = ask->object->cache;
	struct read_ask *copy = malloc(sizeof(*copy));

	if (copy == NULL) {
		ask->answer(ask->arg, -ENOMEM, NULL, 0);
		return NULL;
	}
	*copy = *ask;
	cache_enter(cache);
	object_get(copy->object);
	cache_exit(cache);
	return copy;
}

/* The token has ended: wait for a newer one. */
static void wait_at_door(const struct read_ask *ask, int code)
{
	struct read_ask *copy = read_ask_copy(ask);

	if (copy != NULL)
		access_wait(ask->object->cache,
		    &(struct access_ask){
		        .ident = &copy->ident,
		        .path = copy->object->server_path,
		        .deadline_ms = copy->deadline_ms,
		        .code = code,
		        .answer = admitted,
		        .arg = copy,
		    });
}

/* A handle of a shared cache was let in when it was opened, and stays so as
 * long as its opener's token does: a proof may lapse meanwhile. Then it is
 * whoever reads. @return as access_door(); -EAGAIN: has to be proven. */
static int door_of_handle(const struct cache_file *file, struct read_ask *ask)
{
	const struct object *object = file->object;
	const struct cache *cache = object->cache;
	bool may_ask = false;
	int code = access_door(
	    cache, &file->opener, object->server_path, CACHE_BYTES, NULL);

	if (!access_can_wait(code) ||
	    access_same(cache, &file->opener, &ask->ident)) {
		ask->ident = file->opener;
		return code == -EAGAIN ? 0 : code;
	}
	code = access_door(
	    cache, &ask->ident, object->server_path, CACHE_BYTES, &may_ask);
	return may_ask ? -EAGAIN : code;
}

/* Past the door, or on the way there. */
static void enter(struct read_ask *ask, int code)
{
	struct read_ask *copy;

	if (access_can_wait(code)) {
		wait_at_door(ask, code);
	} else if (code == -EAGAIN) {
		copy = read_ask_copy(ask);
		if (copy != NULL)
			admitted(copy, 0);
	} else if (code < 0 || ask->size_bytes == 0) {
		give_none(ask, code);
	} else {
		read_start(ask);
	}
}

/* @return as access_door(), with the ident that the bytes go with. */
static int door_of(const struct cache_file *file, struct read_ask *ask)
{
	const struct object *object = file->object;

	if (object->cache->config.shared)
		return door_of_handle(file, ask);
	return access_door(
	    object->cache, &ask->ident, object->server_path, CACHE_BYTES, NULL);
}

void read_politely(const struct cache_file *file, struct read_ask *ask)
{
	const struct cache *cache = file->object->cache;

	ask->object = file->object;
	ask->polite = true;
	ask->deadline_ms = cache_now_ms(cache) + cache->config.timeout_ms;
	enter(ask, door_of(file, ask));
}

void cache_read(struct cache_file *file, const struct ident *ident,
    uint64_t offset_bytes, size_t size_bytes, cache_read_fn answer, void *arg)
{
	struct object *object = file->object;
	struct cache *cache = object->cache;
	uint64_t file_bytes = object->version.size_bytes;
	char path[PATH_BYTES_MAX];
	struct read_ask ask;
	bool first;
	int code;

	if (size_bytes > CACHE_READ_BYTES_MAX) {
		answer(arg, -EINVAL, NULL, 0);
		return;
	}
	if (offset_bytes >= file_bytes)
		size_bytes = 0;
	else if (size_bytes > file_bytes - offset_bytes)
		size_bytes = (size_t)(file_bytes - offset_bytes);
	ask = (struct read_ask){
	    .object = object,
	    .ident = *ident,
	    .offset_bytes = offset_bytes,
	    .size_bytes = size_bytes,
	    .deadline_ms = cache_now_ms(cache) + cache->config.timeout_ms,
	    .answer = answer,
	    .arg = arg,
	};
	code = door_of(file, &ask);
	first = code == 0 && !atomic_load(&file->begun) &&
	    !atomic_exchange(&file->begun, true);
	/* Once it is answered the file may be gone. */
	if (first)
		(void)snprintf(path, sizeof(path), "%s", object->path);
	enter(&ask, code);
	if (first)
		walk_reads(cache, &ask.ident, path);
}
