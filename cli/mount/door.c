/* SPDX-License-Identifier: Apache-2.0 */
/* cli/mount/door.c - see door.h. */
#include "cli/mount/door.h"

#include "cache/spool/spool.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int door_may_change(void *arg, const struct ident *ident, const char *path,
    enum drafts_need need)
{
	const struct door *door = arg;

	if (need == DRAFTS_CREATE_TOLD)
		return !door->tokenless &&
		        tokens_tells_create(door->tokens, ident, path)
		    ? 0
		    : -EACCES;
	return door->tokenless
	    ? 0
	    : tokens_may_change(door->tokens, ident, path,
	          need == DRAFTS_CREATE ? TOKENS_CREATE : TOKENS_MODIFY);
}

static enum spool_from from_of(enum tokens_from from)
{
	switch (from) {
	case TOKENS_FROM_FILE:
		return SPOOL_FROM_FILE;
	case TOKENS_FROM_AGENT:
		return SPOOL_FROM_AGENT;
	case TOKENS_FROM_CONDOR:
		return SPOOL_FROM_CONDOR;
	case TOKENS_FROM_DISCOVERY:
	default:
		return SPOOL_FROM_DISCOVERY;
	}
}

void door_credential(void *arg, const struct ident *ident, const char *path,
    int *from, char name[DRAFTS_CREDENTIAL_BYTES])
{
	const struct door *door = arg;

	name[0] = '\0';
	*from = SPOOL_FROM_DISCOVERY;
	if (door->tokenless)
		return;
	if (door->write_file != NULL &&
	    strlen(door->write_file) < DRAFTS_CREDENTIAL_BYTES) {
		(void)snprintf(
		    name, DRAFTS_CREDENTIAL_BYTES, "%s", door->write_file);
		*from = SPOOL_FROM_FILE;
		return;
	}
	*from = (int)from_of(tokens_write_source(
	    door->tokens, ident, path, name, DRAFTS_CREDENTIAL_BYTES));
}
