/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/map_dead.h - is there any block left that a map names?
 *
 * Threads: the writer's.
 */
#ifndef CACHE_STORE_MAP_DEAD_H
#define CACHE_STORE_MAP_DEAD_H

#include "base/attr.h"

#include <stdbool.h>
#include <sys/stat.h>

struct generation;
struct store;

/** Reads until the first block that is there. A map that is young, or too
 *  long to be looked through, or cannot be read, is not dead. May wait. */
NODISCARD bool map_is_dead(struct store *store, struct generation *generation,
    int dir_fd, const char *name, const struct stat *stat);

#endif
