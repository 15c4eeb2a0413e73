/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/upkeep_info.c - what a directory holds; see upkeep.h.
 */
#include "cache/store/counts.h"
#include "cache/store/extents.h"
#include "cache/store/impl.h"
#include "cache/store/upkeep_impl.h"
#include "cache/store/uses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

struct survey {
	struct upkeep_info *info;
	struct extents extents;       /* pages that are named */
	struct upkeep_source *source; /* of the file that is looked at */
	const struct upkeep_progress *progress;
	uint64_t all_bytes; /* of maps and small files' table */
};

/* Where an origin's files are counted. */
static struct upkeep_source *source_of(
    struct upkeep_info *info, const char *origin)
{
	struct upkeep_source *bigger;

	/* Files of one origin mostly follow one another. */
	for (size_t i = info->source_count; i > 0; i--)
		if (strcmp(info->sources[i - 1].origin, origin) == 0)
			return &info->sources[i - 1];
	bigger =
	    realloc(info->sources, (info->source_count + 1) * sizeof(*bigger));
	if (bigger == NULL)
		return NULL;
	info->sources = bigger;
	bigger += info->source_count;
	*bigger = (struct upkeep_source){.origin = strdup(origin)};
	if (bigger->origin == NULL)
		return NULL;
	info->source_count++;
	return bigger;
}

static int add_block(
    void *arg, uint64_t index, struct place place, size_t size_bytes)
{
	struct survey *survey = arg;

	(void)index;
	if (place.pack == 0)
		return 0;
	survey->source->blocks++;
	survey->source->bytes += size_bytes;
	if (extents_has(&survey->extents, place))
		return 0;
	survey->info->unique_bytes += size_bytes;
	return extents_add(&survey->extents, place, size_bytes);
}

static int add_map(void *arg, const struct upkeep_map *map)
{
	struct survey *survey = arg;
	uint64_t before;
	int code;

	survey->info->map_count++;
	upkeep_tell(survey->progress, survey->info->map_count * 4096,
	    survey->all_bytes);
	if (map->object == NULL)
		return 0;
	survey->source = source_of(survey->info, map->name->origin);
	if (survey->source == NULL)
		return -ENOMEM;
	before = survey->source->blocks;
	code = upkeep_each_block(map, add_block, survey);
	/* One without blocks waits to be removed. */
	survey->source->objects += survey->source->blocks > before;
	return code;
}

static int add_record(void *arg, const struct upkeep_record *record)
{
	struct survey *survey = arg;
	struct upkeep_source *source;

	if (!record->right)
		return 0;
	source = source_of(survey->info, record->name->origin);
	if (source == NULL)
		return -ENOMEM;
	source->objects++;
	source->blocks++;
	source->bytes += record->record.content_bytes;
	survey->info->unique_bytes += record->record.content_bytes;
	return 0;
}

static int compare_sources(const void *a, const void *b)
{
	const struct upkeep_source *left = a;
	const struct upkeep_source *right = b;

	if (left->bytes != right->bytes)
		return left->bytes > right->bytes ? -1 : 1;
	return strcmp(left->origin, right->origin);
}

static void sum_up(struct upkeep_info *info)
{
	for (size_t i = 0; i < info->source_count; i++) {
		info->objects += info->sources[i].objects;
		info->blocks += info->sources[i].blocks;
		info->bytes += info->sources[i].bytes;
	}
	if (info->source_count > 0)
		qsort(info->sources, info->source_count, sizeof(*info->sources),
		    compare_sources);
}

static void take_usage(
    struct upkeep *upkeep, const struct usage *usage, struct upkeep_info *info)
{
	const struct generation *generation = upkeep->generation;
	struct statvfs disk;

	info->bound_bytes = usage->bound_bytes;
	info->disk_bytes = usage->disk_bytes;
	info->pack_count = usage->pack_count;
	info->map_bytes = usage->map_bytes;
	for (size_t i = 0; i < usage->pack_count; i++)
		info->pack_bytes += usage->packs[i].disk_bytes;
	info->table_bytes =
	    usage->disk_bytes - info->pack_bytes - usage->map_bytes;
	if (fstatvfs(generation->dir_fd, &disk) == 0)
		info->free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
}

int upkeep_info(struct upkeep *upkeep, struct upkeep_info *out,
    const struct upkeep_progress *progress, struct err *err)
{
	struct survey survey = {.info = out, .progress = progress};
	struct usage usage;
	int code;

	*out = (struct upkeep_info){.bound_bytes = 0};
	code = upkeep_count(upkeep, &usage, err);
	if (code < 0) {
		usage_fini(&usage);
		return code;
	}
	take_usage(upkeep, &usage, out);
	survey.all_bytes = usage.map_bytes;
	counts_read(upkeep->generation, &out->counts);
	code = extents_init(&survey.extents, &usage);
	usage_fini(&usage);
	if (code == 0)
		code = upkeep_each_map(upkeep, add_map, &survey);
	if (code == 0)
		code = upkeep_each_record(upkeep, add_record, &survey);
	extents_fini(&survey.extents);
	sum_up(out);
	return code < 0 ? upkeep_fail(upkeep, code, err) : 0;
}

void upkeep_info_fini(struct upkeep_info *info)
{
	for (size_t i = 0; i < info->source_count; i++)
		free(info->sources[i].origin);
	free(info->sources);
	*info = (struct upkeep_info){.sources = NULL};
}
