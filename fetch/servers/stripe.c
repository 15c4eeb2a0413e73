/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/stripe.c - see stripe.h. */
#include "fetch/servers/stripe.h"

#include <assert.h>

unsigned stripe_width(const struct stripe *stripe)
{
	return stripe->width == 0 ? 1 : stripe->width;
}

static void begin_try(struct stripe *stripe, uint64_t bytes_per_s)
{
	stripe->before = stripe_width(stripe);
	stripe->width = stripe->down ? stripe->before - 1 : stripe->before + 1;
	stripe->rate_bytes_per_s = bytes_per_s;
	stripe->settling = true;
}

static void take_back(struct stripe *stripe)
{
	if (stripe->before != 0)
		stripe->width = stripe->before;
	stripe->before = 0;
}

static void end_try(struct stripe *stripe, uint64_t bytes_per_s)
{
	unsigned percent = stripe->down ? 100 - STRIPE_LOSS_PERCENT
	                                : 100 + STRIPE_GAIN_PERCENT;

	if (bytes_per_s / percent >= stripe->rate_bytes_per_s / 100) {
		stripe->before = 0;
		stripe->rest_next = 0;
		return;
	}
	take_back(stripe);
	if (stripe->down) {
		stripe->rest = STRIPE_REST_GOOD;
	} else {
		stripe->rest_next = stripe->rest_next == 0
		    ? STRIPE_REST_FIRST
		    : stripe->rest_next * 2;
		if (stripe->rest_next > STRIPE_REST_MAX)
			stripe->rest_next = STRIPE_REST_MAX;
		stripe->rest = stripe->rest_next;
	}
	stripe->down = !stripe->down;
	stripe->settling = true;
}

/* A period in which the servers were the limit. */
static void note(struct stripe *stripe, uint64_t bytes_per_s, unsigned most)
{
	unsigned width = stripe_width(stripe);

	if (stripe->settling) {
		stripe->settling = false;
	} else if (stripe->before != 0) {
		end_try(stripe, bytes_per_s);
	} else if (stripe->rest > 0) {
		stripe->rest--;
	} else if (stripe->down ? width > 1 : width < most) {
		begin_try(stripe, bytes_per_s);
	} else {
		/* All are used, or one alone: the other way, some time. */
		stripe->rest = width > 1 ? STRIPE_REST_GOOD : 0;
		stripe->down = width > 1;
	}
}

bool stripe_tick(
    struct stripe *stripe, uint64_t now_ms, bool busy, unsigned most)
{
	uint64_t past_ms = now_ms - stripe->period_ms;
	bool whole = stripe->period_ms != 0 && past_ms <= STRIPE_PERIOD_MAX_MS;

	stripe->idle = stripe->idle || !busy;
	if (stripe->period_ms != 0 && past_ms < STRIPE_PERIOD_MS)
		return false;
	if (stripe_width(stripe) > most) {
		/* One of them has gone. */
		take_back(stripe);
		stripe->width = most;
	} else if (whole && !stripe->idle) {
		note(stripe, stripe->bytes * 1000 / past_ms, most);
	} else {
		/* It tells nothing, and in the next one streams begin. */
		take_back(stripe);
		stripe->settling = true;
	}
	stripe->bytes = 0;
	stripe->period_ms = now_ms;
	stripe->idle = false;
	return true;
}

void stripe_lane_note(struct stripe_lane *lane, uint64_t period_ms)
{
	if (!lane->idle && lane->bytes > 0 && period_ms > 0 &&
	    period_ms <= STRIPE_PERIOD_MAX_MS) {
		uint64_t rate = lane->bytes * 1000 / period_ms;

		lane->rate_bytes_per_s = lane->rate_bytes_per_s == 0
		    ? rate
		    : (lane->rate_bytes_per_s + rate) / 2;
	}
	lane->bytes = 0;
	lane->idle = false;
}

bool stripe_moves(
    const struct stripe_lane *home, const struct stripe_lane *other)
{
	return home->rate_bytes_per_s > 0 &&
	    home->rate_bytes_per_s / STRIPE_MOVE_PERCENT <
	    other->rate_bytes_per_s / 100;
}

unsigned stripe_pick(
    const struct stripe_load loads[], unsigned count, uint64_t bytes)
{
	uint64_t best_rate = 0;
	uint64_t best_us = UINT64_MAX;
	unsigned best = 0;

	assert(count > 0);
	for (unsigned i = 0; i < count; i++) {
		if (loads[i].rate_bytes_per_s > best_rate)
			best_rate = loads[i].rate_bytes_per_s;
	}
	for (unsigned i = 0; i < count; i++) {
		/* One that nobody knows is as good as the best. */
		uint64_t rate = loads[i].rate_bytes_per_s != 0
		    ? loads[i].rate_bytes_per_s
		    : best_rate;
		uint64_t us = (loads[i].bytes + bytes) * 1000 /
		    (rate / 1000 == 0 ? 1 : rate / 1000);

		if (us < best_us) {
			best_us = us;
			best = i;
		}
	}
	return best;
}
