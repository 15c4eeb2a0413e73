/* SPDX-License-Identifier: Apache-2.0 */
/* cache/checks/suspect.c - see suspect.h. */
#include "cache/checks/suspect.h"

#include "fetch/fetch.h"

#include <string.h>

#include <xxhash.h>

static void enter(struct suspects *suspects) ACQUIRES(suspect_lock);
static void leave(struct suspects *suspects) RELEASES(suspect_lock);

static UNCHECKED void enter(struct suspects *suspects)
{
	(void)pthread_mutex_lock(&suspects->mutex);
}

static UNCHECKED void leave(struct suspects *suspects)
{
	(void)pthread_mutex_unlock(&suspects->mutex);
}

void suspects_init(struct suspects *suspects)
{
	(void)pthread_mutex_init(&suspects->mutex, NULL);
}

void suspects_fini(struct suspects *suspects)
{
	(void)pthread_mutex_destroy(&suspects->mutex);
}

static uint64_t key_of(const char *path, const struct fetch_version *version)
{
	struct {
		uint64_t size_bytes;
		int64_t mtime_s;
		uint64_t etag;
	} key = {
	    .size_bytes = version->size_bytes,
	    .mtime_s = version->mtime_s,
	    .etag = XXH3_64bits(version->etag, strlen(version->etag)),
	};
	uint64_t hash = XXH3_64bits_withSeed(
	    path, strlen(path), XXH3_64bits(&key, sizeof(key)));

	return hash != 0 ? hash : 1;
}

static struct suspect *find(struct suspects *suspects, uint64_t key)
    REQUIRES(suspect_lock);
static struct suspect *find(struct suspects *suspects, uint64_t key)
{
	for (unsigned i = 0; i < SUSPECTS_MAX; i++) {
		if (suspects->entry[i].key == key)
			return &suspects->entry[i];
	}
	return NULL;
}

/* Those of long ago. */
static void forget(struct suspects *suspects, uint64_t now_ms)
    REQUIRES(suspect_lock);
static void forget(struct suspects *suspects, uint64_t now_ms)
{
	for (unsigned i = 0; i < SUSPECTS_MAX; i++) {
		struct suspect *suspect = &suspects->entry[i];

		if (suspect->key == 0 || now_ms < suspect->until_ms)
			continue;
		*suspect = (struct suspect){0};
		atomic_fetch_sub(&suspects->count, 1);
	}
}

/* Room for one; the oldest gives way. */
static struct suspect *make(struct suspects *suspects) REQUIRES(suspect_lock);
static struct suspect *make(struct suspects *suspects)
{
	struct suspect *oldest = &suspects->entry[0];

	for (unsigned i = 0; i < SUSPECTS_MAX; i++) {
		struct suspect *suspect = &suspects->entry[i];

		if (suspect->key == 0) {
			atomic_fetch_add(&suspects->count, 1);
			return suspect;
		}
		if (suspect->until_ms < oldest->until_ms)
			oldest = suspect;
	}
	return oldest;
}

unsigned suspects_add(struct suspects *suspects, const char *path,
    const struct fetch_version *version, uint64_t number, uint64_t now_ms)
{
	uint64_t key = key_of(path, version);
	struct suspect *suspect;
	unsigned wrong;

	enter(suspects);
	forget(suspects, now_ms);
	suspect = find(suspects, key);
	if (suspect == NULL) {
		suspect = make(suspects);
		*suspect = (struct suspect){.key = key, .number = number};
	}
	suspect->until_ms = now_ms + SUSPECT_MS;
	wrong = ++suspect->wrong;
	leave(suspects);
	return wrong;
}

unsigned suspects_count(struct suspects *suspects, const char *path,
    const struct fetch_version *version)
{
	const struct suspect *suspect;
	unsigned wrong = 0;

	if (atomic_load(&suspects->count) == 0)
		return 0;
	enter(suspects);
	suspect = find(suspects, key_of(path, version));
	if (suspect != NULL)
		wrong = suspect->wrong;
	leave(suspects);
	return wrong;
}

void suspects_dropped(struct suspects *suspects, const char *path,
    const struct fetch_version *version)
{
	struct suspect *suspect;

	enter(suspects);
	suspect = find(suspects, key_of(path, version));
	if (suspect != NULL)
		suspect->shown++;
	leave(suspects);
}

uint64_t suspects_number(struct suspects *suspects, uint64_t number)
{
	uint64_t shown = number;

	if (atomic_load(&suspects->count) == 0)
		return number;
	enter(suspects);
	/* Its number is another's too where servers give no ETag: that one is
	 * only shown anew. */
	for (unsigned i = 0; i < SUSPECTS_MAX; i++) {
		const struct suspect *suspect = &suspects->entry[i];

		if (suspect->key != 0 && suspect->number == number &&
		    suspect->shown > 0)
			shown = XXH3_64bits_withSeed(
			    &suspect->shown, sizeof(suspect->shown), shown);
	}
	leave(suspects);
	return shown < 2 ? shown + 2 : shown;
}

void suspects_tick(struct suspects *suspects, uint64_t now_ms)
{
	if (atomic_load(&suspects->count) == 0)
		return;
	enter(suspects);
	forget(suspects, now_ms);
	leave(suspects);
}
