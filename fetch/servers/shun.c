/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/shun.c - see shun.h. */
#include "fetch/servers/shun.h"

#include "fetch/hash.h"

static unsigned place_of(uint64_t hash)
{
	return (unsigned)((hash >> 32) % SHUN_PLACES);
}

void shun_note(
    struct shun *shun, unsigned place, const char *path, uint64_t until_ms)
{
	uint64_t hash = hash_path(place, path);

	shun->places[place_of(hash)] =
	    (struct shun_place){.hash = hash, .until_ms = until_ms};
}

bool shun_has(
    const struct shun *shun, unsigned place, const char *path, uint64_t now_ms)
{
	uint64_t hash = hash_path(place, path);
	const struct shun_place *found = &shun->places[place_of(hash)];

	return found->hash == hash && now_ms < found->until_ms;
}
