/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/impl.h - what the files of the block store share: the store,
 * a generation of its directory, and an open object.
 *
 * A struct generation is one opened v1-<rand>/. When the directory vanishes
 * or another process begins a new one, store_tend() opens that and swaps it
 * in; calls that are under way finish on the one they hold. An object
 * carries the state it found in a generation and finds it anew in the next.
 *
 * Threads: fields marked store_lock are guarded by it; it is never held
 * over a system call that may wait. What is marked `writer` belongs to the
 * one thread that calls store_keep() and store_tend().
 */
#ifndef CACHE_STORE_IMPL_H
#define CACHE_STORE_IMPL_H

#include "base/attr.h"
#include "base/sync.h"
#include "cache/store/direct.h"
#include "cache/store/format.h"
#include "cache/store/handle.h"
#include "cache/store/hash.h"
#include "cache/store/pace.h"
#include "cache/store/pack.h"
#include "cache/store/store.h"
#include "cache/store/table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum {
	STORE_PACK_DESCRIPTORS = 64,
	STORE_MAP_DESCRIPTORS = 64,
	STORE_TOUCH_MS = 10 * 1000, /* recency on disk is this coarse */
	STORE_MAP_DIRECTORIES = 256,
	STORE_ARENA_BYTES = 256 * 1024,
	STORE_BATCH_BLOCKS = 128,
	STORE_SCRATCH_BYTES = STORE_RUN_BLOCKS * STORE_BLOCK_BYTES,
};

/** A secret that was in force once; all live as long as the store, so that
 *  store_page_sum() needs no lock. */
struct secret_note {
	struct hash_secret secret;
	struct secret_note *next;
};

struct generation {
	uint64_t id; /* of this process: differs for each opening */
	struct format_file format;
	const struct hash_secret *secret;
	int dir_fd;   /* v1-<rand>; flock: reservations */
	int packs_fd; /* flock: the evictor */
	int maps_fd;
	int uses_fd; /* -1: nothing is noted */
	struct table blocks;
	struct table objects;
	struct packs packs;
	struct handles maps;
	unsigned users GUARDED_BY(store_lock); /* the store is one of them */
	struct generation *next GUARDED_BY(store_lock); /* of the dead */
	/* writer: bytes of maps as last counted, by directory */
	uint64_t map_bytes[STORE_MAP_DIRECTORIES];
	uint64_t made_bytes; /* by maps that were made since the last look */
	unsigned map_hand;   /* next directory to be counted */
	/* directories to be looked through for maps without blocks */
	unsigned map_looks_due;
};

/** A pack that a store appends to. Writer's thread only. */
struct appender {
	bool proven;   /* for what was used again, not for what is new */
	int fd;        /* -1: no pack */
	int direct_fd; /* with O_DIRECT; -1: there is none */
	uint64_t pack;
	uint32_t offset_bytes;
	uint64_t spoilt;    /* pack that refused a write: not adopted */
	uint64_t resume_ms; /* no try before that, after a failure */
};

struct store {
	pthread_mutex_t mutex;
	const struct clock *clock;
	char *dir;
	uint64_t config_bytes;
	_Atomic uint64_t bound_bytes;
	_Atomic uint64_t used_bytes; /* as last counted */
	_Atomic int state_code;      /* 0: on; why it keeps nothing */
	_Atomic(const struct hash_secret *) secret;
	struct direct direct;

	struct generation *generation GUARDED_BY(store_lock); /* NULL: off */
	struct generation *dead GUARDED_BY(store_lock);       /* to be freed */
	uint64_t generations GUARDED_BY(store_lock); /* ids given out */
	/* writer */
	struct secret_note *secrets;
	struct appender fresh;
	struct appender proven;
	struct pace pace;
	struct stat format_stat; /* of `format` as it was read */
	uint64_t retry_ms;       /* when to open again, while off */
	uint64_t shown_bytes;    /* in the gauge */
	uint64_t count_ms;       /* when to count the directory again */
	uint64_t note_ms;        /* when to note uses again */
	void *scratch;           /* STORE_SCRATCH_BYTES, aligned: to compare */
	struct table_bucket *buckets;    /* one for each block of a batch */
	uint64_t carried;                /* entries that eviction has changed */
	bool evicting;                   /* down to the low mark */
	uint64_t counted[FORMAT_COUNTS]; /* of the process, as last noted */
	uint8_t *arena; /* STORE_ARENA_BYTES, aligned: records */
	bool clean;     /* old generations are to be removed */
	bool opened;    /* was in force once */
};

enum map_state {
	MAP_UNKNOWN, /* or its descriptor was closed */
	MAP_ABSENT,
};

struct store_object {
	struct store *store;
	uint64_t size_bytes;
	size_t head_bytes;
	uint8_t *head; /* encoded identity; NULL: too long, nothing is kept */
	bool quiet;    /* looking at it is no use of it */
	/* as found in a generation */
	uint64_t generation_id GUARDED_BY(store_lock);
	struct hash128 key GUARDED_BY(store_lock);
	struct hash128 bind GUARDED_BY(store_lock);
	enum map_state map_state GUARDED_BY(store_lock);
	uint64_t map_absent_ms GUARDED_BY(store_lock);
	uint64_t map_touched_ms GUARDED_BY(store_lock);
	struct handle *map GUARDED_BY(store_lock);
	struct place record GUARDED_BY(store_lock); /* small file: its bytes */
	bool looked GUARDED_BY(store_lock);         /* for the record, once */
	uint64_t sums[FORMAT_PAGES] GUARDED_BY(store_lock);
};

void store_enter(struct store *store) ACQUIRES(store_lock);
void store_leave(struct store *store) RELEASES(store_lock);

/** The generation in force, held until generation_put(); NULL: off. */
struct generation *generation_get(struct store *store);
void generation_put(struct store *store, struct generation *generation);

/** The same under the lock. */
void generation_let_go(struct store *store, struct generation *generation)
    REQUIRES(store_lock);

/** A file of less than a block stands whole in its record. */
static inline bool version_is_small(const struct store_object *object)
{
	return object->size_bytes < STORE_BLOCK_BYTES;
}

/** Bytes of a block of that object; 0 behind its end. */
static inline size_t version_block_bytes(
    const struct store_object *object, uint64_t index)
{
	uint64_t start;

	if (__builtin_mul_overflow(
	        index, (uint64_t)STORE_BLOCK_BYTES, &start) ||
	    start >= object->size_bytes)
		return 0;
	return object->size_bytes - start < STORE_BLOCK_BYTES
	    ? (size_t)(object->size_bytes - start)
	    : STORE_BLOCK_BYTES;
}

static inline uint64_t round_up(uint64_t number, uint64_t step)
{
	return (number + step - 1) / step * step;
}

#endif
