/* SPDX-License-Identifier: Apache-2.0 */
/* cli/control/describe.c - see describe.h. */
#include "cli/control/describe.h"

#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/stats.h"
#include "cache/cache.h"
#include "cache/drafts/drafts.h"
#include "fetch/federation.h"
#include "fetch/fetch.h"
#include "fs/fs.h"
#include "tokens/tokens.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/control/refusals.h"
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

/* What concerns who asks. */
static void add_own_json(
    const struct describe *mount, const struct describe_to *to, struct buf *out)
{
	const struct refusals_wanted wanted = {
	    .uid = to->all ? NULL : &to->ident->uid};

	(void)buf_printf(out, ",\"token\":");
	(void)tokens_describe(mount->tokens, to->ident, out);
	(void)buf_printf(out, ",\"refusals\":");
	refusals_json(mount, &wanted, out);
}

/* What is written and not sent, of who asks. */
static void add_writing_json(
    const struct describe *mount, const struct describe_to *to, struct buf *out)
{
	(void)buf_printf(out, ",\"writing\":");
	if (mount->drafts == NULL) {
		(void)buf_printf(out, "null");
		return;
	}
	(void)buf_printf(out, "{\"write\":\"%s\",\"spool_dir\":",
	    mount->write_back ? "back" : "through");
	(void)buf_json(out, to->all ? mount->spool_dir : NULL);
	(void)buf_printf(out, ",\"drafts\":");
	(void)drafts_describe(mount->drafts, to->all, to->ident->uid, out);
	(void)buf_append(out, "}", 1);
}

void describe_federation(const struct describe *mount, struct buf *out)
{
	if (mount->federation == NULL)
		return;
	(void)buf_printf(out, ",\"federation\":");
	(void)federation_describe(mount->federation, out);
}

/* What concerns all of the mount's users together. */
static void add_common_json(const struct describe *mount, struct buf *out)
{
	struct lines lines = {.out = out};

	(void)buf_printf(out, ",\"server_silent_ms\":%" PRIu64 ",\"servers\":",
	    fetch_silent_ms(mount->fetch));
	(void)fetch_describe(mount->fetch, out);
	describe_federation(mount, out);
	(void)buf_printf(out, ",\"cache\":");
	(void)cache_describe(mount->cache, out);
	(void)buf_append(out, ",", 1);
	add_counters(out);
	(void)buf_printf(out, ",\"warnings\":[");
	log_recent(add_json_line, &lines);
	(void)buf_append(out, "]", 1);
}

static uint64_t uptime_s(const struct describe *mount)
{
	uint64_t now_s = clock_wall_s(clock_system());

	return now_s > mount->started_s ? now_s - mount->started_s : 0;
}

int describe_json(
    const struct describe *mount, const struct describe_to *to, struct buf *out)
{
	char stamp[CLOCK_STAMP_BYTES];

	clock_stamp(stamp, mount->started_s);
	(void)buf_printf(out, "{\"state\":\"running\",\"version\":");
	(void)buf_json(out, CLI_VERSION);
	(void)buf_printf(out, ",\"source\":");
	(void)buf_json(out, mount->source);
	(void)buf_printf(out, ",\"mountpoint\":");
	(void)buf_json(out, mount->mountpoint);
	(void)buf_printf(out,
	    ",\"pid\":%d,\"started_at\":\"%s\",\"uptime_s\":%" PRIu64
	    ",\"read_only\":%s,\"shared\":%s,\"timeout_s\":%" PRIu32,
	    (int)getpid(), stamp, uptime_s(mount),
	    mount->drafts == NULL ? "true" : "false",
	    mount->shared ? "true" : "false", mount->timeout_ms / 1000);
	add_own_json(mount, to, out);
	add_writing_json(mount, to, out);
	if (to->all)
		add_common_json(mount, out);
	(void)buf_printf(out, "}\n");
	return buf_code(out);
}

void describe_duration(struct buf *out, uint64_t seconds)
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

void describe_bytes(struct buf *out, uint64_t bytes)
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

void describe_end_line(struct buf *out)
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
	describe_bytes(out, stats_get(STATS_fs_read_bytes));
	(void)buf_printf(out, " given to readers, ");
	describe_bytes(out, stats_get(STATS_fetch_received_bytes));
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

	/* Refusals have their own place. */
	if (strstr(line, " msg=\"refused\" ") != NULL)
		return;
	if (lines->count++ == 0)
		(void)buf_printf(lines->out, "recent warnings:\n");
	(void)buf_printf(lines->out, "  %s\n", line);
}

static void add_silence(const struct describe *mount, struct buf *out)
{
	uint64_t silent_ms = fetch_silent_ms(mount->fetch);

	if (silent_ms < 1000)
		return;
	(void)buf_printf(out, "waiting: no byte has come for ");
	describe_duration(out, silent_ms / 1000);
	(void)buf_printf(out, "; operations fail after %" PRIu32 " s\n",
	    mount->timeout_ms / 1000);
}

static void add_writing_text(const struct describe *mount, struct buf *out)
{
	struct drafts_count count;

	if (mount->drafts == NULL)
		return;
	drafts_count(mount->drafts, &count);
	/* What is in conflict waits for a person, and stands below. */
	if (count.unsent_files == 0) {
		(void)buf_printf(out, "writes: nothing waits to be sent");
		if (count.conflicts > 0)
			(void)buf_printf(out,
			    "; conflicts since the mount began: %" PRIu64,
			    count.conflicts);
		(void)buf_append(out, "\n", 1);
		return;
	}
	(void)buf_printf(out, "writes: %" PRIu64 " %s not on the server yet, ",
	    count.unsent_files,
	    count.unsent_files == 1 ? "file is" : "files are");
	describe_bytes(out, count.unsent_bytes);
	if (count.sent_bytes > 0) {
		(void)buf_printf(out, ", ");
		describe_bytes(out, count.sent_bytes);
		(void)buf_printf(out, " of these sent");
	}
	if (count.failed > 0)
		(void)buf_printf(out,
		    "; %" PRIu64 " could not be sent and %s tried again",
		    count.failed, count.failed == 1 ? "is" : "are");
	(void)buf_append(out, "\n", 1);
}

static void add_common_text(const struct describe *mount, struct buf *out)
{
	struct lines lines = {.out = out};

	if (mount->federation != NULL)
		(void)federation_describe_text(mount->federation, out);
	(void)fetch_describe_text(mount->fetch, out);
	describe_end_line(out);
	add_silence(mount, out);
	(void)cache_describe_text(mount->cache, out);
	describe_end_line(out);
	add_reads(out);
	log_recent(add_text_line, &lines);
}

int describe_text(
    const struct describe *mount, const struct describe_to *to, struct buf *out)
{
	const struct refusals_wanted wanted = {
	    .uid = to->all ? NULL : &to->ident->uid};

	(void)buf_printf(out, "%s on %s\n", mount->source, mount->mountpoint);
	(void)buf_printf(out, "running for ");
	describe_duration(out, uptime_s(mount));
	(void)buf_printf(out, ", pid %d, version %s, %s%s\n", (int)getpid(),
	    CLI_VERSION,
	    mount->drafts == NULL   ? "read-only"
	        : mount->write_back ? "writable (write=back)"
	                            : "writable",
	    mount->shared ? ", shared by many users" : "");
	(void)tokens_describe_text(mount->tokens, to->ident, out);
	describe_end_line(out);
	refusals_text(mount, &wanted, out);
	if (to->all) {
		add_writing_text(mount, out);
		add_common_text(mount, out);
	}
	return buf_code(out);
}
