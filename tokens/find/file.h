/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/file.h - read a token file without being led astray.
 *
 * A path from the environment may name anything: a FIFO, a device, a file of
 * 2 GiB, somebody else's file, a file on the very mount that needs the token.
 * So symbolic links are resolved by hand, and nothing below the mount point,
 * or on another mount of that kind, is ever touched; what is not a regular
 * file is not opened; what others can read or own is refused with the cure in
 * the text.
 *
 * May stall on a dead network file system: only the store's reader calls it.
 *
 * Threads: every function may be called from any thread.
 * Sources: open(2), symlink(7), proc(5) (protected_symlinks); what XRootD's
 * ztn refuses (any bit for group or others).
 */
#ifndef TOKENS_FILE_H
#define TOKENS_FILE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/path.h"
#include "tokens/tokens.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

enum {
	FILE_BYTES_MAX = TOKENS_TEXT_BYTES_MAX,
	FILE_LINKS_MAX = 40, /* as the kernel */
	/* Two writes within one tick of a file system's clock look alike:
	 * a younger stamp proves nothing (racy, as git calls it). */
	FILE_SETTLED_S = 2,
};

struct mounts;

/** Whose files are read, and where none may lie. */
struct file_rules {
	uid_t uid;
	const char *forbidden_tree;  /* real path; NULL: none */
	const struct mounts *mounts; /* none lies on one of these; NULL: any */
};

/** What tells one state of a file from another. */
struct file_stamp {
	bool settled; /* old enough, when it was taken, to tell anything */
	dev_t device;
	ino_t inode;
	off_t size_bytes;
	struct timespec modified;
	struct timespec changed; /* mtime can be set back, ctime cannot */
};

/** The stamp of a file that is looked at at `now_s` (wall clock). */
struct file_stamp token_file_stamp_of(const struct stat *found, uint64_t now_s);

/** Whether the file is still in the state that was read under `before`. */
bool token_file_stamp_same(
    const struct file_stamp *before, const struct file_stamp *after);

/** A look at a file. */
struct file_look {
	struct file_stamp stamp; /* in: of the last look; out: of this one */
	bool force;              /* in: read it even when it has not changed */
	uint64_t now_s;          /* in: wall clock */
	bool unchanged;          /* out: the same stamp, nothing was read */
	size_t size_bytes;       /* out: of what was read */
	char bytes[FILE_BYTES_MAX + 1]; /* the caller wipes it */
};

/**
 * Look at a token file, and read it when it has changed.
 *
 * @param path  absolute.
 * @param err   filled on failure, with the remedy behind it.
 *
 * @retval 0         look->unchanged, or size_bytes bytes were read.
 * @retval -ENOENT   there is none.
 * @retval -EPERM    refused: kind, owner, mode, or place.
 * @retval -EMSGSIZE larger than FILE_BYTES_MAX.
 * @retval -errno    of the system call that failed.
 */
NODISCARD int token_file_look(struct file_look *look, const char *path,
    const struct file_rules *rules, struct err *err);

/** Resolve every symbolic link of an absolute path without touching the
 *  forbidden tree; results as token_file_look(). */
NODISCARD int token_file_resolve(char out[PATH_BYTES_MAX], const char *path,
    const struct file_rules *rules, struct err *err);

#endif
