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

/* Where the search stands: the first source whose token is good now, else the
 * best that is not, and the first trouble worth telling. */
struct search {
	struct source *best;
	struct token *token;
	enum token_phase phase;
	struct err *problem;
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
	if (search->best == NULL || phase == TOKEN_GOOD ||
	    (search->phase == TOKEN_ENDED && phase == TOKEN_EARLY)) {
		search->best = source;
		search->token = token;
		search->phase = phase;
	}
	return phase == TOKEN_GOOD;
}

static bool look_at(
    struct discover *discover, struct source *source, struct search *search)
{
	token_source_look(source, &discover->look, &discover->places.rules);
	return consider(search, source, discover->look.now_s);
}

/* Look at some of the places, in order; true when the search has ended. */
static bool search_range(struct discover *discover, unsigned from, unsigned to,
    struct search *search)
{
	for (unsigned i = from; i < to; i++) {
		if (look_at(discover, discover->places.sources[i], search))
			return true;
	}
	return false;
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
	struct places *places = &discover->places;

	if (search_range(discover, 0, places->fixed_count, search))
		return;
	places_list_condor(places);
	if (!search_range(discover, places->fixed_count, places->count, search))
		search_agent(discover, search);
	if (search->problem->code == 0)
		*search->problem = places->condor_problem;
}

static void choose(struct source *source, const struct search *search)
{
	token_source_choose(
	    source, source == search->best ? search->token : NULL);
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
	for (unsigned i = 0; i < places->count; i++)
		choose(places->sources[i], &search);
	if (places->agent != NULL)
		choose(places->agent, &search);
	if (search.best == NULL)
		places_tell_none(places, &out->problem);
	else
		finding_add(out, token_get(search.token));
}
