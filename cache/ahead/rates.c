/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/rates.c - see rates.h. */
#include "cache/ahead/rates.h"

#include "cache/core.h"
#include "fetch/fetch.h"

enum {
	RATE_WEIGHT = 4,          /* of a new sample: a quarter */
	WAIT_WEIGHT = 64,         /* of a longer wait */
	WINDOW_BLOCKS = 128,      /* 8 MiB, where the distance asks for less */
	WINDOW_LEAST_BLOCKS = 16, /* 1 MiB: a read of the kernel's */
	/* A range lasts so many round trips: one is lost between two. */
	RANGE_TRIPS = 8,
	RANGE_MIN_BLOCKS = 18,  /* of a stream: a read and 1 MiB ahead */
	RANGE_LEAST_BLOCKS = 2, /* on a slow line */
	/* Where the first byte takes so long, more are likely to be needed;
	 * climbing there from four takes a second and a half, in which a GB
	 * could have come (measured: bench/run --only seq, 40 ms: 0.62 of
	 * eight curls instead of 0.54). */
	FAR_US = 5000,
	FAR_LANES = 8,
	PERIOD_TICKS = 5, /* that a number of ranges is tried for */
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void rates_init(struct rates *rates, uint64_t now_ms)
{
	*rates = (struct rates){.period_ms = now_ms};
	climb_init(&rates->climb, CLIMB_MIN);
}

/* Ranges of one stream at once: those of all together are what pays. */
static uint64_t lanes_of_stream(const struct rates *rates)
{
	return larger(
	    rates->climb.lanes / larger(rates->objects, 1), CLIMB_MIN);
}

/* The length of a range when so many are fetched at once. */
static uint64_t range_blocks(const struct cache *cache, uint64_t lanes)
    REQUIRES(cache_lock);
static uint64_t range_blocks(const struct cache *cache, uint64_t lanes)
{
	const struct rates *rates = &cache->rates;
	uint64_t trips = rates->range_bytes_per_s / 1000 * rates->wait_us /
	    1000 * RANGE_TRIPS / CACHE_BLOCK_BYTES;
	uint64_t blocks = larger(trips, WINDOW_BLOCKS / lanes);
	/* A range takes about a second at most, so that it ends well before
	 * any deadline, on a slow line too. */
	uint64_t second = rates->range_bytes_per_s / CACHE_BLOCK_BYTES;

	blocks = smaller(larger(blocks, RANGE_MIN_BLOCKS), RUN_BLOCKS_MAX);
	if (rates->range_bytes_per_s > 0)
		blocks = smaller(blocks, second);
	if (!fetch_validates_bytes(cache->config.fetch))
		blocks = smaller(blocks, RUN_UNCONFIRMED_BLOCKS);
	return larger(blocks, RANGE_LEAST_BLOCKS);
}

struct rates_pace rates_pace(const struct cache *cache)
{
	uint64_t objects = larger(cache->rates.objects, 1);
	uint64_t lanes = lanes_of_stream(&cache->rates);
	uint64_t blocks = range_blocks(cache, lanes);
	uint64_t share = cache->pool.count / 2 / objects;
	uint64_t window =
	    smaller(larger(lanes * blocks, WINDOW_LEAST_BLOCKS), share);

	return (struct rates_pace){
	    .window_bytes = window * CACHE_BLOCK_BYTES,
	    .room_bytes = share * CACHE_BLOCK_BYTES,
	    .range_bytes = smaller(blocks, window / lanes) * CACHE_BLOCK_BYTES,
	};
}

unsigned rates_range_blocks(const struct cache *cache, uint64_t window_bytes)
{
	uint64_t blocks = window_bytes / CLIMB_MIN / CACHE_BLOCK_BYTES;

	if (window_bytes == 0)
		return READ_BLOCKS_MAX;
	/* While the window grows ranges are not as long as they will be. */
	blocks = smaller(larger(blocks, RANGE_MIN_BLOCKS),
	    range_blocks(cache, lanes_of_stream(&cache->rates)));
	return (unsigned)blocks;
}

/* The shortest wait counts, and rises only slowly: ranges that wait for one
 * another must not make the window longer, and so the wait. */
void rates_note_wait(struct rates *rates, uint64_t wait_ms)
{
	uint64_t wait_us = wait_ms * 1000 + 500; /* the clock's step is 1 ms */

	if (rates->wait_us == 0 && wait_us >= FAR_US)
		climb_init(&rates->climb, FAR_LANES);
	if (rates->wait_us == 0 || wait_us < rates->wait_us)
		rates->wait_us = wait_us;
	else
		rates->wait_us += (wait_us - rates->wait_us) / WAIT_WEIGHT;
}

void rates_note_range(
    struct rates *rates, uint64_t size_bytes, uint64_t flow_ms)
{
	uint64_t sample = size_bytes * 1000 / (flow_ms + 1);

	if (rates->range_bytes_per_s == 0)
		rates->range_bytes_per_s = sample;
	else
		rates->range_bytes_per_s =
		    (rates->range_bytes_per_s * (RATE_WEIGHT - 1) + sample) /
		    RATE_WEIGHT;
}

void rates_note_hunger(struct rates *rates, bool waits)
{
	if (waits)
		rates->hungry++;
	else
		rates->hungry--;
	rates->was_hungry = true;
}

void rates_tick(struct rates *rates, uint64_t now_ms)
{
	uint64_t past_ms = now_ms - rates->period_ms;

	rates->hungry_ticks += rates->was_hungry || rates->hungry > 0;
	rates->was_hungry = false;
	if (++rates->ticks < PERIOD_TICKS || past_ms == 0)
		return;
	if (rates->hungry_ticks > PERIOD_TICKS / 2)
		climb_note(&rates->climb, rates->bytes * 1000 / past_ms);
	else
		climb_skip(&rates->climb);
	rates->ticks = 0;
	rates->hungry_ticks = 0;
	rates->bytes = 0;
	rates->period_ms = now_ms;
}
