/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/proof.c - see proof.h. Two rings, of refusals and of grants, each
 * found through chained buckets; places are indices + 1, so that 0 is the end
 * of a chain. A ring is a window from its oldest place to its next one; what
 * was taken back leaves a hole in it.
 */
#include "tokens/door/proof.h"

#include "base/attr.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	struct proof_key key; /* its path is ours; NULL: a hole */
	uint64_t hash;
	uint64_t value; /* a status, or until when */
	unsigned next;  /* in the chain */
};

struct ring {
	unsigned room; /* a power of two: places, and buckets */
	unsigned count;
	size_t path_bytes;
	uint64_t oldest; /* ever growing; the place is this modulo room */
	uint64_t next;
	unsigned *buckets;
	struct entry *places;
};

struct proof_table {
	uint64_t seed;
	struct ring refusals;
	struct ring grants;
};

static int ring_init(struct ring *ring, unsigned room)
{
	ring->room = room;
	ring->buckets = calloc(room, sizeof(unsigned));
	ring->places = calloc(room, sizeof(struct entry));
	return ring->buckets != NULL && ring->places != NULL ? 0 : -1;
}

static void ring_fini(struct ring *ring)
{
	for (unsigned i = 0; i < ring->room && ring->places != NULL; i++)
		free((void *)(uintptr_t)ring->places[i].key.path);
	free(ring->places);
	free(ring->buckets);
}

struct proof_table *proof_new(void)
{
	struct proof_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	clock_random(&table->seed, sizeof(table->seed));
	if (ring_init(&table->refusals, PROOF_REFUSALS_MAX) == 0 &&
	    ring_init(&table->grants, PROOF_GRANTS_MAX) == 0)
		return table;
	proof_free(table);
	return NULL;
}

void proof_free(struct proof_table *table)
{
	if (table == NULL)
		return;
	ring_fini(&table->refusals);
	ring_fini(&table->grants);
	free(table);
}

/* FNV-1a with a seed; chains are bounded by the ring in any case. */
static uint64_t hash_of(
    const struct proof_table *table, const struct proof_key *key)
{
	uint64_t hash = table->seed ^ UINT64_C(0xcbf29ce484222325);

	hash = (hash ^ key->token_id) * UINT64_C(0x100000001b3);
	hash = (hash ^ (uint64_t)key->right) * UINT64_C(0x100000001b3);
	for (const char *p = key->path; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

static unsigned *bucket_of(const struct ring *ring, uint64_t hash)
{
	return &ring->buckets[hash & (ring->room - 1)];
}

/* Place + 1 of an entry, 0 when there is none. */
static unsigned find(
    const struct ring *ring, uint64_t hash, const struct proof_key *key)
{
	unsigned at = *bucket_of(ring, hash);

	while (at != 0) {
		const struct entry *entry = &ring->places[at - 1];

		if (entry->hash == hash &&
		    entry->key.token_id == key->token_id &&
		    entry->key.right == key->right &&
		    strcmp(entry->key.path, key->path) == 0)
			return at;
		at = entry->next;
	}
	return 0;
}

static void forget(struct ring *ring, unsigned at)
{
	struct entry *entry = &ring->places[at - 1];
	unsigned *link = bucket_of(ring, entry->hash);

	while (*link != at)
		link = &ring->places[*link - 1].next;
	*link = entry->next;
	ring->path_bytes -= strlen(entry->key.path) + 1;
	ring->count--;
	free((void *)(uintptr_t)entry->key.path);
	entry->key.path = NULL;
}

static void make_room(struct ring *ring, size_t path_bytes)
{
	while (ring->next - ring->oldest == ring->room ||
	    (ring->count > 0 &&
	        ring->path_bytes + path_bytes > PROOF_PATHS_BYTES_MAX)) {
		unsigned at = (unsigned)(ring->oldest++ & (ring->room - 1)) + 1;

		if (ring->places[at - 1].key.path != NULL)
			forget(ring, at);
	}
}

/* Remember, or remember anew. Without memory it is not remembered. */
static void set(struct ring *ring, uint64_t hash, const struct proof_key *key,
    uint64_t value)
{
	unsigned at = find(ring, hash, key);
	size_t path_bytes = strlen(key->path) + 1;
	unsigned *bucket = bucket_of(ring, hash);
	char *path;

	if (at != 0) {
		ring->places[at - 1].value = value;
		return;
	}
	path = malloc(path_bytes);
	if (path == NULL)
		return;
	(void)memcpy(path, key->path, path_bytes);
	make_room(ring, path_bytes);
	at = (unsigned)(ring->next++ & (ring->room - 1)) + 1;
	ring->places[at - 1] = (struct entry){
	    .key = *key, .hash = hash, .value = value, .next = *bucket};
	ring->places[at - 1].key.path = path;
	*bucket = at;
	ring->count++;
	ring->path_bytes += path_bytes;
}

static void unset(struct ring *ring, uint64_t hash, const struct proof_key *key)
{
	unsigned at = ring->count > 0 ? find(ring, hash, key) : 0;

	if (at != 0)
		forget(ring, at);
}

/* Bytes and attributes have one refusal between them. */
static struct proof_key refusal_key(const struct proof_key *key)
{
	struct proof_key one = *key;

	if (one.right == TOKENS_LOOK)
		one.right = TOKENS_READ;
	return one;
}

static void revoke(struct proof_table *table, const struct proof_key *key)
{
	static const enum tokens_right rights[] = {
	    TOKENS_READ, TOKENS_LOOK, TOKENS_LIST};
	struct proof_key one = *key;

	unset(&table->grants, hash_of(table, key), key);
	if (key->right != TOKENS_READ && key->right != TOKENS_LOOK)
		return;
	for (unsigned i = 0; i < ARRAY_COUNT(rights); i++) {
		one.right = rights[i];
		unset(&table->grants, hash_of(table, &one), &one);
	}
}

void proof_note(struct proof_table *table, const struct proof_key *key,
    int status, uint64_t until_ms)
{
	bool good = status >= 200 && status <= 299;
	struct proof_key one = refusal_key(key);

	if (status == 401 || status == 403) {
		revoke(table, key);
		set(&table->refusals, hash_of(table, &one), &one,
		    (uint64_t)status);
		return;
	}
	if (!good)
		return;
	/* The usual case, thousands of times a second: no refusal at all. */
	if (table->refusals.count > 0)
		unset(&table->refusals, hash_of(table, &one), &one);
	if (until_ms > 0)
		set(&table->grants, hash_of(table, key), key, until_ms);
}

int proof_refusal(const struct proof_table *table, const struct proof_key *key)
{
	struct proof_key one = refusal_key(key);
	unsigned at;

	if (table->refusals.count == 0)
		return 0;
	at = find(&table->refusals, hash_of(table, &one), &one);
	return at != 0 ? (int)table->refusals.places[at - 1].value : 0;
}

static bool stands(const struct proof_table *table, const struct proof_key *key,
    uint64_t now_ms)
{
	unsigned at = find(&table->grants, hash_of(table, key), key);

	return at != 0 && now_ms < table->grants.places[at - 1].value;
}

bool proof_granted(const struct proof_table *table, const struct proof_key *key,
    uint64_t now_ms)
{
	struct proof_key bytes = *key;
	struct proof_key names = *key;

	if (table->grants.count == 0)
		return false;
	if (stands(table, key, now_ms))
		return true;
	bytes.right = TOKENS_READ;
	names.right = TOKENS_LIST;
	return key->right == TOKENS_LOOK &&
	    (stands(table, &bytes, now_ms) || stands(table, &names, now_ms));
}

unsigned proof_refusals(const struct proof_table *table)
{
	return table->refusals.count;
}

unsigned proof_grants(const struct proof_table *table)
{
	return table->grants.count;
}
