/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/evict_plan.c - see evict_plan.h.
 */
#include "cache/store/evict_plan.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static int compare_numbers(const void *a, const void *b)
{
	const struct evict_pack *left = a;
	const struct evict_pack *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

static const struct evict_pack *peek(const struct evict_ring *ring)
{
	return ring->count == 0 ? NULL : &ring->packs[ring->first];
}

static struct evict_pack pop(struct evict_ring *ring)
{
	struct evict_pack pack = ring->packs[ring->first];

	ring->first = (ring->first + 1) % ring->room;
	ring->count--;
	return pack;
}

static void push(struct evict_ring *ring, const struct evict_pack *pack)
{
	assert(ring->packs != NULL && ring->count < ring->room);
	ring->packs[(ring->first + ring->count) % ring->room] = *pack;
	ring->count++;
}

/* Turn a sorted ring so that what lies behind the hand comes first. */
static void turn(struct evict_ring *ring, uint64_t hand)
{
	for (size_t i = 0; i < ring->count; i++) {
		struct evict_pack pack;

		if (peek(ring)->number > hand)
			return;
		pack = pop(ring);
		push(ring, &pack);
	}
}

static int make_ring(struct evict_ring *ring, size_t room)
{
	ring->packs = calloc(room, sizeof(*ring->packs));
	ring->room = room;
	return ring->packs == NULL ? -ENOMEM : 0;
}

int evict_plan_init(struct evict_plan *plan, const struct evict_pack packs[],
    size_t count, uint64_t bound_bytes, uint64_t hand)
{
	size_t room = count + 1;

	*plan = (struct evict_plan){
	    .fresh_bytes_max = bound_bytes / 100 * EVICT_FRESH_PERCENT};
	/* Every pack may become a proven one. */
	if (make_ring(&plan->fresh, room) < 0 ||
	    make_ring(&plan->proven, room) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		push(packs[i].proven ? &plan->proven : &plan->fresh, &packs[i]);
		if (!packs[i].proven)
			plan->fresh_bytes += packs[i].bytes;
	}
	qsort(plan->fresh.packs, plan->fresh.count, sizeof(*packs),
	    compare_numbers);
	qsort(plan->proven.packs, plan->proven.count, sizeof(*packs),
	    compare_numbers);
	turn(&plan->proven, hand);
	return 0;
}

static struct evict_step step_with(
    struct evict_plan *plan, enum evict_action action)
{
	return (struct evict_step){.action = action, .pack = &plan->now};
}

static enum evict_action way_to_go(const struct evict_pack *pack)
{
	return pack->used_percent == 0 ? EVICT_DROP : EVICT_CARRY;
}

/* It stays, in the last place; its uses are forgotten. */
static struct evict_step keep(struct evict_plan *plan, enum evict_action action)
{
	struct evict_pack kept = plan->now;

	kept.proven = true;
	kept.used_percent = 0;
	push(&plan->proven, &kept);
	return step_with(plan, action);
}

struct evict_step evict_plan_next(struct evict_plan *plan)
{
	bool fresh = peek(&plan->fresh) != NULL &&
	    (plan->fresh_bytes > plan->fresh_bytes_max ||
	        peek(&plan->proven) == NULL);

	if (!fresh && peek(&plan->proven) == NULL)
		return step_with(plan, EVICT_NOTHING);
	plan->now = pop(fresh ? &plan->fresh : &plan->proven);
	if (fresh)
		plan->fresh_bytes -= plan->now.bytes;
	if (plan->now.used_percent > EVICT_CARRY_PERCENT)
		return keep(plan, fresh ? EVICT_PROVE : EVICT_SPARE);
	return step_with(plan, way_to_go(&plan->now));
}

void evict_plan_refused(struct evict_plan *plan)
{
	/* Its bytes stay, and count, with those of its class. */
	if (!plan->now.proven)
		plan->fresh_bytes += plan->now.bytes;
}

void evict_plan_fini(struct evict_plan *plan)
{
	free(plan->fresh.packs);
	free(plan->proven.packs);
	*plan = (struct evict_plan){.fresh_bytes = 0};
}
