/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/issuer.h - from an issuer's name to its keys: where its
 * metadata is, what it must say, and the walk from one to the other.
 *
 * The issuer is one that was configured; nothing here ever sees a token. The
 * documents come through a callback that fetches over verified TLS.
 *
 * Threads: every function may be called from any thread; issuer_fetch()
 * blocks as long as the callback does, three times at most.
 * Sources: OpenID Connect Discovery 1.0, sections 3 and 4; RFC 8414,
 * sections 2, 3 and 3.3; WLCG token profile, sections 4.2.1 and 5.1.2.
 */
#ifndef TOKENS_VERIFY_ISSUER_H
#define TOKENS_VERIFY_ISSUER_H

#include "base/attr.h"
#include "tokens/tokens.h"

#include <stddef.h>

enum {
	ISSUER_BYTES_MAX = 1024,
	ISSUER_URL_BYTES_MAX = 2048, /* the NUL included */
	ISSUER_DOCUMENT_BYTES_MAX = 1024 * 1024,
};

/** The two places of an issuer's metadata, in the order of asking. */
enum issuer_form {
	ISSUER_OPENID, /* {iss}/.well-known/openid-configuration */
	ISSUER_OAUTH,  /* host/.well-known/oauth-authorization-server{path} */
};

/**
 * Whether a text may be configured as an issuer: https, a host, no user, no
 * query, no fragment (RFC 8414, section 2), visible ASCII.
 *
 * @retval 0 or -EINVAL with a sentence.
 */
NODISCARD int issuer_check(const char *issuer, struct err *err);

/** Where metadata of an issuer (that issuer_check() took) is. A slash at its
 *  end does not count there. */
void issuer_url(
    char out[ISSUER_URL_BYTES_MAX], const char *issuer, enum issuer_form form);

/**
 * Read a metadata document: its `issuer` must be ours, byte by byte (RFC
 * 8414, section 3.3), its `jwks_uri` an https URL.
 *
 * @param out  the `jwks_uri`.
 * @retval 0        read.
 * @retval -EINVAL  it is no such document; a sentence.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int issuer_read(char out[ISSUER_URL_BYTES_MAX], const char *text,
    size_t size_bytes, const char *issuer, struct err *err);

/** Who fetches. */
struct issuer_source {
	tokens_document_fn document;
	void *arg;
};

/**
 * Fetch an issuer's key set.
 *
 * @param out    empty, limited to ISSUER_DOCUMENT_BYTES_MAX: the key set's
 *               text as it came.
 * @param facts  of the key set's answer.
 * @retval 0       fetched; whether keys are in it is jwks.h's to say.
 * @retval -errno  with a sentence that names the document which failed.
 */
NODISCARD int issuer_fetch(struct buf *out, struct tokens_document_facts *facts,
    const char *issuer, const struct issuer_source *source, struct err *err);

#endif
