/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_evict_plan.c - the order of eviction: its rules,
 * one by one, and hit ratios on traces against a cache of the same packs that
 * drops the least recently used one.
 *
 * The cache of the traces has 256 packs of 64 blocks and does what the store
 * does: it remembers the addresses of what it dropped, as many as it has
 * blocks, and puts what comes back into a proven pack.
 */
#include "cache/store/evict_plan.h"
#include "tests/unit/cache/store/store_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Rules. */

static struct evict_plan begin(
    const struct evict_pack packs[], size_t count, uint64_t hand)
{
	struct evict_plan plan;

	assert_int_equal(evict_plan_init(&plan, packs, count, 1000, hand), 0);
	return plan;
}

static void expect(
    struct evict_plan *plan, enum evict_action action, uint64_t number)
{
	struct evict_step step = evict_plan_next(plan);

	assert_int_equal(step.action, action);
	if (action != EVICT_NOTHING)
		assert_int_equal(step.pack->number, number);
}

static void the_oldest_fresh_pack_goes_first(void **state)
{
	const struct evict_pack packs[] = {
	    {.number = 3, .bytes = 100},
	    {.number = 1, .bytes = 100},
	    {.number = 4, .bytes = 100},
	    {.number = 2, .bytes = 100, .proven = true},
	};
	struct evict_plan plan = begin(packs, 4, 0);

	(void)state;
	expect(&plan, EVICT_DROP, 1);
	expect(&plan, EVICT_DROP, 3);
	/* A tenth is left to what is new. */
	expect(&plan, EVICT_DROP, 2);
	expect(&plan, EVICT_DROP, 4);
	expect(&plan, EVICT_NOTHING, 0);
	evict_plan_fini(&plan);
	plan = begin(NULL, 0, 0);
	expect(&plan, EVICT_NOTHING, 0);
	evict_plan_fini(&plan);
}

static void what_was_used_is_carried_or_proven(void **state)
{
	const struct evict_pack packs[] = {
	    {.number = 1, .bytes = 100, .used_percent = 1},
	    {.number = 2, .bytes = 100, .used_percent = 25},
	    {.number = 3, .bytes = 100, .used_percent = 26},
	    {.number = 4, .bytes = 100, .used_percent = 100},
	    {.number = 5, .bytes = 100},
	};
	struct evict_plan plan = begin(packs, 5, 0);

	(void)state;
	expect(&plan, EVICT_CARRY, 1);
	expect(&plan, EVICT_CARRY, 2);
	expect(&plan, EVICT_PROVE, 3);
	expect(&plan, EVICT_PROVE, 4);
	/* 5 is within the tenth: those that were proven a moment ago go, as
	 * nothing else is left. */
	expect(&plan, EVICT_DROP, 3);
	expect(&plan, EVICT_DROP, 4);
	expect(&plan, EVICT_DROP, 5);
	expect(&plan, EVICT_NOTHING, 0);
	evict_plan_fini(&plan);
}

static void the_hand_goes_round_and_spares_what_is_used(void **state)
{
	const struct evict_pack packs[] = {
	    {.number = 1, .bytes = 1, .proven = true},
	    {.number = 2, .bytes = 1, .proven = true, .used_percent = 10},
	    {.number = 5, .bytes = 1, .proven = true, .used_percent = 90},
	    {.number = 7, .bytes = 1, .proven = true},
	};
	struct evict_plan plan = begin(packs, 4, 3);

	(void)state;
	expect(&plan, EVICT_SPARE, 5);
	expect(&plan, EVICT_DROP, 7);
	expect(&plan, EVICT_DROP, 1);
	expect(&plan, EVICT_CARRY, 2);
	/* Round again: its uses were forgotten. */
	expect(&plan, EVICT_DROP, 5);
	expect(&plan, EVICT_NOTHING, 0);
	evict_plan_fini(&plan);
	/* A hand behind all is one before all. */
	plan = begin(packs, 4, 7);
	expect(&plan, EVICT_DROP, 1);
	evict_plan_fini(&plan);
}

static void what_is_being_written_is_passed_over(void **state)
{
	const struct evict_pack packs[] = {
	    {.number = 1, .bytes = 100},
	    {.number = 2, .bytes = 100},
	    {.number = 3, .bytes = 100, .proven = true},
	};
	struct evict_plan plan = begin(packs, 3, 0);

	(void)state;
	expect(&plan, EVICT_DROP, 1);
	evict_plan_refused(&plan);
	/* It still counts as one of the fresh ones. */
	expect(&plan, EVICT_DROP, 2);
	expect(&plan, EVICT_DROP, 3);
	expect(&plan, EVICT_NOTHING, 0);
	evict_plan_fini(&plan);
}

/* Traces. */

enum {
	PACKS = 256,
	PACK_BLOCKS = 64,
	CACHE_BLOCKS = PACKS * PACK_BLOCKS,
	FILE_OF_BLOCKS = 32,
	BLOCKS_MAX = 2 * 1000 * 1000,
	PACKS_EVER = 200 * 1000,
};

struct sim_pack {
	uint32_t blocks[PACK_BLOCKS];
	bool used[PACK_BLOCKS];
	unsigned count;
	bool there;
	bool proven;
	uint64_t last; /* use, for the other cache */
};

struct sim {
	bool lru;
	struct sim_pack *packs; /* by number */
	uint64_t next;
	unsigned there;
	uint64_t fresh; /* being written */
	uint64_t proven;
	uint64_t hand;
	uint32_t *place; /* of a block: pack * PACK_BLOCKS + index, or 0 */
	uint64_t *gone;  /* when it was dropped, in blocks dropped; 0: never */
	uint64_t dropped;
	uint64_t time;
	uint64_t hits;
	uint64_t misses;
	uint64_t carried;
};

static uint64_t new_pack(struct sim *sim, bool proven)
{
	uint64_t number = sim->next++;

	assert_true(number < PACKS_EVER);
	sim->packs[number].there = true;
	sim->packs[number].proven = proven;
	sim->there++;
	return number;
}

static void put(struct sim *sim, uint64_t *into, bool proven, uint32_t block)
{
	struct sim_pack *pack;

	if (*into == 0 || sim->packs[*into].count == PACK_BLOCKS)
		*into = new_pack(sim, proven);
	pack = &sim->packs[*into];
	sim->place[block] = (uint32_t)(*into * PACK_BLOCKS + pack->count);
	pack->blocks[pack->count++] = block;
	pack->last = sim->time;
}

/* Drop a pack; what was used of it is carried over. */
static void drop_pack(struct sim *sim, uint64_t number)
{
	struct sim_pack *pack = &sim->packs[number];

	pack->there = false;
	sim->there--;
	for (unsigned i = 0; i < pack->count; i++) {
		uint32_t block = pack->blocks[i];

		if (sim->place[block] != number * PACK_BLOCKS + i)
			continue;
		sim->place[block] = 0;
		if (pack->used[i] && !sim->lru) {
			put(sim, &sim->proven, true, block);
			sim->carried++;
		} else {
			sim->gone[block] = ++sim->dropped;
		}
	}
}

static void evict_lru(struct sim *sim)
{
	while (sim->there > PACKS) {
		uint64_t oldest = 0;

		for (uint64_t i = 1; i < sim->next; i++) {
			if (sim->packs[i].there && i != sim->fresh &&
			    (oldest == 0 ||
			        sim->packs[i].last < sim->packs[oldest].last))
				oldest = i;
		}
		drop_pack(sim, oldest);
	}
}

static void forget_uses(struct sim *sim, uint64_t number)
{
	memset(sim->packs[number].used, 0, sizeof(sim->packs[number].used));
	sim->packs[number].proven = true;
}

static size_t list_packs(const struct sim *sim, struct evict_pack packs[])
{
	size_t count = 0;

	for (uint64_t i = 1; i < sim->next; i++) {
		const struct sim_pack *pack = &sim->packs[i];
		unsigned used = 0;

		if (!pack->there || i == sim->fresh || i == sim->proven)
			continue;
		for (unsigned b = 0; b < pack->count; b++)
			used += pack->used[b];
		packs[count++] = (struct evict_pack){.number = i,
		    .bytes = PACK_BLOCKS,
		    .used_percent = used * 100 / PACK_BLOCKS,
		    .proven = pack->proven};
	}
	return count;
}

static void evict_planned(struct sim *sim)
{
	static struct evict_pack packs[2 * PACKS];
	struct evict_plan plan;

	if (sim->there <= PACKS)
		return;
	assert_int_equal(evict_plan_init(&plan, packs, list_packs(sim, packs),
	                     CACHE_BLOCKS, sim->hand),
	    0);
	while (sim->there > PACKS) {
		struct evict_step step = evict_plan_next(&plan);
		uint64_t number = step.pack->number;

		assert_int_not_equal(step.action, EVICT_NOTHING);
		if (step.pack->proven)
			sim->hand = number;
		if (step.action == EVICT_PROVE || step.action == EVICT_SPARE)
			forget_uses(sim, number);
		else
			drop_pack(sim, number);
	}
	evict_plan_fini(&plan);
}

static void access_block(struct sim *sim, uint32_t block)
{
	uint32_t place = sim->place[block];
	bool back;

	sim->time++;
	if (place != 0) {
		struct sim_pack *pack = &sim->packs[place / PACK_BLOCKS];

		sim->hits++;
		pack->used[place % PACK_BLOCKS] = true;
		pack->last = sim->time;
		return;
	}
	sim->misses++;
	back = !sim->lru && sim->gone[block] != 0 &&
	    sim->dropped - sim->gone[block] < CACHE_BLOCKS;
	put(sim, back ? &sim->proven : &sim->fresh, back, block);
	if (sim->lru)
		evict_lru(sim);
	else
		evict_planned(sim);
}

static void access_file(struct sim *sim, uint64_t file)
{
	for (unsigned i = 0; i < FILE_OF_BLOCKS; i++)
		access_block(sim, (uint32_t)(file * FILE_OF_BLOCKS + i));
}

static double hit_percent(void (*trace)(struct sim *sim), bool lru)
{
	struct sim sim = {.lru = lru, .next = 1};
	double percent;

	sim.packs = calloc(PACKS_EVER, sizeof(*sim.packs));
	sim.place = calloc(BLOCKS_MAX, sizeof(*sim.place));
	sim.gone = calloc(BLOCKS_MAX, sizeof(*sim.gone));
	assert_true(sim.packs != NULL && sim.place != NULL && sim.gone != NULL);
	trace(&sim);
	percent = 100.0 * (double)sim.hits / (double)(sim.hits + sim.misses);
	print_message("  %s: %.1f %% hits, %.1f %% carried\n",
	    lru ? "least recently used" : "as planned         ", percent,
	    100.0 * (double)sim.carried / (double)sim.misses);
	free(sim.packs);
	free(sim.place);
	free(sim.gone);
	return percent;
}

/* Two ways over one trace; how many per cent of hits each has. */
static void compare(const char *name, void (*trace)(struct sim *sim),
    double *planned, double *lru)
{
	print_message("%s\n", name);
	*planned = hit_percent(trace, false);
	*lru = hit_percent(trace, true);
}

enum { FILES_IN_CACHE = CACHE_BLOCKS / FILE_OF_BLOCKS };

/* Half of the cache is in use; as much again is read once. */
static void mixed_with_a_scan(struct sim *sim)
{
	uint64_t random = 1;
	uint64_t scanned = FILES_IN_CACHE;

	for (unsigned i = 0; i < 8000; i++) {
		access_file(sim, bed_random(&random) % (FILES_IN_CACHE / 2));
		access_file(sim, scanned++);
	}
}

/* Between two rounds over what is in use, the whole cache is scanned. */
static void between_scans(struct sim *sim)
{
	uint64_t scanned = FILES_IN_CACHE;

	for (unsigned round = 0; round < 40; round++) {
		for (unsigned i = 0; i < FILES_IN_CACHE * 3 / 10; i++)
			access_file(sim, i);
		for (unsigned i = 0; i < FILES_IN_CACHE; i++)
			access_file(sim, scanned++);
	}
}

/* A few files are wanted by all, most by few. */
static uint64_t skewed(uint64_t *random, uint64_t range)
{
	double x = (double)(bed_random(random) >> 11) / (double)(1ULL << 53);

	return (uint64_t)(x * x * x * (double)range);
}

static void some_files_are_wanted_more(struct sim *sim)
{
	uint64_t random = 2;

	for (unsigned i = 0; i < 30000; i++)
		access_file(sim, skewed(&random, 6 * FILES_IN_CACHE));
}

/* The same of single blocks, which lie anywhere. */
static void some_blocks_are_wanted_more(struct sim *sim)
{
	uint64_t random = 3;

	for (unsigned i = 0; i < 700 * 1000; i++) {
		uint64_t rank = skewed(&random, 8 * CACHE_BLOCKS);

		access_block(
		    sim, (uint32_t)(rank * 40503 % (8 * CACHE_BLOCKS + 1)));
	}
}

/* What was in use is not any more; another set is, in turn. */
static void the_set_in_use_changes(struct sim *sim)
{
	for (unsigned round = 0; round < 6; round++)
		for (unsigned i = 0; i < FILES_IN_CACHE * 8 / 10; i++)
			access_file(sim, i);
	for (unsigned round = 0; round < 12; round++)
		for (unsigned i = 0; i < FILES_IN_CACHE / 2; i++)
			access_file(sim, FILES_IN_CACHE + i);
}

/* What was read lately is what is read again: the other one's best case. */
static void the_latest_is_wanted(struct sim *sim)
{
	uint64_t random = 4;

	for (uint64_t i = 0; i < 30000; i++) {
		uint64_t newest = i / 6;
		uint64_t back = skewed(&random, FILES_IN_CACHE);

		access_file(sim, newest > back ? newest - back : 0);
	}
}

static void one_time_scans_do_not_evict_what_is_in_use(void **state)
{
	double planned;
	double lru;

	(void)state;
	compare("mixed with a scan", mixed_with_a_scan, &planned, &lru);
	/* 50 is what can be had. */
	assert_true(planned > 42 && planned > lru * 1.3);
	compare("between scans", between_scans, &planned, &lru);
	/* 23 is what can be had. */
	assert_true(planned > 20 && lru < 1);
}

static void what_is_wanted_more_stays(void **state)
{
	double planned;
	double lru;

	(void)state;
	compare("some files are wanted more", some_files_are_wanted_more,
	    &planned, &lru);
	assert_true(planned > lru);
	compare("some blocks are wanted more", some_blocks_are_wanted_more,
	    &planned, &lru);
	assert_true(planned > lru);
}

static void where_the_other_is_at_its_best_little_is_lost(void **state)
{
	double planned;
	double lru;

	(void)state;
	compare(
	    "the set in use changes", the_set_in_use_changes, &planned, &lru);
	assert_true(planned > lru * 0.9);
	compare("the latest is wanted", the_latest_is_wanted, &planned, &lru);
	assert_true(planned > lru * 0.9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_oldest_fresh_pack_goes_first),
	    cmocka_unit_test(what_was_used_is_carried_or_proven),
	    cmocka_unit_test(the_hand_goes_round_and_spares_what_is_used),
	    cmocka_unit_test(what_is_being_written_is_passed_over),
	    cmocka_unit_test(one_time_scans_do_not_evict_what_is_in_use),
	    cmocka_unit_test(what_is_wanted_more_stays),
	    cmocka_unit_test(where_the_other_is_at_its_best_little_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
