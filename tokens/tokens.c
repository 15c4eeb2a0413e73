/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/tokens.c - a store as others make one; see tokens.h. */
#include "tokens/tokens.h"

#include "tokens/find/discover.h"
#include "tokens/json.h"
#include "tokens/store.h"

#include <errno.h>

static void look_around(
    void *arg, bool force, uint64_t now_s, struct finding *out)
{
	discover_look(arg, force, now_s, out);
}

static void discover_done(void *arg)
{
	discover_free(arg);
}

static int source_of(struct purse_source *out,
    const struct tokens_config *config, struct err *err)
{
	struct discover *discover = NULL;
	int code = discover_new(&discover, config, NULL, err);

	*out = (struct purse_source){
	    .look = look_around, .free = discover_done, .arg = discover};
	return code;
}

/* Where the token for writing is, and nowhere else. */
static int writing_source_of(struct purse_source *out,
    const struct tokens_config *config, struct err *err)
{
	struct tokens_config writing = *config;

	writing.token_file = config->token_write_file;
	writing.agent = NULL;
	writing.account = NULL;
	return source_of(out, &writing, err);
}

int tokens_new(
    struct tokens **out, const struct tokens_config *config, struct err *err)
{
	bool apart = config->token_write_file != NULL;
	struct purse_source source;
	struct purse_source writing;
	int code;

	*out = NULL;
	/* Nothing here looks for the tokens of other users yet. */
	if (config->shared)
		return err_set(err, -EOPNOTSUPP,
		    "a store of tokens serves one user; mount once for each");
	token_json_start();
	code = source_of(&source, config, err);
	if (code < 0)
		return code;
	if (apart)
		code = writing_source_of(&writing, config, err);
	if (code < 0) {
		source.free(source.arg);
		return code;
	}
	return token_store_new(
	    out, config, &source, apart ? &writing : NULL, err);
}
