/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/pack_live.c - names of packs, and which of them exist as of the
 * last count: entries of the others are of no use. See pack.h.
 */
#include "cache/store/impl.h"
#include "cache/store/pack.h"
#include "cache/store/uses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pack_name(char out[PACK_NAME_BYTES], uint64_t number)
{
	(void)snprintf(
	    out, PACK_NAME_BYTES, "%llu", (unsigned long long)number);
}

uint64_t pack_number(const char *name)
{
	uint64_t number = 0;

	if (*name == '0' || *name == '\0')
		return 0;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9')
			return 0;
		number = number * 10 + (uint64_t)(*name - '0');
		if (number > FORMAT_PACK_NUMBER_MAX)
			return 0;
	}
	return number;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* Was it there at the last count? What is newer may exist unseen. */
static bool is_gone(const uint64_t *live, size_t count, uint64_t number)
{
	return count > 0 && number < live[count - 1] &&
	    bsearch(&number, live, count, sizeof(*live), compare_numbers) ==
	    NULL;
}

bool pack_is_gone(void *arg, uint64_t number)
{
	struct generation *generation = arg;

	return is_gone(generation->packs.writer_live,
	    generation->packs.writer_live_count, number);
}

bool pack_is_known_gone(
    struct store *store, struct generation *generation, uint64_t number)
{
	struct packs *packs = &generation->packs;
	bool gone;

	store_enter(store);
	gone = is_gone(packs->live, packs->live_count, number);
	store_leave(store);
	return gone;
}

/* What was used of a few packs. */
struct uses_seen {
	unsigned count;
	uint64_t numbers[32];
	uint64_t used[32][FORMAT_USE_WORDS];
};

/* Take the uses of the packs of a chain, as many as fit. */
static void take_uses(struct packs *packs, unsigned chain,
    struct uses_seen *seen) REQUIRES(store_lock)
{
	for (struct pack *pack = packs->chains[chain];
	     pack != NULL && seen->count < ARRAY_COUNT(seen->numbers);
	     pack = pack->next) {
		if (!pack->is_used)
			continue;
		seen->numbers[seen->count] = pack->number;
		memcpy(seen->used[seen->count], pack->used, sizeof(pack->used));
		seen->count++;
		memset(pack->used, 0, sizeof(pack->used));
		pack->is_used = false;
	}
}

void packs_note_uses(struct store *store, struct generation *generation)
{
	struct uses_seen seen;
	unsigned chain = 0;

	while (chain < PACK_CHAINS) {
		seen.count = 0;
		store_enter(store);
		/* A chain that did not fit is looked at again. */
		while (chain < PACK_CHAINS &&
		    seen.count < ARRAY_COUNT(seen.numbers)) {
			take_uses(&generation->packs, chain, &seen);
			if (seen.count < ARRAY_COUNT(seen.numbers))
				chain++;
		}
		store_leave(store);
		for (unsigned i = 0; i < seen.count; i++)
			uses_add(generation, seen.numbers[i], seen.used[i]);
	}
}

static void free_pack(struct packs *packs, struct pack *pack)
    REQUIRES(store_lock)
{
	pack_drop(packs, pack);
	free(pack);
}

/* Free the packs for which `doomed` says so. */
static void sweep(struct packs *packs,
    bool (*doomed)(const struct packs *packs, const struct pack *pack))
    REQUIRES(store_lock)
{
	for (unsigned i = 0; i < PACK_CHAINS; i++) {
		struct pack **at = &packs->chains[i];

		while (*at != NULL) {
			struct pack *pack = *at;

			if (doomed(packs, pack)) {
				*at = pack->next;
				free_pack(packs, pack);
			} else {
				at = &pack->next;
			}
		}
	}
}

static bool is_pack_gone(const struct packs *packs, const struct pack *pack)
    REQUIRES(store_lock)
{
	return is_gone(packs->live, packs->live_count, pack->number);
}

static bool is_any(const struct packs *packs, const struct pack *pack)
{
	(void)packs;
	(void)pack;
	return true;
}

/* Are all of the old numbers among the new ones? */
static bool has_all(const uint64_t *old, size_t old_count, const uint64_t *now,
    size_t now_count)
{
	size_t at = 0;

	for (size_t i = 0; i < old_count; i++) {
		while (at < now_count && now[at] < old[i])
			at++;
		if (at == now_count || now[at] != old[i])
			return false;
	}
	return true;
}

bool packs_set_live(struct store *store, struct generation *generation,
    uint64_t *numbers, size_t count)
{
	struct packs *packs = &generation->packs;
	struct handle *dead;
	uint64_t *old;
	bool some_went;

	if (count > 0)
		qsort(numbers, count, sizeof(*numbers), compare_numbers);
	some_went = packs->writer_live == NULL ||
	    !has_all(
	        packs->writer_live, packs->writer_live_count, numbers, count);
	store_enter(store);
	old = packs->live;
	packs->live = numbers;
	packs->live_count = count;
	packs->writer_live = numbers;
	packs->writer_live_count = count;
	sweep(packs, is_pack_gone);
	dead = handles_take_dead(&packs->handles);
	store_leave(store);
	handles_close(dead);
	free(old);
	return some_went;
}

void packs_fini(struct store *store, struct generation *generation)
{
	struct packs *packs = &generation->packs;
	struct handle *dead;

	store_enter(store);
	sweep(packs, is_any);
	dead = handles_take_dead(&packs->handles);
	free(packs->live);
	packs->live = NULL;
	packs->live_count = 0;
	store_leave(store);
	handles_close(dead);
}
