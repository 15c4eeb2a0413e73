/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/claims/token.h - a token as this folder sees it: its text, and what it
 * says of itself. What others see of it stands in tokens.h.
 *
 * Threads: immutable once made; the references and the begin are atomic, the
 * judgement belongs to the one trust that judges the token, and the count to
 * the one store that holds it.
 */
#ifndef TOKENS_TOKEN_H
#define TOKENS_TOKEN_H

#include "tokens/claims/jwt.h"
#include "tokens/claims/scope.h"
#include "tokens/tokens.h"

#include <stdatomic.h>

/** What a trust thought of a token, so that it need not think twice.
 *  verify/judge.c reads and writes it, under its lock. */
struct token_judgement {
	uint64_t generation; /* of the keys; 0: not judged yet */
	int code;
	const char *profile; /* its name, static; NULL: not known */
	char *why;           /* a sentence; NULL: none */
};

struct token {
	atomic_uint references;
	uint64_t id;
	struct secret *text;
	uint64_t digest; /* of the text: where it differs, so do the texts */
	char *source;    /* where it was found: a path, a variable's name;
			 NULL: not said */
	bool is_cut;     /* opaque, but begins as a JWT */
	struct jwt_claims claims; /* all silent for an opaque token */
	struct scope_list scopes; /* of its claim: taken apart once, as it is
				     looked at with each request */
	bool has_too_many_scopes; /* more than are looked at: none is */
	_Atomic uint64_t begins_s;
	struct token_judgement judgement;
	/* Of the hoard that it is in (store/hoard.h), called by the last
	 * token_put(); NULL: in none. */
	void (*gone)(void *arg, struct token *token);
	void *gone_arg;
	struct token *hoard_next;
};

/** "jwt", "macaroon" or "opaque". */
const char *token_kind(const struct token *token);

/** The profile that it says it is of ("WLCG 1.x"), of a macaroon its version
 *  ("v2"), static; NULL: it does not say. */
const char *token_profile(const struct token *token);

/** Another reference, unless the last one has gone. */
NODISCARD bool token_try_get(struct token *token);

/** Whether both have the very same text. */
bool token_same_text(const struct token *a, const struct token *b);

/** Where it was found, borrowed; "" when nobody said. */
const char *token_source(const struct token *token);

/** Say where it was found: once, before anybody else knows the token.
 *  @retval -ENOMEM  it stays unsaid. */
NODISCARD int token_set_source(struct token *token, const char *source);

/** Where a moment lies in a token's life. */
enum token_phase { TOKEN_EARLY, TOKEN_GOOD, TOKEN_ENDED };

/** When it begins, in seconds since 1970; 0: it always was good. That is its
 *  `nbf`, or what a trust has said. */
uint64_t token_begins_s(const struct token *token);

/** A trust does not take it before this moment: who needs it waits until
 *  then, as for `nbf`. */
void token_begin_later(struct token *token, uint64_t begins_s);

/** RFC 7519, sections 4.1.4 and 4.1.5, without any leeway: a token that the
 *  clock of this machine calls ended is not sent. */
enum token_phase token_phase_at(const struct token *token, uint64_t now_s);

/**
 * As token_parse(), but a text that holds no token at all (nothing but white
 * space, an empty access_token) is told from a garbled one.
 *
 * @retval -ENODATA  there is no token in the text.
 */
NODISCARD int token_read(
    struct token **out, const char *text, size_t size_bytes, struct err *err);

#endif
