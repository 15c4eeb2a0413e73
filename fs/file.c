/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/file.c - open, read, release.
 *
 * A handle is pinned to its node's version. The kernel always keeps data
 * (keep_cache): they belong to that version, and an open that dropped them
 * would wait for the READs that still fill them, unkillably.
 *
 * A READ is answered on whatever thread the cache calls back on. The handle
 * knows those that the cache has not given back: one may have been answered
 * EINTR, and RELEASE may come first. When both are done it is closed.
 *
 * Threads: the FUSE thread, but for open_answer() and read_answer().
 */
#include "base/clock.h"
#include "base/stats.h"
#include "fs/echo.h"
#include "fs/reply.h"
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

enum {
	FILE_MAGIC = 0x66696c65,
	/* A READ that waits longer is stalled: is its process still there? */
	STALLED_MS = 1000,
};

struct read_wait {
	struct fs_wait wait;
	struct fs_file *file;
	struct read_wait *next; /* among those of the file */
	struct read_wait *previous;
	uint64_t offset_bytes;
	size_t size_bytes;
	uint64_t since_ms;
	pid_t pid; /* the thread that asked; 0: of another pid namespace */
};

struct fs_file {
	uint32_t magic; /* fh travels through the kernel as a number */
	bool released;
	struct fs *fs;
	struct fs_node *node; /* pinned */
	struct cache_file *cache;
	struct read_wait *reads; /* the cache has not given back */
	struct echo echo;
	struct fs_file *next; /* among the mount's */
	struct fs_file *previous;
};

struct open_wait {
	struct fs_wait wait;
	struct fs *fs;
	struct fs_node *node; /* pinned */
	int flags;
	int code;
	struct cache_file *cache;
	struct cache_attr attr;
};

static struct fs_file *file_of(const struct fuse_file_info *info)
{
	struct fs_file *file = (struct fs_file *)(uintptr_t)info->fh;

	assert(file != NULL && file->magic == FILE_MAGIC);
	return file;
}

static struct fs_file *file_new(struct fs *fs, struct fs_node *node,
    struct cache_file *cache) REQUIRES(fuse_thread)
{
	struct fs_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->magic = FILE_MAGIC;
	file->fs = fs;
	file->node = node;
	file->cache = cache;
	echo_init(&file->echo);
	file->next = fs->files;
	if (file->next)
		file->next->previous = file;
	fs->files = file;
	node_pin(node);
	node->open_count++;
	return file;
}

static void file_free(struct fs_file *file) REQUIRES(fuse_thread)
{
	struct fs *fs = file->fs;

	assert(file->reads == NULL);
	if (file->previous)
		file->previous->next = file->next;
	else
		fs->files = file->next;
	if (file->next)
		file->next->previous = file->previous;
	cache_close(file->cache);
	file->node->open_count--;
	node_unpin(&fs->nodes, file->node);
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

static void open_answer(
    void *arg, int code, struct cache_file *file, const struct cache_attr *attr)
{
	struct open_wait *ask = arg;

	assert(code <= 0 && (code < 0 || (file != NULL && attr != NULL)));
	ask->code = code;
	if (code == 0) {
		ask->cache = file;
		ask->attr = *attr;
	}
	wait_return(&ask->wait);
}

/* Give the kernel a handle; `ask->cache` is taken when that works. */
static int open_reply(struct open_wait *ask) REQUIRES(fuse_thread)
{
	/* Without the FLUSH of each close, which its caller would wait for:
	 * who only reads has nothing to send. */
	struct fuse_file_info info = {
	    .flags = ask->flags, .keep_cache = 1, .noflush = 1};
	struct fs_file *file;

	if (ask->code < 0)
		return ask->code;
	/* The kernel walked to a version that is no more: see attr.c. */
	if (!node_is(ask->node, &ask->attr))
		return -ESTALE;
	file = file_new(ask->fs, ask->node, ask->cache);
	if (!file)
		return -ENOMEM;
	ask->cache = NULL;
	info.fh = (uint64_t)(uintptr_t)file;
	if (reply_open(ask->wait.req, &info) < 0)
		file_free(file);
	return 0;
}

static void open_finish(struct fs_wait *wait)
{
	struct open_wait *ask = CONTAINER_OF(wait, struct open_wait, wait);

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		int code = open_reply(ask);

		if (code < 0)
			reply_error(wait->req, code);
	}
	if (ask->cache)
		cache_close(ask->cache);
	node_unpin(&ask->fs->nodes, ask->node);
	free(ask);
}

static int may_open(const struct fs_node *node, int flags)
{
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
		return -EROFS;
	if (node->kind != CACHE_FILE)
		return -EISDIR;
	return node->nameless ? -ESTALE : 0;
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct fs_node *node = node_of(&fs->nodes, ino);
	char path[PATH_BYTES_MAX];
	struct open_wait *ask = NULL;
	int code = may_open(node, info->flags);

	if (code == 0)
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
	if (!wait_begin(&ask->wait, &fs->mail, req, open_finish)) {
		free(ask);
		return;
	}
	node_pin(node);
	cache_open(fs->config.cache, &ident, path, open_answer, ask);
}

static void read_fails(struct read_wait *read, int code)
{
	struct fs_file *file = read->file;
	uint64_t now_ms = clock_now_ms(file->fs->config.clock);

	/* First: the kernel's next READ comes upon the answer. */
	echo_note(&file->echo, read->offset_bytes, read->size_bytes, code,
	    now_ms - read->since_ms, now_ms);
	reply_error(read->wait.req, code);
}

static void read_answer(
    void *arg, int code, const struct iovec *vectors, int vector_count)
{
	struct read_wait *read = arg;

	assert(code <= 0);
	if (wait_claim(&read->wait)) {
		if (code < 0)
			read_fails(read, code);
		else
			reply_vectors(read->wait.req, vectors, vector_count);
	}
	wait_return_idle(&read->wait);
}

static void read_finish(struct fs_wait *wait)
{
	struct read_wait *read = CONTAINER_OF(wait, struct read_wait, wait);
	struct fs_file *file = read->file;

	mail_assert_here(wait->mail);
	if (read->previous)
		read->previous->next = read->next;
	else
		file->reads = read->next;
	if (read->next)
		read->next->previous = read->previous;
	file->fs->read_count--;
	free(read);
	if (file->released && !file->reads) {
		(void)atomic_fetch_sub(&file->fs->mail.lingering, 1);
		file_free(file);
	}
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size_bytes, off_t offset,
    struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct fs_file *file = file_of(info);
	struct read_wait *read;
	uint64_t now_ms = clock_now_ms(fs->config.clock);
	int code;

	(void)ino;
	stats_add(STATS_fs_reads, 1);
	if (offset < 0 || size_bytes > CACHE_READ_BYTES_MAX) {
		reply_error(req, -EINVAL);
		return;
	}
	code = echo_code(&file->echo, (uint64_t)offset, now_ms);
	if (code < 0) {
		reply_error(req, code);
		return;
	}
	read = malloc(sizeof(*read));
	if (!read) {
		reply_error(req, -ENOMEM);
		return;
	}
	if (!wait_begin(&read->wait, &fs->mail, req, read_finish)) {
		free(read);
		return;
	}
	read->file = file;
	read->offset_bytes = (uint64_t)offset;
	read->size_bytes = size_bytes;
	read->since_ms = now_ms;
	read->pid = fuse_req_ctx(req)->pid;
	read->previous = NULL;
	read->next = file->reads;
	if (read->next)
		read->next->previous = read;
	file->reads = read;
	fs->read_count++;
	cache_read(file->cache, &ident, (uint64_t)offset, size_bytes,
	    read_answer, read);
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
	for (struct read_wait *read = file->reads; read; read = read->next) {
		if (now_ms - read->since_ms <= STALLED_MS ||
		    !is_gone(read->pid) || !wait_claim(&read->wait))
			continue;
		stats_add(STATS_fs_interrupted, 1);
		reply_error(read->wait.req, -EINTR);
	}
}

void files_tend(struct fs *fs)
{
	uint64_t now_ms = clock_now_ms(fs->config.clock);

	if (fs->read_count == 0 || now_ms - fs->tended_ms < FILES_TEND_MS)
		return;
	fs->tended_ms = now_ms;
	for (struct fs_file *file = fs->files; file; file = file->next)
		end_orphans(file, now_ms);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct fs_file *file = file_of(info);

	(void)ino;
	file->released = true;
	if (file->reads)
		(void)atomic_fetch_add(&fs->mail.lingering, 1);
	else
		file_free(file);
	reply_error(req, 0);
}
