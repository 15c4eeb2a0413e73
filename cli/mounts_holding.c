/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mounts_holding.c - which bearerfs mount a path lies in: the path is
 * walked as the kernel would, but for what lies on such a mount, which may
 * hang: that is gone through by its text.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/mounts.h"

enum {
	LINKS_MAX = 40, /* as the kernel follows: path_resolution(7) */
	REST_BYTES_MAX = 3 * PATH_BYTES_MAX,
};

struct walk {
	struct mount_entry *mount; /* the innermost one that holds `done` */
	char done[PATH_BYTES_MAX]; /* normal, without links */
	char rest[REST_BYTES_MAX]; /* still to go */
	unsigned links;
};

struct search {
	struct mount_entry *out;
	const char *path;
	bool found;
};

static int match_within(void *arg, const struct mount_entry *entry)
{
	struct search *search = arg;

	/* The innermost mount wins, whatever its type: a tmpfs on top of a
	 * directory of ours is not ours. Of two on one point, the later. */
	if (path_is_within(search->path, entry->point) &&
	    (!search->found ||
	        strlen(entry->point) >= strlen(search->out->point))) {
		*search->out = *entry;
		search->found = true;
	}
	return 0;
}

/* Go to `path`. @retval 1 it is on a bearerfs mount, 0 it is not. */
static int arrive(struct walk *walk, const char *path, struct err *err)
{
	struct search search = {.out = walk->mount, .path = path};
	int code = mounts_each(match_within, &search, err);

	if (code < 0)
		return code;
	(void)snprintf(walk->done, sizeof(walk->done), "%s", path);
	return search.found && mounts_is_bearerfs(walk->mount);
}

static int too_long(const char *path, struct err *err)
{
	return err_set(err, -ENAMETOOLONG,
	    "path '%.100s...': longer than a path can be", path);
}

/* `walk->done` is a symbolic link to `target`: go on from there. */
static int follow(struct walk *walk, const char *target, struct err *err)
{
	char rest[REST_BYTES_MAX];
	char parent[PATH_BYTES_MAX];
	int n = snprintf(rest, sizeof(rest), "%s/%s", target, walk->rest);

	if (n < 0 || (size_t)n >= sizeof(rest))
		return too_long(target, err);
	if (++walk->links > LINKS_MAX)
		return err_set(err, -ELOOP,
		    "path '%s': too many symbolic links", walk->done);
	memcpy(walk->rest, rest, (size_t)n + 1);
	if (target[0] == '/')
		return arrive(walk, "/", err);
	path_parent(parent, walk->done);
	return arrive(walk, parent, err);
}

/* One name further. @return as arrive(). */
static int step(struct walk *walk, const char *name, struct err *err)
{
	char next[PATH_BYTES_MAX];
	char target[PATH_BYTES_MAX];
	ssize_t n;
	int code;

	if (strcmp(name, "..") == 0)
		path_parent(next, walk->done);
	else if (path_join(next, walk->done, name) < 0)
		return too_long(walk->done, err);
	code = arrive(walk, next, err);
	if (code != 0)
		return code;
	n = readlink(next, target, sizeof(target) - 1);
	if (n <= 0)
		return 0; /* no link, or not there: then by its text */
	target[n] = '\0';
	return follow(walk, target, err);
}

/* Cut the next name off; NULL: nothing is left. "." and "" go nowhere. */
static const char *next_name(struct walk *walk, char name[PATH_BYTES_MAX])
{
	const char *from = walk->rest;
	size_t size_bytes;

	do {
		from += strspn(from, "/");
		size_bytes = strcspn(from, "/");
		(void)snprintf(
		    name, PATH_BYTES_MAX, "%.*s", (int)size_bytes, from);
		from += size_bytes;
	} while (strcmp(name, ".") == 0);
	memmove(walk->rest, from, strlen(from) + 1);
	return size_bytes > 0 ? name : NULL;
}

static int begin(struct walk *walk, const char *path, struct err *err)
{
	char cwd[PATH_BYTES_MAX] = "";
	int n;

	if (path[0] == '\0')
		return err_set(err, -ENOENT, "path '': name a file");
	if (path[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		return err_set(err, -errno,
		    "working directory: %s; give an absolute path",
		    err_message(errno));
	n = snprintf(walk->rest, sizeof(walk->rest), "%s/%s", cwd, path);
	if (n < 0 || (size_t)n >= sizeof(walk->rest))
		return too_long(path, err);
	return arrive(walk, "/", err);
}

/* The path in the file system: what is mounted, and the way below it. */
static int look_inside(
    const struct walk *walk, char inside[PATH_BYTES_MAX], struct err *err)
{
	const struct mount_entry *mount = walk->mount;
	const char *root = strcmp(mount->root, "/") == 0 ? "" : mount->root;
	const char *below = walk->done;
	int n;

	if (strcmp(mount->point, "/") != 0)
		below += strlen(mount->point);
	n = snprintf(inside, PATH_BYTES_MAX, "%s%s", root, below);
	if (n < 0 || n >= PATH_BYTES_MAX)
		return too_long(walk->done, err);
	if (n == 0)
		memcpy(inside, "/", 2);
	return 1;
}

int mounts_holding(struct mount_entry *out, char inside[PATH_BYTES_MAX],
    const char *path, struct err *err)
{
	struct walk walk = {.mount = out};
	char name[PATH_BYTES_MAX];
	int code = begin(&walk, path, err);

	while (code >= 0 && next_name(&walk, name) != NULL)
		code = step(&walk, name, err);
	if (code == 1 && inside != NULL)
		code = look_inside(&walk, inside, err);
	return code;
}
