/* SPDX-License-Identifier: Apache-2.0 */
/* cli/prefetch/wanted.c - the files and directories of one mount, and their
 * paths; see mount.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/prefetch/mount.h"

enum { FIRST_ROOM = 64, DEPTH_MAX = PATH_BYTES_MAX / 2 };

struct wanted *wanted_add(struct prefetch_mount *mount, const char *name)
{
	struct wanted *wanted = mount->wanted;
	size_t room = mount->room == 0 ? FIRST_ROOM : mount->room * 2;

	if (mount->count == mount->room) {
		wanted = reallocarray(wanted, room, sizeof(*wanted));
		if (wanted == NULL)
			return NULL;
		mount->wanted = wanted;
		mount->room = room;
	}
	wanted = &mount->wanted[mount->count];
	*wanted = (struct wanted){.name = strdup(name)};
	if (wanted->name == NULL)
		return NULL;
	mount->count++;
	return wanted;
}

int prefetch_mount_add(
    struct prefetch_mount *mount, const char *path, const char *inside)
{
	struct wanted *wanted = wanted_add(mount, path);

	if (wanted == NULL)
		return -ENOMEM;
	wanted->named = true;
	wanted->inside = strdup(inside);
	return wanted->inside == NULL ? -ENOMEM : 0;
}

void prefetch_mount_fini(struct prefetch_mount *mount)
{
	for (size_t i = 0; i < mount->count; i++) {
		free(mount->wanted[i].name);
		free(mount->wanted[i].inside);
	}
	free(mount->wanted);
	*mount = (struct prefetch_mount){.count = 0};
}

int wanted_path(const struct prefetch_mount *mount, size_t i, bool shown,
    char out[PATH_BYTES_MAX])
{
	size_t chain[DEPTH_MAX];
	size_t depth = 0;
	size_t used;
	const char *top;

	while (!mount->wanted[i].named) {
		if (depth == DEPTH_MAX)
			return -ENAMETOOLONG;
		chain[depth++] = i;
		i = mount->wanted[i].parent;
	}
	top = shown ? mount->wanted[i].name : mount->wanted[i].inside;
	used = strlen(top);
	if (used >= PATH_BYTES_MAX)
		return -ENAMETOOLONG;
	memcpy(out, top, used + 1);
	while (depth > 0) {
		const char *name = mount->wanted[chain[--depth]].name;
		bool slash = used > 0 && out[used - 1] == '/';
		int n = snprintf(out + used, PATH_BYTES_MAX - used, "%s%s",
		    slash ? "" : "/", name);

		if (n < 0 || (size_t)n >= PATH_BYTES_MAX - used)
			return -ENAMETOOLONG;
		used += (size_t)n;
	}
	return 0;
}
