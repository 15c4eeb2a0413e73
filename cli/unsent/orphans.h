/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/unsent/orphans.h - sending what no mount will: what lies in a spool of
 * sources that are not mounted, and single entries of which a person decides.
 *
 * The layers are made as for a mount, but without one (alone.h).
 *
 * Threads: main thread, which is the only one.
 */
#ifndef CLI_UNSENT_ORPHANS_H
#define CLI_UNSENT_ORPHANS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/path.h"
#include "cache/spool/unsent.h"

#include <stdbool.h>
#include <stdint.h>

struct command_source;
struct spool_entry;

/** What goes together: to one server, by one credential. */
struct orphans_group {
	const char *dir; /* the spool's */
	const char *origin;
	enum spool_from from;
	const char *credential;            /* "": none */
	const struct command_source *with; /* the command's -o */
};

/**
 * Send all of an origin that no mount holds. Says what could not be sent.
 *
 * @return an exit status: STATUS_OK, STATUS_FAILED (it could not be tried),
 *         EX_IOERR (not all was sent).
 */
int orphans_send(const struct orphans_group *group, uint64_t timeout_ms);

/** Publish the bytes of one entry, which stays as it is, at `path` (the
 *  server's): as a new file, or over whatever is there. The entry can only be
 *  removed or released then. @return as orphans_send() */
int orphans_publish(const struct orphans_group *group,
    struct spool_entry *entry, const struct spool_item *item, const char *path,
    bool overwrite);

#endif
