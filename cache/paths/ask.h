/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/ask.h - a question about a path: answered from what is fresh when
 * the door is open, else asked of the server, one request in flight for a
 * path however many want to know.
 *
 * Where a server refuses a directory that lies above what the token may
 * read, the directory is made up of the names that the token's scopes lead
 * to (reach.c). In a shared cache it is made anew for each asker and never
 * remembered.
 *
 * Threads: any. No lock is held while an answer is given.
 */
#ifndef CACHE_PATHS_ASK_H
#define CACHE_PATHS_ASK_H

#include "base/ident.h"
#include "base/list.h"
#include "cache/cache.h"
#include "cache/paths/meta.h"

#include <stdbool.h>

struct cache;
struct cache_listing;
struct listing_times;

enum ask_kind { ASK_LOOKUP, ASK_OPEN, ASK_FACTS, ASK_LIST };

/** Who wants to know. */
struct ask_to {
	enum ask_kind kind;
	union {
		cache_attr_fn lookup;
		cache_open_fn open;
		cache_facts_fn facts;
		cache_listing_fn list;
	} answer;
	void *arg;
};

/** What they want of the path. */
static inline enum cache_want ask_want(enum ask_kind kind)
{
	return kind == ASK_LIST ? CACHE_LIST : CACHE_LOOK;
}

/** Ask; answered exactly once. */
void ask(struct cache *cache, const struct ident *ident, const char *path,
    const struct ask_to *to);

/** Answer one who asked: with an errno (of -ENOENT `attr` tells how long it
 *  is believed), or with attributes. */
void ask_answer_code(
    const struct ask_to *to, int code, const struct meta_attr *attr);
void ask_answer_attr(struct cache *cache, const struct ident *ident,
    const char *path, const struct ask_to *to, const struct meta_attr *attr);

/** open.c, facts.c: answer with the attributes of a path. */
void open_answer(struct cache *cache, const struct ident *ident,
    const char *path, const struct ask_to *to, const struct meta_attr *attr);
void facts_answer(struct cache *cache, const char *path,
    const struct ask_to *to, const struct meta_attr *attr);

/** reach.c: whether the token leads to something below a path (the
 *  server's), its attributes, and a listing of it (NULL: nothing, or out of
 *  memory). */
bool reach_any(const struct cache *cache, const struct ident *ident,
    const char *server_path);
struct meta_attr reach_attr(void);
struct cache_listing *reach_listing(
    struct cache *cache, const struct ident *ident, const char *server_path);

/** Answer one asker with a directory made up of their token's scopes, which
 *  nobody else is shown. @return false: not above their reach. */
bool reach_answer(struct cache *cache, const struct ident *ident,
    const char *path, const char *server_path, const struct ask_to *to);

/** listing.c's times of what was asked then. */
struct listing_times ask_listing_times(
    const struct cache *cache, const struct meta_look *look);

#endif
