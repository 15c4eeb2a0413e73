/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/siphash.h - a keyed 64-bit hash of a name: names come from servers, and
 * nobody who does not know the key can choose names that collide.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012);
 * one compression and three finalisation rounds, as hash tables use it.
 */
#ifndef FS_SIPHASH_H
#define FS_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(
    uint64_t key0, uint64_t key1, const void *bytes, size_t size_bytes);

#endif
