/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/evict.c - see evict.h.
 */
#include "cache/store/evict.h"

#include "base/log.h"
#include "base/stats.h"
#include "cache/store/carry.h"
#include "cache/store/evict_maps.h"
#include "cache/store/evict_plan.h"
#include "cache/store/impl.h"
#include "cache/store/pack.h"
#include "cache/store/uses.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* One run: packs go until it has had its fill. */
struct evict_round {
	struct store *store;
	struct generation *generation;
	struct usage usage;
	struct evict_plan plan;
	struct carry carry;
	uint64_t target_bytes; /* down to which it goes, */
	uint64_t enough_bytes; /* unless so much was freed */
	uint64_t need_bytes;
	uint64_t freed_bytes;
	unsigned gone;
};

static void set_live(struct store *store, struct generation *generation,
    const struct usage_pack packs[], size_t count)
{
	uint64_t *numbers = NULL;
	size_t live = 0;

	if (count > 0) {
		numbers = calloc(count, sizeof(*numbers));
		if (numbers == NULL)
			return;
	}
	for (size_t i = 0; i < count; i++)
		if (packs[i].number != 0)
			numbers[live++] = packs[i].number;
	/* More than once: the youngest are passed over. */
	if (packs_set_live(store, generation, numbers, live))
		generation->map_looks_due = 2 * STORE_MAP_DIRECTORIES;
}

static bool is_high(
    const struct store *store, const struct usage *usage, uint64_t need_bytes)
{
	unsigned percent =
	    store->evicting ? EVICT_LOW_PERCENT : EVICT_HIGH_PERCENT;

	return usage->reserved_bytes + need_bytes >
	    usage->bound_bytes / 100 * percent;
}

/* Units of a pack that were used, in per cent of its units. */
static unsigned percent_of(
    const struct uses *uses, const struct usage_pack *pack)
{
	uint64_t units = (pack->size_bytes + FORMAT_USE_UNIT_BYTES - 1) /
	    FORMAT_USE_UNIT_BYTES;

	return units == 0
	    ? 0
	    : (unsigned)(((uint64_t)uses_count(uses->used) * 100 + units - 1) /
	          units);
}

static int make_plan(struct evict_round *round)
{
	const struct usage *usage = &round->usage;
	struct evict_pack *packs =
	    calloc(usage->pack_count + 1, sizeof(*packs));
	int code;

	if (packs == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < usage->pack_count; i++) {
		const struct usage_pack *pack = &usage->packs[i];
		struct uses uses;

		uses_read(round->generation, pack->number, &uses);
		packs[i] = (struct evict_pack){
		    .number = pack->number,
		    .bytes = pack->reserved_bytes,
		    .used_percent = percent_of(&uses, pack),
		    .proven = uses.proven,
		};
	}
	code = evict_plan_init(&round->plan, packs, usage->pack_count,
	    usage->bound_bytes, uses_hand(round->generation));
	free(packs);
	return code;
}

/* A pack is gone. */
static void note_gone(struct evict_round *round, uint64_t number)
{
	struct usage *usage = &round->usage;

	for (size_t i = 0; i < usage->pack_count; i++) {
		struct usage_pack *pack = &usage->packs[i];

		if (pack->number != number)
			continue;
		usage->reserved_bytes -= pack->reserved_bytes;
		round->freed_bytes += pack->reserved_bytes;
		round->gone++;
		stats_add(STATS_cache_evicted_packs, 1);
		stats_add(STATS_cache_evicted_bytes, (int64_t)pack->disk_bytes);
		pack->number = 0;
		return;
	}
}

/* Unlink a pack unless somebody writes it. */
static bool remove_pack(struct generation *generation, uint64_t number)
{
	char name[PACK_NAME_BYTES];
	bool removed;
	int fd = pack_lock(generation, number);

	if (fd < 0)
		return false;
	pack_name(name, number);
	removed = unlinkat(generation->packs_fd, name, 0) == 0;
	(void)close(fd);
	return removed;
}

/* A pack stays, and is proven; what was used of it is forgotten. A hand that
 * passes it need not be noted for packs that go. */
static void spare(struct evict_round *round, uint64_t number, bool by_hand)
{
	uses_write(round->generation, number, &(struct uses){.proven = true});
	if (by_hand)
		uses_set_hand(round->generation, number);
}

/* What waits to be carried over, then go. */
static void carry_out(struct evict_round *round)
{
	struct carry *carry = &round->carry;

	carry_over(carry);
	for (unsigned i = 0; i < carry->count; i++) {
		char name[PACK_NAME_BYTES];

		pack_name(name, carry->packs[i].number);
		if (unlinkat(round->generation->packs_fd, name, 0) == 0)
			note_gone(round, carry->packs[i].number);
	}
	round->usage.reserved_bytes += carry->made_bytes;
	carry_end(carry);
}

static bool has_enough(const struct evict_round *round, uint64_t coming_bytes)
{
	uint64_t reserved = round->usage.reserved_bytes > coming_bytes
	    ? round->usage.reserved_bytes - coming_bytes
	    : 0;

	return reserved <= round->target_bytes ||
	    (round->freed_bytes + coming_bytes >= round->enough_bytes &&
	        reserved + round->need_bytes <= round->usage.bound_bytes);
}

static void drop(struct evict_round *round, uint64_t number)
{
	if (remove_pack(round->generation, number))
		note_gone(round, number);
	else
		evict_plan_refused(&round->plan);
}

static void take_step(struct evict_round *round, const struct evict_step *step,
    uint64_t *coming_bytes)
{
	uint64_t number = step->pack->number;

	switch (step->action) {
	case EVICT_PROVE:
	case EVICT_SPARE:
		spare(round, number, step->action == EVICT_SPARE);
		return;
	case EVICT_CARRY:
		if (!usage_has_classes(round->store) ||
		    carry_is_full(&round->carry))
			drop(round, number);
		else if (carry_add(&round->carry, number))
			*coming_bytes += step->pack->bytes;
		else
			evict_plan_refused(&round->plan);
		return;
	case EVICT_DROP:
		drop(round, number);
		return;
	case EVICT_NOTHING:
		return;
	}
}

/* Steps until it would be enough. False: there is none left. */
static bool take_steps(struct evict_round *round)
{
	uint64_t coming_bytes = 0; /* of those that wait to be carried over */

	while (!has_enough(round, coming_bytes)) {
		struct evict_step step = evict_plan_next(&round->plan);

		if (step.action == EVICT_NOTHING)
			return false;
		take_step(round, &step, &coming_bytes);
	}
	return true;
}

static void remove_packs(struct evict_round *round)
{
	bool more;

	if (make_plan(round) < 0)
		return;
	/* What is carried over takes room of its own. */
	do {
		carry_init(&round->carry, round->store, round->generation);
		more = take_steps(round);
		carry_out(round);
	} while (more && !has_enough(round, 0));
	if (round->gone > 0)
		log_line(LOG_LEVEL_DEBUG, LOG_CACHE, "evicted",
		    "bytes=%llu packs=%u",
		    (unsigned long long)round->freed_bytes, round->gone);
}

/* How far it is to go. False: nothing has to. */
static bool set_goal(struct evict_round *round, bool by_force)
{
	const struct usage *usage = &round->usage;
	uint64_t need = round->need_bytes;
	uint64_t from = by_force ? usage->reserved_bytes
	                         : usage->bound_bytes / 100 * EVICT_LOW_PERCENT;

	round->target_bytes = from > need ? from - need : 0;
	round->enough_bytes =
	    by_force ? UINT64_MAX : usage->bound_bytes / EVICT_AT_ONCE;
	if (by_force || is_high(round->store, usage, need))
		return true;
	/* Inodes are few though maps have none: a pack has one each. */
	round->target_bytes = 0;
	return usage->inodes_low && usage->map_bytes == 0;
}

/* Below its lock: count, choose, unlink. Maps that take more than their
 * share go first, so that no pack goes for them. */
static void evict_locked(struct evict_round *round, bool by_force)
{
	struct store *store = round->store;
	struct generation *generation = round->generation;
	struct usage *usage = &round->usage;

	handles_tend(store, &generation->packs.handles);
	handles_tend(store, &generation->maps);
	packs_note_uses(store, generation);
	if (usage_count(store, generation, usage) < 0)
		return;
	evict_surplus_maps(store, generation, usage);
	if (set_goal(round, by_force))
		remove_packs(round);
	store->evicting = usage->reserved_bytes >
	        usage->bound_bytes / 100 * EVICT_LOW_PERCENT &&
	    (store->evicting || round->gone > 0);
	set_live(store, generation, usage->packs, usage->pack_count);
}

static int evict(struct store *store, struct generation *generation,
    uint64_t need_bytes, bool by_force)
{
	struct evict_round round = {
	    .store = store, .generation = generation, .need_bytes = need_bytes};

	/* While another evicts, or is stopped doing so, this process keeps
	 * nothing that has no reservation: the bound holds without us. */
	if (flock(generation->packs_fd, LOCK_EX | LOCK_NB) < 0)
		return -EBUSY;
	evict_locked(&round, by_force);
	(void)flock(generation->packs_fd, LOCK_UN);
	evict_plan_fini(&round.plan);
	usage_fini(&round.usage);
	return 0;
}

void evict_run(
    struct store *store, struct generation *generation, uint64_t need_bytes)
{
	(void)evict(store, generation, need_bytes, false);
}

int evict_by(struct store *store, struct generation *generation, uint64_t bytes)
{
	return evict(store, generation, bytes, true);
}

size_t evict_tend(struct store *store, struct generation *generation)
{
	struct usage usage;
	size_t packs = 0;
	bool high = false;

	if (usage_count(store, generation, &usage) == 0) {
		packs = usage.pack_count;
		high = is_high(store, &usage, 0) || usage.inodes_low;
		set_live(store, generation, usage.packs, packs);
		evict_some_maps(store, generation);
	}
	usage_fini(&usage);
	if (high)
		evict_run(store, generation, 0);
	return packs;
}

void evict_after_maps(struct store *store, struct generation *generation)
{
	/* Maps have no reservation; between two counts they may make this
	 * much of the bound. */
	enum { UNSEEN_SHARE = 64 };
	struct usage usage;
	bool high;

	if (generation->made_bytes <
	    atomic_load(&store->bound_bytes) / UNSEEN_SHARE)
		return;
	generation->made_bytes = 0;
	high = usage_count(store, generation, &usage) == 0 &&
	    is_high(store, &usage, 0);
	usage_fini(&usage);
	if (high)
		evict_run(store, generation, 0);
}
