/* SPDX-License-Identifier: Apache-2.0 */
/* cache/store/pace.c - see pace.h. */
#include "cache/store/pace.h"

enum {
	/* Less than the writer's queue of the cache takes at 1 GB/s. */
	WHILE_US = 20 * 1000,
	RATED_BYTES = 1024 * 1024,
	RATE_SHARE = 8, /* of the rate is forgotten with each write */
	SLOW_BYTES_PER_US = 500,
};

void pace_batch_begins(struct pace *pace, uint64_t now_us)
{
	pace->began_us = now_us;
	if (pace->ended_us != 0)
		pace->idle_us += pace->began_us - pace->ended_us;
}

void pace_batch_ends(struct pace *pace, uint64_t now_us)
{
	pace->ended_us = now_us;
	pace->busy_us += pace->ended_us - pace->began_us;
	/* The last while counts. */
	while (pace->busy_us + pace->idle_us > WHILE_US) {
		pace->busy_us /= 2;
		pace->idle_us /= 2;
	}
}

/* The best counts, and is forgotten slowly: of a thread that waits for a
 * processor most writes are slow, on any disk. */
void pace_wrote(struct pace *pace, size_t size_bytes, uint64_t took_us)
{
	uint64_t rate = size_bytes / (took_us + 1);

	if (size_bytes < RATED_BYTES)
		return;
	pace->bytes_per_us -=
	    (pace->bytes_per_us + RATE_SHARE - 1) / RATE_SHARE;
	if (pace->bytes_per_us < rate)
		pace->bytes_per_us = rate;
}

bool pace_is_behind(const struct pace *pace)
{
	return pace->busy_us > WHILE_US / 4 &&
	    pace->idle_us < pace->busy_us / 8 &&
	    pace->bytes_per_us < SLOW_BYTES_PER_US;
}
