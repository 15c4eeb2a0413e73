/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/record.c - see record.h.
 */
#include "cache/store/record.h"

#include "cache/store/impl.h"

#include <string.h>

static_assert(RECORD_BYTES_MAX >= HEAD_BYTES_MAX +
            sizeof(struct format_content) + FORMAT_UNIT_BYTES +
            STORE_BLOCK_BYTES,
    "the largest record");

bool head_parse(const uint8_t *bytes, size_t size_bytes, struct head *out)
{
	struct format_head head;

	if (size_bytes < sizeof(head))
		return false;
	memcpy(&head, bytes, sizeof(head));

	size_t origin_bytes = le16toh(head.origin_bytes);
	size_t path_bytes = le16toh(head.path_bytes);
	size_t etag_bytes = le16toh(head.etag_bytes);
	size_t texts_bytes = origin_bytes + path_bytes + etag_bytes;
	size_t end = sizeof(head) + texts_bytes;
	size_t head_bytes = (size_t)round_up(end, 8);

	if (le32toh(head.magic) != FORMAT_HEAD_MAGIC ||
	    texts_bytes > FORMAT_TEXT_BYTES_MAX || head.reserved != 0 ||
	    le32toh(head.head_bytes) != head_bytes || size_bytes < head_bytes)
		return false;
	for (size_t i = end; i < head_bytes; i++)
		if (bytes[i] != 0)
			return false;
	*out = (struct head){
	    .bytes = head_bytes,
	    .size_bytes = le64toh(head.size_bytes),
	    .mtime_s = (int64_t)le64toh(head.mtime_s),
	    .nonce = le64toh(head.nonce),
	    .origin = (const char *)bytes + sizeof(head),
	    .origin_bytes = origin_bytes,
	    .path_bytes = path_bytes,
	    .etag_bytes = etag_bytes,
	};
	out->path = out->origin + origin_bytes;
	out->etag = out->path + path_bytes;
	return true;
}

static bool is_content_right(const struct hash_secret *secret,
    const uint8_t *bytes, const struct record *record)
{
	struct format_content content;
	struct hash128 mac;
	uint64_t sums[FORMAT_PAGES];
	uint64_t found[FORMAT_PAGES];

	memcpy(&content, bytes + record->head.bytes, sizeof(content));
	for (unsigned i = 0; i < FORMAT_PAGES; i++)
		sums[i] = le64toh(content.sums[i]);
	mac = hash_content(
	    secret, hash_bind(secret, bytes, record->head.bytes), sums);
	if (le64toh(content.mac[0]) != mac.low ||
	    le64toh(content.mac[1]) != mac.high)
		return false;
	hash_pages(secret, bytes + record->content_offset,
	    record->content_bytes, found);
	return memcmp(sums, found, sizeof(sums)) == 0;
}

bool record_parse(const struct hash_secret *secret, const uint8_t *bytes,
    size_t size_bytes, struct record *out)
{
	if (!head_parse(bytes, size_bytes, &out->head) ||
	    out->head.size_bytes >= STORE_BLOCK_BYTES)
		return false;
	out->key = hash_key(secret, bytes, out->head.bytes);
	out->content_offset = (size_t)round_up(
	    out->head.bytes + sizeof(struct format_content), FORMAT_UNIT_BYTES);
	out->content_bytes = (size_t)out->head.size_bytes;
	out->extent_bytes = (size_t)round_up(
	    out->content_offset + out->content_bytes, FORMAT_UNIT_BYTES);
	return size_bytes >= out->content_offset + out->content_bytes &&
	    is_content_right(secret, bytes, out);
}
