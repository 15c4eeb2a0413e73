/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/source.h - one place where a token may be: what it holds now, what
 * it held last, and what is wrong with it.
 *
 * Threads: the store's reader alone.
 */
#ifndef TOKENS_SOURCE_H
#define TOKENS_SOURCE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "tokens/claims/token.h"
#include "tokens/find/file.h"

#include <stdbool.h>
#include <stdint.h>

struct source {
	char *name;   /* absolute path, or the variable's name */
	bool is_file; /* else its token was given once and for all, or: */
	struct agent *agent; /* it is asked, and owned; NULL: none */
	char *audience;      /* it is asked for; NULL: none */
	bool listed;         /* of HTCondor's: its file is there now */
	bool chosen;         /* the token in use came from here */
	int told;            /* what the log was last told of it; 0: nothing */
	struct file_stamp stamp;
	struct token *latest; /* what it held when it was last read */
	struct token *good;   /* the last one in use from here */
	struct err problem;   /* of the last look; code 0: none */
};

/** A source with nothing in it yet; NULL when out of memory. */
struct source *token_source_new(const char *name, bool is_file);

void token_source_free(struct source *source);

/** A source that asks an agent, consumed also on failure, for tokens with
 *  this audience (NULL: any); NULL when out of memory. */
struct source *token_source_agent(struct agent *agent, const char *audience);

/** Look at its file, if it is one, or ask its agent; `look` is a buffer,
 *  wiped afterwards. */
void token_source_look(struct source *source, struct file_look *look,
    const struct file_rules *rules);

/** Its token as things stand, borrowed: what it holds, if that is good now,
 *  else the last one that was in use; NULL: none. */
struct token *token_source_best(const struct source *source, uint64_t now_s);

/** What is wrong with it, `token` being its best: a problem of the file, or
 *  that the token is not good now. Code 0: nothing. One log line when a kind
 *  of trouble begins, not one at each look. */
void token_source_judge(struct source *source, const struct token *token,
    uint64_t now_s, struct err *out);

/** When a token ends, for a log line: a stamp in `out`, or "unknown". */
const char *token_source_stamp(
    char out[CLOCK_STAMP_BYTES], const struct token *token);

/** Whether that is no more than that there is no token there. */
bool token_source_is_absent(const struct err *problem);

/** Note whether `token` (NULL: none) is the one in use: it is then kept
 *  against bad times, and otherwise what was kept is dropped. */
void token_source_choose(struct source *source, struct token *token);

#endif
