/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/format.h - the bytes of a spool directory, version 1.
 *
 *   DIR/v1/                        0700; other v<N> belong to other versions
 *     next                         8 bytes: the next number; its flock guards
 *                                  numbers, creation and claims
 *     owners                       empty; the owner of an entry holds an OFD
 *                                  lock on the byte of its number
 *     <16 hex>-<uid>.j             journal of an entry; 0600
 *     <16 hex>-<uid>.d             data, sparse; 0600; of files only
 *     <16 hex>-<uid>.gone          journal of an entry that is being removed
 *     <16 hex>-<uid>.new           journal that is to take the other's place
 *     claims/<16 hex>              what a living process may still write:
 *                                  struct disk_claim[]; it holds flock on it
 *
 * A journal is a row of records, each with its place in the row and a check
 * that also depends on the entry's number. Numbers are little-endian.
 *
 * What the data file means: a byte at or above `limit` is the data file's (a
 * hole reads as zeros); below it, it is the data file's where a range says so
 * and the base version's elsewhere. A new file has limit 0 and needs no
 * ranges. While a file is open its size is that of the data file.
 *
 * Order of writes, and what follows when it ends in between:
 *
 *   create    its lock, data file, journal, first record. A data file without a
 *             journal that is empty goes; one with bytes is listed.
 *   write     bytes, then the range. Without the range the base's count.
 *   truncate  data file, then the limit. Until the limit is written the end
 *             of the data file is the limit, and nothing else is done.
 *   fsync     data, journal, directory (once).
 *   close     data flushed; CLOSED with size and limit; journal flushed,
 *             directory flushed (once). A promise against kills only leaves
 *             the flushes out and says so: CLOSED then counts while the
 *             kernel that was told of it runs (boot).
 *   stop      what was filled up is flushed, then gets its ranges; the state as
 *             for a close.
 *   sending   SENDING, with the name on the server that the bytes go to first,
 *             and what this try and those before it send (struct disk_tries).
 *             Whoever finds it without an owner makes an entry of that name,
 *             flushes it, and then has the state without it.
 *   reopen    OPEN, flushed when CLOSED was; only then bytes change.
 *   drop      OPEN, with a flag: when its owner is gone, so is the entry.
 *   anew      a journal that has grown: its facts into .new, flushed, which is
 *             renamed then. The directory is flushed before the next promise,
 *             as for a new one.
 *   remove    the journal becomes .gone; data; .gone. The renaming decides.
 *             Small files are kept for the next entry instead (spare.h).
 *
 * How a journal may end: with its last record; with zeros or with the begin
 * of a record, which was never promised and is cut off; with anything else,
 * which nobody can judge: the entry is set aside and its journal not touched.
 *
 * It describes; it has no code.
 */
#ifndef CACHE_SPOOL_FORMAT_H
#define CACHE_SPOOL_FORMAT_H

#include <assert.h>
#include <stdint.h>

#define DISK_GENERATION "v1"

enum {
	DISK_MAGIC = 0x314a5342, /* "BSJ1" */
	DISK_ALIGN = 8,
	DISK_CLAIMS = 64, /* users at a time of one process */
	DISK_PAYLOAD_BYTES_MAX = 32 * 1024,
};

enum disk_kind {
	DISK_BEGUN = 1, /* always the first, and only there */
	DISK_STATE = 2,
	DISK_RANGE = 3,
	DISK_LIMIT = 4,
	DISK_ATTR = 5,
	DISK_NAME = 6, /* the path, no NUL */
	DISK_BASE = 7,
};

struct disk_record {
	uint32_t magic;
	uint32_t kind;
	uint32_t payload_bytes; /* zeros follow up to DISK_ALIGN */
	uint32_t sequence;      /* 0, 1, ... */
	uint64_t check; /* XXH3-64, seed: the entry's number; of the payload */
	uint32_t reserved;
	uint32_t head; /* the same of the 28 bytes before: its size can be
	                  believed although the payload is torn */
};
static_assert(sizeof(struct disk_record) == 32, "on disk");

enum {
	DISK_EXISTS = 1,
	DISK_HAS_MTIME = 2,
	DISK_DURABLE = 4,
	DISK_DROPPED = 8, /* whoever has it open is the last */
};

struct disk_begun {
	uint32_t kind; /* enum spool_kind */
	uint32_t from; /* enum spool_from */
	uint32_t mode;
	uint32_t flags; /* DISK_EXISTS */
	uint64_t since_s;
	uint64_t base_bytes;
	int64_t base_mtime_s;
	uint64_t limit_bytes;
	uint16_t origin_bytes; /* the texts follow, without NULs */
	uint16_t path_bytes;
	uint16_t to_bytes;
	uint16_t credential_bytes;
	uint16_t etag_bytes;
	uint16_t reserved[3];
};
static_assert(sizeof(struct disk_begun) == 64, "on disk");

struct disk_state {
	uint32_t state; /* enum spool_state */
	int32_t code;
	uint32_t flags; /* DISK_DURABLE, DISK_DROPPED */
	uint16_t part_bytes;
	uint16_t why_bytes;
	uint64_t when_s;
	uint64_t size_bytes;
	uint64_t limit_bytes;
	uint8_t boot[16];
};
static_assert(sizeof(struct disk_state) == 56, "on disk");

/*
 * Behind the texts of a SENDING state: what is sent, and what was by tries of
 * whose end nobody knows, oldest first. The list takes the place of the one
 * before. It ends with what it says of the server: a DISK_BASE, a DISK_NAME.
 * Programs before it pass over what follows the texts, and a list of another
 * kind of sum is passed over here.
 */
enum {
	DISK_SHA256 = 1,
	DISK_SUMMED = 1, /* else the size is all that is known */
};

struct disk_tries {
	uint32_t sums;  /* DISK_SHA256 */
	uint32_t count; /* of struct disk_try that follow */
};
static_assert(sizeof(struct disk_tries) == 8, "on disk");

struct disk_try {
	uint64_t size_bytes;
	uint32_t flags; /* DISK_SUMMED */
	uint32_t reserved;
	uint8_t sum[32];
};
static_assert(sizeof(struct disk_try) == 48, "on disk");

struct disk_range {
	uint64_t offset_bytes;
	uint64_t size_bytes;
};
static_assert(sizeof(struct disk_range) == 16, "on disk");

struct disk_attr {
	uint32_t mode;
	uint32_t flags; /* DISK_HAS_MTIME */
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint32_t reserved;
};
static_assert(sizeof(struct disk_attr) == 24, "on disk");

struct disk_base {
	uint64_t size_bytes;
	int64_t mtime_s;
	uint32_t flags; /* DISK_EXISTS */
	uint32_t etag_bytes;
};
static_assert(sizeof(struct disk_base) == 24, "on disk");

struct disk_claim {
	uint64_t uid;
	uint64_t bytes;
};
static_assert(sizeof(struct disk_claim) == 16, "on disk");

#endif
