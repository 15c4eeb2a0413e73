/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/stream.c - see stream.h. */
#include "cache/ahead/stream.h"

#include <string.h>

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Is this read the next one, or one of the next that came out of order? The
 * tolerance grows with the read, so that small random reads do not meet. */
static bool goes_on(const struct stream *stream, const struct stream_read *read)
{
	uint64_t behind = 4 * read->size_bytes;
	uint64_t before = larger(2 * read->size_bytes, STREAM_SKIP_BYTES);

	if (stream->used == 0)
		return false;
	if (read->offset_bytes >= stream->end_bytes)
		return read->offset_bytes - stream->end_bytes <= before;
	return stream->end_bytes - read->offset_bytes <= behind &&
	    read->offset_bytes >= stream->start_bytes;
}

static struct stream *find_stream(
    struct streams *streams, const struct stream_read *read)
{
	struct stream *best = NULL;

	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		struct stream *stream = &streams->stream[i];

		if (goes_on(stream, read) &&
		    (best == NULL || stream->used > best->used))
			best = stream;
	}
	return best;
}

static struct stream *oldest_stream(struct streams *streams)
{
	struct stream *oldest = &streams->stream[0];

	for (unsigned i = 1; i < STREAMS_MAX; i++)
		if (streams->stream[i].used < oldest->used)
			oldest = &streams->stream[i];
	return oldest;
}

/* A window at most: its share, where many streams are read in turns. */
static uint64_t cap_of(const struct streams *streams,
    const struct stream *stream, const struct stream_read *read)
{
	uint64_t active = 1;

	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		const struct stream *other = &streams->stream[i];

		active += other != stream && other->window_bytes > 0 &&
		    streams->count - other->used < STREAM_ACTIVE_READS;
	}
	if (read->room_bytes == 0)
		return read->cap_bytes;
	return smaller(read->cap_bytes,
	    larger(read->room_bytes / active, STREAM_WINDOW_MIN_BYTES));
}

/* Twice what was read so far: what is fetched in vain when the reader stops
 * stays in proportion, and a long reader soon has the whole window. */
static uint64_t window_of(
    const struct stream *stream, const struct stream_read *read, uint64_t cap)
{
	uint64_t read_bytes = stream->end_bytes - stream->start_bytes;
	uint64_t window = larger(2 * read_bytes, STREAM_WINDOW_MIN_BYTES);

	if (stream->start_bytes == 0 && read->size_bytes >= STREAM_FIRST_BYTES)
		window = larger(window, STREAM_WINDOW_START_BYTES);
	return larger(smaller(window, cap), smaller(stream->window_bytes, cap));
}

static void plan_ahead(const struct streams *streams, struct stream *stream,
    const struct stream_read *read, struct stream_plan *plan)
{
	uint64_t cap = cap_of(streams, stream, read);
	uint64_t from = larger(stream->ahead_bytes, stream->end_bytes);
	uint64_t until;

	stream->window_bytes = window_of(stream, read, cap);
	plan->window_bytes = stream->window_bytes;
	plan->full = stream->window_bytes >= cap;
	/* A range at a time, or half a small window: ranges stay long. */
	if (from - stream->end_bytes > stream->window_bytes -
	        smaller(read->step_bytes, stream->window_bytes / 2))
		return;
	until =
	    smaller(stream->end_bytes + stream->window_bytes, read->file_bytes);
	if (until <= from)
		return;
	plan->from_bytes = from;
	plan->until_bytes = until;
	stream->ahead_bytes = until;
}

static void note_step(struct streams *streams, const struct stream_read *read,
    struct stream_plan *plan)
{
	int64_t step =
	    (int64_t)read->offset_bytes - (int64_t)streams->last_bytes;

	if (streams->count > 1 && step == streams->step_bytes && step != 0)
		streams->step_repeats++;
	else
		streams->step_repeats = 0;
	streams->step_bytes = step;
	streams->last_bytes = read->offset_bytes;
	if (plan->sequential ||
	    streams->step_repeats + 1 < STREAM_STRIDE_REPEATS)
		return;
	plan->step_bytes = step;
	/* 2, 4, then 8 of them. */
	plan->strides =
	    2u << (streams->step_repeats + 1 - STREAM_STRIDE_REPEATS > 2
	            ? 2
	            : streams->step_repeats + 1 - STREAM_STRIDE_REPEATS);
}

struct stream_plan streams_note(
    struct streams *streams, const struct stream_read *read)
{
	struct stream_plan plan = {0};
	struct stream *stream = find_stream(streams, read);
	uint64_t end = read->offset_bytes + read->size_bytes;

	streams->count++;
	if (stream == NULL) {
		stream = oldest_stream(streams);
		*stream = (struct stream){
		    .start_bytes = read->offset_bytes,
		    .first_end_bytes = end,
		    .end_bytes = end,
		};
		/* A large read at the very start announces a whole pass. */
		plan.sequential = read->offset_bytes == 0 &&
		    read->size_bytes >= STREAM_FIRST_BYTES;
	} else {
		stream->end_bytes = larger(stream->end_bytes, end);
		/* Reading the same again leads nowhere. */
		plan.sequential = stream->end_bytes > stream->first_end_bytes;
	}
	stream->used = streams->count;
	plan.stream = (unsigned)(stream - streams->stream);
	if (plan.sequential)
		plan_ahead(streams, stream, read, &plan);
	note_step(streams, read, &plan);
	return plan;
}

void streams_cut(struct streams *streams, const struct stream_plan *plan,
    uint64_t until_bytes)
{
	struct stream *stream = &streams->stream[plan->stream];

	if (stream->ahead_bytes == plan->until_bytes)
		stream->ahead_bytes = until_bytes;
}
