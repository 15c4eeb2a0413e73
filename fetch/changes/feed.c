/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/changes/feed.c - see feed.h, feed_impl.h. */
#include "fetch/changes/feed_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int feed_read_whole(const struct fetch_bytes *source, uint64_t offset_bytes,
    uint8_t *out, size_t size_bytes, bool *waits)
{
	while (size_bytes > 0) {
		int64_t got = source->read(
		    source->arg, offset_bytes, out, size_bytes, !*waits);

		if (got == -EAGAIN && !*waits) {
			*waits = true;
			continue;
		}
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

/* What is small is read here. */
static int read_small(struct feed *feed)
{
	size_t size_bytes = (size_t)feed->size_bytes;
	bool waits = true;

	if (!feed->whole || feed->size_bytes > FEED_SMALL_BYTES)
		return 0;
	feed->small = malloc(size_bytes + 1);
	if (feed->small == NULL)
		return -ENOMEM;
	return feed_read_whole(
	    &feed->source, 0, feed->small, size_bytes, &waits);
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
	code = read_small(feed);
	if (code < 0) {
		feed_put(feed);
		return code;
	}
	*out = feed;
	return 0;
}

size_t feed_room_bytes(const struct feed *feed)
{
	return feed->small != NULL ? FEED_SMALL_BYTES : FEED_WINDOW_BYTES;
}

uint64_t feed_size_bytes(const struct feed *feed)
{
	return feed->size_bytes;
}

bool feed_has_more(const struct feed *feed)
{
	return feed->small == NULL && !feed->paused && feed->code == 0 &&
	    feed->given_bytes < feed->size_bytes;
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

uint64_t feed_least_bytes(const struct feed *feed)
{
	return feed->whole ? 1 : FEED_WINDOW_BYTES;
}

/* Whether libcurl is given them right out of the file. Windows that are there
 * already are used first: one thread at a time reads the file. */
static bool is_direct(const struct feed *feed)
{
	return !feed->windowed && !feed_has_windows(feed);
}

/* Whether the transfer would pause again. */
static bool has_nothing(struct feed *feed)
{
	bool ended = feed->whole && feed->given_bytes == feed->size_bytes;

	if (feed->code != 0 || ended)
		return false;
	return is_direct(feed)
	    ? feed->size_bytes - feed->given_bytes < feed_least_bytes(feed)
	    : feed_window_at(feed, feed->given_bytes) == NULL;
}

void feed_go_on(struct feed *feed)
{
	if (feed->easy == NULL)
		return;
	if (!is_direct(feed))
		feed_fill(feed);
	if (feed->paused && !has_nothing(feed)) {
		feed->paused = false;
		(void)curl_easy_pause(feed->easy, CURLPAUSE_CONT);
	}
}

void feed_grow(struct feed *feed, uint64_t size_bytes, bool whole)
{
	assert(!feed->whole && size_bytes >= feed->size_bytes);
	feed->size_bytes = size_bytes;
	feed->whole = whole;
	feed_go_on(feed);
}

void feed_seek(struct feed *feed, uint64_t offset_bytes)
{
	feed->given_bytes = offset_bytes;
	feed->paused = false;
	if (feed->small != NULL)
		return;
	if (!is_direct(feed))
		feed_refill(feed, offset_bytes);
}

void feed_want_digest(struct feed *feed, enum fetch_algorithm algorithm)
{
	assert(feed->pass == 0 && feed->easy == NULL);
	feed->sums = true;
	feed->windowed = true;
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

/* Out of a window; 0: there is none. */
static size_t take_filled(struct feed *feed, void *out, size_t size_bytes)
    REQUIRES(fetch_thread);
static size_t take_filled(struct feed *feed, void *out, size_t size_bytes)
{
	struct window *window = feed_window_at(feed, feed->given_bytes);
	uint64_t at;

	if (window == NULL)
		return 0;
	at = feed->given_bytes - window->offset_bytes;
	if (size_bytes > window->size_bytes - at)
		size_bytes = window->size_bytes - (size_t)at;
	memcpy(out, window->bytes + at, size_bytes);
	if (at + size_bytes == window->size_bytes) {
		window->full = false;
		feed_fill(feed);
	}
	return size_bytes;
}

/* Out of the file; 0: not without waiting, or not yet. */
static size_t take_direct(struct feed *feed, void *out, size_t size_bytes)
    REQUIRES(fetch_thread);
static size_t take_direct(struct feed *feed, void *out, size_t size_bytes)
{
	const struct fetch_bytes *source = &feed->source;
	int64_t got;

	if (has_nothing(feed))
		return 0;
	got =
	    source->read(source->arg, feed->given_bytes, out, size_bytes, true);
	if (got == -EAGAIN) {
		feed_refill(feed, feed->given_bytes);
		return 0;
	}
	if (got <= 0 || (uint64_t)got > size_bytes) {
		feed->code = got < 0 ? (int)got : -EIO;
		return 0;
	}
	return (size_t)got;
}

size_t feed_take(struct feed *feed, void *out, size_t size_bytes)
{
	uint64_t left_bytes = feed->size_bytes - feed->given_bytes;

	if (feed->code != 0)
		return CURL_READFUNC_ABORT;
	if (size_bytes > left_bytes)
		size_bytes = (size_t)left_bytes;
	if (size_bytes == 0 && feed->whole)
		return 0;
	if (feed->small != NULL)
		memcpy(out, feed->small + feed->given_bytes, size_bytes);
	else if (is_direct(feed))
		size_bytes = take_direct(feed, out, size_bytes);
	else
		size_bytes = take_filled(feed, out, size_bytes);
	if (feed->code != 0)
		return CURL_READFUNC_ABORT;
	if (size_bytes == 0) {
		feed->paused = true;
		return CURL_READFUNC_PAUSE;
	}
	feed->given_bytes += size_bytes;
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
