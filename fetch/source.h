/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/source.h - URLs: from a source and a path, from a redirect's
 * Location; and which host may be given a token.
 *
 * fetch_source_parse() stands in fetch.h. URLs here are texts of at most
 * FETCH_URL_BYTES_MAX bytes, absolute, http or https, without user and
 * fragment.
 *
 * Threads: every function may be called from any thread.
 * Sources: RFC 3986 (sections 3, 5), RFC 9110 section 10.2.2.
 */
#ifndef FETCH_SOURCE_H
#define FETCH_SOURCE_H

#include "base/attr.h"
#include "base/buf.h"
#include "fetch/fetch.h"

#include <stdbool.h>
#include <stdint.h>

/** Where a URL leads: what a connection and a token belong to. */
struct source_host {
	bool tls;
	uint16_t port;
	char host[256]; /* lower case; an IPv6 address without brackets */
};

/**
 * Append the URL of a path to `out`, percent-encoded.
 *
 * @param path       the server's path, normal (base/path.h).
 * @param directory  end it in a slash.
 * @return           0, or buf_code().
 */
NODISCARD int source_url(struct buf *out, const struct fetch_source *source,
    const char *path, bool directory);

/** The host, port and scheme of a URL; -EINVAL when it has none, or is
 *  neither http nor https, or has a user. */
NODISCARD int source_host_of(struct source_host *out, const char *url);

/** Whether both lead to the same scheme, host and port. */
bool source_host_equal(
    const struct source_host *a, const struct source_host *b);

/**
 * The URL that a Location header means, seen from the URL that was asked.
 *
 * Relative references are resolved, the fragment and every `authz=`
 * parameter of the query are dropped, other parameters stay as they are.
 *
 * @param out       empty or not; replaced.
 * @param location  NUL-terminated; outside text.
 * @retval 0                 resolved.
 * @retval -EBADMSG          malformed, too long, a user in it, control bytes.
 * @retval -EPROTONOSUPPORT  neither http nor https.
 * @retval -ENOMEM           out of memory.
 */
NODISCARD int source_resolve(
    struct buf *out, const char *base_url, const char *location);

/** Whether `pattern` may stand in redirect_hosts: "host", "host:port",
 *  "*.domain", "*.domain:port", "[v6]", "[v6]:port". */
bool source_pattern_ok(const char *pattern);

/**
 * Whether a host is meant by a pattern. Without a port any port is (dCache's
 * pools take what is free); "*." stands for one or more labels, never none.
 */
bool source_pattern_matches(
    const char *pattern, const struct source_host *host);

/** Whether a redirect may take a token to `host`: https, and the source's
 *  own host or one of the patterns; `source` may be NULL. */
bool source_token_may_go(const struct fetch_source *source,
    const char *const *patterns, unsigned pattern_count,
    const struct source_host *host);

#endif
