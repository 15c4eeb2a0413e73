/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/source.c - see source.h. */
#include "tokens/find/source.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "tokens/find/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct source *token_source_new(const char *name, bool is_file)
{
	struct source *source = calloc(1, sizeof(*source));

	if (source == NULL)
		return NULL;
	source->is_file = is_file;
	source->name = strdup(name);
	if (source->name == NULL) {
		free(source);
		return NULL;
	}
	return source;
}

struct source *token_source_agent(struct agent *agent, const char *audience)
{
	struct source *source = token_source_new(agent_name(agent), false);

	if (source == NULL) {
		agent_free(agent);
		return NULL;
	}
	source->agent = agent;
	if (audience == NULL)
		return source;
	source->audience = strdup(audience);
	if (source->audience == NULL) {
		token_source_free(source);
		return NULL;
	}
	return source;
}

void token_source_free(struct source *source)
{
	if (source == NULL)
		return;
	agent_free(source->agent);
	free(source->audience);
	token_put(source->latest);
	token_put(source->good);
	free(source->name);
	free(source);
}

/* The token in use stays itself while its text does, so that what servers
 * said of it is not forgotten. */
static void take_token(struct source *source, struct token *token)
{
	if (source->good != NULL &&
	    secret_equal(source->good->text, token->text)) {
		token_put(token);
		token = token_get(source->good);
	}
	if (token->source == NULL &&
	    token_set_source(token, source->name) < 0) {
		(void)err_set(&source->problem, -ENOMEM, "out of memory");
		token_put(token);
		return;
	}
	token_put(source->latest);
	source->latest = token;
}

static void take_text(struct source *source, const struct file_look *look)
{
	struct token *token = NULL;
	int code =
	    token_read(&token, look->bytes, look->size_bytes, &source->problem);

	if (code == -ENODATA) {
		(void)err_set(
		    &source->problem, code, "'%s' is empty", source->name);
		return;
	}
	if (code < 0) {
		/* What is wrong comes from a table of ours, without a byte of
		 * the text. */
		struct err what = source->problem;

		(void)err_set(&source->problem, code,
		    "'%s': %s; write the token there again", source->name,
		    what.text);
		return;
	}
	source->problem.code = 0;
	take_token(source, token);
}

/* Its account may have become known by asking. */
static void follow_name(struct source *source)
{
	const char *name = agent_name(source->agent);
	char *copy;

	if (strcmp(name, source->name) == 0)
		return;
	copy = strdup(name);
	if (copy == NULL)
		return;
	free(source->name);
	source->name = copy;
}

/* What it has in the place of a file's text. */
static void ask_agent(struct source *source, bool force)
{
	const struct agent_want want = {.audience = source->audience,
	    .force = force,
	    .wait_ms = AGENT_LOOK_MS};
	struct token *token = NULL;

	(void)!agent_ask(source->agent, &want, &token, &source->problem);
	follow_name(source);
	if (token != NULL)
		take_token(source, token);
}

void token_source_look(struct source *source, struct file_look *look,
    const struct file_rules *rules)
{
	int code;

	if (source->agent != NULL)
		ask_agent(source, look->force);
	if (!source->is_file)
		return;
	look->stamp = source->stamp;
	code = token_file_look(look, source->name, rules, &source->problem);
	if (code < 0) {
		source->stamp.settled = false;
		return;
	}
	source->stamp = look->stamp;
	if (!look->unchanged)
		take_text(source, look);
	secret_wipe(look->bytes, look->size_bytes);
}

struct token *token_source_best(const struct source *source, uint64_t now_s)
{
	bool fresh = source->problem.code == 0 && source->latest != NULL;

	if (fresh && token_phase_at(source->latest, now_s) == TOKEN_GOOD)
		return source->latest;
	if (source->good != NULL &&
	    (!fresh || token_phase_at(source->good, now_s) == TOKEN_GOOD))
		return source->good;
	/* What an agent gives that has ended is told as its trouble, too. */
	return fresh || source->agent != NULL ? source->latest : NULL;
}

bool token_source_is_absent(const struct err *problem)
{
	return problem->code == -ENOENT || problem->code == -ENODATA;
}

const char *token_source_stamp(
    char out[CLOCK_STAMP_BYTES], const struct token *token)
{
	if (token->claims.expires_s == UINT64_MAX)
		return "unknown";
	clock_stamp(out, token->claims.expires_s);
	return out;
}

/* One line when a kind of trouble begins. */
static void tell(struct source *source, const struct token *token,
    uint64_t now_s, const struct err *problem)
{
	bool serves =
	    token != NULL && token_phase_at(token, now_s) == TOKEN_GOOD;
	char stamp[CLOCK_STAMP_BYTES];

	if (problem->code == source->told)
		return;
	source->told = problem->code;
	if (problem->code == 0 || (token_source_is_absent(problem) && !serves))
		return;
	if (serves && problem->code == -EBADMSG)
		log_line(LOG_LEVEL_WARN, LOG_TOKENS, "token looks cut short",
		    "source=%s why=%s", LOG_TEXT(source->name),
		    LOG_TEXT(problem->text));
	else if (serves)
		log_line(LOG_LEVEL_WARN, LOG_TOKENS,
		    "token source unusable, its last token serves",
		    "source=%s why=%s until=%s", LOG_TEXT(source->name),
		    LOG_TEXT(problem->text), token_source_stamp(stamp, token));
	else
		log_line(LOG_LEVEL_WARN, LOG_TOKENS, "token passed over",
		    "source=%s why=%s", LOG_TEXT(source->name),
		    LOG_TEXT(problem->text));
}

/* That a token is not good now, or does not look whole. */
static void judge_phase(const struct source *source, const struct token *token,
    uint64_t now_s, struct err *out)
{
	char stamp[CLOCK_STAMP_BYTES];

	switch (token_phase_at(token, now_s)) {
	case TOKEN_ENDED:
		clock_stamp(stamp, token->claims.expires_s);
		(void)err_set(out, -EKEYEXPIRED,
		    "the token in '%s' ended at %s; get a new one, for "
		    "instance with htgettoken or oidc-token",
		    source->name, stamp);
		break;
	case TOKEN_EARLY:
		clock_stamp(stamp, token_begins_s(token));
		(void)err_set(out, -EKEYREJECTED,
		    "the token in '%s' is not valid before %s; check the "
		    "clock of this machine",
		    source->name, stamp);
		break;
	case TOKEN_GOOD:
	default:
		if (token->is_cut)
			(void)err_set(out, -EBADMSG,
			    "the token in '%s' begins as a JWT and is none: "
			    "it looks cut short or garbled; write it there "
			    "again",
			    source->name);
		break;
	}
}

void token_source_judge(struct source *source, const struct token *token,
    uint64_t now_s, struct err *out)
{
	*out = source->problem;
	if (out->code == 0 && token != NULL)
		judge_phase(source, token, now_s, out);
	tell(source, token, now_s, out);
}

void token_source_choose(struct source *source, struct token *token)
{
	source->chosen = token != NULL;
	if (source->good == token)
		return;
	token_put(source->good);
	source->good = token != NULL ? token_get(token) : NULL;
}
