/* SPDX-License-Identifier: Apache-2.0 */
/* cli/control/metrics_tell.c - see metrics_tell.h. */
#include "cli/control/metrics_tell.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/stats.h"
#include "cache/drafts/drafts.h"
#include "fetch/fetch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/control/describe.h"
#include "cli/version.h"

/* name="value", escaped as the format wants it. */
static void add_label(struct buf *out, const char *name, const char *value)
{
	(void)buf_printf(out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			(void)buf_append(out, "\\n", 2);
		else if (*value == '\\' || *value == '"')
			(void)buf_printf(out, "\\%c", *value);
		else
			(void)buf_append(out, value, 1);
	}
	(void)buf_append(out, "\"", 1);
}

static void add_family(
    struct buf *out, const char *name, const char *kind, const char *help)
{
	(void)buf_printf(out, "# HELP bearerfs_%s %s\n# TYPE bearerfs_%s %s\n",
	    name, help, name, kind);
}

static void add_counters(const char *labels, struct buf *out)
{
	for (unsigned i = 0; i < STATS_COUNT; i++) {
		enum stats_counter counter = (enum stats_counter)i;
		const char *kind = stats_kind(counter);
		char name[64];

		(void)snprintf(name, sizeof(name), "%s%s", stats_name(counter),
		    strcmp(kind, "counter") == 0 ? "_total" : "");
		add_family(out, name, kind, stats_help(counter));
		(void)buf_printf(out, "bearerfs_%s{%s} %" PRIu64 "\n", name,
		    labels, stats_get(counter));
	}
}

/* One sample of a family of its own. */
static void add_number(struct buf *out, const char *labels, const char *name,
    const char *kind, const char *help, uint64_t value)
{
	add_family(out, name, kind, help);
	(void)buf_printf(
	    out, "bearerfs_%s{%s} %" PRIu64 "\n", name, labels, value);
}

static void add_writing(
    const struct describe *mount, const char *labels, struct buf *out)
{
	struct drafts_count count = {.unsent_files = 0};

	if (mount->drafts != NULL)
		drafts_count(mount->drafts, &count);
	add_number(out, labels, "unsent_files", "gauge",
	    "files written and not on the server yet", count.unsent_files);
	add_number(out, labels, "unsent_bytes", "gauge", "bytes of these files",
	    count.unsent_bytes);
	add_number(out, labels, "unsent_failed", "gauge",
	    "of these files, those that could not be sent and are tried again",
	    count.failed);
	add_number(out, labels, "write_conflicts_total", "counter",
	    "files not sent because the server has another version",
	    count.conflicts);
}

int metrics_tell(const struct describe *mount, struct buf *out)
{
	uint64_t now_s = clock_wall_s(clock_system());
	struct buf labels;
	int code;

	buf_init(&labels, (size_t)4 * PATH_BYTES_MAX);
	add_label(&labels, "mountpoint", mount->mountpoint);
	add_family(out, "info", "gauge", "version and source of the mount");
	(void)buf_printf(out, "bearerfs_info{%s,", buf_text(&labels));
	add_label(out, "source", mount->source);
	(void)buf_append(out, ",", 1);
	add_label(out, "version", CLI_VERSION);
	(void)buf_printf(out, "} 1\n");
	add_family(out, "uptime_seconds", "gauge", "since the mount began");
	(void)buf_printf(out, "bearerfs_uptime_seconds{%s} %" PRIu64 "\n",
	    buf_text(&labels),
	    now_s > mount->started_s ? now_s - mount->started_s : 0);
	add_family(out, "server_silent_seconds", "gauge",
	    "since the last byte of any answer; 0: nothing is asked for");
	(void)buf_printf(out, "bearerfs_server_silent_seconds{%s} %.3f\n",
	    buf_text(&labels), (double)fetch_silent_ms(mount->fetch) / 1e3);
	(void)fetch_metrics(mount->fetch, buf_text(&labels), out);
	add_writing(mount, buf_text(&labels), out);
	add_counters(buf_text(&labels), out);
	code = buf_code(&labels);
	buf_fini(&labels);
	return code < 0 ? code : buf_code(out);
}
