/* SPDX-License-Identifier: Apache-2.0 */
/* cli/door.c - see door.h. */
#include "cli/door.h"

#include "tokens/tokens.h"

#include <errno.h>
#include <stdlib.h>

static enum tokens_right right_of(enum cache_want want)
{
	switch (want) {
	case CACHE_BYTES:
		return TOKENS_READ;
	case CACHE_LIST:
		return TOKENS_LIST;
	case CACHE_LOOK:
	default:
		return TOKENS_LOOK;
	}
}

int door_may(void *arg, const struct ident *ident, const char *path,
    enum cache_want want, bool *ask)
{
	const struct door *door = arg;

	return tokens_door(door->tokens, ident, path, right_of(want), ask);
}

int door_ended(void *arg, const struct ident *ident, const char *path,
    enum cache_want want, bool *ask)
{
	const struct door *door = arg;

	return tokens_door_ended(
	    door->tokens, ident, path, right_of(want), door->grace_s, ask);
}

struct await {
	void (*answer)(void *arg, int code);
	void *arg;
};

static void await_token(
    void *arg, int code, struct token *token, const struct err *err)
{
	struct await *await = arg;

	(void)err;
	token_put(token);
	await->answer(await->arg, code);
	free(await);
}

void door_await(void *arg, const struct ident *ident, const char *path,
    uint64_t deadline_ms, void (*answer)(void *answer_arg, int code),
    void *answer_arg)
{
	const struct door *door = arg;
	const struct tokens_query query = {.ident = ident,
	    .path = path,
	    .right = TOKENS_READ,
	    .deadline_ms = deadline_ms};
	struct await *await = malloc(sizeof(*await));

	if (await == NULL) {
		answer(answer_arg, -ENOMEM);
		return;
	}
	*await = (struct await){.answer = answer, .arg = answer_arg};
	tokens_want(door->tokens, &query, await_token, await);
}

unsigned door_reach(void *arg, const struct ident *ident, const char *path,
    void (*name)(void *name_arg, const char *name), void *name_arg)
{
	const struct door *door = arg;

	return tokens_reach(door->tokens, ident, path, name, name_arg);
}

void door_refused(void *arg, const struct ident *ident, const char *path,
    enum cache_want want, int code)
{
	const struct door *door = arg;

	tokens_refused(door->tokens, ident, path, right_of(want), code);
}
