/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation that the engine makes for a call fails once: the call is
 * answered, once, with -ENOMEM or as if nothing had been, and the engine goes
 * on with the next.
 *
 * Only the asking thread and the fetch thread are made to fail; the server in
 * this process is not what is tested. libcurl's own allocations are not
 * reached.
 */
#include "base/ident.h"
#include "fetch/change.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "rig.h"
#include "server.h"

static atomic_uint countdown; /* 0: nothing fails */
static atomic_uint failed;
static _Thread_local bool asking; /* this is the test's own thread */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool is_tested(void)
{
	char name[16] = "";

	if (asking)
		return true;
	(void)prctl(PR_GET_NAME, name);
	return strcmp(name, "fetch") == 0;
}

static bool fails_now(void)
{
	if (atomic_load(&countdown) == 0 || !is_tested())
		return false;
	if (atomic_fetch_sub(&countdown, 1) != 1)
		return false;
	atomic_fetch_add(&failed, 1);
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails_now() ? NULL : __real_realloc(old, size);
}

static const struct fetch_version version = {.size_bytes = 5000, .mtime_s = -1};

static unsigned file_bytes = 5000;

static bool on_request(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	static const char body[] =
	    "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>%s</D:href>"
	    "<D:propstat><D:prop><D:resourcetype>%s</D:resourcetype>"
	    "<D:getcontentlength>%u</D:getcontentlength>"
	    "<D:quota-available-bytes>7</D:quota-available-bytes>"
	    "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
	    "</D:response></D:multistatus>";
	char text[1024];
	bool file = strcmp(request->target, "/f") == 0 ||
	    strstr(request->target, ".bearerfs-upload-") != NULL;

	(void)arg;
	if (strcmp(request->method, "PROPFIND") == 0) {
		int size = snprintf(text, sizeof(text), body, request->target,
		    file ? "" : "<D:collection/>", file_bytes);

		server_say(peer,
		    "HTTP/1.1 207 Multi-Status\r\nDate: x\r\n"
		    "Content-Length: %d\r\n\r\n%s",
		    size, text);
		return true;
	}
	if (strcmp(request->method, "GET") != 0) {
		server_say(peer,
		    "HTTP/1.1 201 Done\r\nDate: x\r\n"
		    "Content-Length: 0\r\n\r\n");
		return true;
	}
	/* No validator: the range has itself confirmed. */
	server_say(peer,
	    "HTTP/1.1 206 Partial Content\r\nDate: x\r\nContent-Range: bytes "
	    "%" PRIu64 "-%" PRIu64 "/5000\r\n\r\n",
	    request->first, request->last);
	for (uint64_t at = request->first; at <= request->last; at++) {
		uint8_t byte = rig_byte(at);

		server_send(peer, &byte, 1);
	}
	return false;
}

static void ask_stat(struct rig *rig, struct answer *answer)
{
	rig_stat(rig, "/f", answer);
}

static void ask_list(struct rig *rig, struct answer *answer)
{
	rig_list(rig, "/d", answer);
}

static void ask_quota(struct rig *rig, struct answer *answer)
{
	rig_quota(rig, answer);
}

static void ask_range(struct rig *rig, struct answer *answer)
{
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .length_bytes = 100,
	    .demand = true};

	(void)rig_range(rig, &range, answer);
}

static const struct ident nobody = {.uid = 0};
static atomic_uint released;

static int64_t read_bytes(
    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes, bool nowait)
{
	(void)nowait;
	(void)arg;
	(void)offset_bytes;
	memset(out, 'x', size_bytes);
	return (int64_t)size_bytes;
}

static void on_release(void *arg)
{
	(void)arg;
	atomic_fetch_add(&released, 1);
}

static void on_changed(void *arg, int code, const struct err *err)
{
	struct answer *answer = arg;

	(void)pthread_mutex_lock(&answer->mutex);
	answer->code = code;
	answer->err = *err;
	answer->done = true;
	answer->times++;
	(void)pthread_cond_broadcast(&answer->cond);
	(void)pthread_mutex_unlock(&answer->mutex);
}

static void on_published(void *arg, int code,
    const struct fetch_published *published, const struct err *err)
{
	assert_non_null(published->leftover);
	on_changed(arg, code, err);
}

static void ask_publish(struct rig *rig, struct answer *answer)
{
	(void)fetch_publish(rig->fetch,
	    &(struct fetch_publish){.ident = &nobody,
	        .path = "/f",
	        .bytes = {.size_bytes = file_bytes,
	            .read = read_bytes,
	            .release = on_release},
	        .mtime_s = -1},
	    on_published, answer);
}

static void ask_move(struct rig *rig, struct answer *answer)
{
	fetch_move(rig->fetch,
	    &(struct fetch_move){
	        .ident = &nobody, .from = "/f", .to = "/f", .replace = true},
	    on_changed, answer);
}

static void ask_rmdir(struct rig *rig, struct answer *answer)
{
	fetch_rmdir(rig->fetch, &nobody, "/d", on_changed, answer);
}

/* Ask; the nth allocation fails (0: none). @return the answer's code. */
static int ask_once(struct rig *rig, unsigned nth,
    void (*ask)(struct rig *rig, struct answer *answer), size_t room)
{
	struct answer answer;
	int code;

	answer_init(&answer, 0, room);
	atomic_store(&countdown, nth);
	ask(rig, &answer);
	code = answer_wait(&answer);
	atomic_store(&countdown, 0);
	assert_int_equal(answer.times, 1);
	if (code == 0 && room > 0)
		assert_true(answer_is_right(&answer));
	answer_fini(&answer);
	return code;
}

static void each_allocation_fails_once(
    void (*ask)(struct rig *rig, struct answer *answer), size_t room)
{
	struct server *server = server_new(true, on_request, NULL);
	unsigned before;
	unsigned nth = 0;

	do {
		struct rig rig;
		int code;

		/* A new engine each time: all is allocated anew. */
		rig_init(&rig,
		    &(struct rig_config){.url = server_url(server),
		        .ca_file = server_ca_file(server)});
		before = atomic_load(&failed);
		code = ask_once(&rig, ++nth, ask, room);
		assert_true(code == 0 || code == -ENOMEM);
		/* It has recovered. (A failure to ask is remembered for a
		 * while: the quota.) */
		if (ask != ask_quota)
			assert_int_equal(ask_once(&rig, 0, ask, room), 0);
		rig_fini(&rig);
	} while (atomic_load(&failed) > before);
	assert_true(nth > 4);
	server_free(server);
}

static void attributes_survive(void **state)
{
	(void)state;
	each_allocation_fails_once(ask_stat, 0);
}

static void listings_survive(void **state)
{
	(void)state;
	each_allocation_fails_once(ask_list, 0);
}

static void the_quota_survives(void **state)
{
	(void)state;
	each_allocation_fails_once(ask_quota, 0);
}

static void ranges_survive(void **state)
{
	(void)state;
	each_allocation_fails_once(ask_range, 100);
}

/* The bytes are let go of each time. */
static void uploads_survive(void **state)
{
	static const unsigned sizes[] = {5000, 70000};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		file_bytes = sizes[i];
		atomic_store(&released, 0);
		each_allocation_fails_once(ask_publish, 0);
		assert_true(atomic_load(&released) > 10);
		assert_int_equal(atomic_load(&released) % 2, 0);
	}
	file_bytes = 5000;
}

static void changes_survive(void **state)
{
	(void)state;
	each_allocation_fails_once(ask_move, 0);
	each_allocation_fails_once(ask_rmdir, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(attributes_survive),
	    cmocka_unit_test(listings_survive),
	    cmocka_unit_test(the_quota_survives),
	    cmocka_unit_test(ranges_survive),
	    cmocka_unit_test(uploads_survive),
	    cmocka_unit_test(changes_survive),
	};

	asking = true;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
