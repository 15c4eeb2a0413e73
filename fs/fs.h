/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/fs.h - the kernel's language: a mounted file system over a cache.
 *
 * The only header of this folder that cli may include.
 *
 * Lifecycle:   fs_new -> fs_run (returns) -> [fetch_stop, cache_stop] ->
 *              fs_free. fs_stop may be called at any time between fs_new and
 *              fs_free.
 */
#ifndef FS_FS_H
#define FS_FS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cache;
struct clock;
struct drafts;
struct fs;
struct ident;

enum { FS_CHANNEL_DEVICE_BYTES = 32 };

/** A mount that is there already, in whatever namespace. */
struct fs_channel {
	int fd;                               /* of /dev/fuse */
	char device[FS_CHANNEL_DEVICE_BYTES]; /* "MAJ:MIN"; "": not known */
};

struct fs_config {
	const struct clock *clock; /* borrowed */
	struct cache *cache;       /* borrowed; freed after fs_free() */
	struct drafts *drafts;  /* borrowed, as the cache; NULL: nothing can be
	                              written */
	const char *source;     /* shown as the device in /proc/mounts */
	const char *mountpoint; /* real path of a directory */
	const char *origin;     /* user.bearerfs.server */
	uid_t uid;              /* what stat shows */
	gid_t gid;
	mode_t umask;
	bool read_only;
	bool allow_other; /* one mount for many users: the kernel's caches are
			     common to them, so every name and attribute is
			     asked for each time */
	/* Tell which program asks, where that matters; never waits. NULL: it
	 * does not. */
	void (*identify)(void *arg, struct ident *ident);
	void *identify_arg;
	bool no_exec; /* mount with noexec (nosuid and nodev always are) */
	/* What fs_channel_open() gave: fs_new() takes the descriptor over and
	 * mounts nothing. NULL: it mounts. */
	const struct fs_channel *channel;
};

/** READs ahead of readers that the kernel sends before it keeps all others,
 *  also those of files that are here. Where many users share the mount the
 *  READs of one, that no server answers, must not fill it. */
enum { FS_MAX_BACKGROUND = 64, FS_MAX_BACKGROUND_SHARED = 4096 };

/**
 * Mount. Requests wait in the kernel until fs_run().
 *
 * @retval 0        mounted.
 * @retval -EPERM, -EACCES, -ENOENT, -ENOTDIR, -EBUSY, ... with a sentence.
 */
NODISCARD int fs_new(
    struct fs **out, const struct fs_config *config, struct err *err);

/**
 * Mount by hand, as this process may (root, or in namespaces of its own), and
 * serve it later or elsewhere: requests wait in the kernel until then, and fail
 * with ENOTCONN when the last descriptor is closed.
 *
 * @param config    its source, mountpoint, read_only and no_exec count.
 * @param out       its descriptor is the caller's.
 * @retval 0        mounted.
 * @retval -ENODEV  no /dev/fuse. @retval -EACCES it may not be opened, or a
 *                  security module forbids the mount.
 * @retval -EPERM   the mount is not allowed. @retval -errno, all with a
 *                  sentence.
 */
NODISCARD int fs_channel_open(
    struct fs_channel *out, const struct fs_config *config, struct err *err);

/** The mount's device number. @retval 0, or -ENOENT: it is not known. */
NODISCARD int fs_device(const struct fs *fs, unsigned *major, unsigned *minor);

/** Serve requests on the calling thread until fs_stop() or an unmount from
 *  outside. @retval 0, or a negative errno when the channel broke. */
NODISCARD int fs_run(struct fs *fs);

/** Make fs_run() return. Safe in a signal handler and from any thread. */
void fs_stop(struct fs *fs);

/** Unmount when still mounted, destroy the session and every inode; after
 *  cache_stop(), when nothing can answer any more. */
void fs_free(struct fs *fs);
DEFINE_FREEP(fs, fs_free)

/** Whether the kernel has said INIT, so that the mount answers. */
bool fs_is_ready(const struct fs *fs);

/**
 * Give up what a mounted daemon does not need: core files and being traced
 * (its memory holds tokens), and new privileges by setuid programs. May be
 * called before fs_new(), and should be called before the first thread
 * starts: threads inherit it. What cannot be given up is logged.
 *
 * A process that may not mount by itself mounts and unmounts through
 * fusermount3, which is setuid: it keeps that one way.
 *
 * The limit of open files is raised, too.
 */
void fs_sandbox(void);

/** Raise the limit of open files to what the system allows this process: in
 *  front of what counts on it. Not for processes that start others. */
void fs_raise_files(void);

#endif
