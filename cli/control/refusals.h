/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/control/refusals.h - what programs were refused, as JSON and as text,
 * with the paths that they used.
 *
 * Threads: control thread.
 */
#ifndef CLI_CONTROL_REFUSALS_H
#define CLI_CONTROL_REFUSALS_H

#include "base/buf.h"
#include "base/path.h"

#include <sys/types.h>

struct describe;

/** Which ones. */
struct refusals_wanted {
	const uid_t *uid; /* whose; NULL: everybody's */
	const char *path; /* of which path of the server, and of those on the
	                     way to it; NULL: of all */
};

/** The path below the mount point that a server's path is seen at. Cut when
 *  it is too long for a path. */
void refusals_path(const struct describe *mount, char out[PATH_BYTES_MAX],
    const char *server_path);

/** Append a JSON array, the latest first. */
void refusals_json(const struct describe *mount,
    const struct refusals_wanted *wanted, struct buf *out);

/** Append a line for each of the latest few under a heading; nothing when
 *  there are none. */
void refusals_text(const struct describe *mount,
    const struct refusals_wanted *wanted, struct buf *out);

#endif
