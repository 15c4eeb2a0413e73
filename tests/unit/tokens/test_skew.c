/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/skew.h, and what has not begun by the clock of this machine: told
 * with the difference to the server's clock where that is the reason, granted
 * never, waited for where waiting helps. Time is driven by hand.
 */
#include "base/clock.h"
#include "base/ident.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/sign.h"
#include "tokens/store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ISS "https://i.example"

enum {
	START_S = 1000000,
	PATIENCE = 2000, /* of 10 ms: a loaded machine */
};

static struct sign_key *key;
static char dir[256];
static char key_file[300];
static struct clock now;
static struct tokens *tokens;
static struct token *held;
static const struct ident ada = {.uid = 2001, .gid = 2001, .pid = 77};

static void look(void *arg, bool force, uint64_t now_s, struct finding *out)
{
	(void)arg;
	(void)force;
	(void)now_s;
	*out = (struct finding){.count = 0};
	finding_add(out, token_get(held));
}

/* A mount whose user holds a token that is of the issuer which the mount
 * trusts, if it trusts any. Times count from START_S. */
static void start(bool trusting, int issued, int begins, int ends)
{
	static const char *const issuers[] = {ISS};
	const struct tokens_trust trust = {.issuers = issuers,
	    .issuer_count = 1,
	    .jwks_file = key_file,
	    .any_audience = true};
	const struct tokens_config config = {.clock = &now,
	    .base_path = "/exp",
	    .source_path = "/exp",
	    .trust = trusting ? &trust : NULL};
	const struct purse_source source = {.look = look};
	char text[MAKE_BYTES];
	char claims[512];
	struct err err = ERR_INIT;

	now = (struct clock){.hand_driven = 1};
	atomic_store(&now.monotonic_ms, 1000000);
	atomic_store(&now.wall_s, START_S);
	(void)snprintf(claims, sizeof(claims),
	    "{\"iss\":\"" ISS "\",\"sub\":\"ada\",\"jti\":\"j\",\"aud\":"
	    "\"ANY\",\"ver\":\"scitoken:2.0\",\"scope\":\"read:/\",\"iat\":%d,"
	    "\"nbf\":%d,\"exp\":%d}",
	    START_S + issued, START_S + begins, START_S + ends);
	sign_jws(text, key, "{\"alg\":\"ES256\",\"kid\":\"a\"}", claims);
	held = make_parsed(text);
	assert_int_equal(token_set_source(held, "the place"), 0);
	assert_int_equal(
	    token_store_new(&tokens, &config, &source, NULL, &err), 0);
}

static void stop(void)
{
	tokens_free(tokens);
	token_put(held);
}

static void pass(unsigned seconds)
{
	(void)atomic_fetch_add(&now.monotonic_ms, seconds * UINT64_C(1000));
	(void)atomic_fetch_add(&now.wall_s, seconds);
	token_store_wake(tokens);
}

static void assert_says(const struct err *err, const char *text)
{
	if (strstr(err->text, text) == NULL)
		fail_msg("'%s' does not say '%s'", err->text, text);
}

static void assert_silent(const struct err *err, const char *text)
{
	if (strstr(err->text, text) != NULL)
		fail_msg("'%s' says '%s'", err->text, text);
}

/* What is said of a token whose time is not now. */
static void state_says(const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(tokens_state(tokens, &err), -EKEYEXPIRED);
	assert_says(&err, text);
}

static int refused(int status, struct err *err)
{
	return tokens_verdict(tokens, held, "/exp/a", TOKENS_READ, status, err);
}

static void a_token_that_seems_early_names_the_clock(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	start(false, 240, 240, 3600);
	assert_int_equal(tokens_state(tokens, &err), -EKEYEXPIRED);
	assert_says(&err, "check the clock of this machine");
	assert_silent(&err, "server's");
	/* As near as Date can tell. */
	tokens_note_skew(tokens, -TOKENS_SKEW_MAX_S);
	assert_int_equal(tokens_state(tokens, &err), -EKEYEXPIRED);
	assert_silent(&err, "server's");
	tokens_note_skew(tokens, -240);
	state_says("(this machine's clock is 240 s behind the server's: set "
	           "it)");
	/* And nothing is granted for it. */
	assert_int_equal(tokens_door(tokens, &ada, "/exp/a", TOKENS_READ, NULL),
	    -EKEYEXPIRED);
	stop();
}

static void a_token_that_seems_ended_names_the_clock(void **state)
{
	(void)state;
	start(false, -600, -600, -1);
	tokens_note_skew(tokens, 7);
	state_says("(this machine's clock is 7 s ahead of the server's: set "
	           "it)");
	stop();
}

/* What servers refuse because of their own clock, and what for another
 * reason. */
static void a_refusal_by_the_servers_clock_says_so(void **state)
{
	static const struct {
		int begins;
		int ends;
		int skew;
		const char *says; /* NULL: nothing of clocks */
	} rows[] = {
	    {-600, 100, 0, NULL}, {-600, 100, -99, NULL},
	    {-600, 100, -100,
	        "by its clock the token ended at 1970-01-12T13:48:20Z, because "
	        "this machine's clock is 100 s behind the server's; set the "
	        "clock of this machine"},
	    {-600, 100, -100000, "ended at"}, {-60, 100, 60, NULL},
	    {-60, 100, 61,
	        "by its clock the token begins only at 1970-01-12T13:45:40Z, "
	        "because this machine's clock is 61 s ahead of the server's"},
	    {-2, 100, 5, NULL}, {-600, 3, -5, NULL},
	    {-600, 100, 2000000, NULL}, /* before 1970 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		for (unsigned by = 0; by < 2; by++) {
			struct err err = ERR_INIT;

			/* It is `iat` or `nbf` that the server looks at. */
			start(false, by == 0 ? rows[i].begins : -900,
			    by == 0 ? -900 : rows[i].begins, rows[i].ends);
			tokens_note_skew(tokens, rows[i].skew);
			assert_int_equal(refused(401, &err), -EKEYREJECTED);
			assert_int_equal(err.code, -EKEYREJECTED);
			if (rows[i].says != NULL)
				assert_says(&err, rows[i].says);
			else
				assert_silent(&err, "clock");
			assert_int_equal(refused(403, &err), -EACCES);
			stop();
		}
	}
}

static void what_the_mount_knows_better_is_told_first(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	/* Ended here as well: that is the reason, and the clock is beside. */
	start(false, -600, -600, 10);
	tokens_note_skew(tokens, -240);
	pass(10);
	assert_int_equal(refused(401, &err), -EKEYEXPIRED);
	assert_says(&err, "the token ended at");
	assert_says(&err, "(this machine's clock is 240 s behind");
	stop();
	/* Verified, and good by what is known here. */
	start(true, -600, -600, 100);
	tokens_note_skew(tokens, -240);
	/* What has nothing to do with time says nothing of it. */
	assert_int_equal(
	    tokens_may(tokens, &ada, "/other", TOKENS_READ, &err), -EACCES);
	assert_says(&err, "does not cover");
	assert_silent(&err, "clock");
	assert_int_equal(refused(403, &err), -EKEYREJECTED);
	assert_says(&err, "by its clock the token ended");
	stop();
}

/* `iat`, where tokens are verified. */

static atomic_int answered; /* 1: not yet */

static void take(
    void *arg, int code, struct token *token, const struct err *err)
{
	(void)arg;
	if (code == -EKEYEXPIRED)
		assert_says(err, "is not valid before 1970-01-12T13:46:42Z");
	token_put(token);
	atomic_store(&answered, code);
}

static void want(uint64_t within_ms)
{
	const struct tokens_query query = {.ident = &ada,
	    .path = "/exp/a",
	    .right = TOKENS_READ,
	    .deadline_ms = atomic_load(&now.monotonic_ms) + within_ms};

	atomic_store(&answered, 1);
	tokens_want(tokens, &query, take, NULL);
}

static int answer(void)
{
	for (unsigned i = 0; i < PATIENCE && atomic_load(&answered) == 1; i++)
		(void)usleep(10000);
	return atomic_load(&answered);
}

static int door(void)
{
	return tokens_door(tokens, &ada, "/exp/a", TOKENS_READ, NULL);
}

static void a_token_of_the_future_is_waited_for(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	start(true, 2, -60, 3600);
	assert_int_equal(door(), -EKEYEXPIRED);
	assert_int_equal(tokens_may(tokens, &ada, "/exp/a", TOKENS_READ, &err),
	    -EKEYEXPIRED);
	state_says("not valid before 1970-01-12T13:46:42Z");
	want(1000);
	pass(1);
	assert_int_equal(answer(), -EKEYEXPIRED);
	want(30000);
	(void)usleep(20000);
	assert_int_equal(atomic_load(&answered), 1);
	pass(1);
	assert_int_equal(answer(), 0);
	assert_int_equal(door(), 0);
	stop();
}

/* Nobody here looks at it then: its server does. */
static void unverified_it_is_sent(void **state)
{
	(void)state;
	start(false, 3600, -60, 7200);
	assert_int_equal(door(), 0);
	want(1000);
	assert_int_equal(answer(), 0);
	stop();
}

static int make_keys(void **state)
{
	char jwk[MAKE_BYTES];
	char set[MAKE_BYTES];

	(void)state;
	key = sign_key_new("P-256");
	make_directory(dir);
	(void)snprintf(key_file, sizeof(key_file), "%s/jwks", dir);
	sign_jwk(jwk, key, ",\"kid\":\"a\"");
	sign_jwks(set, jwk, NULL, NULL);
	make_file(key_file, set, 0600);
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	sign_key_free(key);
	make_remove(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_token_that_seems_early_names_the_clock),
	    cmocka_unit_test(a_token_that_seems_ended_names_the_clock),
	    cmocka_unit_test(a_refusal_by_the_servers_clock_says_so),
	    cmocka_unit_test(what_the_mount_knows_better_is_told_first),
	    cmocka_unit_test(a_token_of_the_future_is_waited_for),
	    cmocka_unit_test(unverified_it_is_sent),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
