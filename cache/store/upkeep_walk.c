/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/upkeep_walk.c - going through all that a directory holds; see
 * upkeep_impl.h. What stands there may be anything.
 */
#include "cache/store/harvest.h"
#include "cache/store/impl.h"
#include "cache/store/io.h"
#include "cache/store/map_file.h"
#include "cache/store/moved.h"
#include "cache/store/upkeep_impl.h"
#include "cache/store/window.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void name_of(const struct head *head, struct upkeep_name *out)
{
	memcpy(out->origin, head->origin, head->origin_bytes);
	out->origin[head->origin_bytes] = '\0';
	memcpy(out->path, head->path, head->path_bytes);
	out->path[head->path_bytes] = '\0';
}

/* Maps. */

struct map_walk {
	struct upkeep *upkeep;
	upkeep_map_fn each;
	void *arg;
	char directory[3];
	struct upkeep_name *name;
};

/* The object whose head a map has, when that is right and where it belongs;
 * NULL else. -EAGAIN: it is being made. */
static int open_object(struct map_walk *walk, int dir_fd, const char *file,
    struct store_object **out)
{
	struct store *store = walk->upkeep->store;
	uint8_t bytes[HEAD_BYTES_MAX];
	struct head head;
	ssize_t n;
	int fd = openat(
	    dir_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*out = NULL;
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : 0;
	n = io_pread(fd, bytes, sizeof(bytes), 0);
	(void)close(fd);
	if (n == 0)
		return -EAGAIN;
	if (n < 0 || !head_parse(bytes, (size_t)n, &head) ||
	    head.size_bytes < STORE_BLOCK_BYTES)
		return 0;
	name_of(&head, walk->name);
	return version_of_head(store, bytes, head.bytes, head.size_bytes, out);
}

/* Does the map lie where its head says? */
static bool is_in_place(struct map_walk *walk, struct upkeep_map *map)
{
	struct upkeep *upkeep = walk->upkeep;
	char name[MAP_NAME_BYTES];

	if (!version_see(upkeep->store, upkeep->generation, map->object,
	        &map->seen, NULL))
		return false;
	map_name(name, map->seen.key);
	return strcmp(name, map->file) == 0;
}

static int walk_map(void *arg, int dir_fd, const char *file)
{
	struct map_walk *walk = arg;
	char path[MAP_NAME_BYTES + NAME_MAX];
	struct store_object *object;
	struct upkeep_map map = {.file = path, .name = walk->name};
	int code;

	(void)snprintf(path, sizeof(path), "%s/%s", walk->directory, file);
	walk->name->origin[0] = walk->name->path[0] = '\0';
	code = open_object(walk, dir_fd, file, &object);
	if (code < 0)
		return code == -EAGAIN ? 0 : code;
	map.object = object;
	if (object != NULL && !is_in_place(walk, &map))
		map.object = NULL;
	code = walk->each(walk->arg, &map);
	store_object_close(object);
	return code;
}

int upkeep_each_map(struct upkeep *upkeep, upkeep_map_fn each, void *arg)
{
	struct map_walk walk = {.upkeep = upkeep, .each = each, .arg = arg};
	int code = 0;

	walk.name = malloc(sizeof(*walk.name));
	if (walk.name == NULL)
		return -ENOMEM;
	for (unsigned i = 0; code == 0 && i < STORE_MAP_DIRECTORIES; i++) {
		(void)snprintf(
		    walk.directory, sizeof(walk.directory), "%02x", i & 0xff);
		code = io_each_name(upkeep->generation->maps_fd, walk.directory,
		    walk_map, &walk);
		/* Something else has its name: it holds nothing. */
		if (code == -ENOENT || code == -ENOTDIR || code == -ELOOP)
			code = 0;
	}
	free(walk.name);
	return code;
}

/* Where a block is, as its entry tells; pack 0: it is not right. False: it
 * is not there. */
static bool find_block(const struct map_object *seen, uint64_t index,
    const struct format_map_entry *entry, struct place *out)
{
	struct format_map_entry moved;
	struct map_place place;

	*out = (struct place){.pack = 0};
	if (!map_has(entry))
		return false;
	if (!map_decode(seen->generation->secret, seen->bind, index,
	        version_block_bytes(seen->object, index), entry, &place))
		return true;
	*out = place.place;
	if (!pack_is_known_gone(
	        seen->store, seen->generation, place.place.pack))
		return true;
	if (!moved_find(seen, index, entry, &moved))
		return false;
	*out = place_decode(moved.place);
	return true;
}

int upkeep_each_block(
    const struct upkeep_map *map, upkeep_block_fn each, void *arg)
{
	const struct map_object *seen = &map->seen;
	uint64_t blocks = map_blocks(seen);
	int code = 0;

	for (uint64_t first = 0; code == 0 && first < blocks;
	     first += STORE_RUN_BLOCKS) {
		struct format_map_entry entries[STORE_RUN_BLOCKS];
		unsigned count = blocks - first < STORE_RUN_BLOCKS
		    ? (unsigned)(blocks - first)
		    : STORE_RUN_BLOCKS;

		code = map_read(seen, first, count, STORE_WAIT, entries);
		for (unsigned i = 0; code == 0 && i < count; i++) {
			struct place place;

			if (find_block(seen, first + i, &entries[i], &place))
				code = each(arg, first + i, place,
				    version_block_bytes(
				        seen->object, first + i));
		}
	}
	return code;
}

/* Small files. */

static bool is_there(const void *arg, struct place place)
{
	const struct upkeep *upkeep = arg;

	return place.pack != 0 &&
	    !pack_is_known_gone(upkeep->store, upkeep->generation, place.pack);
}

/* Parse a record where an entry says that it is. */
static void look_at(struct upkeep *upkeep, struct window *window,
    struct upkeep_record *out, struct upkeep_name *name)
{
	size_t size_bytes;
	uint8_t *bytes = window_at(window, out->entry->place, &size_bytes);
	struct head head;

	name->origin[0] = name->path[0] = '\0';
	if (head_parse(bytes, size_bytes, &head))
		name_of(&head, name);
	out->right = record_parse(upkeep->generation->secret, bytes, size_bytes,
	                 &out->record) &&
	    hash_equal(out->record.key, out->entry->key);
}

/* A pack that went meanwhile makes its entries neither right nor wrong. */
static bool is_gone(struct upkeep *upkeep, uint64_t pack)
{
	char name[PACK_NAME_BYTES];
	struct stat stat;

	pack_name(name, pack);
	return fstatat(upkeep->generation->packs_fd, name, &stat,
	           AT_SYMLINK_NOFOLLOW) < 0;
}

static int walk_records(struct upkeep *upkeep, const struct harvest *harvest,
    struct upkeep_name *name, upkeep_record_fn each, void *arg)
{
	struct window window = {.store = upkeep->store,
	    .generation = upkeep->generation,
	    .bytes = upkeep->store->scratch};
	int code = 0;

	for (size_t i = 0; code == 0 && i < harvest->count; i++) {
		struct upkeep_record record = {
		    .entry = &harvest->entries[i], .name = name};

		look_at(upkeep, &window, &record, name);
		if (!record.right) {
			window_forget(&window);
			look_at(upkeep, &window, &record, name);
		}
		if (record.right || !is_gone(upkeep, record.entry->place.pack))
			code = each(arg, &record);
	}
	return code;
}

int upkeep_each_record(struct upkeep *upkeep, upkeep_record_fn each, void *arg)
{
	struct upkeep_name *name = malloc(sizeof(*name));
	struct harvest harvest;
	int code = 0;

	if (name == NULL)
		return -ENOMEM;
	harvest_init(&harvest);
	while (code == 0 &&
	    harvest_next(
	        &harvest, &upkeep->generation->objects, is_there, upkeep))
		code = walk_records(upkeep, &harvest, name, each, arg);
	if (code == 0)
		code = harvest.code;
	harvest_fini(&harvest);
	free(name);
	return code;
}
