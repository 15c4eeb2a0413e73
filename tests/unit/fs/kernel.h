/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/kernel.h - the other end of /dev/fuse: hand-made requests
 * over a socket to a mount that runs on a thread of its own, and its
 * replies. It aborts when a request is answered twice.
 *
 * One at a time in a process.
 *
 * Source: linux/fuse.h.
 */
#ifndef TESTS_KERNEL_H
#define TESTS_KERNEL_H

#include "base/clock.h"

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cache;
struct drafts;
struct fs;

struct kernel {
	struct clock clock; /* hand-driven: mount and cache use it */
	pid_t caller;       /* in whose name requests are sent; at first ours */
	uid_t uid;          /* theirs; at first 1000 */
	struct cache *cache;
	struct drafts *drafts; /* of a mount that is written */
	struct fs *fs;
	struct kernel_private *private;
};

/** A reply, as it came. */
struct reply {
	int32_t error; /* 0 or a negative errno */
	size_t size_bytes;
	unsigned char bytes[]; /* behind the header */
};

/** Start a mount with an empty root and INIT it. */
void kernel_start(struct kernel *kernel);

/** The same for a mount that many users share. */
void kernel_start_shared(struct kernel *kernel);

/** The same for mounts that are written. */
void kernel_start_writable(struct kernel *kernel);
void kernel_start_shared_writable(struct kernel *kernel);

/** End it: stop, cancel what waits, free; assert that every request but those
 *  without an answer was answered. */
void kernel_stop(struct kernel *kernel);

/** The same up to and with the cancelling; for tests that look at the rest.
 *  kernel_stop() has still to be called. */
void kernel_cancel(struct kernel *kernel);

/** Send a request; its body is one structure and, when not NULL, one more
 *  piece. @return its unique number. */
uint64_t kernel_send(struct kernel *kernel, enum fuse_opcode opcode,
    uint64_t node, const void *body, size_t body_bytes, const void *more,
    size_t more_bytes);

/** Wait for the reply; borrowed until kernel_stop(). */
const struct reply *kernel_reply(struct kernel *kernel, uint64_t unique);

bool kernel_is_answered(struct kernel *kernel, uint64_t unique);

/** Let the next reply with a size of more than a header fail as the kernel
 *  does when the caller is gone. */
void kernel_refuse_next(struct kernel *kernel);

/** Wait until what was sent before has been handled. */
void kernel_sync(struct kernel *kernel);

/* Requests and their replies in one call; 0 or a negative errno. */
uint64_t send_lookup(struct kernel *kernel, uint64_t parent, const char *name);
int do_lookup(struct kernel *kernel, uint64_t parent, const char *name,
    struct fuse_entry_out *out);
int do_getattr(struct kernel *kernel, uint64_t node, struct fuse_attr_out *out);
uint64_t send_open(struct kernel *kernel, uint64_t node, uint32_t flags);
int do_open(struct kernel *kernel, uint64_t node, struct fuse_open_out *out);
uint64_t send_read(struct kernel *kernel, uint64_t node, uint64_t handle,
    uint64_t offset_bytes, uint32_t size_bytes);
int do_release(struct kernel *kernel, uint64_t node, uint64_t handle);
int do_opendir(struct kernel *kernel, uint64_t node, struct fuse_open_out *out);
int do_releasedir(struct kernel *kernel, uint64_t node, uint64_t handle);
uint64_t send_readdir(struct kernel *kernel, uint64_t node, uint64_t handle,
    uint64_t offset, uint32_t size_bytes, bool plus);
void do_forget(struct kernel *kernel, uint64_t node, uint64_t lookup_count);
int do_create(struct kernel *kernel, uint64_t parent, const char *name,
    uint32_t flags, struct fuse_entry_out *entry, struct fuse_open_out *opened);
uint64_t send_write(struct kernel *kernel, uint64_t node, uint64_t handle,
    uint64_t offset_bytes, const char *text, uint32_t flags);
uint64_t send_flush(struct kernel *kernel, uint64_t node, uint64_t handle);
uint64_t send_name(struct kernel *kernel, enum fuse_opcode opcode,
    uint64_t parent, const char *name);
uint64_t send_rename(struct kernel *kernel, uint64_t parent, const char *name,
    uint64_t new_parent, const char *new_name, uint32_t flags);
uint64_t send_setattr(
    struct kernel *kernel, uint64_t node, const struct fuse_setattr_in *in);
void do_interrupt(struct kernel *kernel, uint64_t unique);

#endif
