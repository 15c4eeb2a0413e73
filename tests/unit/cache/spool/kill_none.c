/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/kill_none.c - for tests of the model in which nobody
 * is killed: they wrap other calls.
 */
#include "tests/unit/cache/spool/kill_shim.h"

#include <assert.h>

void kill_at(unsigned nth, bool in_the_middle)
{
	(void)in_the_middle;
	assert(nth == 0);
}
