/* SPDX-License-Identifier: Apache-2.0 */
/* cache/bytes/reader.c - see reader.h. */
#include "cache/bytes/reader.h"

#include "cache/bytes/read.h"
#include "cache/core.h"

#include <assert.h>
#include <stdlib.h>

static struct reader *reader_of(struct list *place)
{
	return CONTAINER_OF(place, struct reader, place);
}

struct reader *reader_join(struct cache *cache, uid_t uid)
{
	struct list *readers = &cache->reads.readers;
	struct reader *reader;

	if (!cache->config.shared)
		uid = 0;
	for (struct list *place = readers->next; place != readers;
	     place = place->next) {
		reader = reader_of(place);
		if (reader->uid == uid) {
			reader->reads++;
			return reader;
		}
	}
	reader = malloc(sizeof(*reader));
	if (reader == NULL)
		return NULL;
	*reader = (struct reader){.uid = uid, .reads = 1};
	list_init(&reader->starved);
	list_init(&reader->place);
	list_push(readers, &reader->place);
	return reader;
}

void reader_leave(struct reader *reader)
{
	assert(reader->reads > 0);
	if (--reader->reads > 0)
		return;
	assert(reader->held == 0);
	list_remove(&reader->place);
	free(reader);
}

bool reader_may_hold(
    const struct cache *cache, const struct reader *reader, unsigned count)
{
	return !cache->config.shared || reader->held == 0 ||
	    reader->held + count <= cache->pool.available;
}

bool readers_are_starved(const struct reads *reads)
{
	for (struct list *place = reads->readers.next; place != &reads->readers;
	     place = place->next) {
		if (!list_is_empty(&reader_of(place)->starved))
			return true;
	}
	return false;
}

/* Their first one. @return whether it has got what it wanted: then the next
 * may. One that has not keeps its turn. */
static bool feed(struct cache *cache, struct reader *reader, struct todo *todo)
    REQUIRES(cache_lock);
static bool feed(struct cache *cache, struct reader *reader, struct todo *todo)
{
	struct read *read =
	    CONTAINER_OF(list_pop(&reader->starved), struct read, place);

	read_go_on(cache, read, todo);
	if (read->state != READ_STARVED)
		return true;
	list_remove(&read->place);
	list_push_front(&reader->starved, &read->place);
	return false;
}

void readers_feed(struct cache *cache, struct todo *todo)
{
	struct list *readers = &cache->reads.readers;
	struct list *place = readers->next;

	/* In turns: whoever gets something comes last the next time. */
	while (place != readers) {
		struct reader *reader = reader_of(place);
		bool fed = false;

		place = place->next;
		while (!list_is_empty(&reader->starved) &&
		    feed(cache, reader, todo))
			fed = true;
		if (fed) {
			list_remove(&reader->place);
			list_push(readers, &reader->place);
			if (place == readers)
				break;
		}
	}
}
