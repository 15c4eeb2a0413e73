/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/setattr.c - truncate, chmod, utimens, chown.
 *
 * A size is set of a draft: of the one that is open, or of one that is opened
 * for this and closed again, which answers as close(2) does. Mode and time are
 * no server's: they are kept with the draft, and of other files in memory.
 * Who owns a file cannot be told to a server: to set what is shown already
 * works, since programs that copy do that.
 *
 *	size          of                     ends with
 *	by handle     its draft              its close
 *	by path       a draft being written  that one's close
 *	by path       a draft opened here    draft_flush(), draft_done()
 *
 * Threads: the FUSE thread, but for the answers, which only note what they
 * were told.
 */
#include "fs/setattr.h"

#include "fs/handle.h"
#include "fs/look.h"
#include "fs/reply.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

enum {
	SET_OWNER = FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID,
	SET_MTIME = FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW,
	SET_WORN = SET_MTIME | FUSE_SET_ATTR_MODE,
};

void set_wait_free(struct set_wait *ask)
{
	if (ask->draft)
		draft_put(ask->draft);
	node_unpin(&ask->fs->nodes, ask->node);
	free(ask);
}

void set_reply(struct set_wait *ask)
{
	struct fs *fs = ask->fs;
	struct fs_look look;
	char path[PATH_BYTES_MAX];

	if (ask->code < 0) {
		reply_error(ask->wait.req, ask->code);
		return;
	}
	if (ask->draft) {
		look_at_draft(fs, &look, ask->draft);
	} else {
		bool has_path =
		    !ask->node->nameless && node_path(ask->node, path) == 0;

		look_at_attr(fs, &look, has_path ? path : NULL, &ask->attr);
	}
	reply_attr(fs, ask->wait.req, ask->node, &look);
}

static void set_end(struct set_wait *ask) REQUIRES(fuse_thread)
{
	if (wait_claim(&ask->wait))
		set_reply(ask);
	set_wait_free(ask);
}

static void set_finish(struct fs_wait *wait)
{
	mail_assert_here(wait->mail);
	set_end(CONTAINER_OF(wait, struct set_wait, wait));
}

static void set_answer(void *arg, int code)
{
	struct set_wait *ask = arg;

	assert(code <= 0);
	ask->code = code;
	wait_return(&ask->wait);
}

/* ---- of a draft: its size, then what is worn ---- */

static void resized_finish(struct fs_wait *wait)
{
	struct set_wait *ask = CONTAINER_OF(wait, struct set_wait, wait);

	mail_assert_here(wait->mail);
	if (ask->code < 0 || !ask->wears) {
		set_end(ask);
		return;
	}
	wait_go_on(wait, set_finish);
	draft_set(ask->draft, &ask->set, set_answer, ask);
}

static void set_of_draft(struct set_wait *ask, fuse_req_t req)
    REQUIRES(fuse_thread)
{
	if (!wait_begin_patient(&ask->wait, &ask->fs->mail, req,
	        ask->resizes ? resized_finish : set_finish)) {
		set_wait_free(ask);
		return;
	}
	if (ask->resizes) {
		ask->node->began = 0;
		draft_truncate(ask->draft, ask->size_bytes, set_answer, ask);
	} else {
		draft_set(ask->draft, &ask->set, set_answer, ask);
	}
}

/* ---- of what nobody writes: worn ---- */

static void look_answer(void *arg, int code, const struct cache_attr *attr)
{
	struct set_wait *ask = arg;

	ask->code = code;
	if (code == 0)
		ask->attr = *attr;
	wait_return(&ask->wait);
}

static void wear_finish(struct fs_wait *wait)
{
	struct set_wait *ask = CONTAINER_OF(wait, struct set_wait, wait);
	struct fs *fs = ask->fs;
	char path[PATH_BYTES_MAX];
	struct cache_attr attr = ask->attr;

	mail_assert_here(wait->mail);
	fs->changes++;
	if (fs->config.allow_other)
		attr.was = 0;
	if (ask->code == 0 && !node_is(ask->node, &attr))
		ask->code = -ESTALE;
	if (ask->code == 0)
		ask->code = node_path(ask->node, path);
	if (ask->code == 0 && ask->wears)
		ask->code =
		    drafts_wear(fs->config.drafts, path, &ask->attr, &ask->set);
	set_end(ask);
}

static void set_of_path(struct set_wait *ask, fuse_req_t req, const char *path)
    REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	struct ident ident = ask->ident;

	if (!wait_begin(&ask->wait, &fs->mail, req, wear_finish)) {
		set_wait_free(ask);
		return;
	}
	cache_lookup(fs->config.cache, &ident, path, look_answer, ask);
}

/* ---- what is asked for ---- */

/* May the owner be set to that? */
static int may_own(const struct fs *fs, const struct stat *attr, int to_set)
{
	bool same =
	    (!(to_set & FUSE_SET_ATTR_UID) || attr->st_uid == fs->config.uid) &&
	    (!(to_set & FUSE_SET_ATTR_GID) || attr->st_gid == fs->config.gid);

	return same ? 0 : -EPERM;
}

static struct draft_set set_of(const struct stat *attr, int to_set)
{
	struct draft_set set = {.mode = DRAFT_KEEP, .mtime_s = DRAFT_KEEP};
	struct timespec time = attr->st_mtim;

	if (to_set & FUSE_SET_ATTR_MODE)
		set.mode = (attr->st_mode & 07777) | DRAFTS_MODE_SET;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		(void)clock_gettime(CLOCK_REALTIME, &time);
	if (to_set & SET_MTIME) {
		set.mtime_s = time.tv_sec;
		set.mtime_ns = (uint32_t)time.tv_nsec;
	}
	return set;
}

/* The draft that is meant, without opening one: one reference, or NULL. */
static struct draft *draft_meant(const struct set_wait *ask,
    const struct fuse_file_info *info, const char *path) REQUIRES(fuse_thread)
{
	struct draft *draft = ask->node->draft;

	if (info != NULL)
		draft = file_draft(file_of(info));
	if (draft)
		return draft_get(draft);
	return path ? draft_at(ask->fs, &ask->ident, path) : NULL;
}

/* Does a size need an open of its own? */
static bool is_written(
    const struct set_wait *ask, const struct fuse_file_info *info)
{
	return info != NULL ? file_of(info)->writes
	                    : ask->node->write_count > 0;
}

/* Nameless nodes keep what their handles have. */
static bool is_of_node(const struct set_wait *ask) REQUIRES(fuse_thread)
{
	struct fs_look look;

	if (ask->draft == ask->node->draft)
		return true;
	look_at_draft(ask->fs, &look, ask->draft);
	return node_is(ask->node, &look.attr);
}

static void set(struct set_wait *ask, fuse_req_t req,
    const struct fuse_file_info *info) REQUIRES(fuse_thread)
{
	char path[PATH_BYTES_MAX];
	bool has_path = !ask->node->nameless && node_path(ask->node, path) == 0;
	struct draft *draft = draft_meant(ask, info, has_path ? path : NULL);

	if (ask->resizes && !is_written(ask, info)) {
		if (draft)
			draft_put(draft);
		if (has_path) {
			set_size(ask, req);
			return;
		}
		reply_error(req, -ESTALE);
		set_wait_free(ask);
		return;
	}
	ask->draft = draft;
	if (draft && !is_of_node(ask)) {
		reply_error(req, -ESTALE);
		set_wait_free(ask);
		return;
	}
	if (draft && (ask->resizes || ask->wears)) {
		set_of_draft(ask, req);
	} else if (draft) {
		ask->wait.req = req;
		set_reply(ask);
		set_wait_free(ask);
	} else if (has_path) {
		set_of_path(ask, req, path);
	} else {
		reply_error(req, -ESTALE);
		set_wait_free(ask);
	}
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
    struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = node_of(&fs->nodes, ino);
	struct set_wait *ask = NULL;
	int code = 0;

	if (!fs_is_writable(fs))
		code = -EROFS;
	else if (to_set & SET_OWNER)
		code = may_own(fs, attr, to_set);
	if (code == 0 && (to_set & FUSE_SET_ATTR_SIZE)) {
		if (node->kind != CACHE_FILE)
			code = -EISDIR;
		else if (attr->st_size < 0)
			code = -EINVAL;
	}
	if (code == 0)
		ask = calloc(1, sizeof(*ask));
	if (!ask) {
		reply_error(req, code < 0 ? code : -ENOMEM);
		return;
	}
	ask->fs = fs;
	ask->node = node;
	ask->ident = ident_of(req);
	ask->set = set_of(attr, to_set);
	ask->resizes = to_set & FUSE_SET_ATTR_SIZE;
	ask->size_bytes = (uint64_t)attr->st_size;
	ask->wears = to_set & SET_WORN;
	node_pin(node);
	set(ask, req, info);
}
