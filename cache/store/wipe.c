/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/wipe.c - see wipe.h.
 */
#include "cache/store/wipe.h"

#include "cache/store/impl.h"
#include "cache/store/io.h"
#include "cache/store/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int wipe_init(struct wipe *wipe, const struct usage *usage)
{
	int code;

	*wipe = (struct wipe){.records = NULL};
	code = extents_init(&wipe->doomed, usage);
	return code < 0 ? code : extents_init(&wipe->wanted, usage);
}

void wipe_fini(struct wipe *wipe)
{
	extents_fini(&wipe->doomed);
	extents_fini(&wipe->wanted);
	free(wipe->records);
	wipe->records = NULL;
}

int wipe_note(struct wipe *wipe, struct place place, size_t size_bytes)
{
	if (wipe->count == wipe->room) {
		size_t more = wipe->room == 0 ? 256 : wipe->room * 2;
		struct wipe_record *bigger =
		    realloc(wipe->records, more * sizeof(*bigger));

		if (bigger == NULL)
			return -ENOMEM;
		wipe->records = bigger;
		wipe->room = more;
	}
	wipe->records[wipe->count++] =
	    (struct wipe_record){.place = place, .size_bytes = size_bytes};
	return extents_add(&wipe->doomed, place, size_bytes);
}

static int open_pack(const struct generation *generation, uint64_t number)
{
	char name[PACK_NAME_BYTES];
	int fd;

	pack_name(name, number);
	fd = openat(generation->packs_fd, name,
	    O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Make zeros of a part; its space is given back where that can be. */
static int punch(int fd, uint64_t offset_bytes, uint64_t size_bytes)
{
	static const uint8_t zeros[STORE_BLOCK_BYTES];
	int code = 0;

	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	        (off_t)offset_bytes, (off_t)size_bytes) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	while (code == 0 && size_bytes > 0) {
		size_t part = size_bytes < sizeof(zeros) ? (size_t)size_bytes
		                                         : sizeof(zeros);

		code = io_pwrite(fd, zeros, part, offset_bytes);
		offset_bytes += part;
		size_bytes -= part;
	}
	return code;
}

static bool is_free(const struct wipe *wipe, uint64_t number, size_t page)
{
	struct place place = {
	    .pack = number, .offset_bytes = (uint32_t)page * STORE_PAGE_BYTES};

	return extents_has(&wipe->doomed, place) &&
	    !extents_has(&wipe->wanted, place);
}

/* Nothing is left of it, and nobody writes it. */
static void remove_if_empty(
    struct generation *generation, int pack_fd, uint64_t number)
{
	char name[PACK_NAME_BYTES];
	struct stat stat;
	int fd;

	if (fstat(pack_fd, &stat) < 0 || stat.st_blocks > 0)
		return;
	fd = pack_lock(generation, number);
	if (fd < 0)
		return;
	pack_name(name, number);
	(void)unlinkat(generation->packs_fd, name, 0);
	(void)close(fd);
}

static int punch_pack(
    const struct wipe *wipe, struct generation *generation, uint64_t number)
{
	int fd = open_pack(generation, number);
	int code = 0;
	size_t page = 0;

	/* Evicted meanwhile. */
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	while (code == 0 && page < EXTENTS_PAGES) {
		size_t end = page;

		while (end < EXTENTS_PAGES && is_free(wipe, number, end))
			end++;
		if (end > page)
			code = punch(fd, page * STORE_PAGE_BYTES,
			    (end - page) * STORE_PAGE_BYTES);
		page = end + 1;
	}
	remove_if_empty(generation, fd, number);
	(void)close(fd);
	return code;
}

/* Small files lie side by side: only their own bytes go. */
static int wipe_one(
    struct generation *generation, const struct wipe_record *record)
{
	static const uint8_t zeros[RECORD_BYTES_MAX];
	int fd = open_pack(generation, record->place.pack);
	struct stat stat;
	int code = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (fstat(fd, &stat) == 0 &&
	    (uint64_t)stat.st_size >=
	        record->place.offset_bytes + record->size_bytes)
		code = io_pwrite(
		    fd, zeros, record->size_bytes, record->place.offset_bytes);
	(void)close(fd);
	return code;
}

int wipe_all(const struct wipe *wipe, struct generation *generation)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < wipe->count; i++)
		code = wipe_one(generation, &wipe->records[i]);
	for (size_t i = 0; code == 0 && i < wipe->doomed.count; i++)
		if (wipe->doomed.packs[i].pages != NULL)
			code = punch_pack(
			    wipe, generation, wipe->doomed.packs[i].number);
	return code;
}
