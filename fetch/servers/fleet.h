/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/fleet.h - servers that come and go while the mount runs: those that
 * the director of a federation names. fetch_servers_set() and
 * fetch_servers_missing() stand in fetch.h.
 *
 * A server keeps its place, and what was learned of it, as long as it is
 * named; in which order is a list of its own. Until the first ones are named
 * the origin's place is empty, and what is asked waits in its queue.
 *
 * Threads: the fetch thread, but fleet_init().
 */
#ifndef FETCH_SERVERS_FLEET_H
#define FETCH_SERVERS_FLEET_H

#include "base/attr.h"
#include "base/err.h"
#include "base/sync.h"

struct fetch;
struct fetch_config;
struct fetch_server;

/** Once, when the places are made and before there is a thread. */
void fleet_init(struct fetch *fetch, const struct fetch_config *config);

/** A server has failed: tell `trouble` when it matters. */
void fleet_failed(struct fetch *fetch, const struct fetch_server *server)
    REQUIRES(fetch_thread);

/** Why a call that waits for servers has no answer; -EHOSTUNREACH. */
int fleet_missing(const struct fetch *fetch, struct err *err);

#endif
