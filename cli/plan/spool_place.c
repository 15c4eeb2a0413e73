/* SPDX-License-Identifier: Apache-2.0 */
/* cli/plan/spool_place.c - see spool_place.h. */
#include "cli/plan/spool_place.h"

#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/mounts.h"
#include "cli/plan/places.h"

#define WHAT "spool directory"
#define CURE "name another local directory with -o spool_dir=DIR"

int spool_place(char out[PATH_MAX], const char *wanted,
    const struct places_env *env, struct err *err)
{
	int n;

	if (wanted != NULL)
		n = snprintf(out, PATH_MAX, "%s", wanted);
	else if (env->state_home != NULL && env->state_home[0] == '/')
		n = snprintf(
		    out, PATH_MAX, "%s/bearerfs/spool", env->state_home);
	else if (env->uid == 0)
		n = snprintf(out, PATH_MAX, "/var/lib/bearerfs/spool");
	else if (env->home != NULL && env->home[0] == '/')
		n = snprintf(
		    out, PATH_MAX, "%s/.local/state/bearerfs/spool", env->home);
	else
		return err_set(err, -ENOENT,
		    WHAT ": neither XDG_STATE_HOME nor HOME is set; name one "
		         "with -o spool_dir=DIR");
	if (n < 0 || n >= PATH_MAX)
		return err_set(
		    err, -ENAMETOOLONG, WHAT ": its name is too long; " CURE);
	return 0;
}

static int check_owner(const char *dir, const char *real, struct err *err)
{
	struct stat about;

	if (stat(real, &about) < 0)
		return err_set(
		    err, -errno, WHAT " '%s': %s", dir, err_message(errno));
	if (!S_ISDIR(about.st_mode))
		return err_set(err, -ENOTDIR,
		    WHAT " '%s': is not a directory; " CURE, dir);
	if (about.st_uid != geteuid())
		return err_set(err, -EACCES,
		    WHAT " '%s': belongs to user %u, and unsent data are yours "
		         "alone; " CURE,
		    dir, (unsigned)about.st_uid);
	if (access(real, W_OK | X_OK) < 0)
		return err_set(err, -EACCES,
		    WHAT " '%s': cannot be written to (%s); chmod u+rwx it, "
		         "or " CURE,
		    dir, err_message(errno));
	return 0;
}

/* Where it lies, now that every part of it exists. */
static int check_place(const char *dir, const char *real,
    const struct spool_place_not *not_in, struct err *warning, struct err *err)
{
	struct mount_entry entry;
	int code = places_refuse_own(WHAT, real, not_in->mountpoint, err);

	if (code < 0)
		return code;
	if (not_in->cache_dir[0] != '\0' &&
	    path_is_within(real, not_in->cache_dir))
		return err_set(err, -EINVAL,
		    WHAT " '%s': lies inside the cache directory '%s', which "
		         "may be removed at any time; " CURE,
		    dir, not_in->cache_dir);
	code = mounts_of_file(&entry, real, err);
	if (code < 0)
		return code;
	if (code == 1 && mounts_is_network(entry.type))
		(void)err_set(warning, -EXDEV,
		    WHAT " '%.200s': on the network file system %.40s, whose "
		         "locks and flushes may promise more than they keep; "
		         "name a local directory with -o spool_dir=DIR",
		    dir, entry.type);
	return 0;
}

int spool_place_make(char out[PATH_MAX], const char *wanted,
    const struct places_env *env, const struct spool_place_not *not_in,
    struct err *warning, struct err *err)
{
	char dir[PATH_MAX];
	int code = spool_place(dir, wanted, env, err);

	*warning = (struct err)ERR_INIT;
	/* Before anything is made there. */
	if (code == 0)
		code = places_refuse_own(WHAT, dir, not_in->mountpoint, err);
	if (code < 0)
		return code;
	code = places_make_dirs(dir);
	if (code == 0 && realpath(dir, out) == NULL)
		code = -errno;
	if (code < 0)
		return err_set(err, code,
		    WHAT " '%s': %s; writing needs it; " CURE, dir,
		    err_message(code));
	code = check_owner(dir, out, err);
	return code < 0 ? code : check_place(dir, out, not_in, warning, err);
}
