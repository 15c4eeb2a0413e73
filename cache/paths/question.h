/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/question.h - questions on their way to the server: one for a path
 * and a user, however many want to know.
 *
 * In a shared cache one for a path and a caller, which other processes of their
 * user may join for whom the door is open already. Each of them goes through
 * the door once more before they are answered, and none is told of a trouble
 * with another's token: they ask with their own.
 *
 * A refusal above a token's reach becomes a made-up directory here (reach.c).
 *
 * Threads: any; the questions in flight are under meta_lock.
 */
#ifndef CACHE_PATHS_QUESTION_H
#define CACHE_PATHS_QUESTION_H

#include "base/ident.h"
#include "base/list.h"
#include "cache/paths/ask.h"

#include <stdint.h>

struct cache;

/* One who waits. */
struct asker {
	struct list place; /* question.askers */
	struct cache *cache;
	struct ident ident;
	bool proven; /* the door was open: another's question will do */
	bool alone;  /* one that asks with this very token will do only */
	bool looked; /* by questions_serve() */
	struct ask_to to;
	char path[];
};

/**
 * List a directory ahead of who will: nobody waits for it yet. Nothing is
 * asked when a listing is known or on its way. One of more than so many
 * entries is given up, unless somebody has come to wait for it.
 *
 * @param lend  its files are being looked up: what is known must answer for
 *              them, and what comes is lent (meta.h).
 */
enum question_lend {
	LEND_NOTHING,
	LEND_FILES,
	LEND_ABSENCES, /* as well: files are being made in it */
};

void question_list_ahead(struct cache *cache, const struct ident *ident,
    const char *path, uint32_t entries_max, enum question_lend lend);

/** Join the question in flight, or send a new one. Takes the asker over. */
void question_ask(struct asker *asker);

/** No server can be reached: answer those who wait from what is known, however
 *  old. */
void questions_serve(struct cache *cache);

/** ask.c: the same for one; else they wait on. */
void ask_offline(struct asker *asker);

/** ask.c: answer one with an errno (as ask_answer_code()) and free them. */
void ask_refuse(struct asker *asker, int code, const struct meta_attr *attr);

/** ask.c: begin again, and do not join the question of anybody else. */
void ask_again(struct asker *asker);

#endif
