/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/clerk.c - asking for a token and answering: at once where that is
 * possible, else by the thread that answers, in time even while the reader
 * hangs. What is answered is decided under the lock, and told without it.
 */
#include "base/clock.h"
#include "base/ident.h"
#include "tokens/door/skew.h"
#include "tokens/store/narrow.h"
#include "tokens/store/pick.h"
#include "tokens/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Answers that are decided at a time: which of several tokens goes with each
 * takes a while, and everybody waits for the lock. */
enum { TURN_MAX = 64 };

/* One of the same user's that has a good token; NULL: none has. */
static const struct purse *good_of(struct tokens *tokens,
    const struct purse *asking, uint64_t now_s) REQUIRES(tokens_lock);
static const struct purse *good_of(
    struct tokens *tokens, const struct purse *asking, uint64_t now_s)
{
	const struct purse *best = NULL;

	for (const struct purse *purse = token_store_purses(tokens);
	     purse != NULL; purse = purse->next) {
		if (purse->owner.uid == asking->owner.uid &&
		    purse_code(purse, now_s) == 0 &&
		    (best == NULL || purse->used_ms > best->used_ms))
			best = purse;
	}
	return best;
}

/* Decide what one who asks is told, from what the purse has now. */
static void decide(struct tokens *tokens, const struct purse *purse,
    const char *path, struct store_query *query) REQUIRES(tokens_lock);
static void decide(struct tokens *tokens, const struct purse *purse,
    const char *path, struct store_query *query)
{
	uint64_t now_s = clock_wall_s(tokens->clock);

	if (tokens->stopping) {
		query->code = err_set(
		    &query->why, -ECANCELED, "the mount is being closed");
		return;
	}
	query->code = purse_code(purse, now_s);
	if (query->code < 0 && purse->narrow != NULL) {
		/* None with the scope: what its user has will do. */
		purse = token_store_purse(tokens, NULL, query->right);
		query->code = purse_code(purse, now_s);
	}
	if (query->code < 0 && purse->owner.tgid == IDENT_OF_USER) {
		/* What one of their processes has is theirs as well. */
		const struct purse *other = good_of(tokens, purse, now_s);

		purse = other != NULL ? other : purse;
		query->code = purse_code(purse, now_s);
	}
	if (query->code == 0)
		query->token =
		    token_get(pick(tokens, &purse->now, path, query->right));
	else
		purse_explain(&purse->now, query->code, now_s, &query->why);
	skew_add(tokens, &query->why);
}

/* Take those out of one purse's queue who are to be answered now: all when
 * the store stops, but no more than there is `room`. `wake_ms` is lowered to
 * when time alone ends a wait. */
static void take_over(struct tokens *tokens, struct purse *purse,
    struct store_query **over, unsigned *room, uint64_t *wake_ms)
    REQUIRES(tokens_lock);
static void take_over(struct tokens *tokens, struct purse *purse,
    struct store_query **over, unsigned *room, uint64_t *wake_ms)
{
	uint64_t now_ms = clock_now_ms(tokens->clock);
	uint64_t now_s = clock_wall_s(tokens->clock);
	struct store_query **link = &purse->queries;

	while (*link != NULL && *room > 0) {
		struct store_query *query = *link;
		struct wait_view view =
		    purse_view(purse, query->wait.refused_id, now_s);
		uint64_t mine_ms = token_wait_wake_ms(&query->wait, now_ms);

		if (tokens->stopping ||
		    token_wait_over(&query->wait, &view, now_ms)) {
			*link = query->next;
			decide(tokens, purse, query->path, query);
			query->next = *over;
			*over = query;
			tokens->query_count--;
			--*room;
			continue;
		}
		if (mine_ms < *wake_ms)
			*wake_ms = mine_ms;
		link = &query->next;
	}
}

static struct store_query *take_all_over(
    struct tokens *tokens, uint64_t *wake_ms) REQUIRES(tokens_lock);
static struct store_query *take_all_over(
    struct tokens *tokens, uint64_t *wake_ms)
{
	struct store_query *over = NULL;
	unsigned room = TURN_MAX;

	*wake_ms = UINT64_MAX;
	for (struct purse *purse = token_store_purses(tokens);
	     purse != NULL && room > 0; purse = purse->next)
		take_over(tokens, purse, &over, &room, wake_ms);
	for (struct purse *purse = narrow_first(tokens);
	     purse != NULL && room > 0; purse = purse->next)
		take_over(tokens, purse, &over, &room, wake_ms);
	return over;
}

static void answer_all(struct store_query *over)
{
	while (over != NULL) {
		struct store_query *query = over;

		over = query->next;
		query->answer(
		    query->arg, query->code, query->token, &query->why);
		free(query);
	}
}

void *token_store_clerk_main(void *arg)
{
	struct tokens *tokens = arg;

	token_store_enter(tokens);
	for (;;) {
		uint64_t wake_ms;
		struct store_query *over = take_all_over(tokens, &wake_ms);

		if (over != NULL) {
			token_store_leave(tokens);
			answer_all(over);
			token_store_enter(tokens);
		} else if (tokens->stopping) {
			break;
		} else {
			token_store_sleep(
			    tokens, &tokens->clerk_wakes, wake_ms);
		}
	}
	token_store_leave(tokens);
	return NULL;
}

/* As many wait as may: of all, or of this user where many share the mount. To
 * count theirs takes time, so that only a crowd is counted. */
static bool is_crowded(const struct tokens *tokens, const struct purse *purse)
    REQUIRES(tokens_lock);
static bool is_crowded(const struct tokens *tokens, const struct purse *purse)
{
	if (tokens->purses == NULL ||
	    tokens->query_count < STORE_USER_QUERIES_MAX)
		return tokens->query_count >= STORE_QUERIES_MAX;
	return tokens->query_count >= STORE_QUERIES_MAX ||
	    purses_waiting(tokens->purses, purse->owner.uid) >=
	    STORE_USER_QUERIES_MAX;
}

/* Queue one whose wait is not over; false when they are to be answered with
 * what there is. */
static bool enqueue(struct tokens *tokens, struct purse *purse,
    const char *path, const struct store_query *asked) REQUIRES(tokens_lock);
static bool enqueue(struct tokens *tokens, struct purse *purse,
    const char *path, const struct store_query *asked)
{
	struct wait_view view = purse_view(
	    purse, asked->wait.refused_id, clock_wall_s(tokens->clock));
	size_t path_bytes = strlen(path) + 1;
	struct store_query *query;

	if (token_wait_over(&asked->wait, &view, asked->wait.asked_ms) ||
	    is_crowded(tokens, purse))
		return false;
	query = malloc(sizeof(*query) + path_bytes);
	if (query == NULL)
		return false;
	*query = *asked;
	memcpy(query->path, path, path_bytes);
	query->next = purse->queries;
	purse->queries = query;
	tokens->query_count++;
	if (purse->narrow != NULL)
		narrow_wake(tokens);
	else
		token_store_wake_reader(tokens);
	(void)pthread_cond_signal(&tokens->clerk_wakes);
	return true;
}

/* Ask; true when `asked` has the answer already. */
static bool ask(struct tokens *tokens, const struct tokens_query *query,
    struct store_query *asked)
{
	struct wait_view view;
	struct purse *purse;
	struct purse *narrow;
	bool decided = true;

	token_store_enter(tokens);
	purse = token_store_open_purse(
	    tokens, query->ident, asked->right, &asked->why);
	if (purse == NULL) {
		asked->code = asked->why.code;
		token_store_leave(tokens);
		return true;
	}
	narrow = narrow_open(tokens, purse, query);
	if (narrow == NULL)
		token_store_use(tokens, purse);
	else
		purse = narrow;
	view = purse_view(
	    purse, asked->wait.refused_id, clock_wall_s(tokens->clock));
	token_wait_enqueue(&asked->wait, &view, asked->wait.asked_ms);
	decided =
	    tokens->stopping || !enqueue(tokens, purse, query->path, asked);
	if (decided)
		decide(tokens, purse, query->path, asked);
	token_store_leave(tokens);
	return decided;
}

void tokens_want(struct tokens *tokens, const struct tokens_query *query,
    tokens_fn answer, void *arg)
{
	struct store_query asked = {
	    .wait = {.asked_ms = clock_now_ms(tokens->clock),
	        .deadline_ms = query->deadline_ms,
	        .refused_id = query->refused_id},
	    .answer = answer,
	    .arg = arg,
	    .right = query->right,
	};

	if (ask(tokens, query, &asked))
		answer(arg, asked.code, asked.token, &asked.why);
}
