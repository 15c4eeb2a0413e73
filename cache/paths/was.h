/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/was.h - versions that were written here, and go on being known as
 * the version that they became then, as long as the server tells the same of
 * them.
 *
 * Of the others (a server whose times have steps of a second, and whose ETag is
 * made of them) nobody can say what a later look has found: another's file of
 * the same size, put there in the same second, looks the same. They are not in
 * here: they are that version as long as they are believed, and a new one
 * afterwards. What is remembered is bounded; one that is forgotten gets
 * another number, which costs its reader a request.
 *
 * Threads: any; suspect_lock inside (of which there is one here and one in
 * suspect.c, never taken together).
 */
#ifndef CACHE_PATHS_WAS_H
#define CACHE_PATHS_WAS_H

#include "base/attr.h"
#include "base/sync.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fetch_version;
struct meta_attr;
struct suspects;

enum {
	WRITTEN_SETS = 32 * 1024,
	WRITTEN_WAYS = 4, /* 4 MiB, once something was written */
};

struct written_file {
	uint64_t key; /* of its path and what the server tells; 0: none */
	uint64_t number;
	uint64_t was;
	uint64_t nonce;
};

struct written {
	pthread_mutex_t mutex;
	atomic_bool any;
	struct written_file *files GUARDED_BY(suspect_lock); /* or NULL */
};

void written_init(struct written *written);
void written_fini(struct written *written);

/** A directory, for was_key(). */
uint64_t was_place(const char *path);

/** A name in a directory, and a whole path. */
uint64_t was_key(uint64_t place, const char *name);
uint64_t was_key_of(const char *path);

/** Remember a version. Without memory it is not. */
void was_add(
    struct written *written, uint64_t key, const struct meta_attr *attr);

/** The same version under another path. */
void was_move(struct written *written, uint64_t from, uint64_t to,
    const struct fetch_version *version);

/** What a look has found: the version that it went on as, if it is one. */
void was_apply(struct written *written, struct suspects *suspects, uint64_t key,
    struct meta_attr *attr);

#endif
