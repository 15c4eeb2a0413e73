/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/spool_bed.h - a spool in a directory of its own, and
 * what tests ask of it in one line.
 */
#ifndef TESTS_UNIT_CACHE_SPOOL_SPOOL_BED_H
#define TESTS_UNIT_CACHE_SPOOL_SPOOL_BED_H

#include "base/clock.h"
#include "cache/spool/unsent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BED_UID = 1000 };

#define BED_SIZE   ((uint64_t)64 << 20)
#define BED_ORIGIN "https://origin.test:8443"

struct bed {
	struct clock clock;
	uint8_t boot[SPOOL_BOOT_BYTES];
	uint64_t size_bytes;
	char top[128]; /* removed at the end */
	char dir[160]; /* the spool */
	struct spool *spool;
};

/** A new spool in memory. */
void bed_init(struct bed *bed);
void bed_fini(struct bed *bed);

/** Another handle of the same spool, as another process has it. */
struct spool *bed_second(struct bed *bed);

/** Close and open again: what the dead leave, when entries were released. */
void bed_again(struct bed *bed);

/** So many files may be open from now on; 0: as many as before. */
void bed_limit_open(unsigned most);

/** The machine starts anew. */
void bed_reboot(struct bed *bed);

/** What to begin: a new file, or one on top of a base of `base_bytes`. */
struct spool_wish bed_wish(const char *path);
struct spool_wish bed_wish_base(const char *path, uint64_t base_bytes);

/** Begin; fails the test when it does not work. */
struct spool_entry *bed_file(struct bed *bed, const char *path);
struct spool_entry *bed_file_base(
    struct bed *bed, const char *path, uint64_t base_bytes);

/** The byte of a base at an offset. */
uint8_t bed_base_byte(uint64_t offset);

/** Write text at an offset; fails the test when it does not work. */
void bed_write(struct spool_entry *entry, uint64_t offset, const char *text);

/** The whole file as a sender would see it, with the base's bytes; malloc'ed.
 */
uint8_t *bed_whole(const struct spool_entry *entry, size_t *size);

/** The whole file is this text. */
void bed_expect(const struct spool_entry *entry, const char *text);

/** How many entries the listing has in a state; `any` counts all. */
unsigned bed_count(struct bed *bed, enum spool_state state);
unsigned bed_count_all(struct bed *bed);

/** The item of the entry with a path, a copy; state 0 when there is none. */
struct spool_item bed_item(struct bed *bed, const char *path);

/** Adopt everything; entries are released again. How many there were. */
unsigned bed_adopt(struct bed *bed);

/** Adopt and keep one; NULL when there is none of that path. */
struct spool_entry *bed_take(struct bed *bed, const char *path);

/** Files in the spool whose names end in `ending`. */
unsigned bed_files(const struct bed *bed, const char *ending);

/** Path of the only file that ends so. */
void bed_path(const struct bed *bed, const char *ending, char out[512]);

/** Remove a tree. */
void bed_remove(const char *path);

uint64_t bed_random(uint64_t *state);

#endif
