/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/tries.c - what each try sends is noted before a byte of it
 * goes out: its size and, of one that is not large, its SHA-256.
 *
 * An answer that is lost, or comes after we stopped waiting, leaves our file on
 * the server and nobody who knows. When it is changed then and sent again, what
 * stands there is neither the version that it began from nor what it is now:
 * only what was noted here tells it from somebody else's (own.c). The spool has
 * it in its journal, so it holds over a kill and for the next mount.
 *
 * An empty file is not noted: it is like all others that are empty.
 */
#include "cache/drafts/send/send.h"
#include "fetch/digest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SUM_READ_BYTES = 64 * 1024 };

struct fetch_sum *tries_sum(void)
{
	return fetch_sum_new(FETCH_SHA256);
}

bool tries_sum_end(struct fetch_sum *sum, uint8_t out[SPOOL_SUM_BYTES])
{
	struct fetch_digest digest;

	assert(fetch_digest_size(FETCH_SHA256) == SPOOL_SUM_BYTES);
	fetch_sum_end(sum, &digest);
	if (digest.known)
		(void)memcpy(out, digest.bytes, SPOOL_SUM_BYTES);
	return digest.known;
}

/* All of it is here. @retval false  it cannot be read, or no memory. */
static bool sum_up(const struct spool_entry *entry, struct spool_try *out)
{
	AUTO(fetch_sum) sum = tries_sum();
	uint8_t *bytes = malloc(SUM_READ_BYTES);
	uint64_t at_bytes = 0;
	struct err err = ERR_INIT;
	ssize_t n = 1;

	while (bytes != NULL && sum != NULL && n > 0 &&
	    at_bytes < out->size_bytes) {
		n = spool_read(entry, bytes, SUM_READ_BYTES, at_bytes, &err);
		if (n > 0) {
			fetch_sum_add(sum, bytes, (size_t)n);
			at_bytes += (uint64_t)n;
		}
	}
	free(bytes);
	return sum != NULL && at_bytes == out->size_bytes &&
	    tries_sum_end(sum, out->sum);
}

void tries_note(struct flight *flight)
{
	struct spool_entry *entry = flight->draft->entry;
	struct spool_try *now = &flight->now;

	if (flight->noted)
		return;
	flight->noted = true;
	flight->earlier_count = spool_tries(entry, flight->earlier);
	*now = (struct spool_try){.size_bytes = spool_attr(entry).size_bytes};
	if (now->size_bytes == 0)
		return;
	now->summed =
	    now->size_bytes <= SEND_SUMMED_BYTES && sum_up(entry, now);
	spool_note_try(entry, now);
}

const struct spool_try *tries_of_size(const struct flight *flight,
    uint64_t size_bytes, bool summed, const struct spool_try *last)
{
	const struct spool_try *end = flight->earlier + flight->earlier_count;

	for (const struct spool_try *one = last == NULL ? flight->earlier
	                                                : last + 1;
	     one < end; one++)
		if (one->size_bytes == size_bytes && one->summed == summed)
			return one;
	return NULL;
}
