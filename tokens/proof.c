/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/proof.c - see proof.h. A ring of refusals, found through chained
 * buckets; places are indices + 1, so that 0 is the end of a chain.
 */
#include "tokens/proof.h"

#include "base/clock.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 2048 };

struct refusal {
	uint64_t token_id;
	uint64_t hash;
	char *path; /* NULL: this place is free */
	enum tokens_right right;
	int status;
	unsigned next; /* in the chain */
};

struct proof_table {
	uint64_t seed;
	unsigned count;
	unsigned oldest; /* where the ring goes on */
	unsigned buckets[BUCKETS];
	struct refusal ring[PROOF_REFUSALS_MAX];
};

struct proof_table *proof_new(void)
{
	struct proof_table *table = calloc(1, sizeof(*table));

	if (table != NULL)
		clock_random(&table->seed, sizeof(table->seed));
	return table;
}

void proof_free(struct proof_table *table)
{
	if (table == NULL)
		return;
	for (unsigned i = 0; i < PROOF_REFUSALS_MAX; i++)
		free(table->ring[i].path);
	free(table);
}

/* FNV-1a with a seed; chains are bounded by the ring in any case. */
static uint64_t hash_of(const struct proof_table *table, uint64_t token_id,
    const char *path, enum tokens_right right)
{
	uint64_t hash = table->seed ^ UINT64_C(0xcbf29ce484222325);

	hash = (hash ^ token_id) * UINT64_C(0x100000001b3);
	hash = (hash ^ (uint64_t)right) * UINT64_C(0x100000001b3);
	for (const char *p = path; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

/* Place + 1 of a refusal, 0 when there is none. */
static unsigned find(const struct proof_table *table, uint64_t hash,
    uint64_t token_id, const char *path, enum tokens_right right)
{
	unsigned at = table->buckets[hash % BUCKETS];

	while (at != 0) {
		const struct refusal *refusal = &table->ring[at - 1];

		if (refusal->hash == hash && refusal->token_id == token_id &&
		    refusal->right == right && strcmp(refusal->path, path) == 0)
			return at;
		at = refusal->next;
	}
	return 0;
}

static void forget(struct proof_table *table, unsigned at)
{
	struct refusal *refusal = &table->ring[at - 1];
	unsigned *link = &table->buckets[refusal->hash % BUCKETS];

	while (*link != at)
		link = &table->ring[*link - 1].next;
	*link = refusal->next;
	free(refusal->path);
	refusal->path = NULL;
	table->count--;
}

static void remember(struct proof_table *table, const struct refusal *refusal)
{
	unsigned at = table->oldest + 1;
	unsigned *bucket = &table->buckets[refusal->hash % BUCKETS];

	table->oldest = (table->oldest + 1) % PROOF_REFUSALS_MAX;
	if (table->ring[at - 1].path != NULL)
		forget(table, at);
	table->ring[at - 1] = *refusal;
	table->ring[at - 1].next = *bucket;
	*bucket = at;
	table->count++;
}

void proof_note(struct proof_table *table, uint64_t token_id, const char *path,
    enum tokens_right right, int status)
{
	bool refused = status == 401 || status == 403;
	struct refusal refusal = {
	    .token_id = token_id, .right = right, .status = status};
	unsigned at;

	/* The usual case, thousands of times a second: all is well. */
	if (!refused && (table->count == 0 || status < 200 || status > 299))
		return;
	refusal.hash = hash_of(table, token_id, path, right);
	at = find(table, refusal.hash, token_id, path, right);
	if (at != 0 && refused) {
		table->ring[at - 1].status = status;
	} else if (at != 0) {
		forget(table, at);
	} else if (refused) {
		refusal.path = strdup(path);
		/* Without memory the refusal is not remembered; the server
		 * will say it again. */
		if (refusal.path != NULL)
			remember(table, &refusal);
	}
}

int proof_refusal(const struct proof_table *table, uint64_t token_id,
    const char *path, enum tokens_right right)
{
	unsigned at;

	if (table->count == 0)
		return 0;
	at = find(table, hash_of(table, token_id, path, right), token_id, path,
	    right);
	return at != 0 ? table->ring[at - 1].status : 0;
}

unsigned proof_count(const struct proof_table *table)
{
	return table->count;
}
