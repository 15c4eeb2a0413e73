/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/exec/space.h - a mount namespace of one's own, and where it is forbidden,
 * by what.
 *
 * Who may (root) makes just that. Anybody else makes a user namespace around
 * it, in which their own ids, and no others, stand for themselves: who they are
 * and what they may open is as outside. Programs that are setuid gain nothing
 * in there, and files of other users show the owner `nobody`.
 *
 * Sources: user_namespaces(7), mount_namespaces(7), unshare(2); Debian's
 * kernel.unprivileged_userns_clone; Ubuntu's AppArmor restriction.
 *
 * Threads: a process that has one; the kernel refuses any other a user
 * namespace, with EINVAL (unshare(2)).
 */
#ifndef CLI_EXEC_SPACE_H
#define CLI_EXEC_SPACE_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

/** What a machine says about namespaces of ordinary users. */
struct space_facts {
	int code;               /* -errno of the attempt */
	unsigned threads_count; /* threads of this process; 0: not known */
	bool mounting; /* namespaces were made, mounting in them failed */
	bool unknown;  /* the kernel was built without user namespaces */
	bool clone_forbidden; /* kernel.unprivileged_userns_clone = 0 */
	bool none_allowed;    /* user.max_user_namespaces = 0 */
	bool apparmor;        /* kernel.apparmor_restrict_unprivileged_userns */
};

/** Enter them. What is mounted later elsewhere is seen, what is mounted here is
 *  not seen elsewhere. @retval 0, -EPERM, -ENOSPC, ... without a sentence:
 *  space_look(), space_explain(). */
NODISCARD int space_enter(void);

/** Why did it fail? */
void space_look(struct space_facts *out, int code, bool mounting);

/** The sentence with its cure: pure. @return its code. */
int space_explain(const struct space_facts *facts, struct err *out);

#endif
