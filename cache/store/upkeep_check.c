/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/upkeep_check.c - is everything in a directory right? See
 * upkeep.h. Blocks are read and judged by what readers use (load.c), which
 * drops what is damaged.
 */
#include "base/stats.h"
#include "cache/store/impl.h"
#include "cache/store/upkeep_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct checking {
	struct upkeep *upkeep;
	struct upkeep_check *out;
	upkeep_found_fn found;
	const struct upkeep_progress *progress;
	uint64_t all_bytes;
	void *buffers[STORE_RUN_BLOCKS];
	const struct upkeep_map *map; /* that is looked at */
	uint64_t first; /* a row of its blocks that are yet to be read */
	unsigned count;
};

static void tell_found(
    struct checking *checking, const struct upkeep_finding *finding)
{
	checking->out->damaged++;
	checking->found(checking->progress->arg, finding);
}

static void note_read(struct checking *checking, uint64_t bytes)
{
	checking->out->bytes += bytes;
	upkeep_tell(
	    checking->progress, checking->out->bytes, checking->all_bytes);
}

static void note_blocks(struct checking *checking, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		note_read(checking,
		    version_block_bytes(
		        checking->map->object, checking->first + i));
	checking->out->blocks += count;
}

/* Read a row of blocks. One that is not given was damaged, or went. */
static void read_row(struct checking *checking)
{
	while (checking->count > 0) {
		uint64_t corrupt = stats_get(STATS_cache_corrupt_blocks);
		int n = store_load(checking->map->object, checking->first,
		    checking->count, STORE_WAIT, checking->buffers);
		unsigned done = n > 0 ? (unsigned)n : 1;

		if (n > 0)
			note_blocks(checking, done);
		else if (stats_get(STATS_cache_corrupt_blocks) > corrupt)
			tell_found(checking,
			    &(struct upkeep_finding){.damage = UPKEEP_BLOCK,
			        .origin = checking->map->name->origin,
			        .path = checking->map->name->path,
			        .block = checking->first,
			        .file = ""});
		checking->first += done;
		checking->count -= done;
	}
}

static int check_block(
    void *arg, uint64_t index, struct place place, size_t size_bytes)
{
	struct checking *checking = arg;

	(void)place;
	(void)size_bytes;
	if (checking->count > 0 &&
	    (index != checking->first + checking->count ||
	        checking->count == STORE_RUN_BLOCKS))
		read_row(checking);
	if (checking->count == 0)
		checking->first = index;
	checking->count++;
	return 0;
}

static int check_map(void *arg, const struct upkeep_map *map)
{
	struct checking *checking = arg;
	int maps_fd = checking->upkeep->generation->maps_fd;
	int code;

	if (map->object == NULL) {
		tell_found(checking,
		    &(struct upkeep_finding){.damage = UPKEEP_MAP,
		        .origin = "",
		        .path = "",
		        .file = map->file});
		if (unlinkat(maps_fd, map->file, 0) < 0)
			(void)unlinkat(maps_fd, map->file, AT_REMOVEDIR);
		return 0;
	}
	checking->map = map;
	code = upkeep_each_block(map, check_block, checking);
	read_row(checking);
	checking->out->objects++;
	return code;
}

static int check_record(void *arg, const struct upkeep_record *record)
{
	struct checking *checking = arg;

	if (record->right) {
		checking->out->objects++;
		checking->out->blocks++;
		note_read(checking, record->record.content_bytes);
		return 0;
	}
	tell_found(checking,
	    &(struct upkeep_finding){.damage = UPKEEP_RECORD,
	        .origin = record->name->origin,
	        .path = record->name->path,
	        .file = ""});
	stats_add(STATS_cache_corrupt_blocks, 1);
	table_remove(&checking->upkeep->generation->objects, record->entry);
	return 0;
}

static int check_table(
    struct checking *checking, const struct table *table, const char *name)
{
	for (uint32_t i = 0; i < table->buckets; i++) {
		int torn = table_scrub(table, i);

		if (torn < 0)
			return torn;
		for (; torn > 0; torn--)
			tell_found(checking,
			    &(struct upkeep_finding){.damage = UPKEEP_ENTRY,
			        .origin = "",
			        .path = "",
			        .file = name});
	}
	return 0;
}

static int check_all(struct checking *checking)
{
	struct upkeep *upkeep = checking->upkeep;
	int code = check_table(checking, &upkeep->generation->blocks, "blocks");

	if (code == 0)
		code = check_table(
		    checking, &upkeep->generation->objects, "objects");
	if (code == 0)
		code = upkeep_each_map(upkeep, check_map, checking);
	if (code == 0)
		code = upkeep_each_record(upkeep, check_record, checking);
	return code;
}

int upkeep_check(struct upkeep *upkeep, struct upkeep_check *out,
    upkeep_found_fn found, const struct upkeep_progress *progress,
    struct err *err)
{
	struct checking checking = {
	    .upkeep = upkeep, .out = out, .found = found, .progress = progress};
	const struct upkeep_progress quiet = {.tell = NULL};
	struct upkeep_info info;
	int code = upkeep_info(upkeep, &info, &quiet, err);

	*out = (struct upkeep_check){.objects = 0};
	checking.all_bytes = info.bytes;
	upkeep_info_fini(&info);
	if (code < 0)
		return code;
	for (unsigned i = 0; i < STORE_RUN_BLOCKS; i++)
		checking.buffers[i] = (uint8_t *)upkeep->store->scratch +
		    (size_t)i * STORE_BLOCK_BYTES;
	code = check_all(&checking);
	return code < 0 ? upkeep_fail(upkeep, code, err) : 0;
}
