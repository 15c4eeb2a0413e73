/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/unsent/place.h - where unsent writes of a user lie: the directories of
 * their mounts and the default one; and which of them belong to a mount.
 *
 * Threads: main thread.
 */
#ifndef CLI_UNSENT_PLACE_H
#define CLI_UNSENT_PLACE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/path.h"
#include "cache/spool/unsent.h"

#include <limits.h>
#include <stdbool.h>

#include "cli/mounts.h"

enum { UNSENT_ORIGIN_BYTES = 512, UNSENT_MOUNTS_MAX = 256 };

/** A living mount. */
struct unsent_mount {
	struct mount_entry entry;
	char origin[UNSENT_ORIGIN_BYTES];
	char source_path[PATH_BYTES_MAX]; /* the server's, of the root */
	char dir[PATH_MAX];               /* its spool; "": read-only */
};

/** Ask a mount. @retval 0 or as control_query() */
NODISCARD int unsent_mount_ask(
    struct unsent_mount *out, const struct mount_entry *entry, struct err *err);

/** Whether what an entry tells of is below the source of a mount, and in its
 *  spool. */
bool unsent_is_of(const struct unsent_mount *mount, const char *dir,
    const struct spool_item *item);

/** The server's path of a path in the mount, or the mount's of the server's
 *  (with its mount point in front). @retval -ENAMETOOLONG, -ENOENT: outside */
NODISCARD int unsent_server_path(const struct unsent_mount *mount,
    char out[PATH_BYTES_MAX], const char *inside);
NODISCARD int unsent_shown_path(const struct unsent_mount *mount,
    char out[PATH_BYTES_MAX], const char *server_path);

struct unsent_places {
	unsigned mount_count;
	struct unsent_mount *mounts[UNSENT_MOUNTS_MAX]; /* owned */
	unsigned dir_count;
	char *dirs[UNSENT_MOUNTS_MAX + 1]; /* owned; each once, the default one
	                                      first */
};

void unsent_places_fini(struct unsent_places *places);

/** Begin with one directory: the wanted one, or the default; where there is
 *  none, with nothing. @retval 0, -ENOMEM */
NODISCARD int unsent_places_init(
    struct unsent_places *places, const char *wanted, struct err *err);

/** Add a mount and its directory; one that does not answer, or of which there
 *  are too many, is left out. @return the mount, borrowed; NULL: left out, with
 *  a sentence. */
const struct unsent_mount *unsent_places_add(struct unsent_places *places,
    const struct mount_entry *entry, struct err *err);

/** Add all mounts whose owner this user is. `left_out` (NULL is allowed) hears
 *  of each that does not answer. @retval 0, -errno of the list of mounts */
NODISCARD int unsent_places_add_own(struct unsent_places *places,
    void (*left_out)(
        void *arg, const struct mount_entry *entry, const struct err *why),
    void *arg, struct err *err);

/** The mount to which an entry belongs; NULL: to none that lives. */
const struct unsent_mount *unsent_places_owner(
    const struct unsent_places *places, const char *dir,
    const struct spool_item *item);

#endif
