/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/choice.c - see choice.h. */
#include "fetch/servers/choice.h"

#include <assert.h>
#include <stddef.h>

/* Of 32 waits the second longest: 3 % are longer, and a single one that was
 * by chance does not count. Of few it is the longest. */
static uint64_t worst_of(const struct choice *choice)
{
	uint32_t longest = 0;
	uint32_t second = 0;

	for (unsigned i = 0; i < choice->wait_count; i++) {
		uint32_t wait_us = choice->waits_us[i];

		if (wait_us > longest) {
			second = longest;
			longest = wait_us;
		} else if (wait_us > second) {
			second = wait_us;
		}
	}
	return choice->wait_count < CHOICE_WAITS / 2 ? longest : second;
}

void choice_waited(struct choice *choice, uint64_t wait_us, uint64_t now_ms)
{
	if (wait_us > UINT32_MAX)
		wait_us = UINT32_MAX;
	if (wait_us == 0)
		wait_us = 1; /* 0: not known */
	choice->waits_us[choice->wait_next] = (uint32_t)wait_us;
	choice->wait_next = (choice->wait_next + 1) % CHOICE_WAITS;
	if (choice->wait_count < CHOICE_WAITS)
		choice->wait_count++;
	/* An eighth of the new one: some tens of answers are remembered. */
	choice->wait_us = choice->wait_us == 0
	    ? wait_us
	    : (choice->wait_us * 7 + wait_us) / 8;
	choice->worst_us = worst_of(choice);
	choice->measured_ms = now_ms;
}

void choice_moved(struct choice *choice, uint64_t bytes, uint64_t took_us)
{
	uint64_t rate;

	if (bytes < CHOICE_RATE_BYTES)
		return;
	if (took_us < 100)
		took_us =
		    100; /* it lay in the socket: faster than can be told */
	rate = bytes * 1000000 / took_us;
	choice->rate_bytes_per_s = choice->rate_bytes_per_s == 0
	    ? rate
	    : (choice->rate_bytes_per_s * 3 + rate) / 4;
	if (choice->rate_bytes_per_s == 0)
		choice->rate_bytes_per_s = 1;
}

void choice_worked(struct choice *choice)
{
	choice->failures = 0;
	choice->rest_until_ms = 0;
}

bool choice_rests(const struct choice *choice, uint64_t now_ms)
{
	return now_ms < choice->rest_until_ms;
}

/* The rest after `failures` in a row. */
static uint64_t rest_ms(unsigned failures)
{
	uint64_t wait_ms = CHOICE_REST_FIRST_MS;

	for (unsigned i = 1; i < failures && wait_ms < CHOICE_REST_MAX_MS; i++)
		wait_ms *= 2;
	return wait_ms < CHOICE_REST_MAX_MS ? wait_ms : CHOICE_REST_MAX_MS;
}

bool choice_failed(
    struct choice *choice, uint64_t now_ms, uint64_t asked_ms, uint32_t jitter)
{
	bool rested = choice_rests(choice, now_ms);
	uint64_t wait_ms;

	assert(jitter < CHOICE_JITTER_RANGE);
	/* Many requests that fail together are one failure; so is what was on
	 * its way when the rest began. But the one that tried it and failed
	 * has moved the rest on itself: choice_pick(). */
	if (!rested || choice->failures == 0)
		choice->failures++;
	wait_ms = rest_ms(choice->failures);
	/* A quarter is left to chance: clients do not come back together. */
	wait_ms =
	    wait_ms - wait_ms / 4 + wait_ms * jitter / CHOICE_JITTER_RANGE / 4;
	if (asked_ms > CHOICE_REST_ASKED_MAX_MS)
		asked_ms = CHOICE_REST_ASKED_MAX_MS;
	if (wait_ms < asked_ms)
		wait_ms = asked_ms;
	if (choice->rest_until_ms < now_ms + wait_ms)
		choice->rest_until_ms = now_ms + wait_ms;
	return !rested;
}

uint64_t choice_patience_ms(const struct choice *choice)
{
	uint64_t patience_ms = choice->worst_us * CHOICE_PATIENCE_TIMES / 1000;

	if (patience_ms < CHOICE_PATIENCE_MIN_MS)
		return CHOICE_PATIENCE_MIN_MS;
	return patience_ms < CHOICE_PATIENCE_MAX_MS ? patience_ms
	                                            : CHOICE_PATIENCE_MAX_MS;
}

uint64_t choice_connect_ms(const struct choice *choice)
{
	/* One in a row is what others have seen meanwhile. */
	return choice->failures > 1 ? CHOICE_CONNECT_AGAIN_MS
	                            : CHOICE_CONNECT_MS;
}

uint64_t choice_hasten_ms(uint64_t patience_ms, unsigned left)
{
	for (unsigned i = 0; i < left; i++)
		patience_ms /= 2;
	return patience_ms > CHOICE_HASTE_MIN_MS ? patience_ms
	                                         : CHOICE_HASTE_MIN_MS;
}

bool choice_is_slow(const struct choice *choice, uint64_t bytes,
    unsigned active, uint64_t window_ms)
{
	uint64_t least = choice->rate_bytes_per_s / CHOICE_SLOW_PART;

	assert(active > 0);
	assert(window_ms > 0);
	if (choice->rate_bytes_per_s == 0)
		least = CHOICE_SLOW_UNKNOWN;
	/* Several share the line that one may have had alone before. */
	return bytes * active * 1000 / window_ms < least;
}

static uint64_t cost_us(const struct choice *choice, uint64_t bytes)
{
	uint64_t cost = choice->wait_us;

	if (bytes > 0)
		cost += bytes * 1000000 / choice->rate_bytes_per_s;
	return cost;
}

/* Clearly, as far as both are known. */
static bool is_better(
    const struct choice *later, const struct choice *earlier, uint64_t bytes)
{
	if (later->wait_us == 0 || earlier->wait_us == 0)
		return false;
	if (later->rate_bytes_per_s == 0 || earlier->rate_bytes_per_s == 0)
		bytes = 0;
	return cost_us(later, bytes) * 100 <
	    cost_us(earlier, bytes) * CHOICE_BETTER_PERCENT;
}

static bool is_stale(const struct choice *choice, uint64_t now_ms)
{
	return choice->measured_ms == 0 ||
	    now_ms - choice->measured_ms >= CHOICE_STALE_MS;
}

/* One that nobody waits for: does a server want measuring? */
static unsigned find_stale(struct choice *const of[], unsigned count,
    const struct choice_ask *ask, uint64_t now_ms)
{
	if (ask->demand || ask->bytes > CHOICE_PROBE_BYTES)
		return count;
	for (unsigned i = 0; i + 1 < count; i++) {
		if (of[i] != NULL && !choice_rests(of[i], now_ms) &&
		    is_stale(of[i], now_ms))
			return i;
	}
	return count;
}

/* It stalls, as it seems, and another cache is there. */
static bool is_avoided(
    struct choice *const of[], unsigned count, unsigned place, uint64_t now_ms)
{
	if (of[place]->late == 0)
		return false;
	for (unsigned i = 0; i + 1 < count; i++) {
		if (i != place && of[i] != NULL && of[i]->late == 0 &&
		    !choice_rests(of[i], now_ms))
			return true;
	}
	return false;
}

/* The best that does not rest; the origin only when there is no other. */
static unsigned find_best(struct choice *const of[], unsigned count,
    const struct choice_ask *ask, uint64_t now_ms)
{
	unsigned best = count;

	for (unsigned i = 0; i < count; i++) {
		if (of[i] == NULL || choice_rests(of[i], now_ms) ||
		    is_avoided(of, count, i, now_ms))
			continue;
		if (best == count ||
		    (i + 1 < count && is_better(of[i], of[best], ask->bytes)))
			best = i;
	}
	return best;
}

/* All rest: the one whose rest ends first. */
static unsigned find_soonest(struct choice *const of[], unsigned count)
{
	unsigned soonest = count;

	for (unsigned i = 0; i < count; i++) {
		if (of[i] != NULL &&
		    (soonest == count ||
		        of[i]->rest_until_ms < of[soonest]->rest_until_ms))
			soonest = i;
	}
	return soonest;
}

unsigned choice_pick(struct choice *const of[], unsigned count,
    const struct choice_ask *ask, uint64_t now_ms)
{
	unsigned place = find_stale(of, count, ask, now_ms);

	assert(count > 0);
	if (place < count)
		of[place]->measured_ms = now_ms;
	else
		place = find_best(of, count, ask, now_ms);
	if (place == count)
		return find_soonest(of, count);
	/* Its rest is over and nobody knows how it is: one tries. Behind the
	 * origin there is nobody to read from meanwhile. */
	if (place + 1 < count && of[place]->failures > 0) {
		of[place]->failures++;
		of[place]->rest_until_ms =
		    now_ms + rest_ms(of[place]->failures);
	}
	return place;
}

bool choice_has_other(
    struct choice *const of[], unsigned count, unsigned place, uint64_t now_ms)
{
	for (unsigned i = 0; i < count; i++) {
		if (i != place && of[i] != NULL && !choice_rests(of[i], now_ms))
			return true;
	}
	return false;
}
