/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/store.c - opening, describing and closing a store; see store.h.
 * Blocks go in by keep.c and come out by load.c.
 */
#include "base/stats.h"
#include "cache/store/counts.h"
#include "cache/store/impl.h"
#include "cache/store/tend.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void store_enter(struct store *store) UNCHECKED
{
	int code = pthread_mutex_lock(&store->mutex);

	assert(code == 0);
	(void)code;
}

void store_leave(struct store *store) UNCHECKED
{
	int code = pthread_mutex_unlock(&store->mutex);

	assert(code == 0);
	(void)code;
}

struct generation *generation_get(struct store *store)
{
	struct generation *generation;

	store_enter(store);
	generation = store->generation;
	if (generation != NULL)
		generation->users++;
	store_leave(store);
	return generation;
}

void generation_let_go(struct store *store, struct generation *generation)
{
	if (--generation->users > 0)
		return;
	generation->next = store->dead;
	store->dead = generation;
}

void generation_put(struct store *store, struct generation *generation)
{
	store_enter(store);
	generation_let_go(store, generation);
	store_leave(store);
}

/* A store that `begin` puts something in force in. */
static int open_with(struct store **out, const struct store_config *config,
    int (*begin)(struct store *store, struct err *err), struct err *err)
{
	struct store *store = calloc(1, sizeof(*store));

	*out = NULL;
	if (store == NULL)
		return err_set(err, -ENOMEM, "out of memory");

	int code = pthread_mutex_init(&store->mutex, NULL);

	assert(code == 0);
	store->clock = config->clock;
	store->config_bytes = config->size_bytes;
	store->fresh = (struct appender){.fd = -1, .direct_fd = -1};
	store->proven =
	    (struct appender){.proven = true, .fd = -1, .direct_fd = -1};
	counts_begin(store);
	store->dir = strdup(config->dir);
	store->scratch = aligned_alloc(STORE_PAGE_BYTES, STORE_SCRATCH_BYTES);
	store->arena = aligned_alloc(STORE_PAGE_BYTES, STORE_ARENA_BYTES);
	store->buckets = malloc(STORE_BATCH_BLOCKS * sizeof(*store->buckets));
	if (store->dir == NULL || store->scratch == NULL ||
	    store->arena == NULL || store->buckets == NULL)
		code = err_set(err, -ENOMEM, "out of memory");
	else
		code = begin(store, err);
	if (code < 0) {
		store_close(store);
		return code;
	}
	*out = store;
	return 0;
}

int store_open(
    struct store **out, const struct store_config *config, struct err *err)
{
	return open_with(out, config, store_begin, err);
}

int store_open_existing(
    struct store **out, const struct store_config *config, struct err *err)
{
	return open_with(out, config, store_begin_existing, err);
}

void store_close(struct store *store)
{
	struct generation *generation;

	if (store == NULL)
		return;
	generation = generation_get(store);
	if (generation != NULL) {
		counts_note(store, generation);
		generation_put(store, generation);
	}
	store_swap_in(store, NULL);
	stats_add(STATS_cache_disk_bytes, -(int64_t)store->shown_bytes);
	while (store->secrets != NULL) {
		struct secret_note *next = store->secrets->next;

		explicit_bzero(store->secrets, sizeof(*store->secrets));
		free(store->secrets);
		store->secrets = next;
	}
	(void)pthread_mutex_destroy(&store->mutex);
	free(store->scratch);
	free(store->arena);
	free(store->buckets);
	free(store->dir);
	free(store);
}

uint64_t store_size_bytes(const struct store *store)
{
	return atomic_load(&store->bound_bytes);
}

int store_state(const struct store *store)
{
	return atomic_load(&store->state_code);
}

uint64_t store_page_sum(
    const struct store *store, const void *page, size_t size_bytes)
{
	return hash_page(
	    atomic_load_explicit(&store->secret, memory_order_acquire), page,
	    size_bytes);
}

int store_describe(struct store *store, struct buf *out)
{
	int code = store_state(store);

	(void)buf_printf(out, "\"dir\":");
	(void)buf_json(out, store->dir);
	(void)buf_printf(out, ",\"size_bytes\":%llu,\"disk_bytes\":%llu,",
	    (unsigned long long)atomic_load(&store->bound_bytes),
	    (unsigned long long)atomic_load(&store->used_bytes));
	(void)buf_printf(out, "\"state\":");
	if (code == 0)
		return buf_json(out, "on");

	char text[128];

	(void)snprintf(
	    text, sizeof(text), "keeps nothing new: %s", err_message(code));
	return buf_json(out, text);
}
