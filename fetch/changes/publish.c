/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/publish.c - a file is put on the server whole: see publish_impl.h.
 *
 * Threads: the fetch thread, but fetch_publish().
 */
#include "base/clock.h"
#include "fetch/changes/publish_impl.h"
#include "fetch/changes/temporary.h"
#include "tokens/tokens.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *publish_target(const struct publish *publish)
{
	return publish->by_temporary ? publish->temporary : publish->path;
}

/* Answer and forget. */
static void finish(struct publish *publish)
{
	if (publish->out.leftover == NULL)
		publish->out.leftover = "";
	if (publish->code == 0)
		publish->err = (struct err)ERR_INIT;
	publish->answer(
	    publish->arg, publish->code, &publish->out, &publish->err);
	feed_put(publish->feed);
	free(publish);
}

void publish_done(struct publish *publish)
{
	publish_end_growing(publish);
	publish->code = 0;
	publish->out.sent = true;
	publish->out.removed = false;
	finish(publish);
}

static void on_clean(void *arg, const struct change_result *result)
{
	struct publish *publish = arg;

	fetch_assert_thread(publish->fetch);
	publish->temporary_there = false;
	if (result->code != 0 &&
	    (result->code != -ENOENT || publish->temporary_late))
		publish->out.leftover = publish->temporary;
	if (publish->anew && publish->out.leftover == NULL) {
		publish->anew = false;
		publish_choose(publish);
		return;
	}
	finish(publish);
}

/* The temporary name is not to stay. */
static void clean(struct publish *publish) REQUIRES(fetch_thread);

static void clean(struct publish *publish)
{
	struct fetch *fetch = publish->fetch;

	if (mailbox_is_closed(fetch->mailbox)) {
		publish->out.leftover = publish->temporary;
		finish(publish);
		return;
	}
	change_call_start(fetch,
	    &(struct change_ask){.ident = &publish->ident,
	        .path = publish->temporary,
	        .deadline_ms = fetch->now_ms + PUBLISH_CLEAN_MS,
	        .method = REQUEST_DELETE,
	        .patient = true,
	        .repeatable = true},
	    on_clean, publish);
}

void publish_fail(struct publish *publish, int code, const struct err *err)
{
	assert(code < 0);
	publish_end_growing(publish);
	publish->code = code;
	publish->err = *err;
	publish->err.code = code;
	publish->guessed = false;
	if (publish->temporary_there)
		clean(publish);
	else
		finish(publish);
}

/* A token whose scope has a file or may only create there. */
static bool leaves_out(struct fetch *fetch, const struct ident *ident,
    const char *path, enum tokens_right right)
{
	struct tokens_explained explained;

	tokens_explain(fetch->tokens, ident, path, right, &explained);
	return explained.outside;
}

static bool may_only_create(
    struct fetch *fetch, const struct ident *ident, const char *path)
{
	return leaves_out(fetch, ident, path, TOKENS_MODIFY) &&
	    !leaves_out(fetch, ident, path, TOKENS_CREATE);
}

/* Where nothing is, nothing can suffer of doing without. */
static bool does_without(struct fetch *fetch, const struct ident *ident,
    const char *temporary, enum fetch_condition condition)
{
	return condition == FETCH_IF_ABSENT &&
	    leaves_out(fetch, ident, temporary, TOKENS_MODIFY);
}

void fetch_temporary(struct fetch *fetch, const struct ident *ident,
    const char *path, enum fetch_condition condition, char out[PATH_BYTES_MAX])
{
	if (temporary_name(out, path) < 0 ||
	    may_only_create(fetch, ident, path) ||
	    does_without(fetch, ident, out, condition))
		out[0] = '\0';
}

/* Whether something is to be compared before the PUT. */
static bool needs_look(const struct publish *publish)
{
	if (publish->by_temporary || publish->condition == FETCH_IF_ANY)
		return false;
	if (!writing_keeps_conditions(&publish->fetch->origin->writing))
		return true;
	return publish->condition == FETCH_IF_SAME &&
	    publish->version.etag[0] == '\0';
}

/* Whether it can be sent before it is whole: as safely as if it were. */
static bool may_grow(const struct publish *publish)
{
	const struct writing *writing = &publish->fetch->origin->writing;

	return publish->by_temporary && writing_put_is_whole(writing) &&
	    (publish->condition == FETCH_IF_ABSENT
	            ? writing_keeps_overwrite(writing)
	            : !writing_keeps_conditions(writing));
}

void publish_choose(struct publish *publish)
{
	const struct fetch_server *origin = publish->fetch->origin;
	const struct writing *writing = &origin->writing;
	/* What grows may stand there long after the condition was kept. */
	bool needs_move = !writing_put_is_whole(writing) || publish->grows ||
	    (publish->condition == FETCH_IF_ABSENT &&
	        !writing_keeps_conditions(writing));
	int code = publish->temporary[0] != '\0'
	    ? 0
	    : temporary_name(publish->temporary, publish->path);

	publish->create_only =
	    may_only_create(publish->fetch, &publish->ident, publish->path);
	publish->by_temporary = needs_move && !writing->no_move &&
	    !publish->create_only &&
	    !does_without(publish->fetch, &publish->ident, publish->temporary,
	        publish->condition);
	publish->out.leftover = NULL;
	if (publish->grows && !may_grow(publish)) {
		publish_fail(publish,
		    err_set(&publish->err, -ENOTSUP,
		        "not before its length is known"),
		    &publish->err);
		return;
	}
	if (profile_name_ok(&origin->profile, publish->path) < 0) {
		publish_fail(publish,
		    err_set(&publish->err, -EINVAL,
		        "this server cannot carry a '?' in a name"),
		    &publish->err);
		return;
	}
	if (publish->by_temporary && code < 0) {
		publish_fail(publish,
		    err_set(&publish->err, code,
		        "no temporary name beside it: %s", err_message(-code)),
		    &publish->err);
		return;
	}
	if (needs_look(publish))
		publish_look_before(publish);
	else
		publish_put(publish);
}

static void put_failed(struct publish *publish,
    const struct change_result *result) REQUIRES(fetch_thread);

static void put_failed(
    struct publish *publish, const struct change_result *result)
{
	int code = result->code;
	bool refused = change_is_refusal(code);
	/* What stands there may be the reason. */
	bool explicable = result->status == 409 ||
	    (publish->create_only &&
	        (code == -EACCES || code == -EKEYREJECTED));

	/* Else refused before a byte of it was taken. */
	publish->temporary_there = publish->by_temporary &&
	    (result->lost || !(refused || code == -ENOENT));
	/* A server that is slow takes up what was sent on a connection that is
	 * closed by then; some throw it away when it is not whole. */
	publish->temporary_late = publish->temporary_there && result->lost &&
	    !(code == -ECANCELED &&
	        writing_put_is_whole(&publish->fetch->origin->writing));
	if (code == -EINPROGRESS) {
		publish_look_lost(publish, result->last, result->err);
	} else if (explicable && !publish->by_temporary && !result->lost) {
		publish_look_why(publish, code, result->err);
	} else if (code == -EIO && result->status >= 400) {
		publish_look_parent(publish, code, result->err);
	} else {
		publish_fail(publish, code, result->err);
	}
}

static void on_put(void *arg, const struct change_result *result)
{
	struct publish *publish = arg;

	fetch_assert_thread(publish->fetch);
	publish->given = true;
	if (result->code != 0) {
		put_failed(publish, result);
		return;
	}
	publish->temporary_there = publish->by_temporary;
	publish->out.sent = !publish->by_temporary;
	publish_check(publish);
}

void publish_put(struct publish *publish)
{
	const struct fetch *fetch = publish->fetch;
	bool straight = !publish->by_temporary;
	bool small = feed_size_bytes(publish->feed) <= FEED_SMALL_BYTES;
	struct change_ask ask = {
	    .ident = &publish->ident,
	    .path = publish_target(publish),
	    .number = publish->number,
	    .method = REQUEST_PUT,
	    .create_only = straight &&
	        (publish->create_only || publish->condition == FETCH_IF_ABSENT),
	    /* Sent twice it is the same, where nothing else may happen. */
	    .repeatable = !straight ||
	        (publish->condition == FETCH_IF_ANY && !publish->create_only),
	    .patient = !straight,
	    .refusal_likely = publish->create_only,
	    .upload = publish->feed,
	    .if_absent = straight && publish->condition == FETCH_IF_ABSENT,
	    .if_match = straight ? publish->if_match : NULL,
	    .mtime_s = publish->mtime_s,
	};

	if (publish->until_ms == 0)
		publish->until_ms = fetch->now_ms + fetch->timeout_ms;
	/* The rounds have one time; a large one shows that it goes on. */
	if (small && !publish->grows)
		ask.deadline_ms = publish->until_ms;
	publish->compared = false;
	publish->given = false;
	change_call_start(publish->fetch, &ask, on_put, publish);
}

void publish_sent(struct publish *publish)
{
	const struct writing *writing = &publish->fetch->origin->writing;

	if (!publish->by_temporary)
		publish_done(publish);
	else if (publish->condition == FETCH_IF_ANY ||
	    (publish->condition == FETCH_IF_ABSENT &&
	        writing_keeps_overwrite(writing)))
		publish_move(publish);
	else
		publish_look_before(publish);
}

/* The first step, on the fetch thread. */
static void deliver(struct post *post, struct fetch *fetch)
{
	struct publish *publish = CONTAINER_OF(post, struct publish, post);
	const struct fetch_server *origin = fetch->origin;
	enum fetch_algorithm algorithm = FETCH_ADLER32;
	enum fetch_digests told = fetch_digests(fetch, &algorithm);

	fetch_assert_thread(fetch);
	if (publish->grows)
		publish_begin_growing(publish);
	/* What XRootD says first when it is asked, and keeps. */
	if (told == FETCH_DIGESTS_TOLD ||
	    (told == FETCH_DIGESTS_UNKNOWN &&
	        origin->writing.software == WRITING_XROOTD))
		feed_want_digest(publish->feed, algorithm);
	if (origin->writing.software == WRITING_UNSEEN)
		publish_meet(publish);
	else
		publish_choose(publish);
}

static struct publish *publish_new(struct fetch *fetch,
    const struct fetch_publish *ask, fetch_published_fn answer, void *arg)
{
	size_t path_bytes = strlen(ask->path) + 1;
	struct publish *publish = calloc(1, sizeof(*publish) + path_bytes);
	char *path = (char *)(publish + 1);

	if (publish == NULL)
		return NULL;
	memcpy(path, ask->path, path_bytes);
	publish->post.deliver = deliver;
	publish->fetch = fetch;
	publish->ident = *ask->ident;
	publish->path = path;
	publish->condition = ask->condition;
	if (ask->condition == FETCH_IF_SAME) {
		publish->version = *ask->version;
		memcpy(publish->if_match, ask->version->etag,
		    sizeof(publish->if_match));
	}
	publish->mtime_s = ask->mtime_s;
	if (ask->temporary != NULL)
		(void)snprintf(publish->temporary, sizeof(publish->temporary),
		    "%s", ask->temporary);
	publish->grows = ask->bytes.grows;
	publish->answer = answer;
	publish->arg = arg;
	publish->began_s = clock_wall_s(fetch->clock);
	return publish;
}

uint64_t fetch_publish(struct fetch *fetch, const struct fetch_publish *ask,
    fetch_published_fn answer, void *arg)
{
	static const struct fetch_published nothing = {.leftover = ""};
	uint64_t number = atomic_fetch_add(&fetch->last_number, 1) + 1;
	struct publish *publish = publish_new(fetch, ask, answer, arg);
	struct feed *feed = NULL;
	int code = feed_new(&feed, fetch, &ask->bytes);
	struct err err = ERR_INIT;

	if (code < 0 || publish == NULL) {
		feed_put(feed);
		free(publish);
		code = code < 0 ? code : -ENOMEM;
		(void)err_set(&err, code,
		    "the bytes to be sent cannot be "
		    "read: %s",
		    err_message(-code));
		answer(arg, code, &nothing, &err);
		return number;
	}
	publish->feed = feed;
	publish->number = number;
	if (!mailbox_send(fetch->mailbox, &publish->post)) {
		publish->code =
		    err_set(&publish->err, -ECANCELED, "unmounting");
		finish(publish);
	}
	return number;
}
