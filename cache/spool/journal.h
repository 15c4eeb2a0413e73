/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/journal.h - the row of records of one entry: one is put behind
 * the others, and all are gone through.
 *
 * Threads: a journal belongs to one at a time. Appending may wait for the
 * disk; going through bytes is pure.
 */
#ifndef CACHE_SPOOL_JOURNAL_H
#define CACHE_SPOOL_JOURNAL_H

#include "base/attr.h"
#include "cache/spool/format.h"

#include <stddef.h>
#include <stdint.h>

struct journal {
	int fd;
	uint64_t serial; /* of the entry: part of each check */
	uint64_t end_bytes;
	uint32_t sequence; /* of the next record */
};

/** A part of a payload. */
struct journal_part {
	const void *bytes;
	size_t size_bytes;
};

/** Put a record behind the others; not flushed. On failure the journal is as
 *  it was. @retval 0, -ENOSPC at SPOOL_JOURNAL_BYTES_MAX too, -errno */
NODISCARD int journal_append(struct journal *journal, enum disk_kind kind,
    const struct journal_part parts[], unsigned count);

/** Where one stands in the bytes of a journal. */
struct journal_cursor {
	const uint8_t *bytes;
	size_t size_bytes;
	size_t at_bytes; /* behind the last whole record */
	uint64_t serial;
	uint32_t sequence;
};

enum journal_next {
	JOURNAL_RECORD,
	JOURNAL_OVER,  /* or the begin of a record, or zeros */
	JOURNAL_NOISE, /* nobody can tell what stood here */
};

struct journal_view {
	uint32_t kind;
	const uint8_t *payload; /* borrowed from the cursor's bytes */
	size_t payload_bytes;
};

/** The next record. */
enum journal_next journal_next(
    struct journal_cursor *cursor, struct journal_view *out);

#endif
