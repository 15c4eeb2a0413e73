/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/door/skew.c - see skew.h. */
#include "tokens/door/skew.h"

#include "base/clock.h"
#include "tokens/store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PHRASE_BYTES = 80 };

void tokens_note_skew(struct tokens *tokens, int64_t skew_s)
{
	atomic_store_explicit(&tokens->skew_s, skew_s, memory_order_relaxed);
}

/* "this machine's clock is 240 s behind the server's"; false: it agrees, as
 * far as is known. */
static bool phrase(char out[PHRASE_BYTES], int64_t skew_s)
{
	uint64_t off_s = skew_s < 0 ? 0 - (uint64_t)skew_s : (uint64_t)skew_s;

	if (off_s <= TOKENS_SKEW_MAX_S)
		return false;
	(void)snprintf(out, PHRASE_BYTES,
	    "this machine's clock is %" PRIu64 " s %s the server's", off_s,
	    skew_s < 0 ? "behind" : "ahead of");
	return true;
}

static int64_t skew_of(const struct tokens *tokens)
{
	return atomic_load_explicit(&tokens->skew_s, memory_order_relaxed);
}

void skew_add(const struct tokens *tokens, struct err *err)
{
	char clocks[PHRASE_BYTES];
	size_t used = strlen(err->text);

	if (err->code == -EKEYEXPIRED && phrase(clocks, skew_of(tokens)))
		(void)snprintf(err->text + used, sizeof(err->text) - used,
		    " (%s: set it)", clocks);
}

bool skew_explains(
    const struct tokens *tokens, const struct token *token, struct err *err)
{
	int64_t skew_s = skew_of(tokens);
	int64_t there_s = (int64_t)clock_wall_s(tokens->clock) - skew_s;
	uint64_t begins_s = token->claims.not_before_s;
	char clocks[PHRASE_BYTES];
	char stamp[CLOCK_STAMP_BYTES];
	bool ended;

	if (!phrase(clocks, skew_s) || there_s < 0)
		return false;
	if (begins_s < token->claims.issued_s)
		begins_s = token->claims.issued_s;
	ended = (uint64_t)there_s >= token->claims.expires_s;
	if (!ended && (uint64_t)there_s >= begins_s)
		return false;
	clock_stamp(stamp, ended ? token->claims.expires_s : begins_s);
	(void)err_set(err, -EKEYREJECTED,
	    "by its clock the token %s at %s, because %s; set the clock of "
	    "this machine, or get a new token",
	    ended ? "ended" : "begins only", stamp, clocks);
	return true;
}
