/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/ident.h - who is asking: data, no behaviour.
 *
 * It travels from the FUSE request down to the token store, so that neither
 * fs nor cache needs to know tokens.
 */
#ifndef BASE_IDENT_H
#define BASE_IDENT_H

#include <stdint.h>
#include <sys/types.h>

struct ident {
	uid_t uid;
	gid_t gid;
	pid_t pid;                 /* thread id as FUSE gives it; 0: unknown */
	uint64_t start_time_ticks; /* of pid, from /proc; 0: not asked */
};

#endif
