/* SPDX-License-Identifier: Apache-2.0 */
/* cache/spool/files.c - see files.h. */
#include "cache/spool/files.h"

#include "base/io.h"
#include "cache/spool/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
	LOCK_TRIES = 200,
	LOCK_PAUSE_MS = 10,
	NAMES_MAX = 16 * 1024 * 1024,
};

static const char *const endings[FILES_KINDS] = {".j", ".d", ".gone", ".new"};

void files_name(char out[FILES_NAME_BYTES], const struct files_name *name)
{
	(void)snprintf(out, FILES_NAME_BYTES, "%016llx-%u%s",
	    (unsigned long long)name->serial, (unsigned)name->uid,
	    endings[name->kind]);
}

bool files_parse(struct files_name *out, const char *text)
{
	char again[FILES_NAME_BYTES];
	const char *dot = strchr(text, '.');
	char *end;

	if (dot == NULL || strspn(text, "0123456789abcdef") != 16)
		return false;
	out->serial = strtoull(text, NULL, 16);
	if (out->serial == 0 || out->serial > FILES_SERIAL_MAX)
		return false;
	out->uid = (uid_t)strtoul(text + 17, &end, 10);
	for (unsigned kind = 0; kind < FILES_KINDS; kind++) {
		out->kind = kind;
		/* Whatever strtoul() let pass does not come out again. */
		files_name(again, out);
		if (strcmp(again, text) == 0)
			return true;
	}
	return false;
}

int files_open(int dir_fd, const char *name, int flags, struct stat *out)
{
	struct stat about;
	int fd = openat(dir_fd, name,
	    flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
	int code;

	if (fd < 0)
		return errno == ELOOP || errno == EISDIR || errno == ENXIO
		    ? -EPERM
		    : -errno;
	code = fstat(fd, &about) < 0 ? -errno : 0;
	if (code == 0 &&
	    (!S_ISREG(about.st_mode) || about.st_uid != geteuid() ||
	        (about.st_mode & 077) != 0))
		code = -EPERM;
	if (code < 0) {
		(void)close(fd);
		return code;
	}
	if (out != NULL)
		*out = about;
	return fd;
}

/* A directory that is ours alone. */
static int open_dir(int at_fd, const char *name)
{
	struct stat about;
	int fd = openat(at_fd, name,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC |
	        (at_fd == AT_FDCWD ? 0 : O_NOFOLLOW));
	int code;

	if (fd < 0)
		return -errno;
	code = fstat(fd, &about) < 0 ? -errno : 0;
	if (code == 0 &&
	    (about.st_uid != geteuid() || (about.st_mode & 077) != 0))
		code = -EPERM;
	if (code < 0) {
		(void)close(fd);
		return code;
	}
	return fd;
}

static int open_below(int dir_fd, const char *name)
{
	if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	return open_dir(dir_fd, name);
}

/* The top, and v1/ in it. */
static int open_top(struct spool *spool)
{
	int code = io_make_dirs(spool->dir);
	int top_fd = open_dir(AT_FDCWD, spool->dir);

	if (top_fd < 0)
		return code < 0 && top_fd == -ENOENT ? code : top_fd;
	spool->dir_fd = open_below(top_fd, DISK_GENERATION);
	code = spool->dir_fd < 0 ? spool->dir_fd : 0;
	/* The names that lead to the entries survive the power too. */
	if (code == 0 && fsync(top_fd) < 0)
		code = -errno;
	(void)close(top_fd);
	return code;
}

int files_open_spool(struct spool *spool, struct err *err)
{
	int code = open_top(spool);

	if (code == 0) {
		spool->claims_fd = open_below(spool->dir_fd, "claims");
		code = spool->claims_fd < 0 ? spool->claims_fd : 0;
	}
	if (code == 0) {
		spool->next_fd =
		    files_open(spool->dir_fd, "next", O_RDWR | O_CREAT, NULL);
		code = spool->next_fd < 0 ? spool->next_fd : 0;
	}
	if (code == 0) {
		spool->owners_fd =
		    files_open(spool->dir_fd, "owners", O_RDWR | O_CREAT, NULL);
		code = spool->owners_fd < 0 ? spool->owners_fd : 0;
	}
	if (code == 0)
		return 0;
	if (code == -EPERM)
		return err_set(err, -EACCES,
		    "spool directory '%s': belongs to another user, may be "
		    "entered by others, or holds what is no file of a spool; "
		    "run: chmod 700 %s; or name another",
		    spool->dir, spool->dir);
	return err_set(err, code, "spool directory '%s': %s", spool->dir,
	    err_message(code));
}

void files_close_spool(struct spool *spool)
{
	if (spool->owners_fd >= 0)
		(void)close(spool->owners_fd);
	if (spool->next_fd >= 0)
		(void)close(spool->next_fd);
	if (spool->claims_fd >= 0)
		(void)close(spool->claims_fd);
	if (spool->dir_fd >= 0)
		(void)close(spool->dir_fd);
}

int files_lock(int fd)
{
	return io_lock_briefly(fd, LOCK_TRIES, LOCK_PAUSE_MS);
}

void files_unlock(int fd)
{
	(void)flock(fd, LOCK_UN);
}

ssize_t files_read(int fd, size_t limit, void **out)
{
	struct stat about;
	ssize_t n;
	void *bytes;

	if (fstat(fd, &about) < 0)
		return -errno;
	if (about.st_size < 0 || (uint64_t)about.st_size > limit)
		return -EFBIG;
	bytes = malloc((size_t)about.st_size + 1);
	if (bytes == NULL)
		return -ENOMEM;
	n = io_pread(fd, bytes, (size_t)about.st_size, 0);
	if (n < 0)
		free(bytes);
	else
		*out = bytes;
	return n;
}

struct names {
	struct files_name *list;
	size_t count;
	size_t room;
};

static int note_name(void *arg, int dir_fd, const char *text)
{
	struct names *names = arg;
	struct files_name name;

	(void)dir_fd;
	if (!files_parse(&name, text))
		return 0;
	if (names->count == names->room) {
		size_t room = names->room > 0 ? names->room * 2 : 64;
		struct files_name *list;

		if (room > NAMES_MAX)
			return -EMFILE;
		list = realloc(names->list, room * sizeof(*list));
		if (list == NULL)
			return -ENOMEM;
		names->list = list;
		names->room = room;
	}
	names->list[names->count++] = name;
	return 0;
}

static int compare_names(const void *a_in, const void *b_in)
{
	const struct files_name *a = a_in;
	const struct files_name *b = b_in;

	if (a->serial != b->serial)
		return a->serial < b->serial ? -1 : 1;
	return (int)a->kind - (int)b->kind;
}

ssize_t files_all(const struct spool *spool, struct files_name **out)
{
	struct names names = {.list = NULL};
	int code = io_each_name(spool->dir_fd, ".", note_name, &names);

	if (code < 0) {
		free(names.list);
		return code;
	}
	if (names.count > 0)
		qsort(names.list, names.count, sizeof(*names.list),
		    compare_names);
	*out = names.list;
	return (ssize_t)names.count;
}
