/* SPDX-License-Identifier: Apache-2.0 */
/* fs/look.c - see look.h. */
#include "fs/look.h"

#include "base/clock.h"
#include "cache/drafts/drafts.h"

#include <errno.h>
#include <string.h>

enum {
	/* The attributes of an open file that nobody writes are those of its
	 * version: they cannot change, and the next look-up of its name is due
	 * when the name's own time is over. */
	PINNED_FRESH_MS = 60 * 1000,
};

const struct fs_look look_bare = {.attr = {.kind = CACHE_DIRECTORY}};

/*
 * Where many users share the mount a draft is its user's alone: others have
 * the pages of the version that it began from, and have yet to get those of
 * the one that was sent. So there no node becomes another version but by an
 * open that sees that nobody else has it (opening.c).
 */
static void forget_was(const struct fs *fs, struct cache_attr *attr)
{
	if (fs->config.allow_other)
		attr->was = 0;
}

void look_at_attr(const struct fs *fs, struct fs_look *out, const char *path,
    const struct cache_attr *attr)
{
	struct drafts_worn worn;

	*out = (struct fs_look){.attr = *attr};
	if (!fs_is_writable(fs))
		return;
	forget_was(fs, &out->attr);
	if (!path || !drafts_worn(fs->config.drafts, path, attr, &worn))
		return;
	out->mode = worn.mode;
	if (worn.has_mtime) {
		out->attr.mtime_s = worn.mtime_s;
		out->mtime_ns = worn.mtime_ns;
	}
}

void look_at_draft(
    const struct fs *fs, struct fs_look *out, const struct draft *draft)
{
	struct draft_attr attr;

	draft_attr(draft, &attr);
	*out = (struct fs_look){
	    .attr = attr.attr,
	    .mode = attr.mode,
	    .mtime_ns = attr.mtime_ns,
	    .draft = true,
	};
	forget_was(fs, &out->attr);
}

void look_at_node(
    const struct fs *fs, struct fs_look *out, const struct fs_node *node)
{
	char path[PATH_BYTES_MAX];
	struct cache_attr attr;
	bool has_path;

	if (node->draft) {
		look_at_draft(fs, out, node->draft);
		return;
	}
	attr = node_attr(node);
	attr.fresh_until_ms = clock_now_ms(fs->config.clock) + PINNED_FRESH_MS;
	has_path =
	    fs_is_writable(fs) && !node->nameless && node_path(node, path) == 0;
	look_at_attr(fs, out, has_path ? path : NULL, &attr);
}

struct draft *draft_at(
    const struct fs *fs, const struct ident *ident, const char *path)
{
	if (!fs_is_writable(fs))
		return NULL;
	return drafts_find(fs->config.drafts, ident, path);
}

bool look_for_draft(const struct fs *fs, const struct ident *ident,
    const char *path, struct fs_look *out)
{
	struct draft *draft = draft_at(fs, ident, path);

	if (!draft)
		return false;
	look_at_draft(fs, out, draft);
	draft_put(draft);
	return true;
}

bool look_for_child(const struct fs *fs, const struct ident *ident,
    const struct fs_node *parent, const char *name, struct fs_look *out)
{
	char path[PATH_BYTES_MAX];

	return fs_is_writable(fs) && child_path(parent, name, path) == 0 &&
	    look_for_draft(fs, ident, path, out);
}

int child_path(
    const struct fs_node *parent, const char *name, char out[PATH_BYTES_MAX])
{
	char path[PATH_BYTES_MAX];
	size_t name_bytes = strlen(name);
	int code;

	if (name_bytes > PATH_NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	if (!path_name_ok(name, name_bytes))
		return -EINVAL;
	code = node_path(parent, path);
	return code < 0 ? code : path_join(out, path, name);
}
