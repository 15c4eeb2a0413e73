/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/hedge.c - see hedge.h. */
#include "fetch/servers/hedge.h"

uint64_t hedge_tail_us(const struct choice *choice)
{
	/* The longest waits, the longest first; all but the last are the few
	 * that may be so long. */
	uint32_t longest[CHOICE_WAITS / HEDGE_TAIL_ONE_IN + 1] = {0};
	unsigned few = choice->wait_count / HEDGE_TAIL_ONE_IN;

	if (choice->wait_count < HEDGE_WAITS_MIN)
		return 0;
	for (unsigned i = 0; i < choice->wait_count; i++) {
		uint32_t wait_us = choice->waits_us[i];

		for (unsigned k = 0; k <= few; k++) {
			if (wait_us > longest[k]) {
				uint32_t shorter = longest[k];

				longest[k] = wait_us;
				wait_us = shorter;
			}
		}
	}
	return longest[few];
}

uint64_t hedge_after_ms(const struct choice *choice, bool begun)
{
	uint64_t tail_us = hedge_tail_us(choice);
	uint64_t least_ms = begun ? HEDGE_LEAST_BODY_MS : HEDGE_LEAST_MS;
	uint64_t after_ms;

	if (tail_us == 0)
		return 0;
	/* The clock counts whole milliseconds. */
	after_ms = tail_us * HEDGE_LATE_PERCENT / 100 / 1000 + 1;
	return after_ms > least_ms ? after_ms : least_ms;
}

void hedge_earn(struct hedge_budget *budget, uint64_t bytes)
{
	static const uint64_t most = (uint64_t)HEDGE_CREDIT_MAX_BYTES * 100;

	budget->hundredths += bytes * HEDGE_BUDGET_PERCENT;
	if (budget->hundredths > most)
		budget->hundredths = most;
}

bool hedge_pay(struct hedge_budget *budget, uint64_t bytes)
{
	if (budget->hundredths / 100 < bytes)
		return false;
	budget->hundredths -= bytes * 100;
	return true;
}
