/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/reply.h - every fuse_reply_*(): one place where errnos, attributes and
 * times become what the kernel reads, and where a lookup that the kernel did
 * not take is counted back.
 *
 * A reply ends its request whether it succeeds or not: nobody replies again.
 * It fails with -ENOENT when the caller is gone.
 *
 * Threads: any, unless a function says the FUSE thread.
 */
#ifndef FS_REPLY_H
#define FS_REPLY_H

#include "base/attr.h"
#include "cache/cache.h"
#include "fs/lowlevel.h"
#include "fs/session.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

struct fs_look;
struct statvfs;

/** 0, or a negative errno. What the kernel would misread goes out as
 *  another: see errno_for_kernel(). */
void reply_error(fuse_req_t req, int code);

/** For FORGET, which has no answer. */
void reply_nothing(fuse_req_t req);

/** A name and its node, whose lookup count was raised for this reply. */
void reply_entry(struct fs *fs, fuse_req_t req, struct fs_node *node,
    const struct fs_look *look) REQUIRES(fuse_thread);

/** The same with a handle. @return 0, or negative: the kernel has neither. */
NODISCARD int reply_create(struct fs *fs, fuse_req_t req, struct fs_node *node,
    const struct fs_look *look, const struct fuse_file_info *info)
    REQUIRES(fuse_thread);

/** There is no such name, and that is believed until `fresh_until_ms`. */
void reply_absent(const struct fs *fs, fuse_req_t req, uint64_t fresh_until_ms);

/** Attributes of a node that are believed until look->attr.fresh_until_ms,
 *  those of a draft not at all. */
void reply_attr(const struct fs *fs, fuse_req_t req, const struct fs_node *node,
    const struct fs_look *look);

/** @return 0, or negative: the kernel will not release the handle. */
NODISCARD int reply_open(fuse_req_t req, const struct fuse_file_info *info);

/** The bytes of a READ. */
void reply_vectors(
    fuse_req_t req, const struct iovec *vectors, int vector_count);

/** @return 0, or negative: the kernel has not taken the entries. */
NODISCARD int reply_bytes(fuse_req_t req, const void *bytes, size_t size_bytes);

/** So many bytes were written. */
void reply_written(fuse_req_t req, size_t size_bytes);

void reply_statfs(fuse_req_t req, const struct statvfs *space);

/** A value of an extended attribute, or a list of names, to a caller with
 *  `room_bytes`: 0 asks for the size alone. */
void reply_xattr(
    fuse_req_t req, const void *value, size_t size_bytes, size_t room_bytes);

/** Fill an entry of a lookup or a listing but for its node. */
void fill_entry(const struct fs *fs, struct fuse_entry_param *entry,
    uint64_t number, const struct fs_look *look);

#endif
