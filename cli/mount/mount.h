/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount/mount.h - the one place that wires the layers of a mount.
 *
 * Threads: main thread, before any other.
 */
#ifndef CLI_MOUNT_MOUNT_H
#define CLI_MOUNT_MOUNT_H

struct daemon;
struct plan;

/**
 * Make the layers, start, report to whoever waits, serve until the end, and
 * take everything down in order.
 *
 * Errors and warnings are said on stderr while there is one.
 *
 * @return exit status.
 */
int mount_run(const struct plan *plan, struct daemon *daemon);

#endif
