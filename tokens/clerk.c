/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/clerk.c - asking for a token and answering: at once where that is
 * possible, else by the thread that answers, in time even while the reader
 * hangs. No answer is given under the lock.
 */
#include "base/clock.h"
#include "tokens/store.h"

#include <errno.h>
#include <stdlib.h>

/* Take out of the queue who is to be answered now: the whole queue when the
 * store stops. `wake_ms` is set to when time alone ends a wait. */
static struct store_query *take_over(struct tokens *tokens, uint64_t *wake_ms)
    REQUIRES(tokens_lock);
static struct store_query *take_over(struct tokens *tokens, uint64_t *wake_ms)
{
	struct wait_view view = token_store_view(tokens);
	uint64_t now_ms = clock_now_ms(tokens->clock);
	struct store_query *over = NULL;
	struct store_query **link = &tokens->queries;

	*wake_ms = UINT64_MAX;
	while (*link != NULL) {
		struct store_query *query = *link;
		uint64_t mine_ms = token_wait_wake_ms(&query->wait, now_ms);

		if (tokens->stopping ||
		    token_wait_over(&query->wait, &view, now_ms)) {
			*link = query->next;
			query->next = over;
			over = query;
			tokens->query_count--;
			continue;
		}
		if (mine_ms < *wake_ms)
			*wake_ms = mine_ms;
		link = &query->next;
	}
	return over;
}

/* Answer one asker; never under the lock. */
static void give(const struct finding *now, int code, uint64_t now_s,
    tokens_fn answer, void *arg)
{
	struct err why = ERR_INIT;

	if (code == 0) {
		answer(arg, 0, token_get(finding_first(now)), &why);
		return;
	}
	if (code == -ECANCELED)
		(void)err_set(&why, code, "the mount is being closed");
	else
		token_store_explain(now, code, now_s, &why);
	answer(arg, code, NULL, &why);
}

static void answer_all(struct tokens *tokens, struct store_query *over)
    REQUIRES(tokens_lock);
static void answer_all(struct tokens *tokens, struct store_query *over)
{
	struct finding now;
	int code = tokens->stopping ? -ECANCELED : token_store_code(tokens);
	uint64_t now_s = clock_wall_s(tokens->clock);

	finding_copy(&now, &tokens->now);
	token_store_leave(tokens);
	while (over != NULL) {
		struct store_query *query = over;

		over = query->next;
		give(&now, code, now_s, query->answer, query->arg);
		free(query);
	}
	finding_fini(&now);
	token_store_enter(tokens);
}

void *token_store_clerk_main(void *arg)
{
	struct tokens *tokens = arg;

	token_store_enter(tokens);
	for (;;) {
		uint64_t wake_ms;
		struct store_query *over = take_over(tokens, &wake_ms);

		if (over != NULL)
			answer_all(tokens, over);
		else if (tokens->stopping)
			break;
		else
			token_store_sleep(
			    tokens, &tokens->clerk_wakes, wake_ms);
	}
	token_store_leave(tokens);
	return NULL;
}

/* Queue a query whose wait is not over; false when it is to be answered with
 * what there is. */
static bool enqueue(struct tokens *tokens, const struct wait *wait,
    tokens_fn answer, void *arg) REQUIRES(tokens_lock);
static bool enqueue(
    struct tokens *tokens, const struct wait *wait, tokens_fn answer, void *arg)
{
	struct wait_view view = token_store_view(tokens);
	uint64_t now_ms = clock_now_ms(tokens->clock);
	struct store_query *query;

	if (token_wait_over(wait, &view, now_ms) ||
	    tokens->query_count >= STORE_QUERIES_MAX)
		return false;
	query = malloc(sizeof(*query));
	if (query == NULL)
		return false;
	*query = (struct store_query){.next = tokens->queries,
	    .wait = *wait,
	    .answer = answer,
	    .arg = arg};
	tokens->queries = query;
	tokens->query_count++;
	(void)pthread_cond_signal(&tokens->reader_wakes);
	(void)pthread_cond_signal(&tokens->clerk_wakes);
	return true;
}

/* The usual answer, thousands of times a second. */
static void give_token(struct token *token, tokens_fn answer, void *arg)
{
	static const struct err nothing = ERR_INIT;

	answer(arg, 0, token, &nothing);
}

/* Ask: 0 and a reference to a good token; 1 when the query waits; else a
 * negative errno. */
static int ask(struct tokens *tokens, const struct tokens_query *query,
    tokens_fn answer, void *arg, struct token **out)
{
	struct wait wait = {.asked_ms = clock_now_ms(tokens->clock),
	    .deadline_ms = query->deadline_ms,
	    .refused_id = query->refused_id};
	int code = -ECANCELED;

	token_store_enter(tokens);
	if (!tokens->stopping) {
		struct wait_view view = token_store_view(tokens);

		token_wait_enqueue(&wait, &view, wait.asked_ms);
		token_store_nudge(tokens);
		code = enqueue(tokens, &wait, answer, arg) ? 1 : view.code;
	}
	if (code == 0)
		*out = token_get(finding_first(&tokens->now));
	token_store_leave(tokens);
	return code;
}

void tokens_want(struct tokens *tokens, const struct tokens_query *query,
    tokens_fn answer, void *arg)
{
	struct token *token = NULL;
	struct finding now;
	int code = ask(tokens, query, answer, arg, &token);

	if (code == 0)
		give_token(token, answer, arg);
	if (code >= 0)
		return;
	token_store_copy(tokens, &now);
	give(&now, code, clock_wall_s(tokens->clock), answer, arg);
	finding_fini(&now);
}
