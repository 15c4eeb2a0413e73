/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/plan/trusted.h - whom the client itself believes, and how far: out of the
 * options issuer, jwks, audience and base_path, and out of what a federation
 * says where these are silent.
 *
 * Threads: any; a struct trusted belongs to one at a time.
 */
#ifndef CLI_PLAN_TRUSTED_H
#define CLI_PLAN_TRUSTED_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/tokens.h"

#include "cli/options/names.h"

struct options;
struct pelican_facts;

struct trusted {
	struct tokens_trust trust; /* points into the rest */
	struct names issuers;
	struct names audiences;
	const char *base_path; /* what the scope "/" of a token means */
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

/** By whose word tokens are verified. */
enum trusted_by {
	TRUSTED_BY_OPTIONS,
	TRUSTED_BY_FEDERATION,
	TRUSTED_BY_NOBODY, /* not here: the servers prove tokens */
};

/**
 * Let a federation fill in what the options leave open: issuers, and the base
 * path (whose default "/" counts as open).
 *
 * Issuers are taken from it when it is clear what the scopes of each of them
 * mean: the director names one base path, on the way to the namespace or in
 * it, for all issuers that it accepts (or the option names one). With a
 * guess in its place a good token would be refused here, or one believed
 * beyond its reach. Without issuers the base path is still the best guess
 * (the one that is named, else the namespace): good for names, never for
 * grants.
 *
 * @param trusted  made by trusted_init().
 * @param facts    borrowed for the life of `trusted`.
 * @param why      for TRUSTED_BY_NOBODY the reason.
 */
enum trusted_by trusted_ask_federation(struct trusted *trusted,
    const struct pelican_facts *facts, struct err *why);

void trusted_fini(struct trusted *trusted);

#endif
