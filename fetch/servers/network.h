/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/network.h - the network of this machine has changed: an address went
 * or came, or the machine has slept.
 *
 * On a connection from an address that is gone nothing is heard any more, and
 * after a sleep the other ends have forgotten theirs. Waiting for that to show
 * takes ten seconds; the kernel tells it at once (rtnetlink), and the clocks
 * tell of a sleep. Then such requests are asked again where they stopped,
 * kept connections are used no more, and who waits for a server to come back
 * tries again at once. Where there is no netlink, silence tells it.
 *
 * Threads: the fetch thread, but network_init() and network_fini().
 * Sources: rtnetlink(7); clock_gettime(2), CLOCK_BOOTTIME.
 */
#ifndef FETCH_SERVERS_NETWORK_H
#define FETCH_SERVERS_NETWORK_H

#include "base/attr.h"
#include "base/sync.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

struct clock;
struct fetch;

enum {
	NETWORK_ADDRESS_BYTES = 64,
	/* Two clocks are not read at the same moment. */
	NETWORK_SLEPT_MIN_MS = 1000,
	/* New connections alone, after it; then none that is older. */
	NETWORK_FRESH_MS = 3000,
	/* By then libcurl has closed those that were kept (118 s). */
	NETWORK_OLD_MS = 180 * 1000,
};

struct network {
	int fd;              /* a netlink socket; -1: none */
	uint64_t slept_ms;   /* in all, when that was looked at last */
	uint64_t changed_ms; /* connections of before are not used; 0: never */
};

/** What a message tells. */
struct network_news {
	bool came; /* an address */
	/** One is gone, as CURLINFO_LOCAL_IP writes it. */
	void (*gone)(void *arg, const char *address);
	void *arg;
};

void network_init(struct network *network, const struct clock *clock);
void network_fini(struct network *network);

/** Read what a buffer of netlink messages tells; anything may stand in it. */
void network_parse(
    const void *bytes, size_t size_bytes, struct network_news *news);

/** Whether the machine has slept since this was asked last. */
NODISCARD bool network_slept(
    struct network *network, const struct clock *clock);

/** Its socket may be read. */
void network_ready(struct fetch *fetch) REQUIRES(fetch_thread);

/** Look whether the machine has slept; once for each turn of the loop. */
void network_look(struct fetch *fetch) REQUIRES(fetch_thread);

/** Let a request use no connection that was there before the change. */
void network_prepare(const struct fetch *fetch, CURL *easy);

#endif
