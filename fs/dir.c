/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/dir.c - opendir, readdir, readdirplus, releasedir.
 *
 * A handle holds one complete listing, which does not change: "." and ".."
 * come first, then entry i of the listing with offset i + 3. READDIRPLUS is
 * what the kernel asks for, always: a walk then needs no LOOKUP at all.
 *
 * The kernel may keep names of a directory (cache_readdir) and show them to
 * later handles (keep_cache) only as long as both have the same listing. The
 * node remembers which one the kernel was last told to keep; while a handle
 * with another one is open, nothing more is kept, so two listings can not be
 * mixed.
 *
 * Threads: the FUSE thread, but for list_answer().
 */
#include "fs/reply.h"
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	DIR_MAGIC = 0x64697273,
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

struct fs_dir {
	uint32_t magic;
	struct fs *fs;
	struct fs_node *node; /* pinned */
	struct cache_listing *listing;
	struct fs_dir *next; /* among the mount's */
	struct fs_dir *previous;
};

struct list_wait {
	struct fs_wait wait;
	struct fs *fs;
	struct fs_node *node; /* pinned */
	int flags;
	int code;
	struct cache_listing *listing;
};

static struct fs_dir *dir_of(const struct fuse_file_info *info)
{
	struct fs_dir *dir = (struct fs_dir *)(uintptr_t)info->fh;

	assert(dir != NULL && dir->magic == DIR_MAGIC);
	return dir;
}

static struct fs_dir *dir_new(struct fs *fs, struct fs_node *node,
    struct cache_listing *listing) REQUIRES(fuse_thread)
{
	struct fs_dir *dir = calloc(1, sizeof(*dir));

	if (!dir)
		return NULL;
	dir->magic = DIR_MAGIC;
	dir->fs = fs;
	dir->node = node;
	dir->listing = listing;
	dir->next = fs->dirs;
	if (dir->next)
		dir->next->previous = dir;
	fs->dirs = dir;
	node_pin(node);
	node->open_count++;
	return dir;
}

static void dir_free(struct fs_dir *dir) REQUIRES(fuse_thread)
{
	struct fs *fs = dir->fs;

	if (dir->previous)
		dir->previous->next = dir->next;
	else
		fs->dirs = dir->next;
	if (dir->next)
		dir->next->previous = dir->previous;
	cache_listing_put(dir->listing);
	dir->node->open_count--;
	node_unpin(&fs->nodes, dir->node);
	dir->magic = 0;
	free(dir);
}

void dirs_close_all(struct fs *fs)
{
	struct fs_dir *next;

	for (struct fs_dir *dir = fs->dirs; dir; dir = next) {
		next = dir->next;
		dir_free(dir);
	}
}

static void list_answer(void *arg, int code, struct cache_listing *listing)
{
	struct list_wait *ask = arg;

	assert(code <= 0 && (code < 0 || listing != NULL));
	ask->code = code;
	ask->listing = code == 0 ? listing : NULL;
	wait_return(&ask->wait);
}

/* What the kernel may keep and show of this listing's names: nothing where it
 * could show them to another user. */
static void choose_cache(const struct fs *fs, struct fuse_file_info *info,
    const struct fs_node *node, uint64_t listing_version)
{
	if (fs->config.allow_other)
		return;
	if (node->listing_version == listing_version) {
		info->cache_readdir = 1;
		info->keep_cache = 1;
	} else if (node->open_count == 0) {
		info->cache_readdir = 1; /* what it had is dropped */
	}
}

static int opendir_reply(struct list_wait *ask) REQUIRES(fuse_thread)
{
	struct fuse_file_info info = {.flags = ask->flags};
	uint64_t version;
	struct fs_dir *dir;

	if (ask->code < 0)
		return ask->code;
	version = cache_listing_version(ask->listing);
	choose_cache(ask->fs, &info, ask->node, version);
	dir = dir_new(ask->fs, ask->node, ask->listing);
	if (!dir)
		return -ENOMEM;
	ask->listing = NULL;
	info.fh = (uint64_t)(uintptr_t)dir;
	if (reply_open(ask->wait.req, &info) < 0)
		dir_free(dir); /* the kernel still has what it had */
	else if (info.cache_readdir)
		ask->node->listing_version = version;
	return 0;
}

static void opendir_finish(struct fs_wait *wait)
{
	struct list_wait *ask = CONTAINER_OF(wait, struct list_wait, wait);

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		int code = opendir_reply(ask);

		if (code < 0)
			reply_error(wait->req, code);
	}
	if (ask->listing)
		cache_listing_put(ask->listing);
	node_unpin(&ask->fs->nodes, ask->node);
	free(ask);
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct fs_node *node = node_of(&fs->nodes, ino);
	char path[PATH_BYTES_MAX];
	struct list_wait *ask = NULL;
	int code = 0;

	if (node->kind != CACHE_DIRECTORY)
		code = -ENOTDIR;
	else if (node->nameless)
		code = -ESTALE;
	else
		code = node_path(node, path);
	if (code == 0)
		ask = calloc(1, sizeof(*ask));
	if (!ask) {
		reply_error(req, code < 0 ? code : -ENOMEM);
		return;
	}
	ask->fs = fs;
	ask->node = node;
	ask->flags = info->flags;
	if (!wait_begin(&ask->wait, &fs->mail, req, opendir_finish)) {
		free(ask);
		return;
	}
	node_pin(node);
	cache_list(fs->config.cache, &ident, path, list_answer, ask);
}

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
    const struct cache_attr *attr, struct fuse_entry_param *entry, off_t next)
    REQUIRES(fuse_thread)
{
	struct fs *fs = dir->fs;
	struct dir_page *page = fs->page;
	struct fs_node *node;

	if (fuse_add_direntry_plus(req, NULL, 0, name, NULL, 0) >
	        page_left(page) ||
	    page->node_count == PAGE_NODES_MAX)
		return false;
	node = node_take(&fs->nodes, dir->node, name, attr);
	/* Without memory for the node the name is shown without it. */
	entry->ino = node ? node_id(&fs->nodes, node) : 0;
	if (node)
		page->nodes[page->node_count++] = node;
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

static void add_entries(struct fs_dir *dir, fuse_req_t req, off_t offset,
    bool plus) REQUIRES(fuse_thread)
{
	size_t count = cache_listing_count(dir->listing);

	if (!add_dots(dir, req, &offset, plus))
		return;
	for (size_t i = (size_t)offset - DOTS; i < count; i++) {
		struct fuse_entry_param entry;
		struct cache_attr attr;
		const char *name;
		bool known;
		off_t next = (off_t)i + DOTS + 1;

		cache_listing_entry(dir->listing, i, &name, &attr, &known);
		fill_entry(dir->fs, &entry, node_number(dir->node, name, &attr),
		    &attr);
		/* A kind alone is no attributes: without a node the kernel
		 * takes the name and the kind, and looks up the rest. */
		if (plus && known
		        ? !add_node(dir, req, name, &attr, &entry, next)
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

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)fs_of(req);
	(void)ino;
	dir_free(dir_of(info));
	reply_error(req, 0);
}
