/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/walk_look.c - see walk_look.h. */
#include "cache/ahead/walk_look.h"

static struct walk_look *place_of(struct walk_looks *looks, uint64_t hash)
{
	struct walk_look *look = &looks->place[hash % WALK_LOOK_PLACES];

	if (look->hash != hash)
		*look = (struct walk_look){.hash = hash};
	return look;
}

void walk_looks_made(struct walk_looks *looks, uint64_t hash, uint64_t now_ms)
{
	struct walk_look *look = place_of(looks, hash);

	if (now_ms - look->since_ms > WALK_LOOKS_WITHIN_MS)
		look->found = 0;
	look->since_ms = now_ms;
	if (look->found < WALK_LOOKS_MAX)
		look->found++;
}

uint32_t walk_looks_missed(
    struct walk_looks *looks, uint64_t hash, uint64_t now_ms)
{
	struct walk_look *look = place_of(looks, hash);
	uint32_t found = look->found;

	if (found == 0 || now_ms - look->since_ms > WALK_LOOKS_WITHIN_MS ||
	    now_ms - look->asked_ms > WALK_LOOKS_FORGOTTEN_MS)
		look->wanted = WALK_MADE_FIRST;
	if (found < look->wanted ||
	    now_ms - look->since_ms > WALK_LOOKS_WITHIN_MS)
		return 0;
	look->found = 0;
	look->asked_ms = now_ms;
	if (look->wanted < WALK_MADE_MAX)
		look->wanted *= 2;
	return found * WALK_LOOK_ENTRIES;
}

uint32_t walk_looks_found(struct walk_looks *looks, uint64_t hash,
    uint64_t name, uint32_t first, uint64_t now_ms)
{
	struct walk_look *look = place_of(looks, hash);
	uint32_t found;

	if (look->wanted == 0 ||
	    now_ms - look->asked_ms > WALK_LOOKS_FORGOTTEN_MS)
		look->wanted = first;
	if (look->found == 0 ||
	    now_ms - look->since_ms > WALK_LOOKS_WITHIN_MS) {
		look->since_ms = now_ms;
		look->found = 0;
	}
	if (look->found > 0 && look->last == name)
		return 0;
	look->last = name;
	found = ++look->found;
	if (found < look->wanted)
		return 0;
	look->found = 0;
	look->asked_ms = now_ms;
	if (look->wanted < WALK_LOOKS_MAX)
		look->wanted *= WALK_LOOKS_GROW;
	return found * WALK_LOOK_ENTRIES;
}
