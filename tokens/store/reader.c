/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/reader.c - the thread that looks for the tokens of one user: it
 * sleeps until a look is due, looks without the lock, puts what it found in
 * place and wakes the clerk.
 */
#include "base/clock.h"
#include "tokens/store/store.h"

/* The purse whose look is due first, and when (monotonic). */
static struct purse *next_due(
    struct tokens *tokens, uint64_t *due_ms, bool *force) REQUIRES(tokens_lock);
static struct purse *next_due(
    struct tokens *tokens, uint64_t *due_ms, bool *force)
{
	uint64_t now_ms = clock_now_ms(tokens->clock);
	uint64_t now_s = clock_wall_s(tokens->clock);
	struct purse *first = NULL;

	*force = false; /* of nobody, when nothing is due */
	*due_ms = UINT64_MAX;
	*force = false;
	for (struct purse *purse = tokens->own; purse != NULL;
	     purse = purse->next) {
		bool forced;
		uint64_t mine_ms =
		    purse_look_due_ms(purse, now_ms, now_s, &forced);

		if (first != NULL && mine_ms >= *due_ms)
			continue;
		first = purse;
		*due_ms = mine_ms;
		*force = forced;
	}
	return first;
}

static void look_once(struct tokens *tokens, struct purse *purse, bool force)
    REQUIRES(tokens_lock);
static void look_once(struct tokens *tokens, struct purse *purse, bool force)
{
	uint64_t now_s = clock_wall_s(tokens->clock);
	struct finding found;
	struct purse_change change;

	purse_look_begins(purse, clock_now_ms(tokens->clock));
	token_store_leave(tokens);
	purse->source.look(purse->source.arg, force, now_s, &found);
	token_store_enter(tokens);
	if (tokens->abandoned) {
		/* The clock is gone with its owner. */
		finding_fini(&found);
		return;
	}
	purse_look_ends(purse, &found, clock_wall_s(tokens->clock), &change);
	(void)pthread_cond_broadcast(&tokens->changed);
	(void)pthread_cond_signal(&tokens->clerk_wakes);
	token_store_leave(tokens);
	purse_change_tell(&change, now_s);
	token_store_enter(tokens);
}

void *token_store_reader_main(void *arg)
{
	struct tokens *tokens = arg;
	bool abandoned;

	token_store_enter(tokens);
	while (!tokens->stopping) {
		bool force;
		uint64_t due_ms;
		struct purse *purse = next_due(tokens, &due_ms, &force);

		if (due_ms <= clock_now_ms(tokens->clock))
			look_once(tokens, purse, force);
		else
			token_store_sleep(
			    tokens, &tokens->reader_wakes, due_ms);
	}
	abandoned = tokens->abandoned;
	tokens->reader_gone = true;
	(void)pthread_cond_broadcast(&tokens->changed);
	token_store_leave(tokens);
	if (abandoned)
		token_store_destroy(tokens);
	return NULL;
}
