/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/shun.h - files for which a cache is passed over for a while: it has
 * another version of them, or none, or gave what is no answer.
 *
 * Bounded: of two files that share a place the later stays; the other costs
 * one more question. Of two that look alike one is read from elsewhere.
 *
 * Threads: the fetch thread.
 */
#ifndef FETCH_SERVERS_SHUN_H
#define FETCH_SERVERS_SHUN_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SHUN_PLACES = 4096,
	/* It may have it, or may be allowed to give it, soon. */
	SHUN_ABSENT_MS = 60 * 1000,
	/* Caches believe what they have for long. */
	SHUN_DIFFERS_MS = 5 * 60 * 1000,
	/* What it has is broken. */
	SHUN_WRONG_MS = 60 * 60 * 1000,
};

struct shun {
	struct shun_place {
		uint64_t hash; /* of server and path; 0: free */
		uint64_t until_ms;
	} places[SHUN_PLACES];
};

/** Pass the server at `place` over for `path`. */
void shun_note(
    struct shun *shun, unsigned place, const char *path, uint64_t until_ms);

/** Whether it is passed over. */
bool shun_has(
    const struct shun *shun, unsigned place, const char *path, uint64_t now_ms);

#endif
