/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/plan/cache_place.h - where the cache lies that mounts use: places.h
 * chooses and makes one, this only looks.
 *
 * Threads: any; looks at local files and may wait for a disk.
 */
#ifndef CLI_PLAN_CACHE_PLACE_H
#define CLI_PLAN_CACHE_PLACE_H

#include "base/attr.h"
#include "base/err.h"

#include <limits.h>

struct places_env;

/**
 * The wanted directory (of the option; NULL: the default one, or where mounts
 * go instead when that lies on a network file system).
 * @retval 0        `out` is its name; it need not exist.
 * @retval -ENOENT  there is no default either, with a sentence.
 */
NODISCARD int cache_place(char out[PATH_MAX], const char *wanted,
    const struct places_env *env, struct err *err);

#endif
