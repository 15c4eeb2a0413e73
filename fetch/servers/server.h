/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/server.h - a server as it does: what is queued for it, how many
 * requests it is given at once, whether it answers, what it can do, and the
 * numbers that `status` shows. A source has an origin and may have caches in
 * front of it.
 *
 * Threads: the fetch thread alone, but server_describe*() and the functions
 * that say so, which any may call.
 */
#ifndef FETCH_SERVERS_SERVER_H
#define FETCH_SERVERS_SERVER_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sync.h"
#include "fetch/calls/share.h"
#include "fetch/fetch.h"
#include "fetch/servers/choice.h"
#include "fetch/servers/profile.h"
#include "fetch/servers/stripe.h"
#include "fetch/servers/writing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	SERVER_REQUESTS_MAX = 16, /* at once, and so connections */
	/* With those that change something. A small file takes three round trips
	 * to nginx (change.h), so by 16 at once, 40 ms away, some 110 in a
	 * second are sent, where eight that just PUT send 162. */
	SERVER_CHANGES_MAX = 32,
	/* Read-ahead leaves room for readers that wait: one place soon comes
	 * free where it is short, not where it is long. */
	SERVER_AHEAD_MAX = 15,
	SERVER_AHEAD_LONG_MAX = 12,
	/* The longest that one 429 stops all requests. */
	SERVER_HOLD_MAX_MS = 30000,
	/* A cache that gave bytes without a validator is not asked for files
	 * that may change; after this once more. */
	SERVER_UNFIT_MS = 10 * 60 * 1000,
};

#define SERVER_SKEW_UNKNOWN INT64_MIN

/** Who waits for a request. */
enum server_rank {
	SERVER_DEMAND,     /* a reader does */
	SERVER_CHANGE,     /* a writer does, and it is small */
	SERVER_AHEAD,      /* nobody yet */
	SERVER_AHEAD_LONG, /* nobody yet, and it takes long */
	SERVER_RANKS,
};

struct fetch_server {
	struct fetch_source source; /* other threads: server_name() */
	unsigned place;             /* among the fetch's, from 0 */
	atomic_uint number; /* of this server; of another here, another */
	bool is_origin;     /* it is asked for versions, or for listings */
	bool is_listings;   /* for those alone */
	atomic_bool absent; /* nobody has this place; it is not asked */
	struct profile profile;
	struct writing writing;
	struct choice choice; /* of ranges */
	struct stripe_lane lane;
	uint64_t unfit_until_ms;
	struct shares shares; /* of whom the calls are, and what is queued */
	unsigned active;
	unsigned active_of[SERVER_RANKS];
	uint64_t hold_until_ms;    /* it asked us to slow down (429) */
	bool down;                 /* could not be connected to */
	atomic_uint waiting;       /* calls that have asked it, for silence */
	_Atomic uint64_t heard_ms; /* of the last bytes, or the first request */
	_Atomic uint64_t lost_ms;  /* unreachable since then; 0: it is not */
	_Atomic uint64_t tried_ms; /* ...and was tried last */
	_Atomic uint64_t requests;
	_Atomic uint64_t received_bytes;
	_Atomic uint64_t hedges;     /* that it was asked */
	_Atomic uint64_t hedges_won; /* of them */
	_Atomic uint64_t hedge_bytes;
	_Atomic uint64_t latency_us; /* to the first byte, moving average */
	_Atomic int64_t skew_s;      /* SERVER_SKEW_UNKNOWN: no Date yet */
	_Atomic uint64_t rate_bytes_per_s; /* of choice, to be shown */
	_Atomic uint64_t rests_until_ms;   /* so is this */
	pthread_mutex_t mutex;
	int last_status GUARDED_BY(fetch_queue_lock);
	char last_error[ERR_TEXT_BYTES] GUARDED_BY(fetch_queue_lock);
	bool shown_down GUARDED_BY(fetch_queue_lock);
};

void server_enter(struct fetch_server *server) ACQUIRES(fetch_queue_lock);
void server_leave(struct fetch_server *server) RELEASES(fetch_queue_lock);

/** `source` is copied; `shared`: by many users. */
void server_init(struct fetch_server *server, const struct fetch_source *source,
    bool shared);
void server_fini(struct fetch_server *server);

/** Whether it is not to be asked any more; not so the origin, which is waited
 *  for. */
bool server_is_gone(const struct fetch_server *server);

/** As whom said.h remembers it. */
unsigned server_said_as(const struct fetch_server *server);

/** Another server takes this place, of which nothing is known yet. */
void server_assign(struct fetch_server *server,
    const struct fetch_source *source, unsigned number);

/** Copy where it is, "https://host:port"; "": nobody has the place. Any
 *  thread. */
void server_name(struct fetch_server *server, char out[FETCH_NAME_BYTES]);

/** Whether a server's address stands for the path, seen from the source whose
 *  root is `root`: one without a path has the origin's paths, one with a path
 *  has there what the origin has at `root`. */
bool server_carries(
    const struct fetch_server *server, const char *root, const char *path);

/** Append the URL there of the origin's `path`, which it carries; as
 *  source_url(). */
NODISCARD int server_url_of(struct buf *out, const struct fetch_server *server,
    const char *root, const char *path, bool directory);

/** Whether one more request may go out now. */
bool server_may_start(
    const struct fetch_server *server, enum server_rank rank, uint64_t now_ms);

/** A request goes out; server_ended() must follow. */
void server_began(struct fetch_server *server, enum server_rank rank);
void server_ended(struct fetch_server *server, enum server_rank rank);

/** Somebody has come to wait for one that went out as read-ahead. */
void server_hurried(struct fetch_server *server, enum server_rank rank);

/** A call asks it for the first time, also when nothing answers there;
 *  server_unasked() must follow. */
void server_asked(struct fetch_server *server, uint64_t now_ms);
void server_unasked(struct fetch_server *server);

/** Whether a call waits for it. Any thread. */
bool server_is_asked(const struct fetch_server *server);

/** It asked for no requests for a while (429 with Retry-After). */
void server_hold(struct fetch_server *server, uint64_t now_ms, uint32_t wait_s);

/** Bytes of an answer have come. */
void server_heard(struct fetch_server *server, uint64_t now_ms);

/** An answer has come, with its status and time to the first byte (0: it
 *  does not count).
 *  @return whether the server had been down before. */
bool server_answered(
    struct fetch_server *server, int status, uint64_t latency_us);

/** Show other threads what `choice` has learned. */
void server_show_choice(struct fetch_server *server);

/** It is a cache, gave bytes of which nothing shows the version, and the
 *  source may change: it is not asked for a while. */
void server_is_unfit(struct fetch_server *server, uint64_t now_ms);

/** An answer told its time: this machine's clock less the server's. */
void server_dated(struct fetch_server *server, int64_t skew_s);

/** Whether it is known; as fetch_skew_s(). Any thread. */
bool server_skew_s(const struct fetch_server *server, int64_t *skew_s);

/** An attempt failed; `unreachable`: there was no connection at all. */
void server_failed(
    struct fetch_server *server, const struct err *err, bool unreachable);

/** An attempt has met nobody: no connection, or one on which no byte comes.
 *  It is lost since the last byte came, until the next does. */
void server_lost(struct fetch_server *server, uint64_t now_ms);

/** As fetch_unreachable(). Any thread. */
bool server_unreachable(
    const struct fetch_server *server, struct fetch_reach *out);

/** As fetch_silent_ms(). Any thread. */
uint64_t server_silent_ms(const struct fetch_server *server, uint64_t now_ms);

/* server_describe.c */

/** What is shown beside the server's own numbers. */
struct server_frame {
	uint64_t now_ms;
	uint64_t received_bytes; /* from all servers */
};

/** Append one JSON object, or one line for a person. */
int server_describe(struct fetch_server *server,
    const struct server_frame *frame, struct buf *out);
int server_describe_text(struct fetch_server *server,
    const struct server_frame *frame, struct buf *out);

#endif
