/* SPDX-License-Identifier: Apache-2.0 */
/* fs/patience.c - see patience.h. */
#include "fs/patience.h"

void patience_init(struct patience *patience, unsigned processors)
{
	*patience = (struct patience){.processors = processors};
}

uint64_t patience_us(const struct patience *patience)
{
	return patience->processors > 1 && patience->quick >= PATIENCE_QUICK_MIN
	    ? PATIENCE_US_MAX
	    : 0;
}

void patience_waited(struct patience *patience, uint64_t waited_us)
{
	if (waited_us > PATIENCE_US_MAX)
		patience->quick = 0;
	else if (patience->quick < PATIENCE_QUICK_MIN)
		patience->quick++;
}
