/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/profile.h - which family of tokens the claims belong to, and
 * whether they keep its rules. Pure.
 *
 * | marker                                | profile       |
 * |---------------------------------------|---------------|
 * | `ver` scitoken:2.0, scitokens:2.0     | SciTokens 2.0 |
 * | `ver` scitoken:1.0, scitokens:1.0     | SciTokens 1.0 |
 * | `wlcg.ver` 1.N                        | WLCG 1.x      |
 * | header `typ` at+jwt                   | RFC 9068      |
 * | none of these                         | SciTokens 1.0 |
 *
 * Where libraries differ from the documents, the documents are followed:
 * libscitokens demands `iat` of SciTokens 1.0 and does not demand `sub` and
 * `jti` of the others; it takes `wlcg.ver` 1.0 alone, where the profile says
 * that any minor version be taken.
 *
 * Not here: signature, issuer, and whether this is the time (trust.h); what
 * the scopes allow (scope.h).
 *
 * Threads: every function may be called from any thread.
 * Sources: SciTokens claims and verification ("Version 1.0", "Version 2.0");
 * WLCG token profile, sections 2.1.1, 2.2.1, 4.3.3; RFC 9068, sections 2.1,
 * 2.2 and 4; RFC 7519, section 4.1.
 */
#ifndef TOKENS_VERIFY_PROFILE_H
#define TOKENS_VERIFY_PROFILE_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

#include <cjson/cJSON.h>

enum profile {
	PROFILE_SCITOKENS_1,
	PROFILE_SCITOKENS_2,
	PROFILE_WLCG_1,
	PROFILE_RFC9068,
};

enum { PROFILE_AUDIENCES_MAX = 256 }; /* in one token's `aud` */

/** For whom a token must be. */
struct profile_rules {
	const char *const *audiences;
	unsigned audience_count;
	bool any_audience; /* whom it is for is somebody else's to judge */
};

/** "SciTokens 1.0", "WLCG 1.x", ... */
const char *profile_name(enum profile profile);

/** The name of the profile that a token says it is of, by the markers above
 *  (NULL: not there); NULL when it has none, or one that is not known. */
const char *profile_said(
    const char *version, const char *wlcg_version, const char *typ);

/** Whether a text is one of the profiles' wildcards, which only tokens may
 *  use and nobody who judges them. */
bool profile_is_wildcard(const char *audience);

/**
 * Check claims whose signature is good.
 *
 * @param typ  of the header; NULL: none.
 * @param out  set when the profile is known.
 * @retval 0              they keep the rules of their profile.
 * @retval -EKEYREJECTED  they do not, or the token is for another audience.
 * @retval -EAGAIN        they do, and nobody said which audience is ours.
 * @retval -ENOMEM        out of memory.
 */
NODISCARD int profile_check(enum profile *out, const cJSON *claims,
    const char *typ, const struct profile_rules *rules, struct err *err);

#endif
