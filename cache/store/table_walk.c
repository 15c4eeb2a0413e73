/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/table_walk.c - going through a table, and taking entries out of
 * it; see table.h.
 */
#include "cache/store/io.h"
#include "cache/store/table_impl.h"

#include <errno.h>
#include <string.h>

int table_each_of(
    const struct table *table, uint32_t number, table_each_fn each, void *arg)
{
	struct table_bucket bucket;
	int code = table->fd < 0
	    ? -EBADF
	    : table_read_bucket(
	          table, (uint64_t)number * FORMAT_BUCKET_BYTES, &bucket);

	for (unsigned i = 0; code == 0 && i < FORMAT_BUCKET_ENTRIES; i++) {
		struct table_entry entry;

		if (!table_is_good(table, &bucket.entries.entries[i]))
			continue;
		table_decode(&bucket.entries.entries[i], &entry);
		code = each(arg, &entry);
	}
	return code;
}

static int clear_slot(
    const struct table *table, const struct table_bucket *bucket, unsigned slot)
{
	static const struct format_entry none;

	return io_pwrite(table->fd, &none, sizeof(none),
	    bucket->offset_bytes + slot * sizeof(none));
}

void table_remove(const struct table *table, const struct table_entry *entry)
{
	struct table_bucket bucket;

	if (table->fd < 0 ||
	    table_read_bucket(
	        table, table_bucket_offset(table, entry->key), &bucket) < 0)
		return;
	for (unsigned i = 0; i < FORMAT_BUCKET_ENTRIES; i++) {
		const struct format_entry *found = &bucket.entries.entries[i];
		struct place place = place_decode(found->place);

		if (table_has_key(found, entry->key) &&
		    place.pack == entry->place.pack &&
		    place.offset_bytes == entry->place.offset_bytes)
			(void)!clear_slot(table, &bucket, i);
	}
}

static bool is_torn(const struct table *table, const struct format_entry *entry)
{
	static const struct format_entry none;

	return memcmp(entry, &none, sizeof(none)) != 0 &&
	    !table_is_good(table, entry);
}

int table_scrub(const struct table *table, uint32_t number)
{
	struct table_bucket bucket;
	struct table_bucket again;
	uint64_t offset_bytes = (uint64_t)number * FORMAT_BUCKET_BYTES;
	int torn = 0;
	int code = table_read_bucket(table, offset_bytes, &bucket);

	if (code == 0)
		code = table_read_bucket(table, offset_bytes, &again);
	for (unsigned i = 0; code == 0 && i < FORMAT_BUCKET_ENTRIES; i++) {
		const struct format_entry *entry = &bucket.entries.entries[i];

		if (!is_torn(table, entry) ||
		    memcmp(entry, &again.entries.entries[i], sizeof(*entry)) !=
		        0)
			continue;
		code = clear_slot(table, &bucket, i);
		torn++;
	}
	return code < 0 ? code : torn;
}

static int copy_entry(void *arg, const struct table_entry *entry)
{
	return table_insert(arg, entry, NULL, NULL);
}

int table_copy(const struct table *from, struct table *to)
{
	int code = 0;

	for (uint32_t i = 0; code == 0 && i < from->buckets; i++)
		code = table_each_of(from, i, copy_entry, to);
	return code;
}
