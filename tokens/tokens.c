/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/tokens.c - a store as others make one; see tokens.h. */
#include "tokens/tokens.h"

#include "tokens/callers/look.h"
#include "tokens/claims/json.h"
#include "tokens/find/discover.h"
#include "tokens/store/narrow.h"
#include "tokens/store/store.h"

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

/* Whose tokens are looked for in processes of their own: the first of them is
 * forked here, while there is one thread. */
static int new_shared(
    struct tokens **out, const struct tokens_config *config, struct err *err)
{
	struct look_plan *plan = NULL;
	struct looker *looker = NULL;
	int code = look_plan_new(&plan, config, err);

	if (code == 0)
		code = looker_start(&looker, look_for_tokens, plan, err);
	/* It has a copy. */
	look_plan_free(plan);
	if (code < 0)
		return code;
	return token_store_new_shared(out, config, looker, err);
}

int tokens_new(
    struct tokens **out, const struct tokens_config *config, struct err *err)
{
	bool apart = config->token_write_file != NULL;
	struct purse_source source;
	struct purse_source writing;
	int code;

	*out = NULL;
	token_json_start();
	if (config->shared)
		return new_shared(out, config, err);
	code = source_of(&source, config, err);
	if (code < 0)
		return code;
	if (apart)
		code = writing_source_of(&writing, config, err);
	if (code < 0) {
		source.free(source.arg);
		return code;
	}
	code =
	    token_store_new(out, config, &source, apart ? &writing : NULL, err);
	if (code == 0 && !apart)
		code = narrow_start(*out, config, err);
	if (code < 0) {
		tokens_free(*out);
		*out = NULL;
	}
	return code;
}
