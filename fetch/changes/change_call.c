/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/change_call.c - see change_call.h.
 *
 * A PUT tells its length, but of a file that grows: chunks are not for every
 * server (publish.c). It waits
 * for a 100 before its body where it may be led elsewhere: when the body is
 * long, until a first PUT was answered, and at servers that have redirected
 * one; or where a refusal is likely, which XRootD may follow by a reset that
 * overtakes it. Elsewhere the wait would cost a small file a round trip.
 *
 * Threads: the fetch thread.
 * Sources: RFC 9110 sections 10.1.1, 13.1.1, 13.1.2; RFC 4918 sections 10.3,
 * 10.6.
 */
#include "fetch/changes/change_call.h"

#include "fetch/answers/response.h"
#include "fetch/changes/feed.h"
#include "fetch/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* How often the bytes are sent; each time may take as long as it has
	 * progress. */
	CHANGE_SENDS_MAX = 8,
	DESTINATION_BYTES = FETCH_URL_BYTES_MAX * 2,
};

struct change_call {
	struct call call; /* first */
	change_fn answer;
	void *arg;
	struct change_ask ask; /* its texts are not kept */
	int code;              /* it cannot be asked at all, because of `err` */
	struct err err;
	bool lost;
	bool as_is;
	unsigned sends;
	int status;
	char condition[FETCH_ETAG_BYTES + 16];
	char date[CHANGE_DATE_BYTES];
	char mtime[CHANGE_DATE_BYTES];
	struct buf destination; /* the whole line */
};

static struct change_call *change_of(struct call *call)
{
	return CONTAINER_OF(call, struct change_call, call);
}

/* Whether the last failure may have come after the deed. */
static bool may_be_done(const struct call *call)
{
	const struct change_call *change = (const struct change_call *)call;

	if (!call->failed)
		return false;
	switch (call->reason) {
	case RETRY_CONNECT:
	case RETRY_UNTRUSTED:
		return false;
	case RETRY_BUSY:
		/* Who is busy has not begun, but for who asks another. */
		return change->status == 502 || change->status == 504;
	case RETRY_LOST:
	case RETRY_SILENT:
	case RETRY_SERVER:
	case RETRY_BAD:
	case RETRY_ELSEWHERE:
	case RETRY_REASON_COUNT:
		break;
	}
	return true;
}

/* Whether there is any sense in another attempt. */
static int look_back(struct change_call *change)
{
	struct call *call = &change->call;
	struct feed *upload = change->ask.upload;
	int code;

	if (may_be_done(call))
		change->lost = true;
	if (change->code != 0) {
		call->err = change->err;
		return change->code;
	}
	if (upload != NULL && feed_code(upload) != 0) {
		code = feed_code(upload);
		return err_set(&call->err, code,
		    "the bytes to be sent cannot be read: %s",
		    err_message(-code));
	}
	if (change->lost && !change->ask.repeatable)
		return -EINPROGRESS;
	if (upload == NULL)
		return 0;
	/* Counted when bytes have gone: a refusal comes before them. */
	if (call->attempts > 0 && feed_given_bytes(upload) > 0)
		change->sends++;
	if (change->sends < CHANGE_SENDS_MAX)
		return 0;
	if (!call->failed)
		return err_set(&call->err, -EIO,
		    "sent %u times, and each time asked for once more",
		    change->sends);
	call->err.code = retry_code(call->reason);
	return err_wrap(&call->err, "sent %u times in vain", change->sends);
}

static void plan_upload(
    struct change_call *change, struct request_plan *plan, const char **line)
{
	const struct fetch_server *server = change->call.server;
	struct feed *upload = change->ask.upload;
	bool waits = !server->writing.no_expect &&
	    (feed_size_bytes(upload) > FEED_SMALL_BYTES ||
	        server->writing.led || !server->writing.answered ||
	        change->ask.refusal_likely);

	/* libcurl would decide it by itself otherwise. */
	*line++ = waits && feed_size_bytes(upload) > 0 ? "Expect: 100-continue"
	                                               : "Expect:";
	if (change->date[0] != '\0') {
		*line++ = change->date;
		*line++ = change->mtime;
	}
	plan->upload = upload;
}

static int plan_change(struct call *call, struct request_plan *plan)
{
	struct change_call *change = change_of(call);
	const char **line = plan->lines;
	int code = look_back(change);

	if (code != 0)
		return code;
	if (change->ask.directory)
		call->slash = true;
	plan->method = change->ask.method;
	if (change->condition[0] != '\0')
		*line++ = change->condition;
	/* Else a directory that has taken the name goes with all it has. */
	if (plan->method == REQUEST_DELETE && !change->ask.directory)
		*line++ = "Depth: 0";
	if (change->ask.to != NULL) {
		*line++ = buf_text(&change->destination);
		*line++ =
		    change->ask.overwrite ? "Overwrite: T" : "Overwrite: F";
	}
	if (change->ask.upload != NULL)
		plan_upload(change, plan, line);
	return 0;
}

/* What an answer to a PUT shows of the server. */
static void learn(struct change_call *change, int status)
{
	struct writing *writing = &change->call.server->writing;

	if (change->ask.method != REQUEST_PUT)
		return;
	writing->answered = true;
	if (status == 307 || status == 308)
		writing->led = true;
	if (status == 412 && change->condition[0] != '\0')
		writing->refused_condition = true;
}

static struct verdict head(struct call *call, const struct response *response)
{
	struct change_call *change = change_of(call);
	const struct change_ask *ask = &change->ask;
	bool must_be_absent =
	    ask->if_absent || (ask->to != NULL && !ask->overwrite);

	change->status = response->status;
	/* RFC 4918 section 9.9.4 has 201 and 204: a 200 may be any page, of
	 * whoever stands before the server. */
	change->as_is = writing_moves_as_is(&call->server->writing) &&
	    response->status != 200;
	learn(change, response->status);
	/* RFC 9110 section 10.1.1: once more without. */
	if (response->status == 417 && ask->upload != NULL &&
	    !call->server->writing.no_expect) {
		call->server->writing.no_expect = true;
		return (struct verdict){.kind = VERDICT_STEP};
	}
	if (response->status == 423 && ask->patient)
		return call_again(call, RETRY_BUSY,
		    "a connection that was lost still holds the file");
	return change_verdict(call, ask->method, must_be_absent);
}

/* Never wanted: head() has decided. */
static struct verdict body(
    struct call *call, const void *bytes, size_t size_bytes)
{
	(void)bytes;
	(void)size_bytes;
	return call_again(call, RETRY_BAD, "a body to nothing");
}

static struct verdict end(struct call *call, bool whole)
{
	(void)call;
	(void)whole;
	return (struct verdict){.kind = VERDICT_NONE};
}

/* The server may have all of it. */
static bool keeps(const struct call *call)
{
	const struct change_call *change = (const struct change_call *)call;
	const struct feed *upload = change->ask.upload;

	if (call->attempts == 0)
		return false;
	return upload == NULL ||
	    (!feed_grows(upload) &&
	        feed_given_bytes(upload) == feed_size_bytes(upload));
}

static void answered(struct call *call, int code, const struct err *err)
{
	struct change_call *change = change_of(call);
	/* Its time may be over before that of what it has asked for. */
	bool cut =
	    (code == -ECANCELED || code == -ETIMEDOUT) && call->attempts > 0;
	struct change_result result = {
	    .code = code,
	    .err = err,
	    .status = change->status,
	    .last = call->failed ? retry_code(call->reason) : code,
	    .as_is = change->as_is,
	    .lost = change->lost || may_be_done(call) || cut,
	};

	change->answer(change->arg, &result);
}

static void fini(struct call *call)
{
	struct change_call *change = change_of(call);

	feed_put(change->ask.upload);
	buf_fini(&change->destination);
}

/* The same but for the right; and the name, which stands in sentences. An
 * upload is given up for want of progress alone (request_fill.c moves
 * its deadline); a server may rename, or remove, for long. */
#define CHANGE_KIND(text, wanted)                                           \
	{                                                                   \
		.name = (text), .size_bytes = sizeof(struct change_call),   \
		.silent_ms = UINT64_MAX, .right = (wanted),                 \
		.ask = plan_change, .head = head, .body = body, .end = end, \
		.keeps = keeps, .answer = answered, .fini = fini,           \
	}

static const struct call_kind kinds[][2] = {
    [REQUEST_PUT] = {CHANGE_KIND("upload", TOKENS_MODIFY),
        CHANGE_KIND("upload", TOKENS_CREATE)},
    [REQUEST_DELETE] = {CHANGE_KIND("removal", TOKENS_MODIFY),
        CHANGE_KIND("removal", TOKENS_MODIFY)},
    [REQUEST_MKCOL] = {CHANGE_KIND("new directory", TOKENS_CREATE),
        CHANGE_KIND("new directory", TOKENS_CREATE)},
    [REQUEST_MOVE] = {CHANGE_KIND("renaming", TOKENS_MODIFY),
        CHANGE_KIND("renaming", TOKENS_MODIFY)},
    [REQUEST_COPY] = {CHANGE_KIND("copy", TOKENS_MODIFY),
        CHANGE_KIND("copy", TOKENS_CREATE)},
};

static void prepare(struct change_call *change)
{
	const struct change_ask *ask = &change->ask;

	if (ask->if_absent)
		(void)snprintf(change->condition, sizeof(change->condition),
		    "If-None-Match: *");
	else if (ask->if_match != NULL && ask->if_match[0] != '\0')
		(void)snprintf(change->condition, sizeof(change->condition),
		    "If-Match: %s", ask->if_match);
	if (ask->to != NULL)
		change->code = change_destination(&change->destination,
		    change->call.fetch, ask, &change->err);
	if (change->code == -ENOMEM)
		(void)err_set(&change->err, change->code, "out of memory");
	else if (change->code == -EMSGSIZE)
		change->code = err_set(
		    &change->err, -EINVAL, "a longer name than a URL takes");
	if (ask->method == REQUEST_PUT)
		change_times(change->date, change->mtime, ask->mtime_s);
}

void change_call_start(struct fetch *fetch, const struct change_ask *ask,
    change_fn answer, void *arg)
{
	bool small = ask->upload == NULL ||
	    feed_size_bytes(ask->upload) <= FEED_SMALL_BYTES;
	const struct call_ask what = {
	    .ident = ask->ident,
	    .path = ask->path,
	    .deadline_ms = ask->deadline_ms,
	    .demand = small,
	    .change = small,
	    .bytes = ask->upload == NULL ? 0 : feed_size_bytes(ask->upload),
	};
	struct call *call =
	    call_new(fetch, &kinds[ask->method][ask->create_only], &what);
	struct change_call *change;
	struct err err;

	if (call == NULL) {
		(void)err_set(&err, -ENOMEM, "out of memory");
		answer(
		    arg, &(struct change_result){.code = -ENOMEM, .err = &err});
		return;
	}
	change = change_of(call);
	change->answer = answer;
	change->arg = arg;
	change->ask = *ask;
	if (ask->upload != NULL)
		(void)feed_get(ask->upload);
	buf_init(&change->destination, DESTINATION_BYTES);
	call->number = ask->number;
	call->to = ask->to;
	call->copies = ask->method == REQUEST_COPY;
	prepare(change);
	change->ask.if_match = NULL; /* kept in what was made of it */
	call_start(call);
}
