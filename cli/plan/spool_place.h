/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/plan/spool_place.h - where unsent writes lie: on the node, outside of the
 * cache, which may be removed at any time, and of every bearerfs mount, which
 * would wait for itself.
 *
 * Threads: any; looks at local files and may wait for a disk.
 */
#ifndef CLI_PLAN_SPOOL_PLACE_H
#define CLI_PLAN_SPOOL_PLACE_H

#include "base/attr.h"
#include "base/err.h"

#include <limits.h>

struct places_env;

/**
 * The wanted directory (of the option; NULL: the default one), by name alone.
 *
 * @retval 0        `out` is its name; it need not exist.
 * @retval -ENOENT  there is no default, with a sentence.
 * @retval -ENAMETOOLONG
 */
NODISCARD int spool_place(char out[PATH_MAX], const char *wanted,
    const struct places_env *env, struct err *err);

/** Where it may not lie; "": there is none such. */
struct spool_place_not {
	const char *mountpoint; /* real path */
	const char *cache_dir;  /* real path */
};

/**
 * The same, made where it is missing (0700), checked, and as its real path.
 *
 * @param warning  its text is a sentence when the place is fit and not good,
 *                 else "".
 * @retval 0         fit.
 * @retval -EDEADLK  on a bearerfs mount, or below the mount point.
 * @retval -EINVAL   inside the cache directory.
 * @retval -EACCES   belongs to another user, or cannot be written to.
 * @retval -ENOTDIR, -errno  with a sentence.
 */
NODISCARD int spool_place_make(char out[PATH_MAX], const char *wanted,
    const struct places_env *env, const struct spool_place_not *not_in,
    struct err *warning, struct err *err);

#endif
