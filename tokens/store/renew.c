/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/store/renew.c - see renew.h. */
#include "tokens/store/renew.h"

#include "base/clock.h"

enum { MARGIN_LEAST_S = 120, MARGIN_MOST_S = 600, AGAIN_MOST_S = 60 };

uint64_t renew_margin_s(uint64_t life_s)
{
	uint64_t margin = life_s / 5;

	if (margin < MARGIN_LEAST_S)
		margin = MARGIN_LEAST_S;
	if (margin > MARGIN_MOST_S)
		margin = MARGIN_MOST_S;
	if (margin > life_s / 2)
		margin = life_s / 2;
	return margin;
}

uint64_t renew_due_s(const struct token *token, uint64_t found_s)
{
	uint64_t end = token->claims.expires_s;
	uint64_t start = token->claims.issued_s;
	uint64_t margin;

	if (end == UINT64_MAX)
		return UINT64_MAX;
	if (start == 0)
		start = token->claims.not_before_s;
	if (start == 0)
		start = found_s;
	if (start >= end)
		return end;
	margin = renew_margin_s(end - start);
	return end - margin - clock_jitter(margin / 10 + 1);
}

uint64_t renew_again_s(const struct token *token, uint64_t now_s)
{
	uint64_t end = token->claims.expires_s;
	uint64_t wait;

	if (now_s >= end)
		return UINT64_MAX;
	wait = (end - now_s) / 8;
	if (wait > AGAIN_MOST_S)
		wait = AGAIN_MOST_S;
	wait += clock_jitter(wait / 4 + 1);
	return now_s + (wait > 0 ? wait : 1);
}
