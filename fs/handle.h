/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/handle.h - open files, and the requests of theirs that wait.
 *
 * A handle is pinned to its node. It reads what the cache has of the version
 * that it was opened with, until somebody writes the file: from then on all
 * handles of the node read the draft, also those that are older.
 *
 *	handle      cache   draft   ended with
 *	reads       its     none    cache_close()
 *	reads a     none    its     draft_put()
 *	 draft
 *	writes      none    its     draft_done(), draft_put()
 *
 * A READ or WRITE is answered on whatever thread has the answer. The handle
 * knows those that have not come back: one may have been answered EINTR, and
 * RELEASE may come first. When both are done it is closed.
 *
 * Threads: the FUSE thread, unless a function says otherwise.
 */
#ifndef FS_HANDLE_H
#define FS_HANDLE_H

#include "base/attr.h"
#include "base/ident.h"
#include "base/list.h"
#include "fs/echo.h"
#include "fs/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache_file;
struct draft;

struct fs_file {
	uint32_t magic; /* fh travels through the kernel as a number */
	bool released;
	bool writes; /* opened by drafts_open() */
	struct fs *fs;
	struct fs_node *node;     /* pinned */
	struct cache_file *cache; /* or NULL */
	struct draft *draft;      /* one reference, or NULL */
	struct ident ident;       /* who opened or flushed it last: RELEASE and
	                             the kernel's own WRITEs come from nobody */
	struct list calls;        /* of struct file_call, not come back */
	struct echo echo;
	struct fs_file *next; /* among the mount's */
	struct fs_file *previous;
};

/** A request of a handle that waits. */
struct file_call {
	struct fs_wait wait;
	struct list in;
	struct fs_file *file;
	uint64_t offset_bytes; /* of a READ, as the next */
	size_t size_bytes;
	uint64_t since_ms;
	bool reads;
};

struct fs_file *file_of(const struct fuse_file_info *info);

/** NULL: out of memory, and what it should take is still the caller's. */
NODISCARD struct fs_file *file_new(struct fs *fs, struct fs_node *node,
    const struct ident *ident) REQUIRES(fuse_thread);

/** What it is a handle of; each takes what it is given. */
void file_has_cache(struct fs_file *file, struct cache_file *cache)
    REQUIRES(fuse_thread);
void file_has_draft(struct fs_file *file, struct draft *draft, bool writes)
    REQUIRES(fuse_thread);

/** It became this draft: its handles, if it has any, read that now. */
void node_has_draft(struct fs_node *node, struct draft *draft)
    REQUIRES(fuse_thread);

/** Nothing of it is on its way. */
void file_free(struct fs_file *file) REQUIRES(fuse_thread);

/** RELEASE. */
void file_release(struct fs_file *file) REQUIRES(fuse_thread);

/** What is read and synchronised through a handle; NULL: the cache's. */
struct draft *file_draft(const struct fs_file *file) REQUIRES(fuse_thread);

/**
 * Have a request wait, a READ or one that changes something. What is asked of
 * others next answers on any thread with wait_claim(), a reply and
 * wait_return_idle().
 *
 * @return NULL: answered.
 */
NODISCARD struct file_call *file_call_begin(
    struct fs_file *file, fuse_req_t req, bool reads) REQUIRES(fuse_thread);

/** Whether others than `uid` have handles of a node; looks through all that
 *  there are. */
NODISCARD bool node_is_shared(const struct fs *fs, const struct fs_node *node,
    uint32_t uid) REQUIRES(fuse_thread);

#endif
