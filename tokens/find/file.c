/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/file.c - see file.h. */
#include "tokens/find/file.h"

#include "base/stats.h"
#include "tokens/find/mounts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int fail(struct err *err, const char *path, int code)
{
	const char *cure = "";

	if (code == -ENOTDIR)
		code = -ENOENT;
	if (code == -EACCES)
		cure = "; its user must be able to read it";
	if (code == -ELOOP)
		cure = "; remove one";
	return err_set(err, code, "'%s': %s%s", path, err_message(code), cure);
}

static int too_long(struct err *err)
{
	return err_set(err, -ENAMETOOLONG, "path too long");
}

/* A link in a directory that anybody may write must be our own or root's,
 * whatever fs.protected_symlinks says: it could make any private file of
 * ours a token that is sent away. */
static int check_link(
    const char *path, const struct file_rules *rules, struct err *err)
{
	char parent[PATH_BYTES_MAX];
	struct stat link;
	struct stat dir;

	path_parent(parent, path);
	if (lstat(path, &link) < 0 || stat(parent, &dir) < 0)
		return fail(err, path, -errno);
	if ((dir.st_mode & S_IWOTH) != 0 && link.st_uid != rules->uid &&
	    link.st_uid != 0)
		return err_set(err, -EPERM,
		    "'%s' is a symbolic link that user %u has put into a "
		    "directory for everybody; remove it",
		    path, (unsigned)link.st_uid);
	return 0;
}

/* Where the walk stands: `done` is resolved, `rest` is still to do. */
struct walk {
	char done[PATH_BYTES_MAX]; /* "" for the root */
	char rest[PATH_BYTES_MAX];
	unsigned links;
};

/* Go on at a link's target. */
static int follow(struct walk *walk, struct err *err)
{
	char target[PATH_BYTES_MAX];
	char rest[PATH_BYTES_MAX];
	ssize_t n = readlink(walk->done, target, sizeof(target) - 1);
	int used;

	if (n < 0)
		return fail(err, walk->done, -errno);
	target[n] = '\0';
	if (++walk->links > FILE_LINKS_MAX)
		return fail(err, walk->done, -ELOOP);
	used = snprintf(rest, sizeof(rest), "%s/%s", target, walk->rest);
	if (used < 0 || (size_t)used >= sizeof(rest))
		return too_long(err);
	memcpy(walk->rest, rest, (size_t)used + 1);
	if (target[0] == '/')
		walk->done[0] = '\0';
	else
		*strrchr(walk->done, '/') = '\0';
	return 0;
}

/* Move one part from `rest` to `done`; 1 when it was put there, 0 when it
 * was no name, negative when it does not fit. */
static int take_part(struct walk *walk)
{
	char *start = walk->rest + strspn(walk->rest, "/");
	size_t n = strcspn(start, "/");
	size_t used = strlen(walk->done);
	int taken = 0;

	if (n == 2 && memcmp(start, "..", 2) == 0) {
		if (used > 0)
			*strrchr(walk->done, '/') = '\0';
	} else if (n > 1 || (n == 1 && start[0] != '.')) {
		if (used + 1 + n >= sizeof(walk->done))
			return -ENAMETOOLONG;
		walk->done[used] = '/';
		memcpy(walk->done + used + 1, start, n);
		walk->done[used + 1 + n] = '\0';
		taken = 1;
	}
	memmove(walk->rest, start + n, strlen(start + n) + 1);
	return taken;
}

static int refuse_place(const char *path, struct err *err)
{
	return err_set(err, -EPERM,
	    "'%s' lies on the mount that needs the token; keep it elsewhere",
	    path);
}

/* Whether a path is the root of a mount where nothing may lie. Asked like
 * this a FUSE file system is sent no request; below a root it would be. */
static int check_device(
    const char *path, const struct mounts *mounts, struct err *err)
{
	struct statx found;

	if (statx(AT_FDCWD, path,
	        AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, 0,
	        &found) < 0)
		return fail(err, path, -errno);
	if (mounts_have(
	        mounts, makedev(found.stx_dev_major, found.stx_dev_minor)))
		return refuse_place(path, err);
	return 0;
}

/* One part of the path: never touched before it is known to lie where it
 * may. */
static int step(
    struct walk *walk, const struct file_rules *rules, struct err *err)
{
	struct stat found;
	int code = take_part(walk);

	if (code == 0)
		return 0;
	if (code < 0)
		return too_long(err);
	code = 0;
	if (rules->forbidden_tree != NULL &&
	    path_is_within(walk->done, rules->forbidden_tree))
		return refuse_place(walk->done, err);
	if (rules->mounts != NULL)
		code = check_device(walk->done, rules->mounts, err);
	if (code < 0)
		return code;
	if (lstat(walk->done, &found) < 0)
		return fail(err, walk->done, -errno);
	if (!S_ISLNK(found.st_mode))
		return 0;
	code = check_link(walk->done, rules, err);
	return code < 0 ? code : follow(walk, err);
}

int token_file_resolve(char out[PATH_BYTES_MAX], const char *path,
    const struct file_rules *rules, struct err *err)
{
	struct walk walk = {.done = ""};
	int code = 0;

	assert(path[0] == '/');
	if (strlen(path) >= sizeof(walk.rest))
		return too_long(err);
	memcpy(walk.rest, path, strlen(path) + 1);
	while (code == 0 && walk.rest[strspn(walk.rest, "/")] != '\0')
		code = step(&walk, rules, err);
	if (code < 0)
		return code;
	if (walk.done[0] == '\0')
		memcpy(walk.done, "/", 2);
	memcpy(out, walk.done, strlen(walk.done) + 1);
	return 0;
}

static const char *kind_of(mode_t mode)
{
	if (S_ISDIR(mode))
		return "a directory";
	if (S_ISFIFO(mode))
		return "a FIFO";
	if (S_ISSOCK(mode))
		return "a socket";
	return "a device";
}

/* Whether a file may be believed, by what stat(2) says of it. */
static int check(const struct stat *found, const char *path,
    const struct file_rules *rules, struct err *err)
{
	if (!S_ISREG(found->st_mode))
		return err_set(err, -EPERM,
		    "'%s' is %s; a token file must be a regular file", path,
		    kind_of(found->st_mode));
	if (found->st_uid != rules->uid && found->st_uid != 0)
		return err_set(err, -EPERM,
		    "'%s' belongs to user %u; run: chown %u %s", path,
		    (unsigned)found->st_uid, (unsigned)rules->uid, path);
	if ((found->st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return err_set(err, -EPERM,
		    "'%s' is open to others (mode %04o); run: chmod 600 %s",
		    path, (unsigned)(found->st_mode & 07777), path);
	if (found->st_size > FILE_BYTES_MAX)
		return err_set(err, -EMSGSIZE,
		    "'%s' has %lld bytes; a token has at most %d KiB", path,
		    (long long)found->st_size, FILE_BYTES_MAX / 1024);
	return 0;
}

static bool settled(const struct timespec *time, uint64_t now_s)
{
	return time->tv_sec >= 0 &&
	    (uint64_t)time->tv_sec + FILE_SETTLED_S <= now_s;
}

struct file_stamp token_file_stamp_of(const struct stat *found, uint64_t now_s)
{
	return (struct file_stamp){.settled = settled(&found->st_mtim, now_s) &&
	        settled(&found->st_ctim, now_s),
	    .device = found->st_dev,
	    .inode = found->st_ino,
	    .size_bytes = found->st_size,
	    .modified = found->st_mtim,
	    .changed = found->st_ctim};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool token_file_stamp_same(
    const struct file_stamp *before, const struct file_stamp *after)
{
	return before->settled && before->device == after->device &&
	    before->inode == after->inode &&
	    before->size_bytes == after->size_bytes &&
	    same_time(&before->modified, &after->modified) &&
	    same_time(&before->changed, &after->changed);
}

/* Read to the end; one byte more than allowed tells a file that grew. */
static int read_all(
    struct file_look *look, int fd, const char *path, struct err *err)
{
	size_t used = 0;

	while (used < sizeof(look->bytes)) {
		ssize_t n =
		    read(fd, look->bytes + used, sizeof(look->bytes) - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(err, path, -errno);
		if (n == 0) {
			look->size_bytes = used;
			stats_add(STATS_tokens_reads, 1);
			return 0;
		}
		used += (size_t)n;
	}
	return err_set(err, -EMSGSIZE, "'%s' has more than %d KiB", path,
	    FILE_BYTES_MAX / 1024);
}

/* As check_link(), of hard links, whatever fs.protected_hardlinks says. */
static int check_names(
    const struct stat *found, const char *real, struct err *err)
{
	char parent[PATH_BYTES_MAX];
	struct stat dir;

	if (found->st_nlink < 2)
		return 0;
	path_parent(parent, real);
	if (stat(parent, &dir) < 0)
		return fail(err, real, -errno);
	if ((dir.st_mode & S_IWOTH) != 0)
		return err_set(err, -EPERM,
		    "'%s' has another name (a hard link), and anybody may have "
		    "put it into this directory for everybody; write the token "
		    "into a new file",
		    real);
	return 0;
}

static int look_at(struct file_look *look, int fd, const char *path,
    const char *real, const struct file_rules *rules, struct err *err)
{
	struct file_stamp before = look->stamp;
	struct stat found;
	int code;

	/* Again: it may be another file than the one that lstat() saw. */
	if (fstat(fd, &found) < 0)
		return fail(err, path, -errno);
	code = check(&found, path, rules, err);
	if (code == 0)
		code = check_names(&found, real, err);
	if (code < 0)
		return code;
	look->stamp = token_file_stamp_of(&found, look->now_s);
	look->unchanged =
	    !look->force && token_file_stamp_same(&before, &look->stamp);
	return look->unchanged ? 0 : read_all(look, fd, path, err);
}

int token_file_look(struct file_look *look, const char *path,
    const struct file_rules *rules, struct err *err)
{
	char real[PATH_BYTES_MAX];
	struct stat found;
	int code = token_file_resolve(real, path, rules, err);
	int fd;

	look->unchanged = false;
	look->size_bytes = 0;
	if (code < 0)
		return code;
	/* Before it is opened: opening a device can already do something. */
	if (lstat(real, &found) < 0)
		return fail(err, real, -errno);
	code = check(&found, path, rules, err);
	if (code < 0)
		return code;
	fd = open(
	    real, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, path, -errno);
	code = look_at(look, fd, path, real, rules, err);
	(void)close(fd);
	return code;
}
