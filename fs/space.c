/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/space.c - statfs: what the quota of the source leaves.
 *
 * Threads: the FUSE thread, but for the answer of the cache, which only notes
 * what it was told.
 */
#include "fs/reply.h"
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum { SPACE_UNIT_BYTES = 4096 }; /* df(1) counts in these */

struct space_wait {
	struct fs_wait wait;
	int code;
	uint64_t total_bytes;
	uint64_t free_bytes;
};

static void space_answer(
    void *arg, int code, uint64_t total_bytes, uint64_t free_bytes)
{
	struct space_wait *ask = arg;

	assert(code <= 0);
	ask->code = code;
	ask->total_bytes = total_bytes;
	ask->free_bytes = free_bytes;
	wait_return(&ask->wait);
}

static void space_finish(struct fs_wait *wait)
{
	struct space_wait *ask = CONTAINER_OF(wait, struct space_wait, wait);

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		struct statvfs space = {
		    .f_bsize = CACHE_BLOCK_BYTES,
		    .f_frsize = SPACE_UNIT_BYTES,
		    .f_blocks = ask->total_bytes / SPACE_UNIT_BYTES,
		    .f_bfree = ask->free_bytes / SPACE_UNIT_BYTES,
		    .f_namemax = PATH_NAME_BYTES_MAX,
		};

		space.f_bavail = space.f_bfree;
		if (ask->code < 0)
			reply_error(wait->req, ask->code);
		else
			reply_statfs(wait->req, &space);
	}
	free(ask);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct space_wait *ask = malloc(sizeof(*ask));

	(void)ino;
	if (!ask) {
		reply_error(req, -ENOMEM);
		return;
	}
	if (!wait_begin(&ask->wait, &fs->mail, req, space_finish)) {
		free(ask);
		return;
	}
	cache_space(fs->config.cache, &ident, space_answer, ask);
}
