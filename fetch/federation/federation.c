/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/federation/federation.c - see federation.h. */
#include "fetch/federation.h"

#include "base/clock.h"
#include "fetch/federation/federation_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

UNCHECKED void federation_enter(struct federation *federation)
{
	(void)pthread_mutex_lock(&federation->mutex);
}

UNCHECKED void federation_leave(struct federation *federation)
{
	(void)pthread_mutex_unlock(&federation->mutex);
}

static int copy_text(char **out, const char *text)
{
	*out = text == NULL ? NULL : strdup(text);
	return text != NULL && *out == NULL ? -ENOMEM : 0;
}

static void init_locks(struct federation *federation)
{
	pthread_condattr_t attr;

	(void)pthread_mutex_init(&federation->mutex, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&federation->cond, &attr);
	(void)pthread_condattr_destroy(&attr);
}

int federation_new(struct federation **out,
    const struct federation_config *config, struct err *err)
{
	AUTO(federation) federation = calloc(1, sizeof(*federation));

	if (federation == NULL)
		return err_set(err, -ENOMEM, "federation: out of memory");
	init_locks(federation);
	federation->clock = config->clock;
	federation->source = *config->source;
	if (copy_text(&federation->ca_file, config->ca_file) < 0 ||
	    copy_text(&federation->ca_dir, config->ca_dir) < 0)
		return err_set(err, -ENOMEM, "federation: out of memory");
	federation->ask = (struct fetch_document_config){
	    .ca_file = federation->ca_file,
	    .ca_dir = federation->ca_dir,
	    .timeout_ms = config->timeout_ms,
	    .proxied = config->proxied,
	    .stop = &federation->stop,
	};
	*out = STEAL(federation);
	return 0;
}

uint64_t federation_next_ms(struct federation *federation)
{
	uint64_t next_ms;

	federation_enter(federation);
	next_ms = federation->times.next_ms;
	federation_leave(federation);
	return next_ms;
}

const char *federation_director(const struct federation *federation)
{
	if (!federation->has_document)
		return NULL;
	return federation->document.director_url != NULL
	    ? federation->document.director_url
	    : "";
}

const struct pelican_facts *federation_facts(
    const struct federation *federation)
{
	return federation->has_facts ? &federation->facts : NULL;
}

const struct fetch_servers *federation_servers(
    const struct federation *federation)
{
	return federation->servers;
}

void federation_trouble(void *arg)
{
	struct federation *federation = arg;

	federation_enter(federation);
	if (federation_times_trouble(
	        &federation->times, clock_now_ms(federation->clock)))
		(void)pthread_cond_signal(&federation->cond);
	federation_leave(federation);
}

/* Give the loop what the last question has brought. */
static int tell(
    const struct federation *federation, int code, const struct err *why)
{
	if (code < 0)
		fetch_servers_missing(federation->fetch, why);
	if (code < 0 || federation->servers == NULL)
		return 0;
	return fetch_servers_set(federation->fetch, federation->servers);
}

/* Wait until it is time, or something has changed. */
static void wait_until(struct federation *federation, uint64_t when_ms)
    REQUIRES(federation_lock);

UNCHECKED static void wait_until(
    struct federation *federation, uint64_t when_ms)
{
	struct timespec when = {.tv_sec = (time_t)(when_ms / 1000),
	    .tv_nsec = (long)(when_ms % 1000) * 1000000};

	(void)pthread_cond_timedwait(
	    &federation->cond, &federation->mutex, &when);
}

static void *run(void *arg)
{
	struct federation *federation = arg;

	federation_enter(federation);
	while (!atomic_load(&federation->stop)) {
		struct err err = ERR_INIT;
		int code;

		if (clock_now_ms(federation->clock) <
		    federation->times.next_ms) {
			wait_until(federation, federation->times.next_ms);
			continue;
		}
		federation_leave(federation);
		code = federation_ask(federation, &err);
		/* Without memory the next answer is told. */
		(void)!tell(federation, code, &err);
		federation_enter(federation);
	}
	federation_leave(federation);
	return NULL;
}

/* Why the first question has brought no servers; 0: it has, or was not
 * asked. */
static int first_failure(struct federation *federation, struct err *why)
{
	const struct federation_step *step;
	int code = 0;

	federation_enter(federation);
	step = federation->director.code < 0 ? &federation->director
	                                     : &federation->documents;
	if (federation->servers == NULL && step->code < 0)
		code = err_set(why, step->code, "%s", step->why);
	federation_leave(federation);
	return code;
}

int federation_start(
    struct federation *federation, struct fetch *fetch, struct err *err)
{
	sigset_t all;
	sigset_t before;
	struct err why = ERR_INIT;
	int code;

	federation->fetch = fetch;
	if (tell(federation, first_failure(federation, &why), &why) < 0)
		return err_set(err, -ENOMEM, "federation: out of memory");
	/* Signals are the main thread's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&federation->thread, NULL, run, federation);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != 0)
		return err_set(
		    err, -code, "federation thread: %s", err_message(code));
	federation->started = true;
	return 0;
}

void federation_stop(struct federation *federation)
{
	if (federation == NULL || !federation->started)
		return;
	federation_enter(federation);
	atomic_store(&federation->stop, true);
	(void)pthread_cond_signal(&federation->cond);
	federation_leave(federation);
	(void)pthread_join(federation->thread, NULL);
	federation->started = false;
}

void federation_free(struct federation *federation)
{
	if (federation == NULL)
		return;
	federation_stop(federation);
	if (federation->has_document)
		pelican_federation_fini(&federation->document);
	if (federation->has_facts)
		pelican_facts_fini(&federation->facts);
	free(federation->servers);
	free(federation->ca_file);
	free(federation->ca_dir);
	(void)pthread_cond_destroy(&federation->cond);
	(void)pthread_mutex_destroy(&federation->mutex);
	free(federation);
}
