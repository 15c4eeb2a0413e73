/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/store/purses.c - see purses.h. */
#include "tokens/store/purses.h"

#include "base/secret.h"

#include <stdlib.h>

enum {
	BUCKETS = 1024, /* a power of two */
	/* To make room; of who has many small ones, the rest next time. */
	ADMIT_DROPS_MAX = 64,
};

struct purses {
	struct purse *first;
	unsigned count;
	uint64_t counts; /* of bytes, ever growing: see struct token */
	struct purse *buckets[BUCKETS]; /* chained by `same_bucket` */
};

struct purses *purses_new(void)
{
	return calloc(1, sizeof(struct purses));
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

/* Texts of a finding that were not counted yet. */
static size_t count_bytes(const struct purses *purses,
    const struct finding *finding) REQUIRES(tokens_lock);
static size_t count_bytes(
    const struct purses *purses, const struct finding *finding)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < finding->count; i++) {
		struct token *token = finding->tokens[i];

		if (token->counted != purses->counts)
			bytes += secret_size_bytes(token->text);
		token->counted = purses->counts;
	}
	return bytes;
}

/* What they would hold together with `found`: all, and those of a user. */
static size_t count_all(struct purses *purses, uid_t uid,
    const struct finding *found, size_t *theirs) REQUIRES(tokens_lock);
static size_t count_all(struct purses *purses, uid_t uid,
    const struct finding *found, size_t *theirs)
{
	size_t all;

	purses->counts++;
	all = *theirs = count_bytes(purses, found);
	for (const struct purse *purse = purses->first; purse != NULL;
	     purse = purse->next) {
		size_t bytes = count_bytes(purses, &purse->now);

		all += bytes;
		if (purse->owner.uid == uid)
			*theirs += bytes;
	}
	return all;
}

bool purses_admit(struct purses *purses, uid_t uid, const struct finding *found)
{
	for (unsigned i = 0; i < ADMIT_DROPS_MAX; i++) {
		size_t theirs;
		size_t all = count_all(purses, uid, found, &theirs);
		bool theirs_fit = theirs <= PURSES_USER_BYTES_MAX;
		struct purse *purse;
		unsigned unused;

		if (theirs_fit && all <= PURSES_BYTES_MAX)
			return true;
		purse = idlest(purses, theirs_fit ? NULL : &uid, &unused);
		if (purse == NULL)
			return false;
		drop(purses, purse);
	}
	return false;
}

static struct token *same_in(
    const struct finding *finding, const struct token *token)
{
	for (unsigned i = 0; i < finding->count; i++) {
		if (token_same_text(finding->tokens[i], token))
			return finding->tokens[i];
	}
	return NULL;
}

struct token *purses_same_token(
    const struct purses *purses, uid_t uid, const struct token *token)
{
	struct token *found = NULL;

	for (const struct purse *purse = purses->first;
	     purse != NULL && found == NULL; purse = purse->next) {
		if (purse->owner.uid == uid)
			found = same_in(&purse->now, token);
	}
	return found;
}
