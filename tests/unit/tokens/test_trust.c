/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/trust.h: which tokens are believed, when keys are asked for,
 * and what happens while an issuer is down. The clock is driven by hand; the
 * issuer is a function.
 */
#include "base/clock.h"
#include "tests/unit/oom.h"
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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ISS FAKE_ISSUER
#define AUD "https://store.example"

enum {
	START_S = 1000000,
	PATIENCE = 2000, /* of 10 ms: a loaded machine */
};

/* Three keys; "a" and "b" are the issuer's, one after the other. */
static struct sign_key *keys[3];
static char jwks[2][MAKE_BYTES];

static int make_keys(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		keys[i] = sign_key_new("P-256");
	for (unsigned i = 0; i < 2; i++) {
		char jwk[MAKE_BYTES];

		sign_jwk(
		    jwk, keys[i], i == 0 ? ",\"kid\":\"a\"" : ",\"kid\":\"b\"");
		sign_jwks(jwks[i], jwk, NULL, NULL);
	}
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		sign_key_free(keys[i]);
	return 0;
}

/* All that a test needs. */
struct bed {
	struct clock clock;
	struct fake_issuer web;
	struct trust *trust;
	char dir[256];
	char key_dir[300];
	char file[300];
};

static const char *const issuers[] = {ISS};
static const char *const audiences[] = {AUD};

static struct tokens_trust config_of(struct bed *bed)
{
	return (struct tokens_trust){.issuers = issuers,
	    .issuer_count = 1,
	    .audiences = audiences,
	    .audience_count = 1,
	    .document = fake_issuer_document,
	    .arg = &bed->web};
}

static void begin(struct bed *bed)
{
	memset(bed, 0, sizeof(*bed));
	bed->clock.hand_driven = 1;
	bed->clock.wall_s = START_S;
	bed->clock.monotonic_ms = 1000;
	fake_issuer_init(&bed->web, jwks[0]);
	make_directory(bed->dir);
	(void)snprintf(bed->key_dir, sizeof(bed->key_dir), "%s/keys", bed->dir);
	(void)snprintf(bed->file, sizeof(bed->file), "%s/jwks", bed->dir);
}

static void end(struct bed *bed)
{
	trust_free(bed->trust);
	make_remove(bed->dir);
	fake_issuer_fini(&bed->web);
}

static void start(struct bed *bed, const struct tokens_trust *config)
{
	struct err err = ERR_INIT;

	assert_int_equal(trust_new(&bed->trust, &bed->clock, config, &err), 0);
	trust_wait(bed->trust, PATIENCE * 10);
}

static void pass(struct bed *bed, uint64_t time_s)
{
	bed->clock.wall_s += time_s;
	bed->clock.monotonic_ms += time_s * 1000;
	trust_wake(bed->trust);
}

/* A WLCG token by a key, with a life of `life_s` from now. */
static struct token *make(struct bed *bed, unsigned key, const char *kid,
    uint64_t life_s, const char *more)
{
	char header[128];
	char claims[1024];
	char text[MAKE_BYTES];
	unsigned long long now = bed->clock.wall_s;

	(void)snprintf(
	    header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
	(void)snprintf(claims, sizeof(claims),
	    "{\"wlcg.ver\":\"1.0\",\"sub\":\"me\",\"jti\":\"1\","
	    "\"iat\":%llu,\"exp\":%llu,\"scope\":\"storage.read:/\"%s}",
	    now, now + life_s, more);
	sign_jws(text, keys[key], header, claims);
	return make_parsed(text);
}

#define OURS ",\"iss\":\"" ISS "\",\"aud\":\"" AUD "\""

static int judge(struct bed *bed, struct token *token)
{
	struct err why = ERR_INIT;
	int code = trust_judge(bed->trust, token, &why);

	if (code < 0) {
		assert_int_equal(why.code, code);
		assert_int_equal(strncmp(why.text, "the token ", 10) == 0 ||
		        strncmp(why.text, "no token ", 9) == 0,
		    1);
	}
	return code;
}

/* Judge until the verdict is this one; the keeper works meanwhile. */
static void judge_becomes(struct bed *bed, struct token *token, int wanted)
{
	int code = judge(bed, token);

	for (unsigned i = 0; i < PATIENCE && code != wanted; i++) {
		(void)usleep(10000);
		code = judge(bed, token);
	}
	assert_int_equal(code, wanted);
}

static void fetches_become(struct bed *bed, unsigned wanted)
{
	for (unsigned i = 0;
	     i < PATIENCE && fake_issuer_fetches(&bed->web) < wanted; i++)
		(void)usleep(10000);
	assert_int_equal(fake_issuer_fetches(&bed->web), wanted);
}

static void nothing_is_judged_where_nothing_is_configured(void **state)
{
	struct tokens_trust config = {.issuer_count = 0};
	struct bed bed;
	struct token *token;
	struct err why = ERR_INIT;

	(void)state;
	begin(&bed);
	token = make(&bed, 0, "a", 100, OURS);
	start(&bed, NULL);
	assert_false(trust_is_configured(bed.trust));
	assert_int_equal(judge(&bed, token), -EAGAIN);
	trust_free(bed.trust);
	start(&bed, &config);
	assert_false(trust_is_configured(bed.trust));
	assert_int_equal(judge(&bed, token), -EAGAIN);
	assert_int_equal(trust_judge(NULL, token, &why), -EAGAIN);
	assert_false(trust_is_configured(NULL));
	token_put(token);
	end(&bed);
}

static void a_token_of_the_issuer_is_good(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct token *token;

	(void)state;
	begin(&bed);
	start(&bed, &config);
	assert_true(trust_is_configured(bed.trust));
	token = make(&bed, 0, "a", 100, OURS);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(judge(&bed, token), 0);
	assert_string_equal(trust_profile(bed.trust, token), "WLCG 1.x");
	assert_int_equal(fake_issuer_fetches(&bed.web), 1);
	token_put(token);
	end(&bed);
}

static void times_count_although_it_was_good_before(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct token *token;
	struct token *early;

	(void)state;
	begin(&bed);
	start(&bed, &config);
	token = make(&bed, 0, "a", 100, OURS);
	assert_int_equal(judge(&bed, token), 0);
	bed.clock.wall_s = START_S - 1; /* before `iat` */
	assert_int_equal(judge(&bed, token), -EKEYEXPIRED);
	bed.clock.wall_s = START_S + 99;
	assert_int_equal(judge(&bed, token), 0);
	bed.clock.wall_s = START_S + 100;
	assert_int_equal(judge(&bed, token), -EKEYEXPIRED);
	early = make(&bed, 0, "a", 100, OURS ",\"nbf\":1000110");
	assert_int_equal(judge(&bed, early), -EKEYEXPIRED);
	bed.clock.wall_s = 1000110;
	assert_int_equal(judge(&bed, early), 0);
	token_put(early);
	token_put(token);
	end(&bed);
}

static void what_is_not_true_is_refused(void **state)
{
	static const struct {
		unsigned key;
		const char *kid;
		const char *more;
	} rows[] = {
	    {2, "a", OURS}, /* forged */
	    {1, "a", OURS}, /* forged */
	    {0, "a", ",\"iss\":\"" ISS "/\",\"aud\":\"" AUD "\""},
	    {0, "a", ",\"iss\":\"https://I.example\",\"aud\":\"" AUD "\""},
	    {0, "a", ",\"iss\":\"\",\"aud\":\"" AUD "\""},
	    {0, "a", ",\"aud\":\"" AUD "\""},
	    {0, "a", ",\"iss\":\"" ISS "\",\"aud\":\"https://x.example\""},
	    {0, "a", ",\"iss\":\"" ISS "\""},
	    {0, "a", OURS ",\"x\":1,\"x\":2"},
	};
	struct bed bed;
	struct tokens_trust config = config_of(&bed);

	(void)state;
	begin(&bed);
	start(&bed, &config);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct token *token =
		    make(&bed, rows[i].key, rows[i].kid, 100, rows[i].more);

		for (unsigned k = 0; k < 2; k++) {
			if (judge(&bed, token) != -EKEYREJECTED)
				fail_msg("row %u", (unsigned)i);
		}
		token_put(token);
	}
	assert_int_equal(fake_issuer_fetches(&bed.web), 1);
	end(&bed);
}

/* Somebody's own server, with a valid signature there, gets no visit. */
static void another_issuer_is_never_asked(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct token *token;

	(void)state;
	begin(&bed);
	start(&bed, &config);
	token = make(&bed, 2, "mine", 100,
	    ",\"iss\":\"https://evil.example\",\"aud\":\"" AUD "\"");
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(judge(&bed, token), -EKEYREJECTED);
		pass(&bed, 20);
	}
	(void)usleep(50000);
	assert_int_equal(
	    fake_issuer_fetches(&bed.web), 1); /* asserts none was alien */
	token_put(token);
	end(&bed);
}

static void what_cannot_be_judged_here_says_so(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
	    {"opaque", -EAGAIN},
	    {"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkExMjhHQ00ifQ.a.b.c.d",
	        -EAGAIN}, /* encrypted */
	    /* {"alg":"none"} and the like are to be judged. */
	    {"eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2kuZXhhbXBsZSJ9.",
	        -EKEYREJECTED},
	    {"eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2kuZXhhbXBsZSJ9.c2ln",
	        -EKEYREJECTED},
	};
	struct bed bed;
	struct tokens_trust config = config_of(&bed);

	(void)state;
	begin(&bed);
	start(&bed, &config);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct token *token = make_parsed(rows[i].text);

		assert_int_equal(judge(&bed, token), rows[i].code);
		token_put(token);
	}
	end(&bed);
}

static void without_an_audience_the_server_judges(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct token *token;
	struct token *any;

	(void)state;
	begin(&bed);
	config.audience_count = 0;
	start(&bed, &config);
	token = make(&bed, 0, "a", 100, OURS);
	any = make(&bed, 0, "a", 100,
	    ",\"iss\":\"" ISS "\",\"aud\":\"https://wlcg.cern.ch/jwt/v1/any\"");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(judge(&bed, token), -EAGAIN);
		assert_int_equal(judge(&bed, any), 0);
	}
	trust_free(bed.trust);
	config.any_audience = true;
	start(&bed, &config);
	/* Judged anew: by other keys, as far as it knows. */
	assert_int_equal(judge(&bed, token), 0);
	token_put(token);
	token_put(any);
	end(&bed);
}

static void an_issuer_that_is_down_is_waited_for(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct token *token;
	struct err why = ERR_INIT;

	(void)state;
	begin(&bed);
	bed.web.text = NULL;
	start(&bed, &config);
	token = make(&bed, 0, "a", 5000, OURS);
	assert_int_equal(trust_judge(bed.trust, token, &why), -EAGAIN);
	assert_non_null(strstr(why.text, "the issuer is down"));
	/* Not before its time, however often a token is judged. */
	pass(&bed, 59);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(judge(&bed, token), -EAGAIN);
	assert_int_equal(fake_issuer_fetches(&bed.web), 1);
	pass(&bed, 10);
	fetches_become(&bed, 2);
	fake_issuer_serve(&bed.web, jwks[0]);
	pass(&bed, KEYS_BACKOFF_BARE_MAX_MS / 1000 * 2);
	judge_becomes(&bed, token, 0);
	assert_int_equal(fake_issuer_fetches(&bed.web), 3);
	token_put(token);
	end(&bed);
}

static void keys_are_kept_between_mounts(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct token *token;

	(void)state;
	begin(&bed);
	config.key_dir = bed.key_dir;
	start(&bed, &config);
	token = make(&bed, 0, "a", 5 * 86400, OURS);
	assert_int_equal(judge(&bed, token), 0);
	trust_free(bed.trust);
	/* Fresh: nobody is asked. */
	start(&bed, &config);
	assert_int_equal(judge(&bed, token), 0);
	assert_int_equal(fake_issuer_fetches(&bed.web), 1);
	trust_free(bed.trust);
	bed.trust = NULL;
	/* Stale, and the issuer is down: they serve. */
	bed.clock.wall_s += 86400;
	fake_issuer_serve(&bed.web, NULL);
	start(&bed, &config);
	assert_int_equal(judge(&bed, token), 0);
	fetches_become(&bed, 2);
	assert_int_equal(judge(&bed, token), 0);
	trust_free(bed.trust);
	bed.trust = NULL;
	/* Expired: they do not. */
	bed.clock.wall_s += 86400;
	start(&bed, &config);
	assert_int_equal(judge(&bed, token), -EAGAIN);
	token_put(token);
	end(&bed);
}

static void keys_expire_while_the_issuer_is_down(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct token *token;

	(void)state;
	begin(&bed);
	start(&bed, &config);
	token = make(&bed, 0, "a", 5 * 86400, OURS);
	assert_int_equal(judge(&bed, token), 0);
	fake_issuer_serve(&bed.web, NULL);
	pass(&bed, KEYS_REFRESH_S);
	fetches_become(&bed, 2);
	assert_int_equal(judge(&bed, token), 0);
	pass(&bed, KEYS_LIFE_MIN_S - KEYS_REFRESH_S - 1);
	assert_int_equal(judge(&bed, token), 0);
	pass(&bed, 1);
	assert_int_equal(judge(&bed, token), -EAGAIN);
	token_put(token);
	end(&bed);
}

static void a_rotated_key_is_found_at_once(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct token *old;
	struct token *new;

	(void)state;
	begin(&bed);
	start(&bed, &config);
	old = make(&bed, 0, "a", 5000, OURS);
	new = make(&bed, 1, "b", 5000, OURS);
	assert_int_equal(judge(&bed, old), 0);
	fake_issuer_serve(&bed.web, jwks[1]);
	pass(&bed, 60);
	assert_int_equal(judge(&bed, new), -EAGAIN);
	judge_becomes(&bed, new, 0);
	assert_int_equal(fake_issuer_fetches(&bed.web), 2);
	/* What was good is not any more: its key has gone. It is asked for
	 * once more, and then it is known. */
	assert_int_equal(judge(&bed, old), -EAGAIN);
	pass(&bed, 60);
	judge_becomes(&bed, old, -EKEYREJECTED);
	assert_int_equal(fake_issuer_fetches(&bed.web), 3);
	token_put(old);
	token_put(new);
	end(&bed);
}

static void an_unknown_key_costs_one_fetch(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct token *token;

	(void)state;
	begin(&bed);
	start(&bed, &config);
	token = make(&bed, 2, "made-up", 5000, OURS);
	assert_int_equal(judge(&bed, token), -EAGAIN);
	(void)usleep(50000);
	assert_int_equal(
	    fake_issuer_fetches(&bed.web), 1); /* asked a moment ago */
	pass(&bed, 60);
	judge_becomes(&bed, token, -EKEYREJECTED);
	for (unsigned i = 0; i < 8; i++) {
		pass(&bed, 60);
		assert_int_equal(judge(&bed, token), -EKEYREJECTED);
	}
	assert_int_equal(fake_issuer_fetches(&bed.web), 2);
	token_put(token);
	end(&bed);
}

static void an_idle_mount_asks_nobody(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct token *token;

	(void)state;
	begin(&bed);
	start(&bed, &config);
	for (unsigned i = 0; i < 20; i++) {
		pass(&bed, KEYS_REFRESH_S);
		(void)usleep(5000);
	}
	assert_int_equal(fake_issuer_fetches(&bed.web), 1);
	token = make(&bed, 0, "a", 5000, OURS);
	assert_int_equal(judge(&bed, token), 0); /* with the old ones */
	fetches_become(&bed, 2);
	token_put(token);
	end(&bed);
}

static void a_key_file_is_used_instead_of_the_issuer(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct token *old;
	struct token *new;

	(void)state;
	begin(&bed);
	make_file(bed.file, jwks[0], 0644);
	config.jwks_file = bed.file;
	start(&bed, &config);
	old = make(&bed, 0, "a", 5000, OURS);
	new = make(&bed, 1, "b", 5000, OURS);
	assert_int_equal(judge(&bed, old), 0);
	/* Replaced: seen within a minute of use. */
	make_replaced(bed.file, jwks[1], 0644);
	pass(&bed, 60);
	judge_becomes(&bed, new, 0);
	/* Gone: what was in it goes on. */
	assert_int_equal(unlink(bed.file), 0);
	pass(&bed, 600);
	assert_int_equal(judge(&bed, new), 0);
	assert_int_equal(fake_issuer_fetches(&bed.web), 0);
	token_put(old);
	token_put(new);
	end(&bed);
}

/* Without an issuer a key file speaks for whom it signs. */
static void a_key_file_alone_is_trusted(void **state)
{
	struct bed bed;
	struct tokens_trust config = {.any_audience = true};
	struct token *token;

	(void)state;
	begin(&bed);
	make_file(bed.file, jwks[0], 0644);
	config.jwks_file = bed.file;
	start(&bed, &config);
	token = make(&bed, 0, "a", 100,
	    ",\"iss\":\"https://whoever.example\",\"aud\":\"x\"");
	assert_int_equal(judge(&bed, token), 0);
	token_put(token);
	token = make(&bed, 1, "a", 100,
	    ",\"iss\":\"https://whoever.example\",\"aud\":\"x\"");
	assert_int_equal(judge(&bed, token), -EKEYREJECTED);
	token_put(token);
	end(&bed);
}

static void bad_configurations_are_refused(void **state)
{
	static const char *const bad_issuers[] = {"http://i.example"};
	static const char *const any[] = {"ANY"};
	static const char *const wlcg[] = {"https://wlcg.cern.ch/jwt/v1/any"};
	static const char *const empty[] = {""};
	struct bed bed;

	(void)state;
	begin(&bed);
	for (unsigned i = 0; i < 6; i++) {
		struct tokens_trust config = config_of(&bed);
		struct err err = ERR_INIT;
		int wanted = -EINVAL;

		if (i == 0)
			config.issuers = bad_issuers;
		else if (i < 4)
			config.audiences = i == 1 ? any : i == 2 ? wlcg : empty;
		else if (i == 4)
			config.jwks_file = "relative";
		else
			config.jwks_file = bed.file;
		if (i == 5)
			wanted = -ENOENT;
		assert_int_equal(
		    trust_new(&bed.trust, &bed.clock, &config, &err), wanted);
		assert_int_equal(err.code, wanted);
		assert_true(err.text[0] != '\0');
		assert_null(bed.trust);
	}
	assert_int_equal(fake_issuer_fetches(&bed.web), 0);
	end(&bed);
}

/* A web that hangs must outlive the trust: it is left to its thread. */
static struct bed hanging;

static void a_document_that_hangs_stops_nobody(void **state)
{
	struct tokens_trust config = config_of(&hanging);
	struct err err = ERR_INIT;
	struct token *token;

	(void)state;
	begin(&hanging);
	hanging.web.hangs = true;
	assert_int_equal(
	    trust_new(&hanging.trust, &hanging.clock, &config, &err), 0);
	token = make(&hanging, 0, "a", 100, OURS);
	assert_int_equal(judge(&hanging, token), -EAGAIN);
	for (unsigned i = 0;
	     i < PATIENCE && !fake_issuer_is_waiting(&hanging.web); i++)
		(void)usleep(10000);
	assert_true(fake_issuer_is_waiting(&hanging.web));
	trust_free(hanging.trust); /* gives up after two seconds */
	hanging.trust = NULL;
	fake_issuer_hang(&hanging.web, false);
	fetches_become(&hanging, 1);
	(void)usleep(100000); /* it frees what it holds */
	token_put(token);
	make_remove(hanging.dir);
}

struct crowd {
	struct bed *bed;
	struct token *token;
};

static void *judge_often(void *arg)
{
	struct crowd *crowd = arg;

	for (unsigned i = 0; i < 200; i++) {
		struct err why = ERR_INIT;
		int code = trust_judge(crowd->bed->trust, crowd->token, &why);

		if (code != 0 && code != -EAGAIN && code != -EKEYREJECTED)
			return arg;
	}
	return NULL;
}

static void many_may_judge_at_once_while_keys_change(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);
	struct crowd crowds[2];
	pthread_t threads[4];

	(void)state;
	begin(&bed);
	start(&bed, &config);
	crowds[0] = (struct crowd){&bed, make(&bed, 0, "a", 90000, OURS)};
	crowds[1] = (struct crowd){&bed, make(&bed, 2, "a", 90000, OURS)};
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, judge_often,
		                     &crowds[i % 2]),
		    0);
	for (unsigned i = 0; i < 6; i++) {
		fake_issuer_serve(&bed.web, jwks[i % 2]);
		pass(&bed, KEYS_REFRESH_MAX_S / 10);
		(void)usleep(2000);
	}
	for (unsigned i = 0; i < 4; i++) {
		void *failed = NULL;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	token_put(crowds[0].token);
	token_put(crowds[1].token);
	end(&bed);
}

static int run_new(void *arg)
{
	struct bed *bed = arg;
	struct tokens_trust config = config_of(bed);
	struct err err = ERR_INIT;
	int code;

	config.jwks_file = bed->file;
	config.key_dir = bed->key_dir;
	code = trust_new(&bed->trust, &bed->clock, &config, &err);
	trust_free(bed->trust);
	bed->trust = NULL;
	return code;
}

static struct token *judged;

static int run_judge(void *arg)
{
	struct err why = ERR_INIT;
	int code;

	judged->judgement.generation = 0;
	code = trust_judge(((struct bed *)arg)->trust, judged, &why);
	return code == -EAGAIN ? -ENOMEM : code;
}

static void every_failed_allocation_is_told(void **state)
{
	struct bed bed;
	struct tokens_trust config = config_of(&bed);

	(void)state;
	begin(&bed);
	make_file(bed.file, jwks[0], 0644);
	assert_true(oom_each(run_new, &bed) > 10);
	config.jwks_file = bed.file;
	start(&bed, &config);
	judged = make(&bed, 0, "a", 100, OURS);
	assert_true(oom_each(run_judge, &bed) > 10);
	assert_int_equal(judge(&bed, judged), 0);
	token_put(judged);
	end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_judged_where_nothing_is_configured),
	    cmocka_unit_test(a_token_of_the_issuer_is_good),
	    cmocka_unit_test(times_count_although_it_was_good_before),
	    cmocka_unit_test(what_is_not_true_is_refused),
	    cmocka_unit_test(another_issuer_is_never_asked),
	    cmocka_unit_test(what_cannot_be_judged_here_says_so),
	    cmocka_unit_test(without_an_audience_the_server_judges),
	    cmocka_unit_test(an_issuer_that_is_down_is_waited_for),
	    cmocka_unit_test(keys_are_kept_between_mounts),
	    cmocka_unit_test(keys_expire_while_the_issuer_is_down),
	    cmocka_unit_test(a_rotated_key_is_found_at_once),
	    cmocka_unit_test(an_unknown_key_costs_one_fetch),
	    cmocka_unit_test(an_idle_mount_asks_nobody),
	    cmocka_unit_test(a_key_file_is_used_instead_of_the_issuer),
	    cmocka_unit_test(a_key_file_alone_is_trusted),
	    cmocka_unit_test(bad_configurations_are_refused),
	    cmocka_unit_test(a_document_that_hangs_stops_nobody),
	    cmocka_unit_test(many_may_judge_at_once_while_keys_change),
	    cmocka_unit_test(every_failed_allocation_is_told),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
