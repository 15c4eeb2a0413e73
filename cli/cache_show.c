/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cache_show.c - `bearerfs cache info` and `check`; see cache.h. */
#include "base/clock.h"

#include <inttypes.h>

#include "cli/cache.h"
#include "cli/command.h"
#include "cli/control/describe.h"
#include "cli/progress.h"
#include "cli/say.h"

enum {
	INFO_BYTES_MAX = 16 * 1024 * 1024,
	FINDINGS_TOLD_MAX = 100, /* the rest is counted */
};

/* Names of the counts, in their order. */
static const char *const count_names[UPKEEP_COUNTS] = {
    [UPKEEP_MEMORY_HITS] = "memory_hits",
    [UPKEEP_DISK_HITS] = "disk_hits",
    [UPKEEP_MISSES] = "misses",
    [UPKEEP_KEPT_BLOCKS] = "kept_blocks",
    [UPKEEP_SHARED_BYTES] = "shared_bytes",
    [UPKEEP_EVICTED_PACKS] = "evicted_packs",
    [UPKEEP_EVICTED_BYTES] = "evicted_bytes",
    [UPKEEP_CORRUPT_BLOCKS] = "corrupt_blocks",
};

int cache_info_json(
    const char *dir, const struct upkeep_info *info, struct buf *out)
{
	(void)buf_printf(out, "{\"dir\":");
	(void)buf_json(out, dir);
	(void)buf_printf(out,
	    ",\"size_bytes\":%" PRIu64 ",\"disk_bytes\":%" PRIu64
	    ",\"free_bytes\":%" PRIu64 ",\"packs\":%" PRIu64
	    ",\"pack_bytes\":%" PRIu64 ",\"maps\":%" PRIu64
	    ",\"map_bytes\":%" PRIu64 ",\"table_bytes\":%" PRIu64,
	    info->bound_bytes, info->disk_bytes, info->free_bytes,
	    info->pack_count, info->pack_bytes, info->map_count,
	    info->map_bytes, info->table_bytes);
	(void)buf_printf(out,
	    ",\"objects\":%" PRIu64 ",\"blocks\":%" PRIu64 ",\"bytes\":%" PRIu64
	    ",\"unique_bytes\":%" PRIu64 ",\"counters\":{\"since_s\":%" PRIu64,
	    info->objects, info->blocks, info->bytes, info->unique_bytes,
	    info->counts.since_s);
	for (unsigned i = 0; i < UPKEEP_COUNTS; i++)
		(void)buf_printf(out, ",\"%s\":%" PRIu64, count_names[i],
		    info->counts.values[i]);
	(void)buf_printf(out, "},\"sources\":[");
	for (size_t i = 0; i < info->source_count; i++) {
		const struct upkeep_source *source = &info->sources[i];

		(void)buf_printf(out, "%s{\"origin\":", i > 0 ? "," : "");
		(void)buf_json(out, source->origin);
		(void)buf_printf(out,
		    ",\"objects\":%" PRIu64 ",\"blocks\":%" PRIu64
		    ",\"bytes\":%" PRIu64 "}",
		    source->objects, source->blocks, source->bytes);
	}
	return buf_printf(out, "]}\n");
}

static void add_counts(const struct upkeep_counts *counts, struct buf *out)
{
	const uint64_t *values = counts->values;
	uint64_t hits = values[UPKEEP_MEMORY_HITS] + values[UPKEEP_DISK_HITS];
	uint64_t all = hits + values[UPKEEP_MISSES];
	char since[CLOCK_STAMP_BYTES];

	if (counts->since_s == 0)
		return;
	clock_stamp(since, counts->since_s);
	(void)buf_printf(out, "since %s:\n", since);
	if (all > 0)
		(void)buf_printf(out,
		    "  %.1f %% of %" PRIu64 " blocks were found: %" PRIu64
		    " in memory, %" PRIu64 " here\n",
		    100.0 * (double)hits / (double)all, all,
		    values[UPKEEP_MEMORY_HITS], values[UPKEEP_DISK_HITS]);
	(void)buf_printf(out, "  %" PRIu64 " blocks were kept; ",
	    values[UPKEEP_KEPT_BLOCKS]);
	describe_bytes(out, values[UPKEEP_SHARED_BYTES]);
	(void)buf_printf(out, " of them were here already\n  evicted: ");
	describe_bytes(out, values[UPKEEP_EVICTED_BYTES]);
	(void)buf_printf(out,
	    " in %" PRIu64 " packs; damaged blocks dropped: %" PRIu64 "\n",
	    values[UPKEEP_EVICTED_PACKS], values[UPKEEP_CORRUPT_BLOCKS]);
}

static void add_space(const struct upkeep_info *info, struct buf *out)
{
	(void)buf_printf(out, "space: ");
	describe_bytes(out, info->disk_bytes);
	(void)buf_printf(out, " of at most ");
	describe_bytes(out, info->bound_bytes);
	(void)buf_printf(out, "; ");
	describe_bytes(out, info->free_bytes);
	(void)buf_printf(out, " are free on its disk\n  ");
	describe_bytes(out, info->pack_bytes);
	(void)buf_printf(out, " in %" PRIu64 " packs, ", info->pack_count);
	describe_bytes(out, info->map_bytes);
	(void)buf_printf(out, " in %" PRIu64 " maps, ", info->map_count);
	describe_bytes(out, info->table_bytes);
	(void)buf_printf(out, " in tables\n");
}

int cache_info_text(
    const char *dir, const struct upkeep_info *info, struct buf *out)
{
	(void)buf_printf(out, "cache: ");
	(void)buf_visible(out, dir);
	(void)buf_printf(out, "\n");
	add_space(info, out);
	(void)buf_printf(out, "holds: %" PRIu64 " files, ", info->objects);
	describe_bytes(out, info->bytes);
	(void)buf_printf(out, " in %" PRIu64 " blocks, ", info->blocks);
	describe_bytes(out, info->bytes - info->unique_bytes);
	(void)buf_printf(out, " of them saved by keeping equal ones once\n");
	for (size_t i = 0; i < info->source_count; i++) {
		(void)buf_printf(out, "  ");
		(void)buf_visible(out, info->sources[i].origin);
		(void)buf_printf(
		    out, ": %" PRIu64 " files, ", info->sources[i].objects);
		describe_bytes(out, info->sources[i].bytes);
		(void)buf_printf(out, "\n");
	}
	add_counts(&info->counts, out);
	return buf_code(out);
}

static void show(void *arg, uint64_t done_bytes, uint64_t all_bytes)
{
	progress_show(arg, done_bytes, all_bytes);
}

int cache_show(struct cache_command *command)
{
	struct progress bar;
	const struct upkeep_progress progress = {.tell = show, .arg = &bar};
	struct upkeep_info info = {.bound_bytes = 0};
	struct err err = ERR_INIT;
	struct buf out;
	int code = 0;

	progress_begin(&bar, "info", PROGRESS_PARTS);
	if (command->upkeep != NULL)
		code = upkeep_info(command->upkeep, &info, &progress, &err);
	progress_clear(&bar);
	if (code < 0) {
		upkeep_info_fini(&info);
		return cache_failed(&err);
	}
	buf_init(&out, INFO_BYTES_MAX);
	code = command->json ? cache_info_json(command->dir, &info, &out)
	                     : cache_info_text(command->dir, &info, &out);
	if (code == 0)
		code = say_out(buf_text(&out));
	buf_fini(&out);
	upkeep_info_fini(&info);
	return code < 0
	    ? say_exit(STATUS_FAILED, "cache: %s", err_message(code))
	    : STATUS_OK;
}

/* What is found while the bar is shown. */
struct finding {
	struct progress bar;
	uint64_t told;
};

static void show_check(void *arg, uint64_t done_bytes, uint64_t all_bytes)
{
	struct finding *finding = arg;

	progress_show(&finding->bar, done_bytes, all_bytes);
}

static void tell(void *arg, const struct upkeep_finding *found)
{
	struct finding *finding = arg;

	if (++finding->told > FINDINGS_TOLD_MAX)
		return;
	progress_clear(&finding->bar);
	switch (found->damage) {
	case UPKEEP_BLOCK:
		say("cache '%s%s', block %" PRIu64
		    ": does not verify; dropped, to be fetched again",
		    found->origin, found->path, found->block);
		break;
	case UPKEEP_RECORD:
		say("cache '%s%s': does not verify; dropped, to be fetched "
		    "again",
		    found->origin[0] != '\0' ? found->origin : "a small file",
		    found->path);
		break;
	case UPKEEP_MAP:
		say("cache map '%s': is none of ours; removed", found->file);
		break;
	case UPKEEP_ENTRY:
		say("cache table '%s': an entry is not right; cleared",
		    found->file);
		break;
	}
}

static int tell_result(
    const struct cache_command *command, const struct upkeep_check *result)
{
	struct buf out;
	int code;

	buf_init(&out, INFO_BYTES_MAX);
	(void)buf_printf(&out, "%" PRIu64 " files, %" PRIu64 " blocks, ",
	    result->objects, result->blocks);
	describe_bytes(&out, result->bytes);
	(void)buf_printf(&out, " are right\n");
	code = buf_code(&out);
	if (code == 0)
		code = say_out(buf_text(&out));
	buf_fini(&out);
	if (code < 0)
		return say_exit(STATUS_FAILED, "cache: %s", err_message(code));
	if (result->damaged == 0)
		return STATUS_OK;
	return say_exit(STATUS_FAILED,
	    "cache '%s': %" PRIu64 " damaged parts were dropped; look at the "
	    "disk's health if it happens again",
	    command->dir, result->damaged);
}

int cache_check(struct cache_command *command)
{
	struct finding finding = {.told = 0};
	const struct upkeep_progress progress = {
	    .tell = show_check, .arg = &finding};
	struct upkeep_check result = {.objects = 0};
	struct err err = ERR_INIT;
	int code = 0;

	progress_begin(&finding.bar, "check", PROGRESS_BYTES);
	if (command->upkeep != NULL)
		code = upkeep_check(
		    command->upkeep, &result, tell, &progress, &err);
	progress_clear(&finding.bar);
	if (finding.told > FINDINGS_TOLD_MAX)
		say("cache: and %" PRIu64 " more",
		    finding.told - FINDINGS_TOLD_MAX);
	return code < 0 ? cache_failed(&err) : tell_result(command, &result);
}
