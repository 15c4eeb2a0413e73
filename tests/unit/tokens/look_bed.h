/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/tokens/look_bed.h - looks for tokens of real processes, in a
 * /tmp of the test's own. Needs root.
 */
#ifndef TESTS_UNIT_TOKENS_LOOK_BED_H
#define TESTS_UNIT_TOKENS_LOOK_BED_H

#include "tests/unit/tokens/caller_bed.h"
#include "tokens/find/finding.h"

enum { ALICE = 1001, BOB = 1002, CAROL = 1003 };

/* When tokens end that are good. */
#define LOOK_BED_END_S UINT64_C(4000000000)

/** Take a /tmp and mounts of the process's own; false: not possible. */
bool look_bed_possible(void);

/** A directory for everybody, and a looker with this configuration. */
void look_bed_start(const struct tokens_config *config);
void look_bed_restart(const struct tokens_config *config);
void look_bed_end(void);

struct looker *look_bed_looker(void);

/** A name in the directory; one of eight that are remembered. */
char *look_bed_path(const char *name);

/** "VARIABLE=path"; one of eight that are remembered. */
const char *look_bed_variable(const char *variable, const char *name);

/** Write a good token of this name for a user, mode 600. */
void look_bed_token(const char *name, uid_t uid);

/** Have a process looked at, and read the finding; or the look's code. */
int look_bed_look(const struct bed_who *who, struct finding *out);

#endif
