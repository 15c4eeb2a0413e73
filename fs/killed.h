/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/killed.h - whether who asked will never see the answer.
 *
 * Threads: any. Waits for nobody: what is read of /proc touches no memory of
 * the process.
 * Source: proc(5), /proc/pid/stat.
 */
#ifndef FS_KILLED_H
#define FS_KILLED_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * Whether a thread was killed by a signal, is gone, or is about to be. One
 * that ends by itself and closes its files meanwhile is not killed: whoever
 * waits for its end may count on what it wrote.
 *
 * @param pid  0 (of another pid namespace): taken as killed, as nobody can
 *             tell.
 */
bool is_killed(pid_t pid);

#endif
