/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/federation/federation_times.c - see federation_times.h. */
#include "fetch/federation/federation_times.h"

#include <assert.h>
#include <errno.h>

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* `first_ms`, doubled with each one after the first. */
static uint64_t doubled(uint64_t first_ms, unsigned count, uint64_t most_ms)
{
	while (count-- > 1 && first_ms < most_ms)
		first_ms *= 2;
	return least(first_ms, most_ms);
}

/* Nobody was there: that ends when the network comes back. */
static bool is_lost(int code)
{
	return code == -EHOSTUNREACH || code == -ETIMEDOUT;
}

/* It is not likely to change its mind: there is no such document, no such
 * namespace; or not whom it should be. */
static bool is_wrong(int code)
{
	return code == -ENOENT || code == -EACCES || code == -EBADMSG ||
	    code == -ENOMSG || code == -EMSGSIZE || code == -ELOOP ||
	    code == -EPROTONOSUPPORT || code == -EPROTO;
}

static uint64_t wait_after(const struct federation_times *times,
    const struct federation_outcome *outcome)
{
	uint64_t wait_ms;

	if (is_wrong(outcome->code))
		wait_ms = FEDERATION_WRONG_MS;
	else if (is_lost(outcome->code))
		wait_ms = doubled(FEDERATION_LOST_FIRST_MS, times->failures,
		    FEDERATION_LOST_MAX_MS);
	else
		wait_ms =
		    least((uint64_t)FEDERATION_BUSY_STEP_MS * times->failures,
		        FEDERATION_BUSY_MAX_MS);
	if (outcome->wait_ms > wait_ms)
		wait_ms = least(outcome->wait_ms, FEDERATION_ASKED_MAX_MS);
	/* Up to a second more: clients do not come back together. */
	assert(outcome->jitter < FEDERATION_JITTER_RANGE);
	return wait_ms + outcome->jitter * 1000 / FEDERATION_JITTER_RANGE;
}

static void failed(struct federation_times *times, uint64_t now_ms,
    const struct federation_outcome *outcome)
{
	times->failures++;
	times->next_ms = now_ms + wait_after(times, outcome);
}

bool federation_times_wants_document(
    const struct federation_times *times, uint64_t now_ms)
{
	return now_ms >= times->document_until_ms;
}

void federation_times_document(struct federation_times *times, uint64_t now_ms,
    const struct federation_outcome *outcome)
{
	times->asked_ms = now_ms;
	if (outcome->code < 0) {
		failed(times, now_ms, outcome);
		return;
	}
	times->document_until_ms = now_ms + FEDERATION_DOCUMENT_MS;
}

void federation_times_director(struct federation_times *times, uint64_t now_ms,
    const struct federation_outcome *outcome)
{
	times->asked_ms = now_ms;
	if (outcome->code < 0) {
		failed(times, now_ms, outcome);
		if (times->failures % FEDERATION_DOUBTS == 0)
			times->document_until_ms = 0;
		return;
	}
	times->failures = 0;
	times->next_ms = now_ms + FEDERATION_DIRECTOR_MS;
}

bool federation_times_trouble(struct federation_times *times, uint64_t now_ms)
{
	uint64_t wait_ms;
	uint64_t next_ms;

	/* One that has no answer has its own pace. */
	if (times->failures > 0)
		return false;
	/* Long ago: that was another trouble. */
	if (now_ms >= times->asked_ms + 2 * (uint64_t)FEDERATION_TROUBLE_MAX_MS)
		times->troubles = 0;
	wait_ms = doubled(FEDERATION_TROUBLE_FIRST_MS, times->troubles + 1,
	    FEDERATION_TROUBLE_MAX_MS);
	next_ms = times->asked_ms + wait_ms;
	if (next_ms >= times->next_ms)
		return false;
	times->next_ms = next_ms;
	times->troubles++;
	return true;
}
