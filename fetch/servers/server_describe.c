/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/server_describe.c - what `status` shows of a server, see server.h. */
#include "base/clock.h"
#include "fetch/engine.h"
#include "fetch/fetch.h"
#include "fetch/servers/server.h"

#include <inttypes.h>
#include <string.h>

/* What the lock guards, copied out. */
struct shown {
	char name[FETCH_NAME_BYTES];
	const char *state;
	int status;
	char error[ERR_TEXT_BYTES];
	unsigned percent; /* of all bytes */
};

static void look(struct fetch_server *server, const struct server_frame *frame,
    struct shown *out)
{
	uint64_t bytes = atomic_load(&server->received_bytes);

	out->percent = frame->received_bytes == 0
	    ? 0
	    : (unsigned)(bytes * 100 / frame->received_bytes);
	server_enter(server);
	memcpy(out->name, server->source.origin, sizeof(out->name));
	out->status = server->last_status;
	memcpy(out->error, server->last_error, sizeof(out->error));
	if (server->shown_down)
		out->state = "down";
	else if (frame->now_ms < atomic_load(&server->rests_until_ms))
		out->state = "resting";
	else
		out->state = out->status == 0 ? "unknown" : "up";
	server_leave(server);
}

static const char *role_of(const struct fetch_server *server)
{
	if (server->is_listings)
		return "listings";
	return server->is_origin ? "origin" : "cache";
}

int server_describe(struct fetch_server *server,
    const struct server_frame *frame, struct buf *out)
{
	uint64_t latency_us = atomic_load(&server->latency_us);
	struct shown shown;
	int64_t skew_s;

	look(server, frame, &shown);
	(void)buf_printf(out, "{\"url\":");
	(void)buf_json(out, shown.name);
	(void)buf_printf(out,
	    ",\"role\":\"%s\",\"state\":\"%s\",\"latency_ms\":%" PRIu64
	    ".%03" PRIu64 ",\"requests\":%" PRIu64
	    ",\"received_bytes\":%" PRIu64 ",\"share_percent\":%u,"
	    "\"rate_bytes_per_s\":%" PRIu64 ",\"hedges\":%" PRIu64
	    ",\"hedges_won\":%" PRIu64 ",\"hedge_bytes\":%" PRIu64
	    ",\"last_status\":%d,\"last_error\":",
	    role_of(server), shown.state, latency_us / 1000, latency_us % 1000,
	    atomic_load(&server->requests),
	    atomic_load(&server->received_bytes), shown.percent,
	    atomic_load(&server->rate_bytes_per_s),
	    atomic_load(&server->hedges), atomic_load(&server->hedges_won),
	    atomic_load(&server->hedge_bytes), shown.status);
	(void)buf_json(out, shown.error[0] == '\0' ? NULL : shown.error);
	if (server_skew_s(server, &skew_s))
		(void)buf_printf(out, ",\"clock_skew_s\":%" PRId64 "}", skew_s);
	else
		(void)buf_printf(out, ",\"clock_skew_s\":null}");
	return buf_code(out);
}

int server_describe_text(struct fetch_server *server,
    const struct server_frame *frame, struct buf *out)
{
	uint64_t latency_us = atomic_load(&server->latency_us);
	uint64_t rate = atomic_load(&server->rate_bytes_per_s);
	uint64_t hedges = atomic_load(&server->hedges);
	struct shown shown;

	look(server, frame, &shown);
	(void)buf_printf(out,
	    "server: %s (%s) %s, %" PRIu64 ".%01" PRIu64
	    " ms to the first byte, %" PRIu64 " requests, %" PRIu64
	    " bytes (%u %%)",
	    shown.name, role_of(server), shown.state, latency_us / 1000,
	    latency_us % 1000 / 100, atomic_load(&server->requests),
	    atomic_load(&server->received_bytes), shown.percent);
	if (rate > 0)
		(void)buf_printf(
		    out, ", %.1f MB/s a transfer", (double)rate / 1e6);
	if (hedges > 0)
		(void)buf_printf(out,
		    ", asked %" PRIu64 " times for what another was late with "
		    "(%" PRIu64 " times the sooner)",
		    hedges, atomic_load(&server->hedges_won));
	(void)buf_append(out, "\n", 1);
	if (shown.error[0] != '\0')
		(void)buf_printf(
		    out, "server: last problem: %s\n", shown.error);
	return buf_code(out);
}

/* Whether it is to be shown: a place that nobody has is not, but for the
 * origin's. */
static bool is_shown(const struct fetch *fetch, unsigned place)
{
	const struct fetch_server *server = &fetch->servers[place];

	return server == fetch->origin || !atomic_load(&server->absent);
}

static struct server_frame frame_of(struct fetch *fetch)
{
	struct server_frame frame = {.now_ms = clock_now_ms(fetch->clock)};

	for (unsigned i = 0; i < fetch->server_count; i++)
		frame.received_bytes +=
		    atomic_load(&fetch->servers[i].received_bytes);
	return frame;
}

int fetch_describe(struct fetch *fetch, struct buf *out)
{
	struct server_frame frame = frame_of(fetch);
	const char *before = "[";

	for (unsigned i = 0; i < fetch->server_count; i++) {
		if (!is_shown(fetch, i))
			continue;
		(void)buf_append(out, before, 1);
		(void)server_describe(&fetch->servers[i], &frame, out);
		before = ",";
	}
	(void)buf_append(out, "]", 1);
	return buf_code(out);
}

int fetch_describe_text(struct fetch *fetch, struct buf *out)
{
	struct server_frame frame = frame_of(fetch);

	for (unsigned i = 0; i < fetch->server_count; i++)
		if (is_shown(fetch, i))
			(void)server_describe_text(
			    &fetch->servers[i], &frame, out);
	return buf_code(out);
}
