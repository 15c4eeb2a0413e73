/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/delay_way.h - one direction of a connection through delay_proxy: the
 * bytes on their way, and when they are taken as sent, with all limits.
 */
#ifndef BENCH_DELAY_WAY_H
#define BENCH_DELAY_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tool.h"

enum {
	CHUNK_BYTES = 64 * 1024,
	/* In flight in one direction; 20 ms at 6 GB/s. */
	IN_FLIGHT_BYTES_MAX = 128 * 1024 * 1024,
};

/* Seconds of a limited connection's rate that wait in the proxy. */
static const double QUEUE_S = 0.01;

/* Bytes that arrived together. */
struct chunk {
	struct chunk *next;
	double due; /* monotonic */
	size_t size_bytes;
	size_t sent_bytes;
	unsigned char bytes[CHUNK_BYTES];
};

/* One direction of a connection. */
struct pipe_way {
	int from;
	int to;
	struct chunk *head;
	struct chunk *tail;
	size_t in_flight_bytes;
	double not_before; /* nothing is taken as sent earlier */
	bool answers;      /* it leads to the client */
	bool asked;        /* and there was a question since the last bytes */
	bool met;          /* and the first answer has gone */
	bool ended;        /* end of file was read, at `end_due` */
	bool shut;         /* and passed on */
	double end_due;
};

static double rate_bytes_s;  /* of a connection; 0: no limit */
static double total_bytes_s; /* of all towards the client; 0: no limit */
static double total_free_at; /* when they have carried what they were given */
static uint64_t stall_every; /* answers; 0: none stalls */
static double stall_s;
static uint64_t answers;

/* When the connection, or the server, has carried enough of what it was given
 * to take more; at once for one without a limit. */
static double room_at(const struct pipe_way *way)
{
	double at = rate_bytes_s > 0 ? way->not_before - QUEUE_S : 0;

	if (total_bytes_s > 0 && way->answers && total_free_at - QUEUE_S > at)
		at = total_free_at - QUEUE_S;
	return at;
}

static bool has_room(const struct pipe_way *way)
{
	return way->in_flight_bytes < IN_FLIGHT_BYTES_MAX &&
	    room_at(way) <= now_s();
}

/* When bytes that came now are taken as sent. */
static double sent_at(struct pipe_way *way, size_t size_bytes)
{
	double now = now_s();

	if (way->answers && way->asked) {
		if (way->met && stall_every > 0 && ++answers % stall_every == 0)
			way->not_before = now + stall_s;
		way->met = true;
		way->asked = false;
	}
	if (now < way->not_before)
		now = way->not_before;
	if (rate_bytes_s > 0) {
		now += (double)size_bytes / rate_bytes_s;
		way->not_before = now;
	}
	if (total_bytes_s > 0 && way->answers) {
		if (now < total_free_at)
			now = total_free_at;
		now += (double)size_bytes / total_bytes_s;
		total_free_at = now;
	}
	return now;
}

#endif
