/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/agent_answer.c - see agent_answer.h. */
#include "tokens/find/agent_answer.h"

#include "base/secret.h"
#include "tokens/claims/json.h"
#include "tokens/claims/token.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* As long a word may be a token, or a piece of one. */
enum { WORD_BYTES_MAX = 24 };

static bool is_visible(char c)
{
	return c > 0x20 && c < 0x7f;
}

bool agent_account_is_issuer(const char *account)
{
	return strncmp(account, "https://", 8) == 0;
}

/* A short name as oidc-agent makes file names of it. */
static bool is_short_name(const char *name)
{
	size_t n = 0;

	while (is_visible(name[n]) && strchr("\"'\\/", name[n]) == NULL)
		n++;
	return n > 0 && name[n] == '\0' && n < AGENT_ACCOUNT_BYTES;
}

bool agent_account_ok(const char *account)
{
	size_t n = 0;

	if (!agent_account_is_issuer(account))
		return is_short_name(account);
	while (is_visible(account[n]))
		n++;
	return account[n] == '\0' && n < AGENT_ACCOUNT_BYTES;
}

/* What it said, for a sentence: one line, cut, without what may be a token. */
static void quote(char out[AGENT_SAID_BYTES], const char *said)
{
	size_t used = 0;

	while (*said != '\0' && used < AGENT_SAID_BYTES - WORD_BYTES_MAX - 4) {
		size_t n = 0;

		while (is_visible(said[n]))
			n++;
		if (n == 0) {
			out[used++] = ' ';
			said++;
			continue;
		}
		if (n <= WORD_BYTES_MAX) {
			memcpy(out + used, said, n);
			used += n;
		} else {
			memcpy(out + used, "...", 3);
			used += 3;
		}
		said += n;
	}
	out[used] = '\0';
}

static bool says(const char *text, const char *what)
{
	return strcasestr(text, what) != NULL;
}

static int missing(const char *account, struct err *err)
{
	return agent_account_is_issuer(account)
	    ? err_set(err, -ENOKEY,
	          "the token agent has no account of issuer '%s' loaded; run: "
	          "oidc-add NAME",
	          account)
	    : err_set(err, -ENOKEY,
	          "the token agent has no account '%s' loaded; run: oidc-add "
	          "%s",
	          account, account);
}

/* A failure that it tells. */
static int fail(const char *text, const char *account, struct err *err)
{
	char said[AGENT_SAID_BYTES];

	if (says(text, "agent locked"))
		return err_set(err, -EBUSY,
		    "the token agent is locked, and account '%s' with it; "
		    "run: oidc-add --unlock",
		    account);
	if (says(text, "no account") || says(text, "not loaded"))
		return missing(account, err);
	quote(said, text);
	if (says(text, "invalid_grant"))
		return err_set(err, -EKEYREVOKED,
		    "the issuer does not renew account '%s' of the token "
		    "agent any more (%s); run: oidc-gen --reauthenticate %s",
		    account, said, account);
	return err_set(err, -EREMOTEIO,
	    "the token agent got no token for account '%s' (%s); see what "
	    "this says: oidc-token %s",
	    account, said, account);
}

static int nonsense(const char *account, const char *what, struct err *err)
{
	return err_set(err, -EPROTO,
	    "the token agent answers %s for account '%s'; start oidc-agent "
	    "again and run: oidc-add %s",
	    what, account, account);
}

/* Parse, and tell success from failure. */
static int open_answer(cJSON **out, const char *text, size_t size_bytes,
    const char *account, struct err *err)
{
	const cJSON *status = NULL;
	const cJSON *error = NULL;
	int code = token_json_parse_large(out, text, size_bytes, size_bytes);

	if (code == -ENOMEM)
		return err_set(err, code, "out of memory");
	if (code < 0)
		return nonsense(account, "with garbled JSON", err);
	if (token_json_member(&status, *out, "status") < 0 ||
	    token_json_member(&error, *out, "error") < 0)
		return nonsense(account, "with a name twice", err);
	if (cJSON_IsString(error))
		return fail(error->valuestring, account, err);
	if (!cJSON_IsString(status) ||
	    strcmp(status->valuestring, "success") != 0)
		return nonsense(account, "neither success nor failure", err);
	return 0;
}

/* The object keeps a copy of the token. */
static int close_answer(cJSON *object, int code)
{
	for (cJSON *at = object != NULL ? object->child : NULL; at != NULL;
	     at = at->next) {
		if (cJSON_IsString(at))
			secret_wipe(at->valuestring, strlen(at->valuestring));
	}
	cJSON_Delete(object);
	return code;
}

static int read_end(uint64_t *out, const cJSON *object)
{
	const cJSON *item = NULL;

	*out = UINT64_MAX;
	if (token_json_member(&item, object, "expires_at") < 0)
		return -EINVAL;
	if (item == NULL || cJSON_IsNull(item))
		return 0;
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) ||
	    !isfinite(item->valuedouble))
		return -EINVAL;
	/* Zero is what an agent says that does not know. */
	if (item->valuedouble >= (double)JWT_TIME_MAX_S)
		*out = JWT_TIME_MAX_S;
	else if (item->valuedouble >= 1)
		*out = (uint64_t)item->valuedouble;
	return 0;
}

static int take_token(struct token **out, const cJSON *object,
    const char *account, struct err *err)
{
	const cJSON *item = NULL;
	uint64_t end_s;
	int code;

	if (token_json_member(&item, object, "access_token") < 0 ||
	    !cJSON_IsString(item) || item->valuestring[0] == '{')
		return nonsense(account, "without one access_token", err);
	if (read_end(&end_s, object) < 0)
		return nonsense(account, "with an expires_at of no time", err);
	code =
	    token_read(out, item->valuestring, strlen(item->valuestring), err);
	if (code == -ENOMEM)
		return err_set(err, code, "out of memory");
	if (code < 0)
		return nonsense(account, "with what is no bearer token", err);
	/* A token's own word counts; ours is not shared with anybody yet. */
	if ((*out)->claims.expires_s == UINT64_MAX)
		(*out)->claims.expires_s = end_s;
	return 0;
}

int agent_answer_token(struct token **out, const char *text, size_t size_bytes,
    const char *account, struct err *err)
{
	cJSON *object = NULL;
	int code;

	*out = NULL;
	code = open_answer(&object, text, size_bytes, account, err);
	if (code == 0)
		code = take_token(out, object, account, err);
	return close_answer(object, code);
}

static int several(const cJSON *list, struct err *err)
{
	char names[AGENT_SAID_BYTES] = "";
	size_t used = 0;

	for (const cJSON *at = list->child; at != NULL; at = at->next) {
		const char *name = at->valuestring;
		int n;

		if (!cJSON_IsString(at) || !is_short_name(name) ||
		    used + strlen(name) + 8 > sizeof(names))
			continue;
		n = snprintf(names + used, sizeof(names) - used, "%s%s",
		    used > 0 ? ", " : "", name);
		used += (size_t)n;
	}
	return err_set(err, -ENOKEY,
	    "the token agent has several accounts loaded (%s); name one with "
	    "-o account=NAME",
	    names);
}

static int take_account(
    char out[AGENT_ACCOUNT_BYTES], const cJSON *object, struct err *err)
{
	const cJSON *list = NULL;

	if (token_json_member(&list, object, "info") < 0 ||
	    !cJSON_IsArray(list))
		return nonsense("NAME", "with no list of accounts", err);
	if (list->child == NULL)
		return err_set(err, -ENOKEY,
		    "the token agent has no account loaded; run: oidc-add "
		    "NAME");
	if (list->child->next != NULL)
		return several(list, err);
	if (!cJSON_IsString(list->child) ||
	    !is_short_name(list->child->valuestring))
		return nonsense("NAME", "with an account of no name", err);
	(void)snprintf(
	    out, AGENT_ACCOUNT_BYTES, "%s", list->child->valuestring);
	return 0;
}

int agent_answer_account(char out[AGENT_ACCOUNT_BYTES], const char *text,
    size_t size_bytes, struct err *err)
{
	cJSON *object = NULL;
	int code = open_answer(&object, text, size_bytes, "NAME", err);

	if (code == 0)
		code = take_account(out, object, err);
	return close_answer(object, code);
}
