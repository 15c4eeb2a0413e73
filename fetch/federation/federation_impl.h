/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/federation/federation_impl.h - what the files behind federation.h share:
 * federation.c has its life and thread, federation_ask.c asks,
 * federation_servers.c makes servers of the answers, federation_describe.c
 * shows them.
 *
 * Threads: one asks at a time, the main thread or, once started, the
 * federation's own; what others see is guarded.
 */
#ifndef FETCH_FEDERATION_FEDERATION_IMPL_H
#define FETCH_FEDERATION_FEDERATION_IMPL_H

#include "base/attr.h"
#include "base/err.h"
#include "base/sync.h"
#include "fetch/document.h"
#include "fetch/federation.h"
#include "fetch/federation/federation_times.h"
#include "fetch/fetch.h"
#include "fetch/pelican.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** A question, and how it went last. */
struct federation_step {
	char url[FETCH_URL_BYTES_MAX]; /* that was asked; "": not yet */
	uint64_t at_s;                 /* seconds since 1970 */
	int code;
	int status; /* HTTP; 0: no answer came, or it was not looked at */
	char why[ERR_TEXT_BYTES]; /* of a code that is not 0 */
};

struct federation {
	const struct clock *clock;
	struct fetch_source source;
	char *ca_file;
	char *ca_dir;
	struct fetch_document_config ask;
	atomic_bool stop;

	/* Of who asks. */
	struct pelican_federation document;
	struct fetch *fetch; /* NULL: not started */
	pthread_t thread;
	bool has_document;
	bool started;

	pthread_mutex_t mutex;
	pthread_cond_t cond;
	struct federation_times times GUARDED_BY(federation_lock);
	struct federation_step documents GUARDED_BY(federation_lock);
	struct federation_step director GUARDED_BY(federation_lock);
	/* Changed by who asks, under the lock; read by it without. */
	struct pelican_facts facts;
	bool has_facts;
	struct fetch_servers *servers; /* NULL: not known */
};

void federation_enter(struct federation *federation) ACQUIRES(federation_lock);
void federation_leave(struct federation *federation) RELEASES(federation_lock);

/**
 * The servers that two answers name. Caches are those that are told, without
 * the origin. The origin is the first of `origins` that has the path under
 * its own name; where the director names none (a namespace may forbid to ask
 * it), the host for listings, then the best cache.
 *
 * @param origins  NULL: no origin is told.
 * @retval 0        done.
 * @retval -ENOENT  nobody can be asked; with a sentence.
 * @retval -ENOMEM
 */
NODISCARD int federation_servers_of(struct fetch_servers *out, const char *path,
    const struct pelican_facts *caches, const struct pelican_facts *origins,
    struct err *err);

#endif
