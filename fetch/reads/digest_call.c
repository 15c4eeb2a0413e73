/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/digest_call.c - the checksum that the origin tells of a file: HEAD,
 * with the fields that ask for one.
 *
 * One answer counts, whatever it is. A refusal is none of the token: servers
 * let read who may not have sums made (XCache says 404 to this of a file that
 * it gives). Only a lost connection is tried again.
 *
 * Threads: the fetch thread, but fetch_digest().
 * Sources: RFC 9530 section 4; RFC 3230 section 4.3.1.
 */
#include "fetch/calls/request.h"
#include "fetch/engine.h"

#include <errno.h>
#include <string.h>

enum {
	/* Servers compute it while we wait. */
	DIGEST_SILENT_MS = 60 * 60 * 1000,
	/* XRootD 5.5.3 forgets one now and then (of files of a byte, one in
	 * 300: measured), and those that wait for their turn would wait for it.
	 * It is asked again when no disk would take as long. */
	DIGEST_APART_BYTES_PER_MS = 10 * 1000,
	DIGEST_APART_TRIES = 3,
};

struct digest_call {
	struct call call; /* first */
	fetch_digest_fn answer;
	void *arg;
	struct fetch_version version;
	struct fetch_digest digest;
};

static struct digest_call *digest_of(struct call *call)
{
	return CONTAINER_OF(call, struct digest_call, call);
}

/* Where others wait for their turn. */
static int limit(struct call *call)
{
	uint64_t size_bytes = digest_of(call)->version.size_bytes;

	call->silent_ms =
	    FETCH_SILENT_MS + size_bytes / DIGEST_APART_BYTES_PER_MS;
	return call->failures < DIGEST_APART_TRIES
	    ? 0
	    : err_set(&call->err, -ETIMEDOUT, "no checksum comes");
}

static int plan_digest(struct call *call, struct request_plan *plan)
{
	if (profile_digests_apart(&call->server->profile)) {
		int code = limit(call);

		if (code < 0)
			return code;
	}
	plan->method = REQUEST_HEAD;
	plan->digest = true;
	return 0;
}

/* As far as the answer tells. */
static bool is_of(
    const struct digest_call *digest, const struct response *response)
{
	const struct fetch_version *version = &digest->version;
	bool times_differ = digest->call.server->profile.times_differ;

	if (response->length_known &&
	    response->length_bytes != version->size_bytes)
		return false;
	if (version->etag[0] != '\0' && response->etag[0] != '\0')
		return strcmp(version->etag, response->etag) == 0;
	return times_differ || version->mtime_s < 0 ||
	    response->modified_s < 0 ||
	    response->modified_s == version->mtime_s;
}

static struct verdict head(struct call *call, const struct response *response)
{
	struct digest_call *digest = digest_of(call);
	struct profile *profile = &call->server->profile;

	if (response->status >= 300 && response->status < 400)
		return call_verdict_of(call, response);
	if (response->status != 200 || response->problem != NULL)
		return call_done(call, -ENODATA, "no checksum");
	profile_digest(profile, &response->digest, call->fetch->now_ms);
	if (!response->digest.known)
		return call_done(call, -ENODATA, "no checksum");
	if (!is_of(digest, response))
		return call_done(call, -ESTALE, "the file has changed");
	digest->digest = response->digest;
	return (struct verdict){.kind = VERDICT_DONE};
}

static struct verdict body(
    struct call *call, const void *bytes, size_t size_bytes)
{
	(void)bytes;
	(void)size_bytes;
	return call_done(call, -ENODATA, "a body to HEAD");
}

static struct verdict end(struct call *call, bool whole)
{
	(void)call;
	(void)whole;
	return (struct verdict){.kind = VERDICT_NONE};
}

static void answered(struct call *call, int code, const struct err *err)
{
	struct digest_call *digest = digest_of(call);

	(void)err;
	digest->answer(digest->arg, code, code == 0 ? &digest->digest : NULL);
}

static const struct call_kind digest_kind = {
    .name = "checksum",
    .size_bytes = sizeof(struct digest_call),
    .silent_ms = DIGEST_SILENT_MS,
    .right = TOKENS_LOOK,
    .aside = true,
    .ask = plan_digest,
    .head = head,
    .body = body,
    .end = end,
    .answer = answered,
};

void fetch_digest(struct fetch *fetch, const struct fetch_digest_ask *ask,
    fetch_digest_fn answer, void *arg)
{
	struct call *call = call_new(fetch, &digest_kind,
	    &(struct call_ask){.ident = ask->ident,
	        .path = ask->path,
	        .deadline_ms = ask->deadline_ms,
	        /* Who waits for it does so for a moment. */
	        .demand = ask->deadline_ms != 0,
	        .bytes = UINT64_MAX});

	if (call == NULL) {
		answer(arg, -ENOMEM, NULL);
		return;
	}
	digest_of(call)->version = *ask->version;
	digest_of(call)->answer = answer;
	digest_of(call)->arg = arg;
	(void)call_post(call);
}
