/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/said.c - see said.h. */
#include "fetch/said.h"

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

/* FNV-1a. Users are compared apart: who makes two paths look the same is
 * misled about their own. */
static uint64_t hash_of(uid_t uid, const char *path)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ uid;

	for (const char *p = path; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	/* Its bits are not equally good: mix them (MurmurHash3's end). */
	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	return (hash ^ hash >> 33) | 1;
}

static struct said_place *place_of(struct said *said, uint64_t hash)
    REQUIRES(fetch_queue_lock);
static struct said_place *place_of(struct said *said, uint64_t hash)
{
	return &said->places[(hash >> 32) % SAID_PLACES];
}

void said_note(struct said *said, uid_t uid, const char *path,
    const struct fetch_said *what)
{
	uint64_t hash = hash_of(uid, path);

	enter(said);
	*place_of(said, hash) =
	    (struct said_place){.hash = hash, .uid = uid, .what = *what};
	leave(said);
}

bool said_find(
    struct said *said, uid_t uid, const char *path, struct fetch_said *out)
{
	uint64_t hash = hash_of(uid, path);
	const struct said_place *place;
	bool found;

	enter(said);
	place = place_of(said, hash);
	found = place->hash == hash && place->uid == uid;
	if (found)
		*out = place->what;
	leave(said);
	return found;
}
