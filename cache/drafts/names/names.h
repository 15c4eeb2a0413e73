/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/names/names.h - changes of names on their way, for the files
 * that make them: names.c (who is next), directory.c (mkdir, rmdir), unlink.c,
 * rename.c (its steps), rename_first.c (what is sent before), rename_there.c
 * (the server), rename_here.c (what follows here).
 *
 * Changes whose paths lie in or above one another are done one after the
 * other, in the order in which they came: a list of all, in which one that is
 * free begins. So no two ever wait for each other, and what one does with
 * drafts is its own affair.
 *
 * A change *seizes* the drafts that it touches: it stands in their queues like
 * a write, so that what was written before it is in the spool, nothing is
 * written meanwhile, and none is being sent (struct work, `changes`). Then the
 * server is asked; then, on work threads, what lies in the spool follows; then
 * it is answered, and lets go of them. What is unsent of them is sent on.
 *
 *   names_new -> names_go -> begin -> [names_seize -> next] -> fetch's answer
 *     -> [names_each_seat -> next] -> names_end
 *
 * Threads: each step runs on whatever thread has brought the last answer; only
 * what touches the spool is left to work threads (names_each_seat()).
 */
#ifndef CACHE_DRAFTS_NAMES_H
#define CACHE_DRAFTS_NAMES_H

#include "cache/drafts/impl.h"

struct names;

/* A draft that it has seized (draft.seized). */
struct seat {
	struct work work;
	struct list in; /* names.seats */
	struct names *names;
	struct draft *draft;
	/* On a work thread; ends with names_came(). */
	void (*step)(struct seat *seat);
	struct past *past; /* room for one, so that nothing fails later */
	char *path;        /* of a rename: room for the new one, for the same */
};

struct names {
	struct list in; /* drafts.names */
	struct drafts *drafts;
	struct ident ident;
	void (*begin)(struct names *names);
	/* When all that is waited for has come. */
	void (*next)(struct names *names);
	void (*kept)(struct names *names); /* keep_base.c */
	const char *keeps;                 /* of the two below */
	unsigned waiting GUARDED_BY(drafts_lock);
	struct list seats; /* changed only while nothing is waited for */
	int code;          /* the first that went wrong */
	draft_fn answer;
	void *arg;
	bool going; /* it has begun */
	/* Of a rename. */
	bool replace;
	enum cache_kind kind; /* of what is moved */
	bool to_exists;       /* as far as the cache knows */
	enum cache_kind to_kind;
	bool to_known; /* its version: */
	struct fetch_version to_version;
	bool to_asked; /* the directory there was to be removed, */
	bool to_empty; /* and it was */
	bool moved;    /* the server has done it */
	char from[PATH_BYTES_MAX];
	char to[PATH_BYTES_MAX]; /* "": there is none */
};

/* ---- names.c ---- */

/* A change of one path, or (`to`) of two; NULL: it has been answered. */
struct names *names_new(struct drafts *drafts, const struct ident *ident,
    const char *from, const char *to, draft_fn answer, void *arg);

/* Have it begin when nothing is in its way. */
void names_go(struct names *names, void (*begin)(struct names *names));

/* It is answered and gone, its drafts are free. */
void names_end(struct names *names, int code);

/* Something that it waits for has come; the last one calls `next`. What went
 * wrong first is its code. */
void names_came(struct names *names, int code);

/* Wait for one more. */
void names_expect(struct names *names) REQUIRES(drafts_lock);

/* Seize those that `wanted` names of all below `path`, and that are not yet;
 * then `next`, with names.code -ENOMEM when it was not possible.
 * @return false: there were none, and `next` will not be called. */
bool names_seize(struct names *names, const char *path,
    bool (*wanted)(const struct names *names, const struct draft *draft),
    void (*next)(struct names *names));

struct seat *names_seat(struct names *names, const struct draft *draft);

/* Have each of its seats do that on a work thread, then `next`, at once when
 * there is none. */
void names_each_seat(struct names *names, void (*step)(struct seat *seat),
    void (*next)(struct names *names));

/* Whether it is not another user's, whose file this one does not see. */
bool names_owns(const struct names *names, const struct draft *draft);

/* Whether no server has it under its path, nor may have. */
bool draft_is_here_alone(const struct draft *draft) REQUIRES(drafts_lock);

/* Its name is another's, or nobody's: it is never sent, and has no path. */
void draft_go(struct draft *draft) REQUIRES(drafts_lock);

/* The next mount does not send it either (a work thread). */
NODISCARD int draft_bury(struct draft *draft, struct err *err);

/* ---- keep_base.c ---- */

enum { KEEP_BASE_BYTES_MAX = 64 * 1024 * 1024 };

/* Before the server loses what stands at `path`: what it has seized there and
 * somebody has open gets those bytes of it that nobody wrote, as far as that
 * goes; then `next`. */
void names_keep_base(
    struct names *names, const char *path, void (*next)(struct names *names));

/* ---- rename_first.c ---- */

/* Whether a draft at or below names.from is moved: another user's that no
 * server has is not. */
bool rename_touches(const struct names *names, const struct draft *draft)
    REQUIRES(drafts_lock);

/* Have sent what has to be, then `next`. */
void rename_send_first(struct names *names, void (*next)(struct names *names));

/* ---- rename_there.c ---- */

/* Have the server move it; then rename_follow(). */
void rename_there(struct names *names);

/* ---- rename_here.c ---- */

/* The server has moved it. */
void rename_follow(struct names *names);

/* No server has what is renamed: it is renamed here. */
void rename_here(struct names *names);

#endif
