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
 */
#include "cache/drafts/send/send.h"
#include "cache/note.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OWN_READ_BYTES = 256 * 1024 };
static_assert((int)OWN_READ_BYTES <= (int)CACHE_READ_BYTES_MAX, "one read");

struct own {
	struct flight *flight;
	struct cache_file *file;
	uint64_t at_bytes; /* up to here they are the same */
	size_t got_bytes;
	int code;
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

/* It lands now: as before, unless it was sent, or cannot be told yet. */
static void end(struct own *own, bool same)
{
	struct flight *flight = own->flight;

	if (!same && !is_settled(own->code))
		flight->code = err_set(&flight->err, own->code,
		    "whether what stands there is ours cannot be told: %s",
		    err_message(own->code));
	if (same) {
		flight->code = 0;
		flight->err = (struct err)ERR_INIT;
		flight->published.sent = true;
		flight->published.proof = FETCH_CHECKSUM;
		flight->published.version_known = true;
		cache_file_version(own->file, &flight->published.version);
	}
	if (own->file != NULL)
		cache_close(own->file);
	flight->own = NULL;
	free(own);
	flight_land(flight);
}

static void step_read(struct flight *flight);

/* What came, with what is here. */
static void step_compare(struct flight *flight)
{
	struct own *own = flight->own;
	size_t at_bytes = 0;
	struct err err = ERR_INIT;

	while (own->code == 0 && at_bytes < own->got_bytes) {
		ssize_t n = spool_read(flight->draft->entry,
		    own->ours + at_bytes, own->got_bytes - at_bytes,
		    own->at_bytes + at_bytes, &err);

		if (n < 0)
			own->code = (int)n;
		if (n <= 0)
			break;
		at_bytes += (size_t)n;
	}
	if (own->code < 0 || at_bytes == 0 || at_bytes != own->got_bytes ||
	    memcmp(own->ours, own->theirs, at_bytes) != 0) {
		end(own, false);
		return;
	}
	own->at_bytes += at_bytes;
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
	uint64_t left_bytes = flight->size_bytes - own->at_bytes;
	bool given_up;

	drafts_lock_enter(drafts);
	given_up = flight_is_given_up(flight);
	drafts_lock_leave(drafts);
	if (given_up)
		end(own, false);
	else if (left_bytes == 0)
		end(own, true);
	else
		cache_read(own->file, &flight->ident, own->at_bytes,
		    left_bytes < OWN_READ_BYTES ? (size_t)left_bytes
		                                : OWN_READ_BYTES,
		    came, own);
}

static void step_end(struct flight *flight)
{
	end(flight->own, false);
}

static void opened(
    void *arg, int code, struct cache_file *file, const struct cache_attr *attr)
{
	struct own *own = arg;
	bool fits = code == 0 && attr->size_bytes == own->flight->size_bytes;

	own->code = code;
	if (code == 0)
		own->file = file;
	flight_go(own->flight, fits ? step_read : step_end);
}

bool own_look(struct flight *flight)
{
	struct drafts *drafts = flight->drafts;
	struct own *own;
	bool before;

	drafts_lock_enter(drafts);
	before = flight->draft->adopted || flight->draft->tries > 0;
	drafts_lock_leave(drafts);
	if (!before || flight->looked_own || !flight->by_fetch)
		return false;
	flight->looked_own = true;
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
