/* SPDX-License-Identifier: Apache-2.0 */
/* cache/store/map_file.c - see map_file.h. */
#include "cache/store/map_file.h"

#include "cache/store/impl.h"
#include "cache/store/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void map_name(char out[MAP_NAME_BYTES], struct hash128 key)
{
	(void)snprintf(out, MAP_NAME_BYTES, "%02x/%016llx%016llx",
	    (unsigned)(key.high >> 56), (unsigned long long)key.high,
	    (unsigned long long)key.low);
}

static bool head_matches(int fd, const struct store_object *object)
{
	uint8_t head[sizeof(struct format_head) + FORMAT_TEXT_BYTES_MAX + 8];

	assert(object->head_bytes <= sizeof(head));
	return io_pread(fd, head, object->head_bytes, 0) ==
	    (ssize_t)object->head_bytes &&
	    memcmp(head, object->head, object->head_bytes) == 0;
}

int map_file_open(const struct map_object *object)
{
	char name[MAP_NAME_BYTES];
	struct stat stat;

	map_name(name, object->key);

	int fd = openat(object->generation->maps_fd, name,
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

/* What keeps a map from being made is taken out of the way, or its directory
 * made. @retval 0: to be tried again. */
static int make_way(int maps_fd, const char *name, int code)
{
	char directory[3] = {name[0], name[1], '\0'};

	switch (-code) {
	case EISDIR: /* something else has the map's name */
	case ELOOP:
	case ENXIO:
		if (unlinkat(maps_fd, name, 0) < 0)
			(void)unlinkat(maps_fd, name, AT_REMOVEDIR);
		return 0;
	case ENOTDIR: /* or its directory's */
		(void)unlinkat(maps_fd, directory, 0);
		break;
	case ENOENT:
		break;
	default:
		return code;
	}
	return mkdirat(maps_fd, directory, 0700) < 0 && errno != EEXIST ? -errno
	                                                                : 0;
}

/* Open or make the file, its directory too. */
static int open_or_make(int maps_fd, const char *name, struct stat *stat)
{
	int code = 0;
	int way = 0;

	for (unsigned try = 0; try < 2 && way == 0; try++) {
		int fd = openat(maps_fd, name,
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		    0600);

		if (fd >= 0 && fstat(fd, stat) == 0 && S_ISREG(stat->st_mode))
			return fd;
		code = fd < 0 ? -errno : -EISDIR;
		if (fd >= 0)
			(void)close(fd);
		way = make_way(maps_fd, name, code);
	}
	return way < 0 ? way : code;
}

int map_file_make(const struct map_object *object)
{
	struct generation *generation = object->generation;
	char name[MAP_NAME_BYTES];
	struct stat stat = {.st_size = 0};

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
