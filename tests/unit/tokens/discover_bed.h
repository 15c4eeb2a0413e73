/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/tokens/discover_bed.h - a search for tokens in a directory and an
 * environment of the test's own.
 */
#ifndef TESTS_UNIT_TOKENS_DISCOVER_BED_H
#define TESTS_UNIT_TOKENS_DISCOVER_BED_H

#include "tokens/find/discover.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The wall clock of these tests; files made now are settled by then. */
#define NOW UINT64_C(3000000000)

struct discover_bed {
	char dir[256];
	struct discover *discover;
	struct finding found;
};

extern struct discover_bed discover_bed;

/** A path in the directory; one of four texts. */
char *discover_bed_in_dir(const char *name);

/** A user id that has no file in /tmp, whatever machine this is. */
uid_t discover_bed_uid_of_test(void);

/** Whether this user has one there all the same: then /tmp counts. */
bool discover_bed_own_token_in_tmp(void);

/** Begin with that option; NULL: none. */
void discover_bed_begin(const char *token_file);

/** Look; the result is in `found`. */
void discover_bed_look(uint64_t now_s);

/** A token file. */
void discover_bed_put(const char *path, const char *name, uint64_t expires_s);

/** The first of what was found is this one. */
void discover_bed_found(const char *name);

/** Of each test. */
int discover_bed_set_up(void **state);
int discover_bed_tear_down(void **state);

#endif
