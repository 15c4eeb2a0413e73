/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/read.c - pieces of the spool and of the base, as one answer.
 *
 * What all comes from the base is read as any file. Else the base's bytes are
 * read first, from the first piece that needs them to the last, and then, on a
 * work thread, what the spool has is put over them. That order is right
 * whatever is written meanwhile: what is in the spool never becomes the base's
 * again.
 */
#include "cache/drafts/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	struct work work;
	struct draft *draft; /* one reference */
	struct ident ident;
	cache_read_fn answer;
	void *arg;
	uint64_t offset_bytes;
	size_t size_bytes; /* asked for, then what there is */
	unsigned char *bytes;
	uint64_t from; /* of the base, inside of that; none: from == to */
	uint64_t to;
	bool has_base; /* it was read */
	int code;
};

static struct reading *reading_of(struct work *work)
{
	return CONTAINER_OF(work, struct reading, work);
}

/* ---- all of it from the base ---- */

static void straight(
    void *arg, int code, const struct iovec *vectors, int vector_count)
{
	struct reading *reading = arg;

	reading->answer(reading->arg, code, vectors, vector_count);
	draft_put(reading->draft);
	free(reading);
}

/* Where its bytes are: without an entry all are the base's. */
static struct spool_piece map(struct draft *draft, uint64_t offset_bytes)
{
	struct spool_piece piece = {.where = SPOOL_END};

	drafts_lock_enter(draft->drafts);
	if (draft->entry != NULL)
		piece = spool_map(draft->entry, offset_bytes);
	else if (offset_bytes < draft->size_bytes)
		piece = (struct spool_piece){.where = SPOOL_BASE,
		    .size_bytes = draft->size_bytes - offset_bytes};
	drafts_lock_leave(draft->drafts);
	return piece;
}

/* The base's file, when it is open and one piece of it is all that is wanted;
 * else NULL. */
static struct cache_file *base_alone(struct reading *reading)
{
	struct draft *draft = reading->draft;
	struct spool_piece piece = map(draft, reading->offset_bytes);

	return piece.where == SPOOL_BASE &&
	        piece.size_bytes >= reading->size_bytes
	    ? draft_base_file(draft)
	    : NULL;
}

/* ---- mixed ---- */

static void finish(struct reading *reading, int code)
{
	struct iovec vector = {.iov_base = reading->bytes,
	    .iov_len = code == 0 ? reading->size_bytes : 0};

	reading->answer(reading->arg, code, &vector, vector.iov_len > 0);
	work_done(&reading->work);
	draft_put(reading->draft);
	free(reading->bytes);
	free(reading);
}

/* From where to where the base is needed. */
static void find_base(struct reading *reading)
{
	uint64_t end = reading->offset_bytes + reading->size_bytes;
	uint64_t at = reading->offset_bytes;

	reading->from = end;
	reading->to = end;
	while (at < end) {
		struct spool_piece piece = map(reading->draft, at);
		uint64_t next =
		    piece.size_bytes < end - at ? at + piece.size_bytes : end;

		if (piece.where == SPOOL_END)
			break;
		if (piece.where == SPOOL_BASE) {
			if (reading->from == end)
				reading->from = at;
			reading->to = next;
		}
		at = next;
	}
}

/* Put what the spool has over what was read of the base. */
static int put_over(struct reading *reading)
{
	struct draft *draft = reading->draft;
	uint64_t start = reading->offset_bytes;
	uint64_t end = start + reading->size_bytes;
	uint64_t at = start;
	struct err err = ERR_INIT;

	while (at < end) {
		struct spool_piece piece = map(reading->draft, at);
		uint64_t next =
		    piece.size_bytes < end - at ? at + piece.size_bytes : end;
		ssize_t n = (ssize_t)(next - at);

		if (piece.where == SPOOL_HERE)
			n = spool_read(draft->entry,
			    reading->bytes + (at - start), (size_t)(next - at),
			    at, &err);
		else if (piece.where == SPOOL_END)
			n = 0;
		else if (at < reading->from || next > reading->to)
			return -EIO; /* it cannot grow */
		if (n < 0)
			return (int)n;
		if (n == 0) /* cut meanwhile, or that is its end */
			break;
		at += (uint64_t)n;
	}
	reading->size_bytes = (size_t)(at - start);
	return 0;
}

/* The base's bytes: copied, and the rest is for a work thread. */
static void got_base(
    void *arg, int code, const struct iovec *vectors, int vector_count)
{
	struct reading *reading = arg;
	uint64_t at = reading->from;

	for (int i = 0; code == 0 && i < vector_count; i++) {
		(void)memcpy(reading->bytes + (at - reading->offset_bytes),
		    vectors[i].iov_base, vectors[i].iov_len);
		at += vectors[i].iov_len;
	}
	/* Shorter than it was when it was opened. */
	if (code == 0 && at < reading->to)
		code = -ESTALE;
	reading->code = code;
	reading->has_base = true;
	work_again(&reading->work);
}

static void opened_base(void *arg, int code)
{
	struct reading *reading = arg;
	struct cache_file *file;

	if (code < 0) {
		reading->code = code;
		reading->has_base = true;
		work_again(&reading->work);
		return;
	}
	file = draft_base_file(reading->draft);
	if (file == NULL)
		draft_open_base(reading->draft, opened_base, reading);
	else
		cache_read(file, &reading->ident, reading->from,
		    (size_t)(reading->to - reading->from), got_base, reading);
}

static void run(struct work *work)
{
	struct reading *reading = reading_of(work);

	if (!reading->has_base) {
		reading->bytes = malloc(reading->size_bytes);
		if (reading->bytes == NULL) {
			finish(reading, -ENOMEM);
			return;
		}
		find_base(reading);
		if (reading->from < reading->to) {
			draft_open_base(reading->draft, opened_base, reading);
			return;
		}
	}
	if (reading->code == 0)
		reading->code = put_over(reading);
	finish(reading, reading->code);
}

void draft_read(struct draft *draft, const struct ident *ident,
    uint64_t offset_bytes, size_t size_bytes, cache_read_fn answer, void *arg)
{
	struct reading *reading;
	struct cache_file *file;
	uint64_t size;

	drafts_lock_enter(draft->drafts);
	size = draft->size_bytes;
	drafts_lock_leave(draft->drafts);
	if (size_bytes > CACHE_READ_BYTES_MAX)
		size_bytes = CACHE_READ_BYTES_MAX;
	if (offset_bytes >= size)
		size_bytes = 0;
	else if (size_bytes > size - offset_bytes)
		size_bytes = (size_t)(size - offset_bytes);
	reading = size_bytes == 0 ? NULL : malloc(sizeof(*reading));
	if (reading == NULL) {
		answer(arg, size_bytes == 0 ? 0 : -ENOMEM, NULL, 0);
		return;
	}
	*reading = (struct reading){
	    .work = {.run = run, .unordered = true},
	    .draft = draft_get(draft),
	    .ident = *ident,
	    .answer = answer,
	    .arg = arg,
	    .offset_bytes = offset_bytes,
	    .size_bytes = size_bytes,
	};
	file = base_alone(reading);
	if (file != NULL)
		cache_read(
		    file, ident, offset_bytes, size_bytes, straight, reading);
	else
		work_add(draft, &reading->work);
}
