/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/agent.c - see agent.h. */
#include "tokens/find/agent.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/stats.h"
#include "tokens/claims/json.h"
#include "tokens/claims/token.h"
#include "tokens/find/agent_answer.h"
#include "tokens/find/agent_call.h"
#include "tokens/find/agent_kept.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct agent {
	const struct clock *clock;
	struct agent_place place;
	char *socket;
	char *account; /* configured; NULL: the only one */
	char *tree;    /* for place.rules */
	uint32_t held_s;
	bool named; /* the account is known */
	char name[AGENT_NAME_BYTES];
	struct agent_kept kept[AGENT_CACHE_MAX];
	const struct agent_kept
	    *pending;        /* whose answer is waited for; NULL: the
				       list of accounts, if the call is open */
	uint64_t pending_ms; /* since when */
	struct agent_call call;
};

static const char prefix[] = "agent:";

const char *agent_name(const struct agent *agent)
{
	return agent->name;
}

static const char *account_of(const struct agent *agent)
{
	return agent->name + sizeof(prefix) - 1;
}

static void set_account(struct agent *agent, const char *account)
{
	(void)snprintf(agent->name, sizeof(agent->name), "%s%s", prefix,
	    account != NULL ? account : "");
	agent->named = account != NULL;
	agent->place.account = agent->named ? account_of(agent) : "NAME";
}

void agent_free(struct agent *agent)
{
	if (agent == NULL)
		return;
	agent_call_end(&agent->call);
	for (unsigned i = 0; i < AGENT_CACHE_MAX; i++)
		agent_kept_empty(&agent->kept[i]);
	free(agent->socket);
	free(agent->account);
	free(agent->tree);
	free(agent);
}

static int copy(char **out, const char *text)
{
	if (text == NULL)
		return 0;
	*out = strdup(text);
	return *out != NULL ? 0 : -ENOMEM;
}

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

int agent_new(
    struct agent **out, const struct agent_config *config, struct err *err)
{
	AUTO(agent) agent = NULL;

	*out = NULL;
	if (config->socket[0] != '/' ||
	    strlen(config->socket) >= PATH_BYTES_MAX)
		return err_set(err, -EINVAL,
		    "agent: '%.256s' is no absolute path, or too long",
		    config->socket);
	if (config->account != NULL && !agent_account_ok(config->account))
		return err_set(err, -EINVAL,
		    "account: '%.128s' is neither an account's short name nor "
		    "the https:// address of an issuer",
		    config->account);
	token_json_start();
	agent = calloc(1, sizeof(*agent));
	if (agent == NULL)
		return out_of_memory(err);
	agent_call_init(&agent->call);
	if (copy(&agent->socket, config->socket) < 0 ||
	    copy(&agent->account, config->account) < 0 ||
	    copy(&agent->tree, config->rules.forbidden_tree) < 0)
		return out_of_memory(err);
	agent->clock = config->clock;
	agent->held_s = config->held_s;
	agent->place = (struct agent_place){.path = agent->socket,
	    .in_fds = config->in_fds,
	    .rules = config->rules};
	agent->place.rules.forbidden_tree = agent->tree;
	set_account(agent, agent->account);
	*out = STEAL(agent);
	return 0;
}

/* What is kept. */

static bool same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct agent_kept *find(
    struct agent *agent, const struct agent_want *want)
{
	for (unsigned i = 0; i < AGENT_CACHE_MAX; i++) {
		struct agent_kept *kept = &agent->kept[i];

		if (kept->used && same(kept->scope, want->scope) &&
		    same(kept->audience, want->audience))
			return kept;
	}
	return NULL;
}

static void drop(struct agent *agent, struct agent_kept *kept)
{
	if (agent->pending == kept)
		agent_call_end(&agent->call);
	agent_kept_empty(kept);
}

void agent_drop(struct agent *agent, const struct agent_want *want)
{
	struct agent_kept *kept = find(agent, want);

	if (kept != NULL)
		drop(agent, kept);
}

/* A place for a want: a free one, else that of the one that was not wanted
 * for the longest time. */
static struct agent_kept *make_room(
    struct agent *agent, const struct agent_want *want)
{
	struct agent_kept *oldest = &agent->kept[0];

	for (unsigned i = 0; i < AGENT_CACHE_MAX && oldest->used; i++) {
		struct agent_kept *kept = &agent->kept[i];

		if (!kept->used || kept->used_ms < oldest->used_ms)
			oldest = kept;
	}
	drop(agent, oldest);
	if (copy(&oldest->scope, want->scope) < 0 ||
	    copy(&oldest->audience, want->audience) < 0) {
		agent_kept_empty(oldest);
		return NULL;
	}
	oldest->used = true;
	return oldest;
}

static bool is_due(struct agent *agent, struct agent_kept *kept, bool force)
{
	if (agent->pending == kept && agent_call_is_open(&agent->call))
		return true;
	return agent_kept_is_due(kept, force, agent->clock);
}

/* Asking. */

static bool add(cJSON *object, const char *name, const char *text)
{
	return text == NULL ||
	    cJSON_AddStringToObject(object, name, text) != NULL;
}

static int write_question(char out[AGENT_QUESTION_BYTES_MAX],
    const struct agent *agent, const struct agent_kept *kept, uint64_t valid_s,
    struct err *err)
{
	__attribute__((cleanup(token_json_freep))) cJSON *object =
	    cJSON_CreateObject();
	const char *account = account_of(agent);
	bool is_issuer = agent_account_is_issuer(account);

	if (object == NULL || !add(object, "request", "access_token") ||
	    !add(object, is_issuer ? "issuer" : "account", account) ||
	    cJSON_AddNumberToObject(
	        object, "min_valid_period", (double)valid_s) == NULL ||
	    !add(object, "application_hint", "bearerfs") ||
	    !add(object, "scope", kept->scope) ||
	    !add(object, "audience", kept->audience))
		return out_of_memory(err);
	/* It wants five bytes more than it writes. */
	if (!cJSON_PrintPreallocated(
	        object, out, AGENT_QUESTION_BYTES_MAX - 5, 0))
		return err_set(err, -EMSGSIZE,
		    "a scope or audience is too long for the token agent");
	return 0;
}

/* Begin a call, or go on with the one that waits for the same. */
static int call_agent(struct agent *agent, const struct agent_kept *kept,
    const char *question, uint64_t until_ms, struct err *err)
{
	uint64_t now_ms = clock_now_ms(agent->clock);
	int code;

	if (agent_call_is_open(&agent->call) &&
	    (agent->pending != kept ||
	        now_ms - agent->pending_ms > AGENT_PENDING_MS))
		agent_call_end(&agent->call);
	if (!agent_call_is_open(&agent->call)) {
		agent->pending = kept;
		agent->pending_ms = now_ms;
		if (kept != NULL)
			stats_add(STATS_tokens_asked, 1);
	}
	code = agent_call_run(
	    &agent->call, &agent->place, question, until_ms, err);
	if (code < 0 && !agent_call_is_open(&agent->call))
		agent->pending = NULL;
	return code;
}

static int find_account(struct agent *agent, uint64_t until_ms, struct err *err)
{
	char name[AGENT_ACCOUNT_BYTES];
	int code = call_agent(
	    agent, NULL, "{\"request\":\"loaded_accounts\"}", until_ms, err);

	if (code < 0)
		return code;
	code = agent_answer_account(
	    name, agent->call.answer, agent->call.size_bytes, err);
	agent_call_end(&agent->call);
	if (code == 0)
		set_account(agent, name);
	return code;
}

static int ask_token(struct token **out, struct agent *agent,
    const struct agent_kept *kept, bool force, uint64_t until_ms,
    struct err *err)
{
	char question[AGENT_QUESTION_BYTES_MAX];
	int code;

	if (!agent->named) {
		code = find_account(agent, until_ms, err);
		if (code < 0)
			return code;
	}
	code = write_question(question, agent, kept,
	    agent_kept_valid_s(
	        kept, agent->held_s, force, clock_wall_s(agent->clock)),
	    err);
	if (code == 0)
		code = call_agent(agent, kept, question, until_ms, err);
	if (code < 0)
		return code;
	code = agent_answer_token(out, agent->call.answer,
	    agent->call.size_bytes, account_of(agent), err);
	agent_call_end(&agent->call);
	agent->pending = NULL;
	if (code == -ENOKEY && agent->account == NULL)
		set_account(agent, NULL); /* another one may be loaded */
	return code;
}

/* The token in use stays itself while its text does. One that has ended is
 * no news, but better than nothing: it tells that there was one. */
static int take(struct agent *agent, struct agent_kept *kept,
    struct token *token, struct err *err)
{
	uint64_t now_s = clock_wall_s(agent->clock);
	bool ended = token_phase_at(token, now_s) == TOKEN_ENDED;
	char stamp[CLOCK_STAMP_BYTES];

	if (ended) {
		clock_stamp(stamp, token->claims.expires_s);
		(void)err_set(err, -EPROTO,
		    "the token agent gave a token for account '%s' that had "
		    "ended at %s; check the clock of this machine, and run: "
		    "oidc-add %s",
		    account_of(agent), stamp, account_of(agent));
	}
	if ((ended && kept->token != NULL) ||
	    (kept->token != NULL &&
	        secret_equal(kept->token->text, token->text))) {
		token_put(token);
	} else {
		token_put(kept->token);
		kept->token = token;
		kept->took_s = now_s;
	}
	return err->code;
}

int agent_ask(struct agent *agent, const struct agent_want *want,
    struct token **out, struct err *err)
{
	uint64_t until_ms = clock_now_ms(clock_system()) + want->wait_ms;
	struct agent_kept *kept = find(agent, want);
	struct token *token = NULL;
	int code = 0;

	*out = NULL;
	*err = (struct err)ERR_INIT;
	if (kept == NULL)
		kept = make_room(agent, want);
	if (kept == NULL)
		return out_of_memory(err);
	kept->used_ms = clock_now_ms(agent->clock);
	if (is_due(agent, kept, want->force)) {
		struct err problem = ERR_INIT;

		code = ask_token(
		    &token, agent, kept, want->force, until_ms, &problem);
		if (code == 0)
			code = take(agent, kept, token, &problem);
		kept->problem = problem;
		agent_kept_pace(kept, code, agent->clock);
	}
	*err = kept->problem;
	if (kept->token != NULL)
		*out = token_get(kept->token);
	return kept->token != NULL ? 0 : err->code;
}
