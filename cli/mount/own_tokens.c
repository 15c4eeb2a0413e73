/* SPDX-License-Identifier: Apache-2.0 */
/* cli/mount/own_tokens.c - see own_tokens.h. */
#include "cli/mount/own_tokens.h"

#include "base/clock.h"
#include "base/log.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/mount/documents.h"
#include "cli/mount/harden.h"
#include "cli/options/options.h"
#include "cli/plan/trusted.h"

/* Issuers' keys lie beside the blocks. */
#define KEY_DIR "/keys"

/* What the federation says fills in what the options leave open. */
static void believe(struct trusted *trusted, const struct pelican_facts *facts,
    struct own_tokens_said *said)
{
	said->by = trusted_ask_federation(trusted, facts, &said->why);
	/* A federation does not tell whom tokens are for, which has to be known
	 * where many users share what they open. */
	if (said->by == TRUSTED_BY_FEDERATION && !trusted->trust.any_audience &&
	    trusted->trust.audience_count == 0) {
		(void)err_set(&said->why, -ENOENT,
		    "tokens are not verified here: the federation does not "
		    "tell for whom they are; set audience");
		trusted->trust.issuer_count = 0;
		said->by = TRUSTED_BY_NOBODY;
	}
	if (said->by == TRUSTED_BY_NOBODY)
		log_line(LOG_LEVEL_INFO, LOG_CLI, "tokens not verified here",
		    "why=%s", LOG_TEXT(said->why.text));
	else if (said->by == TRUSTED_BY_FEDERATION)
		log_line(LOG_LEVEL_INFO, LOG_CLI,
		    "tokens verified by the federation's word",
		    "issuers=%u issuer=%s base_path=%s",
		    trusted->trust.issuer_count,
		    LOG_TEXT(trusted->trust.issuers[0]),
		    LOG_TEXT(trusted->base_path));
}

int own_tokens_new(struct tokens **out, const struct options *options,
    const struct own_tokens_config *config, struct err *err)
{
	char key_dir[PATH_MAX + sizeof(KEY_DIR)];
	struct trusted trusted;
	struct own_tokens_said said = {.by = TRUSTED_BY_NOBODY};
	struct tokens_config tokens = {
	    .clock = clock_system(),
	    .token_file = options->token_file,
	    .token_write_file = options->token_write_file,
	    .agent = options->agent,
	    .account = options->account,
	    .source_path = config->source_path,
	    .forbidden_tree = config->mountpoint,
	    .uid = geteuid(),
	    .shared = config->shared,
	    .trust = config->verify ? &trusted.trust : NULL,
	};
	/* Where the cache is the user's own the origin judges the audience. */
	int code = trusted_init(&trusted, options, !config->shared, err);

	if (code < 0)
		return code;
	if (trusted.trust.issuer_count > 0 || trusted.trust.jwks_file != NULL)
		said.by = TRUSTED_BY_OPTIONS;
	if (config->facts != NULL)
		believe(&trusted, config->facts, &said);
	if (config->said != NULL)
		*config->said = said;
	tokens.base_path = trusted.base_path;
	if (config->cache_dir != NULL && config->cache_dir[0] != '\0') {
		(void)snprintf(
		    key_dir, sizeof(key_dir), "%s" KEY_DIR, config->cache_dir);
		trusted.trust.key_dir = key_dir;
	}
	documents_prepare(options->ca_file, config->ca_dir, config->timeout_ms);
	trusted.trust.document = documents_get;
	/* The processes that look at callers have nothing of root's. */
	if (config->shared)
		harden_forget();
	code = tokens_new(out, &tokens, err);
	trusted_fini(&trusted);
	/* It has been read; nobody else needs it. */
	harden_forget();
	documents_open();
	return code;
}
