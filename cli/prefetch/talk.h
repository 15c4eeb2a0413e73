/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/prefetch/talk.h - the client's end of the conversation that
 * serve.h describes.
 *
 * Threads: main thread.
 */
#ifndef CLI_PREFETCH_TALK_H
#define CLI_PREFETCH_TALK_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

struct mount_entry;

enum {
	/* Without a sign of life; the mount gives one each second. */
	TALK_SILENT_MS = 10000,
};

struct talk {
	int fd;
	struct buf in;
	size_t used_bytes; /* of it, by lines that were heard */
	/* What the mount said at the beginning. */
	uint64_t room_bytes; /* 0: it keeps nothing on disk */
	uint64_t ttl_ms;     /* of a listing */
	char why[256];       /* nothing is kept */
};

/** What was heard. */
struct talk_line {
	char what;        /* 'F', 'D', ... as in serve.h */
	uint64_t number;  /* that the client chose */
	uint64_t bytes;   /* F, P, K */
	uint64_t brought; /* K */
	const char *text; /* a decoded name, or "ERRNO TEXT"; "" when there is
			     none; borrowed until the next line */
};

/** Connect, and hear the greeting. @retval 0; -errno, with a sentence, and
 *  nothing is to be ended. */
NODISCARD int talk_begin(
    struct talk *talk, const struct mount_entry *entry, struct err *err);

void talk_end(struct talk *talk);

/** "look", "list" or "keep" a path of the mount. */
NODISCARD int talk_ask(struct talk *talk, const char *word, uint64_t number,
    const char *path, struct err *err);

/**
 * Wait for the next line.
 *
 * @retval 0            heard; of signs of life as well.
 * @retval -EINTR       a signal came.
 * @retval -ETIMEDOUT   the mount gives no sign of life.
 * @retval -ECONNRESET  its process has ended.
 * @retval -EPROTO      not understood.
 */
NODISCARD int talk_hear(
    struct talk *talk, struct talk_line *out, struct err *err);

#endif
