/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fetch/listing.h - what a parser told its target, as text, one
 * line a call:
 *
 *     self d - 0 1795918191
 *     name f - 5 1795918191 "etag"     (kind, ~ when not exact, size, time)
 *     quota 5 6
 */
#ifndef TESTS_UNIT_FETCH_LISTING_H
#define TESTS_UNIT_FETCH_LISTING_H

#include "base/buf.h"
#include "fetch/fetch.h"

struct listing {
	struct buf text;
	unsigned count;     /* of entries */
	unsigned end_after; /* entry() gives -ECANCELED at this one; 0: never */
};

void listing_init(struct listing *listing);
void listing_fini(struct listing *listing);

/* The functions of struct dav_target and struct index_target. */
void listing_self(void *arg, const struct fetch_stat *stat);
int listing_entry(void *arg, const char *name, const struct fetch_stat *stat);
void listing_quota(void *arg, int64_t available_bytes, int64_t used_bytes);

#endif
