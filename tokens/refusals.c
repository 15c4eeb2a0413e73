/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/refusals.c - see refusals.h. */
#include "tokens/refusals.h"

#include <stddef.h>

/* FNV-1a: a collision keeps one line back. */
static uint64_t hash_of(const char *path, int code)
{
	uint64_t hash = (UINT64_C(0xcbf29ce484222325) ^ (unsigned)-code) *
	    UINT64_C(0x100000001b3);

	for (const char *p = path; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	return hash | 1;
}

static struct refusal_told *find(struct refusals *refusals, uint64_t hash)
{
	for (unsigned i = 0; i < REFUSALS_KNOWN; i++) {
		if (refusals->known[i].hash == hash)
			return &refusals->known[i];
	}
	return NULL;
}

bool refusals_tell(struct refusals *refusals, const char *path, int code,
    uint64_t now_ms, uint64_t *untold)
{
	uint64_t hash = hash_of(path, code);
	struct refusal_told *told = find(refusals, hash);

	if (told != NULL && now_ms - told->told_ms < REFUSALS_AGAIN_MS)
		return false;
	if (refusals->burst == 0 ||
	    now_ms - refusals->burst_ms >= REFUSALS_BURST_MS) {
		refusals->burst = 0;
		refusals->burst_ms = now_ms;
	}
	if (refusals->burst == REFUSALS_BURST) {
		refusals->untold++;
		return false;
	}
	refusals->burst++;
	if (told == NULL) {
		told = &refusals->known[refusals->oldest];
		refusals->oldest = (refusals->oldest + 1) % REFUSALS_KNOWN;
	}
	*told = (struct refusal_told){.hash = hash, .told_ms = now_ms};
	*untold = refusals->untold;
	refusals->untold = 0;
	return true;
}
