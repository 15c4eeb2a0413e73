/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/publish_grown.c - a file that is sent while it is written: more
 * of it has come. See publish_impl.h.
 *
 * Threads: the fetch thread, but fetch_grown().
 */
#include "fetch/changes/publish_impl.h"

#include <errno.h>
#include <stdlib.h>

/* On its way to the loop. */
struct growth {
	struct post post;
	uint64_t number;
	uint64_t size_bytes;
	bool whole;
};

void publish_begin_growing(struct publish *publish)
{
	LIST_INSERT_HEAD(&publish->fetch->growing, publish, grows_link);
}

void publish_end_growing(struct publish *publish)
{
	if (publish->grows_link.le_prev == NULL)
		return; /* it does not grow, or does no more */
	LIST_REMOVE(publish, grows_link);
	publish->grows_link.le_prev = NULL;
}

static void deliver(struct post *post, struct fetch *fetch)
{
	struct growth *growth = CONTAINER_OF(post, struct growth, post);
	struct publish *publish;

	fetch_assert_thread(fetch);
	LIST_FOREACH(publish, &fetch->growing, grows_link)
	{
		if (publish->number == growth->number)
			break;
	}
	if (publish != NULL) {
		feed_grow(publish->feed, growth->size_bytes, growth->whole);
		if (growth->whole)
			publish_end_growing(publish);
	}
	free(growth);
}

int fetch_grown(
    struct fetch *fetch, uint64_t number, uint64_t size_bytes, bool whole)
{
	struct growth *growth = malloc(sizeof(*growth));

	if (growth == NULL)
		return -ENOMEM;
	*growth = (struct growth){.post.deliver = deliver,
	    .number = number,
	    .size_bytes = size_bytes,
	    .whole = whole};
	if (!mailbox_send(fetch->mailbox, &growth->post))
		free(growth); /* what it speaks of is answered by the end */
	return 0;
}
