/* SPDX-License-Identifier: Apache-2.0 */
/* cache/store/map_entry.c - an entry of a map as bytes: see map.h. */
#include "cache/store/impl.h"
#include "cache/store/map.h"

void map_encode(const struct hash_secret *secret, struct hash128 bind,
    uint64_t index, size_t size_bytes, const struct map_place *place,
    struct format_map_entry *out)
{
	*out = (struct format_map_entry){
	    .place = place_encode(place->place),
	    .birth = htole32(place->birth),
	};
	for (unsigned i = 0; i < FORMAT_PAGES; i++)
		out->sums[i] = htole64(place->sums[i]);

	struct hash128 mac =
	    hash_map_entry(secret, bind, index, size_bytes, out);

	out->mac[0] = htole64(mac.low);
	out->mac[1] = htole64(mac.high);
}

bool map_decode(const struct hash_secret *secret, struct hash128 bind,
    uint64_t index, size_t size_bytes, const struct format_map_entry *entry,
    struct map_place *out)
{
	struct hash128 found = {
	    .low = le64toh(entry->mac[0]), .high = le64toh(entry->mac[1])};

	if (!map_has(entry) ||
	    !hash_equal(
	        found, hash_map_entry(secret, bind, index, size_bytes, entry)))
		return false;
	out->place = place_decode(entry->place);
	out->birth = le32toh(entry->birth);
	for (unsigned i = 0; i < FORMAT_PAGES; i++)
		out->sums[i] = le64toh(entry->sums[i]);
	return true;
}
