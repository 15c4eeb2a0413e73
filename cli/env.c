/* SPDX-License-Identifier: Apache-2.0 */
/* cli/env.c - see env.h. */
#include "cli/env.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *env_get(const char *name)
{
	return getenv(name); /* NOLINT(concurrency-mt-unsafe): see env.h */
}

bool env_on_path(const char *program)
{
	const char *path = env_get("PATH");
	char file[PATH_MAX];

	while (path != NULL && *path != '\0') {
		int length = (int)strcspn(path, ":");
		int n = snprintf(
		    file, sizeof(file), "%.*s/%s", length, path, program);

		if (n > 0 && (size_t)n < sizeof(file) &&
		    access(file, X_OK) == 0)
			return true;
		path += length;
		path += *path == ':';
	}
	return false;
}
