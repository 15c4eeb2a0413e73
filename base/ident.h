/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/ident.h - who is asking: data, no behaviour.
 *
 * It travels from the FUSE request down to the token store, so that neither
 * fs nor cache needs to know tokens.
 */
#ifndef BASE_IDENT_H
#define BASE_IDENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ident {
	uid_t uid;
	gid_t gid;
	pid_t pid; /* thread id as FUSE gives it; 0: unknown */
	/* The program that asks, where a mount serves many: from /proc, at the
	 * time of the request, so that a number that is used again later is
	 * not taken for it. */
	pid_t tgid;                /* its process; 0: not known */
	uint64_t start_time_ticks; /* when that began, since boot */
	uint64_t env_start;        /* where its environment lies: an exec
				      moves it */
};

/** In `pid` and `tgid`: no process asks. It is done for a user, some time after
 *  they wanted it. */
enum { IDENT_OF_USER = -1 };

/** The same user, of whom no process is known. */
static inline struct ident ident_of_user(uid_t uid, gid_t gid)
{
	return (struct ident){.uid = uid,
	    .gid = gid,
	    .pid = IDENT_OF_USER,
	    .tgid = IDENT_OF_USER};
}

/** Whether one program in one process asks, with the same ids. */
static inline bool ident_same(const struct ident *a, const struct ident *b)
{
	return a->tgid != 0 && a->tgid == b->tgid &&
	    a->start_time_ticks == b->start_time_ticks &&
	    a->env_start == b->env_start && a->uid == b->uid &&
	    a->gid == b->gid;
}

#endif
