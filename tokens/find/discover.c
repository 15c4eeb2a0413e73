/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/discover.c - the search; see discover.h. */
#include "tokens/find/discover.h"

#include "tokens/find/file.h"
#include "tokens/find/places.h"
#include "tokens/find/source.h"

#include <errno.h>
#include <stdlib.h>

struct discover {
	struct places places;
	struct file_look look; /* one buffer for all, wiped after each use */
};

void discover_free(struct discover *discover)
{
	if (discover == NULL)
		return;
	places_fini(&discover->places);
	free(discover);
}

int discover_new(struct discover **out, const struct tokens_config *config,
    const struct discover_caller *caller, struct err *err)
{
	struct discover *discover = calloc(1, sizeof(*discover));
	int code;

	if (discover == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	code = places_init(&discover->places, config, caller, err);
	if (code < 0) {
		discover_free(discover);
		return code;
	}
	*out = discover;
	return 0;
}

/* Where the search stands. */
struct search {
	/* Whose tokens are good now, and the tokens. */
	unsigned good_count;
	struct source *good[FINDING_TOKENS_MAX];
	struct token *tokens[FINDING_TOKENS_MAX];
	/* As long as there is none: the best that is not good now. */
	struct source *best;
	struct token *token;
	enum token_phase phase;
	struct err *problem; /* the first one worth telling */
};

/* Consider one source; true when its token is good now. */
static bool consider(
    struct search *search, struct source *source, uint64_t now_s)
{
	struct token *token = token_source_best(source, now_s);
	struct err problem;
	enum token_phase phase;

	token_source_judge(source, token, now_s, &problem);
	if (search->problem->code == 0 && problem.code != 0 &&
	    (token != NULL || !token_source_is_absent(&problem)))
		*search->problem = problem;
	if (token == NULL)
		return false;
	phase = token_phase_at(token, now_s);
	if (phase == TOKEN_GOOD) {
		search->good[search->good_count] = source;
		search->tokens[search->good_count++] = token;
		return true;
	}
	if (search->best == NULL ||
	    (search->phase == TOKEN_ENDED && phase == TOKEN_EARLY)) {
		search->best = source;
		search->token = token;
		search->phase = phase;
	}
	return false;
}

static bool look_at(
    struct discover *discover, struct source *source, struct search *search)
{
	token_source_look(source, &discover->look, &discover->places.rules);
	return consider(search, source, discover->look.now_s);
}

/* Until one has a good token. */
static void search_fixed(struct discover *discover, struct search *search)
{
	const struct places *places = &discover->places;

	for (unsigned i = 0; i < places->fixed_count; i++) {
		if (look_at(discover, places->sources[i], search))
			return;
	}
}

/* All good ones: which of them is for a path is not known here. */
static void search_condor(struct discover *discover, struct search *search)
{
	struct places *places = &discover->places;

	places_list_condor(places);
	for (unsigned i = places->fixed_count;
	     i < places->count && search->good_count < FINDING_TOKENS_MAX; i++)
		(void)look_at(discover, places->sources[i], search);
}

/* The agent costs its issuer a question. When the token that is to be used
 * was the agent's and has ended, what is wrong with the agent is what
 * matters. */
static void search_agent(struct discover *discover, struct search *search)
{
	struct source *source = discover->places.agent;
	uint64_t now_s = discover->look.now_s;
	struct token *token;

	if (source == NULL || look_at(discover, source, search))
		return;
	/* Of tokens that have all ended, the one that was in use last. */
	token = token_source_best(source, now_s);
	if (source->chosen && token != NULL) {
		search->best = source;
		search->token = token;
		search->phase = token_phase_at(token, now_s);
	}
	if (search->best == source && source->problem.code != 0)
		*search->problem = source->problem;
}

static void search_all(struct discover *discover, struct search *search)
{
	search_fixed(discover, search);
	if (search->good_count > 0)
		return;
	search_condor(discover, search);
	if (search->good_count == 0)
		search_agent(discover, search);
	if (search->problem->code == 0)
		*search->problem = discover->places.condor_problem;
}

/* Its token that is in the finding; NULL: none. */
static struct token *token_of(
    const struct search *search, const struct source *source)
{
	for (unsigned i = 0; i < search->good_count; i++) {
		if (search->good[i] == source)
			return search->tokens[i];
	}
	return search->good_count == 0 && source == search->best ? search->token
	                                                         : NULL;
}

static void choose(struct source *source, const struct search *search)
{
	token_source_choose(source, token_of(search, source));
}

static void report(const struct search *search, struct finding *out)
{
	for (unsigned i = 0; i < search->good_count; i++)
		finding_add(out, token_get(search->tokens[i]));
	if (search->good_count == 0 && search->best != NULL)
		finding_add(out, token_get(search->token));
}

void discover_look(
    struct discover *discover, bool force, uint64_t now_s, struct finding *out)
{
	struct places *places = &discover->places;
	struct search search = {.problem = &out->problem};

	*out = (struct finding){.count = 0, .problem = places->problem};
	discover->look.now_s = now_s;
	discover->look.force = force;
	search_all(discover, &search);
	report(&search, out);
	for (unsigned i = 0; i < places->count; i++)
		choose(places->sources[i], &search);
	if (places->agent != NULL)
		choose(places->agent, &search);
	if (out->count == 0)
		places_tell_none(places, &out->problem);
}
