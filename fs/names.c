/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/names.c - mkdir, unlink, rmdir, rename.
 *
 * The server has changed before it is answered. What follows for the nodes is
 * done whether or not somebody still waits for the answer.
 *
 * Threads: the FUSE thread, but for the answers, which only note what they
 * were told.
 */
#include "cache/drafts/drafts.h"
#include "fs/handle.h"
#include "fs/look.h"
#include "fs/reply.h"
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0) /* linux/fs.h */
#endif

struct name_wait {
	struct fs_wait wait;
	struct fs *fs;
	struct ident ident;
	struct fs_node *parent;     /* pinned */
	struct fs_node *new_parent; /* of rename; pinned */
	struct fs_node *replaced;   /* what rename found there; pinned */
	struct fs_room *room;       /* of rename, for the name */
	struct fs_node *leaves;     /* has handles, and no name soon; pinned */
	struct draft *draft;        /* what those are to read; with an open */
	struct draft_attr draft_attr;
	void (*begin)(struct name_wait *ask); /* when they have it */
	fs_finish_fn finish;                  /* of the change itself */
	bool no_replace;                      /* of rename */
	mode_t mode;                          /* of mkdir */
	int code;
	struct cache_attr attr; /* of what mkdir made */
	char name[PATH_NAME_BYTES_MAX + 1];
	char new_name[PATH_NAME_BYTES_MAX + 1];
};

static struct name_wait *name_wait_new(struct fs *fs, fuse_req_t req,
    struct fs_node *parent, const char *name) REQUIRES(fuse_thread)
{
	struct name_wait *ask = calloc(1, sizeof(*ask));

	if (!ask)
		return NULL;
	ask->fs = fs;
	ask->ident = ident_of(req);
	ask->parent = parent;
	memcpy(ask->name, name, strlen(name) + 1);
	node_pin(parent);
	return ask;
}

static void name_wait_free(struct name_wait *ask) REQUIRES(fuse_thread)
{
	struct fs_nodes *nodes = &ask->fs->nodes;

	if (ask->draft) {
		draft_done(ask->draft, &ask->ident);
		draft_put(ask->draft);
	}
	if (ask->leaves)
		node_unpin(nodes, ask->leaves);
	if (ask->replaced)
		node_unpin(nodes, ask->replaced);
	if (ask->new_parent)
		node_unpin(nodes, ask->new_parent);
	node_unpin(nodes, ask->parent);
	free(ask->room);
	free(ask);
}

/* Have it wait. @return false: answered, and freed. */
static bool name_wait_begin(struct name_wait *ask, fuse_req_t req,
    fs_finish_fn finish) REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;

	if (wait_begin_patient(&ask->wait, &fs->mail, req, finish)) {
		fs->changes++;
		return true;
	}
	name_wait_free(ask);
	return false;
}

static void name_answer(void *arg, int code)
{
	struct name_wait *ask = arg;

	assert(code <= 0);
	ask->code = code;
	wait_return(&ask->wait);
}

/* A name that may be changed, and its path. */
static int check_name(const struct fs *fs, const struct fs_node *parent,
    const char *name, char path[PATH_BYTES_MAX]) REQUIRES(fuse_thread)
{
	if (!fs_is_writable(fs))
		return -EROFS;
	if (parent->nameless)
		return -ENOENT;
	return child_path(parent, name, path);
}

/* ---- what is removed while somebody has it open ---- */

static void keep_answer(
    void *arg, int code, struct draft *draft, const struct draft_attr *attr)
{
	struct name_wait *ask = arg;

	if (code == 0) {
		ask->draft = draft;
		ask->draft_attr = *attr;
	}
	wait_return(&ask->wait);
}

/* Its handles read the draft from now on. */
static void keep_finish(struct fs_wait *wait)
{
	struct name_wait *ask = CONTAINER_OF(wait, struct name_wait, wait);
	struct fs_node *node = ask->leaves;
	uint64_t before = node->version;

	mail_assert_here(wait->mail);
	if (ask->draft && node->open_count > 0 && !node->draft &&
	    !node->nameless && node_is(node, &ask->draft_attr.attr)) {
		if (!ask->draft_attr.unsent && node->version != before)
			node->began = before;
		node_has_draft(node, ask->draft);
	}
	if (wait_is_claimed(wait)) {
		name_wait_free(ask);
		return;
	}
	wait_go_on(wait, ask->finish);
	ask->begin(ask);
}

/*
 * The server will have its bytes no more. What reads them is a draft, as if it
 * were to be written, and drafts keep them where they can (keep_base.c); when
 * it cannot be had, the change goes on without. Where many share the mount a
 * draft is one user's: others' handles are not given it.
 *
 * Then `begin`. The wait has begun.
 */
static void keep_first(struct name_wait *ask, struct fs_node *node,
    const char *path, void (*begin)(struct name_wait *ask))
    REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	struct ident ident = ask->ident;
	struct drafts_ask keep = {.ident = &ident, .path = path};

	ask->begin = begin;
	if (!node || node->kind != CACHE_FILE || node->open_count == 0 ||
	    node->draft || node->nameless ||
	    (fs->config.allow_other &&
	        node_is_shared(fs, node, ask->ident.uid))) {
		begin(ask);
		return;
	}
	ask->leaves = node;
	node_pin(node);
	ask->finish = ask->wait.finish;
	ask->wait.finish = keep_finish;
	drafts_open(fs->config.drafts, &keep, keep_answer, ask);
}

/* ---- unlink, rmdir ---- */

static void remove_finish(struct fs_wait *wait)
{
	struct name_wait *ask = CONTAINER_OF(wait, struct name_wait, wait);
	struct fs *fs = ask->fs;

	mail_assert_here(wait->mail);
	fs->changes++;
	if (ask->code == 0) {
		struct fs_node *node =
		    node_named(&fs->nodes, ask->parent, ask->name);

		if (node)
			node_part(node);
	}
	if (wait_claim(wait))
		reply_error(wait->req, ask->code);
	name_wait_free(ask);
}

static void remove_begin(struct name_wait *ask) REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	struct ident ident = ask->ident;
	char path[PATH_BYTES_MAX];

	ask->code = child_path(ask->parent, ask->name, path);
	if (ask->code < 0)
		wait_return(&ask->wait);
	else
		drafts_unlink(
		    fs->config.drafts, &ident, path, name_answer, ask);
}

static void remove_name(
    fuse_req_t req, fuse_ino_t parent, const char *name, bool directory)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct fs_node *node = node_of(&fs->nodes, parent);
	char path[PATH_BYTES_MAX];
	struct name_wait *ask = NULL;
	int code = check_name(fs, node, name, path);

	if (code == 0)
		ask = name_wait_new(fs, req, node, name);
	if (!ask) {
		reply_error(req, code < 0 ? code : -ENOMEM);
		return;
	}
	if (!name_wait_begin(ask, req, remove_finish))
		return;
	if (directory)
		drafts_rmdir(fs->config.drafts, &ident, path, name_answer, ask);
	else
		keep_first(ask, node_named(&fs->nodes, node, name), path,
		    remove_begin);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, false);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, true);
}

/* ---- mkdir ---- */

static void made_answer(void *arg, int code, const struct cache_attr *attr)
{
	struct name_wait *ask = arg;

	/* It was made, whether or not this token may look at it. */
	ask->attr = (struct cache_attr){.kind = CACHE_DIRECTORY};
	if (code == 0 && attr->kind == CACHE_DIRECTORY)
		ask->attr = *attr;
	wait_return(&ask->wait);
}

/* The mode that was asked for is worn when another would be shown. */
static void wear_mode(const struct name_wait *ask, const char *path)
{
	const struct fs *fs = ask->fs;
	struct draft_set set = {
	    .mode = ask->mode & 07777,
	    .mtime_s = DRAFT_KEEP,
	};
	mode_t shown = 0755 & ~(fs->config.umask & 0777);

	if (ask->attr.version != 0 && (ask->mode & 07777) != shown)
		(void)drafts_wear(fs->config.drafts, path, &ask->attr, &set);
}

static void made_finish(struct fs_wait *wait)
{
	struct name_wait *ask = CONTAINER_OF(wait, struct name_wait, wait);
	struct fs *fs = ask->fs;

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		char path[PATH_BYTES_MAX];
		struct fs_node *node = NULL;
		struct fs_look look;

		ask->code = child_path(ask->parent, ask->name, path);
		if (ask->code == 0) {
			wear_mode(ask, path);
			look_at_attr(fs, &look, path, &ask->attr);
			node = node_take(
			    &fs->nodes, ask->parent, ask->name, &look.attr);
		}
		if (node)
			reply_entry(fs, wait->req, node, &look);
		else
			reply_error(
			    wait->req, ask->code < 0 ? ask->code : -ENOMEM);
	}
	name_wait_free(ask);
}

static void mkdir_finish(struct fs_wait *wait)
{
	struct name_wait *ask = CONTAINER_OF(wait, struct name_wait, wait);
	struct ident ident = ask->ident;
	struct fs *fs = ask->fs;
	char path[PATH_BYTES_MAX];

	mail_assert_here(wait->mail);
	fs->changes++;
	if (ask->code == 0)
		ask->code = child_path(ask->parent, ask->name, path);
	if (ask->code < 0 || wait_is_claimed(wait)) {
		if (wait_claim(wait))
			reply_error(wait->req, ask->code);
		name_wait_free(ask);
		return;
	}
	wait_go_on(wait, made_finish);
	cache_lookup(fs->config.cache, &ident, path, made_answer, ask);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct fs_node *node = node_of(&fs->nodes, parent);
	char path[PATH_BYTES_MAX];
	struct name_wait *ask = NULL;
	int code = check_name(fs, node, name, path);

	if (code == 0)
		ask = name_wait_new(fs, req, node, name);
	if (!ask) {
		reply_error(req, code < 0 ? code : -ENOMEM);
		return;
	}
	ask->mode = mode;
	if (name_wait_begin(ask, req, mkdir_finish))
		drafts_mkdir(fs->config.drafts, &ident, path, name_answer, ask);
}

/* ---- rename ---- */

static void move_nodes(struct name_wait *ask) REQUIRES(fuse_thread)
{
	struct fs_nodes *nodes = &ask->fs->nodes;
	struct fs_node *node = node_named(nodes, ask->parent, ask->name);
	struct fs_node *there =
	    node_named(nodes, ask->new_parent, ask->new_name);

	if (node)
		node_move(
		    nodes, node, ask->new_parent, ask->new_name, &ask->room);
	else if (there)
		node_part(there);
}

static void rename_finish(struct fs_wait *wait)
{
	struct name_wait *ask = CONTAINER_OF(wait, struct name_wait, wait);

	mail_assert_here(wait->mail);
	ask->fs->changes++;
	if (ask->replaced)
		ask->replaced->leaving--;
	if (ask->code == 0)
		move_nodes(ask);
	if (wait_claim(wait))
		reply_error(wait->req, ask->code);
	name_wait_free(ask);
}

static void rename_begin(struct name_wait *ask) REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	struct ident ident = ask->ident;
	char path[PATH_BYTES_MAX];
	char new_path[PATH_BYTES_MAX];

	ask->replaced = node_named(&fs->nodes, ask->new_parent, ask->new_name);
	/* The draft that comes in its place goes on from it as far as the
	 * server is concerned, and has other bytes: the node must not become
	 * it, should a look-up see it first. */
	if (ask->replaced) {
		node_pin(ask->replaced);
		ask->replaced->leaving++;
	}
	ask->code = child_path(ask->parent, ask->name, path);
	if (ask->code == 0)
		ask->code =
		    child_path(ask->new_parent, ask->new_name, new_path);
	if (ask->code < 0)
		wait_return(&ask->wait);
	else
		drafts_rename(fs->config.drafts, &ident, path, new_path,
		    !ask->no_replace, name_answer, ask);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
    fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	struct fs *fs = fs_of(req);
	struct fs_node *from = node_of(&fs->nodes, parent);
	struct fs_node *to = node_of(&fs->nodes, new_parent);
	char path[PATH_BYTES_MAX];
	char new_path[PATH_BYTES_MAX];
	struct name_wait *ask = NULL;
	struct fs_node *there;
	int code = check_name(fs, from, name, path);

	if (code == 0)
		code = check_name(fs, to, new_name, new_path);
	if (code == 0 && (flags & ~(unsigned)RENAME_NOREPLACE))
		code = -EINVAL;
	if (code == 0)
		ask = name_wait_new(fs, req, from, name);
	if (ask)
		ask->room = node_room();
	if (!ask || !ask->room) {
		if (ask)
			name_wait_free(ask);
		reply_error(req, code < 0 ? code : -ENOMEM);
		return;
	}
	memcpy(ask->new_name, new_name, strlen(new_name) + 1);
	ask->new_parent = to;
	node_pin(to);
	ask->no_replace = flags & RENAME_NOREPLACE;
	if (!name_wait_begin(ask, req, rename_finish))
		return;
	there = node_named(&fs->nodes, to, new_name);
	/* Renamed to itself, nothing leaves. */
	if (ask->no_replace || there == node_named(&fs->nodes, from, name))
		there = NULL;
	keep_first(ask, there, new_path, rename_begin);
}
