/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/moved.c - see moved.h.
 */
#include "cache/store/moved.h"

#include "cache/store/impl.h"

bool moved_find(const struct map_object *object, uint64_t index,
    const struct format_map_entry *entry, struct format_map_entry *out)
{
	struct generation *generation = object->generation;
	size_t size_bytes = version_block_bytes(object->object, index);
	struct table_entry found[TABLE_MATCHES_MAX];
	struct map_place place;
	int count;

	if (!map_has(entry) ||
	    !map_decode(generation->secret, object->bind, index, size_bytes,
	        entry, &place))
		return false;
	count = table_find(&generation->blocks,
	    hash_address(generation->secret, place.sums, size_bytes), found);
	for (int i = 0; i < count; i++) {
		if (found[i].place.pack == place.place.pack ||
		    table_block_birth(&found[i]) != place.birth ||
		    table_block_bytes(&found[i]) != size_bytes ||
		    pack_is_known_gone(
		        object->store, generation, found[i].place.pack))
			continue;
		place.place = found[i].place;
		map_encode(generation->secret, object->bind, index, size_bytes,
		    &place, out);
		return true;
	}
	return false;
}

void moved_mend(const struct map_object *object, uint64_t first, unsigned count,
    const struct format_map_entry entries[])
{
	uint64_t gone = place_decode(entries[0].place).pack;

	for (unsigned i = 0; i < count; i++) {
		uint64_t pack = place_decode(entries[i].place).pack;
		struct format_map_entry now;

		if ((pack == gone ||
		        pack_is_known_gone(
		            object->store, object->generation, pack)) &&
		    moved_find(object, first + i, &entries[i], &now))
			map_replace(object, first + i, &entries[i], &now);
	}
}
