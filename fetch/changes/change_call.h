/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/change_call.h - one change as one request: PUT, DELETE, MKCOL, MOVE,
 * COPY. What is made of several (change.h) is made of these: change.c,
 * publish.c.
 *
 * The engine repeats a request whose answer was lost. The server may have
 * done already what it was asked for, so the result says whether that can be
 * (`lost`), and a call that is not `repeatable` ends with -EINPROGRESS
 * instead of being sent again: whoever asked looks at the file first.
 *
 * Threads: the fetch thread.
 */
#ifndef FETCH_CHANGES_CHANGE_CALL_H
#define FETCH_CHANGES_CHANGE_CALL_H

#include "base/ident.h"
#include "fetch/calls/call.h"
#include "fetch/calls/request.h"

#include <stdbool.h>
#include <stdint.h>

struct feed;

/** How it ended. */
struct change_result {
	int code; /* -EINPROGRESS: nobody knows, because of `err` */
	const struct err *err; /* borrowed */
	int last;              /* the errno of the last try */
	int status;            /* HTTP of the last answer; 0: none */
	bool lost;  /* an answer was lost: it may have been done before */
	bool as_is; /* of MOVE: answered by a server that moves time and ETag */
};

typedef void (*change_fn)(void *arg, const struct change_result *result);

struct change_ask {
	const struct ident *ident;
	const char *path;
	uint64_t number;      /* for fetch_cancel(); 0: none */
	uint64_t deadline_ms; /* 0: now + timeout */
	enum request_method method;
	bool create_only;     /* a token that may create will do */
	bool directory;       /* the URL ends in a slash */
	bool repeatable;      /* also after an answer that was lost */
	bool patient;         /* 423 is waited for: a lost connection of our
	                         own still holds the file */
	const char *to;       /* of MOVE, COPY: the server's path */
	bool overwrite;       /* of these */
	struct feed *upload;  /* of PUT; a reference is taken */
	bool refusal_likely;  /* of PUT */
	bool if_absent;       /* If-None-Match: * */
	const char *if_match; /* ETag; NULL or "": none */
	int64_t mtime_s;      /* of PUT; -1: not given */
};

/** Begin. May be answered before this returns. */
void change_call_start(struct fetch *fetch, const struct change_ask *ask,
    change_fn answer, void *arg) REQUIRES(fetch_thread);

/* change_lines.c */

enum { CHANGE_DATE_BYTES = 64 };

/** Append the Destination line of a MOVE or COPY.
 *  @retval 0, -ENOMEM, -EMSGSIZE, or -EINVAL with a sentence. */
NODISCARD int change_destination(struct buf *line, const struct fetch *fetch,
    const struct change_ask *ask, struct err *err);

/** The lines that give a file its time, where a server takes them; "" when
 *  there is no such date. */
void change_times(char date[CHANGE_DATE_BYTES], char mtime[CHANGE_DATE_BYTES],
    int64_t mtime_s);

/* change_status.c */

/** Whether an errno is of the token. */
bool change_is_refusal(int code);

/** What the status of an answer means for a change, with its sentence and
 *  cure; pure but for call->err. */
struct verdict change_verdict(
    struct call *call, enum request_method method, bool must_be_absent);

#endif
