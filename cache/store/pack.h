/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/pack.h - packs for reading: files of blocks and records, found by
 * number, opened when needed, at most STORE_PACK_DESCRIPTORS at a time.
 *
 * A pack has two descriptors: a plain one, which finds what the page cache
 * has, and one with O_DIRECT, which reads the rest past the page cache (the
 * kernel's own cache of the mount holds the bytes already; filling a second
 * one cost a quarter of a second of CPU per GB).
 *
 * Writing is in pack_write.h.
 *
 * Threads: any.
 */
#ifndef CACHE_STORE_PACK_H
#define CACHE_STORE_PACK_H

#include "base/attr.h"
#include "base/sync.h"
#include "cache/store/direct.h"
#include "cache/store/format.h"
#include "cache/store/handle.h"
#include "cache/store/store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct generation;

enum { PACK_CHAINS = 256, PACK_NAME_BYTES = 24 };

/** A pack that was opened once and is not known to be gone. */
struct pack {
	struct pack *next;
	uint64_t number;
	struct handle *plain;
	struct handle *direct;
	uint64_t used[FORMAT_USE_WORDS]; /* not yet noted on disk */
	bool is_used;
};

struct packs {
	struct pack *chains[PACK_CHAINS] GUARDED_BY(store_lock);
	struct handles handles GUARDED_BY(store_lock);
	/* numbers of the packs that were there at the last count, sorted */
	uint64_t *live GUARDED_BY(store_lock);
	size_t live_count GUARDED_BY(store_lock);
	/* the same array, for the writer's thread, which alone replaces it */
	const uint64_t *writer_live;
	size_t writer_live_count;
	_Atomic bool direct_refused; /* this file system has no O_DIRECT */
};

void pack_name(char out[PACK_NAME_BYTES], uint64_t number);

/** The number in a name, 0 when it is no pack's. */
uint64_t pack_number(const char *name);

/** What pack_read() is to read. */
struct pack_span {
	uint64_t pack;
	uint64_t offset_bytes;
	const struct iovec *vectors;
	unsigned vector_count;
	size_t size_bytes; /* sum of the vectors */
	bool aligned;      /* offset, vectors and lengths to 4 KiB */
	bool lasting;      /* -ENOENT as well when it was unlinked while open */
};

/**
 * Read from a pack.
 *
 * @return bytes read, fewer at its end.
 * @retval -EAGAIN  with STORE_NOWAIT: the disk would have to be asked.
 * @retval -ENOENT  it is gone, or no file.
 * @retval -errno   of open(2) or the read.
 */
NODISCARD ssize_t pack_read(struct store *store, struct generation *generation,
    const struct pack_span *span, enum store_how how);

/** A read that the disk was asked for. */
struct pack_ask {
	struct direct_read read;
	struct handle *held;
};

/**
 * pack_read() with STORE_NOWAIT, but that the disk is asked where it has to
 * be and can be without waiting. The span has one vector.
 *
 * @param ask           its read.done is set; the callee's until that is
 *                      called, and then pack_asked().
 * @retval -EINPROGRESS  asked.
 */
NODISCARD ssize_t pack_ask(struct store *store, struct generation *generation,
    const struct pack_span *span, struct pack_ask *ask);

/** Let go of what the asking held. */
void pack_asked(struct store *store, struct generation *generation,
    const struct pack_ask *ask);

/** Blocks (or a record) that begin at a place and follow one another were of
 *  use to a reader. */
void pack_note_use(struct store *store, struct generation *generation,
    struct place place, unsigned count);

/** Note on disk what was used; may wait; writer's thread only. */
void packs_note_uses(struct store *store, struct generation *generation);

/** Open a pack's file and lock it, unless somebody writes it.
 *  @return descriptor (closing it lets go), or -errno. */
NODISCARD int pack_lock(struct generation *generation, uint64_t number);

/** Close a pack's descriptors: its name may stand for another file by now.
 *  May wait. */
void pack_close(
    struct store *store, struct generation *generation, uint64_t number);

/** Take a pack's descriptors from it. */
void pack_drop(struct packs *packs, struct pack *pack) REQUIRES(store_lock);

/** Is that pack known to be gone? Writer's thread only; `generation` is a
 *  struct generation (a table_gone_fn). */
bool pack_is_gone(void *generation, uint64_t number);

/** The same for any thread. */
bool pack_is_known_gone(
    struct store *store, struct generation *generation, uint64_t number);

/** Take over the numbers of packs that exist (malloc'ed); forget those that
 *  do not. @return some went since the last time, or this is the first. */
bool packs_set_live(struct store *store, struct generation *generation,
    uint64_t *numbers, size_t count);

/** Free all; nobody uses the generation any more. */
void packs_fini(struct store *store, struct generation *generation);

#endif
