/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/feed_fill.c - the bytes of an upload that have to be waited
 * for, or summed: windows that a thread of their own fills. See feed_impl.h.
 */
#include "fetch/changes/feed_impl.h"

#include <errno.h>
#include <stdlib.h>

/* In the order in which they are read; a pass that began anew starts a sum. */
static void add_to_sum(struct feed *feed, const struct window *window)
{
	if (window->offset_bytes == 0) {
		fetch_sum_free(feed->sum);
		feed->sum = fetch_sum_new(feed->algorithm);
		feed->sum_pass = window->pass;
		feed->summed_bytes = 0;
		feed->digest.known = false;
	}
	if (feed->sum == NULL || feed->sum_pass != window->pass ||
	    feed->summed_bytes != window->offset_bytes)
		return;
	fetch_sum_add(feed->sum, window->bytes, window->size_bytes);
	feed->summed_bytes += window->size_bytes;
}

/* On the feeder's thread. */
static void fill(struct feeder_job *job)
{
	struct window *window = CONTAINER_OF(job, struct window, job);
	struct feed *feed = window->feed;

	window->waited = feed->sums;
	window->code = feed_read_whole(&feed->source, window->offset_bytes,
	    window->bytes, window->size_bytes, &window->waited);
	if (window->code == 0 && feed->sums)
		add_to_sum(feed, window);
	if (!mailbox_send(feed->mailbox, &window->post))
		feed_put(feed);
}

/* A window is back. */
static void deliver(struct post *post, struct fetch *fetch)
{
	struct window *window = CONTAINER_OF(post, struct window, post);
	struct feed *feed = window->feed;

	fetch_assert_thread(fetch);
	window->away = false;
	if (window->pass == feed->pass) {
		window->full = window->code == 0;
		feed->windowed = window->waited;
		if (window->code != 0)
			feed->code = window->code;
	}
	feed_go_on(feed);
	feed_put(feed);
}

static void send_away(struct feed *feed, struct window *window)
    REQUIRES(fetch_thread);

static void send_away(struct feed *feed, struct window *window)
{
	uint64_t left_bytes = feed->size_bytes - feed->wanted_bytes;

	if (window->bytes == NULL)
		window->bytes = malloc(FEED_WINDOW_BYTES);
	if (window->bytes == NULL) {
		feed->code = -ENOMEM;
		return;
	}
	window->feed = feed;
	window->post.deliver = deliver;
	window->away = true;
	window->full = false;
	window->pass = feed->pass;
	window->offset_bytes = feed->wanted_bytes;
	window->size_bytes = left_bytes < FEED_WINDOW_BYTES ? (size_t)left_bytes
	                                                    : FEED_WINDOW_BYTES;
	feed->wanted_bytes += window->size_bytes;
	(void)feed_get(feed);
	window->job.run = fill;
	feeder_do(feed->fetch->feeder, &window->job);
}

bool feed_has_windows(const struct feed *feed)
{
	for (unsigned i = 0; i < FEED_WINDOWS; i++) {
		const struct window *window = &feed->windows[i];

		if (window->full ||
		    (window->away && window->pass == feed->pass))
			return true;
	}
	return false;
}

void feed_fill(struct feed *feed)
{
	if (!feed->windowed)
		return;
	if (feed->fetch->feeder == NULL)
		feed->fetch->feeder = feeder_new();
	if (feed->fetch->feeder == NULL) {
		feed->code = -ENOMEM;
		return;
	}
	for (unsigned i = 0; i < FEED_WINDOWS; i++) {
		struct window *window = &feed->windows[i];

		if (!window->away && !window->full &&
		    feed->size_bytes - feed->wanted_bytes >=
		        feed_least_bytes(feed))
			send_away(feed, window);
	}
}

void feed_refill(struct feed *feed, uint64_t offset_bytes)
{
	feed->pass++;
	feed->windowed = true;
	feed->wanted_bytes = offset_bytes;
	for (unsigned i = 0; i < FEED_WINDOWS; i++)
		feed->windows[i].full = false;
	feed_fill(feed);
}

struct window *feed_window_at(struct feed *feed, uint64_t offset_bytes)
{
	for (unsigned i = 0; i < FEED_WINDOWS; i++) {
		struct window *window = &feed->windows[i];

		if (window->full && window->offset_bytes <= offset_bytes &&
		    offset_bytes < window->offset_bytes + window->size_bytes)
			return window;
	}
	return NULL;
}
