/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/tokens.h - bearer tokens: find one, know what it allows, know when
 * it ends, remember what a server said of it.
 *
 * The only header of this folder that other folders may include. It opens no
 * network socket. A store belongs to one mount and has two threads of its
 * own: one is the only one that reads token files, because a file that a user
 * named may stall; the other answers those who wait, in time even then.
 *
 * Threads: every function may be called from any thread; none of them waits
 * for a file or a lock held over I/O.
 * Sources: WLCG Bearer Token Discovery; RFC 6750, section 2.1; RFC 7519,
 * section 4.1; HTCondor's $_CONDOR_CREDS.
 */
#ifndef TOKENS_TOKENS_H
#define TOKENS_TOKENS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct clock;
struct ident;
struct secret;
struct tokens;

enum {
	TOKENS_TEXT_BYTES_MAX = 64 * 1024,
	/* Clocks this far apart agree: Date has seconds, and takes its way. */
	TOKENS_SKEW_MAX_S = 5,
	TOKENS_SCOPE_BYTES = 256, /* of a scope that is told */
};

/** A token and its claims: immutable, reference counted. */
struct token;

/** What a caller wants to do with a path. TOKENS_LOOK is the least: attributes
 *  without the bytes. Who may read may look; servers let some look who may not
 *  read (one who may write there, say), or not list (directories above what
 *  they may read). On a mount of one user TOKENS_LIST is TOKENS_LOOK. */
enum tokens_right {
	TOKENS_READ,
	TOKENS_CREATE,
	TOKENS_MODIFY,
	TOKENS_LOOK,
	TOKENS_LIST, /* the names in a directory, and their attributes */
};

/** What the answer that brought a document said of it. */
struct tokens_document_facts {
	int status;        /* HTTP; 0: no answer came */
	int64_t max_age_s; /* how long it may be kept; -1: not said */
};

/**
 * Fetch a public document over verified TLS, without any token; blocks, with
 * a deadline of its own.
 *
 * @param out  empty, limited to 1 MiB; what is in it counts after 0 only.
 * @retval 0       the body of a 200.
 * @retval -errno  with a sentence.
 */
typedef int (*tokens_document_fn)(void *arg, const char *url, struct buf *out,
    struct tokens_document_facts *facts, struct err *err);

/** Whom the client itself believes: from options, configuration or the
 *  federation, never from a token. */
struct tokens_trust {
	const char *const *issuers; /* as `iss` has them, byte by byte */
	unsigned issuer_count;
	const char *jwks_file; /* their keys; NULL: from the issuers */
	const char *const *audiences;
	unsigned audience_count;
	bool any_audience;   /* whom a token is for is the server's to judge */
	const char *key_dir; /* keys are kept here between mounts; NULL: no */
	tokens_document_fn document; /* NULL: nothing is fetched */
	void *arg;
};

struct tokens_config {
	const struct clock *clock; /* borrowed for the store's life */
	const char *token_file;    /* explicit option, alone when given; NULL */
	const char
	    *agent; /* token agent's socket, absolute; NULL: $OIDC_SOCK */
	const char *token_write_file; /* where the one for writing is, alone;
					 NULL: no other than for reading */
	const char *account;   /* of the agent, short name or https:// issuer;
				NULL: the only one */
	const char *base_path; /* server path that scope "/" means; NULL: "/" */
	const char *source_path;    /* server path of the mount's root */
	const char *forbidden_tree; /* the mount point (real path): a token file
				       below it is refused; NULL: none */
	uid_t uid;   /* effective user whose tokens are looked for */
	bool shared; /* one mount for many users, each with their own token */
	const struct tokens_trust *trust; /* NULL: nothing is verified here */
};

/**
 * Make a store and start its thread; the first look has ended when this
 * returns (at most 2 s are waited for a stalled file), so that
 * tokens_describe() tells a start what was found.
 *
 * Environment variables are read now, from this process's environment, and
 * never again.
 *
 * @retval 0        made, whether or not a token was found.
 * @retval -EINVAL  a configured value is unusable (relative path, ...).
 * @retval -ENOMEM, -EAGAIN  no memory, no thread.
 */
NODISCARD int tokens_new(
    struct tokens **out, const struct tokens_config *config, struct err *err);

/** Answer what still waits with -ECANCELED, stop the threads, free. */
void tokens_free(struct tokens *tokens);
DEFINE_FREEP(tokens, tokens_free)

/**
 * Find out which program asks, at the time when it does: a read of /proc.
 * Nothing to do on a mount of one user.
 *
 * @param ident  its uid, gid and pid are given; the rest is filled. Where
 *               that cannot be known tgid stays 0, and the caller is refused
 *               with a sentence when a token is wanted.
 */
void tokens_identify(const struct tokens *tokens, struct ident *ident);

/**
 * What a token is wanted for. `path` is the *server's* path, absolute and
 * normal (base/path.h).
 */
struct tokens_query {
	const struct ident *ident; /* copied */
	const char *path;          /* copied */
	enum tokens_right right;
	uint64_t deadline_ms; /* monotonic: how long an ended token may wait for
				 a newer one */
	uint64_t
	    refused_id; /* token_id() of one that a server has just refused:
				 the source is read again before the answer; 0:
				 none. The answer may be the same token. */
	const char *to; /* copied; where a MOVE or COPY puts what is at
			   `path`: both are changed. NULL: nowhere */
	bool copies;    /* of `to`: what is at `path` is only read */
};

/** An answer: a token (one reference, the callee's) and 0, or NULL and
 *  -ENOKEY, -EKEYEXPIRED, -ECANCELED. `err` says why, borrowed. */
typedef void (*tokens_fn)(
    void *arg, int code, struct token *token, const struct err *err);

/**
 * Ask for a token. Where an agent gives them, what changes something gets one
 * with just the scope of its directory, while one is to be had.
 * `answer` is called exactly once: before this returns when
 * a good one is at hand or when waiting cannot help, else on the store's
 * thread.
 */
void tokens_want(struct tokens *tokens, const struct tokens_query *query,
    tokens_fn answer, void *arg);

/**
 * May this caller be given what the cache holds of `path` now?
 *
 * Decided in this order: no token, ended, does not verify, verified and its
 * scope leaves the path out, refused by a server. Then a grant:
 *
 *   one user's mount   a token that has not ended and that no server has
 *                      refused for this path since is enough; where an
 *                      issuer is configured it has to be proven as well
 *   many users' mount  it has to be proven
 *
 * Proven is a token that verifies here and whose scope covers the path, or
 * one with which the server has answered for this very path, at most 120 s
 * ago.
 *
 * @param ask  set to whether the server may be asked with this token: it
 *             said no before and may have changed its mind, or the token is
 *             not proven. Not set (false): no server need be asked. NULL is
 *             allowed.
 * @retval 0              yes.
 * @retval -ENOKEY, -EKEYEXPIRED  no token; ask tokens_want(), which looks.
 * @retval -EKEYREJECTED  it does not verify; or a server refuses a token that
 *                        should do (`ask`).
 * @retval -EACCES        its scope leaves the path out; or a server says so
 *                        (`ask`).
 * @retval -EAGAIN        it is not proven: ask the server (`ask`).
 */
NODISCARD int tokens_door(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, bool *ask);

/**
 * What tokens_door() said in the last second of a token that has ended, less
 * than `grace_s` ago: for what the cache holds while no server can be reached.
 * What a server has refused stays refused.
 *
 * @param ask  as of tokens_door().
 * @retval -EKEYEXPIRED  there is no such token.
 * @retval else          as tokens_door().
 */
NODISCARD int tokens_door_ended(struct tokens *tokens,
    const struct ident *ident, const char *path, enum tokens_right right,
    uint64_t grace_s, bool *ask);

/** The same as tokens_door() without `ask`; `why` (NULL is allowed) gets the sentence, with its
 *  remedy, of every no but -EAGAIN. */
NODISCARD int tokens_may(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct err *why);

/**
 * May this caller create or modify (`right`) what is at `path`, as far as the
 * scopes of their token tell? For what has to be decided before a server is
 * asked, which has the last word: nothing is granted by it.
 *
 * @retval 0        yes; or the token does not tell.
 * @retval -EACCES  its scopes leave that out, and it verifies or they cover
 *                  the path for something less.
 * @retval -ENOKEY, -EKEYEXPIRED  there is no token now; one may come.
 */
NODISCARD int tokens_may_change(struct tokens *tokens,
    const struct ident *ident, const char *path, enum tokens_right right);

/** Whether the scopes of the token with which this caller would create what is
 *  at `path` say that it may. */
bool tokens_tells_create(
    struct tokens *tokens, const struct ident *ident, const char *path);

/** Where a token comes from, so that it can be found again. */
enum tokens_from {
	TOKENS_FROM_DISCOVERY, /* where everybody's is looked for */
	TOKENS_FROM_FILE,      /* an absolute path */
	TOKENS_FROM_AGENT,     /* an account of the agent */
	TOKENS_FROM_CONDOR,    /* an absolute path, of a job's directory */
};

/** Where the token with which this caller would change `path` comes from.
 *  @param name  path or account, "" for TOKENS_FROM_DISCOVERY, and where it
 *               has no room. */
enum tokens_from tokens_write_source(struct tokens *tokens,
    const struct ident *ident, const char *path, char *name, size_t room_bytes);

/** Tell the store what a server said of a token for a path: the HTTP status
 *  (2xx: a proof for this very path; 401 or 403: a refusal). The bytes of a
 *  file are TOKENS_READ, the names in a directory TOKENS_LIST, all else that is
 *  asked is TOKENS_LOOK. */
void tokens_report(struct tokens *tokens, const struct token *token,
    const char *path, enum tokens_right right, int status);

/**
 * What the program that called gets when a server has refused `token`
 * finally (after a second try with the source read again).
 *
 * @param status  401 or 403.
 * @return in this order: -EKEYEXPIRED when the token has ended by its own
 *         exp; -EKEYREJECTED when it does not verify; -EACCES when its
 *         verified scope leaves the path out, -EKEYREJECTED when that covers
 *         it; else by the status (RFC 6750, section 3.1; XRootD answers 403
 *         to everything). `err` gets the sentence with the remedy.
 */
NODISCARD int tokens_verdict(struct tokens *tokens, const struct token *token,
    const char *path, enum tokens_right right, int status, struct err *err);

/** What a program was refused. */
struct tokens_refusal {
	uid_t uid;
	pid_t pid; /* the last one's; 0: not known */
	enum tokens_right right;
	const char *path; /* the server's */
	struct err why;   /* the errno it got, and the sentence */
	uint64_t first_s; /* seconds since 1970 */
	uint64_t last_s;
	uint64_t count;
};

/** A program has got `code`, which is of its token (-ENOKEY, -EKEYEXPIRED,
 *  -EKEYREJECTED, -EACCES): keep that and tell the log, each once. */
void tokens_refused(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, int code);

/**
 * The last refusals, the latest first.
 *
 * @param uid   whose; NULL: everybody's.
 * @param path  of which path, and of the directories on the way to it; NULL:
 *              whatever is kept.
 * @return an array with all it points to in one piece, for free(3); NULL
 *         when there are none, or without memory.
 */
NODISCARD struct tokens_refusal *tokens_refusals(
    struct tokens *tokens, const uid_t *uid, const char *path, unsigned *count);

/** How far this machine's clock is ahead of the server's, by the Date of an
 *  answer of its (negative: behind). It is told where it explains why a token
 *  is not taken, here or there; nothing is granted for it. */
void tokens_note_skew(struct tokens *tokens, int64_t skew_s);

/**
 * The names directly below `path` that lead to what the token's scopes
 * allow: `read:/alice/run1` gives "alice" below "/" and "run1" below
 * "/alice" (base_path put in front). For directories above a token's reach.
 *
 * @param name  called for each name once, borrowed; NULL: only whether there
 *              are any is asked.
 * @return how many, or 1 when that is not asked; 0 when no scope lies below
 *         `path`, or without memory.
 */
unsigned tokens_reach(struct tokens *tokens, const struct ident *ident,
    const char *path, void (*name)(void *arg, const char *name), void *arg);

/** Append a JSON object on the token in use to `out`: "state" (valid,
 *  missing, expired, not_yet_valid), "kind" (jwt, macaroon, opaque),
 *  "profile" ("WLCG 1.x", "v2"), "source", "issuer", "subject", "audience",
 *  "scope", "expires_at" (RFC 3339), "left_s" (a number), "problem" (with its
 *  remedy; also of a source that was passed over), "others" (an array, where
 *  a job holds several: the same of the rest, without "problem"), "writing"
 *  (the same of a token for writing alone); null for what is not known. Never
 *  the token. On a mount of many users it is that of the one who asks. */
int tokens_describe(
    struct tokens *tokens, const struct ident *ident, struct buf *out);

/** The same for a person: "token: valid for 12 min, from /run/..." lines. */
int tokens_describe_text(
    struct tokens *tokens, const struct ident *ident, struct buf *out);

/** What a token means for a path. */
struct tokens_explained {
	int code;       /* as tokens_door() */
	bool ask;       /* the same */
	bool outside;   /* the token's own scope leaves the path out */
	struct err why; /* of every no but -EAGAIN: the sentence */
	char needed[TOKENS_SCOPE_BYTES]; /* a scope that covers the path, in
	                                    the words of the token's own; "":
	                                    not to be told */
};

/** What the token that goes with a request for this means for it. */
void tokens_explain(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct tokens_explained *out);

/** As tokens_describe(), of the one token that goes with a request for this,
 *  without "others" and "writing". */
int tokens_describe_used(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct buf *out);

/** The same for a person; what is wrong is tokens_explain()'s to say. */
int tokens_describe_used_text(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct buf *out);

/** Append where the token in use was found: a path, or "$BEARER_TOKEN".
 *  @retval -ENOKEY  none was found. */
NODISCARD int tokens_source(struct tokens *tokens, struct buf *out);

/** 0 when a token is at hand that has not ended, else -ENOKEY or
 *  -EKEYEXPIRED with one sentence and the remedy: what a start warns of. */
NODISCARD int tokens_state(struct tokens *tokens, struct err *err);

/** Another reference; returns `token`. */
struct token *token_get(struct token *token);

/** Release a reference. NULL is allowed. The last release wipes the text. */
void token_put(struct token *token);
DEFINE_FREEP(token, token_put)

/** A number that no other token of this process has; never 0. */
uint64_t token_id(const struct token *token);

/** Seconds since 1970 at which it ends; UINT64_MAX when it does not say. */
uint64_t token_expires_s(const struct token *token);

/** The text, borrowed as long as the reference is held. For the
 *  Authorization header and nothing else. */
const struct secret *token_text(const struct token *token);

/**
 * Read a token's text as any user would hand it over: bare, with white space
 * around it, or HTCondor's JSON. Used by `bearerfs token show` too.
 *
 * @retval 0          read; claims are known when it is a JWT, else it is an
 *                    opaque token.
 * @retval -EINVAL    empty, or a byte that RFC 6750, section 2.1 forbids.
 * @retval -EMSGSIZE  longer than TOKENS_TEXT_BYTES_MAX.
 * @retval -ENOMEM    out of memory.
 */
NODISCARD int token_parse(
    struct token **out, const char *text, size_t size_bytes, struct err *err);

#endif
