/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/server_metrics.c - the numbers of servers for Prometheus. */
#include "base/clock.h"
#include "fetch/engine.h"
#include "fetch/fetch.h"
#include "fetch/servers/server.h"

#include <string.h>

/* One family: each server has a sample of it. */
struct family {
	const char *name; /* behind "bearerfs_server_" */
	const char *kind;
	const char *help;
	double (*value)(struct fetch_server *server, uint64_t now_ms);
};

static double up(struct fetch_server *server, uint64_t now_ms)
{
	bool down;

	server_enter(server);
	down = server->shown_down;
	server_leave(server);
	return !down && now_ms >= atomic_load(&server->rests_until_ms);
}

static double latency(struct fetch_server *server, uint64_t now_ms)
{
	(void)now_ms;
	return (double)atomic_load(&server->latency_us) / 1e6;
}

static double rate(struct fetch_server *server, uint64_t now_ms)
{
	(void)now_ms;
	return (double)atomic_load(&server->rate_bytes_per_s);
}

static double requests(struct fetch_server *server, uint64_t now_ms)
{
	(void)now_ms;
	return (double)atomic_load(&server->requests);
}

static double received(struct fetch_server *server, uint64_t now_ms)
{
	(void)now_ms;
	return (double)atomic_load(&server->received_bytes);
}

static double hedges(struct fetch_server *server, uint64_t now_ms)
{
	(void)now_ms;
	return (double)atomic_load(&server->hedges);
}

static double hedges_won(struct fetch_server *server, uint64_t now_ms)
{
	(void)now_ms;
	return (double)atomic_load(&server->hedges_won);
}

static double hedge_bytes(struct fetch_server *server, uint64_t now_ms)
{
	(void)now_ms;
	return (double)atomic_load(&server->hedge_bytes);
}

static const struct family families[] = {
    {"up", "gauge", "1: neither unreachable nor resting after a failure", up},
    {"latency_seconds", "gauge", "to the first byte, moving average", latency},
    {"rate_bytes_per_second", "gauge", "of one transfer; 0: not measured",
        rate},
    {"requests_total", "counter", "HTTP requests sent to it", requests},
    {"received_bytes_total", "counter", "body bytes received from it",
        received},
    {"hedges_total", "counter",
        "ranges it was asked for because another server was late", hedges},
    {"hedges_won_total", "counter", "of these, how many it answered first",
        hedges_won},
    {"hedge_bytes_total", "counter", "bytes it was so asked for", hedge_bytes},
};

static const char *role_of(const struct fetch_server *server)
{
	if (server->is_listings)
		return "listings";
	return server->is_origin ? "origin" : "cache";
}

static void add_sample(const struct family *family, struct fetch_server *server,
    const char *labels, uint64_t now_ms, struct buf *out)
{
	char name[sizeof(server->source.origin)];

	server_enter(server);
	memcpy(name, server->source.origin, sizeof(name));
	server_leave(server);
	/* An origin is scheme, host and port: nothing in it has to be
	 * escaped. */
	(void)buf_printf(out,
	    "bearerfs_server_%s{%s,server=\"%s\",role=\"%s\"} %.17g\n",
	    family->name, labels, name, role_of(server),
	    family->value(server, now_ms));
}

int fetch_metrics(struct fetch *fetch, const char *labels, struct buf *out)
{
	uint64_t now_ms = clock_now_ms(fetch->clock);

	for (size_t i = 0; i < ARRAY_COUNT(families); i++) {
		const struct family *family = &families[i];

		(void)buf_printf(out,
		    "# HELP bearerfs_server_%s %s\n"
		    "# TYPE bearerfs_server_%s %s\n",
		    family->name, family->help, family->name, family->kind);
		for (unsigned k = 0; k < fetch->server_count; k++) {
			struct fetch_server *server = &fetch->servers[k];

			if (!atomic_load(&server->absent))
				add_sample(family, server, labels, now_ms, out);
		}
	}
	return buf_code(out);
}
