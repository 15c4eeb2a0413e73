/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/refuse.c - see refuse.h. */
#include "tokens/refuse.h"

#include "base/clock.h"
#include "base/log.h"
#include "tokens/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

int refuse_code(int status)
{
	return status == 401 ? -EKEYREJECTED : -EACCES;
}

void refuse_tell(struct tokens *tokens, const struct ident *ident,
    const char *path, const struct err *why)
{
	uint64_t untold = 0;
	char who[48] = "";
	bool told;

	if (why->code == -EACCES &&
	    tokens_reach(tokens, ident, path, NULL, NULL) > 0)
		return;
	if (tokens->shared && ident != NULL)
		(void)snprintf(who, sizeof(who), "uid=%u pid=%d ",
		    (unsigned)ident->uid, (int)ident->pid);
	token_store_enter(tokens);
	told = refusals_tell(&tokens->refusals, path, why->code,
	    clock_now_ms(tokens->clock), &untold);
	token_store_leave(tokens);
	if (told)
		log_line(LOG_LEVEL_WARN, LOG_TOKENS, "refused",
		    "%spath=%s errno=%s untold=%" PRIu64 " why=%s", who,
		    LOG_TEXT(path), err_name(why->code), untold,
		    LOG_TEXT(why->text));
}
