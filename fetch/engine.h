/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/engine.h - the parts of a struct fetch, for the files of this folder
 * that make the engine (fetch.c, loop.c, call.c, request.c, the kinds of
 * calls). The parsers do not see it.
 *
 * Threads: what is set by fetch_new() and never again may be read by all;
 * the rest belongs to the fetch thread unless it says otherwise.
 */
#ifndef FETCH_ENGINE_H
#define FETCH_ENGINE_H

#include "base/attr.h"
#include "base/path.h"
#include "base/sync.h"
#include "fetch/abilities.h"
#include "fetch/calls/loop.h"
#include "fetch/calls/mailbox.h"
#include "fetch/fetch.h"
#include "fetch/servers/hedge.h"
#include "fetch/servers/network.h"
#include "fetch/servers/said.h"
#include "fetch/servers/server.h"
#include "fetch/servers/shun.h"
#include "fetch/servers/stripe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct call;
struct confirm;
struct feeder;
struct publish;
struct secret;

LIST_HEAD(confirm_list, confirm);
LIST_HEAD(publish_list, publish);

enum {
	FETCH_CALLS_MAX = 16384, /* on their way; more are refused */
	/* A server that cannot be connected to in this time is taken to be
	 * unreachable; the call tries again while it has time. */
	FETCH_CONNECT_MS = 5000,
	/* A transfer is given up without a byte for this long... */
	FETCH_SILENT_MS = 10000,
	/* ...the first byte of a listing, which a server has to make first. */
	FETCH_SILENT_LIST_MS = 30000,
	/* ...or when fewer bytes than this came in such a time. */
	FETCH_SLOW_WINDOW_MS = 30000,
	FETCH_SLOW_BYTES = 30 * 1024,
	FETCH_TICK_MS = 100, /* deadlines and silence are looked at */
	/* Of attributes; a server that ignores Depth: 0 lists the directory. */
	FETCH_STAT_BYTES_MAX = 16 * 1024 * 1024,
	/* Of a listing; a million entries are 330 MB of XML. Both after
	 * decompression, against documents without end. */
	FETCH_LIST_BYTES_MAX = 1024 * 1024 * 1024,
	FETCH_QUOTA_BELIEVED_MS = 60000,
	FETCH_QUOTA_FAILED_MS = 10000,
};

/** The Authorization header of the token used last. */
struct bearer {
	uint64_t token_id;
	struct secret *header; /* NULL: none made yet */
};

/** The answer to fetch_quota(), kept. */
struct quota_memory {
	struct fetch_quota quota;
	int code;
	uid_t uid; /* whose, where many share the fetch */
	uint64_t until_ms;
	struct call *asking; /* NULL: nobody asks */
};

struct fetch {
	const struct clock *clock;
	struct tokens *tokens;
	char *ca_file;
	char *ca_dir;
	char **redirect_hosts;
	unsigned redirect_host_count;
	uint32_t timeout_ms;

	struct mailbox *mailbox;
	pthread_t thread;
	_Atomic uint64_t last_number;
	/* Places for the caches, and the origin behind them. Their number is
	 * set once; of a federation some are empty (server.h, absent) and are
	 * filled by fleet.c, and the last but one is for listings. */
	struct fetch_server *servers;
	unsigned server_count;
	struct fetch_server *origin;   /* the last one */
	struct fetch_server *listings; /* the origin, unless that is another */
	/* The places that may be read from, the best first, the origin last. */
	unsigned order[FETCH_SERVERS_MAX];
	unsigned order_count;
	char root[PATH_BYTES_MAX]; /* the source's path */
	bool federated;
	bool own_caches;    /* they are the configuration's */
	bool unlisted;      /* nobody lists directories */
	unsigned numbers;   /* of servers that there were */
	struct err missing; /* why there is no origin yet */
	void (*trouble)(void *arg);
	void *trouble_arg;
	bool shared;    /* by many users */
	bool immutable; /* no file ever changes */
	struct said said;
	struct shun shun; /* what caches are passed over for */
	struct hedge_budget hedge_budget;
	uint64_t hedge_ms; /* when a call may be late, at the soonest; 0: none
			      is watched */
	struct stripe stripe;

	pthread_t loop_thread; /* set by the thread itself */
	struct loop loop;
	struct network network;
	uint64_t now_ms;        /* of the clock, when the loop woke */
	struct call_list calls; /* all that are not answered */
	unsigned call_count;
	unsigned delayed_count;
	struct call *tick_next; /* call_tick() goes on there */
	struct confirm_list confirms;
	struct bearer bearer;
	struct quota_memory quota;
	struct fetch_abilities abilities; /* of the origin... */
	unsigned abilities_number;        /* ...of that number... */
	uint64_t abilities_ms;            /* ...found out then; 0: not yet */
	struct feeder *feeder;            /* NULL: nothing large was sent yet */
	struct publish_list growing;      /* sent while they are written */
	bool proxied;          /* the environment named a proxy at the start */
	bool started;          /* there is a thread to join */
	atomic_bool untrusted; /* as fetch_untrusted() */
};

/** State that the caller is the fetch thread (clang's analysis; checked). */
void fetch_assert_thread(const struct fetch *fetch) ON_THREAD(fetch_thread);

#endif
