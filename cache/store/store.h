/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/store.h - blocks on disk: keep, find, read and verify, bound,
 * evict.
 *
 * It knows versions (an identity and its blocks) and bytes; not servers, not
 * callers, not tokens. Several processes of one user may use one directory
 * at once. Whatever is torn, damaged, missing or foreign on disk is a miss;
 * no function returns bytes that did not verify. The format is in format.h.
 *
 * Threads: every function may be called from any thread. Functions marked
 * "may wait" do disk I/O: call them on disk readers and the writer only.
 */
#ifndef CACHE_STORE_STORE_H
#define CACHE_STORE_STORE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct clock;
struct store;
struct store_object;

enum {
	STORE_BLOCK_BYTES = 64 * 1024,
	STORE_PAGE_BYTES = 4096, /* verified one by one */
	STORE_RUN_BLOCKS = 16,   /* longest run of one call */
};

struct store_config {
	const struct clock *clock; /* borrowed */
	const char *dir;           /* made (0700) when missing */
	uint64_t size_bytes; /* clamped to the disk; see store_size_bytes() */
};

/**
 * Open a cache directory, making it when it is missing; may wait.
 *
 * A directory that is wrong stays wrong. One that has no room, cannot be
 * written to or read, or whose lock another process sits on, may come right:
 * the store is open all the same, keeps and finds nothing, has said so in the
 * log, and store_tend() tries again.
 *
 * @retval 0         open.
 * @retval -EACCES   it belongs to someone else or others may write to it;
 *                   the sentence has the chmod that cures it.
 * @retval -ENOTDIR, -ENOMEM, ...
 */
NODISCARD int store_open(
    struct store **out, const struct store_config *config, struct err *err);

/** Close; objects have been closed. May wait. */
void store_close(struct store *store);
DEFINE_FREEP(store, store_close)

/** Bound in force: the configured size, clamped to the disk. */
uint64_t store_size_bytes(const struct store *store);

/** 0, or why nothing new is kept now: -errno. */
int store_state(const struct store *store);

/** What makes a version. Stands in full in its record, and is compared. */
struct store_identity {
	const char *origin; /* "https://host:port" */
	const char *path;   /* the server's path */
	uint64_t size_bytes;
	int64_t mtime_s;  /* -1: not given */
	const char *etag; /* "": none */
	uint64_t nonce;   /* 0, or random: a version that must not last */
};

/**
 * Find or prepare a version; may wait. Nothing is written before its first
 * block is kept.
 *
 * @retval 0        *out is open (it may have no blocks).
 * @retval -ENOMEM, -EMFILE
 */
NODISCARD int store_object_open(struct store *store,
    const struct store_identity *identity, struct store_object **out);

/**
 * The same for a small file that the store does not have, where that is seen
 * without waiting.
 *
 * @retval 0        *out is open and has no blocks.
 * @retval -EAGAIN  it may be there: store_object_open() tells.
 * @retval -ENOMEM
 */
NODISCARD int store_object_open_absent(struct store *store,
    const struct store_identity *identity, struct store_object **out);

void store_object_close(struct store_object *object);

/** How a load may go about it. */
enum store_how {
	STORE_NOWAIT, /* page cache only: -EAGAIN when the disk would be asked */
	STORE_WAIT,   /* may wait */
};

/** Bits of `have`: is block first+i in the store, as far as maps tell?
 *  With STORE_NOWAIT it never waits.
 *  @return blocks looked at, or -EAGAIN. */
NODISCARD int store_probe(struct store_object *object, uint64_t first_block,
    unsigned count, enum store_how how, bool have[]);

/** Which blocks are there, in packs that are? Their being asked for is a use,
 *  so that eviction does not take them first. Several threads; may wait.
 *  @return blocks looked at, STORE_RUN_BLOCKS at most. */
NODISCARD unsigned store_want(struct store_object *object, uint64_t first_block,
    unsigned count, bool have[]);

/**
 * Read and verify whole blocks into buffers of STORE_BLOCK_BYTES, 4096-byte
 * aligned. Stops at the first block that is not there or does not verify
 * (which is dropped, counted and logged once).
 *
 * @param count  1 to STORE_RUN_BLOCKS.
 * @retval > 0      blocks read, from the first one on.
 * @retval 0        the first one is not here (any more): fetch it.
 * @retval -EAGAIN  with STORE_NOWAIT: the disk would have to be asked.
 */
NODISCARD int store_load(struct store_object *object, uint64_t first_block,
    unsigned count, enum store_how how, void *const buffers[]);

/**
 * Read and verify only the 4 KiB pages that [offset, offset+size) of a block
 * touches, into `buffer` (STORE_BLOCK_BYTES) at their places in it.
 *
 * @retval 1        there and right.
 * @retval 0        not here: fetch it.
 * @retval -EAGAIN  as above.
 */
NODISCARD int store_load_pages(struct store_object *object, uint64_t block,
    size_t offset_bytes, size_t size_bytes, enum store_how how, void *buffer);

/** Of pages that were asked for: as store_load_pages() with STORE_NOWAIT. */
typedef void (*store_pages_fn)(void *arg, int code);

struct store_pages {
	uint64_t block;
	size_t offset_bytes;
	size_t size_bytes;
	void *buffer;        /* as for store_load_pages() */
	store_pages_fn done; /* on the thread in store_land() */
	void *arg;
};

/**
 * The same without waiting and without being waited for: where the disk would
 * have to be asked it is, if the kernel has a way that does not wait.
 *
 * @retval 1, 0          as above.
 * @retval -EAGAIN       it takes a wait: store_load_pages() with STORE_WAIT.
 * @retval -EINPROGRESS  `done` will be called, or has been, once.
 */
NODISCARD int store_ask_pages(
    struct store_object *object, const struct store_pages *want);

/** Let store_ask_pages() ask the disk: a thread is to call store_land(), which
 *  takes its answers until store_land_end(). Objects that were asked for are
 *  closed after that.
 *  @retval -errno  the kernel has no such way: there is nothing to take. */
NODISCARD int store_land_begin(struct store *store);
void store_land(struct store *store);
void store_land_end(struct store *store);

/** Check sums of a block while its bytes are hot: filled by the fetch side,
 *  used by store_keep(). */
struct store_sums {
	uint64_t pages[STORE_BLOCK_BYTES / STORE_PAGE_BYTES];
};

/** Sums of one page of a block. `size_bytes` is 4096 but for a last page. */
uint64_t store_page_sum(
    const struct store *store, const void *page, size_t size_bytes);

/** One block to keep. */
struct store_block {
	struct store_object *object;
	uint64_t index;
	const void *bytes;
	size_t size_bytes; /* STORE_BLOCK_BYTES but for a file's last block */
	const struct store_sums *sums; /* NULL: computed here */
	bool wanted; /* somebody has asked for it to be kept: it does not go
			before what is used */
};

/**
 * Keep blocks (any number of objects mixed); may wait; the writer's thread
 * only. Bytes first, then the table, then the maps. A block that cannot be
 * kept (no space, no reservation, an I/O error) is skipped: the cache
 * degrades, the reader never notices.
 *
 * @return blocks kept; the first cause of a loss is logged, rate-limited.
 */
unsigned store_keep(
    struct store *store, const struct store_block blocks[], unsigned count);

/** Bring the directory below its bound when it is above; close what was
 *  unlinked by others; look for a changed generation. May wait; called each
 *  second on the writer's thread. */
void store_tend(struct store *store);

/** Blocks of this version on disk, for the `cached` attribute; may wait. */
uint64_t store_object_blocks(struct store_object *object);

/** Its bytes are wrong: forget all blocks of a version; may wait; the writer's
 *  thread only. */
void store_object_forget(struct store_object *object);

/** Append "dir", "size_bytes", "disk_bytes", "state" members of a JSON
 *  object (no braces). */
int store_describe(struct store *store, struct buf *out);

#endif
