/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/export.c - an unsent file becomes a plain one outside of the
 * spool.
 *
 * On the same file system it gets a second name there, so that no room is
 * needed; else it is copied, holes as holes. It is flushed there before it
 * goes here: killed in between, it is in both.
 */
#include "base/io.h"
#include "base/path.h"
#include "cache/spool/files.h"
#include "cache/spool/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 1024 * 1024, LINE_BYTES = 64 };

/* Where a file goes. */
struct place {
	int dir_fd;
	char below[SPOOL_TEXT_BYTES_MAX]; /* "" or "a/b/" */
	char name[PATH_NAME_BYTES_MAX + 32];
	bool linked; /* the very file of the spool */
};

/* A directory below another, made when missing; flushed then. */
static int step_into(int dir_fd, const char *name)
{
	int fd;
	int code = 0;

	if (mkdirat(dir_fd, name, 0700) == 0)
		code = fsync(dir_fd) < 0 ? -errno : 0;
	else if (errno != EEXIST)
		code = -errno;
	if (code < 0)
		return code;
	fd = openat(
	    dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* The directory of a path; `place` is changed on success only. */
static int walk_to(struct place *place, const char *path)
{
	const char *last = path_name(path);
	const char *at = path + 1;
	int fd = openat(place->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (at < last) {
		const char *slash = strchr(at, '/');
		char part[PATH_NAME_BYTES_MAX + 1];
		int next = -ENAMETOOLONG;

		if ((size_t)(slash - at) < sizeof(part)) {
			memcpy(part, at, (size_t)(slash - at));
			part[slash - at] = '\0';
			next = step_into(fd, part);
		}
		(void)close(fd);
		if (next < 0)
			return next;
		fd = next;
		at = slash + 1;
	}
	(void)close(place->dir_fd);
	place->dir_fd = fd;
	memcpy(place->below, path + 1, (size_t)(last - path - 1));
	place->below[last - path - 1] = '\0';
	return 0;
}

/* Copy the next piece that is no hole, from `*at` on.
 * @return 1, 0: there is none, -errno */
static int copy_piece(const struct spool_entry *entry, int to_fd,
    uint64_t size_bytes, uint8_t *buffer, off_t *at)
{
	off_t data = lseek(entry->data_fd, *at, SEEK_DATA);
	ssize_t n;
	int code;

	if (data < 0 && errno == ENXIO)
		return 0;
	/* Where holes cannot be told, all is data. */
	if (data >= 0)
		*at = data;
	if ((uint64_t)*at >= size_bytes)
		return 0;
	n = io_pread(entry->data_fd, buffer, COPY_BYTES, (uint64_t)*at);
	if (n <= 0)
		return (int)n;
	if ((uint64_t)n > size_bytes - (uint64_t)*at)
		n = (ssize_t)(size_bytes - (uint64_t)*at);
	code = io_pwrite(to_fd, buffer, (size_t)n, (uint64_t)*at);
	*at += n;
	return code < 0 ? code : 1;
}

/* Copy what is data; the size last, so that holes stay. */
static int copy_bytes(
    const struct spool_entry *entry, int to_fd, uint64_t size_bytes)
{
	uint8_t *buffer = malloc(COPY_BYTES);
	off_t at = 0;
	int code = buffer == NULL ? -ENOMEM : 1;

	while (code > 0)
		code = copy_piece(entry, to_fd, size_bytes, buffer, &at);
	if (code == 0 && ftruncate(to_fd, (off_t)size_bytes) < 0)
		code = -errno;
	free(buffer);
	return code;
}

/* Mode and times, as far as they go here. */
static void dress(int fd, const struct spool_attr *attr)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
	    {.tv_sec = attr->mtime_s, .tv_nsec = attr->mtime_ns}};

	(void)!fchmod(fd, (attr->mode & 0777) | 0600);
	if (attr->has_mtime)
		(void)futimens(fd, times);
}

static int copy_file(const struct spool_entry *entry, const struct place *place,
    const struct spool_attr *attr)
{
	int fd = openat(place->dir_fd, place->name,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int code;

	if (fd < 0)
		return -errno;
	code = copy_bytes(entry, fd, attr->size_bytes);
	dress(fd, attr);
	if (code == 0 && fsync(fd) < 0)
		code = -errno;
	(void)close(fd);
	if (code < 0)
		(void)unlinkat(place->dir_fd, place->name, 0);
	return code;
}

/* A second name, else a copy. */
static int give_name(const struct spool_entry *entry, struct place *place,
    const struct spool_attr *attr)
{
	struct files_name name = {
	    .serial = entry->serial, .uid = entry->uid, .kind = FILES_DATA};
	char data[FILES_NAME_BYTES];

	files_name(data, &name);
	if (linkat(entry->spool->dir_fd, data, place->dir_fd, place->name, 0) <
	    0)
		return errno == EEXIST ? -EEXIST
		                       : copy_file(entry, place, attr);
	place->linked = true;
	if (fsync(entry->data_fd) == 0)
		return 0;

	int code = -errno;

	(void)unlinkat(place->dir_fd, place->name, 0);
	return code;
}

/* Which bytes of a partial file are there. */
static int write_ranges(
    const struct spool_entry *entry, const struct place *place)
{
	char name[sizeof(place->name) + 8];
	FILE *file;
	int code = 0;
	uint64_t at = 0;
	struct spool_piece piece = spool_map(entry, at);
	int fd;

	(void)snprintf(name, sizeof(name), "%s.ranges", place->name);
	fd = openat(place->dir_fd, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (file == NULL) {
		(void)close(fd);
		return -ENOMEM;
	}
	for (; piece.where != SPOOL_END; piece = spool_map(entry, at)) {
		if (piece.where == SPOOL_HERE)
			(void)fprintf(file, "%" PRIu64 " %" PRIu64 "\n", at,
			    piece.size_bytes);
		at += piece.size_bytes;
	}
	if (fflush(file) != 0 || fsync(fd) < 0)
		code = errno != 0 ? -errno : -EIO;
	(void)fclose(file);
	return code;
}

/* Find a name that is free and fits. */
static int place_file(const struct spool_entry *entry, struct place *place,
    const char *path, bool partial)
{
	struct spool_attr attr = spool_attr(entry);
	const char *name = path_name(path);
	const char *end = partial ? ".partial" : "";
	int code = walk_to(place, path);

	if (code == 0) {
		(void)snprintf(
		    place->name, sizeof(place->name), "%.255s%s", name, end);
		code = give_name(entry, place, &attr);
		if (code == -EEXIST) {
			(void)snprintf(place->name, sizeof(place->name),
			    "%.240s.%llu%s", name,
			    (unsigned long long)entry->serial, end);
			code = give_name(entry, place, &attr);
		}
	}
	if (code != -ENAMETOOLONG && code != -ENOTDIR && code != -ELOOP &&
	    code != -EEXIST)
		return code;
	/* A file stands where its directory would be, or the name is too
	 * long. */
	(void)snprintf(place->name, sizeof(place->name), "entry-%llu%s",
	    (unsigned long long)entry->serial, end);
	return give_name(entry, place, &attr);
}

static int export_awake(struct spool_entry **entry_in, const char *dir,
    char out[SPOOL_TEXT_BYTES_MAX + 32], struct err *err)
{
	struct spool_entry *entry = *entry_in;
	struct place place = {.dir_fd = -1};
	struct spool_attr attr = spool_attr(entry);
	struct spool_item item;
	int kept_fd;
	int code;

	if (!entry->file)
		return entry_fail(entry, err, -EBADF, "taken out");
	code = spool_item_of(entry, &item);
	if (code < 0)
		return err_set(err, code, "spool: out of memory");
	/* What could not be made cannot be opened either. */
	(void)!io_make_dirs(dir);
	place.dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place.dir_fd < 0)
		code = -errno;
	else
		code = place_file(entry, &place, item.text[SPOOL_PATH],
		    item.missing_bytes > 0);
	if (code == 0 && item.missing_bytes > 0)
		code = write_ranges(entry, &place);
	if (code == 0 && fsync(place.dir_fd) < 0)
		code = -errno;
	if (place.dir_fd >= 0)
		(void)close(place.dir_fd);
	spool_item_fini(&item);
	if (code < 0) {
		char what[300];

		(void)snprintf(
		    what, sizeof(what), "taken out to '%.250s'", dir);
		return entry_fail(entry, err, code, what);
	}
	(void)snprintf(out, SPOOL_TEXT_BYTES_MAX + 32, "%.4000s%.120s",
	    place.below, place.name);
	/* As long as it is the spool's too, its mode is the spool's. */
	kept_fd = place.linked ? dup(entry->data_fd) : -1;
	code = entry_remove(entry_in, err);
	if (kept_fd >= 0) {
		dress(kept_fd, &attr);
		(void)close(kept_fd);
	}
	return code;
}

int spool_export(struct spool_entry **entry, const char *dir,
    char out[SPOOL_TEXT_BYTES_MAX + 32], struct err *err)
{
	/* Nobody else has it, so it stays awake. */
	int code = entry_enter(*entry, err);

	spool_work_leave(*entry);
	return code < 0 ? code : export_awake(entry, dir, out, err);
}
