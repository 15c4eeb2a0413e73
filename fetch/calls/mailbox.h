/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/mailbox.h - what other threads want of the fetch loop, and how it is
 * woken.
 *
 * Reference counted, because the token store may answer after the loop has
 * gone: it then finds the box closed. A post is part of what it carries
 * (struct call, struct token_wait, struct feed); the box owns nothing.
 *
 * Threads: send on any; take and sleep on the fetch thread.
 */
#ifndef FETCH_CALLS_MAILBOX_H
#define FETCH_CALLS_MAILBOX_H

#include "base/attr.h"

#include <stdbool.h>

struct fetch;
struct mailbox;

struct post {
	struct post *next;
	/** Called on the fetch thread; takes over what the post is part of. */
	void (*deliver)(struct post *post, struct fetch *fetch);
};

/** A box with one reference; NULL when out of memory or descriptors. */
struct mailbox *mailbox_new(void);

/** Another reference; returns `box`. */
struct mailbox *mailbox_get(struct mailbox *box);

/** Drop a reference; NULL is allowed. */
void mailbox_put(struct mailbox *box);

/** Put a post in and wake the loop if it sleeps.
 *  @return false when the box is closed: the post stays the caller's. */
NODISCARD bool mailbox_send(struct mailbox *box, struct post *post);

/** Take no more posts and wake the loop. */
void mailbox_close(struct mailbox *box);

/** All posts, the oldest first; NULL when there is none. */
struct post *mailbox_take(struct mailbox *box);

/** Say that the loop is about to sleep: the next post rings the bell.
 *  @return false when there is a post already, or the box is closed. */
NODISCARD bool mailbox_sleep(struct mailbox *box);

bool mailbox_is_closed(struct mailbox *box);

/** The bell: an eventfd to be watched edge-triggered (each ring is an edge,
 *  so that it need not be read). */
int mailbox_bell(const struct mailbox *box);

#endif
