/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/trusted.h - whom the client itself believes, out of the options
 * issuer, jwks and audience.
 *
 * Threads: any; a struct trusted belongs to one at a time.
 */
#ifndef CLI_TRUSTED_H
#define CLI_TRUSTED_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/tokens.h"

struct options;

enum { TRUSTED_NAMES_MAX = 64 };

struct trusted {
	struct tokens_trust trust; /* points into the rest */
	char *texts[2];            /* owned: issuer, audience */
	const char *issuers[TRUSTED_NAMES_MAX];
	const char *audiences[TRUSTED_NAMES_MAX];
};

/**
 * Read them. `trust.document`, `trust.arg` and `trust.key_dir` are left to
 * the caller. Where no audience is named any is taken, when `any_audience`
 * is set: then whom a token is for is the server's to judge.
 *
 * @param options  borrowed for the life of `out`.
 * @retval 0        to be released with trusted_fini().
 * @retval -EINVAL  too many names.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int trusted_init(struct trusted *out, const struct options *options,
    bool any_audience, struct err *err);

void trusted_fini(struct trusted *trusted);

#endif
