/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/pack_live.c - which packs exist, as of the last count: entries of the
 * others are of no use. See pack.h.
 */
#include "cache/store/impl.h"
#include "cache/store/pack.h"

#include <stdlib.h>

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

size_t packs_count_live(struct store *store, struct generation *generation,
    const uint64_t numbers[], size_t count)
{
	struct packs *packs = &generation->packs;
	size_t live = 0;

	store_enter(store);
	for (size_t i = 0; i < count; i++) {
		if (!is_gone(packs->live, packs->live_count, numbers[i]))
			live++;
	}
	store_leave(store);
	return live;
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

void packs_set_live(struct store *store, struct generation *generation,
    uint64_t *numbers, size_t count)
{
	struct packs *packs = &generation->packs;
	struct handle *dead;
	uint64_t *old;

	if (count > 0)
		qsort(numbers, count, sizeof(*numbers), compare_numbers);
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
