/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/said.c - see said.h. */
#include "fetch/servers/said.h"

#include "fetch/hash.h"

#include <stdint.h>

static void enter(struct said *said) ACQUIRES(fetch_queue_lock);
static void leave(struct said *said) RELEASES(fetch_queue_lock);

static UNCHECKED void enter(struct said *said)
{
	(void)pthread_mutex_lock(&said->mutex);
}

static UNCHECKED void leave(struct said *said)
{
	(void)pthread_mutex_unlock(&said->mutex);
}

void said_init(struct said *said)
{
	(void)pthread_mutex_init(&said->mutex, NULL);
}

void said_fini(struct said *said)
{
	(void)pthread_mutex_destroy(&said->mutex);
}

/* Users are compared apart: who makes two paths look the same is misled about
 * their own. */
static uint64_t hash_of(const struct said_by *by, const char *path)
{
	return hash_path((uint64_t)by->server << 32 | by->uid, path);
}

static struct said_place *place_of(struct said *said, uint64_t hash)
    REQUIRES(fetch_queue_lock);
static struct said_place *place_of(struct said *said, uint64_t hash)
{
	return &said->places[(hash >> 32) % SAID_PLACES];
}

void said_note(struct said *said, const struct said_by *by, const char *path,
    const struct fetch_said *what)
{
	uint64_t hash = hash_of(by, path);

	enter(said);
	*place_of(said, hash) =
	    (struct said_place){.hash = hash, .by = *by, .what = *what};
	leave(said);
}

bool said_find(struct said *said, const struct said_by *by, const char *path,
    struct fetch_said *out)
{
	uint64_t hash = hash_of(by, path);
	const struct said_place *place;
	bool found;

	enter(said);
	place = place_of(said, hash);
	found = place->hash == hash && place->by.uid == by->uid &&
	    place->by.server == by->server;
	if (found)
		*out = place->what;
	leave(said);
	return found;
}
