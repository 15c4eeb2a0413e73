/* SPDX-License-Identifier: Apache-2.0 */
/* cache/checks/checksum.c - what is compared when, and what follows; see
 * checksum.h. */
#include "cache/checks/checksum.h"

#include "base/log.h"
#include "base/stats.h"
#include "cache/core.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <stdlib.h>

void checksum_init(struct checksum *checksum)
{
	list_init(&checksum->place);
}

void checksum_fini(struct checksum *checksum)
{
	fetch_sum_free(STEAL(checksum->sum));
	free(STEAL(checksum->landed));
}

void checksum_push(struct object *object)
{
	struct checksums *checksums = &object->cache->checksums;

	if (object->checksum.queued || !checksums->running ||
	    checksums->stopping)
		return;
	object->checksum.queued = true;
	object_get(object);
	list_push(&checksums->queue, &object->checksum.place);
	(void)pthread_cond_signal(&checksums->wake);
}

bool checksum_is_complete(const struct object *object)
{
	return object->checksum.landed_count > 0 &&
	    object->checksum.landed_count + object->checksum.disk_count >=
	    object_block_count(object);
}

bool checksum_rides(const struct run *run)
{
	const struct object *object = run->object;
	enum fetch_algorithm algorithm;

	if (run->first != 0 || run->count != object_block_count(object) ||
	    run->count > CHECKSUM_RIDES_BLOCKS ||
	    object->checksum.state != CHECKSUM_OPEN)
		return false;
	for (unsigned i = 0; i < run->count; i++) {
		if (run->blocks[i] == NULL)
			return false;
	}
	return fetch_digests(run->cache->config.fetch, &algorithm) !=
	    FETCH_DIGESTS_NONE;
}

bool checksum_fails(const struct object *object)
{
	const struct checksum *checksum = &object->checksum;

	return checksum->failed ||
	    (checksum->failed_until_ms > 0 &&
	        cache_now_ms(object->cache) < checksum->failed_until_ms);
}

bool checksum_wants_whole(const struct object *object)
{
	enum fetch_algorithm algorithm;

	return object->checksum.wrong_brought > 0 &&
	    fetch_digests(object->cache->config.fetch, &algorithm) !=
	    FETCH_DIGESTS_NONE;
}

void checksum_tell(const struct cache *cache,
    const struct checksum_difference *difference, const char *done)
{
	char told[FETCH_DIGEST_TEXT_BYTES];
	char computed[FETCH_DIGEST_TEXT_BYTES];

	fetch_digest_text(told, difference->told);
	fetch_digest_text(computed, difference->computed);
	log_line(LOG_LEVEL_WARN, LOG_CACHE,
	    "bytes do not fit the server's checksum",
	    "path=%s server=%s told=%s computed=%s done=%s",
	    LOG_TEXT(difference->path), LOG_TEXT(cache->config.origin), told,
	    computed, LOG_TEXT(done));
}

/* Room for the bits of a file that may be compared. */
static bool may_land(struct object *object) REQUIRES(cache_lock);
static bool may_land(struct object *object)
{
	struct checksum *checksum = &object->checksum;
	uint64_t count = object_block_count(object);

	if (checksum->landed == NULL && count <= CHECKSUM_BLOCKS_MAX)
		checksum->landed = calloc((size_t)(count / 8 + 1), 1);
	if (checksum->landed == NULL)
		checksum->state = CHECKSUM_NONE;
	return checksum->landed != NULL;
}

void checksum_landed(const struct run *run, const struct block *block)
{
	struct object *object = run->object;
	struct checksum *checksum = &object->checksum;
	uint8_t bit = (uint8_t)(1u << (block->index % 8));
	enum fetch_algorithm algorithm;
	enum fetch_digests digests;

	if (checksum->state != CHECKSUM_OPEN || object->stale || run->rides)
		return; /* what rides is compared when all of it has come */
	digests = fetch_digests(object->cache->config.fetch, &algorithm);
	if (digests == FETCH_DIGESTS_NONE || !may_land(object))
		return;
	if ((checksum->landed[block->index / 8] & bit) == 0) {
		checksum->landed[block->index / 8] |= bit;
		checksum->landed_count++;
	}
	checksum->ident = run->ident;
	checksum->servers |= run->servers;
	if (checksum_is_complete(object) ||
	    (digests == FETCH_DIGESTS_TOLD && block->index == checksum->next))
		checksum_push(object);
}

void checksum_closed(struct object *object)
{
	if (object->checksum.state == CHECKSUM_OPEN &&
	    checksum_is_complete(object))
		checksum_push(object);
}

/* Its bytes are nowhere any more. */
static void begin_anew(struct checksum *checksum)
{
	fetch_sum_free(STEAL(checksum->sum));
	free(STEAL(checksum->landed));
	checksum->landed_count = 0;
	checksum->disk_count = 0;
	checksum->next = 0;
	checksum->servers = 0;
	checksum->told.known = false;
	checksum->state = CHECKSUM_OPEN;
}

void checksum_dropped(struct object *object)
{
	struct cache *cache = object->cache;

	suspects_dropped(&cache->suspects, object->path, &object->version);
	object_hide(object);
	meta_forget(cache, object->path);
}

/* The bytes are wrong, and the file has not changed. */
static void drop(struct object *object) REQUIRES(cache_lock);
static void drop(struct object *object)
{
	struct cache *cache = object->cache;
	struct checksum *checksum = &object->checksum;
	unsigned wrong = suspects_add(&cache->suspects, object->path,
	    &object->version, object->plain_number, cache_now_ms(cache));

	checksum->failed = wrong >= SUSPECT_BAD;
	checksum->suspect = true;
	begin_anew(checksum);
	pool_disown(&cache->pool, &object->blocks);
	if (object->disk == OBJECT_DISK_OPEN && cache->writer.running) {
		object->disk = OBJECT_DISK_NONE;
		writer_forget(cache, object);
	} else {
		checksum_dropped(object);
	}
}

struct looking {
	struct object *object; /* one reference */
	struct fetch_digest computed;
};

/* Put the object back, in a state. */
static void put_back(struct object *object, enum checksum_state state)
{
	struct cache *cache = object->cache;
	struct todo todo;

	todo_init(&todo);
	cache_enter(cache);
	object->checksum.state = state;
	if (state == CHECKSUM_SUMMING)
		checksum_push(object);
	object_put(object, &todo);
	cache_leave(cache, &todo);
}

/* Is it the version that was read? */
static void looked(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct looking *looking = arg;
	struct object *object = looking->object;
	struct cache *cache = object->cache;
	struct fetch_digest told;
	struct ident ident;
	struct todo todo;
	unsigned servers;
	bool failed;

	(void)err; /* fetch has logged it */
	if (code < 0) {
		/* Perhaps at the end of the next reader; -ENOENT: the next
		 * look-up says so. */
		put_back(object, CHECKSUM_OPEN);
		free(looking);
		return;
	}
	todo_init(&todo);
	cache_enter(cache);
	told = object->checksum.told;
	ident = object->checksum.ident;
	servers = object->checksum.servers;
	if (object->stale || stat->kind != FETCH_FILE ||
	    !fetch_version_equal(&object->version, &stat->version)) {
		object->checksum.state = CHECKSUM_NONE;
		(void)object_make_stale(object);
		meta_forget_version(cache, object->path, &object->version);
		looking->computed.known = false;
	} else {
		drop(object);
	}
	failed = object->checksum.failed;
	cache_exit(cache);
	if (looking->computed.known) {
		stats_add(STATS_cache_checksums_differed, 1);
		fetch_blame(
		    cache->config.fetch, &ident, object->server_path, servers);
		checksum_tell(cache,
		    &(struct checksum_difference){.path = object->path,
		        .told = &told,
		        .computed = &looking->computed},
		    failed ? "dropped; wrong again: readers get EIO"
		           : "dropped, to be fetched again");
	}
	cache_enter(cache);
	object_put(object, &todo);
	cache_leave(cache, &todo);
	free(looking);
}

void checksum_compare(struct object *object)
{
	struct cache *cache = object->cache;
	struct checksum *checksum = &object->checksum;
	struct looking *looking;
	struct fetch_digest computed;

	fetch_sum_end(checksum->sum, &computed);
	fetch_sum_free(STEAL(checksum->sum));
	checksum->next = 0;
	if (!computed.known) {
		checksum->state = CHECKSUM_NONE;
		return;
	}
	if (fetch_digest_equal(&computed, &checksum->told)) {
		checksum->state = CHECKSUM_RIGHT;
		free(STEAL(checksum->landed));
		stats_add(STATS_cache_checksums_equal, 1);
		return;
	}
	looking = malloc(sizeof(*looking));
	checksum->state = looking == NULL ? CHECKSUM_OPEN : CHECKSUM_LOOKING;
	if (looking == NULL)
		return;
	*looking = (struct looking){.object = object, .computed = computed};
	object_get(object);
	cache_exit(cache);
	fetch_stat(cache->config.fetch, &checksum->ident, object->server_path,
	    0, looked, looking);
	cache_enter(cache);
}

static void told(void *arg, int code, const struct fetch_digest *digest)
{
	struct object *object = arg;
	struct cache *cache = object->cache;

	cache_enter(cache);
	checksum_asked(cache);
	if (code == 0)
		object->checksum.told = *digest;
	cache_exit(cache);
	if (code == 0)
		put_back(object, CHECKSUM_SUMMING);
	else if (code == -ENODATA || code == -ESTALE || code == -ECANCELED)
		put_back(object, CHECKSUM_NONE);
	else /* it cannot be asked now */
		put_back(object, CHECKSUM_OPEN);
}

void checksum_ask(struct object *object)
{
	struct cache *cache = object->cache;
	struct checksum *checksum = &object->checksum;
	enum fetch_algorithm algorithm;
	enum fetch_digests digests =
	    fetch_digests(cache->config.fetch, &algorithm);

	if (digests == FETCH_DIGESTS_NONE) {
		checksum->state = CHECKSUM_NONE;
		return;
	}
	if (!checksum_may_ask(cache)) {
		checksum_wait(object);
		return;
	}
	/* One file is enough to learn whether this server tells any; the
	 * others are compared when they are closed, or read again. */
	if (digests == FETCH_DIGESTS_UNKNOWN && cache->checksums.asking > 0)
		return;
	cache->checksums.asking++;
	checksum->state = CHECKSUM_ASKING;
	object_get(object);
	cache_exit(cache);
	fetch_digest(cache->config.fetch,
	    &(struct fetch_digest_ask){.ident = &checksum->ident,
	        .path = object->server_path,
	        .version = &object->version},
	    told, object);
	cache_enter(cache);
}
