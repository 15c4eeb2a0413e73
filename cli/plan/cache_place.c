/* SPDX-License-Identifier: Apache-2.0 */
/* cli/plan/cache_place.c - see cache_place.h. */
#include "cli/plan/cache_place.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/plan/places.h"

static int copy_name(char out[PATH_MAX], const char *name)
{
	int n = snprintf(out, PATH_MAX, "%s", name);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Did a mount put its cache there? */
static bool has_cache(const char *dir)
{
	char path[PATH_MAX];
	struct stat about;
	int n = snprintf(path, sizeof(path), "%s/format", dir);

	return n > 0 && n < PATH_MAX && stat(path, &about) == 0;
}

static bool is_below(
    char out[PATH_MAX], const char *parent, const struct places_env *env)
{
	return parent != NULL &&
	    places_cache_below(out, parent, env->uid) == 0 && has_cache(out);
}

int cache_place(char out[PATH_MAX], const char *wanted,
    const struct places_env *env, struct err *err)
{
	char other[PATH_MAX];
	int code = wanted != NULL ? copy_name(out, wanted)
	                          : places_cache_default(out, env);

	if (code < 0)
		return err_set(err, code, "cache directory: %s",
		    code == -ENOENT ? "neither XDG_CACHE_HOME nor HOME is set; "
		                      "name one with -o cache_dir=DIR"
		                    : err_message(code));
	if (wanted != NULL || has_cache(out))
		return 0;
	if (is_below(other, env->condor_scratch, env) ||
	    is_below(other, env->tmp, env))
		return copy_name(out, other);
	return 0;
}
