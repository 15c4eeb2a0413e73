/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/places.h - the places where a token may be, in the order in
 * which they are looked at (discover.h): files and variables, HTCondor's
 * files behind them, the agent last.
 *
 * What a variable names wrongly is no error: it is told, and the search goes
 * on.
 *
 * Threads: one at a time.
 */
#ifndef TOKENS_PLACES_H
#define TOKENS_PLACES_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/find/condor.h"
#include "tokens/find/discover.h"
#include "tokens/find/file.h"

#include <stdbool.h>

enum {
	PLACES_FIXED_MAX = 4,
	PLACES_MAX = PLACES_FIXED_MAX + CONDOR_FILES_MAX + FINDING_TOKENS_MAX,
};

struct places {
	struct file_rules rules;
	char *forbidden_tree;                 /* for the rules */
	const struct discover_caller *caller; /* NULL: this process */
	bool option_given;
	char *condor_dir;     /* NULL: not in a job */
	unsigned fixed_count; /* the first ones; behind them HTCondor's */
	unsigned count;
	struct source *sources[PLACES_MAX];
	struct source *agent;      /* NULL: none */
	struct err problem;        /* with what variables name; code 0: none */
	struct err condor_problem; /* with listing, the last time */
	int condor_told;           /* its code, when the log heard of it */
};

/** As discover_new(). `out` is released with places_fini(), also after
 *  failure. */
NODISCARD int places_init(struct places *out,
    const struct tokens_config *config, const struct discover_caller *caller,
    struct err *err);

/** The same, with the agent alone, if there is one. */
NODISCARD int places_init_agent(
    struct places *out, const struct tokens_config *config, struct err *err);

void places_fini(struct places *places);

/** A place behind the others, while there is room; NULL when out of memory. */
struct source *places_add(
    struct places *places, const char *name, bool is_file);

/** See which files HTCondor has put there now. Those that are gone go, but
 *  not while their token is in use: they keep their place in the order. */
void places_list_condor(struct places *places);

/** Nothing at all was found: say where it was looked for, and the cure. */
void places_tell_none(const struct places *places, struct err *out);

#endif
