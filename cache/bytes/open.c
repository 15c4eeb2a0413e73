/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/open.c - opening and closing: from a path's attributes to an
 * object pinned to the version it has now.
 */
#include "cache/core.h"
#include "cache/paths/ask.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ABANDON_MAX = 16 }; /* ranges ended at once when a file is closed */

/* The door is open to these bytes. */
static void open_file(struct cache *cache, const struct ident *ident,
    const char *path, const struct ask_to *to, const struct meta_attr *attr)
{
	struct object_key key = object_key_of(path, attr);
	struct cache_file *file = malloc(sizeof(*file));
	struct cache_attr shown;

	if (file == NULL) {
		to->answer.open(to->arg, -ENOMEM, NULL, NULL);
		return;
	}
	file->opener = *ident;
	atomic_init(&file->begun, false);
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

/* One who may see the file, and perhaps read it. */
struct opening {
	struct cache *cache;
	struct ident ident;
	struct ask_to to;
	struct meta_attr attr;
	char path[];
};

/* Who may see the file may not read it. */
static void refuse(struct cache *cache, const struct ident *ident,
    const char *path, const struct ask_to *to, int code)
{
	char server_path[PATH_BYTES_MAX];

	if (cache_server_path(cache, server_path, path) == 0)
		access_tell(cache, ident, server_path, CACHE_BYTES, code);
	to->answer.open(to->arg, code, NULL, NULL);
}

static void proven(void *arg, int code)
{
	struct opening *opening = arg;

	if (code == 0)
		open_file(opening->cache, &opening->ident, opening->path,
		    &opening->to, &opening->attr);
	else
		refuse(opening->cache, &opening->ident, opening->path,
		    &opening->to, code);
	free(opening);
}

/* Have the server say whether they may read it. */
static void prove(struct cache *cache, const struct ident *ident,
    const char *path, const char *server_path, const struct ask_to *to,
    const struct meta_attr *attr)
{
	size_t path_bytes = strlen(path) + 1;
	struct opening *opening = malloc(sizeof(*opening) + path_bytes);

	if (opening == NULL) {
		to->answer.open(to->arg, -ENOMEM, NULL, NULL);
		return;
	}
	opening->cache = cache;
	opening->ident = *ident;
	opening->to = *to;
	opening->attr = *attr;
	(void)memcpy(opening->path, path, path_bytes);
	access_prove(
	    cache, ident, server_path, &attr->version, proven, opening);
}

void open_answer(struct cache *cache, const struct ident *ident,
    const char *path, const struct ask_to *to, const struct meta_attr *attr)
{
	char server_path[PATH_BYTES_MAX];
	bool may_ask = false;
	int code = 0;

	/* A file whose size no server tells cannot be read. */
	if (attr->kind == CACHE_DIRECTORY || !attr->exact) {
		to->answer.open(to->arg,
		    attr->kind == CACHE_DIRECTORY ? -EISDIR : -EIO, NULL, NULL);
		return;
	}
	if (cache->config.shared)
		code = cache_server_path(cache, server_path, path);
	if (cache->config.shared && code == 0)
		code = access_door(
		    cache, ident, server_path, CACHE_BYTES, &may_ask);
	if (code == 0)
		open_file(cache, ident, path, to, attr);
	else if (may_ask)
		prove(cache, ident, path, server_path, to, attr);
	else
		refuse(cache, ident, path, to, code);
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
	if (--object->opens == 0) {
		count = runs_abandon(object, numbers, ABANDON_MAX);
		checksum_closed(object);
	}
	object_put(object, &todo);
	cache_leave(cache, &todo);
	for (unsigned i = 0; i < count; i++)
		fetch_cancel(cache->config.fetch, numbers[i]);
	free(file);
}
