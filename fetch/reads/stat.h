/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/stat.h - attributes of a path: PROPFIND, or HEAD where there is no
 * DAV.
 *
 * Threads: stat_call_new() on any; the rest on the fetch thread.
 */
#ifndef FETCH_READS_STAT_H
#define FETCH_READS_STAT_H

#include "fetch/calls/call.h"
#include "fetch/fetch.h"

#include <stdbool.h>

struct profile;
struct response;

/** A call that asks for attributes; NULL when out of memory. */
struct call *stat_call_new(struct fetch *fetch, const struct call_ask *ask,
    fetch_stat_fn answer, void *arg);

/** Whether an answer to a PROPFIND says that the host does not know the
 *  method, so that another is worth trying. A page (2xx) does not where
 *  PROPFIND was answered before: it is a login, or a portal's. */
bool stat_not_understood(
    const struct profile *profile, const struct response *response);

#endif
