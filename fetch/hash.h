/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/hash.h - a number for a path and whom it concerns, for small tables
 * of which a wrong hit is harmless. Not against somebody who wants one.
 */
#ifndef FETCH_HASH_H
#define FETCH_HASH_H

#include <stdint.h>

/** FNV-1a, mixed; never 0. */
static inline uint64_t hash_path(uint64_t whom, const char *path)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ whom;

	for (const char *p = path; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	/* Its bits are not equally good: mix them (MurmurHash3's end). */
	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	return (hash ^ hash >> 33) | 1;
}

#endif
