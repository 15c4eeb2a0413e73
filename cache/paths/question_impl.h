/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/question_impl.h - a question in flight, as question.c, which
 * asks, and question_answer.c, which is answered, share it.
 */
#ifndef CACHE_PATHS_QUESTION_IMPL_H
#define CACHE_PATHS_QUESTION_IMPL_H

#include "base/attr.h"
#include "base/ident.h"
#include "base/list.h"
#include "base/path.h"
#include "cache/paths/meta.h"
#include "cache/paths/question.h"
#include "fetch/fetch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
struct cache_listing;

/* One question in flight. */
struct question {
	struct list place; /* meta.questions */
	struct cache *cache;
	struct ident ident; /* whose token asks */
	bool list;
	struct list askers;
	unsigned refs; /* whoever sends it, and the answer; under meta_lock */

	/* Of one that is asked ahead. */
	bool ahead;
	atomic_bool wanted;   /* somebody has come to wait for it */
	uint64_t number;      /* for fetch_hurry(); 0 until known */
	uint32_t entries_max; /* more of them are not worth it */
	bool given_up;
	enum question_lend lend;

	bool outdated; /* by what was changed here meanwhile: what it brings is
	                  not remembered; under meta_lock */

	struct meta_look look;
	struct cache_listing *listing; /* being filled */
	char server_path[PATH_BYTES_MAX];
	char path[];
};

/** Release a reference; the last one frees. */
void question_put(struct question *question);

/** Take the next one out; NULL: none. */
static inline struct asker *question_next_asker(struct list *askers)
{
	struct list *item = list_pop(askers);

	return item == NULL ? NULL : CONTAINER_OF(item, struct asker, place);
}

/** Fetch's answers; `arg` is the question. They release its reference. */
void question_stat_answered(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err);
void question_list_done(void *arg, int code, const struct err *err);

/** As of struct fetch_lister. */
int question_list_entry(
    void *arg, const char *name, const struct fetch_stat *stat);
void question_list_restart(void *arg);

#endif
