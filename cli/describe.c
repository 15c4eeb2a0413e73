/* SPDX-License-Identifier: Apache-2.0 */
/* cli/describe.c - see describe.h. */
#include "cli/describe.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "cache/cache.h"
#include "fetch/fetch.h"
#include "fs/fs.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/control.h"
#include "cli/version.h"

static void add_counters(struct buf *out)
{
	(void)buf_printf(out, "\"counters\":{");
	for (unsigned i = 0; i < STATS_COUNT; i++) {
		enum stats_counter counter = (enum stats_counter)i;

		(void)buf_printf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "",
		    stats_name(counter), stats_get(counter));
	}
	(void)buf_printf(out, "}");
}

struct lines {
	struct buf *out;
	unsigned count;
};

static void add_json_line(void *arg, const char *line)
{
	struct lines *lines = arg;

	if (lines->count++ > 0)
		(void)buf_append(lines->out, ",", 1);
	(void)buf_json(lines->out, line);
}

int describe_json(const struct describe *mount, struct buf *out)
{
	char stamp[CLOCK_STAMP_BYTES];
	uint64_t now_s = clock_wall_s(clock_system());
	struct lines lines = {.out = out};

	clock_stamp(stamp, mount->started_s);
	(void)buf_printf(out, "{\"state\":\"running\",\"version\":");
	(void)buf_json(out, CLI_VERSION);
	(void)buf_printf(out, ",\"source\":");
	(void)buf_json(out, mount->source);
	(void)buf_printf(out, ",\"mountpoint\":");
	(void)buf_json(out, mount->mountpoint);
	(void)buf_printf(out,
	    ",\"pid\":%d,\"started_at\":\"%s\",\"uptime_s\":%" PRIu64
	    ",\"read_only\":true,\"timeout_s\":%" PRIu32
	    ",\"server_silent_ms\":%" PRIu64 ",\"token\":",
	    (int)getpid(), stamp,
	    now_s > mount->started_s ? now_s - mount->started_s : 0,
	    mount->timeout_ms / 1000, fetch_silent_ms(mount->fetch));
	(void)tokens_describe(mount->tokens, NULL, out);
	(void)buf_printf(out, ",\"servers\":");
	(void)fetch_describe(mount->fetch, out);
	(void)buf_printf(out, ",\"cache\":");
	(void)cache_describe(mount->cache, out);
	(void)buf_append(out, ",", 1);
	add_counters(out);
	(void)buf_printf(out, ",\"warnings\":[");
	log_recent(add_json_line, &lines);
	(void)buf_printf(out, "]}\n");
	return buf_code(out);
}

/* "3 d 4 h", "5 min": two units at most. */
static void add_duration(struct buf *out, uint64_t seconds)
{
	if (seconds >= 86400)
		(void)buf_printf(out, "%" PRIu64 " d %" PRIu64 " h",
		    seconds / 86400, seconds % 86400 / 3600);
	else if (seconds >= 3600)
		(void)buf_printf(out, "%" PRIu64 " h %" PRIu64 " min",
		    seconds / 3600, seconds % 3600 / 60);
	else if (seconds >= 60)
		(void)buf_printf(out, "%" PRIu64 " min", seconds / 60);
	else
		(void)buf_printf(out, "%" PRIu64 " s", seconds);
}

static void add_bytes(struct buf *out, uint64_t bytes)
{
	static const char *const units[] = {
	    "bytes", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_COUNT(units)) {
		value /= 1024;
		unit++;
	}
	(void)buf_printf(
	    out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* End the text with a newline, whatever the layer below wrote. */
static void end_line(struct buf *out)
{
	if (out->size_bytes > 0 && out->bytes[out->size_bytes - 1] != '\n')
		(void)buf_append(out, "\n", 1);
}

static void add_reads(struct buf *out)
{
	uint64_t hits = stats_get(STATS_cache_memory_hits) +
	    stats_get(STATS_cache_disk_hits);
	uint64_t all = hits + stats_get(STATS_cache_misses);

	(void)buf_printf(out, "reads: ");
	add_bytes(out, stats_get(STATS_fs_read_bytes));
	(void)buf_printf(out, " given to readers, ");
	add_bytes(out, stats_get(STATS_fetch_received_bytes));
	(void)buf_printf(out, " received");
	if (all > 0)
		(void)buf_printf(out, ", %.0f %% of blocks found here",
		    100.0 * (double)hits / (double)all);
	(void)buf_printf(
	    out, "; %" PRIu64 " requests wait\n", stats_get(STATS_fs_waiting));
}

static void add_text_line(void *arg, const char *line)
{
	struct lines *lines = arg;

	if (lines->count++ == 0)
		(void)buf_printf(lines->out, "recent warnings:\n");
	(void)buf_printf(lines->out, "  %s\n", line);
}

int describe_text(const struct describe *mount, struct buf *out)
{
	uint64_t now_s = clock_wall_s(clock_system());
	uint64_t silent_ms = fetch_silent_ms(mount->fetch);
	struct lines lines = {.out = out};

	(void)buf_printf(out, "%s on %s\n", mount->source, mount->mountpoint);
	(void)buf_printf(out, "running for ");
	add_duration(
	    out, now_s > mount->started_s ? now_s - mount->started_s : 0);
	(void)buf_printf(out, ", pid %d, version %s, read-only\n",
	    (int)getpid(), CLI_VERSION);
	(void)tokens_describe_text(mount->tokens, NULL, out);
	end_line(out);
	(void)fetch_describe_text(mount->fetch, out);
	end_line(out);
	if (silent_ms >= 1000) {
		(void)buf_printf(out, "waiting: no byte has come for ");
		add_duration(out, silent_ms / 1000);
		(void)buf_printf(out, "; operations fail after %" PRIu32 " s\n",
		    mount->timeout_ms / 1000);
	}
	(void)cache_describe_text(mount->cache, out);
	end_line(out);
	add_reads(out);
	log_recent(add_text_line, &lines);
	return buf_code(out);
}

int describe_answer(void *arg, struct control_request *request, struct buf *out,
    struct err *err)
{
	const struct describe *mount = arg;

	(void)err;
	if (strcmp(request->text, "status") == 0)
		return describe_text(mount, out);
	if (strcmp(request->text, "status json") == 0)
		return describe_json(mount, out);
	if (strcmp(request->text, "stop") == 0) {
		log_line(
		    LOG_LEVEL_INFO, LOG_CLI, "stopping", "asked=\"umount\"");
		fs_stop(mount->fs);
		request->hold = true;
		return 0;
	}
	return -EINVAL;
}
