/* SPDX-License-Identifier: Apache-2.0 */
/* fs/patience.c - see patience.h. */
#include "fs/patience.h"

void patience_init(struct patience *patience, unsigned processors)
{
	*patience = (struct patience){.processors = processors};
}

bool patience_looks(struct patience *patience, uint64_t now_us)
{
	if (patience->since_us == 0)
		patience->since_us = now_us;
	return patience->processors > 1 &&
	    patience->quick >= PATIENCE_QUICK_MIN &&
	    now_us - patience->since_us < PATIENCE_US_MAX;
}

void patience_pauses(struct patience *patience)
{
	patience->paused = true;
}

void patience_ends(struct patience *patience, uint64_t now_us)
{
	if (patience->paused) {
		patience->paused = false;
	} else if (patience->since_us == 0 ||
	    now_us - patience->since_us <= PATIENCE_US_MAX) {
		if (patience->quick < PATIENCE_QUICK_MIN)
			patience->quick++;
	} else {
		patience->quick = 0;
	}
	patience->since_us = 0;
}
