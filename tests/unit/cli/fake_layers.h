/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cli/fake_layers.h - what the answers of the control socket ask
 * the layers for, stood in for by functions of fake_layers.c (-Wl,--wrap).
 */
#ifndef TESTS_UNIT_CLI_FAKE_LAYERS_H
#define TESTS_UNIT_CLI_FAKE_LAYERS_H

#include "base/ident.h"
#include "cache/cache.h"
#include "fetch/fetch.h"
#include "tokens/tokens.h"

#include <stdbool.h>
#include <stdint.h>

enum { FAKE_TGID = 4711 }; /* what tokens_identify() finds */

struct fake {
	unsigned stops;     /* of fs_stop() */
	uint64_t silent_ms; /* of fetch_silent_ms() */
	struct ident shown; /* of the last tokens_describe*() */

	const struct tokens_refusal *refusals; /* of tokens_refusals(), whoever
	                                          asks */
	unsigned refusal_count;
	bool asked_all; /* everybody's were asked for */
	uid_t asked_uid;

	tokens_fn wanted; /* who waits in tokens_want() */
	void *wanted_arg;
	unsigned want_count;
	struct ident want_ident;
	bool want_at_once; /* it is answered before it returns */

	char explained[8192]; /* paths that tokens_explain() was asked for */
	const char *refuses;  /* the path that it refuses; NULL: none */
	bool leads;           /* of tokens_reach() */

	const char *said_path; /* of which fetch_said() knows something */
	struct fetch_said said;
	struct fetch_said cache_said; /* by the second cache; at_s 0: none */
	uid_t said_uid;               /* who was asked for last */

	cache_known_fn knows; /* who waits in cache_known() */
	void *knows_arg;
	char known_path[256];
	unsigned known_count;
};

extern struct fake fake;

void fake_reset(void);

/** Answer who waits for a token: there is none. */
void fake_answer_want(void);

/** Answer who waits for what is known: a directory. */
void fake_answer_known(void);

#endif
