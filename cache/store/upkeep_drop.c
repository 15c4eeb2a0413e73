/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/upkeep_drop.c - taking an origin's files out of a directory; see
 * upkeep.h.
 *
 * First what names them goes: maps, entries of small files, and the entries
 * by which their blocks would be shared with what is fetched from now on.
 * When mounts have let go of what was gone (they look each second), what
 * nobody else names is punched out of its pack. A mount that wrote an entry
 * for such a block in between finds it damaged, and fetches it again.
 */
#include "base/path.h"
#include "cache/store/harvest.h"
#include "cache/store/impl.h"
#include "cache/store/upkeep_impl.h"
#include "cache/store/wipe.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEPS = 5 }; /* of the progress that is told */

struct dropping {
	struct upkeep *upkeep;
	struct upkeep_dropped *out;
	const char *origin;
	const char *path;
	struct wipe wipe;
	struct extents *into; /* where blocks of the file are noted */
};

static bool is_to_go(
    const struct dropping *dropping, const struct upkeep_name *name)
{
	return strcmp(name->origin, dropping->origin) == 0 &&
	    path_is_within(name->path, dropping->path);
}

static int note_block(
    void *arg, uint64_t index, struct place place, size_t size_bytes)
{
	struct dropping *dropping = arg;

	(void)index;
	return place.pack == 0 ? 0
	                       : extents_add(dropping->into, place, size_bytes);
}

static int drop_map(void *arg, const struct upkeep_map *map)
{
	struct dropping *dropping = arg;
	int code;

	if (map->object == NULL || !is_to_go(dropping, map->name))
		return 0;
	dropping->into = &dropping->wipe.doomed;
	code = upkeep_each_block(map, note_block, dropping);
	if (code < 0)
		return code;
	if (unlinkat(dropping->upkeep->generation->maps_fd, map->file, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	dropping->out->objects++;
	return 0;
}

static int drop_record(void *arg, const struct upkeep_record *record)
{
	struct dropping *dropping = arg;
	int code;

	if (!record->right || !is_to_go(dropping, record->name))
		return 0;
	code = wipe_note(
	    &dropping->wipe, record->entry->place, record->record.extent_bytes);
	if (code < 0)
		return code;
	table_remove(&dropping->upkeep->generation->objects, record->entry);
	dropping->out->objects++;
	return 0;
}

static bool is_doomed(const void *arg, struct place place)
{
	const struct dropping *dropping = arg;

	return extents_has(&dropping->wipe.doomed, place);
}

/* Nothing is shared with them any more. */
static int drop_entries(struct dropping *dropping)
{
	const struct table *blocks = &dropping->upkeep->generation->blocks;
	struct harvest harvest;
	int code;

	harvest_init(&harvest);
	while (harvest_next(&harvest, blocks, is_doomed, dropping)) {
		for (size_t i = 0; i < harvest.count; i++)
			table_remove(blocks, &harvest.entries[i]);
	}
	code = harvest.code;
	harvest_fini(&harvest);
	return code;
}

static int keep_map(void *arg, const struct upkeep_map *map)
{
	struct dropping *dropping = arg;

	dropping->into = &dropping->wipe.wanted;
	return map->object == NULL
	    ? 0
	    : upkeep_each_block(map, note_block, dropping);
}

static int keep_record(void *arg, const struct upkeep_record *record)
{
	struct dropping *dropping = arg;

	return record->right
	    ? extents_add(&dropping->wipe.wanted, record->entry->place,
	          record->record.extent_bytes)
	    : 0;
}

static void let_go(const struct upkeep *upkeep)
{
	struct timespec pause = {.tv_sec = upkeep->let_go_ms / 1000,
	    .tv_nsec = upkeep->let_go_ms % 1000 * 1000000L};

	(void)nanosleep(&pause, NULL);
}

static int drop_names(
    struct dropping *dropping, const struct upkeep_progress *progress)
{
	int code = upkeep_each_map(dropping->upkeep, drop_map, dropping);

	upkeep_tell(progress, 1, STEPS);
	if (code == 0)
		code =
		    upkeep_each_record(dropping->upkeep, drop_record, dropping);
	upkeep_tell(progress, 2, STEPS);
	return code == 0 ? drop_entries(dropping) : code;
}

static int drop_bytes(
    struct dropping *dropping, const struct upkeep_progress *progress)
{
	int code;

	let_go(dropping->upkeep);
	upkeep_tell(progress, 3, STEPS);
	code = upkeep_each_map(dropping->upkeep, keep_map, dropping);
	if (code == 0)
		code =
		    upkeep_each_record(dropping->upkeep, keep_record, dropping);
	upkeep_tell(progress, 4, STEPS);
	return code == 0
	    ? wipe_all(&dropping->wipe, dropping->upkeep->generation)
	    : code;
}

int upkeep_drop(struct upkeep *upkeep, const char *origin, const char *path,
    struct upkeep_dropped *out, const struct upkeep_progress *progress,
    struct err *err)
{
	struct dropping dropping = {
	    .upkeep = upkeep, .out = out, .origin = origin, .path = path};
	struct usage before;
	struct usage after = {.packs = NULL};
	int code = upkeep_count(upkeep, &before, err);

	*out = (struct upkeep_dropped){.objects = 0};
	if (code < 0) {
		usage_fini(&before);
		return code;
	}
	code = wipe_init(&dropping.wipe, &before);
	if (code == 0)
		code = drop_names(&dropping, progress);
	if (code == 0 && out->objects > 0)
		code = drop_bytes(&dropping, progress);
	if (code == 0)
		code = usage_count(upkeep->store, upkeep->generation, &after);
	if (code == 0 && before.disk_bytes > after.disk_bytes)
		out->bytes = before.disk_bytes - after.disk_bytes;
	usage_fini(&before);
	usage_fini(&after);
	wipe_fini(&dropping.wipe);
	return code < 0 ? upkeep_fail(upkeep, code, err) : 0;
}
