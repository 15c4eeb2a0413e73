/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/pattern.h - the contents of every file of the bench: known at each
 * offset, so that each byte that a contender delivers can be checked, at a
 * cost that does not disturb what is measured (more than 10 GB/s).
 *
 * Page p (4 KiB) of a file holds the 64-bit words a, a+K, a+2K, ... with a
 * hashed out of the file's seed and p: no page equals another.
 */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PATTERN_PAGE_BYTES = 4096, PATTERN_PAGE_WORDS = 512 };

#define PATTERN_STEP UINT64_C(0x9E3779B97F4A7C15)

/* splitmix64 */
static inline uint64_t pattern_mix(uint64_t x)
{
	x += PATTERN_STEP;
	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

static inline uint64_t pattern_first(uint64_t seed, uint64_t page)
{
	return pattern_mix(seed * UINT64_C(0x100000001B3) + page);
}

static inline void pattern_page(
    uint64_t out[PATTERN_PAGE_WORDS], uint64_t seed, uint64_t page)
{
	uint64_t word = pattern_first(seed, page);

	for (unsigned i = 0; i < PATTERN_PAGE_WORDS; i++)
		out[i] = word + i * PATTERN_STEP;
}

/* A whole page in place. */
static inline bool pattern_page_ok(
    const unsigned char *bytes, uint64_t seed, uint64_t page)
{
	uint64_t word = pattern_first(seed, page);
	uint64_t wrong = 0;

	for (unsigned i = 0; i < PATTERN_PAGE_WORDS; i++) {
		uint64_t found;

		memcpy(&found, bytes + 8 * i, sizeof(found));
		wrong |= found ^ (word + i * PATTERN_STEP);
	}
	return wrong == 0;
}

/* Whether `bytes` are what the file has at `offset`. */
static inline bool pattern_ok(const unsigned char *bytes, size_t size_bytes,
    uint64_t seed, uint64_t offset)
{
	while (size_bytes > 0) {
		uint64_t page = offset / PATTERN_PAGE_BYTES;
		size_t within = offset % PATTERN_PAGE_BYTES;
		size_t n = PATTERN_PAGE_BYTES - within;
		uint64_t wanted[PATTERN_PAGE_WORDS];

		if (n > size_bytes)
			n = size_bytes;
		if (n == PATTERN_PAGE_BYTES) {
			if (!pattern_page_ok(bytes, seed, page))
				return false;
		} else {
			pattern_page(wanted, seed, page);
			if (memcmp(bytes,
			        (const unsigned char *)wanted + within, n) != 0)
				return false;
		}
		bytes += n;
		offset += n;
		size_bytes -= n;
	}
	return true;
}

#endif
