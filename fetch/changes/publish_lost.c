/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/publish_lost.c - what has become of a file whose upload, or renaming,
 * had no answer or one that may mean several things: see publish_impl.h.
 *
 * Threads: the fetch thread.
 */
#include "fetch/changes/publish_impl.h"

#include <assert.h>
#include <errno.h>

/* Whether what stands there can be what was sent a moment ago. */
static bool is_ours(
    const struct publish *publish, const struct fetch_stat *stat)
{
	int64_t since_s = (int64_t)publish->began_s - PUBLISH_CLOCK_S;
	int64_t skew_s = 0;

	if (fetch_skew_s(publish->fetch, &skew_s))
		since_s -= skew_s;
	return stat->kind == FETCH_FILE &&
	    stat->version.size_bytes == feed_size_bytes(publish->feed) &&
	    (stat->version.mtime_s < 0 || stat->version.mtime_s >= since_s ||
	        stat->version.mtime_s == publish->mtime_s);
}

static bool is_late(const struct publish *publish)
{
	return feed_size_bytes(publish->feed) <= FEED_SMALL_BYTES &&
	    publish->fetch->now_ms >= publish->until_ms;
}

/* Nobody knows whether a PUT was done. As before: it was not. */
static void on_lost(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct publish *publish = arg;
	bool as_before;

	fetch_assert_thread(publish->fetch);
	if (publish_is_final(code)) {
		publish_fail(publish, code, err);
		return;
	}
	/* Who may not look sends it again: one that may only create is told
	 * when it is there. */
	as_before = change_is_refusal(code) ||
	    (publish_compare(publish, code == 0 ? stat : NULL) == 0 &&
	        !(publish->create_only && code == 0));
	if (as_before && ++publish->rounds < PUBLISH_ROUNDS_MAX &&
	    !is_late(publish)) {
		publish_put(publish);
	} else if (as_before) {
		(void)err_wrap(
		    &publish->last, "sent %u times in vain", publish->rounds);
		if (publish->last.code == -EIO)
			publish_look_parent(publish, -EIO, &publish->last);
		else
			publish_fail(
			    publish, publish->last.code, &publish->last);
	} else if (code == 0 && is_ours(publish, stat)) {
		publish->guessed = true;
		publish->out.sent = true;
		publish_take_check(publish, stat);
	} else {
		if (publish->create_only)
			(void)err_set(&publish->err, -EEXIST,
			    "a part of the file stands there, and the token "
			    "may not replace it; get one that may modify");
		publish_fail(publish, publish->err.code, &publish->err);
	}
}

void publish_look_lost(struct publish *publish, int code, const struct err *err)
{
	assert(code < 0);
	publish->last = *err;
	publish->last.code = code;
	publish->err = (struct err)ERR_INIT;
	publish_look(publish, publish->path, on_lost);
}

/* After a MOVE that says there is no such file, or another in its place: that
 * may be ours. */
static void on_moved(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct publish *publish = arg;
	bool moved = code == 0 &&
	    fetch_version_equal(&stat->version, &publish->out.version);

	(void)err;
	fetch_assert_thread(publish->fetch);
	if (moved && stat->kind == FETCH_FILE) {
		publish->temporary_there = false;
		publish->out.version = stat->version;
		publish_done(publish);
	} else {
		publish_fail(publish, publish->code, &publish->err);
	}
}

void publish_look_moved(
    struct publish *publish, int code, const struct err *err)
{
	publish->code = code;
	publish->err = *err;
	publish_look(publish, publish->path, on_moved);
}

static void on_why(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct publish *publish = arg;
	struct err *why = &publish->err;

	(void)err;
	fetch_assert_thread(publish->fetch);
	if (code == 0 && stat->kind == FETCH_DIRECTORY)
		publish->code = err_set(why, -EISDIR,
		    "a directory has this name; give the file another one");
	else if (publish->create_only && change_is_refusal(publish->code) &&
	    (code == 0 || change_is_refusal(code)))
		publish->code = err_set(why, -EEXIST,
		    "something has this name, and the token may only create; "
		    "give it another one, or get a token that may modify");
	publish_fail(publish, publish->code, why);
}

void publish_look_why(struct publish *publish, int code, const struct err *err)
{
	publish->code = code;
	publish->err = *err;
	publish_look(publish, publish->path, on_why);
}

static void on_parent(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct publish *publish = arg;
	char parent[PATH_BYTES_MAX];

	(void)err;
	fetch_assert_thread(publish->fetch);
	path_parent(parent, publish->path);
	if (code == -ENOENT)
		publish->code = err_set(&publish->err, code,
		    "the directory '%s' is not there; make it", parent);
	else if (code == 0 && stat->kind == FETCH_FILE)
		publish->code = err_set(&publish->err, -ENOTDIR,
		    "'%s' is a file, and no directory any more; rename that, "
		    "and make the directory, or take out what is here",
		    parent);
	/* Below what is no directory nothing is left. */
	if (publish->code != -EIO)
		publish->temporary_there = false;
	publish_fail(publish, publish->code, &publish->err);
}

void publish_look_parent(
    struct publish *publish, int code, const struct err *err)
{
	char parent[PATH_BYTES_MAX];

	publish->code = code;
	publish->err = *err;
	path_parent(parent, publish->path);
	publish_look(publish, parent, on_parent);
}
