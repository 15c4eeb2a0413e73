/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/refuse.c - what programs were refused: kept, told to the log, and
 * shown.
 */
#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
#include "tokens/store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The state that gave `code` has changed since. */
static void explain_past(int code, struct err *why)
{
	static const char again[] = "try again";

	switch (-code) {
	case ENOKEY:
		(void)err_set(why, code,
		    "no token had been found; there is one now: %s", again);
		return;
	case EKEYEXPIRED:
		(void)err_set(why, code,
		    "the token had ended and no newer one came in time; there "
		    "is one now: %s",
		    again);
		return;
	case EKEYREJECTED:
		(void)err_set(why, code,
		    "a server refused a token that is in use no more; %s",
		    again);
		return;
	default:
		(void)err_set(why, code,
		    "a server refused a request without a token, or with one "
		    "that is in use no more; name the host that it redirects "
		    "to in redirect_hosts, or %s",
		    again);
		return;
	}
}

/* Whether the log is to be told: what is for want of a token once for all
 * paths, and again when the want has another reason. */
static bool note(
    struct tokens *tokens, const struct tokens_refusal *what, uint64_t *untold)
{
	int code = what->why.code;
	bool wants_token = code == -ENOKEY || code == -EKEYEXPIRED;
	bool told;

	token_store_enter(tokens);
	refusals_keep(&tokens->refusals, what, tokens->shared,
	    clock_wall_s(tokens->clock));
	told = refusals_tell(&tokens->refusals, what->uid,
	    wants_token ? what->why.text : what->path, code,
	    clock_now_ms(tokens->clock), untold);
	token_store_leave(tokens);
	return told;
}

void tokens_refused(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, int code)
{
	struct tokens_refusal what = {
	    .uid = ident->uid, .pid = ident->pid, .right = right, .path = path};
	char who[48] = "";
	uint64_t untold = 0;

	if (tokens_may(tokens, ident, path, right, &what.why) != code &&
	    !door_gave(tokens, ident, path, right, code, &what.why))
		explain_past(code, &what.why);
	if (!note(tokens, &what, &untold))
		return;
	if (tokens->shared)
		(void)snprintf(who, sizeof(who), "uid=%u pid=%d ",
		    (unsigned)ident->uid, (int)ident->pid);
	log_line(LOG_LEVEL_WARN, LOG_TOKENS, "refused",
	    "%spath=%s errno=%s untold=%" PRIu64 " why=%s", who, LOG_TEXT(path),
	    err_name(code), untold, LOG_TEXT(what.why.text));
}

/* The array, its paths behind it. */
static struct tokens_refusal *copy(
    const struct tokens_refusal *const *found, unsigned count)
{
	size_t array_bytes = count * sizeof(struct tokens_refusal);
	size_t path_bytes = 0;
	struct tokens_refusal *out;
	char *at;

	for (unsigned i = 0; i < count; i++)
		path_bytes += strlen(found[i]->path) + 1;
	out = count > 0 ? malloc(array_bytes + path_bytes) : NULL;
	if (out == NULL)
		return NULL;
	at = (char *)out + array_bytes;
	for (unsigned i = 0; i < count; i++) {
		size_t size_bytes = strlen(found[i]->path) + 1;

		out[i] = *found[i];
		memcpy(at, found[i]->path, size_bytes);
		out[i].path = at;
		at += size_bytes;
	}
	return out;
}

struct tokens_refusal *tokens_refusals(
    struct tokens *tokens, const uid_t *uid, const char *path, unsigned *count)
{
	const struct tokens_refusal *found[REFUSALS_KEPT];
	struct tokens_refusal *out;

	token_store_enter(tokens);
	*count = refusals_of(&tokens->refusals, uid == NULL,
	    uid != NULL ? *uid : 0, path, found);
	out = copy(found, *count);
	token_store_leave(tokens);
	if (out == NULL)
		*count = 0;
	return out;
}
