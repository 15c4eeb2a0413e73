/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/change.c - what a token allows to change, as far as it tells,
 * and where the one for that comes from. The server judges each change itself,
 * so nothing is granted here.
 */
#include "base/clock.h"
#include "tokens/store/pick.h"
#include "tokens/store/store.h"
#include "tokens/verify/trust.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool covers(const struct tokens *tokens, const struct token *token,
    const char *path, enum tokens_right right)
{
	return reach_of(&tokens->root, token, path, right) == REACH_COVERED;
}

/* What scopes' paths are relative to may be a guess, and then a scope that
 * seems to leave a path out says little. One that covers it for something else
 * was guessed right. */
static int judge_scopes(struct tokens *tokens, struct token *token,
    const char *path, enum tokens_right right) REQUIRES(tokens_lock);
static int judge_scopes(struct tokens *tokens, struct token *token,
    const char *path, enum tokens_right right)
{
	struct err unused = ERR_INIT;

	if (reach_of(&tokens->root, token, path, right) != REACH_NOT)
		return 0;
	if (trust_judge(tokens->trust, token, &unused) == 0 ||
	    covers(tokens, token, path, TOKENS_READ) ||
	    covers(tokens, token, path, TOKENS_CREATE))
		return -EACCES;
	return 0;
}

int tokens_may_change(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right)
{
	const struct purse *purse;
	struct token *token = NULL;
	int code = -ENOKEY;

	token_store_enter(tokens);
	purse = token_store_purse(tokens, ident, right);
	if (purse != NULL)
		token = pick(tokens, &purse->now, path, right);
	if (token != NULL)
		code = token_phase_at(token, clock_wall_s(tokens->clock)) ==
		        TOKEN_GOOD
		    ? judge_scopes(tokens, token, path, right)
		    : -EKEYEXPIRED;
	token_store_leave(tokens);
	return code;
}

bool tokens_tells_create(
    struct tokens *tokens, const struct ident *ident, const char *path)
{
	const struct purse *purse;
	const struct token *token = NULL;
	bool tells;

	token_store_enter(tokens);
	purse = token_store_purse(tokens, ident, TOKENS_CREATE);
	if (purse != NULL)
		token = pick(tokens, &purse->now, path, TOKENS_CREATE);
	tells = token != NULL &&
	    token_phase_at(token, clock_wall_s(tokens->clock)) == TOKEN_GOOD &&
	    covers(tokens, token, path, TOKENS_CREATE);
	token_store_leave(tokens);
	return tells;
}

static bool ends_with(const char *text, const char *end)
{
	size_t text_bytes = strlen(text);
	size_t end_bytes = strlen(end);

	return text_bytes >= end_bytes &&
	    strcmp(text + text_bytes - end_bytes, end) == 0;
}

/* A well-known name, which discovery finds again: ".../bt_u1000". */
static bool is_known(const char *path)
{
	const char *name = strrchr(path, '/');

	return name != NULL && strncmp(name, "/bt_u", 5) == 0 &&
	    name[5] != '\0' && name[5 + strspn(name + 5, "0123456789")] == '\0';
}

/* What kind of place a token's source is (find/places.c); `name` points behind
 * what all of a kind begin with. */
static enum tokens_from from_of(const char *source, const char **name)
{
	static const char agent[] = "agent:";

	*name = source;
	if (strncmp(source, agent, sizeof(agent) - 1) == 0) {
		*name = source + sizeof(agent) - 1;
		return TOKENS_FROM_AGENT;
	}
	if (source[0] != '/' || is_known(source)) {
		*name = "";
		return TOKENS_FROM_DISCOVERY;
	}
	return ends_with(source, ".use") ? TOKENS_FROM_CONDOR
	                                 : TOKENS_FROM_FILE;
}

enum tokens_from tokens_write_source(struct tokens *tokens,
    const struct ident *ident, const char *path, char *name, size_t room_bytes)
{
	enum tokens_from from = TOKENS_FROM_DISCOVERY;
	const struct token *token = NULL;
	const struct purse *purse;
	const char *found = "";

	token_store_enter(tokens);
	purse = token_store_purse(tokens, ident, TOKENS_MODIFY);
	if (purse != NULL)
		token = pick(tokens, &purse->now, path, TOKENS_MODIFY);
	if (token != NULL)
		from = from_of(token_source(token), &found);
	if (strlen(found) >= room_bytes) {
		from = TOKENS_FROM_DISCOVERY;
		found = "";
	}
	(void)snprintf(name, room_bytes, "%s", found);
	token_store_leave(tokens);
	return from;
}
