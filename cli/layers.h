/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/layers.h - the layers under a mount, made one upon the other out of a
 * plan, and taken down in order.
 *
 * Up:   federation -> tokens -> fetch -> (look at the source) -> cache -> fs.
 * Down: the FUSE loop has ended -> layers_stop() -> whatever else asks them
 *       ends -> layers_free().
 *
 * Whoever makes them decides what is said to whom: nothing is said or logged
 * here but in the words of the layers themselves.
 *
 * Threads: main thread, after the last fork; layers_make() starts the first
 * other thread.
 */
#ifndef CLI_LAYERS_H
#define CLI_LAYERS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/ident.h"

#include "cli/door.h"

struct cache;
struct federation;
struct fetch;
struct fs;
struct plan;
struct tokens;

struct layers {
	const struct plan *plan; /* borrowed */
	struct ident ident;      /* whose they are */
	struct tokens *tokens;
	struct federation *federation; /* NULL: the source is a server */
	struct fetch *fetch;
	struct cache *cache;
	struct fs *fs;
	struct door door;   /* of the cache */
	struct err warning; /* started without the source: a sentence; or "" */
};

/**
 * Make everything up to the mount itself, which is there afterwards, and has
 * to be served (cli/serve.h).
 *
 * @param plan       borrowed for the layers' life.
 * @param signal_fd  readable when the start is to be given up; -1: never is.
 * @retval 0         made.
 * @retval -errno    with a sentence; what was made until then is taken down
 *                   with layers_stop() and layers_free() all the same.
 */
NODISCARD int layers_make(struct layers *layers, const struct plan *plan,
    int signal_fd, struct err *err);

/** Answer everything that waits; nobody asks the servers any more. */
void layers_stop(struct layers *layers);

/** After layers_stop(), and when nothing else uses them: unmount, free. */
void layers_free(struct layers *layers);

#endif
