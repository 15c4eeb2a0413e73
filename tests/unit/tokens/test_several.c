/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/pick.h, tokens/claims/reach.h: a job with several tokens, and one with a
 * token for writing alone. Which of them goes with a request, and what is
 * told of them.
 */
#include "base/clock.h"
#include "base/ident.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/sign.h"
#include "tokens/store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define ISS "https://i.example"

enum { START_S = 1000000, HELD_MAX = FINDING_TOKENS_MAX, MANY = 360 };

/* Where tokens are from: all that are held there, in this order. */
struct place {
	unsigned count;
	struct token *held[HELD_MAX];
};

static struct clock now;
static struct tokens *tokens;
static struct place reading;
static struct place writing;
static const struct ident ada = {.uid = 2001, .gid = 2001, .pid = 77};

static void look(void *arg, bool force, uint64_t now_s, struct finding *out)
{
	const struct place *place = arg;

	(void)force;
	(void)now_s;
	*out = (struct finding){.count = 0};
	for (unsigned i = 0; i < place->count; i++)
		finding_add(out, token_get(place->held[i]));
	if (place->count == 0)
		(void)err_set(&out->problem, -ENOKEY, "nothing there");
}

static void hold_text(struct place *place, const char *source, const char *text)
{
	struct token *token = make_parsed(text);

	assert_int_equal(token_set_source(token, source), 0);
	place->held[place->count++] = token;
}

static void hold(struct place *place, const char *source, const char *claims)
{
	char text[MAKE_BYTES];

	make_jwt(text, claims);
	hold_text(place, source, text);
}

static void start(bool apart, const struct tokens_trust *trust)
{
	const struct tokens_config config = {.clock = &now,
	    .base_path = "/exp",
	    .source_path = "/exp",
	    .trust = trust};
	const struct purse_source source = {.look = look, .arg = &reading};
	const struct purse_source other = {.look = look, .arg = &writing};
	struct err err = ERR_INIT;

	now = (struct clock){.hand_driven = 1};
	atomic_store(&now.monotonic_ms, 1000000);
	atomic_store(&now.wall_s, START_S);
	assert_int_equal(token_store_new(&tokens, &config, &source,
	                     apart ? &other : NULL, &err),
	    0);
}

static int tear_down(void **state)
{
	(void)state;
	tokens_free(tokens);
	tokens = NULL;
	for (unsigned i = 0; i < HELD_MAX; i++) {
		token_put(reading.held[i]);
		token_put(writing.held[i]);
	}
	reading = (struct place){.count = 0};
	writing = (struct place){.count = 0};
	return 0;
}

struct got {
	int code;
	char source[64];
	char why[ERR_TEXT_BYTES];
};

static void answered(
    void *arg, int code, struct token *token, const struct err *err)
{
	struct got *got = arg;

	got->code = code;
	(void)snprintf(got->source, sizeof(got->source), "%s",
	    token != NULL ? token_source(token) : "");
	(void)snprintf(got->why, sizeof(got->why), "%s", err->text);
	token_put(token);
}

static struct got want(const char *path, enum tokens_right right)
{
	const struct tokens_query query = {.ident = &ada,
	    .path = path,
	    .right = right,
	    .deadline_ms = clock_now_ms(&now)};
	struct got got = {.code = 1};

	tokens_want(tokens, &query, answered, &got);
	assert_in_range(-got.code, 0, 4095); /* answered at once */
	return got;
}

static void chosen(
    const char *path, enum tokens_right right, const char *source)
{
	struct got got = want(path, right);

	assert_int_equal(got.code, 0);
	assert_string_equal(got.source, source);
}

static void the_scope_that_covers_the_path_is_taken(void **state)
{
	(void)state;
	hold(&reading, "a.use", "{\"scope\":\"openid\"}");
	hold(&reading, "b.use", "{\"scope\":\"read:/bob\"}");
	hold(&reading, "c.use", "{\"scope\":\"read:/carol write:/bob\"}");
	start(false, NULL);
	chosen("/exp/bob/x", TOKENS_READ, "b.use");
	chosen("/exp/carol", TOKENS_READ, "c.use");
	chosen("/exp/bob/x", TOKENS_CREATE, "c.use");
	chosen("/exp/bob/x", TOKENS_LOOK, "b.use");
	/* Who does not say what it allows may be more than a name. */
	chosen("/exp/dave", TOKENS_READ, "a.use");
	assert_int_equal(
	    tokens_may(tokens, &ada, "/exp/bob", TOKENS_READ, NULL), 0);
}

static void what_a_server_refused_is_passed_over_for_that_path(void **state)
{
	(void)state;
	hold_text(&reading, "a.use", "opaque-a");
	hold_text(&reading, "b.use", "opaque-b");
	start(false, NULL);
	chosen("/exp/x", TOKENS_READ, "a.use");
	tokens_report(tokens, reading.held[0], "/exp/x", TOKENS_READ, 403);
	chosen("/exp/x", TOKENS_READ, "b.use");
	chosen("/exp/y", TOKENS_READ, "a.use");
	tokens_report(tokens, reading.held[1], "/exp/x", TOKENS_READ, 401);
	chosen("/exp/x", TOKENS_READ, "a.use");
}

static void one_that_is_good_now_goes_before_one_that_is_not(void **state)
{
	(void)state;
	hold(&reading, "ended.use", "{\"scope\":\"read:/\",\"exp\":1000000}");
	hold(&reading, "early.use", "{\"scope\":\"read:/\",\"nbf\":1000001}");
	hold(&reading, "good.use", "{\"scope\":\"read:/z\",\"exp\":1000001}");
	start(false, NULL);
	chosen("/exp/x", TOKENS_READ, "good.use");
	(void)atomic_fetch_add(&now.wall_s, 1);
	chosen("/exp/x", TOKENS_READ, "early.use");
}

static void the_one_that_ends_first_is_renewed(void **state)
{
	uint64_t due_s;

	(void)state;
	hold(&reading, "a.use", "{\"scope\":\"read:/a\",\"exp\":1100000}");
	hold(&reading, "b.use", "{\"scope\":\"read:/b\",\"exp\":1001000}");
	hold(&reading, "c.use", "{\"scope\":\"read:/c\",\"exp\":1050000}");
	start(false, NULL);
	token_store_enter(tokens);
	due_s = tokens->own->renew_due_s;
	token_store_leave(tokens);
	assert_in_range(due_s, START_S + 500, START_S + 1000);
}

static void an_issuer_who_is_trusted_goes_first(void **state)
{
	static const char *const issuers[] = {ISS};
	struct sign_key *keys[2] = {
	    sign_key_new("P-256"), sign_key_new("P-256")};
	char dir[256];
	char file[300];
	char text[MAKE_BYTES];
	char jwk[MAKE_BYTES];
	const struct tokens_trust trust = {.issuers = issuers,
	    .issuer_count = 1,
	    .jwks_file = file,
	    .any_audience = true};
	static const char claims[] =
	    "{\"exp\":1005000,\"nbf\":1,\"iat\":1,\"jti\":\"j\",\"sub\":"
	    "\"ada\",\"ver\":\"scitoken:2.0\",\"aud\":\"ANY\",\"iss\":\"" ISS
	    "\",\"scope\":\"read:/\"}";
	static const char header[] =
	    "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"a\"}";

	(void)state;
	make_directory(dir);
	(void)snprintf(file, sizeof(file), "%s/jwks", dir);
	sign_jwk(jwk, keys[0], ",\"kid\":\"a\"");
	sign_jwks(text, jwk, NULL, NULL);
	make_file(file, text, 0600);
	hold_text(&reading, "opaque.use", "opaque");
	sign_jws(text, keys[1], header, claims);
	hold_text(&reading, "forged.use", text);
	sign_jws(text, keys[0], header, claims);
	hold_text(&reading, "true.use", text);
	start(false, &trust);
	chosen("/exp/x", TOKENS_READ, "true.use");
	assert_int_equal(
	    tokens_may(tokens, &ada, "/exp/x", TOKENS_READ, NULL), 0);
	make_remove(dir);
	sign_key_free(keys[0]);
	sign_key_free(keys[1]);
}

static void collect(void *arg, const char *name)
{
	(void)strcat(arg, name);
	(void)strcat(arg, ",");
}

static void names_of_all_lead_on_and_each_is_told_once(void **state)
{
	char names[64] = "";

	(void)state;
	hold(&reading, "a.use", "{\"scope\":\"read:/x read:/y/1\"}");
	hold(&reading, "b.use", "{\"scope\":\"read:/y/2 read:/z\"}");
	start(false, NULL);
	assert_int_equal(tokens_reach(tokens, &ada, "/exp", collect, names), 3);
	assert_string_equal(names, "x,y,z,");
	assert_int_equal(tokens_reach(tokens, &ada, "/exp/y", NULL, NULL), 1);
}

/* 360 scopes: as many as this text has room for. */
static void hold_many(unsigned which)
{
	char claims[MAKE_BYTES] = "{\"scope\":\"";
	char source[16];
	size_t n = strlen(claims);

	for (unsigned i = 0; i < MANY; i++)
		n += (size_t)snprintf(claims + n, sizeof(claims) - n,
		    "read:/%04x ", which * MANY + (i * 7) % MANY);
	(void)snprintf(claims + n, sizeof(claims) - n, "\"}");
	(void)snprintf(source, sizeof(source), "%u", which);
	hold(&reading, source, claims);
}

static void count(void *arg, const char *name)
{
	(void)name;
	++*(unsigned *)arg;
}

/* Whoever makes up such tokens holds up all others while this lasts; to look
 * at each scope for each name took minutes. */
static void thousands_of_scopes_cost_no_time(void **state)
{
	clock_t begun = clock();
	unsigned told = 0;

	(void)state;
	for (unsigned i = 0; i < HELD_MAX; i++)
		hold_many(i);
	start(false, NULL);
	assert_int_equal(
	    tokens_reach(tokens, &ada, "/exp", count, &told), HELD_MAX * MANY);
	assert_int_equal(told, HELD_MAX * MANY);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(
		    tokens_reach(tokens, &ada, "/exp", NULL, NULL), 1);
	for (unsigned i = 0; i < 200; i++)
		chosen("/exp/1234", TOKENS_LOOK, "12");
	assert_true(clock() - begun < 10 * CLOCKS_PER_SEC);
}

static void a_token_for_writing_alone_is_used_for_writing_alone(void **state)
{
	(void)state;
	hold(&reading, "/r", "{\"scope\":\"read:/ write:/\"}");
	hold(&writing, "/w", "{\"scope\":\"read:/ write:/out\"}");
	start(true, NULL);
	chosen("/exp/x", TOKENS_READ, "/r");
	chosen("/exp/x", TOKENS_LOOK, "/r");
	chosen("/exp/out/x", TOKENS_CREATE, "/w");
	chosen("/exp/x", TOKENS_MODIFY, "/w");
}

static void without_a_token_for_writing_the_other_is_not_taken(void **state)
{
	struct got got;

	(void)state;
	hold(&reading, "/r", "{\"scope\":\"read:/ write:/\"}");
	start(true, NULL);
	chosen("/exp/x", TOKENS_READ, "/r");
	got = want("/exp/x", TOKENS_CREATE);
	assert_int_equal(got.code, -ENOKEY);
	assert_string_equal(got.why, "nothing there");
}

static void all_of_them_are_described(void **state)
{
	struct buf out;

	(void)state;
	hold(&reading, "a.use", "{\"scope\":\"read:/a\",\"exp\":1000060}");
	hold(&reading, "b.use", "{\"scope\":\"read:/b\"}");
	hold(&writing, "/w", "{\"scope\":\"write:/\"}");
	start(true, NULL);
	buf_init(&out, 4096);
	assert_int_equal(tokens_describe(tokens, &ada, &out), 0);
	assert_string_equal(buf_text(&out),
	    "{\"state\":\"valid\",\"kind\":\"jwt\",\"profile\":null,"
	    "\"source\":\"a.use\",\"issuer\":null,\"subject\":null,"
	    "\"audience\":null,\"scope\":\"read:/a\","
	    "\"expires_at\":\"1970-01-12T13:47:40Z\",\"left_s\":60,"
	    "\"problem\":null,\"others\":[{\"state\":\"valid\","
	    "\"kind\":\"jwt\",\"profile\":null,\"source\":\"b.use\","
	    "\"issuer\":null,\"subject\":null,\"audience\":null,"
	    "\"scope\":\"read:/b\",\"expires_at\":null,\"left_s\":null}],"
	    "\"writing\":{\"state\":\"valid\",\"kind\":\"jwt\","
	    "\"profile\":null,\"source\":\"/w\",\"issuer\":null,"
	    "\"subject\":null,\"audience\":null,\"scope\":\"write:/\","
	    "\"expires_at\":null,\"left_s\":null,\"problem\":null,"
	    "\"others\":[]}}");
	buf_clear(&out);
	assert_int_equal(tokens_describe_text(tokens, &ada, &out), 0);
	assert_non_null(strstr(buf_text(&out), "from: a.use"));
	assert_non_null(strstr(buf_text(&out), "from: b.use"));
	assert_non_null(strstr(buf_text(&out), "for writing, token: in use"));
	buf_fini(&out);
}

static void a_wrong_scope_is_told_with_the_one_that_would_do(void **state)
{
	static const struct {
		const char *claims;
		enum tokens_right right;
		const char *path;
		const char *words;
	} rows[] = {
	    {"{\"scope\":\"read:/a\"}", TOKENS_READ, "/exp/b/c",
	        "with 'read:/b/c'"},
	    {"{\"scope\":\"read:/a\"}", TOKENS_LOOK, "/exp", "with 'read:/'"},
	    {"{\"scope\":\"read:/a\"}", TOKENS_CREATE, "/exp/a",
	        "with 'write:/a'"},
	    {"{\"scope\":\"storage.read:/a\"}", TOKENS_READ, "/exp/b",
	        "with 'storage.read:/b'"},
	    {"{\"scope\":\"storage.read:/a\"}", TOKENS_CREATE, "/exp/b",
	        "with 'storage.create:/b'"},
	    {"{\"scope\":\"storage.read:/a\"}", TOKENS_MODIFY, "/exp/b",
	        "with 'storage.modify:/b'"},
	    {"{\"scope\":\"read:/a\"}", TOKENS_READ, "/other/a",
	        "another issuer"},
	};

	(void)state;
	hold(&reading, "a", "{}");
	start(false, NULL);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char text[MAKE_BYTES];
		struct err err = ERR_INIT;
		struct token *token;

		make_jwt(text, rows[i].claims);
		token = make_parsed(text);
		assert_int_equal(
		    reach_of(&tokens->root, token, rows[i].path, rows[i].right),
		    REACH_NOT);
		assert_int_equal(reach_explain(&tokens->root, token,
		                     rows[i].path, rows[i].right, &err),
		    -EACCES);
		if (strstr(err.text, rows[i].words) == NULL)
			fail_msg(
			    "'%s' does not say '%s'", err.text, rows[i].words);
		assert_non_null(strstr(err.text, "/a'"));
		token_put(token);
	}
}

static void changes(const char *path, int create, int modify)
{
	assert_int_equal(
	    tokens_may_change(tokens, &ada, path, TOKENS_CREATE), create);
	assert_int_equal(
	    tokens_may_change(tokens, &ada, path, TOKENS_MODIFY), modify);
}

static void what_a_token_may_change_is_told_by_its_scopes(void **state)
{
	(void)state;
	hold(&reading, "a.use", "{\"scope\":\"storage.create:/new\"}");
	hold(&reading, "b.use",
	    "{\"scope\":\"storage.read:/ storage.modify:/bob\"}");
	start(false, NULL);
	changes("/exp/new/x", 0, -EACCES);
	changes("/exp/bob/x", 0, 0);
	assert_int_equal(tear_down(NULL), 0);
	hold(&reading, "b.use",
	    "{\"scope\":\"storage.read:/ storage.modify:/bob\"}");
	start(false, NULL);
	changes("/exp/bob/x", 0, 0);
	/* It may read there, so its paths are understood. */
	changes("/exp/carol", -EACCES, -EACCES);
}

static void who_does_not_tell_is_left_to_the_server(void **state)
{
	(void)state;
	start(false, NULL);
	changes("/exp/a", -ENOKEY, -ENOKEY);
	assert_int_equal(tear_down(NULL), 0);
	hold_text(&reading, "a", "opaque");
	start(false, NULL);
	changes("/exp/a", 0, 0);
	assert_int_equal(tear_down(NULL), 0);
	/* What "/" means to an issuer that nobody knows may be anything. */
	hold(
	    &reading, "a", "{\"scope\":\"storage.modify:/b\",\"exp\":1000001}");
	start(false, NULL);
	changes("/exp/a", 0, 0);
	(void)atomic_fetch_add(&now.wall_s, 1);
	changes("/exp/a", -EKEYEXPIRED, -EKEYEXPIRED);
}

static void where_a_token_for_writing_comes_from_is_told_by_name(void **state)
{
	static const struct {
		const char *source;
		enum tokens_from from;
		const char *name;
	} rows[] = {
	    {"$BEARER_TOKEN", TOKENS_FROM_DISCOVERY, ""},
	    {"/run/user/7/bt_u7", TOKENS_FROM_DISCOVERY, ""},
	    {"/home/ada/bt_ux", TOKENS_FROM_FILE, "/home/ada/bt_ux"},
	    {"/home/ada/bt_u", TOKENS_FROM_FILE, "/home/ada/bt_u"},
	    {"agent:exp", TOKENS_FROM_AGENT, "exp"},
	    {"/job/.condor_creds/scitokens.use", TOKENS_FROM_CONDOR,
	        "/job/.condor_creds/scitokens.use"},
	};
	char name[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		hold_text(&reading, "/elsewhere", "for-reading");
		hold_text(&writing, rows[i].source, "for-writing");
		start(true, NULL);
		assert_int_equal(tokens_write_source(tokens, &ada, "/exp/a",
		                     name, sizeof(name)),
		    rows[i].from);
		assert_string_equal(name, rows[i].name);
		assert_int_equal(tear_down(NULL), 0);
	}
	/* Where there is none, and where a name has no room. */
	start(false, NULL);
	assert_int_equal(
	    tokens_write_source(tokens, &ada, "/exp/a", name, sizeof(name)),
	    TOKENS_FROM_DISCOVERY);
	assert_string_equal(name, "");
	assert_int_equal(tear_down(NULL), 0);
	hold_text(&reading, "/elsewhere", "opaque");
	start(false, NULL);
	assert_int_equal(tokens_write_source(tokens, &ada, "/exp/a", name, 10),
	    TOKENS_FROM_DISCOVERY);
	assert_string_equal(name, "");
	assert_int_equal(tokens_write_source(tokens, &ada, "/exp/a", name, 11),
	    TOKENS_FROM_FILE);
	assert_string_equal(name, "/elsewhere");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(the_scope_that_covers_the_path_is_taken),
	    TEST(what_a_server_refused_is_passed_over_for_that_path),
	    TEST(one_that_is_good_now_goes_before_one_that_is_not),
	    TEST(the_one_that_ends_first_is_renewed),
	    TEST(an_issuer_who_is_trusted_goes_first),
	    TEST(names_of_all_lead_on_and_each_is_told_once),
	    TEST(thousands_of_scopes_cost_no_time),
	    TEST(a_token_for_writing_alone_is_used_for_writing_alone),
	    TEST(without_a_token_for_writing_the_other_is_not_taken),
	    TEST(all_of_them_are_described),
	    TEST(a_wrong_scope_is_told_with_the_one_that_would_do),
	    TEST(what_a_token_may_change_is_told_by_its_scopes),
	    TEST(who_does_not_tell_is_left_to_the_server),
	    TEST(where_a_token_for_writing_comes_from_is_told_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
