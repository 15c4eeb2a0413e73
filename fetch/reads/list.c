/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/list.c - the entries of a directory: PROPFIND with Depth 1, or an
 * index page where there is no DAV. Streamed: entries are handed on as they
 * come.
 *
 * Of an XRootD cluster each server that has the directory is asked, one after
 * the other (cluster.h), and the lister gets what all of them have. What fails
 * on the way begins the listing again.
 *
 * Threads: the fetch thread, but fetch_list().
 * Sources: RFC 4918 section 9.1.
 */
#include "fetch/answers/dav.h"
#include "fetch/answers/index.h"
#include "fetch/calls/request.h"
#include "fetch/change.h"
#include "fetch/engine.h"
#include "fetch/reads/cluster.h"
#include "fetch/reads/stat.h"

#include <errno.h>
#include <string.h>

struct list_call {
	struct call call; /* first */
	struct fetch_lister lister;
	bool by_page;
	bool fell_back;
	bool given;     /* an entry of this or an earlier attempt */
	bool self_seen; /* in this attempt */
	bool is_file;   /* the path itself */
	bool more;      /* the next attempt adds to what was given */
	struct cluster cluster;
	bool ended; /* by the lister */
	int ended_code;
	struct dav_parser *dav;
	struct index_parser *page;
};

static struct list_call *list_of(struct call *call)
{
	return CONTAINER_OF(call, struct list_call, call);
}

static void drop_parsers(struct list_call *list)
{
	dav_parser_free(STEAL(list->dav));
	index_parser_free(STEAL(list->page));
}

static void begin_anew(struct list_call *list)
{
	if (list->given)
		list->lister.restart(list->lister.arg);
	list->given = false;
	list->self_seen = false;
	list->is_file = false;
	cluster_forget(&list->cluster);
}

static int plan_list(struct call *call, struct request_plan *plan)
{
	struct list_call *list = list_of(call);

	if (call->fetch->unlisted)
		return err_set(&call->err, -EOPNOTSUPP,
		    "the federation has no listings here; open files by "
		    "their path");
	if (!list->by_page &&
	    !profile_ask_dav(&call->server->profile, call->fetch->now_ms))
		list->by_page = true;
	drop_parsers(list);
	/* On its way through a redirector it has not begun anew. */
	if (!list->more && call->target.size_bytes == 0)
		begin_anew(list);
	list->more = false;
	plan->tried = cluster_tried(&list->cluster);
	call->slash = true; /* without, nginx and Apache redirect */
	if (list->by_page) {
		plan->method = REQUEST_GET;
		plan->pages = true;
		return 0;
	}
	plan->method = REQUEST_PROPFIND;
	plan->body = dav_body_attributes;
	plan->depth_one = true;
	return 0;
}

static void on_self(void *arg, const struct fetch_stat *stat)
{
	struct list_call *list = arg;

	/* One path, answered for twice: the first answer counts. */
	if (!list->self_seen)
		list->is_file = stat->kind == FETCH_FILE;
	list->self_seen = true;
}

static int on_entry(void *arg, const char *name, const struct fetch_stat *stat)
{
	struct list_call *list = arg;
	struct fetch_stat given = *stat;
	int code;

	if (fetch_is_temporary(name) && !list->lister.all)
		return 0;
	list->given = true;
	call_drop_echo(&list->call, given.version.etag);
	code = list->lister.entry(list->lister.arg, name, &given);
	if (code != 0) {
		list->ended = true;
		list->ended_code = code < 0 ? code : -ECANCELED;
	}
	return code == 0 ? 0 : list->ended_code;
}

static struct verdict make_dav(
    struct list_call *list, const struct response *response)
{
	struct dav_target target = {
	    .arg = list, .self = on_self, .entry = on_entry};

	if (response->problem != NULL)
		return call_again(&list->call, RETRY_BAD, response->problem);
	if (dav_parser_new(
	        &list->dav, list->call.path, response->xrootd, &target) < 0)
		return call_done(&list->call, -ENOMEM, "out of memory");
	return (struct verdict){.kind = VERDICT_TAKE};
}

static struct verdict make_page(
    struct list_call *list, const struct response *response)
{
	struct call *call = &list->call;
	enum index_format format = index_format_of(response->media_type);
	struct index_target target = {.arg = list, .entry = on_entry};

	if (response->problem != NULL)
		return call_again(call, RETRY_BAD, response->problem);
	if (call_is_astray(call))
		return call_done(call, -EIO,
		    "asked for a listing, the server redirects to another "
		    "host that is not in redirect_hosts");
	if (response->encoded || format == INDEX_NONE)
		return call_done(call, -EIO,
		    "the server lists directories neither by PROPFIND nor by "
		    "an index page");
	if (index_parser_new(&list->page, format, &call->server->source,
	        call->path, response->xrootd, &target) < 0)
		return call_done(call, -ENOMEM, "out of memory");
	return (struct verdict){.kind = VERDICT_TAKE};
}

/* A server of a cluster has been asked: is there another? */
static struct verdict next_server(struct list_call *list)
{
	struct call *call = &list->call;
	int code = cluster_asked(&list->cluster, buf_text(&call->target));

	if (code == 0)
		return (struct verdict){.kind = VERDICT_DONE};
	if (code < 0)
		return call_done(call, code == -ENOMEM ? code : -EIO,
		    "a cluster of too many servers for a listing");
	list->more = true;
	return (struct verdict){.kind = VERDICT_STEP};
}

/* No 207: what does a redirector, or a server that it led to, say? */
static struct verdict head_of_cluster(
    struct list_call *list, const struct response *response)
{
	struct call *call = &list->call;
	bool at_server = call->target.size_bytes > 0;
	struct verdict verdict;

	/* Nobody is left, or the directory was removed there meanwhile. */
	if (list->cluster.count > 0 && response->status == 404)
		return at_server ? next_server(list)
		                 : (struct verdict){.kind = VERDICT_DONE};
	verdict = call_verdict_of(call, response);
	if (verdict.kind == VERDICT_REDIRECT)
		list->cluster.led = response->xrootd;
	return verdict;
}

static struct verdict head(struct call *call, const struct response *response)
{
	struct list_call *list = list_of(call);
	struct verdict verdict;

	if (list->by_page) {
		if (response->status == 200)
			return make_page(list, response);
		verdict = call_verdict_of(call, response);
		if (verdict.kind == VERDICT_REFUSED && list->fell_back) {
			list->by_page = false;
			list->fell_back = false;
		}
		return verdict;
	}
	if (response->status == 207)
		return make_dav(list, response);
	if (list->cluster.count == 0 &&
	    stat_not_understood(&call->server->profile, response)) {
		list->by_page = true;
		list->fell_back = true;
		return (struct verdict){.kind = VERDICT_STEP};
	}
	return head_of_cluster(list, response);
}

static struct verdict after_parser(
    struct list_call *list, int code, const struct err *err)
{
	if (code == 0)
		return (struct verdict){.kind = VERDICT_TAKE};
	if (list->ended)
		return call_done(
		    &list->call, list->ended_code, "no longer wanted");
	if (code == -ENOMEM)
		return call_done(&list->call, code, "out of memory");
	return call_again(&list->call, RETRY_BAD, err->text);
}

static struct verdict body(
    struct call *call, const void *bytes, size_t size_bytes)
{
	struct list_call *list = list_of(call);
	struct err err = ERR_INIT;
	int code;

	if (call->request->body_bytes > FETCH_LIST_BYTES_MAX)
		return call_done(call, -EIO, "a listing without end");
	if (list->dav != NULL)
		code = dav_parser_feed(list->dav, bytes, size_bytes, &err);
	else
		code = index_parser_feed(list->page, bytes, size_bytes, &err);
	return after_parser(list, code, &err);
}

static struct verdict end(struct call *call, bool whole)
{
	struct list_call *list = list_of(call);
	struct profile *profile = &call->server->profile;
	struct verdict verdict;
	struct err err = ERR_INIT;

	if (!whole)
		return (struct verdict){.kind = VERDICT_NONE};
	if (list->dav != NULL)
		verdict =
		    after_parser(list, dav_parser_end(list->dav, &err), &err);
	else
		verdict = after_parser(
		    list, index_parser_end(list->page, &err), &err);
	if (verdict.kind != VERDICT_TAKE)
		return verdict;
	if (list->dav != NULL)
		profile_dav_works(profile);
	else if (list->fell_back)
		profile_dav_fails(profile, call->fetch->now_ms);
	if (list->is_file)
		return call_done(call, -ENOTDIR, "a file, not a directory");
	if (list->cluster.led && call->target.size_bytes > 0)
		return next_server(list);
	return (struct verdict){.kind = VERDICT_DONE};
}

static void list_answered(struct call *call, int code, const struct err *err)
{
	struct list_call *list = list_of(call);

	list->lister.done(list->lister.arg, code, err);
}

static void fini(struct call *call)
{
	drop_parsers(list_of(call));
	cluster_fini(&list_of(call)->cluster);
}

static const struct call_kind list_kind = {
    .name = "listing",
    .size_bytes = sizeof(struct list_call),
    .silent_ms = FETCH_SILENT_LIST_MS,
    .right = TOKENS_LIST,
    .lists = true,
    .ask = plan_list,
    .head = head,
    .body = body,
    .end = end,
    .answer = list_answered,
    .fini = fini,
};

uint64_t fetch_list(struct fetch *fetch, const struct ident *ident,
    const char *path, bool demand, const struct fetch_lister *lister)
{
	struct call_ask what = {.ident = ident, .path = path, .demand = demand};
	struct call *call = call_new(fetch, &list_kind, &what);
	struct err err;

	if (call == NULL) {
		(void)err_set(&err, -ENOMEM, "out of memory");
		lister->done(lister->arg, -ENOMEM, &err);
		return UINT64_MAX;
	}
	list_of(call)->lister = *lister;
	cluster_init(&list_of(call)->cluster);
	return call_post(call);
}
