/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/fetch.h - talking to servers: attributes, listings, ranges.
 *
 * With sink.h, digest.h, document.h and pelican.h what others may include of
 * this folder. One thread, the fetch loop, is the only caller of curl_multi; every
 * function here posts to it and returns at once, and every callback is called
 * on it, so a callback must not wait. Each call is answered exactly once, also
 * when the loop is stopped. (Without memory, and after fetch_stop(), the
 * callback is called before the question returns, on the thread that asked.)
 *
 * A call goes on over refused tokens (the source is read again once),
 * redirects, lost connections and busy servers until its deadline; what it
 * answers is final. Every answer is checked before a byte of it is passed on
 * (status, Content-Range, length, validator, encoding).
 *
 * Threads: every function may be called from any thread.
 * Sources: RFC 9110, RFC 4918 (PROPFIND), RFC 6750.
 */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "fetch/digest.h"
#include "fetch/sink.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct clock;
struct fetch;
struct ident;
struct tokens;

enum {
	FETCH_ETAG_BYTES = 128, /* longer ones are treated as none */
	FETCH_URL_BYTES_MAX = 8192,
	FETCH_SAID_BYTES = 160,
	FETCH_NAME_BYTES = 512, /* of a server */
	FETCH_CACHES_MAX = 12,  /* of a source */
	/* Caches, as many that leave while others come, listings, origin. */
	FETCH_SERVERS_MAX = 2 * FETCH_CACHES_MAX + 2,
	FETCH_ONLY_ORIGIN = 1 << 16,
};

/** A source, taken apart: "https://host:port" and a normal path. */
struct fetch_source {
	char origin
	    [FETCH_NAME_BYTES]; /* scheme, host, port unless default; lower case */
	char path[4096]; /* of the root, decoded, normal: "/" or "/a/b" */
	char host[256];
	bool tls;
};

/**
 * Take a SOURCE apart.
 *
 * @retval 0                 done.
 * @retval -EINVAL           no URL, or one with a user, query or fragment.
 * @retval -EPROTONOSUPPORT  neither https nor (when allowed) http.
 */
NODISCARD int fetch_source_parse(struct fetch_source *out, const char *url,
    bool insecure_http, struct err *err);

struct fetch_config {
	const struct clock *clock;         /* borrowed */
	struct tokens *tokens;             /* borrowed; outlives the fetch */
	const struct fetch_source *source; /* copied; the origin */
	const struct fetch_source
	    *servers;          /* copied; caches in front of it, the
	                                       best first; see server= in the
	                                       man page */
	unsigned server_count; /* of them; <= FETCH_CACHES_MAX */
	bool federated; /* `source` is a federation: which servers it has is
			   told later, and again: fetch_servers_set() */
	const char *ca_file; /* trust roots; both NULL: the system's */
	const char *ca_dir;  /* hashed; in addition to ca_file, if any */
	const char *const *redirect_hosts; /* patterns: "*.pool.example.org" */
	unsigned redirect_host_count;
	uint32_t timeout_ms; /* longest a call may take; also the default */
	bool immutable;      /* no file ever changes: bytes need no validator */
	bool shared;         /* by many users, of whom none may take the
				others' turn, or be told of their tokens */
	/** Of a federation: its origin cannot be reached, or no cache of it
	 *  works. On the fetch thread, often; must not wait. NULL: nobody
	 *  wants to know. */
	void (*trouble)(void *arg);
	void *trouble_arg;
};

/** Make the loop and start its thread. */
NODISCARD int fetch_new(
    struct fetch **out, const struct fetch_config *config, struct err *err);

/** Answer every call with -ECANCELED and take no more; the thread ends. */
void fetch_stop(struct fetch *fetch);

/** Free; after fetch_stop(). */
void fetch_free(struct fetch *fetch);
DEFINE_FREEP(fetch, fetch_free)

/** The servers of a federation's source. A cache with a path has there what
 *  the origin has at the source's root; origin and listings have the source's
 *  own paths. */
struct fetch_servers {
	struct fetch_source origin;   /* versions, and what no cache has */
	bool apart;                   /* `listings` is another server */
	bool unlisted;                /* nobody lists its directories */
	struct fetch_source listings; /* when apart */
	unsigned cache_count;
	struct fetch_source caches[FETCH_CACHES_MAX]; /* the best first */
};

/**
 * Have these servers from now on, in place of those before; copied. What is
 * on its way at a server that is left out goes on at another one, and no
 * token goes there any more. Caches of the configuration stay, and stand for
 * those of the list.
 *
 * @retval 0 or -ENOMEM
 */
NODISCARD int fetch_servers_set(
    struct fetch *fetch, const struct fetch_servers *servers);

/** It could not be found out which servers there are: what is asked
 *  meanwhile waits, and this is why it gets no answer. */
void fetch_servers_missing(struct fetch *fetch, const struct err *why);

enum fetch_kind { FETCH_FILE, FETCH_DIRECTORY };

/**
 * What tells one version of a file from another.
 *
 * `etag` is the strong ETag as the *source of the attributes* gave it
 * (PROPFIND's getetag, or HEAD where there is no DAV), so that the same file
 * looks the same each time it is asked for. An ETag that only a GET shows is
 * learned by the first range (sink.h, begin).
 */
struct fetch_version {
	uint64_t size_bytes;
	int64_t mtime_s;             /* seconds since 1970; -1: not given */
	char etag[FETCH_ETAG_BYTES]; /* with its quotes; "": none */
};

/** Attributes of a file or directory. */
struct fetch_stat {
	enum fetch_kind kind;
	bool exact; /* false: only kind and name are sure (an index page) */
	struct fetch_version version; /* size 0 for a directory */
};

/** Whether two versions are the same as far as the validators tell. */
bool fetch_version_equal(
    const struct fetch_version *a, const struct fetch_version *b);

/** An answer to fetch_stat(): 0 and the attributes, or a negative errno of
 *  the man page with one sentence. Both are borrowed for the call. */
typedef void (*fetch_stat_fn)(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err);

/** Ask the origin for the attributes of `path` (the server's path, normal).
 *  `deadline_ms` is monotonic; 0: now + timeout. */
void fetch_stat(struct fetch *fetch, const struct ident *ident,
    const char *path, uint64_t deadline_ms, fetch_stat_fn answer, void *arg);

/** The same without a token: for what any answer tells, the server's time
 *  say; it may well be a refusal. */
void fetch_stat_bare(struct fetch *fetch, const char *path,
    uint64_t deadline_ms, fetch_stat_fn answer, void *arg);

/** Receives a listing. */
struct fetch_lister {
	/** One entry, as it streams in; the name is borrowed and has passed
	 *  path_name_ok(). Non-zero ends the listing with that code. A call
	 *  that is tried again starts with restart(). */
	int (*entry)(
	    void *arg, const char *name, const struct fetch_stat *stat);
	/** Forget the entries so far: the listing begins again. */
	void (*restart)(void *arg);
	/** Exactly once: 0 when the listing is complete. */
	void (*done)(void *arg, int code, const struct err *err);
	void *arg;
	bool all; /* files that are being sent as well (change.h) */
};

/** List a directory (not the directory itself). The lister is copied. An
 *  index page may name a child twice. -ENOTDIR: `path` is a file.
 *  `demand`: somebody waits for it; false: it is asked for ahead.
 *  @return a number for fetch_hurry(); never 0. */
uint64_t fetch_list(struct fetch *fetch, const struct ident *ident,
    const char *path, bool demand, const struct fetch_lister *lister);

/** A closed range of one version of a file. */
struct fetch_range {
	const struct ident *ident;           /* copied */
	const char *path;                    /* copied; the server's path */
	const struct fetch_version *version; /* copied */
	const char *pin_etag; /* ETag to ask with (If-Match); NULL: version's */
	uint64_t offset_bytes;
	uint64_t length_bytes; /* > 0; inside version->size_bytes */
	uint64_t deadline_ms;  /* 0: now + timeout */
	bool demand;           /* a reader waits; false: read-ahead */
	unsigned only; /* 0: the best server; n: the nth cache alone, once, to
	                  see what it does; FETCH_ONLY_ORIGIN: no cache, for
	                  what proves something */
	bool digest; /* the checksum is wanted as well: for ranges that are the
			whole file, which has to be read anyway */
};

/**
 * Fetch a range into a sink, from the best server there is.
 *
 * Where one fails, refuses or stalls, the range goes on at the next from the
 * byte where it stopped; the origin is the last. When `demand` and one is later
 * than usual, a second server is asked as well, within a budget (hedge.h).
 *
 * Where the server gives no validator with the bytes, the origin is asked
 * for size and time again after the last byte, and done(0) comes only when
 * both agree with `version`; several ranges of a path share one question.
 *
 * @return a number for fetch_cancel(); never 0.
 */
uint64_t fetch_range(struct fetch *fetch, const struct fetch_range *range,
    const struct fetch_sink *sink);

/** User `uid` waits now for what was asked for ahead: it goes before what is
 *  still asked for ahead. Where many share the fetch, what was asked for by
 *  another goes at whose turn is sooner. One that has ended meanwhile is no
 *  error. */
void fetch_hurry(struct fetch *fetch, uint64_t number, uid_t uid);

/** End a range, or an upload, early: its answer comes with -ECANCELED unless it
 *  has come already. An upload of which the server may have all goes on: nobody
 *  could tell what becomes of it. */
void fetch_cancel(struct fetch *fetch, uint64_t number);

/** Whether the origin tells checksums of files. */
enum fetch_digests {
	FETCH_DIGESTS_UNKNOWN, /* it was not asked yet, or long ago */
	FETCH_DIGESTS_NONE,
	FETCH_DIGESTS_TOLD, /* and `algorithm` is what the last one was of */
};

enum fetch_digests fetch_digests(
    struct fetch *fetch, enum fetch_algorithm *algorithm);

/** Whether the origin is asked for a checksum by fetch_digest() alone, for one
 *  at a time: no range brings one along (profile_digests_apart()). Any
 *  thread. */
bool fetch_digests_apart(struct fetch *fetch);

/** 0 and a checksum, or a negative errno: -ENODATA when there is none,
 *  -ESTALE when the file is another by now. */
typedef void (*fetch_digest_fn)(
    void *arg, int code, const struct fetch_digest *digest);

/** A bit for the origin (0) or the nth cache, of who gave bytes. */
#define FETCH_GAVE(server) (1u << (server))

/** Bytes of `path` were wrong that these caches gave (FETCH_GAVE() of each):
 *  they are not asked for it for an hour, and named in the log, in `status`
 *  and `explain`. The origin is left out. */
void fetch_blame(struct fetch *fetch, const struct ident *ident,
    const char *path, unsigned servers);

struct fetch_digest_ask {
	const struct ident *ident;           /* copied */
	const char *path;                    /* copied; the server's path */
	const struct fetch_version *version; /* copied */
	uint64_t deadline_ms;                /* 0: now + timeout */
};

/**
 * Ask the origin for the checksum of a version of a file. That may take a
 * server as long as reading the file, so it is asked once and for nobody
 * who waits, or not for long; what it says of a token or of the server counts
 * for nothing.
 */
void fetch_digest(struct fetch *fetch, const struct fetch_digest_ask *ask,
    fetch_digest_fn answer, void *arg);

/** Quota of the source (RFC 4331), in bytes; -1: the server does not say. */
struct fetch_quota {
	int64_t available_bytes;
	int64_t used_bytes;
};

typedef void (*fetch_quota_fn)(
    void *arg, int code, const struct fetch_quota *quota);

/** Ask for the quota at the source's root; answered from memory for 60 s. */
void fetch_quota(struct fetch *fetch, const struct ident *ident,
    fetch_quota_fn answer, void *arg);

/** Whether the origin is known to give a validator with the bytes
 *  themselves, so that bytes may be used before the range has ended. */
bool fetch_validates_bytes(struct fetch *fetch);

/** Whether the origin answers PROPFIND, as far as it has been asked; else it
 *  is listed by its index pages. */
bool fetch_has_dav(struct fetch *fetch);

/** Whether the origin's certificate was refused (trust, name, dates) when a
 *  connection was last tried: waiting does not heal that, so a mount does not
 *  start. */
bool fetch_untrusted(struct fetch *fetch);

/** Whether the origin can be reached, as far as it has been tried. */
struct fetch_reach {
	uint64_t since_ms; /* monotonic: the last byte, or the first question
			      that met nobody */
	uint64_t tried_ms; /* the last one */
};

/** Whether no server could be reached when that was last tried: no
 *  connection was made, or nothing came on it for long, and no byte has come
 *  since. */
bool fetch_unreachable(struct fetch *fetch, struct fetch_reach *out);

/** Milliseconds since bytes of any answer last came, 0 when nothing is
 *  asked for at the moment: how long the server has been silent (or cannot
 *  be connected to). */
uint64_t fetch_silent_ms(struct fetch *fetch);

/** How far this machine's clock is ahead of the origin's, by the Date of the
 *  last answer; negative when it is behind. One second is not told apart.
 *  @return whether an answer has told it. */
bool fetch_skew_s(struct fetch *fetch, int64_t *skew_s);

/** What was last said of a path. */
struct fetch_said {
	int status;      /* HTTP; 0: no answer came */
	int code;        /* 0, or what was wrong, a negative errno */
	bool redirected; /* not by the origin, but by whom it redirects to */
	uint64_t at_s;   /* seconds since 1970 */
	char why[FETCH_SAID_BYTES]; /* what that means; may be cut */
};

/** What the origin last said of `path` (the server's) when this user asked: of
 *  some hundred paths. @return false: nothing is remembered. */
bool fetch_said(
    struct fetch *fetch, uid_t uid, const char *path, struct fetch_said *out);

/** The same of the nth cache. @param name  where it is; "": there is no nth,
 *  but there may be a later one, below FETCH_SERVERS_MAX. */
bool fetch_said_by(struct fetch *fetch, unsigned nth, uid_t uid,
    const char *path, struct fetch_said *out, char name[FETCH_NAME_BYTES]);

/** Append a JSON array of servers: "url", "role", "state", "latency_ms",
 *  "requests", "received_bytes", "share_percent", "rate_bytes_per_s",
 *  "hedges", "hedges_won", "hedge_bytes", "last_error", "last_status", "clock_skew_s". */
int fetch_describe(struct fetch *fetch, struct buf *out);

/** The same for a person. */
int fetch_describe_text(struct fetch *fetch, struct buf *out);

/** Append what Prometheus reads of each server, "bearerfs_server_...".
 *  @param labels  of every sample, name="value" */
int fetch_metrics(struct fetch *fetch, const char *labels, struct buf *out);

#endif
