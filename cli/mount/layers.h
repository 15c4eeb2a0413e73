/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount/layers.h - the layers under a mount, made one upon the other out of
 * a plan, and taken down in order.
 *
 * Up:   federation -> tokens -> spool -> fetch -> (look at the source) ->
 *       cache -> drafts -> fs.
 * Down: the FUSE loop has ended -> layers_stop(): fetch, drafts, cache -> what
 *       else asks them ends -> layers_free(): fs, drafts, cache, spool, ...
 *
 * Whoever makes them decides what is said to whom: nothing is said or logged
 * here but in the words of the layers themselves.
 *
 * Threads: main thread, after the last fork; layers_make() starts the first
 * other thread.
 */
#ifndef CLI_MOUNT_LAYERS_H
#define CLI_MOUNT_LAYERS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/ident.h"

#include "cli/mount/door.h"

struct cache;
struct drafts;
struct federation;
struct fetch;
struct fs;
struct plan;
struct spool;
struct tokens;

struct layers {
	const struct plan *plan; /* borrowed */
	struct ident ident;      /* whose they are */
	struct tokens *tokens;
	struct federation *federation; /* NULL: the source is a server */
	struct fetch *fetch;
	struct cache *cache;
	struct spool *spool;   /* NULL: nothing is written */
	struct drafts *drafts; /* NULL: the same */
	struct fs *fs;         /* NULL: without a mount */
	struct door door;      /* of the cache, and of the drafts */
	struct err warning; /* started without the source: a sentence; or "" */
};

/** How far they are made. */
enum layers_upto {
	LAYERS_MOUNT,  /* the mount is there, and has to be served
	                  (cli/mount/serve.h) */
	LAYERS_FETCH,  /* tokens and fetch; the source is not looked at */
	LAYERS_DRAFTS, /* what the spool has is sent, without a mount; the
	                  source is not looked at */
};

/**
 * Make them.
 *
 * @param plan       borrowed for the layers' life.
 * @param signal_fd  readable when the start is to be given up; -1: never is.
 * @retval 0         made.
 * @retval -errno    with a sentence; what was made until then is taken down
 *                   with layers_stop() and layers_free() all the same.
 */
NODISCARD int layers_make(struct layers *layers, const struct plan *plan,
    enum layers_upto upto, int signal_fd, struct err *err);

/** Answer everything that waits; nobody asks the servers any more. */
void layers_stop(struct layers *layers);

/** After layers_stop(), and when nothing else uses them: unmount, free. */
void layers_free(struct layers *layers);

#endif
