/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/looks.c: a store of many users, with real callers and real processes
 * that look at them. Needs root.
 */
#include "base/clock.h"
#include "base/ident.h"
#include "tests/unit/tokens/caller_bed.h"
#include "tests/unit/tokens/make.h"
#include "tokens/store/store.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { ADA = 2001, BOB = 2002, BOUND_S = 60 };

static struct tokens *tokens;
static char dir[256];

static int set_up(void **state)
{
	const struct tokens_config config = {.clock = clock_system(),
	    .base_path = "/exp",
	    .source_path = "/exp",
	    .shared = true};
	struct err err = ERR_INIT;

	(void)state;
	make_directory(dir);
	(void)chmod(dir, 0711);
	return tokens_new(&tokens, &config, &err);
}

static int tear_down(void **state)
{
	(void)state;
	tokens_free(tokens);
	make_remove(dir);
	return 0;
}

/* A user's process with one variable. */
static struct bed_process start(
    uid_t uid, const char *name, const char *value, struct ident *ident)
{
	char variable[MAKE_BYTES + 64];
	const char *const environment[] = {variable, NULL};
	struct bed_who who = bed_user(uid, uid);
	struct bed_process process;

	(void)snprintf(variable, sizeof(variable), "%s=%s", name, value);
	who.environment = environment;
	process = bed_start(&who);
	assert_true(process.pid > 0);
	*ident = (struct ident){.uid = uid, .gid = uid, .pid = process.pid};
	tokens_identify(tokens, ident);
	assert_int_equal(ident->tgid, process.pid);
	return process;
}

struct got {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool done;
	int code;
	uint64_t id;
	char source[256];
	char why[ERR_TEXT_BYTES];
};

static void answered(
    void *arg, int code, struct token *token, const struct err *err)
{
	struct got *got = arg;

	(void)pthread_mutex_lock(&got->mutex);
	got->code = code;
	if (token != NULL) {
		got->id = token_id(token);
		(void)snprintf(got->source, sizeof(got->source), "%s",
		    token_source(token));
	}
	(void)snprintf(got->why, sizeof(got->why), "%s", err->text);
	got->done = true;
	(void)pthread_cond_signal(&got->changed);
	(void)pthread_mutex_unlock(&got->mutex);
	token_put(token);
}

static struct got want(const struct ident *ident, uint64_t refused_id)
{
	const struct tokens_query query = {.ident = ident,
	    .path = "/exp/x",
	    .right = TOKENS_READ,
	    .deadline_ms = clock_now_ms(clock_system()) + 5000,
	    .refused_id = refused_id};
	struct got got = {.mutex = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER};
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += BOUND_S;
	tokens_want(tokens, &query, answered, &got);
	(void)pthread_mutex_lock(&got.mutex);
	while (!got.done &&
	    pthread_cond_timedwait(&got.changed, &got.mutex, &until) !=
	        ETIMEDOUT)
		continue;
	(void)pthread_mutex_unlock(&got.mutex);
	assert_true(got.done);
	return got;
}

static void a_text_is_one_token_for_a_user_and_another_for_another(void **state)
{
	struct ident ident[3];
	struct bed_process process[3];
	struct got got[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		process[i] = start(
		    i < 2 ? ADA : BOB, "BEARER_TOKEN", "the-text", &ident[i]);
		got[i] = want(&ident[i], 0);
		assert_int_equal(got[i].code, 0);
		assert_string_equal(got[i].source, "$BEARER_TOKEN");
	}
	assert_true(got[0].id == got[1].id);
	assert_true(got[0].id != got[2].id);
	for (unsigned i = 0; i < 3; i++)
		bed_end(&process[i]);
}

static void what_a_look_lacks_is_told_to_that_caller(void **state)
{
	struct ident ident;
	struct bed_process process =
	    start(ADA, "BEARER_TOKEN_FILE", "/dev/zero", &ident);
	struct got got = want(&ident, 0);

	(void)state;
	assert_int_equal(got.code, -ENOKEY);
	assert_non_null(strstr(got.why, "is a device"));
	bed_end(&process);
}

/* A handle outlives its opener: what that had found serves until its end. */
static void a_program_that_has_ended_keeps_what_it_had(void **state)
{
	struct ident ident;
	struct bed_process process =
	    start(ADA, "BEARER_TOKEN", "the-text", &ident);
	struct got before = want(&ident, 0);
	struct got after;

	(void)state;
	assert_int_equal(before.code, 0);
	bed_end(&process);
	/* Refused, its source is to be read again: there is none any more. */
	after = want(&ident, before.id);
	assert_int_equal(after.code, 0);
	assert_true(after.id == before.id);
}

static void a_token_that_was_taken_away_is_gone(void **state)
{
	char path[300];
	struct ident ident;
	struct bed_process process;
	struct got got;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/token", dir);
	make_file(path, "the-text", 0600);
	assert_int_equal(chown(path, ADA, ADA), 0);
	process = start(ADA, "BEARER_TOKEN_FILE", path, &ident);
	got = want(&ident, 0);
	assert_int_equal(got.code, 0);
	assert_string_equal(got.source, path);
	make_file(path, "another-text", 0600);
	assert_int_equal(chown(path, ADA, ADA), 0);
	assert_true(want(&ident, got.id).id != got.id);
	bed_end(&process);
}

static void while_its_file_is_missing_a_good_token_serves(void **state)
{
	char path[300];
	char text[MAKE_BYTES];
	struct ident ident;
	struct bed_process process;
	struct got got;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/token", dir);
	make_token(text, "ada", clock_wall_s(clock_system()) + 4);
	make_file(path, text, 0600);
	assert_int_equal(chown(path, ADA, ADA), 0);
	process = start(ADA, "BEARER_TOKEN_FILE", path, &ident);
	got = want(&ident, 0);
	assert_int_equal(got.code, 0);
	assert_int_equal(unlink(path), 0);
	assert_true(want(&ident, got.id).id == got.id);
	/* One that is no better takes its place as little. */
	make_token(text, "ada", clock_wall_s(clock_system()) - 1);
	make_file(path, text, 0600);
	assert_int_equal(chown(path, ADA, ADA), 0);
	assert_true(want(&ident, got.id).id == got.id);
	(void)sleep(5);
	assert_int_equal(want(&ident, 0).code, -EKEYEXPIRED);
	bed_end(&process);
}

static void who_is_not_known_is_told_why(void **state)
{
	struct ident nobody = {.uid = ADA, .gid = ADA};
	struct got got;

	(void)state;
	tokens_identify(tokens, &nobody);
	assert_int_equal(nobody.tgid, 0);
	got = want(&nobody, 0);
	assert_int_equal(got.code, -ENOKEY);
	assert_non_null(strstr(got.why, "pid namespace"));
	got = want(NULL, 0);
	assert_int_equal(got.code, -ENOKEY);
	assert_int_equal(
	    tokens_door(tokens, &nobody, "/exp/x", TOKENS_READ, NULL), -ENOKEY);
	assert_int_equal(tokens_reach(tokens, &nobody, "/exp", NULL, NULL), 0);
}

/* The same, and once more when the machine was too slow for a look, as under
 * a sanitizer in a crowd of processes. */
static struct got want_of_a_crowd(const struct ident *ident)
{
	struct got got = want(ident, 0);

	for (unsigned i = 0; i < 5 && got.code == -ENOKEY &&
	     strstr(got.why, "does not answer") != NULL;
	     i++)
		got = want(ident, 0);
	return got;
}

/* More than one user's looks may wait: nobody is refused for that. */
static void many_are_answered(void **state)
{
	enum { COUNT = LOOKER_USER_WAITING_MAX + 300 };
	struct ident ident[COUNT];
	struct bed_process process[COUNT];
	uint64_t last = 0;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "text-%u", i);
		process[i] = start(
		    i % 10 == 9 ? BOB : ADA, "BEARER_TOKEN", text, &ident[i]);
	}
	/* Begins a look. */
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(
		    tokens_door(tokens, &ident[i], "/exp/x", TOKENS_READ, NULL),
		    -ENOKEY);
	for (unsigned i = 0; i < COUNT; i++) {
		struct got got = want_of_a_crowd(&ident[i]);

		assert_int_equal(got.code, 0);
		assert_true(got.id != last);
		last = got.id;
		bed_end(&process[i]);
	}
}

static void count_answer(
    void *arg, int code, struct token *token, const struct err *err)
{
	(void)code;
	(void)err;
	(void)atomic_fetch_add((atomic_uint *)arg, 1);
	token_put(token);
}

/* Who waits for a newer token takes nobody's place. */
static void a_crowd_of_one_user_keeps_no_one_else_from_waiting(void **state)
{
	static atomic_uint answers[2];
	struct ident ident[2];
	struct bed_process process[2];
	char text[MAKE_BYTES];
	uint64_t begun_ms;

	(void)state;
	make_token(text, "ended", 1);
	for (unsigned i = 0; i < 2; i++) {
		process[i] =
		    start(i == 0 ? ADA : BOB, "BEARER_TOKEN", text, &ident[i]);
		atomic_init(&answers[i], 0);
	}
	for (unsigned i = 0; i < STORE_USER_QUERIES_MAX + 1; i++) {
		const struct tokens_query query = {
		    .ident = &ident[i == STORE_USER_QUERIES_MAX],
		    .path = "/exp/x",
		    .deadline_ms = clock_now_ms(clock_system()) + 600000};

		tokens_want(tokens, &query, count_answer,
		    &answers[i == STORE_USER_QUERIES_MAX]);
	}
	assert_int_equal(atomic_load(&answers[0]), 0);
	assert_int_equal(atomic_load(&answers[1]), 0);
	/* One more of theirs is told what there is now (nothing yet, or one
	 * that has ended), and does not wait for five seconds. */
	begun_ms = clock_now_ms(clock_system());
	assert_int_not_equal(want(&ident[0], 0).code, 0);
	assert_true(clock_now_ms(clock_system()) - begun_ms < 4500);
	assert_int_equal(atomic_load(&answers[1]), 0);
	tokens_free(tokens);
	tokens = NULL;
	assert_int_equal(atomic_load(&answers[0]), STORE_USER_QUERIES_MAX);
	assert_int_equal(atomic_load(&answers[1]), 1);
	for (unsigned i = 0; i < 2; i++)
		bed_end(&process[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_text_is_one_token_for_a_user_and_another_for_another),
	    TEST(what_a_look_lacks_is_told_to_that_caller),
	    TEST(a_program_that_has_ended_keeps_what_it_had),
	    TEST(a_token_that_was_taken_away_is_gone),
	    TEST(while_its_file_is_missing_a_good_token_serves),
	    TEST(who_is_not_known_is_told_why),
	    TEST(many_are_answered),
	    TEST(a_crowd_of_one_user_keeps_no_one_else_from_waiting),
	};

	if (geteuid() != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
