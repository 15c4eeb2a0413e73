/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount/harden.h - keep tokens out of core files, /proc and children.
 *
 * Threads: main thread. harden_forget() runs when only the threads of the
 * token store exist, which have read the environment for the last time.
 */
#ifndef CLI_MOUNT_HARDEN_H
#define CLI_MOUNT_HARDEN_H

/** No core file, no ptrace and no /proc/PID/mem by the same user: the
 *  process holds tokens. */
void harden_begin(void);

/** A mount of many users is about to be asked: let it look at this process's
 *  environment, as at that of any program of this user, for the token that
 *  they would use. */
void harden_show(void);

/** As it was before harden_begin(): for a child that becomes another program,
 *  and has no token but that of its environment. */
void harden_undo(void);

/** The tokens have been wiped and the process is about to end: leak checkers,
 *  which attach by ptrace, may look again. */
void harden_end(void);

/** Overwrite BEARER_TOKEN in the process's environment (where
 *  /proc/PID/environ reads it) and take it out for children. */
void harden_forget(void);

#endif
