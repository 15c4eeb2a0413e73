/* SPDX-License-Identifier: Apache-2.0 */
/* cli/unsent/fill.c - see fill.h. */
#include "cli/unsent/fill.h"

#include "cache/spool/spool.h"
#include "cache/spool/unsent.h"
#include "fetch/fetch.h"
#include "fetch/sink.h"

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

enum { ONCE_BYTES = 8 * 1024 * 1024 };

/* A range on its way into the spool. */
struct fill {
	struct spool_entry *entry;
	sem_t ended;
	int code; /* of the spool, until the range has ended */
	struct err *err;
};

static int begin(void *arg, const char *etag)
{
	(void)arg;
	(void)etag; /* compared by fetch */
	return 0;
}

static void write_bytes(
    void *arg, uint64_t offset_bytes, const void *bytes, size_t size_bytes)
{
	struct fill *fill = arg;

	if (fill->code == 0)
		fill->code = spool_fill(
		    fill->entry, bytes, size_bytes, offset_bytes, fill->err);
}

static void done(void *arg, int code, const struct err *err)
{
	struct fill *fill = arg;

	if (fill->code == 0 && code < 0) {
		fill->code = code;
		*fill->err = *err;
	}
	(void)sem_post(&fill->ended);
}

static int fetch_piece(struct fetch *fetch, const struct fetch_range *range,
    struct spool_entry *entry, struct err *err)
{
	struct fill fill = {.entry = entry, .err = err};
	const struct fetch_sink sink = {
	    .begin = begin, .write = write_bytes, .done = done, .arg = &fill};

	(void)sem_init(&fill.ended, 0, 0);
	(void)fetch_range(fetch, range, &sink);
	while (sem_wait(&fill.ended) < 0)
		continue;
	(void)sem_destroy(&fill.ended);
	return fill.code;
}

/* What can be done about it. */
static int tell(int code, const struct spool_item *item, struct err *err)
{
	static const char cure[] =
	    "take out what is here with --export DIR, where a list tells which "
	    "bytes that are";
	struct err why = *err;

	if (code == -ESTALE || code == -ENOENT)
		return err_set(err, -ESTALE,
		    "%" PRIu64 " bytes of the version that it began from are "
		    "not here, and the server has %s: a file of both would be "
		    "neither; %s",
		    item->missing_bytes,
		    code == -ENOENT ? "no such file any more"
		                    : "not that one any more",
		    cure);
	return err_set(err, code,
	    "%" PRIu64 " bytes of the version that it began from are not here, "
	    "and cannot be fetched now: %.200s; set that right and try again, "
	    "or %s",
	    item->missing_bytes,
	    why.text[0] != '\0' ? why.text : err_message(code), cure);
}

int unsent_fill(struct fetch *fetch, const struct ident *ident,
    struct spool_entry *entry, const struct spool_item *item, struct err *err)
{
	struct fetch_version version = {
	    .size_bytes = item->base.size_bytes, .mtime_s = item->base.mtime_s};
	const char *etag = item->text[SPOOL_ETAG];
	uint64_t at_bytes = 0;
	int code = 0;

	if (strlen(etag) < sizeof(version.etag))
		(void)snprintf(version.etag, sizeof(version.etag), "%s", etag);
	/* Which one it was nobody can tell. */
	if (version.etag[0] == '\0' && version.mtime_s < 0)
		return tell(-ESTALE, item, err);
	while (code == 0) {
		struct spool_piece piece = spool_map(entry, at_bytes);

		if (piece.where == SPOOL_END)
			return 0;
		if (piece.where == SPOOL_BASE) {
			if (piece.size_bytes > ONCE_BYTES)
				piece.size_bytes = ONCE_BYTES;
			code = fetch_piece(fetch,
			    &(struct fetch_range){.ident = ident,
			        .path = item->text[SPOOL_PATH],
			        .version = &version,
			        .offset_bytes = at_bytes,
			        .length_bytes = piece.size_bytes,
			        .demand = true},
			    entry, err);
		}
		at_bytes += piece.size_bytes;
	}
	return tell(code, item, err);
}
