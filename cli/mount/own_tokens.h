/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount/own_tokens.h - the token store of this process, out of its options:
 * for a mount and for the commands that look at what a mount would use.
 *
 * Threads: main thread, before any that reads the environment.
 */
#ifndef CLI_MOUNT_OWN_TOKENS_H
#define CLI_MOUNT_OWN_TOKENS_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#include "cli/plan/trusted.h"

struct options;
struct pelican_facts;
struct tokens;

/** By whose word tokens are verified. */
struct own_tokens_said {
	enum trusted_by by;
	struct err why; /* of TRUSTED_BY_NOBODY, where a federation is asked */
};

/** What the options do not say. */
struct own_tokens_config {
	const char *source_path; /* server path of the mount's root */
	const char *mountpoint;  /* a token file below it is refused; NULL */
	const char *cache_dir;   /* issuers' keys are kept beside the blocks;
				    NULL or "": nowhere */
	bool shared;             /* one mount for many users */
	bool verify;             /* against the options' issuers and keys */
	const char *ca_dir;      /* for fetching keys; NULL: none */
	uint32_t timeout_ms;
	struct own_tokens_said *said; /* by whose word they are verified; NULL:
					 it is not asked */
	const struct pelican_facts *facts; /* of the federation, which fills in
				  what the options leave open; NULL: none */
};

/**
 * Make it. Whether a federation's tokens are verified here is told to the
 * log. The environment has been read then and the token in it is wiped.
 *
 * @retval 0, or what tokens_new() gave, with its sentence.
 */
NODISCARD int own_tokens_new(struct tokens **out, const struct options *options,
    const struct own_tokens_config *config, struct err *err);

#endif
