/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/kill_shim.h - a process that ends at the chosen one
 * of its system calls that change a disk: in front of it, or, for a write, in
 * the middle. As kill -9 does.
 *
 * Link with SOURCES kill_shim.c WRAP ${SPOOL_CALLS}.
 */
#ifndef TESTS_UNIT_CACHE_SPOOL_KILL_SHIM_H
#define TESTS_UNIT_CACHE_SPOOL_KILL_SHIM_H

#include <stdbool.h>

enum { KILL_STATUS = 77 };

/** End at the `nth` call from now on; 0: live. */
void kill_at(unsigned nth, bool in_the_middle);

#endif
