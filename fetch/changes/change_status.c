/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/change_status.c - what the status of an answer to a change means.
 *
 * What means the same as for a read (refused, elsewhere, busy, 5xx) is
 * fetch/calls/status.tbl.h's; here is what differs by method.
 *
 * Sources: RFC 4918 sections 9.3, 9.6, 9.7, 9.8, 9.9, 11; RFC 9110 sections
 * 15.4, 15.5.
 */
#include "fetch/answers/response.h"
#include "fetch/changes/change_call.h"

#include <errno.h>

enum {
	ON_PUT = 1 << REQUEST_PUT,
	ON_DELETE = 1 << REQUEST_DELETE,
	ON_MKCOL = 1 << REQUEST_MKCOL,
	ON_MOVE = 1 << REQUEST_MOVE,
	ON_COPY = 1 << REQUEST_COPY,
	ON_ALL = ON_PUT | ON_DELETE | ON_MKCOL | ON_MOVE | ON_COPY,
};

struct row {
	int status;
	unsigned methods;
	int code;
	const char *why;
};

static const struct row rows[] = {
    {404, ON_PUT | ON_MKCOL, ENOENT,
        "the directory it is to be in is not there; make it"},
    {405, ON_MKCOL, EEXIST, "something has this name"},
    {405, ON_ALL, ENOTSUP,
        "the server does not change anything here; write to another place"},
    {501, ON_ALL, ENOTSUP,
        "the server has no such method; write to another place"},
    /* nginx without its slash; Apache and nginx to Depth: 0 */
    {409, ON_DELETE, EISDIR, "a directory has this name"},
    {400, ON_DELETE, EISDIR, "a directory has this name"},
    {409, ON_ALL, ENOENT, "the directory it is to be in is not there; make it"},
    {413, ON_ALL, EFBIG,
        "larger than the server takes; ask its administrator, or write it "
        "in parts"},
    {415, ON_ALL, ENOTSUP, "the server does not take such files"},
    {422, ON_ALL, EIO, "the server does not understand the change"},
    {423, ON_ALL, EBUSY, "locked, or somebody writes it; try again later"},
    {507, ON_ALL, EDQUOT,
        "no space or quota left on the server; remove files there, or ask "
        "for more"},
};

bool change_is_refusal(int code)
{
	return code == -EACCES || code == -EKEYREJECTED ||
	    code == -EKEYEXPIRED || code == -ENOKEY;
}

static const struct row *find_row(int status, enum request_method method)
{
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (rows[i].status == status &&
		    (rows[i].methods & 1U << method) != 0)
			return &rows[i];
	}
	return NULL;
}

static struct verdict done(
    struct call *call, int status, int code, const char *why)
{
	(void)err_set(&call->err, code, "%s: %s: status %d: %s",
	    call->server->source.origin, call->kind->name, status, why);
	return (struct verdict){.kind = VERDICT_DONE, .code = code};
}

struct verdict change_verdict(
    struct call *call, enum request_method method, bool must_be_absent)
{
	const struct response *response = &call->request->response;
	int status = response->status;
	const struct row *row = find_row(status, method);

	/* A page from somewhere else (a login, say) has changed nothing. */
	if (status >= 200 && status <= 299 && call_is_astray(call))
		return done(call, status, -EIO,
		    "the server redirects to another host that is not in "
		    "redirect_hosts");
	if (status == 200 || status == 201 || status == 204)
		return (struct verdict){.kind = VERDICT_DONE};
	if (row != NULL)
		return done(call, status, -row->code, row->why);
	/* XRootD of a directory that is not empty. */
	if (status == 500 && method == REQUEST_DELETE && response->xrootd)
		return done(call, status, call->slash ? -ENOTEMPTY : -EISDIR,
		    "the server does not remove it; is it a directory with "
		    "something in it?");
	if (status == 412 && must_be_absent)
		return done(call, status, -EEXIST, "something has this name");
	/* These ask for something else, by GET; but one that adds a slash is
	 * looked at as always. */
	if (status == 303 || (status >= 200 && status <= 299))
		return done(call, status, -EIO,
		    "an answer to something else; nobody knows what was done");
	return call_verdict_of(call, response);
}
