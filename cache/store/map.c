/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/map.c - see map.h.
 */
#include "cache/store/map.h"

#include "base/clock.h"
#include "cache/store/impl.h"
#include "cache/store/io.h"
#include "cache/store/map_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* Another mount may have begun the map since: look again. */
	ABSENT_MS = 1000,
};

/* Where an object's entries start in its map. */
static uint64_t first_entry(const struct store_object *object)
{
	return round_up(object->head_bytes, FORMAT_MAP_ALIGN);
}

/* The offset of an entry; false when no file can be that long. */
static bool entry_offset(
    const struct store_object *object, uint64_t index, uint64_t *out)
{
	uint64_t offset;

	if (__builtin_mul_overflow(
	        index, (uint64_t)sizeof(struct format_map_entry), &offset) ||
	    __builtin_add_overflow(offset, first_entry(object), &offset) ||
	    offset > INT64_MAX / 2)
		return false;
	*out = offset;
	return true;
}

/* Maps are opened in the generation in force alone: when that is swapped
 * out, its maps are taken from their objects. */
static bool is_in_force(const struct map_object *object) REQUIRES(store_lock)
{
	return object->store->generation == object->generation &&
	    object->object->generation_id == object->generation->id;
}

/* Hold what is open; -ENOENT when it is known to be absent, -EAGAIN when the
 * disk has to be asked. */
static int hold_open(
    const struct map_object *object, bool may_wait, struct handle **out)
{
	struct store_object *version = object->object;
	uint64_t now_ms = clock_now_ms(object->store->clock);
	int code = -EAGAIN;

	store_enter(object->store);
	if (is_in_force(object) && version->map != NULL) {
		handle_use(&object->generation->maps, version->map, now_ms);
		*out = version->map;
		code = 0;
	} else if (!is_in_force(object) ||
	    (version->map_state == MAP_ABSENT &&
	        (!may_wait || now_ms - version->map_absent_ms < ABSENT_MS))) {
		code = -ENOENT;
	}
	store_leave(object->store);
	return code;
}

/* Enter an opened map, unless another thread was faster. */
static int enter_map(
    const struct map_object *object, int fd, struct handle **out)
{
	struct store_object *version = object->object;
	struct handles *maps = &object->generation->maps;
	uint64_t now_ms = clock_now_ms(object->store->clock);
	struct handle *dead;
	int code = 0;

	store_enter(object->store);
	if (!is_in_force(object)) {
		code = -ENOENT;
	} else if (version->map != NULL) {
		handle_use(maps, version->map, now_ms);
		*out = version->map;
	} else {
		*out = handle_add(maps, fd, &version->map,
		    version->quiet ? NULL : &version->map_touched_ms, now_ms);
		fd = -1;
		code = *out == NULL ? -ENOMEM : 0;
		version->map_state = MAP_UNKNOWN;
	}
	dead = handles_take_dead(maps);
	store_leave(object->store);
	handles_close(dead);
	if (fd >= 0)
		(void)close(fd);
	return code;
}

static void note_absent(const struct map_object *object)
{
	struct store_object *version = object->object;

	store_enter(object->store);
	if (is_in_force(object) && version->map == NULL) {
		version->map_state = MAP_ABSENT;
		version->map_absent_ms = clock_now_ms(object->store->clock);
	}
	store_leave(object->store);
}

static int hold_map(
    const struct map_object *object, enum store_how how, struct handle **out)
{
	int code = hold_open(object, how == STORE_WAIT, out);

	if (code != -EAGAIN || how == STORE_NOWAIT)
		return code;

	int fd = map_file_open(object);

	if (fd == -ENOENT)
		note_absent(object);
	if (fd < 0)
		return fd;
	return enter_map(object, fd, out);
}

static void let_go(const struct map_object *object, struct handle *handle)
{
	store_enter(object->store);
	handle_done(&object->generation->maps, handle);
	store_leave(object->store);
}

int map_read(const struct map_object *object, uint64_t first, unsigned count,
    enum store_how how, struct format_map_entry entries[])
{
	size_t size_bytes = count * sizeof(*entries);
	struct handle *handle = NULL;
	uint64_t offset_bytes;
	ssize_t n;

	if (!entry_offset(object->object, first, &offset_bytes))
		offset_bytes = INT64_MAX / 2;

	int code = hold_map(object, how, &handle);

	if (code == -ENOENT) {
		memset(entries, 0, size_bytes);
		return 0;
	}
	if (code < 0)
		return code;
	if (how == STORE_NOWAIT)
		n = io_pread_nowait(
		    handle->fd, entries, size_bytes, offset_bytes);
	else
		n = io_pread(handle->fd, entries, size_bytes, offset_bytes);
	let_go(object, handle);
	if (n < 0)
		return (int)n;
	memset((char *)entries + n, 0, size_bytes - (size_t)n);
	return 0;
}

uint64_t map_blocks(const struct map_object *object)
{
	const struct store_object *version = object->object;
	uint64_t start = first_entry(version);
	uint64_t all = version->size_bytes / STORE_BLOCK_BYTES +
	    (version->size_bytes % STORE_BLOCK_BYTES != 0);
	uint64_t blocks = 0;
	struct handle *handle = NULL;
	struct stat stat;

	if (hold_map(object, STORE_WAIT, &handle) < 0)
		return 0;
	if (fstat(handle->fd, &stat) == 0 && (uint64_t)stat.st_size > start)
		blocks = ((uint64_t)stat.st_size - start) /
		    sizeof(struct format_map_entry);
	let_go(object, handle);
	return blocks < all ? blocks : all;
}

/* For writing: what is open, else the file, made when it is missing. */
static int hold_to_write(const struct map_object *object, struct handle **out)
{
	int code = hold_open(object, true, out);

	if (code == 0)
		return 0;

	int fd = map_file_make(object);

	if (fd < 0)
		return fd;
	return enter_map(object, fd, out);
}

int map_write(const struct map_object *object, uint64_t first, unsigned count,
    const struct format_map_entry entries[])
{
	struct handle *handle = NULL;
	uint64_t offset_bytes;

	if (!entry_offset(object->object, first, &offset_bytes))
		return -EFBIG;

	int code = hold_to_write(object, &handle);

	if (code < 0)
		return code;
	code = io_pwrite(
	    handle->fd, entries, count * sizeof(*entries), offset_bytes);
	let_go(object, handle);
	return code;
}

void map_replace(const struct map_object *object, uint64_t index,
    const struct format_map_entry *entry, const struct format_map_entry *by)
{
	static const struct format_map_entry none;
	struct format_map_entry now;
	struct handle *handle = NULL;
	uint64_t offset_bytes;

	if (!entry_offset(object->object, index, &offset_bytes) ||
	    hold_map(object, STORE_WAIT, &handle) < 0)
		return;
	/* When it cannot be written, it is found bad again. */
	if (io_pread(handle->fd, &now, sizeof(now), offset_bytes) ==
	        sizeof(now) &&
	    memcmp(&now, entry, sizeof(now)) == 0)
		(void)!io_pwrite(handle->fd, by == NULL ? &none : by,
		    sizeof(none), offset_bytes);
	let_go(object, handle);
}
