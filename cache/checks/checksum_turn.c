/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/checks/checksum_turn.c - whose checksum is asked for next, where the
 * origin is asked for one at a time; see checksum.h.
 */
#include "cache/checks/checksum.h"
#include "cache/core.h"
#include "fetch/fetch.h"

#include <assert.h>

bool checksum_may_ask(struct cache *cache)
{
	return cache->checksums.asking == 0 ||
	    !fetch_digests_apart(cache->config.fetch);
}

void checksum_asked(struct cache *cache)
{
	struct checksums *checksums = &cache->checksums;

	assert(checksums->asking > 0);
	checksums->asking--;
	if (checksums->waiting_count > 0)
		(void)pthread_cond_signal(&checksums->wake);
}

void checksum_wait(struct object *object)
{
	struct checksums *checksums = &object->cache->checksums;

	if (checksums->stopping || object->checksum.queued ||
	    checksums->waiting_count == CHECKSUM_WAITING_MAX)
		return;
	object->checksum.queued = true;
	object_get(object);
	list_push(&checksums->waiting, &object->checksum.place);
	checksums->waiting_count++;
}

struct list *checksums_next(struct checksums *checksums)
{
	struct list *item = list_pop(&checksums->queue);

	if (item != NULL || (checksums->asking > 0 && !checksums->stopping))
		return item;
	item = list_pop(&checksums->waiting);
	if (item != NULL)
		checksums->waiting_count--;
	return item;
}
