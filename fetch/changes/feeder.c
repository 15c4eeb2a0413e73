/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/changes/feeder.c - see feeder.h. */
#include "fetch/changes/feeder.h"

#include "base/sync.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>

struct feeder {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool ending GUARDED_BY(feed_lock);
	STAILQ_HEAD(, feeder_job) queue GUARDED_BY(feed_lock);
};

static void enter(struct feeder *feeder) ACQUIRES(feed_lock);
static void leave(struct feeder *feeder) RELEASES(feed_lock);

UNCHECKED static void enter(struct feeder *feeder)
{
	(void)pthread_mutex_lock(&feeder->mutex);
}

UNCHECKED static void leave(struct feeder *feeder)
{
	(void)pthread_mutex_unlock(&feeder->mutex);
}

static struct feeder_job *next_job(struct feeder *feeder)
{
	struct feeder_job *job;

	enter(feeder);
	while (STAILQ_EMPTY(&feeder->queue) && !feeder->ending)
		(void)pthread_cond_wait(&feeder->cond, &feeder->mutex);
	job = STAILQ_FIRST(&feeder->queue);
	if (job != NULL)
		STAILQ_REMOVE_HEAD(&feeder->queue, link);
	leave(feeder);
	return job;
}

static void *feeder_main(void *arg)
{
	struct feeder *feeder = arg;
	struct feeder_job *job;

	(void)prctl(PR_SET_NAME, "fetch feeder");
	while ((job = next_job(feeder)) != NULL)
		job->run(job);
	return NULL;
}

struct feeder *feeder_new(void)
{
	struct feeder *feeder = calloc(1, sizeof(*feeder));

	if (feeder == NULL)
		return NULL;
	(void)pthread_mutex_init(&feeder->mutex, NULL);
	(void)pthread_cond_init(&feeder->cond, NULL);
	enter(feeder);
	STAILQ_INIT(&feeder->queue);
	leave(feeder);
	if (pthread_create(&feeder->thread, NULL, feeder_main, feeder) == 0)
		return feeder;
	(void)pthread_cond_destroy(&feeder->cond);
	(void)pthread_mutex_destroy(&feeder->mutex);
	free(feeder);
	return NULL;
}

void feeder_do(struct feeder *feeder, struct feeder_job *job)
{
	enter(feeder);
	STAILQ_INSERT_TAIL(&feeder->queue, job, link);
	(void)pthread_cond_signal(&feeder->cond);
	leave(feeder);
}

void feeder_free(struct feeder *feeder)
{
	if (feeder == NULL)
		return;
	enter(feeder);
	feeder->ending = true;
	(void)pthread_cond_signal(&feeder->cond);
	leave(feeder);
	(void)pthread_join(feeder->thread, NULL);
	(void)pthread_cond_destroy(&feeder->cond);
	(void)pthread_mutex_destroy(&feeder->mutex);
	free(feeder);
}
