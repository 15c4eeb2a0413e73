/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/hedge.h - when a second server is asked for what one is late with,
 * and how much of that may be done. Pure: numbers in and out.
 *
 * Most answers of a server come in about the same time; one that has not come
 * when nearly all others would have is likely to take long, and another
 * server gives it sooner. What is asked for twice is paid for: of a hundred
 * bytes that ranges bring, five may be asked for a second time. So servers
 * that are all slow are not made slower, and what is lost is known.
 *
 * Threads: a struct hedge_budget belongs to one thread at a time.
 */
#ifndef FETCH_SERVERS_HEDGE_H
#define FETCH_SERVERS_HEDGE_H

#include "fetch/servers/choice.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	/* Of fewer answers nobody knows what is usual. */
	HEDGE_WAITS_MIN = 16,
	/* One answer in so many is longer than what is called usual: that is
	 * so of good servers too. */
	HEDGE_TAIL_ONE_IN = 16,
	/* It has to be so much later than that, in per cent of it... */
	HEDGE_LATE_PERCENT = 125,
	/* ...and than nothing at all: what the machine itself may take. */
	HEDGE_LEAST_MS = 10,
	/* In the middle of a body bytes may pause for those of others. */
	HEDGE_LEAST_BODY_MS = 100,
	HEDGE_BUDGET_PERCENT = 5,
	/* What was earned is good for so much at once. */
	HEDGE_CREDIT_MAX_BYTES = 16 * 1024 * 1024,
};

/** The longest usual wait for the first byte, a p94; 0: not known. */
uint64_t hedge_tail_us(const struct choice *choice);

/** How long no byte may have come until a second server is asked; 0: it is
 *  not asked. `begun`: bytes of the body have come before. */
uint64_t hedge_after_ms(const struct choice *choice, bool begun);

/** What may be asked for twice; all zero: nothing yet. */
struct hedge_budget {
	uint64_t hundredths; /* of a byte */
};

/** Bytes that were asked for have come. */
void hedge_earn(struct hedge_budget *budget, uint64_t bytes);

/** Take that out. @return false: there is not enough, and nothing was taken. */
bool hedge_pay(struct hedge_budget *budget, uint64_t bytes);

#endif
