/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/readdir.c - readdir, readdirplus.
 *
 * "." and ".." come first, then entry i of the handle's listing with offset
 * i + 3. READDIRPLUS is what the kernel asks for, always: a walk then needs no
 * LOOKUP at all.
 *
 * Threads: the FUSE thread.
 */
#include "fs/dir.h"
#include "fs/look.h"
#include "fs/reply.h"

#include <errno.h>
#include <stdlib.h>

enum {
	/* Longest answer of a READDIR; getdents(2) of glibc asks for 32 KiB. */
	PAGE_BYTES = 128 * 1024,
	/* fuse_direntplus with a name of one byte. */
	ENTRY_BYTES_MIN = 160,
	PAGE_NODES_MAX = PAGE_BYTES / ENTRY_BYTES_MIN + 1,
	DOTS = 2,
};

/* One answer: its bytes, and the nodes whose lookups it counts. */
struct dir_page {
	size_t room_bytes; /* what the kernel asked for */
	size_t used_bytes;
	unsigned node_count;
	struct fs_node *nodes[PAGE_NODES_MAX];
	_Alignas(8) char bytes[PAGE_BYTES];
};

/* Start an answer; NULL when out of memory. */
static struct dir_page *page_begin(struct fs *fs, size_t room_bytes)
{
	struct dir_page *page = fs->page;

	if (!page)
		page = fs->page = malloc(sizeof(*page));
	if (!page)
		return NULL;
	page->room_bytes = room_bytes < PAGE_BYTES ? room_bytes : PAGE_BYTES;
	page->used_bytes = 0;
	page->node_count = 0;
	return page;
}

static char *page_end(struct dir_page *page)
{
	return page->bytes + page->used_bytes;
}

static size_t page_left(const struct dir_page *page)
{
	return page->room_bytes - page->used_bytes;
}

/* An entry with a name and a kind and nothing to keep. @return false: full. */
static bool add_plain(struct dir_page *page, fuse_req_t req, const char *name,
    const struct fuse_entry_param *entry, off_t next, bool plus)
{
	size_t left = page_left(page);
	size_t n = plus ? fuse_add_direntry_plus(
	                      req, page_end(page), left, name, entry, next)
	                : fuse_add_direntry(req, page_end(page), left, name,
	                      &entry->attr, next);

	if (n > left)
		return false;
	page->used_bytes += n;
	return true;
}

/* An entry with its node, which the kernel will know from this answer on. */
static bool add_node(struct fs_dir *dir, fuse_req_t req, const char *name,
    const struct fs_look *look, struct fuse_entry_param *entry, off_t next)
    REQUIRES(fuse_thread)
{
	struct fs *fs = dir->fs;
	struct dir_page *page = fs->page;
	struct fs_node *node;

	if (fuse_add_direntry_plus(req, NULL, 0, name, NULL, 0) >
	        page_left(page) ||
	    page->node_count == PAGE_NODES_MAX)
		return false;
	node = node_take(&fs->nodes, dir->node, name, &look->attr);
	/* Without memory for the node the name is shown without it. */
	entry->ino = node ? node_id(&fs->nodes, node) : 0;
	if (node) {
		entry->attr.st_ino = node->number;
		page->nodes[page->node_count++] = node;
	}
	return add_plain(page, req, name, entry, next, true);
}

/* "." and "..": the kernel knows their nodes. */
static bool add_dots(
    struct fs_dir *dir, fuse_req_t req, off_t *offset, bool plus)
{
	static const char *const names[DOTS] = {".", ".."};
	const struct fs_node *up =
	    dir->node->parent ? dir->node->parent : dir->node;
	const uint64_t numbers[DOTS] = {dir->node->number, up->number};

	for (; *offset < DOTS; ++*offset) {
		struct fuse_entry_param entry = {
		    .attr = {.st_ino = numbers[*offset], .st_mode = S_IFDIR},
		};

		if (!add_plain(dir->fs->page, req, names[*offset], &entry,
		        *offset + 1, plus))
			return false;
	}
	return true;
}

/*
 * What an entry shows of a mount that is written. The listing is as old as the
 * handle: attributes of a file that is open come from there, and nothing but
 * the kind is told of what was changed since. Else the kernel would take a size
 * that a WRITE has passed, and the node of a newer version would lose its name
 * to an older one.
 */
static bool look_at_entry(const struct fs_dir *dir, const char *name,
    const struct cache_attr *attr, struct fs_look *look) REQUIRES(fuse_thread)
{
	struct fs *fs = dir->fs;
	struct fs_node *node = node_named(&fs->nodes, dir->node, name);
	char path[PATH_BYTES_MAX];
	bool has_path = child_path(dir->node, name, path) == 0;

	look_at_attr(fs, look, has_path ? path : NULL, attr);
	if (!node)
		return dir->changes == fs->changes;
	if (!node_would_be(node, &look->attr))
		return false;
	if (node->draft) {
		look_at_draft(fs, look, node->draft);
		return node_would_be(node, &look->attr);
	}
	return dir->changes == fs->changes;
}

/* The number that stat(2) shows. */
static uint64_t number_of(const struct fs_dir *dir, const char *name,
    const struct cache_attr *attr) REQUIRES(fuse_thread)
{
	struct fs *fs = dir->fs;
	const struct fs_node *node =
	    fs_is_writable(fs) ? node_named(&fs->nodes, dir->node, name) : NULL;

	return node && node->kind == attr->kind
	    ? node->number
	    : node_number(dir->node, name, attr);
}

static void add_entries(struct fs_dir *dir, fuse_req_t req, off_t offset,
    bool plus) REQUIRES(fuse_thread)
{
	size_t count = cache_listing_count(dir->listing);

	if (!add_dots(dir, req, &offset, plus))
		return;
	for (size_t i = (size_t)offset - DOTS; i < count; i++) {
		struct fuse_entry_param entry;
		struct cache_attr attr;
		struct fs_look look;
		const char *name;
		bool known;
		off_t next = (off_t)i + DOTS + 1;

		cache_listing_entry(dir->listing, i, &name, &attr, &known);
		if (fs_is_writable(dir->fs))
			known = look_at_entry(dir, name, &attr, &look) && known;
		else
			look_at_attr(dir->fs, &look, NULL, &attr);
		fill_entry(dir->fs, &entry, number_of(dir, name, &attr), &look);
		/* A kind alone is no attributes: without a node the kernel
		 * takes the name and the kind, and looks up the rest. */
		if (plus && known
		        ? !add_node(dir, req, name, &look, &entry, next)
		        : !add_plain(
		              dir->fs->page, req, name, &entry, next, plus))
			return;
	}
}

static void read_dir(fuse_req_t req, size_t room_bytes, off_t offset,
    const struct fuse_file_info *info, bool plus)
{
	struct fs *fs = fs_of(req);
	struct fs_dir *dir = dir_of(info);
	struct dir_page *page;

	if (offset < 0) {
		reply_error(req, -EINVAL);
		return;
	}
	page = page_begin(fs, room_bytes);
	if (!page) {
		reply_error(req, -ENOMEM);
		return;
	}
	add_entries(dir, req, offset, plus);
	if (reply_bytes(req, page->bytes, page->used_bytes) == 0)
		return;
	for (unsigned i = 0; i < page->node_count; i++)
		node_forget(&fs->nodes, page->nodes[i], 1);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size_bytes, off_t offset,
    struct fuse_file_info *info)
{
	(void)ino;
	read_dir(req, size_bytes, offset, info, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size_bytes,
    off_t offset, struct fuse_file_info *info)
{
	(void)ino;
	read_dir(req, size_bytes, offset, info, true);
}
