/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/publish_impl.h - a file on its way to the server, for publish.c (what
 * is sent), publish_look.c (what is looked at, and what that means) and
 * publish_lost.c (when nobody knows); publish_grown.c has more of it come.
 *
 *   straight        [LOOK, compare] PUT LOOK
 *   by a temporary  PUT LOOK(it) [LOOK, compare] MOVE [LOOK]
 *
 * LOOKs in brackets are left out where the server keeps the condition, or
 * where nothing new can be seen. Larger files have their checksum compared
 * behind the LOOK that follows the PUT. Each step begins in the answer of the
 * one before, on the fetch thread; all carry the same number.
 */
#ifndef FETCH_CHANGES_PUBLISH_IMPL_H
#define FETCH_CHANGES_PUBLISH_IMPL_H

#include "base/ident.h"
#include "base/path.h"
#include "fetch/change.h"
#include "fetch/changes/change_call.h"
#include "fetch/changes/feed.h"
#include "fetch/engine.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
	/* Uploads that were begun anew because an answer was lost. */
	PUBLISH_ROUNDS_MAX = 4,
	/* Up to here a file has a request less for its checksum: its bytes
	 * came over TLS, and its size is compared. */
	PUBLISH_UNSUMMED_BYTES = 1024 * 1024,
	PUBLISH_CLEAN_MS = 10000,
	/* Clocks of servers have seconds, and are not quite ours. */
	PUBLISH_CLOCK_S = 5,
};

struct publish {
	struct post post;
	LIST_ENTRY(publish) grows_link; /* in fetch->growing, while it grows */
	struct fetch *fetch;
	uint64_t number;
	struct ident ident;
	const char *path; /* in the same allocation */
	struct feed *feed;
	enum fetch_condition condition;
	struct fetch_version version;
	int64_t mtime_s;
	fetch_published_fn answer;
	void *arg;

	uint64_t began_s; /* wall clock */
	bool create_only; /* the token cannot replace, nor MOVE */
	bool by_temporary;
	bool temporary_there; /* as far as anybody knows */
	bool temporary_late;  /* it may come yet: nobody saw the PUT's end */
	bool given;           /* the server may have it: not to be ended */
	bool compared;        /* the look has just been taken */
	bool guessed;         /* what stands there is taken for ours */
	bool grows;           /* it was begun before it was whole */
	bool anew;            /* when the temporary name is removed */
	unsigned rounds;
	uint64_t until_ms; /* what is small is sent no more then */
	char if_match[FETCH_ETAG_BYTES];
	char temporary[PATH_BYTES_MAX];
	int code; /* why it fails, in the end */
	struct err err;
	struct err last; /* what happened to a PUT of which nobody knows */
	struct fetch_published out;
};

/* publish.c */

/** The look before was good, or is not needed: send. */
void publish_put(struct publish *publish) REQUIRES(fetch_thread);

/** What was sent stands as it should where it was sent to. */
void publish_sent(struct publish *publish) REQUIRES(fetch_thread);

/** Decide by what steps it goes. */
void publish_choose(struct publish *publish) REQUIRES(fetch_thread);

void publish_done(struct publish *publish) REQUIRES(fetch_thread);

/** It fails: clean up, then answer. `err` may be publish->err. */
void publish_fail(struct publish *publish, int code, const struct err *err)
    REQUIRES(fetch_thread);

/** The name that bytes are sent to. */
const char *publish_target(const struct publish *publish);

/* publish_grown.c */

/** It is sent while it grows, from now on until it is whole or answered. */
void publish_begin_growing(struct publish *publish) REQUIRES(fetch_thread);
void publish_end_growing(struct publish *publish) REQUIRES(fetch_thread);

/* publish_move.c */

/** Give it its name. */
void publish_move(struct publish *publish) REQUIRES(fetch_thread);

/* publish_look.c */

/** Ask for attributes, as a step of this file. */
void publish_look(struct publish *publish, const char *path,
    fetch_stat_fn answer) REQUIRES(fetch_thread);

/** Whether nothing can be made of a look: what it says is said of all. */
bool publish_is_final(int code);

/** What the condition says to what is there; NULL: nothing is.
 *  @return 0, or why it fails, in publish->err. */
NODISCARD int publish_compare(
    struct publish *publish, const struct fetch_stat *stat);

/** This stands where the bytes were sent to: go on, or fail. */
void publish_take_check(struct publish *publish, const struct fetch_stat *stat)
    REQUIRES(fetch_thread);

/** Who is this server? */
void publish_meet(struct publish *publish) REQUIRES(fetch_thread);

/** Look whether the condition holds; then PUT, or MOVE. */
void publish_look_before(struct publish *publish) REQUIRES(fetch_thread);

/** After a PUT: size, checksum. */
void publish_check(struct publish *publish) REQUIRES(fetch_thread);

/** The version of a file that a MOVE may have changed. */
void publish_look_after(struct publish *publish) REQUIRES(fetch_thread);

/* publish_lost.c */

/** Nobody knows whether a PUT was done, that failed with `code`. */
void publish_look_lost(struct publish *publish, int code, const struct err *err)
    REQUIRES(fetch_thread);
/** An answer to a MOVE was lost, that says `code` now. */
void publish_look_moved(struct publish *publish, int code,
    const struct err *err) REQUIRES(fetch_thread);

/** A PUT was refused with `code`: is it for what stands there? */
void publish_look_why(struct publish *publish, int code, const struct err *err)
    REQUIRES(fetch_thread);

/** The server could do nothing with a PUT, and says no reason: is the
 *  directory that it is to be in one? */
void publish_look_parent(struct publish *publish, int code,
    const struct err *err) REQUIRES(fetch_thread);

#endif
