/* SPDX-License-Identifier: Apache-2.0 */
/* fs/handle.c - see handle.h. */
#include "fs/handle.h"

#include "base/clock.h"
#include "base/stats.h"
#include "cache/drafts/drafts.h"
#include "fs/reply.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

enum {
	FILE_MAGIC = 0x66696c65,
	/* A READ that waits longer is stalled: is its process still there? */
	STALLED_MS = 1000,
};

struct fs_file *file_of(const struct fuse_file_info *info)
{
	struct fs_file *file = (struct fs_file *)(uintptr_t)info->fh;

	assert(file != NULL && file->magic == FILE_MAGIC);
	return file;
}

struct fs_file *file_new(
    struct fs *fs, struct fs_node *node, const struct ident *ident)
{
	struct fs_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->magic = FILE_MAGIC;
	file->fs = fs;
	file->node = node;
	file->ident = *ident;
	list_init(&file->calls);
	echo_init(&file->echo);
	file->next = fs->files;
	if (file->next)
		file->next->previous = file;
	fs->files = file;
	node_pin(node);
	node->open_count++;
	return file;
}

void file_has_cache(struct fs_file *file, struct cache_file *cache)
{
	file->cache = cache;
}

void file_has_draft(struct fs_file *file, struct draft *draft, bool writes)
{
	file->draft = draft;
	file->writes = writes;
	if (writes)
		file->node->write_count++;
	node_has_draft(file->node, draft);
}

void node_has_draft(struct fs_node *node, struct draft *draft)
{
	struct draft *old = node->draft;

	if (old == draft || node->open_count == 0)
		return;
	/* Another one only when the file was sent, ended and begun anew: who
	 * has the old one open holds it. */
	node->draft = draft_get(draft);
	if (old)
		draft_put(old);
}

/* The last handle is closed. The node stays what the draft is, so that it is
 * found again: by its number as long as the draft lives, then by the version
 * that goes on from it. One that nobody changed is what it began from. */
static void leave_draft(struct fs_node *node) REQUIRES(fuse_thread)
{
	struct draft *draft = node->draft;
	struct draft_attr attr;

	node->draft = NULL;
	draft_attr(draft, &attr);
	node->size_bytes = attr.attr.size_bytes;
	node->mtime_s = attr.attr.mtime_s;
	if (node->began != 0)
		node->version = node->began;
	node->began = 0;
	draft_put(draft);
}

void file_free(struct fs_file *file)
{
	struct fs *fs = file->fs;
	struct fs_node *node = file->node;

	assert(list_is_empty(&file->calls));
	if (file->previous)
		file->previous->next = file->next;
	else
		fs->files = file->next;
	if (file->next)
		file->next->previous = file->previous;
	if (file->cache)
		cache_close(file->cache);
	if (file->writes) {
		node->write_count--;
		draft_done(file->draft, &file->ident);
	}
	if (file->draft)
		draft_put(file->draft);
	node->open_count--;
	if (node->open_count == 0 && node->draft)
		leave_draft(node);
	node_unpin(&fs->nodes, node);
	file->magic = 0;
	echo_fini(&file->echo);
	free(file);
}

void files_close_all(struct fs *fs)
{
	struct fs_file *next;

	for (struct fs_file *file = fs->files; file; file = next) {
		next = file->next;
		file_free(file);
	}
}

void file_release(struct fs_file *file)
{
	file->released = true;
	if (list_is_empty(&file->calls))
		file_free(file);
	else
		(void)atomic_fetch_add(&file->fs->mail.lingering, 1);
}

struct draft *file_draft(const struct fs_file *file)
{
	return file->draft ? file->draft : file->node->draft;
}

static void call_finish(struct fs_wait *wait)
{
	struct file_call *call = CONTAINER_OF(wait, struct file_call, wait);
	struct fs_file *file = call->file;

	mail_assert_here(wait->mail);
	assert(wait_is_claimed(wait));
	list_remove(&call->in);
	file->fs->call_count--;
	free(call);
	if (file->released && list_is_empty(&file->calls)) {
		(void)atomic_fetch_sub(&file->fs->mail.lingering, 1);
		file_free(file);
	}
}

struct file_call *file_call_begin(
    struct fs_file *file, fuse_req_t req, bool reads)
{
	struct fs *fs = file->fs;
	struct file_call *call = malloc(sizeof(*call));

	if (!call) {
		reply_error(req, -ENOMEM);
		return NULL;
	}
	if (!(reads ? wait_begin : wait_begin_patient)(
	        &call->wait, &fs->mail, req, call_finish)) {
		free(call);
		return NULL;
	}
	call->file = file;
	call->offset_bytes = 0;
	call->size_bytes = 0;
	call->since_ms = clock_now_ms(fs->config.clock);
	call->reads = reads;
	list_push_front(&file->calls, &call->in);
	fs->call_count++;
	return call;
}

static bool is_gone(pid_t pid)
{
	return pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

/* What the kernel reads ahead is not interrupted when its program is killed:
 * it would keep the mount busy for umount(8) until its deadline. Another
 * reader of the pages is not harmed: the kernel asks for them again. */
static void end_orphans(struct fs_file *file, uint64_t now_ms)
    REQUIRES(fuse_thread)
{
	struct list *at = file->calls.next;

	for (; at != &file->calls; at = at->next) {
		struct file_call *call = CONTAINER_OF(at, struct file_call, in);

		if (!call->reads || now_ms - call->since_ms <= STALLED_MS ||
		    !is_gone(call->wait.pid) || !wait_claim(&call->wait))
			continue;
		stats_add(STATS_fs_interrupted, 1);
		reply_error(call->wait.req, -EINTR);
	}
}

void files_tend(struct fs *fs)
{
	uint64_t now_ms = clock_now_ms(fs->config.clock);

	if (!fs_is_tended(fs) || now_ms - fs->tended_ms < FILES_TEND_MS)
		return;
	fs->tended_ms = now_ms;
	mail_tend(&fs->mail);
	for (struct fs_file *file = fs->files; file; file = file->next)
		if (!list_is_empty(&file->calls))
			end_orphans(file, now_ms);
}

bool node_is_shared(
    const struct fs *fs, const struct fs_node *node, uint32_t uid)
{
	if (node->open_count == 0)
		return false;
	for (const struct fs_file *file = fs->files; file; file = file->next)
		if (file->node == node && file->ident.uid != uid)
			return true;
	return false;
}
