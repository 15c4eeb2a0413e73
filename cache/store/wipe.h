/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/wipe.h - bytes that go out of packs which stay: whole pages are
 * punched out, small files' records are overwritten with zeros.
 *
 * Threads: a wipe belongs to one. May wait.
 */
#ifndef CACHE_STORE_WIPE_H
#define CACHE_STORE_WIPE_H

#include "base/attr.h"
#include "cache/store/extents.h"

#include <stddef.h>
#include <stdint.h>

struct generation;

/** A small file's record that goes: others may share its pages. */
struct wipe_record {
	struct place place;
	size_t size_bytes;
};

struct wipe {
	struct extents doomed;       /* pages that go, */
	struct extents wanted;       /* unless they are named by others */
	struct wipe_record *records; /* malloc'ed */
	size_t count;
	size_t room;
};

/** Nothing goes yet. @retval 0, -ENOMEM; wipe_fini() in any case. */
NODISCARD int wipe_init(struct wipe *wipe, const struct usage *usage);

void wipe_fini(struct wipe *wipe);

/** A record goes. @retval 0, -ENOMEM */
NODISCARD int wipe_note(
    struct wipe *wipe, struct place place, size_t size_bytes);

/** Do it. Packs of which nothing is left go whole, unless they are being
 *  written. @retval 0, or -errno. */
NODISCARD int wipe_all(const struct wipe *wipe, struct generation *generation);

#endif
