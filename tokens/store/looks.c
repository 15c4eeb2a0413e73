/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/looks.c - the thread that has callers looked at, on a mount of many
 * users: it never looks itself, so nothing that a user named can hold it up.
 */
#include "base/clock.h"
#include "tokens/callers/look.h"
#include "tokens/callers/looker.h"
#include "tokens/store/store.h"
#include "tokens/verify/trust.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	ROUND_MAX = 64, /* looks begun at a time */
	TIDY_MS = 30 * 1000,
	PUT_OFF_MS = 20,
};

/* Looks that are to begin. Their purses stay: a look is under way. */
struct round {
	unsigned count;
	struct purse *purses[ROUND_MAX];
	uint32_t held_s[ROUND_MAX]; /* as looker_ask() takes it */
};

static bool is_active(const struct purse *purse, uint64_t now_ms)
    REQUIRES(tokens_lock);
static bool is_active(const struct purse *purse, uint64_t now_ms)
{
	return purse->queries != NULL || purse->nudged ||
	    now_ms - purse->used_ms < PURSES_ACTIVE_MS;
}

/* Begin what is due; when the next one is (monotonic). */
static uint64_t begin_round(struct tokens *tokens, struct round *round)
    REQUIRES(tokens_lock);
static uint64_t begin_round(struct tokens *tokens, struct round *round)
{
	uint64_t now_ms = clock_now_ms(tokens->clock);
	uint64_t now_s = clock_wall_s(tokens->clock);
	uint64_t next_ms = now_ms + TIDY_MS;

	round->count = 0;
	for (struct purse *purse = purses_first(tokens->purses); purse != NULL;
	     purse = purse->next) {
		bool force;
		uint64_t due_ms;

		if (purse->looking || !is_active(purse, now_ms))
			continue;
		due_ms = purse_look_due_ms(purse, now_ms, now_s, &force);
		if (due_ms < purse->put_off_ms)
			due_ms = purse->put_off_ms;
		if (due_ms > now_ms || round->count == ROUND_MAX) {
			if (due_ms < next_ms)
				next_ms = due_ms;
			continue;
		}
		round->held_s[round->count] = purse_held_s(purse, now_s);
		round->purses[round->count++] = purse;
		purse_look_begins(purse, now_ms);
	}
	return next_ms;
}

/* What is found is of no use: what there was stays. */
static void keep(const struct purse *purse, struct finding *found)
    REQUIRES(tokens_lock);
static void keep(const struct purse *purse, struct finding *found)
{
	struct err problem = found->problem;

	finding_fini(found);
	finding_copy(found, &purse->now);
	found->problem = problem;
}

static void admit(struct tokens *tokens, const struct purse *purse,
    struct finding *found) REQUIRES(tokens_lock);
static void admit(
    struct tokens *tokens, const struct purse *purse, struct finding *found)
{
	if (purses_admit(tokens->purses, purse->owner.uid, found))
		return;
	(void)look_explain(&found->problem, -EFBIG, &purse->owner);
	keep(purse, found);
}

static bool has_good(const struct finding *finding, uint64_t now_s)
{
	for (unsigned i = 0; i < finding->count; i++) {
		if (token_phase_at(finding->tokens[i], now_s) == TOKEN_GOOD)
			return true;
	}
	return false;
}

/* Verify here what is new, so that no request has to wait for that. */
static void judge_new(struct tokens *tokens, uid_t uid, struct finding *found)
{
	struct err unused = ERR_INIT;

	token_store_enter(tokens);
	purses_know_again(tokens->purses, uid, found);
	token_store_leave(tokens);
	for (unsigned i = 0; i < found->count; i++) {
		if (found->tokens[i]->gone == NULL)
			(void)!trust_judge(
			    tokens->trust, found->tokens[i], &unused);
	}
}

/* A look has ended: `found` is taken over. While it brings no good token, those
 * that there were serve until their own end: a file is missing for a moment
 * when it is replaced, and a program that has ended cannot be looked at. */
static void end_look(
    struct tokens *tokens, struct purse *purse, struct finding *found)
{
	struct purse_change change;
	uint64_t now_s = clock_wall_s(tokens->clock);

	judge_new(tokens, purse->owner.uid, found);
	token_store_enter(tokens);
	if (!has_good(found, now_s) &&
	    (found->count == 0 || has_good(&purse->now, now_s)))
		keep(purse, found);
	else
		admit(tokens, purse, found);
	purse_look_ends(purse, found, now_s, &change);
	/* Who is refused for it is told so: tokens_refused(). */
	change.tell_code = change.tell_code && change.code == 0;
	(void)pthread_cond_broadcast(&tokens->changed);
	(void)pthread_cond_signal(&tokens->clerk_wakes);
	token_store_leave(tokens);
	purse_change_tell(&change, now_s);
}

static void fail_look(struct tokens *tokens, struct purse *purse, int code)
{
	struct finding found = {.count = 0};

	(void)look_explain(&found.problem, code, &purse->owner);
	end_look(tokens, purse, &found);
}

/* As many of this user's wait as may, or of all: a little later, behind those
 * of other users. Whoever waits for it is answered in time all the same. */
static void put_off(
    struct tokens *tokens, struct purse *purse, uint64_t until_ms)
{
	token_store_enter(tokens);
	purse_look_put_off(purse, until_ms);
	token_store_leave(tokens);
}

/* Ask for them all; when to begin the next round, at `next_ms` at latest. */
static uint64_t ask_round(
    struct tokens *tokens, const struct round *round, uint64_t next_ms)
{
	uint64_t again_ms = clock_now_ms(tokens->clock) + PUT_OFF_MS;

	for (unsigned i = 0; i < round->count; i++) {
		struct purse *purse = round->purses[i];
		int code =
		    looker_ask(tokens->looker, (uint64_t)(uintptr_t)purse,
		        &purse->owner, round->held_s[i]);

		if (code == -EDQUOT || code == -EAGAIN) {
			put_off(tokens, purse, again_ms);
			if (again_ms < next_ms)
				next_ms = again_ms;
		} else if (code < 0) {
			fail_look(tokens, purse, code);
		}
	}
	return next_ms;
}

static void take_answers(struct tokens *tokens)
{
	struct looker_answer answer;

	while (looker_take(tokens->looker, &answer) == 1) {
		struct purse *purse = (struct purse *)(uintptr_t)answer.number;
		struct finding found = {.count = 0};
		int code = answer.code;

		if (code == 0)
			code = finding_decode(
			    &found, answer.bytes, answer.size_bytes);
		if (code < 0)
			fail_look(tokens, purse, code);
		else
			end_look(tokens, purse, &found);
		looker_answer_fini(&answer);
	}
}

/* Until an answer has come, something is said, or it is time. */
static void await(const struct tokens *tokens, uint64_t until_ms)
{
	struct pollfd polled[2] = {
	    {.fd = looker_fd(tokens->looker), .events = POLLIN},
	    {.fd = tokens->wake_fd, .events = POLLIN}};
	uint64_t now_ms = clock_now_ms(tokens->clock);
	uint64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : 0;
	eventfd_t ignored;

	(void)poll(polled, 2, wait_ms < INT_MAX ? (int)wait_ms : INT_MAX);
	(void)eventfd_read(tokens->wake_fd, &ignored);
}

void *token_store_looks_main(void *arg)
{
	struct tokens *tokens = arg;
	struct round round;

	token_store_enter(tokens);
	while (!tokens->stopping) {
		uint64_t next_ms;

		purses_tidy(tokens->purses, clock_now_ms(tokens->clock));
		next_ms = begin_round(tokens, &round);
		token_store_leave(tokens);
		next_ms = ask_round(tokens, &round, next_ms);
		await(tokens, round.count == ROUND_MAX ? 0 : next_ms);
		take_answers(tokens);
		token_store_enter(tokens);
	}
	tokens->reader_gone = true;
	(void)pthread_cond_broadcast(&tokens->changed);
	token_store_leave(tokens);
	return NULL;
}

/* Making one. */

static int add_table(struct tokens *tokens, struct looker *looker) UNCHECKED
{
	tokens->looker = looker;
	tokens->purses = purses_new();
	tokens->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (tokens->purses == NULL)
		return -ENOMEM;
	return tokens->wake_fd < 0 ? -errno : 0;
}

int token_store_new_shared(struct tokens **out,
    const struct tokens_config *config, struct looker *looker, struct err *err)
{
	struct tokens *tokens = NULL;
	int code = token_store_make(&tokens, config, err);

	if (code < 0) {
		looker_free(looker);
		return code;
	}
	code = add_table(tokens, looker);
	if (code < 0) {
		token_store_destroy(tokens);
		return err_set(
		    err, code, "store for tokens: %s", err_message(code));
	}
	code = token_store_start(tokens, token_store_looks_main, err);
	if (code == 0)
		*out = tokens;
	return code;
}
