/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/open.c - opening and closing: from a path's attributes to an object
 * pinned to the version it has now.
 */
#include "cache/ask.h"
#include "cache/core.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <stdlib.h>

enum { ABANDON_MAX = 16 }; /* ranges ended at once when a file is closed */

void open_answer(struct cache *cache, const char *path, const struct ask_to *to,
    const struct meta_attr *attr)
{
	struct object_key key = {
	    .path = path,
	    .version = &attr->version,
	    .number = attr->number,
	    .lasting = attr->lasting,
	    /* Without any validator another open may mean other bytes. */
	    .shared =
	        attr->version.mtime_s >= 0 || attr->version.etag[0] != '\0',
	};
	struct cache_file *file;
	struct cache_attr shown;

	/* A file whose size no server tells cannot be read. */
	if (attr->kind == CACHE_DIRECTORY || !attr->exact) {
		to->answer.open(to->arg,
		    attr->kind == CACHE_DIRECTORY ? -EISDIR : -EIO, NULL, NULL);
		return;
	}
	file = malloc(sizeof(*file));
	if (file == NULL) {
		to->answer.open(to->arg, -ENOMEM, NULL, NULL);
		return;
	}
	cache_enter(cache);
	file->object = object_open(cache, &key);
	if (file->object != NULL)
		file->object->opens++;
	cache_exit(cache);
	if (file->object == NULL) {
		free(file);
		to->answer.open(to->arg, -ENOMEM, NULL, NULL);
		return;
	}
	meta_attr_show(attr, &shown);
	to->answer.open(to->arg, 0, file, &shown);
}

void cache_open(struct cache *cache, const struct ident *ident,
    const char *path, cache_open_fn answer, void *arg)
{
	ask(cache, ident, path,
	    &(struct ask_to){
	        .kind = ASK_OPEN, .answer.open = answer, .arg = arg});
}

void cache_close(struct cache_file *file)
{
	struct object *object = file->object;
	struct cache *cache = object->cache;
	uint64_t numbers[ABANDON_MAX];
	unsigned count = 0;
	struct todo todo;

	todo_init(&todo);
	cache_enter(cache);
	if (--object->opens == 0)
		count = runs_abandon(object, numbers, ABANDON_MAX);
	object_put(object, &todo);
	cache_leave(cache, &todo);
	for (unsigned i = 0; i < count; i++)
		fetch_cancel(cache->config.fetch, numbers[i]);
	free(file);
}
