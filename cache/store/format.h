/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/format.h - the bytes of a cache directory, version 1.
 *
 *   DIR/format              struct format_file; 0600
 *   DIR/v1-<16 hex>/        one generation; 0700
 *     packs/<number>        append-only: blocks (4 KiB aligned) and records
 *     blocks-<n>, objects-<n>   tables: struct format_bucket
 *     maps/<2 hex>/<32 hex> head of the object, then struct format_map_entry
 *     next                  struct format_next: numbers are given out once
 *     uses                  slots of struct format_use; sparse
 *     counts                struct format_counts
 *
 * Every number is little-endian on disk and of fixed width. Nothing here is
 * believed for being there: each structure carries a keyed check, and bytes
 * of files are verified in the buffer that is given away.
 *
 * It describes; it has no code but the translation of places.
 */
#ifndef CACHE_STORE_FORMAT_H
#define CACHE_STORE_FORMAT_H

#include <assert.h>
#include <endian.h>
#include <stdint.h>

enum {
	FORMAT_VERSION = 1,
	FORMAT_SECRET_BYTES = 192, /* what XXH3 takes in full */
	FORMAT_UNIT_BYTES = 64,    /* places count in these */
	FORMAT_PACK_BYTES_MIN = 1024 * 1024,
	FORMAT_PACK_BYTES_MAX = 64 * 1024 * 1024, /* 2^20 units */
	FORMAT_PAGES = 16,                        /* of a block */
	FORMAT_BUCKET_BYTES = 4096,
	FORMAT_BUCKET_ENTRIES = 128,
	FORMAT_BUCKETS_MAX = 1 << 24, /* 64 GiB of table: a 128 TiB cache */
	FORMAT_USE_SLOTS = 1 << 16,   /* more than packs of any usual cache */
	FORMAT_USE_UNIT_BYTES = 64 * 1024,
	FORMAT_USE_WORDS = FORMAT_PACK_BYTES_MAX / FORMAT_USE_UNIT_BYTES / 64,
};

#define FORMAT_MAGIC "bearerfs"

/** The file `format`: written whole, flushed, renamed; never changed. */
struct format_file {
	char magic[8];
	uint32_t version;
	uint32_t size_bytes; /* of this structure */
	uint64_t generation; /* names v1-<16 hex> */
	uint32_t tables;     /* counts changes of the tables' sizes */
	uint32_t block_buckets;
	uint32_t object_buckets;
	uint32_t reserved[5];
	uint8_t secret[FORMAT_SECRET_BYTES];
	uint64_t check; /* XXH3-64 of the bytes before, without a key */
};
static_assert(sizeof(struct format_file) == 256, "on disk");

/** The file `next`: the number of the next pack. */
struct format_next {
	uint64_t number;
	uint64_t check;
};
static_assert(sizeof(struct format_next) == 16, "on disk");

/**
 * What is known of a pack besides its bytes, at slot number % SLOTS of `uses`;
 * pack numbers that are a multiple of SLOTS have none. Slot 0 is the hand:
 * the pack that eviction looked at last. A slot that is lost, or another
 * pack's, costs a place in the order of eviction and nothing else.
 */
struct format_use {
	uint64_t number;
	uint64_t used[FORMAT_USE_WORDS]; /* units read since it was spared */
	uint32_t proven;                 /* 1: holds what was used again */
	uint32_t reserved[27];
	uint64_t check;
};
static_assert(sizeof(struct format_use) == 256, "on disk");

/** The file `counts`: what the mounts of the generation have counted. */
enum { FORMAT_COUNTS = 12 };
struct format_counts {
	uint64_t since_s;               /* wall clock */
	uint64_t counts[FORMAT_COUNTS]; /* enum upkeep_count */
	uint64_t reserved[2];
	uint64_t check; /* XXH3-64 of the bytes before, without a key */
};
static_assert(sizeof(struct format_counts) == 128, "on disk");

/** An entry of a table: where a block or a small file's record is. */
struct format_entry {
	uint64_t key[2];
	uint64_t place; /* its low byte, the use mark, is not in the check */
	uint32_t extra; /* blocks: birth << 16 | bytes - 1;
	                   objects: bytes of the record before the file's */
	uint32_t check;
};
static_assert(sizeof(struct format_entry) == 32, "on disk");

struct format_bucket {
	struct format_entry entries[FORMAT_BUCKET_ENTRIES];
};
static_assert(sizeof(struct format_bucket) == FORMAT_BUCKET_BYTES, "on disk");

/** One block of a larger file. A place of 0: not here. */
struct format_map_entry {
	uint64_t mac[2]; /* over object, index, length and what follows */
	uint64_t place;
	uint32_t birth; /* of the stored block, 16 bits; copied when it is
	                   shared or moved */
	uint32_t reserved;
	uint64_t sums[FORMAT_PAGES]; /* of its 4 KiB pages */
};
static_assert(sizeof(struct format_map_entry) == 160, "on disk");

/**
 * The head of an object: this, then origin, path and etag without NULs,
 * zeros up to a multiple of 8. It starts a map, and a small file's record.
 * Readers build the head they want and compare: nothing of it is parsed.
 */
struct format_head {
	uint32_t magic;
	uint32_t head_bytes; /* with the texts and the zeros */
	uint64_t size_bytes;
	uint64_t mtime_s;
	uint64_t nonce;
	uint16_t origin_bytes;
	uint16_t path_bytes;
	uint16_t etag_bytes;
	uint16_t reserved;
};
static_assert(sizeof(struct format_head) == 40, "on disk");

/** Behind a small file's head; its bytes follow at the next 64. */
struct format_content {
	uint64_t sums[FORMAT_PAGES];
	uint64_t mac[2]; /* over the object and the sums */
};
static_assert(sizeof(struct format_content) == 144, "on disk");

enum {
	FORMAT_HEAD_MAGIC = 0x31484642,    /* "BFH1" */
	FORMAT_TEXT_BYTES_MAX = 12 * 1024, /* of a head; longer: not kept */
	FORMAT_MAP_ALIGN = 32, /* entries of a map start at such a multiple */
};

/** Where bytes are: 36 bits of pack number, 20 of offset, 8 of use mark. */
struct place {
	uint64_t pack; /* 0: nowhere */
	uint32_t offset_bytes;
};

#define FORMAT_PACK_NUMBER_MAX ((UINT64_C(1) << 36) - 1)

static inline uint64_t place_encode(struct place place)
{
	assert(place.pack <= FORMAT_PACK_NUMBER_MAX);
	assert(place.offset_bytes < FORMAT_PACK_BYTES_MAX);
	return htole64(place.pack << 28 |
	    (uint64_t)(place.offset_bytes / FORMAT_UNIT_BYTES) << 8);
}

static inline struct place place_decode(uint64_t raw)
{
	uint64_t bits = le64toh(raw);

	return (struct place){.pack = bits >> 28,
	    .offset_bytes =
	        (uint32_t)(bits >> 8 & 0xfffff) * FORMAT_UNIT_BYTES};
}

#endif
