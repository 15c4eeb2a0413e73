/* SPDX-License-Identifier: Apache-2.0 */
/* cache/bytes/object_disk.c - an object's place in the store: asked when
 * somebody reads it, and what it is known to have. See object.h. */
#include "cache/bytes/object.h"
#include "cache/core.h"
#include "cache/store/store.h"

#include <errno.h>
#include <stdlib.h>

bool object_may_have(const struct object *object, uint64_t index)
{
	if (object->disk != OBJECT_DISK_OPEN)
		return false;
	return object->kept == NULL ||
	    (object->kept[index / 8] >> (index % 8) & 1) != 0;
}

void object_note_kept(struct object *object, uint64_t index)
{
	if (object->kept != NULL)
		object->kept[index / 8] =
		    (uint8_t)(object->kept[index / 8] | 1u << (index % 8));
}

struct store_identity object_identity(const struct object *object)
{
	return (struct store_identity){
	    .origin = object->cache->config.origin,
	    .path = object->server_path,
	    .size_bytes = object->version.size_bytes,
	    .mtime_s = object->version.mtime_s,
	    .etag = object->version.etag,
	    .nonce = object->nonce,
	};
}

/* Nothing of it is on the disk: remember what we put there. Until it is
 * OPEN only who opens it touches this. */
static void begin_kept(struct object *object)
{
	uint64_t count = object_block_count(object);

	if (count <= OBJECT_KEPT_BLOCKS_MAX)
		object->kept = calloc(count / 8 + 1, 1);
}

/* The store has answered: its readers go on. */
static void opened(struct object *object, struct todo *todo)
    REQUIRES(cache_lock);
static void opened(struct object *object, struct todo *todo)
{
	object->disk =
	    object->open_code == 0 ? OBJECT_DISK_OPEN : OBJECT_DISK_NONE;
	(void)pthread_cond_broadcast(&object->cache->writer.room);
	reads_unpark(object, todo);
	if (object->ahead_blocks > 0)
		object_fetch_ahead(
		    object, &object->ahead_ident, object->ahead_blocks, todo);
	object->ahead_blocks = 0;
	object_put(object, todo);
}

/* On a disk reader: what does the store have of this version? */
static void open_store(struct disk_job *job, bool stopping)
{
	struct object *object = CONTAINER_OF(job, struct object, open_job);
	struct cache *cache = object->cache;
	struct store_identity identity = object_identity(object);
	struct todo todo;

	object->open_code = -ECANCELED;
	if (!stopping)
		object->open_code =
		    store_object_open(cache->store, &identity, &object->store);
	if (object->open_code == 0)
		object->checksum.disk_count =
		    store_object_blocks(object->store);
	if (object->open_code == 0 && object->checksum.disk_count == 0)
		begin_kept(object);
	todo_init(&todo);
	cache_enter(cache);
	opened(object, &todo);
	cache_leave(cache, &todo);
}

bool object_open_disk(struct object *object)
{
	struct cache *cache = object->cache;

	if (object->disk == OBJECT_DISK_UNASKED) {
		object->disk = OBJECT_DISK_OPENING;
		object_get(object);
		cache_exit(cache);
		open_store(&object->open_job, false);
		cache_enter(cache);
	}
	while (object->disk == OBJECT_DISK_OPENING && !cache->stopping)
		writer_wait_room(cache);
	return object->disk == OBJECT_DISK_OPEN;
}

void object_look(struct object *object)
{
	struct store_identity identity = object_identity(object);

	object->open_code = store_object_open_absent(
	    object->cache->store, &identity, &object->store);
	if (object->open_code == 0)
		begin_kept(object);
}

void object_looked(struct object *object, struct todo *todo)
{
	struct cache *cache = object->cache;

	if (object->open_code == -EAGAIN && !cache->disk.stopping)
		disk_push(cache, &object->open_job, true);
	else
		opened(object, todo);
}

void object_init_disk(struct object *object)
{
	object->disk = OBJECT_DISK_NONE;
	object->open_job.run = open_store;
	list_init(&object->open_job.place);
}

void object_ask_disk(struct object *object, struct todo *todo)
{
	if (object->disk != OBJECT_DISK_UNASKED)
		return;
	object->disk = OBJECT_DISK_OPENING;
	object_get(object);
	list_push(&todo->opens, &object->open_job.place);
}
