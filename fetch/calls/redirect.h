/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/redirect.h - where a redirect may lead, and whether the token may
 * come along. Pure; the URL arithmetic is fetch/source.h's.
 *
 * Redirects are followed by hand because libcurl's rules for credentials are
 * not ours: https only, at most five, the token only to the source's own
 * host and to redirect_hosts. Targets are used once and forgotten (dCache's
 * are good for one use).
 *
 * Threads: every function may be called from any thread.
 * Sources: RFC 9110 sections 15.4, 10.2.2.
 */
#ifndef FETCH_CALLS_REDIRECT_H
#define FETCH_CALLS_REDIRECT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "fetch/fetch.h"

#include <stdbool.h>

struct fetch_server;

enum { REDIRECTS_MAX = 5 };

struct redirect_rules {
	const struct fetch_server *servers; /* which all may be given it */
	unsigned server_count;
	bool tls;                 /* https must not be left */
	const char *const *hosts; /* patterns, and so may they */
	unsigned host_count;
};

enum redirect_kind {
	REDIRECT_SLASH, /* the same path with a slash: it is a directory */
	REDIRECT_AWAY,  /* another URL */
};

struct redirect {
	enum redirect_kind kind;
	bool token_may_go; /* of REDIRECT_AWAY */
};

/** A redirect as it came. */
struct redirect_seen {
	const char *base_url; /* that was asked */
	const char *location; /* the Location header; outside text */
	unsigned followed;    /* before this one */
};

/**
 * Look at a redirect.
 *
 * @param url       receives the target of REDIRECT_AWAY; replaced.
 * @retval 0             see `out`.
 * @retval -ELOOP        more than REDIRECTS_MAX.
 * @retval -EBADMSG      no Location, or one that is no URL.
 * @retval -EPROTONOSUPPORT  it leaves https.
 * @retval -ENOMEM       out of memory.
 */
NODISCARD int redirect_look(struct redirect *out, struct buf *url,
    const struct redirect_rules *rules, const struct redirect_seen *seen,
    struct err *err);

#endif
