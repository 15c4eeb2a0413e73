/* SPDX-License-Identifier: Apache-2.0 */
/* cache/spool/journal.c - see journal.h. */
#include "cache/spool/journal.h"

#include "base/io.h"
#include "cache/spool/spool.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

/* Ranges stop here, so that states always have room. */
enum { RANGES_END_BYTES = SPOOL_JOURNAL_BYTES_MAX - (1024 * 1024) };

static size_t padded(size_t size_bytes)
{
	return (size_bytes + DISK_ALIGN - 1) / DISK_ALIGN * DISK_ALIGN;
}

static uint32_t head_check(const struct disk_record *record, uint64_t serial)
{
	return htole32((uint32_t)XXH3_64bits_withSeed(
	    record, offsetof(struct disk_record, head), serial));
}

int journal_append(struct journal *journal, enum disk_kind kind,
    const struct journal_part parts[], unsigned count)
{
	_Alignas(8)
	    uint8_t bytes[sizeof(struct disk_record) + DISK_PAYLOAD_BYTES_MAX];
	struct disk_record record = {.magic = htole32(DISK_MAGIC),
	    .kind = htole32(kind),
	    .sequence = htole32(journal->sequence)};
	size_t used = sizeof(record);
	size_t end;
	int code;

	for (unsigned i = 0; i < count; i++) {
		assert(parts[i].size_bytes <= sizeof(bytes) - used);
		if (parts[i].size_bytes > 0)
			memcpy(
			    bytes + used, parts[i].bytes, parts[i].size_bytes);
		used += parts[i].size_bytes;
	}
	end = padded(used);
	assert(end <= sizeof(bytes));
	memset(bytes + used, 0, end - used);
	record.payload_bytes = htole32((uint32_t)(used - sizeof(record)));
	record.check = htole64(XXH3_64bits_withSeed(
	    bytes + sizeof(record), end - sizeof(record), journal->serial));
	record.head = head_check(&record, journal->serial);
	memcpy(bytes, &record, sizeof(record));
	if (journal->end_bytes + end >
	    (kind == DISK_RANGE ? RANGES_END_BYTES : SPOOL_JOURNAL_BYTES_MAX))
		return -ENOSPC;
	code = io_pwrite(journal->fd, bytes, end, journal->end_bytes);
	if (code < 0) {
		/* What was begun would be cut off by a reader as well. */
		(void)!ftruncate(journal->fd, (off_t)journal->end_bytes);
		return code;
	}
	journal->end_bytes += end;
	journal->sequence++;
	return 0;
}

static bool all_zero(const uint8_t *bytes, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* What stands behind the last record is no record. */
static enum journal_next judge_end(
    const uint8_t *bytes, size_t left, size_t record_bytes)
{
	uint32_t magic = htole32(DISK_MAGIC);

	if (all_zero(bytes, left))
		return JOURNAL_OVER;
	/* The begin of a header, or a whole one of a record that is not. */
	if (left < sizeof(struct disk_record))
		return memcmp(bytes, &magic,
		           left < sizeof(magic) ? left : sizeof(magic)) == 0
		    ? JOURNAL_OVER
		    : JOURNAL_NOISE;
	return record_bytes > left ? JOURNAL_OVER : JOURNAL_NOISE;
}

enum journal_next journal_next(
    struct journal_cursor *cursor, struct journal_view *out)
{
	const uint8_t *at = cursor->bytes + cursor->at_bytes;
	size_t left = cursor->size_bytes - cursor->at_bytes;
	struct disk_record record;
	size_t payload_bytes;
	size_t end;

	if (left == 0)
		return JOURNAL_OVER;
	if (left < sizeof(record))
		return judge_end(at, left, 0);
	memcpy(&record, at, sizeof(record));
	payload_bytes = le32toh(record.payload_bytes);
	if (record.magic != htole32(DISK_MAGIC) ||
	    record.head != head_check(&record, cursor->serial) ||
	    le32toh(record.sequence) != cursor->sequence ||
	    payload_bytes > DISK_PAYLOAD_BYTES_MAX)
		return judge_end(at, left, 0);
	end = sizeof(record) + padded(payload_bytes);
	if (end > left ||
	    le64toh(record.check) !=
	        XXH3_64bits_withSeed(
	            at + sizeof(record), end - sizeof(record), cursor->serial))
		return judge_end(at, left, end);
	out->kind = le32toh(record.kind);
	out->payload = at + sizeof(record);
	out->payload_bytes = payload_bytes;
	cursor->at_bytes += end;
	cursor->sequence++;
	return JOURNAL_RECORD;
}
