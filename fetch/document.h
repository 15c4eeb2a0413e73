/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/document.h - one public document over verified TLS: an issuer's
 * metadata and keys.
 *
 * No token is ever sent, no cookie, no .netrc. A public header of this
 * folder, beside fetch.h; it needs no struct fetch.
 *
 * Threads: every function may be called from any thread; fetch_document()
 * blocks.
 * Sources: RFC 9110 sections 15.4, 10.2.2; RFC 9111 section 5.2.2.1
 * (max-age).
 */
#ifndef FETCH_DOCUMENT_H
#define FETCH_DOCUMENT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct tokens_document_facts;

enum { DOCUMENT_REDIRECTS_MAX = 3 };

struct fetch_document_config {
	const char *ca_file; /* trust roots; both NULL: the system's */
	const char *ca_dir;
	uint32_t timeout_ms; /* of all requests together, from the first name
				look-up to the last byte */
	bool proxied;        /* the environment may name a proxy */
	const atomic_bool *stop; /* true: give up, within a second or so;
				    NULL: never */
};

/** Whether the environment names a proxy. Before threads that change it. */
bool fetch_document_proxied(void);

/**
 * GET a document. Redirects are followed by hand, https only.
 *
 * @param out    empty; its limit bounds the body.
 * @param facts  status and max-age of the last answer.
 * @retval 0           the body of a 200.
 * @retval -EINVAL     the URL is not https.
 * @retval -ENOENT     404 or 410.
 * @retval -EACCES     401 or 403.
 * @retval -EMSGSIZE   larger than `out` takes.
 * @retval -ELOOP      more than DOCUMENT_REDIRECTS_MAX redirects.
 * @retval -EPROTONOSUPPORT  a redirect that leaves https.
 * @retval -ETIMEDOUT, -EHOSTUNREACH  no answer in time; nobody there.
 * @retval -EPROTO     TLS: a certificate that is not trusted, or the like.
 * @retval -EIO        any other status, or an answer that is none.
 * @retval -ENOMEM     out of memory.
 */
NODISCARD int fetch_document(const struct fetch_document_config *config,
    const char *url, struct buf *out, struct tokens_document_facts *facts,
    struct err *err);

#endif
