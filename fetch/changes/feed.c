/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/feed.c - see feed.h.
 *
 * A window belongs to the fetch thread, but between its way to the feeder and
 * its way back through the mailbox.
 */
#include "fetch/changes/feed.h"

#include "fetch/changes/feeder.h"
#include "fetch/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct window {
	struct post post;
	struct feeder_job job;
	struct feed *feed;
	bool away; /* at the feeder */
	bool full;
	unsigned pass;
	uint64_t offset_bytes;
	size_t size_bytes;
	int code;
	uint8_t *bytes;
};

struct feed {
	atomic_uint references;
	struct fetch *fetch;
	struct mailbox *mailbox; /* a reference */
	struct fetch_bytes source;
	uint64_t size_bytes; /* so far */
	bool whole;          /* and no more will come */
	uint8_t *small;      /* all of it; NULL: by windows */
	struct window windows[FEED_WINDOWS];
	CURL *easy; /* the transfer; NULL: none */
	bool paused;
	unsigned pass;
	uint64_t given_bytes;  /* to libcurl */
	uint64_t wanted_bytes; /* offset of the next window to be asked for */
	int code;
	bool sums; /* a checksum is wanted; set before the first pass */
	enum fetch_algorithm algorithm; /* so is this */
	/* The feeder's, and the fetch thread's once the last window is back. */
	struct fetch_sum *sum;
	unsigned sum_pass;
	uint64_t summed_bytes;
	struct fetch_digest digest;
};

struct feed *feed_get(struct feed *feed)
{
	(void)atomic_fetch_add(&feed->references, 1);
	return feed;
}

void feed_put(struct feed *feed)
{
	if (feed == NULL || atomic_fetch_sub(&feed->references, 1) != 1)
		return;
	if (feed->source.release != NULL)
		feed->source.release(feed->source.arg);
	for (unsigned i = 0; i < FEED_WINDOWS; i++)
		free(feed->windows[i].bytes);
	free(feed->small);
	fetch_sum_free(feed->sum);
	mailbox_put(feed->mailbox);
	free(feed);
}

/* All of [offset, offset + size). */
static int read_whole(const struct fetch_bytes *source, uint64_t offset_bytes,
    uint8_t *out, size_t size_bytes)
{
	while (size_bytes > 0) {
		int64_t got =
		    source->read(source->arg, offset_bytes, out, size_bytes);

		if (got < 0)
			return (int)got;
		if (got == 0 || (uint64_t)got > size_bytes)
			return -EIO;
		out += got;
		offset_bytes += (uint64_t)got;
		size_bytes -= (size_t)got;
	}
	return 0;
}

/* What is small is read here; the others get their windows. */
static int make_room(struct feed *feed)
{
	size_t size_bytes = (size_t)feed->size_bytes;

	if (feed->whole && feed->size_bytes <= FEED_SMALL_BYTES) {
		feed->small = malloc(size_bytes + 1);
		if (feed->small == NULL)
			return -ENOMEM;
		return read_whole(&feed->source, 0, feed->small, size_bytes);
	}
	for (unsigned i = 0; i < FEED_WINDOWS; i++) {
		feed->windows[i].feed = feed;
		feed->windows[i].bytes = malloc(FEED_WINDOW_BYTES);
		if (feed->windows[i].bytes == NULL)
			return -ENOMEM;
	}
	return 0;
}

int feed_new(
    struct feed **out, struct fetch *fetch, const struct fetch_bytes *bytes)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	int code;

	*out = NULL;
	if (feed == NULL) {
		if (bytes->release != NULL)
			bytes->release(bytes->arg);
		return -ENOMEM;
	}
	atomic_init(&feed->references, 1);
	feed->fetch = fetch;
	feed->mailbox = mailbox_get(fetch->mailbox);
	feed->source = *bytes;
	feed->size_bytes = bytes->size_bytes;
	feed->whole = !bytes->grows;
	code = make_room(feed);
	if (code < 0) {
		feed_put(feed);
		return code;
	}
	*out = feed;
	return 0;
}

uint64_t feed_size_bytes(const struct feed *feed)
{
	return feed->size_bytes;
}

bool feed_grows(const struct feed *feed)
{
	return !feed->whole;
}

bool feed_is_hungry(const struct feed *feed)
{
	return feed->paused && !feed->whole &&
	    feed->size_bytes - feed->given_bytes < FEED_WINDOW_BYTES;
}

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

	window->code = read_whole(&feed->source, window->offset_bytes,
	    window->bytes, window->size_bytes);
	if (window->code == 0 && feed->sums)
		add_to_sum(feed, window);
	if (!mailbox_send(feed->mailbox, &window->post))
		feed_put(feed);
}

static void deliver(struct post *post, struct fetch *fetch);

static void send_away(struct feed *feed, struct window *window)
    REQUIRES(fetch_thread);

static void send_away(struct feed *feed, struct window *window)
{
	uint64_t left_bytes = feed->size_bytes - feed->wanted_bytes;

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

/* Whether there is a window's worth, or the end. */
static bool has_more(const struct feed *feed)
{
	uint64_t least_bytes = feed->whole ? 1 : FEED_WINDOW_BYTES;

	return feed->size_bytes - feed->wanted_bytes >= least_bytes;
}

/* Have what is empty filled. */
static void ask_for_more(struct feed *feed) REQUIRES(fetch_thread);

static void ask_for_more(struct feed *feed)
{
	if (feed->fetch->feeder == NULL)
		feed->fetch->feeder = feeder_new();
	if (feed->fetch->feeder == NULL) {
		feed->code = -ENOMEM;
		return;
	}
	for (unsigned i = 0; i < FEED_WINDOWS; i++) {
		struct window *window = &feed->windows[i];

		if (!window->away && !window->full && has_more(feed))
			send_away(feed, window);
	}
}

static struct window *window_at(struct feed *feed, uint64_t offset_bytes)
{
	for (unsigned i = 0; i < FEED_WINDOWS; i++) {
		struct window *window = &feed->windows[i];

		if (window->full && window->offset_bytes <= offset_bytes &&
		    offset_bytes < window->offset_bytes + window->size_bytes)
			return window;
	}
	return NULL;
}

/* Whether the transfer would pause again. */
static bool has_nothing(struct feed *feed)
{
	bool ended = feed->whole && feed->given_bytes == feed->size_bytes;

	return feed->code == 0 && !ended &&
	    window_at(feed, feed->given_bytes) == NULL;
}

/* There may be something to give, or to ask for. */
static void go_on(struct feed *feed) REQUIRES(fetch_thread);

static void go_on(struct feed *feed)
{
	if (feed->easy == NULL)
		return;
	ask_for_more(feed);
	if (feed->paused && !has_nothing(feed)) {
		feed->paused = false;
		(void)curl_easy_pause(feed->easy, CURLPAUSE_CONT);
	}
}

/* A window is back. */
static void deliver(struct post *post, struct fetch *fetch)
{
	struct window *window = CONTAINER_OF(post, struct window, post);
	struct feed *feed = window->feed;

	fetch_assert_thread(fetch);
	window->away = false;
	window->full = window->pass == feed->pass && window->code == 0;
	if (window->pass == feed->pass && window->code != 0)
		feed->code = window->code;
	go_on(feed);
	feed_put(feed);
}

void feed_grow(struct feed *feed, uint64_t size_bytes, bool whole)
{
	assert(!feed->whole && size_bytes >= feed->size_bytes);
	feed->size_bytes = size_bytes;
	feed->whole = whole;
	go_on(feed);
}

void feed_seek(struct feed *feed, uint64_t offset_bytes)
{
	feed->given_bytes = offset_bytes;
	feed->paused = false;
	if (feed->small != NULL)
		return;
	feed->pass++;
	feed->wanted_bytes = offset_bytes;
	for (unsigned i = 0; i < FEED_WINDOWS; i++)
		feed->windows[i].full = false;
	ask_for_more(feed);
}

void feed_want_digest(struct feed *feed, enum fetch_algorithm algorithm)
{
	assert(feed->pass == 0);
	feed->sums = true;
	feed->algorithm = algorithm;
}

void feed_begin(struct feed *feed, CURL *easy)
{
	feed->easy = easy;
	feed_seek(feed, 0);
}

void feed_end(struct feed *feed)
{
	feed->easy = NULL;
	feed->paused = false;
}

size_t feed_take(struct feed *feed, void *out, size_t size_bytes)
{
	uint64_t left_bytes = feed->size_bytes - feed->given_bytes;
	struct window *window;
	const uint8_t *from;

	if (feed->code != 0)
		return CURL_READFUNC_ABORT;
	if (size_bytes > left_bytes)
		size_bytes = (size_t)left_bytes;
	if (size_bytes == 0 && feed->whole)
		return 0;
	if (feed->small != NULL) {
		memcpy(out, feed->small + feed->given_bytes, size_bytes);
		feed->given_bytes += size_bytes;
		return size_bytes;
	}
	window = window_at(feed, feed->given_bytes);
	if (window == NULL) {
		feed->paused = true;
		return CURL_READFUNC_PAUSE;
	}
	from = window->bytes + (feed->given_bytes - window->offset_bytes);
	left_bytes =
	    window->offset_bytes + window->size_bytes - feed->given_bytes;
	if (size_bytes > left_bytes)
		size_bytes = (size_t)left_bytes;
	memcpy(out, from, size_bytes);
	feed->given_bytes += size_bytes;
	if (size_bytes == left_bytes) {
		window->full = false;
		ask_for_more(feed);
	}
	return size_bytes;
}

uint64_t feed_given_bytes(const struct feed *feed)
{
	return feed->given_bytes;
}

int feed_code(const struct feed *feed)
{
	return feed->code;
}

void feed_digest(struct feed *feed, struct fetch_digest *out)
{
	*out = (struct fetch_digest){.known = false};
	if (feed->small != NULL || feed->sum == NULL || !feed->whole ||
	    feed->sum_pass != feed->pass ||
	    feed->summed_bytes != feed->size_bytes ||
	    feed->given_bytes != feed->size_bytes)
		return;
	if (!feed->digest.known)
		fetch_sum_end(feed->sum, &feed->digest);
	*out = feed->digest;
}
