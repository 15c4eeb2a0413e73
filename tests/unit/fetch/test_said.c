/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was last said of a path: an answer's status, or that none came; told
 * to the user who asked and to nobody else.
 */
#include "base/clock.h"
#include "base/ident.h"
#include "fetch/servers/said.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"
#include "server.h"

enum { ADA = 2001, BOB = 2002 };

static const struct ident ada = {.uid = ADA};
static struct said memory;
static struct fetch_said said;

static void each_user_has_their_own(void **state)
{
	const struct fetch_said no = {.status = 403, .at_s = 17};
	const struct fetch_said none = {.status = 404, .at_s = 18};

	(void)state;
	said_init(&memory);
	assert_false(
	    said_find(&memory, &(struct said_by){.uid = ADA}, "/a", &said));
	said_note(&memory, &(struct said_by){.uid = ADA}, "/a", &no);
	assert_true(
	    said_find(&memory, &(struct said_by){.uid = ADA}, "/a", &said));
	assert_int_equal(said.status, 403);
	assert_int_equal(said.at_s, 17);
	assert_false(
	    said_find(&memory, &(struct said_by){.uid = BOB}, "/a", &said));
	/* Two that are made to fall together. */
	said_note(&memory, &(struct said_by){.uid = 1}, "/a", &no);
	assert_false(
	    said_find(&memory, &(struct said_by){.uid = 0}, ".a", &said));
	assert_false(
	    said_find(&memory, &(struct said_by){.uid = ADA}, "/b", &said));
	assert_false(
	    said_find(&memory, &(struct said_by){.uid = ADA}, "/", &said));
	assert_false(said_find(
	    &memory, &(struct said_by){.uid = ADA, .server = 1}, "/a", &said));
	said_note(&memory, &(struct said_by){.uid = ADA}, "/a", &none);
	assert_true(
	    said_find(&memory, &(struct said_by){.uid = ADA}, "/a", &said));
	assert_int_equal(said.status, 404);
	said_fini(&memory);
}

/* However many are noted, some of the last ones are there, and none is taken
 * for another. */
static void it_is_bounded(void **state)
{
	unsigned found = 0;
	char path[32];

	(void)state;
	said_init(&memory);
	for (int i = 0; i < 20 * SAID_PLACES; i++) {
		const struct fetch_said what = {.status = i};

		(void)snprintf(path, sizeof(path), "/dir/file%d", i);
		said_note(&memory, &(struct said_by){.uid = ADA}, path, &what);
		assert_true(said_find(
		    &memory, &(struct said_by){.uid = ADA}, path, &said));
	}
	for (int i = 0; i < 20 * SAID_PLACES; i++) {
		(void)snprintf(path, sizeof(path), "/dir/file%d", i);
		if (!said_find(
		        &memory, &(struct said_by){.uid = ADA}, path, &said))
			continue;
		found++;
		assert_int_equal(said.status, i);
	}
	assert_in_range(found, SAID_PLACES / 2, SAID_PLACES);
	said_fini(&memory);
}

/* The engine. */

static char elsewhere[64];

/* "/404" is answered so; "/moved" leads elsewhere, "/gone" hangs up, "/still"
 * says nothing, "/short" lies. */
static bool on_request(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	const char *name = request->target + 1;

	(void)arg;
	if (strcmp(name, "gone") == 0)
		return false;
	if (strcmp(name, "still") == 0) {
		server_be_silent(peer);
		return false;
	}
	if (strcmp(name, "moved") == 0)
		server_say(peer,
		    "HTTP/1.1 302 Found\r\nLocation: %s/410\r\n"
		    "Content-Length: 0\r\n\r\n",
		    elsewhere);
	else if (strcmp(name, "short") == 0)
		server_say(peer,
		    "HTTP/1.1 207 Multi-Status\r\nContent-Type: "
		    "application/xml\r\nContent-Length: 7\r\n\r\n<a></b>");
	else
		server_say(peer,
		    "HTTP/1.1 %.3s Some\r\nContent-Length: 0\r\n\r\n", name);
	return true;
}

static void on_stat(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct answer *answer = arg;

	(void)stat;
	(void)err;
	(void)pthread_mutex_lock(&answer->mutex);
	answer->code = code;
	answer->done = true;
	(void)pthread_cond_broadcast(&answer->cond);
	(void)pthread_mutex_unlock(&answer->mutex);
}

/* Ask for a path; its code. */
static int look(struct rig *rig, const char *path)
{
	struct answer answer;
	int code;

	answer_init(&answer, 0, 0);
	fetch_stat(rig->fetch, &ada, path, 0, on_stat, &answer);
	code = answer_wait(&answer);
	answer_fini(&answer);
	return code;
}

static void assert_said(
    struct rig *rig, const char *path, int status, const char *why)
{
	uint64_t now_s = clock_wall_s(clock_system());

	assert_true(fetch_said(rig->fetch, ADA, path, &said));
	assert_int_equal(said.status, status);
	if (strstr(said.why, why) == NULL)
		fail_msg("'%s' does not say '%s'", said.why, why);
	assert_in_range(said.at_s, now_s - 60, now_s);
	assert_false(fetch_said(rig->fetch, BOB, path, &said));
}

static void every_end_of_a_request_is_noted(void **state)
{
	struct server *server = server_new(true, on_request, NULL);
	struct server *other =
	    server_new_at("127.0.0.2", true, on_request, NULL);
	static const char *const hosts[] = {"127.0.0.2"};
	struct rig rig;

	(void)state;
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s", server_url(other));
	rig_init(&rig,
	    &(struct rig_config){.url = server_url(server),
	        .ca_file = server_ca_file(server),
	        .redirect_hosts = hosts,
	        .redirect_host_count = 1,
	        .timeout_ms = 1500});
	assert_false(fetch_said(rig.fetch, ADA, "/404", &said));
	assert_int_equal(look(&rig, "/404"), -ENOENT);
	assert_said(&rig, "/404", 404, "no such file");
	assert_int_equal(look(&rig, "/403"), -EACCES);
	assert_said(&rig, "/403", 403, "not allowed");
	assert_true(look(&rig, "/503") < 0);
	assert_said(&rig, "/503", 503, "busy");
	assert_true(look(&rig, "/short") < 0);
	assert_said(&rig, "/short", 207, "no multistatus document");
	assert_int_equal(look(&rig, "/moved"), -ENOENT);
	assert_said(&rig, "/moved", 410, "gone for good");
	assert_true(fetch_said(rig.fetch, ADA, "/moved", &said));
	assert_true(said.redirected);
	assert_int_equal(look(&rig, "/still"), -ETIMEDOUT);
	assert_said(&rig, "/still", 0, "does not answer in time");
	assert_true(look(&rig, "/gone") < 0);
	assert_said(&rig, "/gone", 0, server_url(server));
	/* libcurl 7.88 has one text for it, 8.14 hands on OpenSSL's. */
	assert_true(strstr(said.why, "Empty reply") != NULL ||
	    strstr(said.why, "unexpected eof") != NULL);
	server_free(server);
	assert_int_equal(look(&rig, "/404"), -EHOSTUNREACH);
	assert_said(&rig, "/404", 0, "onnect");
	rig_fini(&rig);
	server_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_user_has_their_own),
	    cmocka_unit_test(it_is_bounded),
	    cmocka_unit_test(every_end_of_a_request_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
