/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/plan/servers.h - the caches that the option `server` names.
 *
 * Threads: a struct servers belongs to one thread at a time.
 */
#ifndef CLI_PLAN_SERVERS_H
#define CLI_PLAN_SERVERS_H

#include "base/attr.h"
#include "base/err.h"
#include "fetch/fetch.h"

enum { SERVERS_MAX = 8 };

struct servers {
	unsigned count;
	struct fetch_source of[SERVERS_MAX]; /* in the order given */
};

/**
 * Take the option apart.
 *
 * @param list    "URL;URL"; NULL: none.
 * @param origin  what they stand in front of. They get the token as it does,
 *                so they are reached over TLS when it is.
 * @retval 0        done.
 * @retval -EINVAL  a bad URL, too many, one twice, or the origin itself.
 * @retval -EPROTONOSUPPORT  http:// in front of https://.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int servers_parse(struct servers *out, const char *list,
    const struct fetch_source *origin, struct err *err);

#endif
