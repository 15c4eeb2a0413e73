/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/retry.c - see retry.h.
 */
#include "fetch/calls/retry.h"

#include <assert.h>
#include <errno.h>

int retry_code(enum retry_reason reason)
{
	switch (reason) {
	case RETRY_CONNECT:
	case RETRY_UNTRUSTED:
		return -EHOSTUNREACH;
	case RETRY_LOST:
	case RETRY_SILENT:
		return -ETIMEDOUT;
	case RETRY_BUSY:
	case RETRY_SERVER:
	case RETRY_BAD:
	case RETRY_ELSEWHERE:
	case RETRY_REASON_COUNT:
		break;
	}
	return -EIO;
}

/* The nth wait: 100 ms, doubled up to 5 s, of which half is left to chance
 * so that many clients do not come back at once. The first look after a lost
 * connection comes at once: it was most likely an idle one that the server
 * had closed. */
static uint64_t backoff_ms(const struct retry_facts *facts)
{
	uint64_t wait_ms = RETRY_WAIT_FIRST_MS;

	if (facts->reason == RETRY_LOST && facts->failures <= 1)
		return 0;
	for (unsigned i = 1; i < facts->failures; i++) {
		wait_ms *= 2;
		if (wait_ms >= RETRY_WAIT_MAX_MS) {
			wait_ms = RETRY_WAIT_MAX_MS;
			break;
		}
	}
	return wait_ms / 2 + wait_ms * facts->jitter / RETRY_JITTER_RANGE / 2;
}

static bool worth_it(const struct retry_facts *facts)
{
	switch (facts->reason) {
	case RETRY_UNTRUSTED:
		return false;
	case RETRY_SERVER:
	case RETRY_BAD:
		return facts->bad < RETRY_BAD_TRIES_MAX;
	case RETRY_CONNECT:
	case RETRY_LOST:
	case RETRY_SILENT:
	case RETRY_BUSY:
	case RETRY_ELSEWHERE:
	case RETRY_REASON_COUNT:
		break;
	}
	return true;
}

struct retry_decision retry_decide(const struct retry_facts *facts)
{
	struct retry_decision no = {.code = retry_code(facts->reason)};
	uint64_t wait_ms = backoff_ms(facts);
	uint64_t left_ms;

	assert(facts->failures >= 1);
	if (!worth_it(facts) ||
	    facts->now_ms + RETRY_ROOM_MS >= facts->deadline_ms)
		return no;
	left_ms = facts->deadline_ms - facts->now_ms - RETRY_ROOM_MS;

	if (facts->wait_asked) {
		uint64_t asked_ms = (uint64_t)facts->wait_asked_s * 1000;

		/* A server that wants us later than the caller can wait has
		 * answered: there is nothing to wait for. */
		if (asked_ms >= left_ms)
			return no;
		if (wait_ms < asked_ms)
			wait_ms = asked_ms;
	}
	/* One more look just before the end rather than none. */
	if (wait_ms > left_ms)
		wait_ms = left_ms;
	return (struct retry_decision){.again = true, .wait_ms = wait_ms};
}
