/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/store/purses.c - see purses.h. */
#include "tokens/store/purses.h"

#include "base/secret.h"
#include "tokens/store/hoard.h"

#include <stdlib.h>

enum {
	BUCKETS = 1024, /* a power of two */
	/* To make room; of who has many small ones, the rest next time. */
	ADMIT_DROPS_MAX = 64,
};

struct purses {
	struct purse *first;
	unsigned count;
	struct hoards *hoards;          /* their tokens, by user */
	struct purse *buckets[BUCKETS]; /* chained by `same_bucket` */
};

struct purses *purses_new(void)
{
	struct purses *purses = calloc(1, sizeof(*purses));

	if (purses == NULL)
		return NULL;
	purses->hoards = hoards_new();
	if (purses->hoards == NULL) {
		free(purses);
		return NULL;
	}
	return purses;
}

void purses_free(struct purses *purses)
{
	if (purses == NULL)
		return;
	while (purses->first != NULL) {
		struct purse *purse = purses->first;

		purses->first = purse->next;
		purse_free(purse);
	}
	hoards_free(purses->hoards);
	free(purses);
}

static struct purse **bucket_of(
    struct purses *purses, const struct caller *owner)
{
	uint64_t mixed = (uint64_t)owner->tgid * UINT64_C(0x9e3779b97f4a7c15);

	return &purses->buckets[mixed >> 54 & (BUCKETS - 1)];
}

struct purse *purses_first(const struct purses *purses)
{
	return purses->first;
}

struct purse *purses_find(
    const struct purses *purses, const struct caller *owner)
{
	struct purse *purse =
	    *bucket_of((struct purses *)(uintptr_t)purses, owner);

	while (purse != NULL && !caller_same(&purse->owner, owner))
		purse = purse->same_bucket;
	return purse;
}

static bool is_in_use(const struct purse *purse) REQUIRES(tokens_lock);
static bool is_in_use(const struct purse *purse)
{
	return purse->queries != NULL || purse->looking;
}

static void drop(struct purses *purses, struct purse *purse)
    REQUIRES(tokens_lock);
static void drop(struct purses *purses, struct purse *purse)
{
	struct purse **link = &purses->first;

	while (*link != purse)
		link = &(*link)->next;
	*link = purse->next;
	link = bucket_of(purses, &purse->owner);
	while (*link != purse)
		link = &(*link)->same_bucket;
	*link = purse->same_bucket;
	purses->count--;
	purse_free(purse);
}

/* The one that was idle longest, of one user or of all, and how many there
 * are. */
static struct purse *idlest(const struct purses *purses, const uid_t *uid,
    unsigned *count) REQUIRES(tokens_lock);
static struct purse *idlest(
    const struct purses *purses, const uid_t *uid, unsigned *count)
{
	struct purse *found = NULL;

	*count = 0;
	for (struct purse *purse = purses->first; purse != NULL;
	     purse = purse->next) {
		if (uid != NULL && purse->owner.uid != *uid)
			continue;
		++*count;
		if (!is_in_use(purse) &&
		    (found == NULL || purse->used_ms < found->used_ms))
			found = purse;
	}
	return found;
}

/* Make room for one more; false when there is none. */
static bool make_room(struct purses *purses, uid_t uid) REQUIRES(tokens_lock);
static bool make_room(struct purses *purses, uid_t uid)
{
	unsigned count;
	struct purse *purse = idlest(purses, &uid, &count);

	if (count < PURSES_USER_MAX) {
		if (purses->count < PURSES_MAX)
			return true;
		purse = idlest(purses, NULL, &count);
	}
	if (purse == NULL)
		return false;
	drop(purses, purse);
	return true;
}

struct purse *purses_make(
    struct purses *purses, const struct caller *owner, uint64_t now_ms)
{
	struct purse *purse = purses_find(purses, owner);
	struct purse **bucket = bucket_of(purses, owner);

	if (purse == NULL && make_room(purses, owner->uid))
		purse = purse_new();
	else if (purse != NULL)
		return purse;
	if (purse == NULL)
		return NULL;
	purse->owner = *owner;
	purse->fresh_ms = WAIT_FRESH_CALLER_MS;
	purse->stall_ms = WAIT_STALL_CALLER_MS;
	purse->again_ms = WAIT_AGAIN_CALLER_MS;
	purse->used_ms = now_ms;
	purse->next = purses->first;
	purses->first = purse;
	purse->same_bucket = *bucket;
	*bucket = purse;
	purses->count++;
	return purse;
}

void purses_tidy(struct purses *purses, uint64_t now_ms)
{
	struct purse *next;

	for (struct purse *purse = purses->first; purse != NULL; purse = next) {
		next = purse->next;
		if (!is_in_use(purse) &&
		    now_ms - purse->used_ms >= PURSES_IDLE_MS)
			drop(purses, purse);
	}
	hoards_tidy(purses->hoards);
}

unsigned purses_waiting(const struct purses *purses, uid_t uid)
{
	unsigned count = 0;

	for (const struct purse *purse = purses->first; purse != NULL;
	     purse = purse->next) {
		const struct store_query *query = purse->queries;

		for (; purse->owner.uid == uid && query != NULL;
		     query = query->next)
			count++;
	}
	return count;
}

/* Texts of a finding that nobody had before. */
static size_t new_bytes(const struct finding *found)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < found->count; i++) {
		if (found->tokens[i]->gone == NULL)
			bytes += secret_size_bytes(found->tokens[i]->text);
	}
	return bytes;
}

/* Make room for so much more of a user's. */
static bool make_room_for(struct purses *purses, struct hoard *hoard, uid_t uid,
    size_t bytes) REQUIRES(tokens_lock);
static bool make_room_for(
    struct purses *purses, struct hoard *hoard, uid_t uid, size_t bytes)
{
	for (unsigned i = 0; i < ADMIT_DROPS_MAX; i++) {
		bool theirs_fit =
		    hoard_bytes(hoard) + bytes <= PURSES_USER_BYTES_MAX;
		struct purse *purse;
		unsigned unused;

		if (theirs_fit &&
		    hoards_bytes(purses->hoards) + bytes <= PURSES_BYTES_MAX)
			return true;
		purse = idlest(purses, theirs_fit ? NULL : &uid, &unused);
		if (purse == NULL)
			return false;
		drop(purses, purse);
	}
	return false;
}

void purses_know_again(struct purses *purses, uid_t uid, struct finding *found)
{
	struct hoard *hoard = hoards_of(purses->hoards, uid);

	for (unsigned i = 0; hoard != NULL && i < found->count; i++) {
		struct token *same = found->tokens[i]->gone == NULL
		    ? hoard_find(hoard, found->tokens[i])
		    : NULL;

		if (same == NULL)
			continue;
		token_put(found->tokens[i]);
		found->tokens[i] = same;
	}
}

bool purses_admit(struct purses *purses, uid_t uid, struct finding *found)
{
	struct hoard *hoard = hoards_of(purses->hoards, uid);
	size_t bytes = new_bytes(found);

	if (hoard == NULL ||
	    (bytes > 0 && !make_room_for(purses, hoard, uid, bytes)))
		return false;
	for (unsigned i = 0; i < found->count; i++) {
		if (found->tokens[i]->gone == NULL)
			hoard_add(hoard, found->tokens[i]);
	}
	return true;
}
