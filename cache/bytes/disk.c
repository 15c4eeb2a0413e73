/* SPDX-License-Identifier: Apache-2.0 */
/* cache/bytes/disk.c - see disk.h. */
#include "cache/bytes/disk.h"

#include "cache/core.h"
#include "cache/store/store.h"

#include <assert.h>

/* The condition gives the mutex up and takes it again. */
static void wait_for_job(struct cache *cache) REQUIRES(cache_lock);
static void wait_for_job(struct cache *cache)
{
	(void)pthread_cond_wait(&cache->disk.wake, &cache->mutex);
}

static struct disk_job *next_job(struct disk *disk)
{
	struct list *item = list_pop(&disk->demand);

	if (item == NULL)
		item = list_pop(&disk->ahead);
	return item == NULL ? NULL : CONTAINER_OF(item, struct disk_job, place);
}

static void *reader_main(void *arg)
{
	struct cache *cache = arg;
	struct disk *disk = &cache->disk;

	cache_enter(cache);
	for (;;) {
		struct disk_job *job;
		bool stopping = disk->stopping;

		job = next_job(disk);
		if (job == NULL) {
			if (stopping)
				break;
			wait_for_job(cache);
			continue;
		}
		cache_exit(cache);
		job->run(job, stopping);
		cache_enter(cache);
	}
	cache_exit(cache);
	return NULL;
}

static void *lander_main(void *arg)
{
	const struct cache *cache = arg;

	store_land(cache->store);
	return NULL;
}

/* Where the kernel has nothing to land, disk readers do it all. */
static int start_lander(struct cache *cache)
{
	struct disk *disk = &cache->disk;
	int code;

	if (store_land_begin(cache->store) < 0)
		return 0;
	code = thread_start(&disk->lander, "cache-land", lander_main, cache);
	if (code < 0)
		store_land_end(cache->store);
	disk->lands = code == 0;
	return code;
}

int disk_start(struct cache *cache)
{
	struct disk *disk = &cache->disk;

	list_init(&disk->demand);
	list_init(&disk->ahead);
	thread_cond_init(&disk->wake);
	if (cache->store == NULL)
		return 0;

	int code = start_lander(cache);

	for (unsigned i = 0; i < DISK_READERS && code == 0; i++) {
		code = thread_start(
		    &disk->thread[i], "cache-disk", reader_main, cache);
		if (code == 0)
			disk->thread_count++;
	}
	if (code < 0)
		disk_stop(cache);
	return code;
}

void disk_push(struct cache *cache, struct disk_job *job, bool demand)
{
	struct disk *disk = &cache->disk;

	assert(disk->thread_count > 0);
	list_push(demand ? &disk->demand : &disk->ahead, &job->place);
	(void)pthread_cond_signal(&disk->wake);
}

void disk_hurry(struct cache *cache, struct disk_job *job)
{
	if (list_is_empty(&job->place))
		return;
	list_remove(&job->place);
	list_push(&cache->disk.demand, &job->place);
}

void disk_stop(struct cache *cache)
{
	struct disk *disk = &cache->disk;

	cache_enter(cache);
	disk->stopping = true;
	(void)pthread_cond_broadcast(&disk->wake);
	cache_exit(cache);
	for (unsigned i = 0; i < disk->thread_count; i++)
		(void)pthread_join(disk->thread[i], NULL);
	disk->thread_count = 0;
	/* After the readers, who may ask; what comes now is not read again. */
	if (disk->lands) {
		store_land_end(cache->store);
		(void)pthread_join(disk->lander, NULL);
	}
	disk->lands = false;
}
