/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/agent_kept.c - see agent_kept.h. */
#include "tokens/find/agent_kept.h"

#include "base/clock.h"
#include "tokens/claims/token.h"
#include "tokens/find/agent.h"
#include "tokens/store/renew.h"

#include <errno.h>
#include <stdlib.h>

void agent_kept_empty(struct agent_kept *kept)
{
	free(kept->scope);
	free(kept->audience);
	token_put(kept->token);
	*kept = (struct agent_kept){.used = false};
}

static uint64_t margin_of(const struct agent_kept *kept)
{
	const struct jwt_claims *claims = &kept->token->claims;
	uint64_t start = claims->issued_s;

	if (start == 0)
		start = claims->not_before_s;
	if (start == 0)
		start = kept->took_s;
	if (start >= claims->expires_s)
		return 0;
	return renew_margin_s(claims->expires_s - start);
}

static uint64_t left_s(const struct agent_kept *kept, uint64_t now_s)
{
	uint64_t end = kept->token != NULL ? kept->token->claims.expires_s : 0;

	return end > now_s ? end - now_s : 0;
}

/* Renewals are jittered by a tenth of the margin, and forced. */
static bool in_margin(const struct agent_kept *kept, bool force, uint64_t now_s)
{
	uint64_t margin = margin_of(kept);

	return left_s(kept, now_s) <= margin + (force ? margin / 10 + 1 : 0);
}

bool agent_kept_is_due(
    struct agent_kept *kept, bool force, const struct clock *clock)
{
	uint64_t now_s = clock_wall_s(clock);
	uint64_t now_ms = clock_now_ms(clock);

	if (kept->token != NULL && left_s(kept, now_s) > 0 &&
	    !in_margin(kept, force, now_s)) {
		/* Nothing but a refusal asks for a newer one now. */
		if (!force || now_ms < kept->refused_ms)
			return false;
		kept->refused_ms = now_ms + AGENT_REFUSED_MS;
		return true;
	}
	return now_ms >= kept->again_ms;
}

uint64_t agent_kept_valid_s(
    const struct agent_kept *kept, uint32_t held_s, bool force, uint64_t now_s)
{
	uint64_t left = left_s(kept, now_s);
	uint64_t most = renew_margin_s(UINT32_MAX);

	if (left == 0)
		left = held_s;
	if (left > 0)
		return left < UINT32_MAX ? left + 1 : UINT32_MAX;
	return force ? most + most / 10 + 1 : AGENT_FIRST_VALID_S;
}

void agent_kept_pace(
    struct agent_kept *kept, int code, const struct clock *clock)
{
	uint64_t now_ms = clock_now_ms(clock);
	uint64_t left_ms = 1000 * left_s(kept, clock_wall_s(clock));
	uint64_t wait_ms = AGENT_AGAIN_MS_MIN;
	bool told = code == -EREMOTEIO || code == -EKEYREVOKED;

	kept->failures = told ? kept->failures + 1 : 0;
	for (unsigned i = 1; i < kept->failures && wait_ms < AGENT_AGAIN_MS_MAX;
	     i++)
		wait_ms *= 2;
	if (code == 0 && left_ms / 8 > wait_ms)
		wait_ms = left_ms / 8;
	kept->again_ms = now_ms + wait_ms;
}
