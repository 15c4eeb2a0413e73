/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/prefetch_ask.c - a range is asked for, and sends its reads. See
 * prefetch.h. */
#include "cache/ahead/prefetch_impl.h"
#include "cache/bytes/read.h"
#include "cache/store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void read_answered(
    void *arg, int code, const struct iovec *vectors, int vector_count)
{
	(void)vectors; /* the writer has them */
	(void)vector_count;
	prefetch_read_came(arg, code);
}

/* Blocks [from, until) are missing: reads of them, the first of which asks
 * for all. */
static void send_reads(struct prefetch *prefetch, uint64_t from, uint64_t until)
{
	struct object *object = prefetch->file->object;
	struct cache *cache = object->cache;
	uint64_t end = until * CACHE_BLOCK_BYTES;

	if (end > object->version.size_bytes)
		end = object->version.size_bytes;
	for (uint64_t at = from * CACHE_BLOCK_BYTES; at < end;
	     at += CACHE_READ_BYTES_MAX) {
		uint64_t left = end - at;
		struct read_ask ask = {
		    .ident = prefetch->ident,
		    .offset_bytes = at,
		    .size_bytes = left < CACHE_READ_BYTES_MAX
		        ? (size_t)left
		        : CACHE_READ_BYTES_MAX,
		    .ahead_until_bytes = end,
		    .answer = read_answered,
		    .arg = prefetch,
		};

		cache_enter(cache);
		prefetch->reads++;
		cache_exit(cache);
		read_politely(prefetch->file, &ask);
	}
}

void prefetch_go_on(struct list *place)
{
	struct prefetch *prefetch = prefetch_of(place);
	unsigned i = 0;

	if (prefetch->state == PREFETCH_DONE) {
		prefetch->answer(prefetch->arg, prefetch->code,
		    prefetch->code == 0 ? prefetch->size_bytes : 0,
		    prefetch->code == 0 ? prefetch->brought_bytes : 0);
		free(prefetch);
		return;
	}
	while (i < prefetch->count) {
		unsigned from = i;

		while (i < prefetch->count && prefetch->missing[i])
			i++;
		if (i > from)
			send_reads(prefetch, prefetch->first + from,
			    prefetch->first + i);
		else
			i++;
	}
	prefetch_read_came(prefetch, 0);
}

/* Why no version of this file can be kept; 0: it can. */
static int why_not(const struct object *object)
{
	struct cache *cache = object->cache;

	if (cache->store == NULL)
		return -ENODEV;
	if (object->version.mtime_s < 0 && object->version.etag[0] == '\0')
		return -ENOTSUP;
	if (!object->lasting) {
		meta_forget(cache, object->path);
		return -EAGAIN;
	}
	return 0;
}

void cache_prefetch(struct cache_file *file, const struct ident *ident,
    uint64_t offset_bytes, uint64_t size_bytes, cache_prefetch_fn answer,
    void *arg)
{
	const struct object *object = file->object;
	struct cache *cache = object->cache;
	uint64_t file_bytes = object->version.size_bytes;
	struct prefetch *prefetch;
	struct todo todo;
	int code;

	assert(offset_bytes % CACHE_BLOCK_BYTES == 0);
	assert(size_bytes <= CACHE_PREFETCH_BYTES);
	if (offset_bytes >= file_bytes)
		size_bytes = 0;
	else if (size_bytes > file_bytes - offset_bytes)
		size_bytes = file_bytes - offset_bytes;
	code = why_not(object);
	if (code < 0 || size_bytes == 0) {
		answer(arg, size_bytes == 0 ? 0 : code, 0, 0);
		return;
	}
	prefetch = calloc(1, sizeof(*prefetch));
	if (prefetch == NULL) {
		answer(arg, -ENOMEM, 0, 0);
		return;
	}
	list_init(&prefetch->place);
	list_init(&prefetch->job.place);
	prefetch->job.run = prefetch_run_look;
	prefetch->file = file;
	prefetch->ident = *ident;
	prefetch->first = offset_bytes / CACHE_BLOCK_BYTES;
	prefetch->count = (unsigned)((size_bytes + CACHE_BLOCK_BYTES - 1) /
	    CACHE_BLOCK_BYTES);
	prefetch->size_bytes = size_bytes;
	prefetch->answer = answer;
	prefetch->arg = arg;
	todo_init(&todo);
	cache_enter(cache);
	prefetch_look(cache, prefetch, &todo);
	cache_leave(cache, &todo);
}

uint64_t cache_room_bytes(const struct cache *cache, const char **why)
{
	if (cache->store == NULL) {
		*why = cache->why_off;
		return 0;
	}
	return store_size_bytes(cache->store) / 100 * PREFETCH_ROOM_PERCENT;
}
