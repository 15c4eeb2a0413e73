/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/store_bed.h - what the tests of the block store share: a
 * directory of their own, versions with known bytes, keep and load in one
 * call.
 */
#ifndef TESTS_UNIT_CACHE_STORE_BED_H
#define TESTS_UNIT_CACHE_STORE_BED_H

#include "base/clock.h"
#include "cache/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BED_PATH_BYTES = 256 };

struct bed {
	char
	    dir[BED_PATH_BYTES]; /* made by bed_init(), removed by bed_fini() */
	char cache[BED_PATH_BYTES]; /* dir/cache */
	struct clock clock;         /* hand-driven */
	uint64_t size_bytes;
	struct store *store;
	void *buffers[STORE_RUN_BLOCKS]; /* aligned */
};

/** A directory under $TMPDIR or /tmp and an open store in it. */
void bed_init(struct bed *bed, uint64_t size_bytes);

/** The same in memory (/dev/shm), where there is room: for tests that write
 *  much and do not care what it is written to. */
void bed_init_in_memory(struct bed *bed, uint64_t size_bytes);
void bed_fini(struct bed *bed);

/** Close and open the store again. */
void bed_reopen(struct bed *bed);

/** Another store in the same directory. */
struct store *bed_second(struct bed *bed);

/** Let a second pass and tend. */
void bed_tend(struct bed *bed);

/** Open a version; `name` is its path, its mtime 1. */
struct store_object *bed_object(
    struct store *store, const char *name, uint64_t size_bytes);

/** Bytes of a block that depend on `seed` and index alone. */
void bed_fill(void *out, size_t size_bytes, uint64_t seed, uint64_t index);

/** Keep blocks [first, first+count) of an object with bed_fill() bytes.
 *  @return blocks kept. */
unsigned bed_keep(struct store *store, struct store_object *object,
    uint64_t size_bytes, uint64_t seed, uint64_t first, unsigned count);

/** Load a block with STORE_WAIT. @return 1 right, 0 not there; a wrong byte
 *  fails the test. */
int bed_load(struct bed *bed, struct store_object *object, uint64_t size_bytes,
    uint64_t seed, uint64_t index);

/** A cache of which three packs are full, one block in eight used, and small
 *  files too; large enough for what is used to be carried over when it is
 *  evicted by bed_evict(). What bed_carry_check() finds must be right;
 *  @return blocks found. */
enum { BED_CARRY_BYTES = 40 * 1024 * 1024, BED_CARRY_USED = 8 };
void bed_carry_fill(struct bed *bed);
void bed_evict(struct store *store, uint64_t bytes);
unsigned bed_carry_check(struct bed *bed, bool used);

/** Remove a directory with all below it. */
void bed_remove(const char *path);

/** Call `each` with the path of every file below a directory. */
void bed_each_file(
    const char *path, void (*each)(void *arg, const char *file), void *arg);

/** Bytes that all files below a directory occupy. */
uint64_t bed_disk_bytes(const char *path);

/** Read every file below a directory, so that the page cache has it. */
void bed_warm(const char *path);

/** Numbers that are the same for the same seed. */
uint64_t bed_random(uint64_t *state);

#endif
