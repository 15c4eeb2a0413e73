/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/upkeep.h - looking after a cache directory from outside a mount:
 * what it holds, is it right, make it smaller, take something out of it.
 *
 * With store.h what others may include of this folder. Mounts may run on the
 * directory meanwhile: locks are theirs and ours alike, and what a mount finds
 * gone is a miss to it.
 *
 * Threads: one at a time for an upkeep. Every function may wait.
 */
#ifndef CACHE_STORE_UPKEEP_H
#define CACHE_STORE_UPKEEP_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct upkeep;

struct upkeep_config {
	const struct clock *clock; /* borrowed */
	const char *dir;
	uint32_t let_go_ms; /* for mounts to notice what is gone */
};

enum { UPKEEP_LET_GO_MS = 2500 }; /* they look each second */

/**
 * Open a directory that a mount has made. Nothing is made or changed.
 *
 * @retval 0        open.
 * @retval -ENOENT  there is no cache.
 * @retval -EPROTO  it is of another version.
 * @retval -EACCES  it belongs to someone else or others may write to it.
 * @retval -errno   of the file system; with a sentence, as all of them.
 */
NODISCARD int upkeep_open(
    struct upkeep **out, const struct upkeep_config *config, struct err *err);

void upkeep_close(struct upkeep *upkeep);
DEFINE_FREEP(upkeep, upkeep_close)

/** How far something is: `tell` is called every so often; NULL: nobody
 *  looks. */
struct upkeep_progress {
	void (*tell)(void *arg, uint64_t done_bytes, uint64_t all_bytes);
	void *arg;
};

/** What is there of one origin. */
struct upkeep_source {
	char *origin; /* "https://host:port" */
	uint64_t objects;
	uint64_t blocks;
	uint64_t bytes;
};

/** What the mounts of a directory have counted together. Their order is that
 *  of the file. */
enum upkeep_count {
	UPKEEP_MEMORY_HITS,
	UPKEEP_DISK_HITS,
	UPKEEP_MISSES,
	UPKEEP_KEPT_BLOCKS,
	UPKEEP_SHARED_BYTES,
	UPKEEP_EVICTED_PACKS,
	UPKEEP_EVICTED_BYTES,
	UPKEEP_CORRUPT_BLOCKS,
	UPKEEP_COUNTS,
};

struct upkeep_counts {
	uint64_t since_s; /* wall clock; 0: nothing was counted */
	uint64_t values[UPKEEP_COUNTS];
};

struct upkeep_info {
	uint64_t
	    bound_bytes;     /* the largest size that mounts were given, clamped
	                         to the disk */
	uint64_t disk_bytes; /* occupied by all files */
	uint64_t free_bytes; /* of its file system */
	uint64_t pack_count;
	uint64_t pack_bytes;
	uint64_t map_count;
	uint64_t map_bytes;
	uint64_t table_bytes;
	uint64_t objects;      /* files, each version one */
	uint64_t blocks;       /* of them that are here */
	uint64_t bytes;        /* in these */
	uint64_t unique_bytes; /* on disk: equal blocks count once */
	struct upkeep_counts counts;
	struct upkeep_source *sources; /* malloc'ed, by bytes */
	size_t source_count;
};

/** @retval 0, -ENOMEM, or -errno of a read; upkeep_info_fini() in any case. */
NODISCARD int upkeep_info(struct upkeep *upkeep, struct upkeep_info *out,
    const struct upkeep_progress *progress, struct err *err);

void upkeep_info_fini(struct upkeep_info *info);

/** What a check has found wrong, each once. */
enum upkeep_damage {
	UPKEEP_BLOCK,  /* bytes that do not verify; dropped */
	UPKEEP_RECORD, /* a small file that does not; dropped */
	UPKEEP_MAP,    /* a map that is none of ours; removed */
	UPKEEP_ENTRY,  /* of a table, without its check; cleared */
};

struct upkeep_finding {
	enum upkeep_damage damage;
	const char *origin; /* "" when it is not known, as the next one */
	const char *path;
	uint64_t block;
	const char *file; /* of the directory; "" when the others tell */
};

typedef void (*upkeep_found_fn)(
    void *arg, const struct upkeep_finding *finding);

struct upkeep_check {
	uint64_t objects;
	uint64_t blocks;
	uint64_t bytes; /* read and verified */
	uint64_t damaged;
};

/**
 * Read and verify every block, map, small file and table; what is wrong is
 * dropped, so that it is fetched again.
 *
 * @param found  called for each, with the progress's `arg`; borrowed texts.
 * @retval 0     all was looked at; out->damaged tells.
 */
NODISCARD int upkeep_check(struct upkeep *upkeep, struct upkeep_check *out,
    upkeep_found_fn found, const struct upkeep_progress *progress,
    struct err *err);

/**
 * Evict down to a size.
 *
 * @param left_bytes  what is occupied afterwards; more than asked for when
 *                    mounts are writing packs, or tables alone take more.
 * @retval 0       done, as far as it can be.
 * @retval -EBUSY  another process evicts.
 */
NODISCARD int upkeep_prune(struct upkeep *upkeep, uint64_t size_bytes,
    uint64_t *left_bytes, const struct upkeep_progress *progress,
    struct err *err);

struct upkeep_dropped {
	uint64_t objects;
	uint64_t bytes; /* that were freed on disk */
};

/**
 * Remove what came from `origin` at `path` and below: identities and bytes,
 * but for blocks that other files have as well.
 */
NODISCARD int upkeep_drop(struct upkeep *upkeep, const char *origin,
    const char *path, struct upkeep_dropped *out,
    const struct upkeep_progress *progress, struct err *err);

/** Remove everything: mounts go on with an empty cache within a second.
 *  @retval -EBUSY  another process holds the directory. */
NODISCARD int upkeep_drop_all(
    struct upkeep *upkeep, struct upkeep_dropped *out, struct err *err);

#endif
