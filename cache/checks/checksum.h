/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/checks/checksum.h - the bytes of a whole file are compared with the
 * checksum that its server tells.
 *
 * A file that is one range (checksum_rides()) is asked for together with its
 * checksum, summed as it comes, and compared before a reader gets it; when a
 * cache gave it the origin is asked then (check.c), for a second. Of others,
 * and of all of a server that tells checksums apart from its bytes
 * (fetch_digests_apart()), the bytes are given as they come: nobody waits for
 * a server that has to read the whole file first. They are compared once the
 * last block has landed, in whatever order that was:
 *
 *   OPEN     blocks are missing. Where the server is known to tell checksums,
 *            those that come in order are summed while they are in memory
 *   ASKING   the server is asked
 *   SUMMING  over what has not been summed yet, from memory or, verified, from
 *            the disk
 *   LOOKING  they differ: is it the same version still?
 *   RIGHT | NONE (there is none, or it cannot be computed)
 *
 * Bytes that differ are dropped, from memory and disk, the caches that gave
 * them are passed over for the file, and they are fetched again from the origin
 * by whoever reads them, under another inode (suspect.h); the second time
 * readers get EIO. What the last state needs is kept with the object; one that
 * is forgotten meanwhile is not compared.
 *
 * The summing is done by one thread, a MiB of a file at a time, with a buffer
 * of that size.
 *
 * Threads: under cache_lock. `sum` and `next` belong to the thread, in LOOKING
 * to who is answered.
 */
#ifndef CACHE_CHECKS_CHECKSUM_H
#define CACHE_CHECKS_CHECKSUM_H

#include "base/attr.h"
#include "base/ident.h"
#include "base/list.h"
#include "base/sync.h"
#include "fetch/digest.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct block;
struct cache;
struct object;
struct run;

enum {
	/* A file that is asked for together with its checksum: 1 MiB. */
	CHECKSUM_RIDES_BLOCKS = 16,
	/* One that came wrong twice in a row is EIO for a moment: the kernel
	 * tries again at once, page by page, and programs do, too. */
	CHECKSUM_WRONG_MAX = 2,
	CHECKSUM_FAILED_MS = 2000,
	CHECKSUM_STEP_BLOCKS = 16,         /* summed at once */
	CHECKSUM_BLOCKS_MAX = 1024 * 1024, /* 64 GiB; larger ones are not */
	/* Files that wait for a turn, some hundred bytes each. One more is
	 * asked for when it is closed or read again. */
	CHECKSUM_WAITING_MAX = 4096,
};

enum checksum_state {
	CHECKSUM_OPEN,
	CHECKSUM_ASKING,
	CHECKSUM_SUMMING,
	CHECKSUM_LOOKING,
	CHECKSUM_RIGHT,
	CHECKSUM_NONE,
};

/** Of one object; zeroed with it. */
struct checksum {
	enum checksum_state state;
	bool failed;      /* wrong twice: its readers get EIO */
	bool suspect;     /* wrong once: the origin alone is asked */
	unsigned servers; /* FETCH_GAVE() of who gave what has landed */
	unsigned
	    wrong_brought; /* in a row; the first one has a line in the log */
	uint64_t failed_until_ms; /* what is brought is not asked for so long */
	bool queued; /* in checksums.queue or .waiting, with a reference */
	struct list place;
	uint8_t *landed; /* bits: blocks that were fetched; NULL: none */
	uint64_t landed_count;
	uint64_t disk_count; /* that were on the disk before */
	struct ident ident;  /* who fetched last */
	struct fetch_digest told;
	struct fetch_sum *sum; /* of the blocks before `next`; NULL: of none */
	uint64_t next;
};

struct checksums {
	pthread_cond_t wake;
	pthread_t thread;
	bool running;
	bool stopping;
	struct list queue;
	struct list waiting; /* for a turn to be asked for, as in the queue */
	unsigned waiting_count;
	unsigned asking;       /* servers' answers that are due */
	unsigned char *buffer; /* CHECKSUM_STEP_BLOCKS; the thread's */
};

/** Start the thread. @retval -EAGAIN, -ENOMEM */
NODISCARD int checksums_start(struct cache *cache);

/** End it; what is not compared by then is not. */
void checksums_stop(struct cache *cache);

void checksum_init(struct checksum *checksum);
void checksum_fini(struct checksum *checksum);

/** Whether a range is to bring the checksum along. */
bool checksum_rides(const struct run *run) REQUIRES(cache_lock);

/** Whether its readers get EIO now. */
bool checksum_fails(const struct object *object) REQUIRES(cache_lock);

/** Whether it is fetched as a whole or not at all: it came wrong before. */
bool checksum_wants_whole(const struct object *object) REQUIRES(cache_lock);

/** All bytes of such a range have come; without the lock.
 *  @return false: they differ from what it told, nobody may have them. */
NODISCARD bool checksum_brought(struct run *run);

/** A fetched block is READY. */
void checksum_landed(const struct run *run, const struct block *block)
    REQUIRES(cache_lock);

/** Nobody has the file open any more: what could not be asked is asked
 *  again. */
void checksum_closed(struct object *object) REQUIRES(cache_lock);

/** Its blocks are dropped; on the writer's thread or without a disk. */
void checksum_dropped(struct object *object) REQUIRES(cache_lock);

/** Of bytes that differ: what the log says. */
struct checksum_difference {
	const char *path;
	const struct fetch_digest *told;
	const struct fetch_digest *computed;
};

/** Say it, and what was done. Between the files of this, as the next. */
void checksum_tell(const struct cache *cache,
    const struct checksum_difference *difference, const char *done);

/** Have the thread look at an object. */
void checksum_push(struct object *object) REQUIRES(cache_lock);

/** Every block is here or on the disk, as far as is known. */
bool checksum_is_complete(const struct object *object) REQUIRES(cache_lock);

/** Whether the origin may be asked for one now; `asking` counts those that it
 *  is asked for. */
bool checksum_may_ask(struct cache *cache) REQUIRES(cache_lock);

/** It has answered, one of them. */
void checksum_asked(struct cache *cache) REQUIRES(cache_lock);

/** Another file is asked for, and this one when that has been answered. */
void checksum_wait(struct object *object) REQUIRES(cache_lock);

/** What the thread looks at next; NULL: nothing now. */
struct list *checksums_next(struct checksums *checksums) REQUIRES(cache_lock);

/** Ask the server for it. Leaves and takes the lock. */
void checksum_ask(struct object *object) REQUIRES(cache_lock);

/** Summed to the end. Leaves and takes the lock. */
void checksum_compare(struct object *object) REQUIRES(cache_lock);

#endif
