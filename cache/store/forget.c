/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/forget.c - a version whose bytes turned out to be wrong: what
 * names its blocks goes. Of a larger file it goes in the map itself, so that
 * other mounts that have it open miss them as well; of a small one they go on
 * with what they have found. The blocks stay until they are evicted: bytes are
 * found by what they are.
 */
#include "cache/store/map.h"
#include "cache/store/map_file.h"
#include "cache/store/object.h"

#include <string.h>
#include <unistd.h>

enum { FORGET_ENTRIES = 64 }; /* at once: 10 KiB */

static bool has_any(const struct format_map_entry entries[], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (map_has(&entries[i]))
			return true;
	}
	return false;
}

/* @retval 0, or what hinders it. */
static int clear_entries(const struct map_object *object)
{
	static const struct format_map_entry none[FORGET_ENTRIES];
	struct format_map_entry entries[FORGET_ENTRIES];
	uint64_t blocks = map_blocks(object);
	int code = 0;

	for (uint64_t first = 0; first < blocks && code == 0;
	     first += FORGET_ENTRIES) {
		unsigned count = blocks - first < FORGET_ENTRIES
		    ? (unsigned)(blocks - first)
		    : FORGET_ENTRIES;

		code = map_read(object, first, count, STORE_WAIT, entries);
		if (code == 0 && has_any(entries, count))
			code = map_write(object, first, count, none);
	}
	return code;
}

static void forget_map(const struct map_object *object)
{
	char name[MAP_NAME_BYTES];

	if (clear_entries(object) == 0)
		return;
	/* A disk that takes nothing may still let go of a name. */
	map_name(name, object->key);
	(void)unlinkat(object->generation->maps_fd, name, 0);
}

static void forget_record(struct store *store, struct generation *generation,
    const struct map_object *object)
{
	static const struct small_file none = {.content = {.pack = 0}};
	struct table_entry found[TABLE_MATCHES_MAX];
	int count = table_find(&generation->objects, object->key, found);

	for (int i = 0; i < count; i++)
		table_remove(&generation->objects, &found[i]);
	version_set_small(store, generation, object->object, &none);
}

void store_object_forget(struct store_object *object)
{
	struct store *store = object->store;
	struct generation *generation = generation_get(store);
	struct map_object seen;

	if (generation == NULL)
		return;
	if (version_see(store, generation, object, &seen, NULL)) {
		if (version_is_small(object))
			forget_record(store, generation, &seen);
		else
			forget_map(&seen);
	}
	generation_put(store, generation);
}
