/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/climb.c - see climb.h. */
#include "cache/ahead/climb.h"

void climb_init(struct climb *climb, unsigned lanes)
{
	/* The first period is one in which windows still grow. */
	*climb = (struct climb){.lanes = lanes, .rest = 1};
}

/* As many as the next try is made with; the same: there is none to make. */
static unsigned next_lanes(const struct climb *climb)
{
	unsigned lanes = climb->lanes;

	if (climb->down)
		lanes = lanes * 2 / 3;
	else
		lanes += lanes / 2;
	if (lanes > CLIMB_MAX)
		return CLIMB_MAX;
	return lanes < CLIMB_MIN ? CLIMB_MIN : lanes;
}

static void begin_try(struct climb *climb, uint64_t bytes_per_s)
{
	unsigned lanes = next_lanes(climb);

	if (lanes == climb->lanes) {
		climb->down = !climb->down;
		climb->rest = CLIMB_REST;
		return;
	}
	climb->before = climb->lanes;
	climb->rate = bytes_per_s;
	climb->lanes = lanes;
}

/* Was it worth it? */
static bool is_good(const struct climb *climb, uint64_t bytes_per_s)
{
	unsigned percent = climb->lanes > climb->before
	    ? 100 + CLIMB_GAIN_PERCENT
	    : 100 - CLIMB_LOSS_PERCENT;

	return bytes_per_s / percent >= climb->rate / 100;
}

void climb_note(struct climb *climb, uint64_t bytes_per_s)
{
	if (climb->before == 0) {
		if (climb->rest > 0)
			climb->rest--;
		else
			begin_try(climb, bytes_per_s);
		return;
	}
	if (is_good(climb, bytes_per_s)) {
		climb->before = 0;
		begin_try(climb, bytes_per_s);
		return;
	}
	climb->lanes = climb->before;
	climb->before = 0;
	climb->down = !climb->down;
	climb->rest = CLIMB_REST;
}

void climb_skip(struct climb *climb)
{
	if (climb->before == 0)
		return;
	climb->lanes = climb->before;
	climb->before = 0;
}
