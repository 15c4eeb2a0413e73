/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/small.c - small files, which stand whole in their records: found
 * by the table of objects, loaded, found again when they moved.
 *
 * A record's head is built from the identity that is asked for and compared;
 * nothing of it is parsed.
 */
#include "cache/store/load.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Is the record at a place this object's? Fills the sums. */
static bool read_record(struct store *store, struct generation *generation,
    const struct map_object *object, struct place place,
    uint64_t sums[FORMAT_PAGES])
{
	uint8_t bytes[sizeof(struct format_head) + FORMAT_TEXT_BYTES_MAX + 8 +
	    sizeof(struct format_content)];
	size_t head_bytes = object->object->head_bytes;
	struct format_content content;
	struct iovec vector = {
	    .iov_base = bytes, .iov_len = head_bytes + sizeof(content)};
	struct pack_span span = {
	    .pack = place.pack,
	    .offset_bytes = place.offset_bytes,
	    .vectors = &vector,
	    .vector_count = 1,
	    .size_bytes = vector.iov_len,
	};

	assert(vector.iov_len <= sizeof(bytes));
	if (pack_read(store, generation, &span, STORE_WAIT) !=
	        (ssize_t)vector.iov_len ||
	    memcmp(bytes, object->object->head, head_bytes) != 0)
		return false;
	memcpy(&content, bytes + head_bytes, sizeof(content));
	for (unsigned i = 0; i < FORMAT_PAGES; i++)
		sums[i] = le64toh(content.sums[i]);

	struct hash128 mac = {
	    .low = le64toh(content.mac[0]), .high = le64toh(content.mac[1])};

	return hash_equal(
	    mac, hash_content(generation->secret, object->bind, sums));
}

void version_find_small(struct store *store, struct generation *generation,
    const struct map_object *object)
{
	struct table_entry found[TABLE_MATCHES_MAX];
	struct small_file small;
	int count = table_find(&generation->objects, object->key, found);

	for (int i = 0; i < count; i++) {
		struct place place = found[i].place;
		uint64_t offset_bytes =
		    place.offset_bytes + version_content_offset(object->object);

		if (offset_bytes >= FORMAT_PACK_BYTES_MAX ||
		    !read_record(store, generation, object, place, small.sums))
			continue;
		table_touch(&generation->objects, &found[i]);
		small.content = (struct place){
		    .pack = place.pack, .offset_bytes = (uint32_t)offset_bytes};
		version_set_small(store, generation, object->object, &small);
		return;
	}
	if (count >= 0)
		version_note_looked(store, generation, object->object);
}

int version_find_hot(struct store *store, struct generation *generation,
    const struct map_object *object)
{
	struct table_entry found[TABLE_MATCHES_MAX];

	if (table_find_hot(&generation->objects, object->key, found) != 0)
		return -EAGAIN;
	version_note_looked(store, generation, object->object);
	return 0;
}

bool load_find_small(struct load *load)
{
	if (load->small.looked)
		return true;
	if (load->how == STORE_NOWAIT)
		return false;
	version_find_small(load->store, load->generation, &load->object);
	/* In a generation that was swapped out meanwhile nothing is found. */
	(void)!version_see(load->store, load->generation, load->object.object,
	    &load->object, &load->small);
	return true;
}

/* The record is what is carried over, not its bytes alone. */
static void note_small_use(const struct load *load)
{
	struct place place = load->small.content;

	place.offset_bytes -=
	    (uint32_t)version_content_offset(load->object.object);
	load_note_use(load, place, 1);
}

/* Read [start, end) of a small file into its place in the buffer. */
static enum outcome read_small(
    const struct load *load, size_t start, size_t end, uint8_t *buffer)
{
	struct iovec vector = {
	    .iov_base = buffer + start, .iov_len = end - start};
	struct pack_span span = {
	    .pack = load->small.content.pack,
	    .offset_bytes = load->small.content.offset_bytes + start,
	    .vectors = &vector,
	    .vector_count = 1,
	    .size_bytes = vector.iov_len,
	};

	if (span.pack == 0)
		return ABSENT;

	ssize_t n = pack_read(load->store, load->generation, &span, load->how);

	if (n < 0)
		return load_outcome(n);
	if (n != (ssize_t)vector.iov_len ||
	    !load_verify(
	        load->generation->secret, buffer, start, end, load->small.sums))
		return DAMAGED;
	note_small_use(load);
	return GOOD;
}

/* After a failure: the record may have moved (another process kept it
 * again), else it is forgotten. */
static enum outcome find_again(
    struct load *load, size_t start, size_t end, uint8_t *buffer)
{
	struct small_file none = {.content = {.pack = 0}};
	struct place before = load->small.content;

	pack_close(load->store, load->generation, before.pack);
	version_set_small(
	    load->store, load->generation, load->object.object, &none);
	version_find_small(load->store, load->generation, &load->object);
	if (!version_see(load->store, load->generation, load->object.object,
	        &load->object, &load->small))
		return ABSENT;

	enum outcome why = read_small(load, start, end, buffer);

	if (why == DAMAGED || why == GONE)
		version_set_small(
		    load->store, load->generation, load->object.object, &none);
	if (why == DAMAGED && load->small.content.pack == before.pack &&
	    load->small.content.offset_bytes == before.offset_bytes)
		load_tell_damage(load, before, "small file");
	return why;
}

int load_small(struct load *load, size_t start, size_t end, void *buffer)
{
	enum outcome why;

	if (!load_find_small(load))
		return -EAGAIN;
	why = read_small(load, start, end, buffer);
	if (why == DAMAGED || why == GONE) {
		if (load->how == STORE_NOWAIT)
			return -EAGAIN;
		why = find_again(load, start, end, buffer);
	}
	if (why == BUSY)
		return -EAGAIN;
	return why == GOOD ? 1 : 0;
}
