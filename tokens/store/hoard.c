/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/store/hoard.c - see hoard.h. */
#include "tokens/store/hoard.h"

#include "base/secret.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { BUCKETS = 256 }; /* a power of two */

struct hoard {
	struct hoard *next; /* of the store's */
	uid_t uid;
	atomic_uint references; /* the store, and each token in it */
	pthread_mutex_t mutex;
	size_t bytes GUARDED_BY(hoard_lock);
	/* Through their hoard_next. */
	struct token *buckets[BUCKETS] GUARDED_BY(hoard_lock);
};

struct hoards {
	struct hoard *first;
};

static void enter(struct hoard *hoard) ACQUIRES(hoard_lock);
static void leave(struct hoard *hoard) RELEASES(hoard_lock);

static UNCHECKED void enter(struct hoard *hoard)
{
	(void)pthread_mutex_lock(&hoard->mutex);
}

static UNCHECKED void leave(struct hoard *hoard)
{
	(void)pthread_mutex_unlock(&hoard->mutex);
}

static void put(struct hoard *hoard)
{
	if (atomic_fetch_sub(&hoard->references, 1) != 1)
		return;
	(void)pthread_mutex_destroy(&hoard->mutex);
	free(hoard);
}

struct hoards *hoards_new(void)
{
	return calloc(1, sizeof(struct hoards));
}

void hoards_free(struct hoards *hoards)
{
	if (hoards == NULL)
		return;
	while (hoards->first != NULL) {
		struct hoard *hoard = hoards->first;

		hoards->first = hoard->next;
		put(hoard);
	}
	free(hoards);
}

struct hoard *hoards_of(struct hoards *hoards, uid_t uid)
{
	struct hoard *hoard = hoards->first;

	while (hoard != NULL && hoard->uid != uid)
		hoard = hoard->next;
	if (hoard != NULL)
		return hoard;
	hoard = calloc(1, sizeof(*hoard));
	if (hoard == NULL)
		return NULL;
	hoard->uid = uid;
	atomic_init(&hoard->references, 1);
	(void)pthread_mutex_init(&hoard->mutex, NULL);
	hoard->next = hoards->first;
	hoards->first = hoard;
	return hoard;
}

void hoards_tidy(struct hoards *hoards)
{
	struct hoard **link = &hoards->first;

	while (*link != NULL) {
		struct hoard *hoard = *link;

		if (atomic_load(&hoard->references) > 1) {
			link = &hoard->next;
			continue;
		}
		*link = hoard->next;
		put(hoard);
	}
}

size_t hoard_bytes(struct hoard *hoard)
{
	size_t bytes;

	enter(hoard);
	bytes = hoard->bytes;
	leave(hoard);
	return bytes;
}

size_t hoards_bytes(const struct hoards *hoards)
{
	size_t bytes = 0;

	for (struct hoard *hoard = hoards->first; hoard != NULL;
	     hoard = hoard->next)
		bytes += hoard_bytes(hoard);
	return bytes;
}

static struct token **bucket_of(struct hoard *hoard, const struct token *token)
    REQUIRES(hoard_lock);
static struct token **bucket_of(struct hoard *hoard, const struct token *token)
{
	return &hoard->buckets[token->digest & (BUCKETS - 1)];
}

struct token *hoard_find(struct hoard *hoard, const struct token *token)
{
	struct token *found;

	enter(hoard);
	found = *bucket_of(hoard, token);
	/* One that has lost its last reference is about to leave. */
	while (found != NULL &&
	    !(token_same_text(found, token) && token_try_get(found)))
		found = found->hoard_next;
	leave(hoard);
	return found;
}

/* The token's last reference has gone. */
static void leave_hoard(void *arg, struct token *token)
{
	struct hoard *hoard = arg;
	struct token **link;

	enter(hoard);
	link = bucket_of(hoard, token);
	while (*link != token)
		link = &(*link)->hoard_next;
	*link = token->hoard_next;
	hoard->bytes -= secret_size_bytes(token->text);
	leave(hoard);
	put(hoard);
}

void hoard_add(struct hoard *hoard, struct token *token)
{
	struct token **bucket;

	assert(token->gone == NULL);
	(void)atomic_fetch_add(&hoard->references, 1);
	token->gone_arg = hoard;
	token->gone = leave_hoard;
	enter(hoard);
	bucket = bucket_of(hoard, token);
	token->hoard_next = *bucket;
	*bucket = token;
	hoard->bytes += secret_size_bytes(token->text);
	leave(hoard);
}
