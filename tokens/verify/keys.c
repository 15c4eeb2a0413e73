/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/keys.c - see keys.h. */
#include "tokens/verify/keys.h"

#include "base/clock.h"

#include <stddef.h>

void keys_init(struct keys *keys)
{
	*keys = (struct keys){.used = true};
}

void keys_fini(struct keys *keys)
{
	jwks_put(keys->set);
	*keys = (struct keys){.set = NULL};
}

static uint64_t clamp(int64_t value, uint64_t low, uint64_t high)
{
	if (value < 0 || (uint64_t)value < low)
		return low;
	return (uint64_t)value > high ? high : (uint64_t)value;
}

struct keys_life keys_life(uint64_t wall_s, int64_t max_age_s)
{
	uint64_t refresh = KEYS_REFRESH_S;

	if (max_age_s >= 0)
		refresh =
		    clamp(max_age_s, KEYS_REFRESH_MIN_S, KEYS_REFRESH_MAX_S);
	return (struct keys_life){
	    .fetched_s = wall_s,
	    .refresh_s = wall_s + refresh - clock_jitter(refresh / 10),
	    .expires_s =
	        wall_s + clamp(max_age_s, KEYS_LIFE_MIN_S, KEYS_LIFE_MAX_S),
	};
}

bool keys_life_is_sane(const struct keys_life *life, uint64_t wall_s)
{
	return life->fetched_s <= wall_s && life->expires_s > wall_s &&
	    life->refresh_s >= life->fetched_s &&
	    life->refresh_s - life->fetched_s <= KEYS_REFRESH_MAX_S &&
	    life->expires_s - life->fetched_s <= KEYS_LIFE_MAX_S;
}

struct jwks *keys_usable(const struct keys *keys, uint64_t wall_s)
{
	return wall_s < keys->life.expires_s ? keys->set : NULL;
}

uint64_t keys_due_ms(const struct keys *keys, uint64_t now_ms, uint64_t wall_s)
{
	const struct keys_life *life = &keys->life;
	uint64_t earliest =
	    keys->attempts > 0 ? keys->tried_ms + keys->backoff_ms : now_ms;
	uint64_t due;

	if (!keys->missed && !keys->used)
		return UINT64_MAX;
	if (keys->missed || keys_usable(keys, wall_s) == NULL ||
	    wall_s >= life->refresh_s ||
	    wall_s + KEYS_CLOCK_BACK_S < life->fetched_s)
		due = now_ms;
	else
		due = now_ms + (life->refresh_s - wall_s) * 1000;
	return due > earliest ? due : earliest;
}

void keys_note_use(struct keys *keys)
{
	keys->used = true;
}

/* FNV-1a: collisions cost an attacker's token one refetch less. */
static uint64_t sum_of(const char *kid)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (; kid != NULL && *kid != '\0'; kid++)
		sum = (sum ^ (unsigned char)*kid) * UINT64_C(0x100000001b3);
	return sum | 1;
}

/* The entry of a name, or the one to use for it: a free one, else that of
 * the name that was asked for first. */
static struct keys_miss *find_miss(struct keys *keys, uint64_t sum)
{
	struct keys_miss *best = &keys->misses[0];

	for (size_t i = 0; i < KEYS_MISSES_MAX; i++) {
		struct keys_miss *miss = &keys->misses[i];

		if (miss->name_sum == sum)
			return miss;
		if (best->name_sum != 0 &&
		    (miss->name_sum == 0 || miss->asked_ms < best->asked_ms))
			best = miss;
	}
	return best;
}

enum keys_absence keys_note_miss(
    struct keys *keys, const char *kid, uint64_t now_ms)
{
	uint64_t sum = sum_of(kid);
	struct keys_miss *miss = find_miss(keys, sum);

	if (miss->name_sum != sum) {
		*miss = (struct keys_miss){.name_sum = sum,
		    .asked_ms = now_ms,
		    .after = keys->attempts};
	} else if (keys->answered > miss->after) {
		/* The issuer may have it by now. Until it says so, what it
		 * said last stands. */
		if (now_ms - miss->asked_ms >= KEYS_MISS_LIFE_MS) {
			miss->asked_ms = now_ms;
			keys->missed = true;
		}
		return KEYS_ABSENT;
	}
	/* An attempt that began after the miss will answer for it; another
	 * one would be asked for nothing. */
	if (!keys->asking || keys->attempts == miss->after)
		keys->missed = true;
	return KEYS_ASKED;
}

void keys_begin(struct keys *keys, uint64_t now_ms)
{
	keys->attempts++;
	keys->tried_ms = now_ms;
	keys->backoff_ms = KEYS_SPACING_MS;
	keys->missed = false;
	keys->asking = true;
}

bool keys_install(
    struct keys *keys, struct jwks *set, const struct keys_life *life)
{
	bool other = !jwks_same(keys->set, set);

	jwks_put(keys->set);
	keys->set = set;
	keys->life = *life;
	keys->used = false;
	keys->failures = 0;
	keys->problem.code = 0;
	keys->problem.text[0] = '\0';
	keys->answered = keys->attempts;
	keys->asking = false;
	return other;
}

void keys_fail(struct keys *keys, uint64_t wall_s, const struct err *err)
{
	uint64_t most = keys_usable(keys, wall_s) != NULL
	    ? KEYS_BACKOFF_MAX_MS
	    : KEYS_BACKOFF_BARE_MAX_MS;

	keys->problem = *err;
	keys->asking = false;
	keys->backoff_ms = KEYS_SPACING_MS;
	for (unsigned i = 0; i < keys->failures && keys->backoff_ms < most; i++)
		keys->backoff_ms *= 2;
	if (keys->backoff_ms > most)
		keys->backoff_ms = most;
	keys->backoff_ms += clock_jitter(keys->backoff_ms / 10);
	keys->failures++;
}
