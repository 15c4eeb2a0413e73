/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/prefetch/impl.h - one conversation: what serve.c (its thread,
 * its socket) and job.c (what is asked of the cache) share.
 *
 * Threads: a session belongs to its thread. Answers of the cache come on any:
 * they fill in what stands under the mutex, and wake the thread.
 */
#ifndef CLI_PREFETCH_IMPL_H
#define CLI_PREFETCH_IMPL_H

#include "base/buf.h"
#include "base/ident.h"
#include "cache/cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/prefetch/serve.h"

struct session;

enum {
	/* On their way at once; what else is to be kept waits. */
	PREFETCH_FLYING_BYTES = 3 * CACHE_PREFETCH_BYTES,
	/* Of answers that the client has not taken: then listings wait. */
	PREFETCH_OUT_BYTES = 64 * 1024,
	PREFETCH_YOUNG_TRIES_MAX = 3,
};

enum job_kind { JOB_NONE, JOB_LOOK, JOB_LIST, JOB_KEEP };

struct job {
	struct session *session;
	enum job_kind kind;
	uint64_t number;
	char *path;
	/* Under the mutex: */
	unsigned asked; /* questions to the cache without an answer */
	int code;       /* the first failure */
	struct cache_attr attr;
	struct cache_listing *listing;
	struct cache_file *file;
	uint64_t done_bytes;
	uint64_t brought_bytes;
	/* The thread's own: */
	size_t next_entry;
	uint64_t next_bytes;
	uint64_t told_bytes;
	unsigned young_tries;
	uint64_t again_ms; /* a young file is opened anew then; 0: not */
};

struct session {
	const struct describe *mount;
	struct ident ident;
	int fd;
	int wake_fd;
	pthread_t thread;
	atomic_bool ended;  /* the thread has */
	atomic_bool ending; /* the mount does */
	bool gone;          /* the client is */
	struct buf in;
	struct buf out;
	size_t sent_bytes;
	pthread_mutex_t mutex;
	uint64_t flying_bytes; /* under the mutex */
	unsigned job_count;
	struct job jobs[PREFETCH_JOBS_MAX];
};

/** Begin what a line asks for. @retval 0, or -EPROTO: it is none. */
int job_begin(struct session *session, const char *line);

/** Go on with one as far as can be gone. */
void job_go_on(struct job *job, uint64_t now_ms);

/** The same of one that keeps a file (keep.c). */
void job_keep_on(struct job *job, uint64_t now_ms);

/** Put its question to the cache, from the beginning. */
void job_ask(struct job *job);

/** Under the mutex: an answer of the cache has been filled in. Leaves it. */
void job_answered(struct job *job);

/** Tell that it failed, and why; end it. */
void job_fail(struct job *job);

/** It is over: its place is free. */
void job_end(struct job *job);

/** Under the mutex: the first failure counts. */
static inline void job_note_code(struct job *job, int code)
{
	if (job->code == 0)
		job->code = code;
}

static inline void session_enter(struct session *session)
{
	(void)pthread_mutex_lock(&session->mutex);
}

static inline void session_leave(struct session *session)
{
	(void)pthread_mutex_unlock(&session->mutex);
}

/** Bytes of answers that the client has not taken. */
static inline size_t session_out_bytes(const struct session *session)
{
	return session->out.size_bytes - session->sent_bytes;
}

#endif
