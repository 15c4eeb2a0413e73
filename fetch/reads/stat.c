/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/stat.c - see stat.h.
 *
 * Steps: PROPFIND with Depth 0 unless the host is known not to understand
 * it; then HEAD. That it does not is learned only when HEAD was understood.
 *
 * Threads: the fetch thread, but stat_call_new() and fetch_stat().
 * Sources: RFC 4918 section 9.1; RFC 9110 section 9.3.2.
 */
#include "fetch/reads/stat.h"

#include "fetch/answers/dav.h"
#include "fetch/calls/request.h"
#include "fetch/engine.h"

#include <errno.h>
#include <string.h>

struct stat_call {
	struct call call; /* first */
	fetch_stat_fn answer;
	void *arg;
	bool by_head;
	bool fell_back; /* a PROPFIND was not understood before */
	struct dav_parser *parser;
	bool seen;
	struct fetch_stat stat;
};

static struct stat_call *stat_of(struct call *call)
{
	return CONTAINER_OF(call, struct stat_call, call);
}

bool stat_not_understood(
    const struct profile *profile, const struct response *response)
{
	switch (response->status) {
	case 207:
		return false;
	case 400: /* some say this to every unknown method */
	case 405:
	case 415:
	case 501:
		return true;
	case 403: /* a method that is switched off, perhaps */
	case 404:
		return profile->dav == PROFILE_DAV_UNKNOWN;
	default:
		/* A page where attributes are due: it was taken for a GET. Where
		 * PROPFIND was answered before it is somebody else's page. */
		return profile->dav != PROFILE_DAV_YES &&
		    response->status >= 200 && response->status <= 299;
	}
}

static int plan_stat(struct call *call, struct request_plan *plan)
{
	struct stat_call *stat = stat_of(call);

	if (!stat->by_head &&
	    !profile_ask_dav(&call->server->profile, call->fetch->now_ms))
		stat->by_head = true;
	dav_parser_free(STEAL(stat->parser));
	stat->seen = false;
	if (stat->by_head) {
		plan->method = REQUEST_HEAD;
		return 0;
	}
	plan->method = REQUEST_PROPFIND;
	plan->body = dav_body_attributes;
	return 0;
}

static void on_self(void *arg, const struct fetch_stat *found)
{
	struct stat_call *stat = arg;

	/* One path, answered for twice: the first answer counts. */
	if (!stat->seen)
		stat->stat = *found;
	call_drop_echo(&stat->call, stat->stat.version.etag);
	stat->seen = true;
}

static struct verdict make_parser(
    struct stat_call *stat, const struct response *response)
{
	struct dav_target target = {.arg = stat, .self = on_self};

	if (response->problem != NULL)
		return call_again(&stat->call, RETRY_BAD, response->problem);
	if (dav_parser_new(
	        &stat->parser, stat->call.path, response->xrootd, &target) < 0)
		return call_done(&stat->call, -ENOMEM, "out of memory");
	return (struct verdict){.kind = VERDICT_TAKE};
}

/* HEAD has answered: of a directory when its name needs a slash. */
static struct verdict take_head(
    struct stat_call *stat, const struct response *response)
{
	struct call *call = &stat->call;

	if (response->problem != NULL)
		return call_again(call, RETRY_BAD, response->problem);
	if (call_is_astray(call))
		return call_done(call, -EIO,
		    "asked for attributes, the server redirects to another "
		    "host that is not in redirect_hosts");
	memset(&stat->stat, 0, sizeof(stat->stat));
	stat->stat.exact = true;
	stat->stat.version.mtime_s = response->modified_s;
	if (call->slash || strcmp(call->path, "/") == 0) {
		stat->stat.kind = FETCH_DIRECTORY;
	} else if (!response->length_known) {
		return call_done(
		    call, -EIO, "the server does not tell the file's size");
	} else {
		stat->stat.kind = FETCH_FILE;
		stat->stat.version.size_bytes = response->length_bytes;
		memcpy(stat->stat.version.etag, response->etag,
		    sizeof(stat->stat.version.etag));
	}
	if (stat->fell_back)
		profile_dav_fails(&call->server->profile, call->fetch->now_ms);
	return (struct verdict){.kind = VERDICT_DONE};
}

static struct verdict head(struct call *call, const struct response *response)
{
	struct stat_call *stat = stat_of(call);
	struct verdict verdict;

	if (stat->by_head) {
		if (response->status >= 200 && response->status <= 204)
			return take_head(stat, response);
		verdict = call_verdict_of(call, response);
		/* With another token PROPFIND may be allowed as well. */
		if (verdict.kind == VERDICT_REFUSED && stat->fell_back) {
			stat->by_head = false;
			stat->fell_back = false;
		}
		return verdict;
	}
	if (response->status == 207)
		return make_parser(stat, response);
	if (stat_not_understood(&call->server->profile, response)) {
		stat->by_head = true;
		stat->fell_back = true;
		return (struct verdict){.kind = VERDICT_STEP};
	}
	return call_verdict_of(call, response);
}

static struct verdict bad_document(
    struct call *call, int code, const struct err *err)
{
	if (code == -ENOMEM)
		return call_done(call, code, "out of memory");
	return call_again(call, RETRY_BAD, err->text);
}

static struct verdict body(
    struct call *call, const void *bytes, size_t size_bytes)
{
	struct stat_call *stat = stat_of(call);
	struct err err;
	int code;

	if (call->request->body_bytes > FETCH_STAT_BYTES_MAX)
		return call_done(call, -EIO, "attributes without end");
	code = dav_parser_feed(stat->parser, bytes, size_bytes, &err);
	if (code < 0)
		return bad_document(call, code, &err);
	return (struct verdict){.kind = VERDICT_TAKE};
}

static struct verdict end(struct call *call, bool whole)
{
	struct stat_call *stat = stat_of(call);
	struct err err;
	int code;

	if (!whole)
		return (struct verdict){.kind = VERDICT_NONE};
	code = dav_parser_end(stat->parser, &err);
	if (code < 0)
		return bad_document(call, code, &err);
	if (!stat->seen)
		return call_again(call, RETRY_BAD,
		    "attributes of something else than was asked for");
	profile_dav_works(&call->server->profile);
	if (stat->stat.kind == FETCH_FILE && !stat->stat.exact) {
		/* No size or nonsense: the file itself knows it. */
		stat->by_head = true;
		return (struct verdict){.kind = VERDICT_STEP};
	}
	return (struct verdict){.kind = VERDICT_DONE};
}

static void stat_answered(struct call *call, int code, const struct err *err)
{
	struct stat_call *stat = stat_of(call);

	stat->answer(stat->arg, code, code == 0 ? &stat->stat : NULL, err);
}

static void fini(struct call *call)
{
	dav_parser_free(stat_of(call)->parser);
}

static const struct call_kind stat_kind = {
    .name = "attributes",
    .size_bytes = sizeof(struct stat_call),
    .silent_ms = FETCH_SILENT_MS,
    .right = TOKENS_LOOK,
    .ask = plan_stat,
    .head = head,
    .body = body,
    .end = end,
    .answer = stat_answered,
    .fini = fini,
};

struct call *stat_call_new(struct fetch *fetch, const struct call_ask *ask,
    fetch_stat_fn answer, void *arg)
{
	struct call *call = call_new(fetch, &stat_kind, ask);

	if (call == NULL)
		return NULL;
	stat_of(call)->answer = answer;
	stat_of(call)->arg = arg;
	return call;
}

static void post(struct fetch *fetch, const struct call_ask *ask,
    fetch_stat_fn answer, void *arg)
{
	struct call *call = stat_call_new(fetch, ask, answer, arg);
	struct err err;

	if (call == NULL) {
		(void)err_set(&err, -ENOMEM, "out of memory");
		answer(arg, -ENOMEM, NULL, &err);
		return;
	}
	(void)call_post(call);
}

void fetch_stat(struct fetch *fetch, const struct ident *ident,
    const char *path, uint64_t deadline_ms, fetch_stat_fn answer, void *arg)
{
	post(fetch,
	    &(struct call_ask){.ident = ident,
	        .path = path,
	        .deadline_ms = deadline_ms,
	        .demand = true},
	    answer, arg);
}

void fetch_stat_bare(struct fetch *fetch, const char *path,
    uint64_t deadline_ms, fetch_stat_fn answer, void *arg)
{
	post(fetch,
	    &(struct call_ask){.path = path,
	        .deadline_ms = deadline_ms,
	        .demand = true,
	        .bare = true},
	    answer, arg);
}
