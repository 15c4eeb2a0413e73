/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/budget.h - what may be fetched that nobody has asked for.
 *
 * What a reader waits for is always fetched, in whole blocks: sixteen times
 * an isolated page, and no more. All else (read-ahead, foreseen steps, the
 * small gaps that join two ranges, the begins of files that a walk will come
 * to) is a guess, and a guess has to be paid for. Each fetched block counts
 *
 *   - its size   while nobody has read of it: a guess, or a gap;
 *   + 2 x the bytes read of it - its size, at least 0, once somebody has;
 *     0          while the reader who asked for it waits.
 *
 * The sum of a file's blocks is its balance. A file may owe
 * BUDGET_FILE_BYTES, all files of a mount together what the mount has; what
 * a file has earned is its own, so that one that is read as foreseen pays for
 * itself however others are read. What it has above BUDGET_FILE_MAX_BYTES,
 * and at its end, goes to the mount. It follows, for each file and, with
 * BUDGET_MOUNT_BYTES, for all of them:
 *
 *   fetched <= whole blocks of which less than half was read
 *              + 2 x the bytes read of all others + BUDGET_FILE_BYTES
 *
 * Which pages of a fetched block were read is noted per file, so that a page
 * counts once although the kernel, which may drop it, reads it again, and
 * although the block was meanwhile in memory no more but on the disk. Notes
 * are made where something is fetched, 16 MiB of a file at a time, and
 * together never occupy more than BUDGET_NOTES_MAX_BYTES; where there is none
 * the block itself has one for as long as it is in memory.
 *
 * Pure: no I/O, no clock, no lock. Threads: under the lock of whoever owns
 * the structs.
 */
#ifndef CACHE_AHEAD_BUDGET_H
#define CACHE_AHEAD_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* The first window of a file several times over: it is not felt by
	 * who reads on, and is all that a file can cost that is not. */
	BUDGET_FILE_BYTES = 8 * 1024 * 1024,
	/* All windows together: half of the buffers of a mount. */
	BUDGET_FILE_MAX_BYTES = 64 * 1024 * 1024,
	BUDGET_MOUNT_BYTES = 64 * 1024 * 1024,
	BUDGET_MOUNT_MAX_BYTES = 256 * 1024 * 1024,
	BUDGET_NOTES_MAX_BYTES = 8 * 1024 * 1024,
	BUDGET_CHUNK_BLOCKS = 256,
	/* As object.h remembers presence: files up to 64 GiB have notes. */
	BUDGET_CHUNKS_MAX = 1024 * 1024 / BUDGET_CHUNK_BLOCKS,
};

/** How a block came here. */
enum budget_how {
	BUDGET_ELSE,  /* not from a server: its pages do not count */
	BUDGET_ASKED, /* a reader waited */
	BUDGET_GUESS, /* nobody did */
};

/** Of one block of a file. All zero: BUDGET_ELSE. */
struct budget_note {
	uint16_t pages; /* bits: 4 KiB pages that were read of it */
	uint8_t how;    /* enum budget_how */
};

/** Of all files of a mount. */
struct budget {
	int64_t left_bytes; /* that files may still owe */
	size_t notes_bytes;
};

/** Of one version of a file. All zero at first. */
struct budget_file {
	int64_t balance_bytes;
	uint64_t fetched_bytes; /* for budget.h's users to add to */
	uint64_t used_bytes;    /* of these, each page once */
	struct budget_note **chunks;
	uint64_t chunk_count; /* of `chunks`, when there are any */
};

void budget_init(struct budget *budget);

/** The file is forgotten: its notes are freed, what it has goes to all. */
void budget_end(struct budget *budget, struct budget_file *file);

/** The note of block `index`. NULL: none has been made.
 *  Borrowed until budget_end(). */
struct budget_note *budget_find(const struct budget_file *file, uint64_t index);

/** The same, made when there is none. `block_count`: of the file. NULL: out
 *  of memory, or of what notes may occupy. */
struct budget_note *budget_make(struct budget *budget, struct budget_file *file,
    uint64_t block_count, uint64_t index);

/** May so many bytes be fetched without a reader who asks for them? */
bool budget_may(const struct budget *budget, const struct budget_file *file,
    uint64_t guess_bytes);

/** A block of `size_bytes` is asked for. */
void budget_ask(struct budget *budget, struct budget_file *file,
    struct budget_note *note, uint32_t size_bytes, bool guess);

/** So many bytes between two ranges are asked for with them and dropped. */
void budget_gap(
    struct budget *budget, struct budget_file *file, uint64_t gap_bytes);

/** A block that was asked for does not come: `missing_bytes` of it. */
void budget_miss(struct budget *budget, struct budget_file *file,
    struct budget_note *note, uint32_t missing_bytes);

/** A reader is given `pages` (bits) of a block.
 *  @return bytes of it that had not been read before; 0 when the block was
 *  not fetched. */
uint32_t budget_use(struct budget *budget, struct budget_file *file,
    struct budget_note *note, uint32_t size_bytes, uint16_t pages);

#endif
