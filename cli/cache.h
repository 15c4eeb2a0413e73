/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cache.h - `bearerfs cache`: what its files share.
 *
 * Threads: main thread.
 */
#ifndef CLI_CACHE_H
#define CLI_CACHE_H

#include "base/err.h"
#include "cache/store/upkeep.h"

#include <limits.h>
#include <stdbool.h>

struct buf;

struct cache_command {
	char dir[PATH_MAX];
	bool json;
	struct upkeep *upkeep; /* NULL: there is no cache */
};

/** Each does its work and returns an exit status, after a sentence when it is
 *  not STATUS_OK. */
int cache_show(struct cache_command *command);
int cache_check(struct cache_command *command);

/** Exit status of a failure that `err` tells of, which is said. */
int cache_failed(const struct err *err);

/** What a directory holds, as JSON and for a person. */
int cache_info_json(
    const char *dir, const struct upkeep_info *info, struct buf *out);
int cache_info_text(
    const char *dir, const struct upkeep_info *info, struct buf *out);

#endif
