/* SPDX-License-Identifier: Apache-2.0 */
/* cli/plan/places.c - see places.h. */
#include "cli/plan/places.h"

#include "base/clock.h"
#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/control/control.h"
#include "cli/env.h"
#include "cli/mounts.h"

enum { BUSY_LOOK_MS = 2000 };

struct places_env places_env(void)
{
	return (struct places_env){
	    .cache_home = env_get("XDG_CACHE_HOME"),
	    .state_home = env_get("XDG_STATE_HOME"),
	    .home = env_get("HOME"),
	    .condor_scratch = env_get("_CONDOR_SCRATCH_DIR"),
	    .tmp = env_get("TMPDIR"),
	    .uid = (unsigned)geteuid(),
	};
}

enum life { LIFE_RUNS, LIFE_ENDING, LIFE_ENDED };

/* Whether the process behind a mount lives. A killed one may still hold its
 * socket for a moment: it takes a connection and does not answer. */
static enum life life_of(const struct mount_entry *entry)
{
	struct err ignored = ERR_INIT;
	bool heard = false;
	int fd = control_connect(
	    entry->major, entry->minor, entry->owner, BUSY_LOOK_MS, &ignored);
	int code;

	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return LIFE_ENDED;
	if (fd < 0)
		return LIFE_RUNS;
	code = control_tell(fd, "status");
	if (code == 0)
		code = control_await_end(fd, &heard);
	(void)close(fd);
	return heard || code == -ETIMEDOUT ? LIFE_RUNS : LIFE_ENDING;
}

/* A mount of ours lies on the directory: in use, or left by a process that
 * died? Its socket is asked before the directory is touched. */
static int clear_dead(const struct mount_entry *entry, struct err *err)
{
	uint64_t latest_ms = clock_now_ms(clock_system()) + BUSY_LOOK_MS;
	enum life life = life_of(entry);
	struct stat about;

	while (
	    life == LIFE_ENDING && clock_now_ms(clock_system()) < latest_ms) {
		const struct timespec step = {.tv_nsec = 10L * 1000000};

		(void)nanosleep(&step, NULL);
		life = life_of(entry);
	}
	/* Only now may stat(2) be tried, which a dead connection answers at
	 * once. */
	if (life == LIFE_ENDED && stat(entry->point, &about) < 0 &&
	    (errno == ENOTCONN || errno == ECONNABORTED)) {
		control_sweep(entry->major, entry->minor, entry->owner);
		return mounts_detach(entry->point, MOUNTS_LAZY, err);
	}
	return err_set(err, -EBUSY,
	    "mount point '%s': '%s' is mounted there already; unmount it "
	    "first: bearerfs umount %s",
	    entry->point, entry->source, entry->point);
}

int places_mountpoint(
    char out[PATH_MAX], const char *mountpoint, struct err *err)
{
	struct mount_entry entry;
	struct stat about;
	int found = mounts_holding(&entry, NULL, mountpoint, err);
	int code;

	if (found < 0)
		return found;
	if (found == 1) {
		code = clear_dead(&entry, err);
		if (code < 0)
			return code;
	}
	if (realpath(mountpoint, out) == NULL)
		return err_set(err, -errno, "mount point '%s': %s%s",
		    mountpoint, err_message(errno),
		    errno == ENOENT ? "; make the directory first" : "");
	if (stat(out, &about) < 0)
		return err_set(err, -errno, "mount point '%s': %s", out,
		    err_message(errno));
	if (!S_ISDIR(about.st_mode))
		return err_set(err, -ENOTDIR,
		    "mount point '%s': is not a directory; name one", out);
	return 0;
}

/* Whether a path that cannot be resolved now may lead somewhere later. */
static bool may_heal(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP ||
	    error == EACCES;
}

/* The nearest part of `path` that can be resolved, as a real path. */
static int existing_part(char out[PATH_MAX], const char *path)
{
	char part[PATH_MAX];
	size_t size_bytes = strlen(path);

	if (size_bytes >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, size_bytes + 1);
	while (realpath(part, out) == NULL) {
		char *slash = strrchr(part, '/');

		if (!may_heal(errno) || slash == NULL)
			return -errno;
		slash[slash == part ? 1 : 0] = '\0';
	}
	return 0;
}

int places_refuse_own(
    const char *what, const char *path, const char *mountpoint, struct err *err)
{
	char real[PATH_MAX];
	struct mount_entry entry;
	int code = existing_part(real, path);

	if (code < 0)
		return err_set(
		    err, code, "%s '%s': %s", what, path, err_message(code));
	if (path_is_within(real, mountpoint))
		return err_set(err, -EDEADLK,
		    "%s '%s': lies below the mount point and would wait for "
		    "itself; put it elsewhere",
		    what, path);
	code = mounts_of_file(&entry, real, err);
	if (code < 0)
		return code;
	if (code == 1 && mounts_is_bearerfs(&entry))
		return err_set(err, -EDEADLK,
		    "%s '%s': lies on the bearerfs mount '%s' and could wait "
		    "for itself; put it on a local disk",
		    what, path, entry.point);
	return 0;
}

int places_make_dirs(const char *path)
{
	char part[PATH_MAX];
	size_t size_bytes = strlen(path);

	if (size_bytes >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= size_bytes; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST) {
			struct stat about;
			int code = -errno;

			/* EROFS, EACCES on the way to what is there. */
			if (stat(part, &about) < 0)
				return code;
		}
	}
	return 0;
}

static bool is_passing(int code)
{
	return code == -ENOSPC || code == -EDQUOT || code == -EROFS ||
	    code == -EIO;
}

/* Whether a directory may hold a cache; `network` tells why not. */
static int try_cache(char out[PATH_MAX], const char *dir,
    const char *mountpoint, bool *network, struct err *err)
{
	struct mount_entry entry;
	struct stat about;
	int code = places_refuse_own("cache directory", dir, mountpoint, err);

	if (code < 0)
		return code;
	code = places_make_dirs(dir);
	/* There may be room, or a disk that can be written to, later. */
	if (is_passing(code) && dir[0] == '/') {
		(void)snprintf(out, PATH_MAX, "%s", dir);
		return 0;
	}
	if (code < 0 || realpath(dir, out) == NULL || stat(out, &about) < 0) {
		code = code < 0 ? code : -errno;
		return err_set(err, code, "cache directory '%s': %s", dir,
		    err_message(code));
	}
	if (!S_ISDIR(about.st_mode))
		return err_set(err, -ENOTDIR,
		    "cache directory '%s': is not a directory", dir);
	if (about.st_uid != geteuid() || access(out, W_OK | X_OK) < 0)
		return err_set(err, -EACCES,
		    "cache directory '%s': must belong to you and be "
		    "writable; choose another with -o cache_dir=DIR",
		    dir);
	/* Once more, now that every part of it exists. */
	code = places_refuse_own("cache directory", out, mountpoint, err);
	if (code < 0)
		return code;
	code = mounts_of_file(&entry, out, err);
	if (code < 0)
		return code;
	*network = code == 1 && mounts_is_network(entry.type);
	if (*network)
		return err_set(err, -EXDEV,
		    "cache directory '%s': on the network file system %s", dir,
		    entry.type);
	return 0;
}

int places_cache_below(char out[PATH_MAX], const char *parent, unsigned uid)
{
	int n;

	if (parent == NULL || parent[0] != '/')
		return -ENOENT;
	n = snprintf(out, PATH_MAX, "%s/bearerfs-cache-%u", parent, uid);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* A directory of ours below one that others may share. */
static int try_below(char out[PATH_MAX], const char *parent, unsigned uid,
    const char *mountpoint)
{
	char dir[PATH_MAX];
	struct err ignored = ERR_INIT;
	bool network = false;
	int code = places_cache_below(dir, parent, uid);

	return code < 0 ? code
	                : try_cache(out, dir, mountpoint, &network, &ignored);
}

int places_cache_default(char out[PATH_MAX], const struct places_env *env)
{
	int n;

	if (env->cache_home != NULL && env->cache_home[0] == '/')
		n = snprintf(out, PATH_MAX, "%s/bearerfs", env->cache_home);
	else if (env->uid == 0)
		n = snprintf(out, PATH_MAX, "/var/cache/bearerfs");
	else if (env->home != NULL && env->home[0] == '/')
		n = snprintf(out, PATH_MAX, "%s/.cache/bearerfs", env->home);
	else
		return -ENOENT;
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int places_cache(char out[PATH_MAX], const char *wanted,
    const struct places_env *env, const char *mountpoint, struct err *warning,
    struct err *err)
{
	char dir[PATH_MAX];
	bool network = false;
	int code = 0;

	warning->code = 0;
	warning->text[0] = '\0';
	if (wanted != NULL)
		(void)snprintf(dir, sizeof(dir), "%s", wanted);
	else
		code = places_cache_default(dir, env);
	if (code < 0)
		(void)err_set(err, code,
		    "cache directory: neither XDG_CACHE_HOME nor HOME is set");
	else
		code = try_cache(out, dir, mountpoint, &network, err);
	if (code == 0)
		return 0;
	/* A wanted directory that cannot be used is a mistake to mend; a
	 * network file system is a site's habit to work around. Our own
	 * mounts are refused in either case. */
	if (code == -EDEADLK || (wanted != NULL && !network))
		return code;
	if (try_below(out, env->condor_scratch, env->uid, mountpoint) == 0 ||
	    try_below(out, env->tmp, env->uid, mountpoint) == 0) {
		(void)err_set(
		    warning, code, "%.300s; using '%.150s'", err->text, out);
		return 0;
	}
	out[0] = '\0';
	(void)err_set(warning, code,
	    "%.300s; nothing is cached on disk; name a local directory with "
	    "-o cache_dir=DIR",
	    err->text);
	return 0;
}
