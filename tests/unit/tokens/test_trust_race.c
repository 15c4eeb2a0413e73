/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/trust.h while keys come and go: what may be said of a token
 * by whom at which moment. A model over random rotations, judged by several
 * threads, and the moments that it would hardly hit, one by one.
 */
#include "base/clock.h"
#include "tests/unit/tokens/fake_issuer.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/sign.h"
#include "tokens/claims/token.h"
#include "tokens/verify/keys.h"
#include "tokens/verify/trust.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	START_S = 1000000,
	END_S = 2000000000, /* of tokens: later than any test */
	PATIENCE = 2000,    /* of 10 ms: a loaded machine */
	THREADS = 4,
	ROUNDS_MIN = 100,
	ROUNDS_MAX = 3000,
};

/* "a" and "b" are the issuer's; the third is nobody's. */
enum { KEY_A, KEY_B, KEY_NONE };

enum { SET_A, SET_B, SET_BOTH, SET_COUNT };

static struct sign_key *keys[3];
static char sets[SET_COUNT][MAKE_BYTES];

static int make_keys(void **state)
{
	char a[MAKE_BYTES];
	char b[MAKE_BYTES];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		keys[i] = sign_key_new("P-256");
	sign_jwk(a, keys[KEY_A], ",\"kid\":\"a\"");
	sign_jwk(b, keys[KEY_B], ",\"kid\":\"b\"");
	sign_jwks(sets[SET_A], a, NULL, NULL);
	sign_jwks(sets[SET_B], b, NULL, NULL);
	sign_jwks(sets[SET_BOTH], a, b, NULL);
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		sign_key_free(keys[i]);
	return 0;
}

/* Every token is judged here; all of these are of our issuer. */
enum {
	TOKEN_A,
	TOKEN_B,
	TOKEN_FORGED,   /* says "a", and is not signed with it */
	TOKEN_NAMESAKE, /* says "b", and is signed with "a" */
	TOKEN_MADE_UP,  /* names a key that there never was */
	TOKEN_COUNT,
};

static const struct {
	unsigned key;
	const char *kid;
} kinds[TOKEN_COUNT] = {
    [TOKEN_A] = {KEY_A, "a"},
    [TOKEN_B] = {KEY_B, "b"},
    [TOKEN_FORGED] = {KEY_NONE, "a"},
    [TOKEN_NAMESAKE] = {KEY_A, "b"},
    [TOKEN_MADE_UP] = {KEY_NONE, "made-up"},
};

struct bed {
	struct clock clock;
	struct fake_issuer issuer;
	struct trust *trust;
	struct token *tokens[TOKEN_COUNT];
};

static struct token *make(unsigned key, const char *kid)
{
	char header[128];
	char claims[512];
	char text[MAKE_BYTES];

	(void)snprintf(
	    header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
	(void)snprintf(claims, sizeof(claims),
	    "{\"wlcg.ver\":\"1.0\",\"sub\":\"me\",\"jti\":\"1\",\"iat\":%d,"
	    "\"exp\":%d,\"scope\":\"storage.read:/\",\"iss\":\"" FAKE_ISSUER
	    "\",\"aud\":\"https://store.example\"}",
	    START_S, END_S);
	sign_jws(text, keys[key], header, claims);
	return make_parsed(text);
}

static void begin(struct bed *bed, unsigned set)
{
	static const char *const issuers[] = {FAKE_ISSUER};
	static const char *const audiences[] = {"https://store.example"};
	const struct tokens_trust config = {.issuers = issuers,
	    .issuer_count = 1,
	    .audiences = audiences,
	    .audience_count = 1,
	    .document = fake_issuer_document,
	    .arg = &bed->issuer};
	struct err err = ERR_INIT;

	memset(bed, 0, sizeof(*bed));
	bed->clock.hand_driven = 1;
	bed->clock.wall_s = START_S;
	bed->clock.monotonic_ms = 1000;
	fake_issuer_init(&bed->issuer, sets[set]);
	for (unsigned i = 0; i < TOKEN_COUNT; i++)
		bed->tokens[i] = make(kinds[i].key, kinds[i].kid);
	assert_int_equal(trust_new(&bed->trust, &bed->clock, &config, &err), 0);
	trust_wait(bed->trust, PATIENCE * 10);
}

static void end(struct bed *bed)
{
	trust_free(bed->trust);
	for (unsigned i = 0; i < TOKEN_COUNT; i++)
		token_put(bed->tokens[i]);
	fake_issuer_fini(&bed->issuer);
}

static void pass(struct bed *bed, uint64_t time_s)
{
	bed->clock.wall_s += time_s;
	bed->clock.monotonic_ms += time_s * 1000;
	trust_wake(bed->trust);
}

static int judge(struct bed *bed, unsigned which)
{
	struct err why = ERR_INIT;

	return trust_judge(bed->trust, bed->tokens[which], &why);
}

static void judge_becomes(struct bed *bed, unsigned which, int wanted)
{
	int code = judge(bed, which);

	for (unsigned i = 0; i < PATIENCE && code != wanted; i++) {
		(void)usleep(10000);
		code = judge(bed, which);
	}
	assert_int_equal(code, wanted);
}

/* A moment: between the look into the keys and what follows from it. */
static void (*in_between)(void *arg);
static void *in_between_arg;

int __real_jwks_check(
    const struct jwks *set, const struct jws *jws, struct err *err);
int __wrap_jwks_check(
    const struct jwks *set, const struct jws *jws, struct err *err);

int __wrap_jwks_check(
    const struct jwks *set, const struct jws *jws, struct err *err)
{
	void (*then)(void *arg) = in_between;
	int code = __real_jwks_check(set, jws, err);

	if (then != NULL && code == -ENOKEY) {
		in_between = NULL;
		then(in_between_arg);
	}
	return code;
}

/* The keeper brings "b" while a token of "b" is being looked at. */
static void bring_b(void *arg)
{
	struct bed *bed = arg;

	fake_issuer_serve(&bed->issuer, sets[SET_BOTH]);
	pass(bed, KEYS_SPACING_MS / 1000);
	/* The namesake names "b" as well: that is how it is seen to be there. */
	judge_becomes(bed, TOKEN_NAMESAKE, -EKEYREJECTED);
}

static void a_key_that_comes_meanwhile_counts(void **state)
{
	struct bed bed;

	(void)state;
	for (unsigned known = 0; known < 2; known++) {
		begin(&bed, SET_A);
		if (known > 0)
			assert_int_equal(judge(&bed, TOKEN_B), -EAGAIN);
		in_between_arg = &bed;
		in_between = bring_b;
		/* By the keys that it was looked at with there is no "b". */
		assert_int_equal(judge(&bed, TOKEN_B), 0);
		assert_null(in_between);
		/* Nobody is asked for what is there. */
		pass(&bed, KEYS_SPACING_MS / 1000);
		assert_int_equal(judge(&bed, TOKEN_B), 0);
		(void)usleep(50000);
		assert_int_equal(fake_issuer_fetches(&bed.issuer), 2);
		end(&bed);
	}
}

/* What the issuer has answered stands until it answers again: it is not
 * "not known" meanwhile, which would leave the token to the server. */
static void an_absent_key_stays_absent_while_it_is_asked_for_again(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed, SET_A);
	assert_int_equal(judge(&bed, TOKEN_MADE_UP), -EAGAIN);
	pass(&bed, KEYS_SPACING_MS / 1000);
	judge_becomes(&bed, TOKEN_MADE_UP, -EKEYREJECTED);
	assert_int_equal(fake_issuer_fetches(&bed.issuer), 2);
	fake_issuer_hang(&bed.issuer, true);
	pass(&bed, KEYS_MISS_LIFE_MS / 1000);
	for (unsigned i = 0; i < PATIENCE; i++) {
		assert_int_equal(judge(&bed, TOKEN_MADE_UP), -EKEYREJECTED);
		if (fake_issuer_is_waiting(&bed.issuer))
			break;
		(void)usleep(10000);
	}
	assert_true(fake_issuer_is_waiting(&bed.issuer));
	assert_int_equal(judge(&bed, TOKEN_MADE_UP), -EKEYREJECTED);
	/* The issuer goes down instead of answering, and for long. */
	fake_issuer_serve(&bed.issuer, NULL);
	fake_issuer_hang(&bed.issuer, false);
	for (unsigned i = 0; i < 50; i++) {
		pass(&bed, KEYS_MISS_LIFE_MS / 1000);
		assert_int_equal(judge(&bed, TOKEN_MADE_UP), -EKEYREJECTED);
	}
	end(&bed);
}

/* And when it does have the key at last, the token is good. */
static void an_absent_key_may_come_later(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed, SET_A);
	assert_int_equal(judge(&bed, TOKEN_B), -EAGAIN);
	pass(&bed, KEYS_SPACING_MS / 1000);
	judge_becomes(&bed, TOKEN_B, -EKEYREJECTED);
	fake_issuer_serve(&bed.issuer, sets[SET_BOTH]);
	pass(&bed, KEYS_SPACING_MS / 1000);
	assert_int_equal(judge(&bed, TOKEN_B), -EKEYREJECTED);
	pass(&bed, KEYS_MISS_LIFE_MS / 1000);
	judge_becomes(&bed, TOKEN_B, 0);
	assert_int_equal(fake_issuer_fetches(&bed.issuer), 3);
	end(&bed);
}

/* One who judges, again and again. */
struct judge {
	struct bed *bed;
	atomic_bool *stopping;
	unsigned seen[TOKEN_COUNT][3]; /* 0, -EAGAIN, -EKEYREJECTED */
	const char *wrong;
};

static bool set_has(const char *set, const char *kid)
{
	return set == sets[SET_BOTH] ||
	    set == sets[kid[0] == 'a' ? SET_A : SET_B];
}

/* Whether one of the sets that may have been in use from the moment when
 * `before` sets had been given until `after` had been has (has not) a key.
 * The last one given before may not have been put in yet; the keeper asks
 * for one at a time. */
static bool some_set(
    struct bed *bed, unsigned before, unsigned after, const char *kid, bool has)
{
	bool found = false;

	(void)pthread_mutex_lock(&bed->issuer.mutex);
	for (unsigned i = before > 1 ? before - 2 : 0; i < after; i++)
		found |= set_has(bed->issuer.given[i], kid) == has;
	(void)pthread_mutex_unlock(&bed->issuer.mutex);
	return found;
}

/* What is wrong with a verdict; NULL: nothing. */
static const char *check(
    struct judge *by, unsigned which, int code, unsigned before, unsigned after)
{
	bool has = false;
	bool lacks = false;

	if (which != TOKEN_MADE_UP) {
		const char *kid = kinds[which].kid;

		has = some_set(by->bed, before, after, kid, true);
		lacks = some_set(by->bed, before, after, kid, false);
	}
	switch (code) {
	case 0:
		if (which != TOKEN_A && which != TOKEN_B)
			return "a false token is good";
		return has ? NULL : "good by a key that was not there";
	case -EAGAIN:
		if (which == TOKEN_MADE_UP)
			return by->seen[which][2] > 0 ? "not refused any more"
			                              : NULL;
		return lacks ? NULL : "not judged by a key that was there";
	case -EKEYREJECTED:
		if (which != TOKEN_A && which != TOKEN_B)
			return NULL;
		return lacks ? NULL : "a good token is refused";
	default:
		return "a code that it does not give";
	}
}

static void *judge_often(void *arg)
{
	struct judge *by = arg;

	for (unsigned i = 0; !atomic_load(by->stopping) && by->wrong == NULL;
	     i++) {
		unsigned which = i % TOKEN_COUNT;
		unsigned before = fake_issuer_given(&by->bed->issuer);
		int code = judge(by->bed, which);
		unsigned after = fake_issuer_given(&by->bed->issuer);

		by->wrong = check(by, which, code, before, after);
		by->seen[which][code == 0 ? 0 : code == -EAGAIN ? 1 : 2]++;
	}
	return NULL;
}

/* One more turn of the world: other keys, or none, and time passes. */
static void turn(struct bed *bed)
{
	uint64_t what = clock_jitter(SET_COUNT + 1);
	unsigned before = fake_issuer_fetches(&bed->issuer);

	fake_issuer_serve(&bed->issuer, what == SET_COUNT ? NULL : sets[what]);
	pass(bed, 61 + clock_jitter(2 * KEYS_REFRESH_S));
	for (unsigned i = 0;
	     i < 20 && fake_issuer_fetches(&bed->issuer) == before; i++)
		(void)usleep(500);
}

static void no_verdict_is_of_other_keys_than_there_were(void **state)
{
	static struct judge judges[THREADS];
	unsigned seen[TOKEN_COUNT][3] = {{0}};
	pthread_t threads[THREADS];
	atomic_bool stopping;
	struct bed bed;

	(void)state;
	begin(&bed, SET_A);
	atomic_init(&stopping, false);
	for (unsigned i = 0; i < THREADS; i++) {
		judges[i] = (struct judge){.bed = &bed, .stopping = &stopping};
		assert_int_equal(
		    pthread_create(&threads[i], NULL, judge_often, &judges[i]),
		    0);
	}
	for (unsigned i = 0; i < ROUNDS_MIN ||
	     (i < ROUNDS_MAX &&
	         fake_issuer_given(&bed.issuer) < ROUNDS_MIN / 4);
	     i++)
		turn(&bed);
	atomic_store(&stopping, true);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		if (judges[i].wrong != NULL)
			fail_msg("%s", judges[i].wrong);
		for (unsigned k = 0; k < TOKEN_COUNT * 3; k++)
			seen[k / 3][k % 3] += judges[i].seen[k / 3][k % 3];
	}
	/* The world did turn. */
	assert_true(fake_issuer_given(&bed.issuer) >= ROUNDS_MIN / 4);
	assert_true(seen[TOKEN_A][0] > 0 && seen[TOKEN_B][0] > 0);
	assert_true(seen[TOKEN_MADE_UP][2] > 0);
	end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_that_comes_meanwhile_counts),
	    cmocka_unit_test(
	        an_absent_key_stays_absent_while_it_is_asked_for_again),
	    cmocka_unit_test(an_absent_key_may_come_later),
	    cmocka_unit_test(no_verdict_is_of_other_keys_than_there_were),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
