/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/fill.h - a run of missing blocks becomes a range, the range
 * becomes blocks.
 *
 * A run is made with its buffers; it looks for its bytes on the disk when
 * they may be there (load.c) and fetches what is not (fill.c). It
 * implements fetch/sink.h: bytes go straight into the block buffers, their
 * sums are computed while they are hot, and readers are answered as soon as
 * the bytes they want have come, when the server validates bytes. Where it
 * does not, blocks are READY when the whole range has been confirmed.
 *
 * Threads: made under cache_lock; its blocks belong to one thread at a time
 * (the one that routes it, a disk reader, the fetch thread).
 */
#ifndef CACHE_BYTES_FILL_H
#define CACHE_BYTES_FILL_H

#include "base/attr.h"
#include "base/ident.h"
#include "base/list.h"
#include "base/sync.h"
#include "cache/ahead/stream.h"
#include "cache/bytes/disk.h"
#include "cache/cache.h"
#include "fetch/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct block;
struct object;
struct todo;

enum {
	RUN_BLOCKS_MAX = 128, /* 8 MiB */
	RUN_GAP_BLOCKS = 1,   /* fetched in vain rather than asked around */
	/* Read-ahead on its way, of all files; half of the pool. */
	RUN_AHEAD_SHARE = 2,
	/* A range of a server that confirms only at its end. */
	RUN_UNCONFIRMED_BLOCKS = 32,
	RUN_CANCEL_BYTES = 2 * 1024 * 1024, /* worth a lost connection */
	RUN_RATED_BLOCKS = 8, /* long enough to tell how fast bytes come */
	/* The origin's checksum is waited for before a cache's bytes are given
	 * without. */
	RUN_CHECK_MS = 1000,
};

enum run_stage {
	RUN_ROUTE, /* nobody has looked yet */
	RUN_LOOK,  /* the store has to be asked which blocks it has */
	RUN_LOAD,  /* the store says it has them */
	RUN_PAGES, /* some pages of one block, for one reader */
	RUN_FETCH, /* not on the disk */
};

struct run {
	struct list place; /* in a todo, or in object.runs */
	struct disk_job job;
	struct cache *cache;
	struct object *object; /* one reference */
	struct ident ident;    /* who wants it */
	uid_t waiting_uid;     /* who came last to wait for it */
	enum run_stage stage;
	bool demand;
	uint64_t first;
	unsigned count;
	unsigned room;
	uint32_t page_offset_bytes; /* RUN_PAGES: of the block */
	uint32_t page_size_bytes;

	/* RUN_FETCH */
	unsigned refs;   /* whoever issues it, and the fetch */
	uint64_t number; /* for fetch_cancel(); 0 until known */
	bool cancel;
	bool polite;          /* issued as read-ahead: a reader may ask again */
	bool hurried;         /* but a reader waits for it now */
	bool early;           /* bytes may be used before the range has ended */
	uint64_t next_bytes;  /* offset that comes next */
	uint64_t until_bytes; /* end of the range */
	uint64_t started_ms;
	uint64_t begun_ms; /* its first answer; 0: none yet */
	bool rides;        /* the checksum was asked for with it */
	bool differs;      /* and it is not that of the bytes */
	unsigned servers;  /* FETCH_GAVE() of who gave bytes */
	struct fetch_digest told;
	struct fetch_sum *sum; /* as they come; NULL: none was told */

	struct block *blocks[]; /* one reference each; NULL: bytes that nobody
				   wants, or finished */
};

/** Collects missing blocks into runs. */
struct run_builder {
	struct cache *cache;
	struct object *object;
	const struct ident *ident;
	struct todo *todo;
	struct run *run; /* being built; NULL */
	unsigned blocks_max;
	bool by_name; /* all of it was asked for, though no reader waits */
	uint64_t guess_bytes; /* nobody has asked for, and not paid for yet */
	int code;             /* -ENOMEM */
};

/** Add a block that is COMING and has no run yet (its run takes a reference
 *  of its own). Indexes must go up. */
void runs_add(struct run_builder *builder, struct block *block, bool demand)
    REQUIRES(cache_lock);

/** The last run is complete. */
void runs_end(struct run_builder *builder) REQUIRES(cache_lock);

/** Pages of one block, for one reader, into a private block. -ENOMEM. */
NODISCARD int run_pages(struct run_builder *builder, struct block *block,
    uint32_t offset_bytes, uint32_t size_bytes) REQUIRES(cache_lock);

/** Find the bytes: ask the disk, or fetch. Takes the run over. */
void run_go(struct run *run);

/** cache/bytes/load.c: RUN_ROUTE, RUN_LOOK, RUN_LOAD, RUN_PAGES. `wait`: on a
 *  disk reader. */
void run_look(struct run *run, bool wait);

/** Give the run's blocks [from, from+count) to a new run. NULL: -ENOMEM. */
struct run *run_split(struct run *run, unsigned from, unsigned count)
    REQUIRES(cache_lock);

/** Fetch it. Takes the run over. */
void run_issue(struct run *run);

/** A range has ended: give its blocks to their readers, or fail them. Takes
 *  the run over. */
void run_done(struct run *run, int code);

/** checks/check.c: whether the bytes of a run, which are all there, are held
 *  against the origin's checksum first. */
bool run_is_checked(const struct run *run);

/** Do so, a moment long at most, and then run_done(). Takes the run over. */
NODISCARD bool run_check(struct run *run);

/** A user waits for a run that was made for read-ahead, or for another. */
void run_hurry(struct run *run, uid_t uid, struct todo *todo)
    REQUIRES(cache_lock);

/** A block's bytes are complete and right. */
void run_block_ready(struct run *run, unsigned i, struct todo *todo)
    REQUIRES(cache_lock);

/** Give up the blocks from `from` on, which nobody waits for. */
void run_cut(struct run *run, unsigned from, struct todo *todo)
    REQUIRES(cache_lock);

/** Fail what is left of a run. */
void run_fail_blocks(struct run *run, int code, struct todo *todo)
    REQUIRES(cache_lock);

/** The same, and free it. */
void run_fail(struct run *run, int code, struct todo *todo)
    REQUIRES(cache_lock);

/** Free a run whose blocks are finished. */
void run_free(struct run *run, struct todo *todo) REQUIRES(cache_lock);

/** Nobody has the file open any more: end long ranges nobody waits for.
 *  Fills `numbers` for fetch_cancel(). */
unsigned runs_abandon(struct object *object, uint64_t numbers[], unsigned max)
    REQUIRES(cache_lock);

/** Fetch the first blocks of an object before it is read; when the disk has
 *  said what it has. */
void object_fetch_ahead(struct object *object, const struct ident *ident,
    uint64_t blocks, struct todo *todo) REQUIRES(cache_lock);

/** May a builder's runs have so many more bytes that nobody has asked for?
 *  (budget.h) */
bool runs_may_guess(const struct run_builder *builder, uint64_t guess_bytes)
    REQUIRES(cache_lock);

/** A run is about to be fetched: its guesses are paid for, and what there is
 *  no budget for is cut off its end. What readers wait for, and what lies
 *  before that, stays. @return false: nothing is left. */
bool run_pay(struct run *run, struct todo *todo) REQUIRES(cache_lock);

/** Block i of a run that was paid for does not come. */
void run_refund(struct run *run, unsigned i) REQUIRES(cache_lock);

/** A reader is given pages (bits) of a block. @return bytes of a fetched one
 *  that had not been read before. */
uint32_t block_use(struct cache *cache, struct block *block, uint16_t pages)
    REQUIRES(cache_lock);

/** Fetch ahead what a plan says, joining the builder's last run. */
void runs_ahead(struct run_builder *builder, const struct stream_plan *plan,
    uint64_t offset_bytes, uint64_t size_bytes) REQUIRES(cache_lock);

#endif
