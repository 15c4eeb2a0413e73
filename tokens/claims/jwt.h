/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/claims/jwt.h - what a compact JWT says of itself: its claims.
 *
 * No signature is checked here: claims alone grant nothing. They tell when a
 * token ends, whom it names in `status`, and which names its scopes lead to.
 * Every byte is hostile: sizes, depth, types and numbers are bounded.
 *
 * Threads: every function may be called from any thread.
 * Sources: RFC 7515, section 3.1 (compact form); RFC 7519, section 4.1
 * (claims); RFC 8693, section 4.2 (scope); the WLCG token profile, section
 * 2.1 (wlcg.ver); SciTokens (ver, the older scp).
 */
#ifndef TOKENS_JWT_H
#define TOKENS_JWT_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	JWT_NAMES_MAX = 256, /* entries of a list in aud or scp */
};

/* 9999-12-31T23:59:59Z: later times are taken as this one. */
#define JWT_TIME_MAX_S UINT64_C(253402300799)

/** Claims; a text is NULL and a time its default when the token is silent. */
struct jwt_claims {
	bool is_jwt;      /* false: all is silent, the token is opaque */
	bool is_macaroon; /* of which expires_s and scope are known */
	unsigned macaroon_version;
	char *type; /* the header's typ */
	char *issuer;
	char *subject;
	char *scope;           /* space-separated (from scope, else scp) */
	char *audience;        /* space-separated */
	char *version;         /* SciTokens' ver */
	char *wlcg_version;    /* wlcg.ver */
	uint64_t expires_s;    /* UINT64_MAX: never */
	uint64_t not_before_s; /* 0: always */
	uint64_t issued_s;     /* 0: not said */
};

/** Claims of a token that says nothing. */
void jwt_claims_init(struct jwt_claims *claims);

/** Free the texts; the struct may be given to jwt_claims_init() again. */
void jwt_claims_fini(struct jwt_claims *claims);

/**
 * Read the claims of a compact JWT.
 *
 * @param out  initialised here; to be released after 0 only.
 * @param err  filled for -EINVAL; never holds a byte of the token.
 *
 * @retval 0         read.
 * @retval -ENOMSG   this is no JWT (or an encrypted one): an opaque token.
 * @retval -EINVAL   it begins as a JWT and is a broken one: cut short, not
 *                   base64url, not JSON, or a claim of the wrong kind.
 * @retval -ENOMEM   out of memory.
 */
NODISCARD int jwt_parse(struct jwt_claims *out, const char *text,
    size_t size_bytes, struct err *err);

/** Whether a text that is no JWT begins as one all the same: it may have been
 *  cut or garbled in its header. It may as well be somebody's opaque token,
 *  so it is used, and this is told. */
bool jwt_is_cut(const char *text, size_t size_bytes);

#endif
