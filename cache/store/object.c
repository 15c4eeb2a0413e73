/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/object.c - open versions: their encoded identity, and what is
 * known of them in the generation in force.
 *
 * An identity is encoded once; its bytes are what is hashed for the key,
 * written at the head of a map or record, and compared with what stands
 * there. Nothing of an identity is ever parsed from disk.
 */
#include "cache/store/object.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Encode an identity; NULL with *size_bytes 0: too long to be kept. */
static int encode_head(
    const struct store_identity *identity, uint8_t **out, size_t *size_bytes)
{
	size_t origin_bytes = strlen(identity->origin);
	size_t path_bytes = strlen(identity->path);
	size_t etag_bytes = strlen(identity->etag);
	size_t head_bytes;

	*out = NULL;
	*size_bytes = 0;
	if (origin_bytes > FORMAT_TEXT_BYTES_MAX ||
	    path_bytes > FORMAT_TEXT_BYTES_MAX ||
	    etag_bytes > FORMAT_TEXT_BYTES_MAX ||
	    origin_bytes + path_bytes + etag_bytes > FORMAT_TEXT_BYTES_MAX)
		return 0;
	head_bytes = (size_t)round_up(
	    sizeof(struct format_head) + origin_bytes + path_bytes + etag_bytes,
	    8);

	uint8_t *bytes = calloc(1, head_bytes);

	if (bytes == NULL)
		return -ENOMEM;

	struct format_head head = {
	    .magic = htole32(FORMAT_HEAD_MAGIC),
	    .head_bytes = htole32((uint32_t)head_bytes),
	    .size_bytes = htole64(identity->size_bytes),
	    .mtime_s = htole64((uint64_t)identity->mtime_s),
	    .nonce = htole64(identity->nonce),
	    .origin_bytes = htole16((uint16_t)origin_bytes),
	    .path_bytes = htole16((uint16_t)path_bytes),
	    .etag_bytes = htole16((uint16_t)etag_bytes),
	};
	uint8_t *at = bytes + sizeof(head);

	memcpy(bytes, &head, sizeof(head));
	memcpy(at, identity->origin, origin_bytes);
	memcpy(at + origin_bytes, identity->path, path_bytes);
	memcpy(at + origin_bytes + path_bytes, identity->etag, etag_bytes);
	*out = bytes;
	*size_bytes = head_bytes;
	return 0;
}

static void free_object(struct store_object *object)
{
	free(object->head);
	free(object);
}

/* An object of which nothing is known yet. */
static int make_object(struct store *store,
    const struct store_identity *identity, struct store_object **out)
{
	struct store_object *object = calloc(1, sizeof(*object));

	*out = NULL;
	if (object == NULL)
		return -ENOMEM;
	object->store = store;
	object->size_bytes = identity->size_bytes;

	int code = encode_head(identity, &object->head, &object->head_bytes);

	if (code < 0) {
		free_object(object);
		return code;
	}
	*out = object;
	return 0;
}

int store_object_open_absent(struct store *store,
    const struct store_identity *identity, struct store_object **out)
{
	struct store_object *object;
	int code = make_object(store, identity, &object);

	*out = NULL;
	if (code < 0)
		return code;

	struct generation *generation = generation_get(store);
	struct map_object seen;

	code = -EAGAIN;
	if (generation != NULL) {
		if (version_is_small(object) &&
		    version_see(store, generation, object, &seen, NULL))
			code = version_find_hot(store, generation, &seen);
		generation_put(store, generation);
	}
	if (code < 0)
		free_object(object);
	else
		*out = object;
	return code;
}

int store_object_open(struct store *store,
    const struct store_identity *identity, struct store_object **out)
{
	struct store_object *object;
	int code = make_object(store, identity, &object);

	*out = object;
	if (code < 0)
		return code;

	struct generation *generation = generation_get(store);
	struct map_object seen;
	bool have[1];

	if (generation == NULL)
		return 0;
	if (version_see(store, generation, object, &seen, NULL)) {
		/* Opens the map or finds the record, so that the first
		 * probe need not wait. What goes wrong is a miss. */
		if (version_is_small(object))
			version_find_small(store, generation, &seen);
		else
			(void)!store_probe(object, 0, 1, STORE_WAIT, have);
	}
	generation_put(store, generation);
	return 0;
}

int version_of_head(struct store *store, const uint8_t *head, size_t head_bytes,
    uint64_t size_bytes, struct store_object **out)
{
	struct store_object *object = calloc(1, sizeof(*object));
	uint8_t *copy = malloc(head_bytes);

	*out = NULL;
	if (object == NULL || copy == NULL) {
		free(object);
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, head, head_bytes);
	object->store = store;
	object->size_bytes = size_bytes;
	object->head = copy;
	object->head_bytes = head_bytes;
	object->quiet = true;
	*out = object;
	return 0;
}

void store_object_close(struct store_object *object)
{
	if (object == NULL)
		return;

	struct store *store = object->store;

	store_enter(store);
	/* A map that is open belongs to the generation in force: swapping it
	 * takes the maps of the old one from their objects. */
	if (object->map != NULL) {
		assert(store->generation != NULL);
		handle_drop(&store->generation->maps, object->map);
	}
	store_leave(store);
	free_object(object);
}

/* Begin anew in another generation. */
static void attach(struct generation *generation, struct store_object *object)
    REQUIRES(store_lock)
{
	assert(object->map == NULL);
	object->generation_id = generation->id;
	object->key =
	    hash_key(generation->secret, object->head, object->head_bytes);
	object->bind =
	    hash_bind(generation->secret, object->head, object->head_bytes);
	object->map_state = MAP_UNKNOWN;
	object->map_touched_ms = 0;
	object->record = (struct place){.pack = 0};
	object->looked = false;
}

bool version_see(struct store *store, struct generation *generation,
    struct store_object *object, struct map_object *out,
    struct small_file *small)
{
	if (object->head == NULL)
		return false;
	store_enter(store);
	/* A generation that was swapped out meanwhile sees nothing new. */
	if (object->generation_id < generation->id)
		attach(generation, object);
	*out = (struct map_object){.store = store,
	    .generation = generation,
	    .object = object,
	    .key = object->key,
	    .bind = object->bind};

	bool same = object->generation_id == generation->id;

	if (small != NULL) {
		small->content = object->record;
		small->looked = object->looked;
		memcpy(small->sums, object->sums, sizeof(small->sums));
	}
	store_leave(store);
	return same;
}

void version_set_small(struct store *store, struct generation *generation,
    struct store_object *object, const struct small_file *small)
{
	store_enter(store);
	if (object->generation_id == generation->id) {
		object->record = small->content;
		object->looked = true;
		memcpy(object->sums, small->sums, sizeof(object->sums));
	}
	store_leave(store);
}

void version_note_looked(struct store *store, struct generation *generation,
    struct store_object *object)
{
	store_enter(store);
	if (object->generation_id == generation->id)
		object->looked = true;
	store_leave(store);
}

size_t version_content_offset(const struct store_object *object)
{
	return (size_t)round_up(
	    object->head_bytes + sizeof(struct format_content),
	    FORMAT_UNIT_BYTES);
}
