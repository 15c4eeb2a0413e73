/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/claims/caveat.h - the caveats of a macaroon that tell its end and reach.
 * Pure. Only macaroon.c uses it.
 *
 * Each caveat takes something away, so several of a kind add up: the
 * earliest before:, the activities that all activity: name, and a path: below
 * the path: before it. What cannot be read takes away what it would have
 * told (a path), or nothing (a time): the server refuses such a macaroon
 * itself.
 *
 * Threads: every function may be called from any thread.
 * Sources: dCache's user guide, "Macaroons"; RFC 3339, section 5.6 (times).
 */
#ifndef TOKENS_CAVEAT_H
#define TOKENS_CAVEAT_H

#include "base/path.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the caveats so far leave. */
struct caveats {
	unsigned count;
	uint64_t expires_s;  /* UINT64_MAX: never */
	unsigned activities; /* a bit each, in the order of caveat.c */
	bool path_known;
	char path[PATH_BYTES_MAX];
};

/** No caveat yet: everything, everywhere, for ever. */
void caveats_init(struct caveats *caveats);

/** Take one caveat of the first party into account; any bytes. */
void caveat_take(
    struct caveats *caveats, const unsigned char *bytes, size_t size_bytes);

/** The rights, bits 1u << enum tokens_right, that the activities amount to. */
unsigned caveats_rights(const struct caveats *caveats);

#endif
