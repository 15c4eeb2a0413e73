/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/change.c - what is changed without bytes of ours: removing, making,
 * moving, copying. See change.h.
 *
 * WebDAV means more than a file system does: DELETE and an overwriting MOVE
 * take whole trees. What would be lost so is looked at just before, where the
 * server does not refuse it by itself.
 *
 * Threads: the fetch thread, but what change.h has.
 */
#include "fetch/changes/change_impl.h"
#include "fetch/reads/stat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void change_finish(struct change *change, int code, const struct err *err)
{
	struct err none = ERR_INIT;

	change->answer(change->arg, code, code == 0 ? &none : err);
	free(change->left);
	free(change);
}

static void look(struct change *change, const char *path, fetch_stat_fn answer)
    REQUIRES(fetch_thread);

static void look(struct change *change, const char *path, fetch_stat_fn answer)
{
	struct call *call = stat_call_new(change->fetch,
	    &(struct call_ask){.ident = &change->ident,
	        .path = path,
	        .demand = true,
	        .change = true},
	    answer, change);

	if (call == NULL)
		change_finish(change,
		    err_set(&change->err, -ENOMEM, "out of memory"),
		    &change->err);
	else
		call_start(call);
}

/* The answer to the change was lost, and now it says `change->err`: it has
 * been done if the directory is there... */
static void on_made(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct change *change = arg;
	bool made = code == 0 && stat->kind == change->kind;

	(void)err;
	fetch_assert_thread(change->fetch);
	change_finish(change, made ? 0 : change->err.code, &change->err);
}

/* ...or what was to be moved is not. */
static void on_gone(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct change *change = arg;

	(void)stat;
	(void)err;
	fetch_assert_thread(change->fetch);
	change_finish(
	    change, code == -ENOENT ? 0 : change->err.code, &change->err);
}

/* What an errno means when the request may have been done before. */
static void judge_lost(struct change *change, int code) REQUIRES(fetch_thread);

static void judge_lost(struct change *change, int code)
{
	if (change->method == REQUEST_DELETE && code == -ENOENT)
		change_finish(change, 0, &change->err);
	else if (change->method == REQUEST_MKCOL && code == -EEXIST)
		look(change, change->path, on_made);
	else if (change->method == REQUEST_MOVE && code == -ENOENT)
		look(change, change->to, on_made);
	else if (change->method == REQUEST_MOVE && code == -EEXIST)
		look(change, change->path, on_gone);
	else
		change_finish(change, code, &change->err);
}

/* What is in the way of a new directory, or of what is moved. */
static int judge_target(struct change *change, const struct fetch_stat *stat)
{
	struct err *err = &change->err;

	if (!change->replace)
		return err_set(err, -EEXIST, "something has this name");
	if (stat->kind != FETCH_DIRECTORY && change->kind == FETCH_DIRECTORY)
		return err_set(err, -ENOTDIR, "a file has this name");
	if (stat->kind == FETCH_DIRECTORY && change->kind != FETCH_DIRECTORY)
		return err_set(err, -EISDIR, "a directory has this name");
	if (stat->kind == FETCH_DIRECTORY)
		return err_set(
		    err, -EEXIST, "a directory has this name; remove it first");
	return 0;
}

/* 409: a directory that is not there, or one that is. */
static void on_conflict(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct change *change = arg;

	(void)err;
	fetch_assert_thread(change->fetch);
	if (code == 0)
		(void)judge_target(change, stat);
	change_finish(change, change->err.code, &change->err);
}

static void on_change(void *arg, const struct change_result *result)
{
	struct change *change = arg;

	fetch_assert_thread(change->fetch);
	change->err = *result->err;
	if (result->status == 409 && result->code != 0 && change->to != NULL)
		look(change, change->to, on_conflict);
	else if (result->lost && result->code != 0)
		judge_lost(change, result->code);
	else
		change_finish(change, result->code, &change->err);
}

void change_ask_now(struct change *change)
{
	change_call_start(change->fetch,
	    &(struct change_ask){.ident = &change->ident,
	        .path = change->path,
	        .method = change->method,
	        .directory = change->kind == FETCH_DIRECTORY,
	        .repeatable = true,
	        .to = change->to,
	        .overwrite = change->replace,
	        .create_only =
	            change->method == REQUEST_COPY && !change->replace},
	    on_change, change);
}

static void on_target(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct change *change = arg;
	const struct writing *writing = &change->fetch->origin->writing;

	fetch_assert_thread(change->fetch);
	if (code == 0)
		code = judge_target(change, stat);
	else if (code == -ENOENT || change_is_refusal(code))
		code = 0; /* who may only write cannot look */
	else
		change->err = *err;
	if (code == 0 && change->method == REQUEST_COPY &&
	    writing->software == WRITING_XROOTD)
		code = err_set(&change->err, -ENOTSUP,
		    "this server copies between servers alone");
	if (code == 0)
		change_ask_now(change);
	else
		change_finish(change, code, &change->err);
}

/* Whether the server would do harm, or as if nothing was, without a look. */
static bool needs_look(const struct change *change)
{
	const struct writing *writing = &change->fetch->origin->writing;

	if (writing->software == WRITING_UNSEEN)
		return change->method != REQUEST_DELETE;
	switch (change->method) {
	case REQUEST_MKCOL:
		return writing->software == WRITING_XROOTD;
	case REQUEST_MOVE:
	case REQUEST_COPY:
		if (!change->replace)
			return !writing_keeps_overwrite(writing);
		/* These two rename as rename(2) does, files at least. */
		return change->kind == FETCH_DIRECTORY ||
		    (writing->software != WRITING_XROOTD &&
		        writing->software != WRITING_NGINX);
	case REQUEST_DELETE:
	case REQUEST_GET:
	case REQUEST_HEAD:
	case REQUEST_PROPFIND:
	case REQUEST_PUT:
		break;
	}
	return false;
}

static void begin(struct change *change) REQUIRES(fetch_thread);

static void begin(struct change *change)
{
	if (needs_look(change))
		look(change, change->to != NULL ? change->to : change->path,
		    on_target);
	else
		change_ask_now(change);
}

static void deliver(struct post *post, struct fetch *fetch)
{
	struct change *change = CONTAINER_OF(post, struct change, post);

	fetch_assert_thread(fetch);
	if (change->method == REQUEST_DELETE && change->kind == FETCH_DIRECTORY)
		change_rmdir(change);
	else
		begin(change);
}

/* A question with room for its texts; NULL: it has been answered. */
static struct change *change_new(struct fetch *fetch,
    const struct fetch_move *move, fetch_changed_fn answer, void *arg)
{
	size_t path_bytes = strlen(move->from) + 1;
	size_t to_bytes = move->to == NULL ? 0 : strlen(move->to) + 1;
	struct change *change =
	    calloc(1, sizeof(*change) + path_bytes + to_bytes);
	char *text = (char *)(change + 1);
	struct err err;

	if (change == NULL) {
		(void)err_set(&err, -ENOMEM, "out of memory");
		answer(arg, -ENOMEM, &err);
		return NULL;
	}
	memcpy(text, move->from, path_bytes);
	if (move->to != NULL)
		memcpy(text + path_bytes, move->to, to_bytes);
	change->post.deliver = deliver;
	change->fetch = fetch;
	change->ident = *move->ident;
	change->path = text;
	change->to = move->to == NULL ? NULL : text + path_bytes;
	change->kind = move->kind;
	change->replace = move->replace;
	change->answer = answer;
	change->arg = arg;
	return change;
}

static void post(struct fetch *fetch, enum request_method method,
    const struct fetch_move *move, fetch_changed_fn answer, void *arg)
{
	struct change *change = change_new(fetch, move, answer, arg);

	if (change == NULL)
		return;
	change->method = method;
	if (!mailbox_send(fetch->mailbox, &change->post))
		change_finish(change,
		    err_set(&change->err, -ECANCELED, "unmounting"),
		    &change->err);
}

void fetch_delete(struct fetch *fetch, const struct ident *ident,
    const char *path, fetch_changed_fn answer, void *arg)
{
	post(fetch, REQUEST_DELETE,
	    &(struct fetch_move){
	        .ident = ident, .from = path, .kind = FETCH_FILE},
	    answer, arg);
}

void fetch_rmdir(struct fetch *fetch, const struct ident *ident,
    const char *path, fetch_changed_fn answer, void *arg)
{
	post(fetch, REQUEST_DELETE,
	    &(struct fetch_move){
	        .ident = ident, .from = path, .kind = FETCH_DIRECTORY},
	    answer, arg);
}

void fetch_mkcol(struct fetch *fetch, const struct ident *ident,
    const char *path, fetch_changed_fn answer, void *arg)
{
	post(fetch, REQUEST_MKCOL,
	    &(struct fetch_move){
	        .ident = ident, .from = path, .kind = FETCH_DIRECTORY},
	    answer, arg);
}

void fetch_move(struct fetch *fetch, const struct fetch_move *move,
    fetch_changed_fn answer, void *arg)
{
	post(fetch, REQUEST_MOVE, move, answer, arg);
}

void fetch_copy(struct fetch *fetch, const struct fetch_move *copy,
    fetch_changed_fn answer, void *arg)
{
	post(fetch, REQUEST_COPY, copy, answer, arg);
}
