/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/plan/places.h - where a mount may lie and where it may put its files.
 *
 * A cache, a log or a token on a bearerfs mount would wait for itself; a
 * cache on a network file system has neither locks nor a disk to rely on.
 *
 * Threads: every function may be called from any thread; all of them look at
 * local files and may wait for a disk.
 */
#ifndef CLI_PLAN_PLACES_H
#define CLI_PLAN_PLACES_H

#include "base/attr.h"
#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/** Where a default cache directory may be, from the environment. */
struct places_env {
	const char *cache_home;     /* XDG_CACHE_HOME */
	const char *state_home;     /* XDG_STATE_HOME */
	const char *home;           /* HOME */
	const char *condor_scratch; /* _CONDOR_SCRATCH_DIR */
	const char *tmp;            /* TMPDIR */
	unsigned uid;
};

/** The process's own. */
struct places_env places_env(void);

/**
 * Check the directory to mount on and write its real path. A dead mount of
 * ours that lies there is taken away first.
 *
 * @retval 0         fit.
 * @retval -EBUSY    a bearerfs mount lies there.
 * @retval -ENOENT, -ENOTDIR, -errno  with a sentence.
 */
NODISCARD int places_mountpoint(
    char out[PATH_MAX], const char *mountpoint, struct err *err);

/**
 * Refuse a file or directory that lies on a bearerfs mount or would lie
 * below the mount point to be.
 *
 * @param what  "cache directory", for the sentence.
 * @param path  need not exist, nor its links lead anywhere; then its nearest
 *              parent counts.
 * @retval 0          fit.
 * @retval -EDEADLK   on a bearerfs mount.
 * @retval -errno     cannot be looked at.
 */
NODISCARD int places_refuse_own(const char *what, const char *path,
    const char *mountpoint, struct err *err);

/** mkdir -p, each new part 0700. @retval 0, or -errno of what cannot be made */
NODISCARD int places_make_dirs(const char *path);

/** The default cache directory by name. @retval 0, -ENOENT, -ENAMETOOLONG */
NODISCARD int places_cache_default(
    char out[PATH_MAX], const struct places_env *env);

/** The name of one below a directory that others may share. */
NODISCARD int places_cache_below(
    char out[PATH_MAX], const char *parent, unsigned uid);

/**
 * Choose and make the cache directory.
 *
 * @param wanted      of the option; NULL: the default.
 * @param out         "" when there is none that is fit: uncached.
 * @param warning     its text is a sentence when the choice is not what the
 *                    user would expect, else "".
 * @retval 0       chosen.
 * @retval -errno  the wanted one cannot be used; `err` says why.
 */
NODISCARD int places_cache(char out[PATH_MAX], const char *wanted,
    const struct places_env *env, const char *mountpoint, struct err *warning,
    struct err *err);

#endif
