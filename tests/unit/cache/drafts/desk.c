/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/drafts/desk.c - see desk.h. */
#include "tests/unit/cache/drafts/desk.h"

#include "cache/drafts/impl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_S = 60 };

static int may(void *arg, const struct ident *ident, const char *path,
    enum drafts_need need)
{
	struct desk *desk = arg;

	(void)ident;
	assert_memory_equal(path, "/src/", 5);
	return need == DRAFTS_CREATE ? desk->may_create : desk->may_modify;
}

static void credential(void *arg, const struct ident *ident, const char *path,
    int *from, char name[DRAFTS_CREDENTIAL_BYTES])
{
	(void)arg;
	(void)ident;
	(void)path;
	*from = SPOOL_FROM_FILE;
	(void)strcpy(name, "/run/user/1000/bt_u1000");
}

void desk_init(struct desk *desk)
{
	*desk = (struct desk){.ident = {.uid = BED_UID, .gid = BED_UID}};
	bed_init(&desk->bed);
	fake_cache_reset();
	fake_send_reset();
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
	    .sync_server = desk->sync_server,
	    .shared = desk->shared,
	    .may = may,
	    .credential = credential,
	    .arg = desk,
	};

	if (drafts_new(&desk->drafts, &config, &err) < 0)
		fail_msg("%s", err.text);
}

void desk_stop(struct desk *desk)
{
	drafts_stop(desk->drafts);
	drafts_free(desk->drafts);
	desk->drafts = NULL;
}

void desk_fini(struct desk *desk)
{
	/* A test that failed is told of, and nothing else. */
	if (desk->drafts != NULL)
		return;
	fake_cache_end();
	assert_int_equal(fake_open_files(), 0);
	fake_cache_reset();
	bed_fini(&desk->bed);
}

/* ---- answers ---- */

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
	(void)sem_destroy(&reply->come);
	return reply->code;
}

bool reply_is_here(struct reply *reply)
{
	int value;

	(void)sem_getvalue(&reply->come, &value);
	return value > 0;
}

void reply_code(void *arg, int code)
{
	struct reply *reply = arg;

	reply->code = code;
	reply->count++;
	(void)sem_post(&reply->come);
}

void reply_open(
    void *arg, int code, struct draft *draft, const struct draft_attr *attr)
{
	struct reply *reply = arg;

	reply->draft = draft;
	if (code == 0)
		reply->attr = *attr;
	reply_code(reply, code);
}

static int open_it(
    struct desk *desk, const char *path, unsigned how, struct reply *reply)
{
	const struct drafts_ask ask = {
	    .ident = &desk->ident, .path = path, .how = how, .mode = 0644};

	reply_init(reply);
	drafts_open(desk->drafts, &ask, reply_open, reply);
	return reply_wait(reply);
}

struct draft *desk_open(struct desk *desk, const char *path, unsigned how)
{
	struct reply reply;

	assert_int_equal(open_it(desk, path, how, &reply), 0);
	assert_non_null(reply.draft);
	assert_int_not_equal(reply.attr.attr.version, 0);
	return reply.draft;
}

int desk_open_code(struct desk *desk, const char *path, unsigned how)
{
	struct reply reply;
	int code = open_it(desk, path, how, &reply);

	if (code == 0)
		desk_close(desk, reply.draft);
	else
		assert_null(reply.draft);
	return code;
}

void desk_close(struct desk *desk, struct draft *draft)
{
	draft_done(draft, &desk->ident);
	draft_put(draft);
}

static int write_it(
    struct draft *draft, uint64_t offset, const char *text, bool append)
{
	struct reply reply;

	reply_init(&reply);
	draft_write(
	    draft, text, strlen(text), offset, append, reply_code, &reply);
	return reply_wait(&reply);
}

int desk_write(struct draft *draft, uint64_t offset, const char *text)
{
	return write_it(draft, offset, text, false);
}

int desk_append(struct draft *draft, const char *text)
{
	return write_it(draft, 0, text, true);
}

int desk_truncate(struct draft *draft, uint64_t size)
{
	struct reply reply;

	reply_init(&reply);
	draft_truncate(draft, size, reply_code, &reply);
	return reply_wait(&reply);
}

int desk_flush(struct desk *desk, struct draft *draft)
{
	struct reply reply;

	reply_init(&reply);
	draft_flush(draft, &desk->ident, reply_code, &reply);
	return reply_wait(&reply);
}

int desk_sync(struct desk *desk, struct draft *draft)
{
	struct reply reply;

	reply_init(&reply);
	draft_sync(draft, &desk->ident, reply_code, &reply);
	return reply_wait(&reply);
}

static void has_read(
    void *arg, int code, const struct iovec *vectors, int vector_count)
{
	struct reply *reply = arg;

	for (int i = 0; code == 0 && i < vector_count; i++) {
		if (vectors[i].iov_len > 0)
			(void)memcpy(reply->bytes + reply->size_bytes,
			    vectors[i].iov_base, vectors[i].iov_len);
		reply->size_bytes += vectors[i].iov_len;
	}
	reply_code(reply, code);
}

ssize_t desk_read(struct desk *desk, struct draft *draft, uint64_t offset,
    void *out, size_t size_bytes)
{
	struct reply reply;
	int code;

	reply_init(&reply);
	reply.bytes = out;
	draft_read(draft, &desk->ident, offset, size_bytes, has_read, &reply);
	code = reply_wait(&reply);
	return code < 0 ? code : (ssize_t)reply.size_bytes;
}

void desk_reads(struct desk *desk, struct draft *draft, const char *text)
{
	char out[4096];
	ssize_t n = desk_read(desk, draft, 0, out, sizeof(out));
	struct draft_attr attr;

	assert_int_equal(n, (ssize_t)strlen(text));
	assert_memory_equal(out, text, strlen(text));
	draft_attr(draft, &attr);
	assert_int_equal(attr.attr.size_bytes, strlen(text));
}

void desk_served(const char *path, const char *text)
{
	size_t size = 0;
	uint8_t *bytes = fake_get(path, &size, NULL);

	if (text == NULL) {
		assert_null(bytes);
		return;
	}
	assert_non_null(bytes);
	assert_int_equal(size, strlen(text));
	assert_memory_equal(bytes, text, size);
	free(bytes);
}

/* ---- waiting ---- */

void desk_until(bool (*is)(void *arg), void *arg)
{
	for (unsigned i = 0; i < PATIENCE_S * 1000; i++) {
		if (is(arg))
			return;
		(void)usleep(1000);
	}
	fail_msg("it did not come true");
}

static bool is_quiet(void *arg)
{
	struct drafts *drafts = arg;
	bool is;

	drafts_lock_enter(drafts);
	is = drafts->busy == 0 && drafts->sending_count == 0;
	drafts_lock_leave(drafts);
	return is;
}

void desk_until_quiet(struct desk *desk)
{
	desk_until(is_quiet, desk->drafts);
}

void desk_tick(struct desk *desk)
{
	(void)atomic_fetch_add(
	    &desk->bed.clock.monotonic_ms, DRAFTS_AGAIN_MAX_MS);
	drafts_tick(desk->drafts);
}

static bool is_empty(void *arg)
{
	struct drafts *drafts = arg;
	bool is;

	drafts_lock_enter(drafts);
	is = drafts->count == 0 && drafts->busy == 0;
	drafts_lock_leave(drafts);
	return is;
}

void desk_until_empty(struct desk *desk)
{
	desk_until(is_empty, desk->drafts);
	assert_int_equal(bed_count_all(&desk->bed), 0);
}

static bool is_idle(void *arg)
{
	struct drafts *drafts = arg;
	bool is;

	drafts_lock_enter(drafts);
	is = drafts->busy == 0;
	drafts_lock_leave(drafts);
	return is;
}

void desk_until_idle(struct desk *desk)
{
	desk_until(is_idle, desk->drafts);
}

static bool is_held(void *arg)
{
	return fake_send_held() == *(unsigned *)arg;
}

void desk_until_held(unsigned count)
{
	desk_until(is_held, &count);
}
