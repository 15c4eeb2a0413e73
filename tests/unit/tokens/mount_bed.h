/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/tokens/mount_bed.h - a FUSE mount that answers nothing, to see
 * who asks it. Needs root.
 */
#ifndef TESTS_UNIT_TOKENS_MOUNT_BED_H
#define TESTS_UNIT_TOKENS_MOUNT_BED_H

#include <stdbool.h>
#include <sys/types.h>

struct mount_bed {
	int fd; /* of /dev/fuse; -1: none */
	char path[512];
};

/** Have mounts of this process's own; false: not possible here. */
bool mount_bed_private(void);

/** Mount on a directory; `type` is "fuse." and a subtype. */
void mount_bed_start(struct mount_bed *bed, const char *path, const char *type);
void mount_bed_end(struct mount_bed *bed);

/** How many requests have come since the last question, but for those that
 *  only take back an earlier one. */
unsigned mount_bed_requests(const struct mount_bed *bed);

/** Let processes go to the mount's root: each may ask whether, once. Ends with
 *  waitpid(2). */
pid_t mount_bed_let_in(const struct mount_bed *bed);

/** How many come from something that waits for their answers: none is given,
 *  and the mount is dead afterwards. */
unsigned mount_bed_requests_of(
    struct mount_bed *bed, int (*run)(void *arg), void *arg);

#endif
