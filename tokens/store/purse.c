/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/store/purse.c - see purse.h. */
#include "tokens/store/purse.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "tokens/find/source.h"
#include "tokens/store/renew.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CLOCK_CHECK_S = 60, /* the wall clock may be set meanwhile */
	NOTHING_TOLD = 1,
};

struct purse *purse_new(void) UNCHECKED
{
	struct purse *purse = calloc(1, sizeof(*purse));

	if (purse == NULL)
		return NULL;
	purse->fresh_ms = WAIT_FRESH_MS;
	purse->stall_ms = WAIT_STALL_MS;
	purse->again_ms = WAIT_AGAIN_MS;
	purse->renew_due_s = UINT64_MAX;
	purse->told_code = NOTHING_TOLD;
	return purse;
}

/* The last one who knows it: there is nobody to lock out. */
void purse_free(struct purse *purse) UNCHECKED
{
	if (purse == NULL)
		return;
	assert(purse->queries == NULL);
	if (purse->source.free != NULL)
		purse->source.free(purse->source.arg);
	finding_fini(&purse->now);
	free(purse);
}

int purse_code(const struct purse *purse, uint64_t now_s)
{
	for (unsigned i = 0; i < purse->now.count; i++) {
		if (token_phase_at(purse->now.tokens[i], now_s) == TOKEN_GOOD)
			return 0;
	}
	return purse->now.count == 0 ? -ENOKEY : -EKEYEXPIRED;
}

static bool holds(const struct finding *finding, uint64_t token_id)
{
	for (unsigned i = 0; i < finding->count; i++) {
		if (finding->tokens[i]->id == token_id)
			return true;
	}
	return false;
}

struct wait_view purse_view(
    const struct purse *purse, uint64_t refused_id, uint64_t now_s)
{
	const struct token *first = finding_first(&purse->now);

	return (struct wait_view){.code = purse_code(purse, now_s),
	    .token_id = holds(&purse->now, refused_id) ? refused_id
	        : first != NULL                        ? first->id
	                                               : 0,
	    .begun = purse->looks_begun,
	    .ended = purse->looks_ended,
	    .begun_ms = purse->look_begun_ms,
	    .fresh_ms = purse->fresh_ms,
	    .stall_ms = purse->stall_ms,
	    .again_ms = purse->again_ms};
}

/* Whether someone needs a look now, or whatever a file's stamp says. */
static bool look_needed(const struct purse *purse, uint64_t now_s, bool *force)
    REQUIRES(tokens_lock);
static bool look_needed(const struct purse *purse, uint64_t now_s, bool *force)
{
	struct wait_view view = purse_view(purse, 0, now_s);
	bool needed = purse->nudged || view.begun == 0;

	for (const struct store_query *query = purse->queries; query != NULL;
	     query = query->next) {
		if (!token_wait_needs_look(&query->wait, &view))
			continue;
		needed = true;
		*force = *force || query->wait.refused_id != 0;
	}
	return needed;
}

uint64_t purse_look_due_ms(
    const struct purse *purse, uint64_t now_ms, uint64_t now_s, bool *force)
{
	struct wait_view view = purse_view(purse, 0, now_s);
	uint64_t due_ms = UINT64_MAX;

	*force = purse->renew_due_s <= now_s;
	if (look_needed(purse, now_s, force) || *force)
		return 0;
	if (purse->queries != NULL && view.code != 0)
		due_ms = token_wait_look_due_ms(&view);
	if (purse->renew_due_s != UINT64_MAX) {
		uint64_t left_s = purse->renew_due_s - now_s;
		uint64_t wake_ms = now_ms +
		    1000 * (left_s < CLOCK_CHECK_S ? left_s : CLOCK_CHECK_S);

		if (wake_ms < due_ms)
			due_ms = wake_ms;
	}
	return due_ms;
}

/* The token that ends first is the one to be renewed. */
static const struct token *first_to_end(const struct finding *finding)
{
	const struct token *first = finding_first(finding);

	for (unsigned i = 1; i < finding->count; i++) {
		if (finding->tokens[i]->claims.expires_s <
		    first->claims.expires_s)
			first = finding->tokens[i];
	}
	return first;
}

uint32_t purse_held_s(const struct purse *purse, uint64_t now_s)
{
	const struct token *token = first_to_end(&purse->now);
	uint64_t left_s;

	if (token == NULL || purse->renew_due_s > now_s ||
	    token->claims.expires_s <= now_s)
		return 0;
	left_s = token->claims.expires_s - now_s;
	return left_s < UINT32_MAX ? (uint32_t)left_s : UINT32_MAX;
}

void purse_look_begins(struct purse *purse, uint64_t now_ms)
{
	purse->looks_begun++;
	purse->look_begun_ms = now_ms;
	purse->nudged = false;
	purse->looking = true;
}

void purse_look_put_off(struct purse *purse, uint64_t until_ms)
{
	purse->looks_begun--;
	purse->nudged = true;
	purse->looking = false;
	purse->put_off_ms = until_ms;
}

static uint64_t renewal_due_s(const struct purse *purse,
    const struct token *token, bool is_new, uint64_t now_s)
    REQUIRES(tokens_lock);
static uint64_t renewal_due_s(const struct purse *purse,
    const struct token *token, bool is_new, uint64_t now_s)
{
	uint64_t due_s = purse->renew_due_s;

	if (token == NULL)
		return UINT64_MAX;
	if (is_new)
		due_s = renew_due_s(token, now_s);
	/* A look at a token that is due already brought this one. */
	return due_s <= now_s ? renew_again_s(token, now_s) : due_s;
}

void purse_look_ends(struct purse *purse, const struct finding *found,
    uint64_t now_s, struct purse_change *change)
{
	const struct token *token = first_to_end(found);
	bool is_new = token != NULL && !holds(&purse->now, token->id);
	bool had = purse->now.count > 0;

	*change =
	    (struct purse_change){.owner = purse->owner, .before = purse->now};
	finding_copy(&change->after, found);
	purse->now = *found;
	purse->renew_due_s = renewal_due_s(purse, token, is_new, now_s);
	if (had && is_new)
		stats_add(STATS_tokens_renewals, 1);
	purse->looking = false;
	purse->looks_ended = purse->looks_begun;
	change->code = purse_code(purse, now_s);
	change->tell_code = change->code != purse->told_code;
	purse->told_code = change->code;
}

/* Whom a line is about: nobody in particular on a mount of one user. */
static void owner_text(char out[64], const struct caller *owner)
{
	out[0] = '\0';
	if (owner->tgid != 0)
		(void)snprintf(out, 64, "uid=%u pid=%d ", (unsigned)owner->uid,
		    (int)owner->tgid);
}

static void tell_good(const struct purse_change *change, const char *owner)
{
	const struct token *old = finding_first(&change->before);
	char stamp[CLOCK_STAMP_BYTES];

	for (unsigned i = 0; i < change->after.count; i++) {
		const struct token *token = change->after.tokens[i];

		if (holds(&change->before, token->id) && !change->tell_code)
			continue;
		log_line(owner[0] == '\0' ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
		    LOG_TOKENS,
		    old != NULL && !holds(&change->before, token->id)
		        ? "token renewed"
		        : "token found",
		    "%ssource=%s issuer=%s subject=%s scope=%s until=%s", owner,
		    LOG_TEXT(token_source(token)),
		    LOG_TEXT(token->claims.issuer),
		    LOG_TEXT(token->claims.subject),
		    LOG_TEXT(token->claims.scope),
		    token_source_stamp(stamp, token));
	}
}

void purse_change_tell(struct purse_change *change, uint64_t now_s)
{
	char owner[64];
	struct err why;

	owner_text(owner, &change->owner);
	if (change->code == 0) {
		tell_good(change, owner);
	} else if (change->tell_code) {
		purse_explain(&change->after, change->code, now_s, &why);
		log_line(LOG_LEVEL_WARN, LOG_TOKENS,
		    change->code == -ENOKEY ? "no token" : "token not usable",
		    "%serrno=%s why=%s", owner, err_name(change->code),
		    LOG_TEXT(why.text));
	}
	finding_fini(&change->before);
	finding_fini(&change->after);
}

static void explain_ended(
    const struct finding *now, const struct token *token, struct err *out)
{
	const char *source = token_source(token);
	bool by_agent = strncmp(source, "agent:", 6) == 0;
	char stamp[CLOCK_STAMP_BYTES];

	clock_stamp(stamp, token->claims.expires_s);
	if (now->problem.code != 0 && by_agent)
		(void)err_set(out, -EKEYEXPIRED,
		    "the token from '%s' ended at %s and no newer one came: %s",
		    source, stamp, now->problem.text);
	else
		(void)err_set(out, -EKEYEXPIRED,
		    "the token from '%s' ended at %s and no newer one came; "
		    "get a new one, for instance with htgettoken or "
		    "oidc-token",
		    source, stamp);
}

void purse_explain(
    const struct finding *now, int code, uint64_t now_s, struct err *out)
{
	const struct token *token = finding_first(now);
	char stamp[CLOCK_STAMP_BYTES];

	*out = (struct err)ERR_INIT;
	if (code == -ENOKEY) {
		if (now->problem.code != 0)
			(void)err_set(out, code, "%s", now->problem.text);
		else
			(void)err_set(out, code,
			    "the place where the token is kept does not "
			    "answer");
	} else if (code == -EKEYEXPIRED && token != NULL &&
	    token_phase_at(token, now_s) == TOKEN_EARLY) {
		clock_stamp(stamp, token_begins_s(token));
		(void)err_set(out, code,
		    "the token from '%s' is not valid before %s; check the "
		    "clock of this machine",
		    token_source(token), stamp);
	} else if (code == -EKEYEXPIRED && token != NULL) {
		explain_ended(now, token, out);
	}
}
