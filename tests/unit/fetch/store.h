/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fetch/store.h - a scripted server that keeps a few files, of each
 * its size and sum, and takes changes as XRootD, nginx or Apache do; with
 * faults on request. And the engine asked to change it, synchronously.
 */
#ifndef TESTS_UNIT_FETCH_STORE_H
#define TESTS_UNIT_FETCH_STORE_H

#include "fetch/change.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rig.h"
#include "server.h"

enum { STORE_FILES_MAX = 16, STORE_LOG_BYTES = 4096 };

struct store_file {
	bool there;
	bool directory;
	char path[512];
	uint64_t size;
	uint64_t sum;
	int64_t mtime_s;
	unsigned version; /* its ETag */
};

struct store {
	pthread_mutex_t mutex;
	const char *software; /* Server header */
	bool whole;           /* a cut PUT leaves what was there: no fault of
				 the store uses it otherwise */
	bool conditions;      /* If-Match, If-None-Match honoured */
	bool overwrite;       /* Overwrite: F is */
	struct store_file files[STORE_FILES_MAX];
	unsigned versions;
	char log[STORE_LOG_BYTES]; /* "PUT MOVE(lost) ..." */
	/* Faults: of requests with this method, from the (skip + 1)th on. */
	const char *method;
	unsigned skip;
	unsigned times;
	int status;           /* answered without doing it; 0: none; 417 is
				 said to who expects a 100 */
	bool lost;            /* done, and the connection closed */
	bool dropped;         /* closed without doing it */
	bool mute;            /* not done, and nothing said */
	uint64_t shorter;     /* a PUT keeps so many bytes less */
	const char *redirect; /* Location of a 307 */
	void (*meanwhile)(struct store *store); /* before it is done */
	atomic_uint with_token;
	atomic_uint chunked;
	atomic_uint expected;
	struct server *server;
	struct rig rig;
};

/** XRootD, nginx or Apache, with TLS. @param timeout_ms  0: a minute */
void store_init(struct store *store, const char *software, uint32_t timeout_ms);
void store_fini(struct store *store);

/** Put a file there, as somebody else would. */
void store_put(struct store *store, const char *path, uint64_t size);
void store_remove(struct store *store, const char *path);
void store_mkdir(struct store *store, const char *path);

/** NULL: there is none. */
struct store_file *store_find(struct store *store, const char *path);

/** The number of temporary names. */
unsigned store_temporaries(struct store *store);

/** The bytes of rig_byte(); `fails_at`: reading there gives -EIO. */
struct sent {
	uint64_t size;
	uint64_t fails_at;
	uint64_t cold_at;   /* from here on the disk has to be waited for ... */
	uint64_t warm_at;   /* ... up to there */
	atomic_uint waited; /* reads that might */
	uint64_t cancels_at; /* it is ended when that is read */
	_Atomic uint64_t number;
	struct fetch *fetch;
	atomic_uint released;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	unsigned answers;
	int code;
	struct err err;
	struct fetch_published published;
	char leftover[512];
	char temporary[PATH_BYTES_MAX]; /* as it is asked for */
};

void sent_init(struct sent *sent, uint64_t size);

/** The sum of that many of them, as of a body. */
uint64_t sent_sum(uint64_t size);

/** Begin; wait. */
uint64_t store_begin(struct store *store, struct sent *sent, const char *path,
    enum fetch_condition condition, const struct fetch_version *version);
int sent_wait(struct sent *sent);

/** Both; checks that it was answered and released once. */
int store_publish(struct store *store, struct sent *sent, const char *path,
    enum fetch_condition condition, const struct fetch_version *version);

/** Ask for one of the others: "delete", "mkcol", "rmdir", "move", "move to
 *  none" (do not replace); @return its errno. */
int store_change(
    struct store *store, const char *what, const char *path, const char *to);

#endif
