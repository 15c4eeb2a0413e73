/* SPDX-License-Identifier: Apache-2.0 */
/* cache/bytes/object.c - see object.h. */
#include "cache/bytes/object.h"

#include "base/path.h"
#include "cache/core.h"
#include "cache/store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

void objects_init(struct objects *objects)
{
	list_init(&objects->idle);
}

uint64_t object_block_count(const struct object *object)
{
	return object->version.size_bytes / CACHE_BLOCK_BYTES +
	    (object->version.size_bytes % CACHE_BLOCK_BYTES != 0);
}

uint32_t object_block_bytes(const struct object *object, uint64_t index)
{
	uint64_t left = object->version.size_bytes - index * CACHE_BLOCK_BYTES;

	assert(index < object_block_count(object));
	return left < CACHE_BLOCK_BYTES ? (uint32_t)left : CACHE_BLOCK_BYTES;
}

/* Of path and version: many files have one size and one time. */
static uint64_t hash_of(const char *path, uint64_t number)
{
	return XXH3_64bits_withSeed(path, strlen(path), number);
}

static struct object **bucket_of(struct objects *objects, uint64_t hash)
{
	return &objects->buckets[hash % OBJECT_BUCKETS];
}

static struct object *find(
    struct objects *objects, const struct object_key *key)
{
	uint64_t hash = hash_of(key->path, key->number);
	struct object *object = *bucket_of(objects, hash);

	while (object != NULL &&
	    (object->hash != hash || object->number != key->number ||
	        strcmp(object->path, key->path) != 0 ||
	        !fetch_version_equal(&object->version, key->version)))
		object = object->bucket_next;
	return object;
}

static void unhash(struct objects *objects, struct object *object)
{
	struct object **link;

	if (!object->hashed)
		return;
	link = bucket_of(objects, object->hash);
	while (*link != object)
		link = &(*link)->bucket_next;
	*link = object->bucket_next;
	object->bucket_next = NULL;
	object->hashed = false;
}

void object_rehash(struct object *object)
{
	struct objects *objects = &object->cache->objects;
	struct object **bucket;

	unhash(objects, object);
	object->hash = hash_of(object->path, object->number);
	bucket = bucket_of(objects, object->hash);
	object->bucket_next = *bucket;
	*bucket = object;
	object->hashed = true;
}

static struct object *make(struct cache *cache, const struct object_key *key)
{
	struct object *object = calloc(1, sizeof(*object));
	char server_path[PATH_BYTES_MAX];

	if (object == NULL)
		return NULL;
	object->path = strdup(key->path);
	if (cache_server_path(cache, server_path, key->path) == 0)
		object->server_path = strdup(server_path);
	if (object->path == NULL || object->server_path == NULL) {
		object_free(object);
		return NULL;
	}
	object->cache = cache;
	object->version = *key->version;
	object->number = key->number;
	object->hash = hash_of(key->path, key->number);
	object->plain_number = key->plain_number;
	object->lasting = key->lasting;
	object->nonce = key->nonce;
	(void)memcpy(object->pin, key->version->etag, sizeof(object->pin));
	object_init_disk(object);
	list_init(&object->idle);
	list_init(&object->forget);
	list_init(&object->blocks);
	list_init(&object->parked);
	list_init(&object->runs);
	checksum_init(&object->checksum);
	return object;
}

struct object *object_open(struct cache *cache, const struct object_key *key)
{
	struct objects *objects = &cache->objects;
	struct object *object = key->shared ? find(objects, key) : NULL;
	unsigned wrong;

	if (object != NULL) {
		object_get(object);
		return object;
	}
	object = make(cache, key);
	if (object == NULL)
		return NULL;
	objects->count++;
	object->refs = 1;
	wrong = suspects_count(&cache->suspects, key->path, key->version);
	object->checksum.suspect = wrong > 0;
	object->checksum.failed = wrong >= SUSPECT_BAD;
	if (key->shared)
		object_rehash(object);
	if (cache->store != NULL && (key->lasting || key->nonce != 0) &&
	    key->shared && object->version.size_bytes > 0)
		object->disk = OBJECT_DISK_UNASKED;
	return object;
}

void object_pin(struct cache *cache, const struct object_key *key,
    char out[FETCH_ETAG_BYTES])
{
	const struct object *object = find(&cache->objects, key);

	if (object != NULL)
		(void)memcpy(out, object->pin, FETCH_ETAG_BYTES);
}

void object_get(struct object *object)
{
	if (object->refs++ == 0) {
		list_remove(&object->idle);
		object->cache->objects.idle_count--;
	}
}

/* Nobody uses it and nobody will. */
static void drop(struct object *object, struct todo *todo) REQUIRES(cache_lock);
static void drop(struct object *object, struct todo *todo)
{
	struct cache *cache = object->cache;

	assert(object->refs == 0);
	assert(list_is_empty(&object->parked));
	assert(list_is_empty(&object->runs));
	unhash(&cache->objects, object);
	pool_forget(&cache->pool, &object->blocks);
	budget_end(&cache->budget, &object->budget);
	cache->objects.count--;
	list_remove(&object->idle);
	list_push(&todo->closes, &object->idle);
}

static void drop_oldest(struct cache *cache, struct todo *todo)
    REQUIRES(cache_lock);
static void drop_oldest(struct cache *cache, struct todo *todo)
{
	cache->objects.idle_count--;
	drop(CONTAINER_OF(cache->objects.idle.next, struct object, idle), todo);
}

void object_put(struct object *object, struct todo *todo)
{
	struct objects *objects = &object->cache->objects;

	assert(object->refs > 0);
	if (--object->refs > 0)
		return;
	/* Of one that was not read there is nothing to remember: the kernel has
	 * its bytes. It would push out others, of which there is. */
	if (object->stale || !object->hashed ||
	    object->disk == OBJECT_DISK_UNASKED) {
		drop(object, todo);
		return;
	}
	list_push(&objects->idle, &object->idle);
	objects->idle_count++;
	if (objects->idle_count > object->cache->limits.idle_objects)
		drop_oldest(object->cache, todo);
}

void objects_drop_idle(struct cache *cache, struct todo *todo)
{
	while (!list_is_empty(&cache->objects.idle))
		drop_oldest(cache, todo);
}

bool object_make_stale(struct object *object)
{
	if (object->stale)
		return false;
	object->stale = true;
	unhash(&object->cache->objects, object);
	return true;
}

void object_hide(struct object *object)
{
	unhash(&object->cache->objects, object);
}

void object_checksum(struct cache *cache, const struct object_key *key,
    char out[FETCH_DIGEST_TEXT_BYTES])
{
	const struct object *object = find(&cache->objects, key);

	out[0] = '\0';
	if (object != NULL && object->checksum.state == CHECKSUM_RIGHT)
		fetch_digest_text(out, &object->checksum.told);
}

void object_free(struct object *object)
{
	checksum_fini(&object->checksum);
	if (object->store != NULL)
		store_object_close(object->store);
	free(object->kept);
	object_forget_paths(object);
	free(object);
}
