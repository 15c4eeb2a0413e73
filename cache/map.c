/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/map.c - see map.h.
 */
#include "cache/map.h"

#include "base/clock.h"
#include "cache/store_impl.h"
#include "cache/store_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* Another mount may have begun the map since: look again. */
	ABSENT_MS = 1000,
};

void map_name(char out[MAP_NAME_BYTES], struct hash128 key)
{
	(void)snprintf(out, MAP_NAME_BYTES, "%02x/%016llx%016llx",
	    (unsigned)(key.high >> 56), (unsigned long long)key.high,
	    (unsigned long long)key.low);
}

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

static bool head_matches(int fd, const struct store_object *object)
{
	uint8_t head[sizeof(struct format_head) + FORMAT_TEXT_BYTES_MAX + 8];

	assert(object->head_bytes <= sizeof(head));
	return io_pread(fd, head, object->head_bytes, 0) ==
	    (ssize_t)object->head_bytes &&
	    memcmp(head, object->head, object->head_bytes) == 0;
}

/* Open the map of an object; -ENOENT when there is none that is right. */
static int open_map(
    struct generation *generation, const struct map_object *object)
{
	char name[MAP_NAME_BYTES];
	struct stat stat;

	map_name(name, object->key);

	int fd = openat(generation->maps_fd, name,
	    O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ELOOP || errno == EISDIR || errno == ENXIO ||
		        errno == ENOTDIR
		    ? -ENOENT
		    : -errno;
	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode) ||
	    !head_matches(fd, object->object)) {
		(void)close(fd);
		return -ENOENT;
	}
	return fd;
}

/* Something else has the map's name: out of the way with it. */
static void remove_obstacle(int maps_fd, const char *name)
{
	if (unlinkat(maps_fd, name, 0) < 0)
		(void)unlinkat(maps_fd, name, AT_REMOVEDIR);
}

/* Open or make the file, its directory too. */
static int open_or_make(int maps_fd, const char *name, struct stat *stat)
{
	char directory[3] = {name[0], name[1], '\0'};
	int code = 0;

	for (unsigned try = 0; try < 2; try++) {
		int fd = openat(maps_fd, name,
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		    0600);

		if (fd >= 0 && fstat(fd, stat) == 0 && S_ISREG(stat->st_mode))
			return fd;
		code = fd < 0 ? -errno : -EISDIR;
		if (fd >= 0)
			(void)close(fd);
		if (code == -ENOENT || code == -ENOTDIR) {
			if (code == -ENOTDIR)
				remove_obstacle(maps_fd, directory);
			if (mkdirat(maps_fd, directory, 0700) < 0 &&
			    errno != EEXIST)
				return -errno;
		} else if (code == -EISDIR || code == -ELOOP ||
		    code == -ENXIO) {
			remove_obstacle(maps_fd, name);
		} else {
			return code;
		}
	}
	return code;
}

/* Open it for writing, making it and its head when they are missing. */
static int make_map(
    struct generation *generation, const struct map_object *object)
{
	char name[MAP_NAME_BYTES];
	struct stat stat;

	map_name(name, object->key);

	int fd = open_or_make(generation->maps_fd, name, &stat);
	int code = 0;

	if (fd < 0)
		return fd;
	if (!head_matches(fd, object->object))
		code = io_pwrite(
		    fd, object->object->head, object->object->head_bytes, 0);
	if (code < 0) {
		(void)close(fd);
		return code;
	}
	if (stat.st_size == 0) {
		generation->map_bytes[object->key.high >> 56] +=
		    STORE_PAGE_BYTES;
		generation->made_bytes += STORE_PAGE_BYTES;
	}
	return fd;
}

/* Maps are opened in the generation in force alone: when that is swapped
 * out, its maps are taken from their objects. */
static bool is_in_force(const struct store *store,
    const struct generation *generation, const struct store_object *object)
    REQUIRES(store_lock)
{
	return store->generation == generation &&
	    object->generation_id == generation->id;
}

/* Hold what is open; -ENOENT when it is known to be absent, -EAGAIN when the
 * disk has to be asked. */
static int hold_open(struct store *store, struct generation *generation,
    struct store_object *object, bool may_wait, struct handle **out)
{
	uint64_t now_ms = clock_now_ms(store->clock);
	int code = -EAGAIN;

	store_enter(store);
	if (!is_in_force(store, generation, object)) {
		code = -ENOENT;
	} else if (object->map != NULL) {
		handle_use(&generation->maps, object->map, now_ms);
		*out = object->map;
		code = 0;
	} else if (object->map_state == MAP_ABSENT &&
	    (!may_wait || now_ms - object->map_absent_ms < ABSENT_MS)) {
		code = -ENOENT;
	}
	store_leave(store);
	return code;
}

/* Enter an opened map, unless another thread was faster. */
static int enter_map(struct store *store, struct generation *generation,
    struct store_object *object, int fd, struct handle **out)
{
	uint64_t now_ms = clock_now_ms(store->clock);
	struct handle *dead;
	int code = 0;

	store_enter(store);
	if (!is_in_force(store, generation, object)) {
		code = -ENOENT;
	} else if (object->map != NULL) {
		handle_use(&generation->maps, object->map, now_ms);
		*out = object->map;
	} else {
		*out = handle_add(&generation->maps, fd, &object->map,
		    &object->map_touched_ms, now_ms);
		fd = -1;
		code = *out == NULL ? -ENOMEM : 0;
		object->map_state = MAP_UNKNOWN;
	}
	dead = handles_take_dead(&generation->maps);
	store_leave(store);
	handles_close(dead);
	if (fd >= 0)
		(void)close(fd);
	return code;
}

static void note_absent(struct store *store, struct generation *generation,
    struct store_object *object)
{
	store_enter(store);
	if (object->generation_id == generation->id && object->map == NULL) {
		object->map_state = MAP_ABSENT;
		object->map_absent_ms = clock_now_ms(store->clock);
	}
	store_leave(store);
}

static int hold_map(struct store *store, struct generation *generation,
    const struct map_object *object, enum store_how how, struct handle **out)
{
	int code = hold_open(
	    store, generation, object->object, how == STORE_WAIT, out);

	if (code != -EAGAIN || how == STORE_NOWAIT)
		return code;

	int fd = open_map(generation, object);

	if (fd == -ENOENT)
		note_absent(store, generation, object->object);
	if (fd < 0)
		return fd;
	return enter_map(store, generation, object->object, fd, out);
}

static void let_go(
    struct store *store, struct generation *generation, struct handle *handle)
{
	store_enter(store);
	handle_done(&generation->maps, handle);
	store_leave(store);
}

int map_read(struct store *store, struct generation *generation,
    const struct map_object *object, uint64_t first, unsigned count,
    enum store_how how, struct format_map_entry entries[])
{
	size_t size_bytes = count * sizeof(*entries);
	struct handle *handle = NULL;
	uint64_t offset_bytes;
	ssize_t n;

	if (!entry_offset(object->object, first, &offset_bytes))
		offset_bytes = INT64_MAX / 2;

	int code = hold_map(store, generation, object, how, &handle);

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
	let_go(store, generation, handle);
	if (n < 0)
		return (int)n;
	memset((char *)entries + n, 0, size_bytes - (size_t)n);
	return 0;
}

uint64_t map_blocks(struct store *store, struct generation *generation,
    const struct map_object *object)
{
	const struct store_object *version = object->object;
	uint64_t start = first_entry(version);
	uint64_t all = version->size_bytes / STORE_BLOCK_BYTES +
	    (version->size_bytes % STORE_BLOCK_BYTES != 0);
	uint64_t blocks = 0;
	struct handle *handle = NULL;
	struct stat stat;

	if (hold_map(store, generation, object, STORE_WAIT, &handle) < 0)
		return 0;
	if (fstat(handle->fd, &stat) == 0 && (uint64_t)stat.st_size > start)
		blocks = ((uint64_t)stat.st_size - start) /
		    sizeof(struct format_map_entry);
	let_go(store, generation, handle);
	return blocks < all ? blocks : all;
}

/* For writing: what is open, else the file, made when it is missing. */
static int hold_to_write(struct store *store, struct generation *generation,
    const struct map_object *object, struct handle **out)
{
	int code = hold_open(store, generation, object->object, true, out);

	if (code == 0)
		return 0;

	int fd = make_map(generation, object);

	if (fd < 0)
		return fd;
	return enter_map(store, generation, object->object, fd, out);
}

int map_write(struct store *store, struct generation *generation,
    const struct map_object *object, uint64_t first, unsigned count,
    const struct format_map_entry entries[])
{
	struct handle *handle = NULL;
	uint64_t offset_bytes;

	if (!entry_offset(object->object, first, &offset_bytes))
		return -EFBIG;

	int code = hold_to_write(store, generation, object, &handle);

	if (code < 0)
		return code;
	code = io_pwrite(
	    handle->fd, entries, count * sizeof(*entries), offset_bytes);
	let_go(store, generation, handle);
	return code;
}

void map_clear(struct store *store, struct generation *generation,
    const struct map_object *object, uint64_t index,
    const struct format_map_entry *entry)
{
	struct format_map_entry now;
	struct format_map_entry none = {.place = 0};
	struct handle *handle = NULL;
	uint64_t offset_bytes;

	if (!entry_offset(object->object, index, &offset_bytes) ||
	    hold_map(store, generation, object, STORE_WAIT, &handle) < 0)
		return;
	/* When it cannot be cleared, it is found bad again. */
	if (io_pread(handle->fd, &now, sizeof(now), offset_bytes) ==
	        sizeof(now) &&
	    memcmp(&now, entry, sizeof(now)) == 0)
		(void)!io_pwrite(handle->fd, &none, sizeof(none), offset_bytes);
	let_go(store, generation, handle);
}

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
