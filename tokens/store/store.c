/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/store/store.c - see store.h: the state that reader and clerk share, and
 * whose purse is whose. */
#include "tokens/store/store.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>

enum { SLEEP_MAX_MS = 3600 * 1000 };

void token_store_enter(struct tokens *tokens) UNCHECKED
{
	(void)pthread_mutex_lock(&tokens->mutex);
}

void token_store_leave(struct tokens *tokens) UNCHECKED
{
	(void)pthread_mutex_unlock(&tokens->mutex);
}

void token_store_sleep(
    struct tokens *tokens, pthread_cond_t *condition, uint64_t wake_ms)
{
	uint64_t now_ms = clock_now_ms(tokens->clock);
	struct timespec until;

	if (wake_ms == UINT64_MAX) {
		(void)pthread_cond_wait(condition, &tokens->mutex);
		return;
	}
	if (wake_ms <= now_ms)
		return;
	if (wake_ms - now_ms > SLEEP_MAX_MS)
		wake_ms = now_ms + SLEEP_MAX_MS;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)((wake_ms - now_ms) / 1000);
	until.tv_nsec += (long)((wake_ms - now_ms) % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_clockwait(
	    condition, &tokens->mutex, CLOCK_MONOTONIC, &until);
}

void token_store_wake_reader(struct tokens *tokens)
{
	(void)pthread_cond_signal(&tokens->reader_wakes);
	if (tokens->wake_fd >= 0)
		(void)eventfd_write(tokens->wake_fd, 1);
}

void token_store_wake(struct tokens *tokens)
{
	token_store_enter(tokens);
	token_store_wake_reader(tokens);
	(void)pthread_cond_signal(&tokens->clerk_wakes);
	token_store_leave(tokens);
}

/* Whose purse. */

void tokens_identify(const struct tokens *tokens, struct ident *ident)
{
	struct caller caller;

	ident->tgid = 0;
	if (!tokens->shared || caller_of(&caller, ident) < 0)
		return;
	ident->tgid = caller.tgid;
	ident->start_time_ticks = caller.start_ticks;
	ident->env_start = caller.env_start;
}

static struct caller owner_of(const struct ident *ident)
{
	return (struct caller){.tgid = ident->tgid,
	    .start_ticks = ident->start_time_ticks,
	    .env_start = ident->env_start,
	    .uid = ident->uid,
	    .gid = ident->gid};
}

struct proof_key token_store_key(const struct tokens *tokens,
    const struct token *token, const char *path, enum tokens_right right)
{
	if (right == TOKENS_LIST && !tokens->shared)
		right = TOKENS_LOOK;
	return (struct proof_key){
	    .token_id = token->id, .right = right, .path = path};
}

struct purse *token_store_purses(struct tokens *tokens)
{
	return tokens->purses != NULL ? purses_first(tokens->purses)
	                              : tokens->own;
}

/* That of a mount of one user. */
static struct purse *own_purse(struct tokens *tokens, enum tokens_right right)
    REQUIRES(tokens_lock);
static struct purse *own_purse(struct tokens *tokens, enum tokens_right right)
{
	bool writes = right == TOKENS_CREATE || right == TOKENS_MODIFY;

	return writes && tokens->writing != NULL ? tokens->writing
	                                         : tokens->own;
}

struct purse *token_store_purse(
    struct tokens *tokens, const struct ident *ident, enum tokens_right right)
{
	struct caller owner;

	if (tokens->purses == NULL)
		return own_purse(tokens, right);
	if (ident == NULL || ident->tgid == 0)
		return NULL;
	owner = owner_of(ident);
	return purses_find(tokens->purses, &owner);
}

struct purse *token_store_open_purse(struct tokens *tokens,
    const struct ident *ident, enum tokens_right right, struct err *why)
{
	struct purse *purse = NULL;
	struct caller owner;

	if (tokens->purses == NULL)
		return own_purse(tokens, right);
	if (ident == NULL) {
		(void)err_set(why, -ENOKEY, "no process is known to ask");
		return NULL;
	}
	if (ident->tgid == 0) {
		(void)caller_explain(
		    why, ident->pid > 0 ? -ESRCH : -ENXIO, ident);
		why->code = -ENOKEY; /* what that means for who asks */
		return NULL;
	}
	owner = owner_of(ident);
	purse =
	    purses_make(tokens->purses, &owner, clock_now_ms(tokens->clock));
	if (purse == NULL)
		(void)err_set(why, -ENOKEY,
		    "the token of process %d of user %u is not looked for: "
		    "there is no memory, or %d processes wait for theirs; try "
		    "again",
		    (int)ident->tgid, (unsigned)ident->uid, PURSES_MAX);
	return purse;
}

void token_store_use(struct tokens *tokens, struct purse *purse)
{
	uint64_t now_ms = clock_now_ms(tokens->clock);
	struct wait_view view =
	    purse_view(purse, 0, clock_wall_s(tokens->clock));

	purse->used_ms = now_ms;
	if (purse->nudged || purse->looking ||
	    now_ms < token_wait_look_due_ms(&view))
		return;
	purse->nudged = true;
	token_store_wake_reader(tokens);
}

void token_store_copy(
    struct tokens *tokens, const struct ident *ident, struct finding *out)
{
	const struct purse *purse;

	*out = (struct finding){.count = 0};
	token_store_enter(tokens);
	purse = token_store_purse(tokens, ident, TOKENS_READ);
	if (purse != NULL)
		finding_copy(out, &purse->now);
	token_store_leave(tokens);
}
