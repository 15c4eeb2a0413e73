/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/drafts/names_desk.c - see names_desk.h. */
#include "tests/unit/cache/drafts/names_desk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_S = 60 };

void desk_begin(struct desk *desk)
{
	*desk = (struct desk){.ident = {.uid = BED_UID, .gid = BED_UID}};
	bed_init(&desk->bed);
	tree_begin();
}

void desk_start(struct desk *desk)
{
	struct err err = ERR_INIT;
	const struct drafts_config config = {
	    .clock = &desk->bed.clock,
	    .spool = desk->bed.spool,
	    .origin = BED_ORIGIN,
	    .source_path = "/src",
	    .owner = desk->ident,
	    .timeout_ms = 10000,
	    .back = desk->back,
	    .shared = desk->shared,
	};

	if (drafts_new(&desk->drafts, &config, &err) < 0)
		fail_msg("%s", err.text);
}

void desk_end(struct desk *desk)
{
	tree_end();
	drafts_stop(desk->drafts);
	drafts_free(desk->drafts);
	assert_int_equal(tree_open_files(), 0);
	bed_fini(&desk->bed);
}

void reply_init(struct reply *reply)
{
	*reply = (struct reply){0};
	(void)sem_init(&reply->come, 0, 0);
}

int reply_wait(struct reply *reply)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	while (sem_timedwait(&reply->come, &until) < 0)
		if (errno != EINTR)
			fail_msg("no answer came");
	assert_int_equal(reply->count, 1);
	return (int)reply->code;
}

bool reply_is_here(struct reply *reply)
{
	int value;

	(void)sem_getvalue(&reply->come, &value);
	return value > 0;
}

void reply_copied(void *arg, int64_t code)
{
	struct reply *reply = arg;

	reply->code = code;
	reply->count++;
	(void)sem_post(&reply->come);
}

void reply_code(void *arg, int code)
{
	reply_copied(arg, code);
}

static void opened(
    void *arg, int code, struct draft *draft, const struct draft_attr *attr)
{
	struct reply *reply = arg;

	(void)attr;
	reply->draft = draft;
	reply_code(reply, code);
}

struct draft *desk_open(struct desk *desk, const char *path, unsigned how)
{
	const struct drafts_ask ask = {.ident = &desk->ident,
	    .path = path,
	    .how = how | DRAFTS_OPEN_CREATE,
	    .mode = 0644};
	struct reply reply;

	reply_init(&reply);
	drafts_open(desk->drafts, &ask, opened, &reply);
	assert_int_equal(reply_wait(&reply), 0);
	return reply.draft;
}

void desk_close(struct desk *desk, struct draft *draft)
{
	draft_done(draft, &desk->ident);
	draft_put(draft);
}

void desk_write(struct draft *draft, uint64_t offset, const char *text)
{
	struct reply reply;

	reply_init(&reply);
	draft_write(
	    draft, text, strlen(text), offset, false, reply_code, &reply);
	assert_int_equal(reply_wait(&reply), (int)strlen(text));
}

int desk_flush(struct desk *desk, struct draft *draft)
{
	struct reply reply;

	reply_init(&reply);
	draft_flush(draft, &desk->ident, reply_code, &reply);
	return reply_wait(&reply);
}

static void has_read(
    void *arg, int code, const struct iovec *vectors, int vector_count)
{
	struct reply *reply = arg;

	for (int i = 0; code == 0 && i < vector_count; i++) {
		(void)memcpy(reply->bytes + reply->size_bytes,
		    vectors[i].iov_base, vectors[i].iov_len);
		reply->size_bytes += vectors[i].iov_len;
	}
	reply_code(reply, code);
}

char *desk_text(struct desk *desk, struct draft *draft)
{
	struct reply reply;

	reply_init(&reply);
	reply.bytes = calloc(1, 4096);
	assert_non_null(reply.bytes);
	draft_read(draft, &desk->ident, 0, 4095, has_read, &reply);
	if (reply_wait(&reply) == 0)
		return reply.bytes;
	free(reply.bytes);
	return NULL;
}

void desk_reads(struct desk *desk, struct draft *draft, const char *text)
{
	char *found = desk_text(desk, draft);

	assert_non_null(found);
	assert_string_equal(found, text);
	free(found);
}

void desk_file(struct desk *desk, const char *path, const char *text)
{
	struct draft *draft = desk_open(desk, path, DRAFTS_OPEN_TRUNCATE);

	desk_write(draft, 0, text);
	assert_int_equal(desk_flush(desk, draft), 0);
	desk_close(desk, draft);
}

int desk_mkdir(struct desk *desk, const char *path)
{
	struct reply reply;

	reply_init(&reply);
	drafts_mkdir(desk->drafts, &desk->ident, path, reply_code, &reply);
	return reply_wait(&reply);
}

int desk_rmdir(struct desk *desk, const char *path)
{
	struct reply reply;

	reply_init(&reply);
	drafts_rmdir(desk->drafts, &desk->ident, path, reply_code, &reply);
	return reply_wait(&reply);
}

int desk_unlink(struct desk *desk, const char *path)
{
	struct reply reply;

	reply_init(&reply);
	drafts_unlink(desk->drafts, &desk->ident, path, reply_code, &reply);
	return reply_wait(&reply);
}

int desk_rename(struct desk *desk, const char *from, const char *to)
{
	struct reply reply;

	reply_init(&reply);
	drafts_rename(
	    desk->drafts, &desk->ident, from, to, true, reply_code, &reply);
	return reply_wait(&reply);
}

void desk_served(const char *path, const char *text)
{
	char *found = tree_get(path);

	if (text == NULL)
		assert_null(found);
	else
		assert_non_null(found);
	if (text != NULL)
		assert_string_equal(found, text);
	free(found);
}

bool desk_has(struct desk *desk, const char *path)
{
	struct draft *draft = drafts_find(desk->drafts, &desk->ident, path);

	if (draft != NULL)
		draft_put(draft);
	return draft != NULL;
}

enum spool_state desk_state(
    struct desk *desk, const char *path, bool *base_exists)
{
	struct spool_item item = bed_item(&desk->bed, path);
	enum spool_state state = item.state;

	if (base_exists != NULL)
		*base_exists = item.base.exists;
	spool_item_fini(&item);
	return state;
}

void desk_until(bool (*is)(void *arg), void *arg)
{
	for (unsigned i = 0; i < PATIENCE_S * 1000; i++) {
		if (is(arg))
			return;
		(void)usleep(1000);
	}
	fail_msg("it did not come true");
}

static bool is_waiting(void *arg)
{
	return tree_waiting() == *(unsigned *)arg;
}

void desk_until_waiting(unsigned count)
{
	desk_until(is_waiting, &count);
}

static bool is_empty(void *arg)
{
	struct desk *of = arg;
	bool is;

	drafts_lock_enter(of->drafts);
	is = of->drafts->count == 0 && of->drafts->busy == 0;
	drafts_lock_leave(of->drafts);
	/* Who has read one that is gone lets go of it after the answer. */
	return is && bed_count_all(&of->bed) == 0;
}

static void flushed(void *arg, int code, const struct err *err)
{
	(void)err;
	reply_code(arg, code);
}

int desk_send_all(struct desk *desk)
{
	struct reply reply;

	reply_init(&reply);
	drafts_flush(desk->drafts, "/", UINT64_MAX / 2, flushed, &reply);
	while (!reply_is_here(&reply)) {
		drafts_tick(desk->drafts);
		(void)usleep(1000);
	}
	return reply_wait(&reply);
}

void desk_until_empty(struct desk *desk)
{
	desk_until(is_empty, desk);
}
