/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/publish_look.c - what is looked at on the way of a file to the server,
 * and what that means: see publish_impl.h.
 *
 * Looks ask with the token for looking, which may be another one than that
 * for writing. Where no token may look, the server's yes to exactly so many
 * bytes has to do, and what is there before cannot be compared.
 *
 * Threads: the fetch thread.
 */
#include "fetch/changes/publish_impl.h"
#include "fetch/reads/stat.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void publish_look(
    struct publish *publish, const char *path, fetch_stat_fn answer)
{
	struct call *call = stat_call_new(publish->fetch,
	    &(struct call_ask){.ident = &publish->ident,
	        .path = path,
	        .demand = true,
	        .change = true},
	    answer, publish);

	if (call == NULL) {
		publish_fail(publish,
		    err_set(&publish->err, -ENOMEM, "out of memory"),
		    &publish->err);
		return;
	}
	call->number = publish->given ? 0 : publish->number;
	call_start(call);
}

bool publish_is_final(int code)
{
	return code != 0 && code != -ENOENT && !change_is_refusal(code);
}

int publish_compare(struct publish *publish, const struct fetch_stat *stat)
{
	struct err *err = &publish->err;

	if (stat != NULL) {
		publish->out.version = stat->version;
		publish->out.version_known = true;
	}
	if (stat != NULL && stat->kind == FETCH_DIRECTORY)
		return err_set(err, -EISDIR,
		    "a directory has this name; give the file another one");
	switch (publish->condition) {
	case FETCH_IF_ABSENT:
		if (stat != NULL)
			return err_set(err, -EEXIST,
			    "somebody has made a file of this name; give ours "
			    "another one, or replace it");
		break;
	case FETCH_IF_SAME:
		if (stat == NULL)
			return err_set(err, -ESTALE,
			    "the file was removed meanwhile; send it as a new "
			    "one");
		if (!fetch_version_equal(&stat->version, &publish->version))
			return err_set(err, -ESTALE,
			    "somebody has replaced the file meanwhile; send "
			    "ours under another name, or replace it");
		memcpy(publish->if_match, stat->version.etag,
		    sizeof(publish->if_match));
		break;
	case FETCH_IF_ANY:
		break;
	}
	publish->out.version_known = false;
	return 0;
}

static void on_meet(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct publish *publish = arg;

	fetch_assert_thread(publish->fetch);
	if (publish_is_final(code)) {
		publish_fail(publish, code, err);
		return;
	}
	if (!change_is_refusal(code)) {
		code = publish_compare(publish, code == 0 ? stat : NULL);
		if (code < 0) {
			publish_fail(publish, code, &publish->err);
			return;
		}
		publish->compared = true;
	}
	publish_choose(publish);
}

void publish_meet(struct publish *publish)
{
	publish_look(publish, publish->path, on_meet);
}

static void go_on(struct publish *publish) REQUIRES(fetch_thread);

static void go_on(struct publish *publish)
{
	if (publish->by_temporary)
		publish_move(publish);
	else
		publish_put(publish);
}

static void on_before(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct publish *publish = arg;
	struct fetch_version sent = publish->out.version;
	bool sent_known = publish->out.version_known;

	fetch_assert_thread(publish->fetch);
	if (publish_is_final(code)) {
		publish_fail(publish, code, err);
		return;
	}
	if (!change_is_refusal(code))
		code = publish_compare(publish, code == 0 ? stat : NULL);
	else
		code = 0;
	if (code < 0) {
		publish_fail(publish, code, &publish->err);
		return;
	}
	publish->out.version = sent;
	publish->out.version_known = sent_known;
	go_on(publish);
}

void publish_look_before(struct publish *publish)
{
	/* Just before a PUT the first look at the server does. */
	if (publish->compared && !publish->by_temporary)
		publish_put(publish);
	else
		publish_look(publish, publish->path, on_before);
}

static void on_digest(void *arg, int code, const struct fetch_digest *told)
{
	struct publish *publish = arg;
	struct fetch_digest ours;

	fetch_assert_thread(publish->fetch);
	feed_digest(publish->feed, &ours);
	if (code == -ECANCELED) {
		publish_fail(publish,
		    err_set(&publish->err, code, "unmounting"), &publish->err);
		return;
	}
	if (code == 0 && told->known && ours.algorithm == told->algorithm) {
		if (!fetch_digest_equal(told, &ours)) {
			publish_fail(publish,
			    err_set(&publish->err, -EIO,
			        "the server tells another checksum (%s) than "
			        "that of what was sent; send it again",
			        fetch_digest_name(told->algorithm)),
			    &publish->err);
			return;
		}
		publish->out.proof = FETCH_CHECKSUM;
	}
	publish_sent(publish);
}

/* Of the right size: its checksum, where there is one of ours. */
static void compare_sum(struct publish *publish) REQUIRES(fetch_thread);

static void compare_sum(struct publish *publish)
{
	struct fetch_digest ours;

	feed_digest(publish->feed, &ours);
	if (ours.known &&
	    feed_size_bytes(publish->feed) > PUBLISH_UNSUMMED_BYTES)
		fetch_digest(publish->fetch,
		    &(struct fetch_digest_ask){.ident = &publish->ident,
		        .path = publish_target(publish),
		        .version = &publish->out.version},
		    on_digest, publish);
	else
		publish_sent(publish);
}

void publish_take_check(struct publish *publish, const struct fetch_stat *stat)
{
	uint64_t size_bytes = feed_size_bytes(publish->feed);

	publish->out.version = stat->version;
	publish->out.version_known = true;
	if (stat->kind != FETCH_FILE ||
	    stat->version.size_bytes != size_bytes) {
		publish_fail(publish,
		    err_set(&publish->err, -EIO,
		        "%" PRIu64 " bytes were sent, and %" PRIu64
		        " stand there; look at it, and send it again",
		        size_bytes, stat->version.size_bytes),
		    &publish->err);
		return;
	}
	publish->out.proof = publish->guessed ? FETCH_UNVERIFIED : FETCH_SIZE;
	compare_sum(publish);
}

static void on_check(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct publish *publish = arg;

	fetch_assert_thread(publish->fetch);
	if (code == 0) {
		publish_take_check(publish, stat);
	} else if (change_is_refusal(code)) {
		publish->out.proof = FETCH_UNVERIFIED;
		publish->out.version = (struct fetch_version){
		    .size_bytes = feed_size_bytes(publish->feed),
		    .mtime_s = -1};
		publish->out.version_known = true;
		publish_sent(publish);
	} else if (code == -ENOENT) {
		publish_fail(publish,
		    err_set(&publish->err, -EIO,
		        "the server has taken it, and it is not there; send "
		        "it again"),
		    &publish->err);
	} else {
		publish_fail(publish, code, err);
	}
}

void publish_check(struct publish *publish)
{
	publish_look(publish, publish_target(publish), on_check);
}

static void on_after(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct publish *publish = arg;
	bool there = code == 0 && stat->kind == FETCH_FILE &&
	    stat->version.size_bytes == feed_size_bytes(publish->feed);

	(void)err;
	fetch_assert_thread(publish->fetch);
	if (!there && (code == 0 || code == -ENOENT)) {
		/* It may have kept its temporary one. */
		publish->temporary_there = true;
		publish->out.sent = false;
		publish->out.version_known = false;
		publish->out.removed = code != 0;
		publish_fail(publish,
		    err_set(&publish->err, -EIO,
		        "the server has given it its name, and it is not "
		        "there; look at it, and send it again"),
		    &publish->err);
		return;
	}
	if (there)
		publish->out.version = stat->version;
	else
		publish->out.version.mtime_s = -1;
	publish_done(publish);
}

void publish_look_after(struct publish *publish)
{
	publish_look(publish, publish->path, on_after);
}
