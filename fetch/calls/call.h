/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call.h - a call's life, from the question to its one answer.
 *
 *   NEW --post--> QUEUED --token asked--> TOKEN --answer--> QUEUED
 *   QUEUED --request sent--> ACTIVE --verdict-->
 *       DONE      answered
 *       AGAIN     DELAYED, then QUEUED (retry.h decides)
 *       STEP      QUEUED: the kind asks something else
 *       REDIRECT  QUEUED with another URL
 *       REFUSED   QUEUED, the token's source read again; the second time
 *                 answered
 *       CONFIRM   CONFIRMING (confirm.h), then QUEUED or answered
 *   Whatever the state: deadline, cancel and stop answer it.
 *
 * While it is ACTIVE and late, a *second* call may ask another server for the
 * same (call_hedge.c).
 *
 * What is asked and how an answer is read is a struct call_kind: range.c,
 * stat.c, list.c, quota.c. Whom it is asked is decided in call_choose.c.
 *
 * Threads: the fetch thread, but call_new() and call_post().
 */
#ifndef FETCH_CALLS_CALL_H
#define FETCH_CALLS_CALL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/sync.h"
#include "fetch/calls/mailbox.h"
#include "fetch/calls/retry.h"
#include "fetch/servers/server.h"
#include "tokens/tokens.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <curl/curl.h>

struct call;
struct confirm;
struct fetch;
struct request;
struct request_plan;
struct response;
struct share;
struct token;
struct token_wait;

enum verdict_kind {
	VERDICT_NONE, /* the headers have not ended */
	VERDICT_TAKE, /* the body is wanted */
	VERDICT_DONE, /* answer `code`; call->err says why */
	VERDICT_AGAIN,
	VERDICT_STEP,
	VERDICT_REDIRECT,
	VERDICT_REFUSED,
	VERDICT_CONFIRM,
};

struct verdict {
	enum verdict_kind kind;
	int code;                 /* of DONE */
	enum retry_reason reason; /* of AGAIN */
};

enum call_state {
	CALL_NEW,
	CALL_QUEUED,
	CALL_TOKEN,
	CALL_ACTIVE,
	CALL_DELAYED,
	CALL_CONFIRMING,
};

struct call_kind {
	const char *name;
	size_t size_bytes;       /* of the structure around the call */
	uint64_t silent_ms;      /* without a first byte, then given up */
	enum tokens_right right; /* what its answer proves */
	bool
	    aside; /* how it goes says nothing of the server, nor of the path */
	bool cached; /* a cache may answer it, and not the origin alone */
	bool lists;  /* it is asked where listings are */
	/** What to ask now. Non-zero: answer that; call->err says why. */
	int (*ask)(struct call *call, struct request_plan *plan);
	/** What another server may be asked at the same time, and how many
	 *  bytes that is; 0: nothing now. NULL: nothing ever. */
	uint64_t (*ask_second)(struct call *call, struct request_plan *plan);
	/** The headers have ended: is the body wanted? */
	struct verdict (*head)(
	    struct call *call, const struct response *response);
	/** The next bytes. TAKE: go on; else the rest is not wanted. */
	struct verdict (*body)(
	    struct call *call, const void *bytes, size_t size_bytes);
	/** The answer has ended; `whole` is false when the connection ended
	 *  before it did. */
	struct verdict (*end)(struct call *call, bool whole);
	/** Whether it is too late to end it: nobody could tell what becomes of
	 *  it. NULL: never. */
	bool (*keeps)(const struct call *call);
	/** Exactly once. */
	void (*answer)(struct call *call, int code, const struct err *err);
	/** Free what the kind holds; NULL: nothing. */
	void (*fini)(struct call *call);
};

struct call {
	struct post post;
	TAILQ_ENTRY(call) all_link;
	TAILQ_ENTRY(call) queue_link;   /* in its share, while QUEUED */
	TAILQ_ENTRY(call) confirm_link; /* while CONFIRMING */
	struct fetch *fetch;
	struct fetch_server
	    *server;         /* that is asked; NULL before call_start() */
	struct share *share; /* there; NULL before call_start() */
	const struct call_kind *kind;
	enum call_state state;
	uint64_t number;
	uint64_t deadline_ms;
	uint64_t silent_ms; /* as of its kind; ask() may change it */
	uint64_t bytes;     /* that are wanted; 0: not told */
	bool demand;
	bool change; /* call_ask.change */
	bool bare;   /* it carries no token */
	bool copies; /* COPY, when there is a `to` */
	struct ident ident;
	const char *path; /* in the same allocation */
	const char *to;   /* of the kind's: where a MOVE or COPY ends; NULL */

	struct token *token; /* held for the next attempt */
	struct token_wait *wait;
	uint64_t refused_id;
	unsigned refusals;
	bool proven; /* the store knows that this token opens this path */

	bool at_origin; /* no cache is to be asked any more */
	unsigned only;  /* n: the nth server alone, once; 0: whichever */
	uint32_t
	    tried; /* servers (a bit each) that failed since the last wait */
	struct fetch_server *waited;  /* that has been asked; NULL: none yet */
	struct fetch_server *refuser; /* a cache that refused... */
	uint64_t refused_token;       /* ...this token */

	struct request *request; /* while ACTIVE */
	struct call *second;     /* asks another server for the same; NULL */
	struct call *first;      /* of a second one: for whom, while neither
				    has answered */
	struct confirm *confirm; /* while CONFIRMING */
	unsigned seconds;        /* that it has had */
	bool late;       /* of a second one: it counts in its server's choice */
	bool slash;      /* ask the path with a slash: a directory */
	bool target_may; /* the redirect's target may be given the token */
	struct buf target; /* URL of a redirect; empty: the path's own */
	unsigned redirects;
	unsigned attempts;

	unsigned failures; /* in a row */
	unsigned bad;
	enum retry_reason reason; /* of the last failure, */
	bool failed;              /* when there was one */
	bool wait_asked;          /* Retry-After of the last answer */
	uint64_t resume_ms;       /* while DELAYED */
	uint32_t wait_asked_s;
	struct err err;
};

/** What every call is asked with. */
struct call_ask {
	const struct ident *ident; /* copied; NULL: nobody in particular */
	const char *path;          /* copied */
	uint64_t deadline_ms;      /* 0: the longest */
	bool demand;
	bool change;    /* a step of changing something; only with `demand` */
	uint64_t bytes; /* that are wanted; 0: not told */
	bool bare;      /* without a token */
};

/** A call, zeroed behind its common part; NULL when out of memory. Any
 *  thread. */
struct call *call_new(struct fetch *fetch, const struct call_kind *kind,
    const struct call_ask *ask);

/** Hand it to the loop; answered at once when there is none any more. Any
 *  thread. @return its number. */
uint64_t call_post(struct call *call);

/** Begin it, on the fetch thread. */
void call_start(struct call *call) REQUIRES(fetch_thread);

/** Answer, forget, free. */
void call_answer(struct call *call, int code) REQUIRES(fetch_thread);

/** Remember what was said; as fetch_said(). */
void call_note(const struct call *call, int status, int code)
    REQUIRES(fetch_thread);

/** Put it (back) into the queue of its server; `first`: before those that
 *  wait. */
void call_queue(struct call *call, bool first) REQUIRES(fetch_thread);

/** Take it out. */
void call_unqueue(struct call *call) REQUIRES(fetch_thread);

/** Ask the path itself again, and not where a redirect led. */
void call_forget_target(struct call *call);

/** As what it counts at its server. */
enum server_rank call_rank(const struct call *call);

/** A verdict on its last attempt, or on what it was waiting for. */
void call_judge(struct call *call, struct verdict verdict)
    REQUIRES(fetch_thread);

/** Send what may be sent. */
void call_dispatch(struct fetch *fetch) REQUIRES(fetch_thread);

/** When there was a connection for a request (monotonic); 0: there is none
 *  yet. */
uint64_t call_connected_ms(const struct request *request);

/** Answer what is past its deadline, resume what has waited. */
void call_tick(struct fetch *fetch) REQUIRES(fetch_thread);

/** Try at once what waits for a server that has come back. */
void call_wake_delayed(struct fetch *fetch) REQUIRES(fetch_thread);

/** Take the request away from libcurl; its connection is closed unless the
 *  answer has ended. */
void call_drop_request(struct call *call) REQUIRES(fetch_thread);

/** Ask again, where they stopped, what is asked over connections from an
 *  address of this machine that is gone; NULL: over any. It says nothing of
 *  the servers. @return how many. */
unsigned call_restart(struct fetch *fetch, const char *address)
    REQUIRES(fetch_thread);

/** When the next delayed call resumes; UINT64_MAX: none waits. */
uint64_t call_next_ms(const struct fetch *fetch) REQUIRES(fetch_thread);

/** A user waits now for the call with that number, if there is one. */
void call_hurry(struct fetch *fetch, uint64_t number, uid_t uid)
    REQUIRES(fetch_thread);

/** Answer the call with that number, if there is one. */
void call_cancel(struct fetch *fetch, uint64_t number) REQUIRES(fetch_thread);

/** Answer all. */
void call_cancel_all(struct fetch *fetch) REQUIRES(fetch_thread);

/** libcurl has done with its request. */
void call_finished(struct request *request, CURLcode result)
    REQUIRES(fetch_thread);

/** The headers of the final answer have ended; sets request->verdict. */
void call_head(struct request *request) REQUIRES(fetch_thread);

/** Body bytes. @return false: the rest is not wanted. */
NODISCARD bool call_body(struct request *request, const void *bytes,
    size_t size_bytes) REQUIRES(fetch_thread);

/** Whether the answer comes from a host that a redirect named and that
 *  nobody vouches for: a page of its own (a login, say) must not be taken
 *  for attributes or a listing. Bytes are checked anyway. */
bool call_is_astray(const struct call *call);

/** A verdict for an answer whose status is no success; fills call->err. */
struct verdict call_verdict_of(
    struct call *call, const struct response *response);

/* call_choose.c */

/** Decide whom it asks next; it is in no state that belongs to a server. */
void call_choose(struct call *call) REQUIRES(fetch_thread);

/** Nobody is to ask this server any more: what is queued there or on its way
 *  asks whom it has to ask now. Not inside another walk over the calls. */
void call_abandon(struct fetch *fetch, const struct fetch_server *server)
    REQUIRES(fetch_thread);

/** Whether another server than its own could be asked now with some hope. */
bool call_has_other(const struct call *call) REQUIRES(fetch_thread);

/** Its server has failed it: note that, and let it ask another one.
 *  @return false: there is none. */
bool call_leave(struct call *call, enum retry_reason reason)
    REQUIRES(fetch_thread);

/** Pass a cache over for this path; the origin never is. */
void call_shun(const struct call *call, struct fetch_server *server,
    uint64_t for_ms, const char *why) REQUIRES(fetch_thread);

/** Learn from the request that ends how fast the server is; `right`: its
 *  answer was as it should be. */
void call_measure(const struct call *call, bool right) REQUIRES(fetch_thread);

/** Its server has failed it: what the server and the file are worth. */
void call_failed(struct call *call, enum retry_reason reason)
    REQUIRES(fetch_thread);

/** Whom else to ask while its server is late; NULL: nobody with hope. */
struct fetch_server *call_choose_second(const struct call *call)
    REQUIRES(fetch_thread);

/* call_send.c */

/** Whether the next attempt carries a token. */
bool call_needs_token(const struct call *call);

/** Send what a call asks its server; it counts there. -ENOMEM: nothing was
 *  sent. */
NODISCARD int call_send(struct call *call, const struct request_plan *plan)
    REQUIRES(fetch_thread);

/* call_verdict.c */

/** A verdict with a sentence for call->err. */
struct verdict call_done(struct call *call, int code, const char *why);
struct verdict call_again(
    struct call *call, enum retry_reason reason, const char *why);

/* call_account.c */

/** An attempt has ended, with its request still there. */
void call_account(struct call *call, const struct verdict *verdict)
    REQUIRES(fetch_thread);

/** Only a server's own answers tell of the server, and not those of whom it
 *  redirects to. */
static inline bool call_is_to_server(const struct call *call)
{
	return call->target.size_bytes == 0;
}

/* token_wait.c */

/** Ask for a token for the next attempt; the call goes on when it is there,
 *  or is answered. */
void call_want_token(struct call *call) REQUIRES(fetch_thread);

/** The call no longer waits for it. */
void call_forget_token(struct call *call) REQUIRES(fetch_thread);

/** Take away an ETag that a server made of the very token it is asked with:
 *  ETags are kept on disk, and shown. */
void call_drop_echo(const struct call *call, char *etag);

/** The Authorization header for the token held; NULL when out of memory. */
struct secret *call_authorization(struct call *call) REQUIRES(fetch_thread);

#endif
