/* SPDX-License-Identifier: Apache-2.0 */
/* cache/bytes/object_paths.c - objects and the paths that they have: what is
 * known of a path names one, and what is changed here may give it another. See
 * object.h. */
#include "base/path.h"
#include "cache/core.h"
#include "fetch/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct object_key object_key_of(const char *path, const struct meta_attr *attr)
{
	return (struct object_key){
	    .path = path,
	    .version = &attr->version,
	    .number = attr->number,
	    .plain_number = attr->plain_number,
	    .lasting = attr->lasting,
	    .nonce = attr->nonce,
	    /* Without any validator another open may mean other bytes. */
	    .shared =
	        attr->version.mtime_s >= 0 || attr->version.etag[0] != '\0',
	};
}

void object_forget_paths(struct object *object)
{
	while (object->former != NULL) {
		struct object_former *former = object->former;

		object->former = former->next;
		free(former->path);
		free(former->server_path);
		free(former);
	}
	free(object->path);
	free(object->server_path);
}

/* Without memory it stays where it was, and its server says that it is not
 * there. */
static void move(struct object *object, const char *path) REQUIRES(cache_lock);
static void move(struct object *object, const char *path)
{
	char server_path[PATH_BYTES_MAX];
	struct object_former *former;
	char *copy;
	char *server_copy;

	if (cache_server_path(object->cache, server_path, path) < 0)
		return;
	former = malloc(sizeof(*former));
	copy = strdup(path);
	server_copy = strdup(server_path);
	if (former == NULL || copy == NULL || server_copy == NULL) {
		free(former);
		free(copy);
		free(server_copy);
		return;
	}
	former->next = object->former;
	former->path = object->path;
	former->server_path = object->server_path;
	object->former = former;
	object->path = copy;
	object->server_path = server_copy;
}

/* Take those at a path, or also below it, out of their buckets, by
 * bucket_next. */
static struct object *take_all(struct cache *cache, const char *path)
    REQUIRES(cache_lock);
static struct object *take_all(struct cache *cache, const char *path)
{
	struct object *taken = NULL;

	for (unsigned i = 0; i < OBJECT_BUCKETS; i++) {
		struct object *object = cache->objects.buckets[i];

		while (object != NULL) {
			struct object *next = object->bucket_next;

			if (path_is_within(object->path, path)) {
				object_hide(object);
				object->bucket_next = taken;
				taken = object;
			}
			object = next;
		}
	}
	return taken;
}

void objects_moved(struct cache *cache, const char *from, const char *to)
{
	struct object *object = take_all(cache, from);
	size_t from_bytes = strlen(from);

	while (object != NULL) {
		struct object *next = object->bucket_next;
		char path[PATH_BYTES_MAX];
		int length = snprintf(
		    path, sizeof(path), "%s%s", to, object->path + from_bytes);

		object->bucket_next = NULL;
		if (length >= 0 && (size_t)length < sizeof(path))
			move(object, path);
		object_rehash(object);
		object = next;
	}
}

void objects_replaced(struct cache *cache, const char *path,
    const struct fetch_version *version, uint64_t number)
{
	for (unsigned i = 0; i < OBJECT_BUCKETS; i++) {
		struct object *object = cache->objects.buckets[i];

		while (object != NULL) {
			struct object *next = object->bucket_next;

			/* The cheapest first: it is looked at for each file
			 * that is written. */
			if (object->version.size_bytes == version->size_bytes &&
			    object->number != number &&
			    strcmp(object->path, path) == 0 &&
			    fetch_version_equal(&object->version, version))
				(void)object_make_stale(object);
			object = next;
		}
	}
}
