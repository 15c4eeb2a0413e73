/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/own.c - whether what is in the way of a draft is the draft.
 *
 * A try whose end nobody here has seen - the process was killed, or the answer
 * was lost and nobody could look - may have put it there: the next one then
 * finds a file where there was to be none, or another version. No server tells
 * who wrote a file, and of sizes and times nobody can be sure, so the bytes
 * are compared. When all of them are the same, it was sent.
 *
 * Never at the first try: who makes a lock file with O_EXCL wants to hear that
 * another has, be it as empty as theirs.
 *
 * And it may have been changed since that try: then what it was is here no
 * more, but for its sum (tries.c). When that is the sum of what stands there,
 * this is what the draft is compared with from now on, and it is sent again,
 * over that version and no other. What is too large for a sum stays a conflict;
 * of what has the size of such a one the sentence says so.
 */
#include "base/log.h"
#include "cache/drafts/send/send.h"
#include "cache/note.h"
#include "fetch/digest.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	OWN_READ_BYTES = 256 * 1024,
	OWN_LOOKS_MAX = SPOOL_TRIES_MAX, /* of one flight: others may be late */
	TELL_MS = 1000,
};
static_assert((int)OWN_READ_BYTES <= (int)CACHE_READ_BYTES_MAX, "one read");

enum own_is {
	OWN_IS_NOT, /* or nobody can tell */
	OWN_IS_NOW, /* what is to be sent */
	OWN_WAS,    /* what an earlier try sent */
};

struct own {
	struct flight *flight;
	struct cache_file *file;
	uint64_t size_bytes; /* of what stands there */
	uint64_t at_bytes;   /* up to here it was looked at */
	size_t got_bytes;
	int code;
	bool same;             /* as what is to be sent, so far */
	struct fetch_sum *sum; /* NULL: no earlier one can be it */
	uint8_t theirs[OWN_READ_BYTES];
	uint8_t ours[OWN_READ_BYTES];
};

/* Whether a failure leaves it a conflict: nobody may read what stands there,
 * or it is another thing by now. All others pass, and then it is tried again. */
static bool is_settled(int code)
{
	return code == 0 || code == -EACCES || code == -ENOENT ||
	    code == -EISDIR || code == -ENOTDIR || code == -ESTALE;
}

/* It was sent. */
static void take_as_sent(struct own *own)
{
	struct flight *flight = own->flight;

	flight->code = 0;
	flight->err = (struct err)ERR_INIT;
	flight->published.sent = true;
	flight->published.proof = FETCH_CHECKSUM;
	flight->published.version_known = true;
	cache_file_version(own->file, &flight->published.version);
}

/* It is to take the place of what an earlier try put there. The others are
 * remembered: they may be late. */
static int take_as_base(struct own *own)
{
	struct flight *flight = own->flight;
	struct draft *draft = flight->draft;
	struct fetch_version version;
	int code;

	cache_file_version(own->file, &version);
	code = spool_sent(draft->entry, UINT64_MAX,
	    &(struct spool_version){.exists = true,
	        .size_bytes = version.size_bytes,
	        .mtime_s = version.mtime_s,
	        .etag = version.etag},
	    &flight->err);
	if (code < 0)
		return code;
	for (unsigned i = 0; i < flight->earlier_count; i++)
		spool_note_try(draft->entry, &flight->earlier[i]);
	if (flight->now.size_bytes > 0)
		spool_note_try(draft->entry, &flight->now);
	drafts_lock_enter(flight->drafts);
	draft->base.exists = true;
	draft->base.known = version_is_known(&version);
	draft->base.version = version;
	draft->created = false;
	drafts_lock_leave(flight->drafts);
	return 0;
}

static void tell_again(const struct flight *flight)
{
	static struct log_limit limit;

	log_limited(&limit, TELL_MS, LOG_LEVEL_INFO, LOG_CACHE,
	    "what stands on the server was sent by an earlier try; it is "
	    "replaced",
	    "path=%s", LOG_TEXT(flight->path));
}

static void end_again(struct flight *flight, int code)
{
	if (code == 0) {
		tell_again(flight);
		flight_publish_again(flight);
		return;
	}
	flight->code = code;
	flight_land(flight);
}

/* It lands now: as before, unless it was sent, or cannot be told yet. */
static void end(struct own *own, enum own_is is)
{
	struct flight *flight = own->flight;
	int code = 0;

	if (is == OWN_IS_NOW)
		take_as_sent(own);
	else if (is == OWN_WAS)
		code = take_as_base(own);
	else if (!is_settled(own->code))
		flight->code = err_set(&flight->err, own->code,
		    "whether what stands there is ours cannot be told: %s",
		    err_message(own->code));
	if (own->file != NULL)
		cache_close(own->file);
	flight->own = NULL;
	fetch_sum_free(own->sum);
	free(own);
	if (is == OWN_WAS)
		end_again(flight, code);
	else
		flight_land(flight);
}

/* All of it was read. */
static enum own_is judge(struct own *own)
{
	const struct spool_try *one = NULL;
	struct fetch_version version;
	uint8_t sum[SPOOL_SUM_BYTES];

	if (own->same)
		return OWN_IS_NOW;
	/* What has no version could be another's by the time it is replaced. */
	cache_file_version(own->file, &version);
	if (own->sum == NULL || !version_is_known(&version) ||
	    !tries_sum_end(own->sum, sum))
		return OWN_IS_NOT;
	while ((one = tries_of_size(own->flight, own->size_bytes, true, one)) !=
	    NULL)
		if (memcmp(one->sum, sum, sizeof(sum)) == 0)
			return OWN_WAS;
	return OWN_IS_NOT;
}

static void step_read(struct flight *flight);

/* Whether what came is what is here; a code of its own. */
static bool is_same(struct own *own)
{
	size_t at_bytes = 0;
	struct err err = ERR_INIT;

	while (at_bytes < own->got_bytes) {
		ssize_t n = spool_read(own->flight->draft->entry,
		    own->ours + at_bytes, own->got_bytes - at_bytes,
		    own->at_bytes + at_bytes, &err);

		if (n < 0)
			own->code = (int)n;
		if (n <= 0)
			return false;
		at_bytes += (size_t)n;
	}
	return memcmp(own->ours, own->theirs, at_bytes) == 0;
}

static void step_compare(struct flight *flight)
{
	struct own *own = flight->own;

	own->same = own->code == 0 && own->same && is_same(own);
	if (own->code < 0 || own->got_bytes == 0 ||
	    (!own->same && own->sum == NULL)) {
		end(own, OWN_IS_NOT);
		return;
	}
	if (own->sum != NULL)
		fetch_sum_add(own->sum, own->theirs, own->got_bytes);
	own->at_bytes += own->got_bytes;
	step_read(flight);
}

static void came(
    void *arg, int code, const struct iovec *vectors, int vector_count)
{
	struct own *own = arg;

	own->code = code;
	own->got_bytes = 0;
	for (int i = 0; code >= 0 && i < vector_count; i++) {
		size_t size = vectors[i].iov_len;

		if (size > sizeof(own->theirs) - own->got_bytes)
			size = sizeof(own->theirs) - own->got_bytes;
		(void)memcpy(
		    own->theirs + own->got_bytes, vectors[i].iov_base, size);
		own->got_bytes += size;
	}
	flight_go(own->flight, step_compare);
}

static void step_read(struct flight *flight)
{
	struct drafts *drafts = flight->drafts;
	struct own *own = flight->own;
	uint64_t left_bytes = own->size_bytes - own->at_bytes;
	bool given_up;

	drafts_lock_enter(drafts);
	given_up = flight_is_given_up(flight);
	drafts_lock_leave(drafts);
	if (given_up)
		end(own, OWN_IS_NOT);
	else if (left_bytes == 0)
		end(own, judge(own));
	else
		cache_read(own->file, &flight->ident, own->at_bytes,
		    left_bytes < OWN_READ_BYTES ? (size_t)left_bytes
		                                : OWN_READ_BYTES,
		    came, own);
}

static void step_end(struct flight *flight)
{
	end(flight->own, OWN_IS_NOT);
}

/* Whether it has been sent in vain: by us, or by an earlier mount. */
static bool is_not_first(struct flight *flight)
{
	struct drafts *drafts = flight->drafts;
	bool before;

	drafts_lock_enter(drafts);
	before = flight->draft->adopted || flight->draft->tries > 0;
	drafts_lock_leave(drafts);
	return before;
}

/* What of it can be told apart. */
static bool begin(struct own *own, uint64_t size_bytes)
{
	struct flight *flight = own->flight;

	own->size_bytes = size_bytes;
	own->same = size_bytes == flight->size_bytes && is_not_first(flight);
	if (tries_of_size(flight, size_bytes, true, NULL) != NULL) {
		own->sum = tries_sum();
		if (own->sum == NULL)
			own->code = -ENOMEM;
	} else if (tries_of_size(flight, size_bytes, false, NULL) != NULL) {
		flight->code = err_set(&flight->err, flight->code,
		    "somebody's file, or one that an earlier try of ours put "
		    "there (its %" PRIu64
		    " bytes are too many to be compared): look at it, then "
		    "replace it, or send ours under another name",
		    size_bytes);
	}
	return own->same || own->sum != NULL;
}

static void opened(
    void *arg, int code, struct cache_file *file, const struct cache_attr *attr)
{
	struct own *own = arg;
	bool fits = code == 0 && begin(own, attr->size_bytes);

	if (code == 0)
		own->file = file;
	else
		own->code = code;
	flight_go(own->flight, fits ? step_read : step_end);
}

bool own_look(struct flight *flight)
{
	struct drafts *drafts = flight->drafts;
	struct own *own;

	if (!flight->by_fetch || flight->own_looks >= OWN_LOOKS_MAX ||
	    (flight->earlier_count == 0 && !is_not_first(flight)))
		return false;
	flight->own_looks++;
	own = calloc(1, sizeof(*own));
	if (own == NULL)
		return false; /* a conflict, as far as anybody can tell */
	own->flight = flight;
	flight->own = own;
	cache_note_doubt(drafts->config.cache, flight->path);
	cache_open(
	    drafts->config.cache, &flight->ident, flight->path, opened, own);
	return true;
}

void own_look_later(struct flight *flight)
{
	if (flight->by_fetch && flight->earlier_count > 0)
		flight->code = err_set(&flight->err, -ECANCELED,
		    "whether what stands there is ours is looked at when it is "
		    "sent again");
}
