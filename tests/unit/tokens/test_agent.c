/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/agent.h: what an agent is asked, how often, and what serves
 * while it fails. The clock is driven by hand; the agent is a real socket. */
#include "base/clock.h"
#include "base/stats.h"
#include "tests/unit/oom.h"
#include "tests/unit/tokens/fake_agent.h"
#include "tests/unit/tokens/make.h"
#include "tokens/claims/token.h"
#include "tokens/find/agent.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW_S = 2000000000, PATIENT_MS = 20000, SHORT_MS = 100 };

static char dir[256];
static struct clock hand;
static struct fake_agent fake;
static struct agent *agent;
static struct agent_config config;
static struct token *token;
static struct err err;
static uint64_t asked_before;

static int set_up(void **state)
{
	static char path[512];

	(void)state;
	make_directory(dir);
	(void)snprintf(path, sizeof(path), "%s/agent.sock", dir);
	hand.hand_driven = 1;
	hand.monotonic_ms = 1000000;
	hand.wall_s = NOW_S;
	config = (struct agent_config){.clock = &hand,
	    .socket = path,
	    .rules = {.uid = geteuid()},
	    .account = "tb"};
	fake_agent_start(&fake, path);
	asked_before = stats_get(STATS_tokens_asked);
	agent = NULL;
	token = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	token_put(token);
	agent_free(agent);
	fake_agent_stop(&fake);
	make_remove(dir);
	return 0;
}

static void begin(const char *account)
{
	config.account = account;
	agent_free(agent);
	agent = NULL;
	assert_int_equal(agent_new(&agent, &config, &err), 0);
}

static void pass(unsigned seconds)
{
	hand.monotonic_ms += 1000 * (uint64_t)seconds;
	hand.wall_s += seconds;
}

static void give(const char *name, unsigned life_s)
{
	char text[MAKE_BYTES];

	make_token(text, name, hand.wall_s + life_s);
	fake_agent_gives(&fake, text, hand.wall_s + life_s);
}

static int ask_for(const char *scope, const char *audience, bool force)
{
	const struct agent_want want = {.scope = scope,
	    .audience = audience,
	    .force = force,
	    .wait_ms = PATIENT_MS};

	token_put(token);
	return agent_ask(agent, &want, &token, &err);
}

static int ask(void)
{
	return ask_for(NULL, NULL, false);
}

static unsigned asked(void)
{
	/* The counter tells the same. */
	assert_int_equal(stats_get(STATS_tokens_asked) - asked_before,
	    atomic_load(&fake.asked));
	return atomic_load(&fake.asked);
}

static void assert_subject(const char *name)
{
	assert_non_null(token);
	assert_string_equal(token->claims.subject, name);
}

static void assert_question_has(const char *text)
{
	if (strstr(fake.question, text) == NULL)
		fail_msg("'%s' lacks '%s'", fake.question, text);
}

static void a_token_is_asked_for_once_and_kept(void **state)
{
	uint64_t id;

	(void)state;
	begin("tb");
	give("ada", 3600);
	assert_int_equal(ask(), 0);
	assert_subject("ada");
	assert_int_equal(err.code, 0);
	assert_question_has("\"request\":\"access_token\"");
	assert_question_has("\"account\":\"tb\"");
	assert_question_has("\"min_valid_period\":60");
	assert_question_has("\"application_hint\":\"bearerfs\"");
	assert_null(strstr(fake.question, "scope"));
	assert_null(strstr(fake.question, "audience"));
	assert_string_equal(agent_name(agent), "agent:tb");
	id = token_id(token);
	pass(2900);
	assert_int_equal(ask(), 0);
	assert_int_equal(token_id(token), id);
	assert_int_equal(asked(), 1);
	/* Nobody else is asked for one account. */
	assert_int_equal(atomic_load(&fake.listed), 0);
}

/* A look at a caller keeps nothing: what the caller has is told to it. */
static void a_newer_one_than_somebody_holds_is_asked_for(void **state)
{
	(void)state;
	config.held_s = 300;
	begin("tb");
	give("ada", 3600);
	assert_int_equal(ask(), 0);
	assert_question_has("\"min_valid_period\":301");
}

static void an_issuer_is_asked_for_as_one(void **state)
{
	(void)state;
	begin("https://issuer.example/");
	give("ada", 3600);
	assert_int_equal(ask(), 0);
	assert_question_has("\"issuer\":\"https://issuer.example/\"");
	assert_null(strstr(fake.question, "\"account\""));
	assert_string_equal(agent_name(agent), "agent:https://issuer.example/");
}

static void without_a_name_the_only_account_is_taken(void **state)
{
	(void)state;
	begin(NULL);
	assert_string_equal(agent_name(agent), "agent:");
	give("ada", 3600);
	assert_int_equal(ask(), 0);
	assert_question_has("\"account\":\"tb\"");
	assert_string_equal(agent_name(agent), "agent:tb");
	pass(3590);
	give("eve", 3600);
	assert_int_equal(ask(), 0);
	assert_subject("eve");
	assert_int_equal(atomic_load(&fake.listed), 1);
	/* It was unloaded: another one may be there. */
	pass(3590);
	fake_agent_says(&fake, FAKE_SAYS,
	    "{\"status\":\"failure\",\"error\":\"account not loaded\"}");
	assert_int_equal(ask(), 0);
	assert_int_equal(err.code, -ENOKEY);
	assert_string_equal(agent_name(agent), "agent:");
	pass(2);
	give("bob", 3600);
	assert_int_equal(ask(), 0);
	assert_subject("bob");
	assert_int_equal(atomic_load(&fake.listed), 2);
}

/* The agent keeps none of them, so they are kept here, each by itself. */
static void each_scope_and_audience_has_its_token(void **state)
{
	(void)state;
	begin("tb");
	give("all", 3600);
	assert_int_equal(ask(), 0);
	give("narrow", 3600);
	assert_int_equal(ask_for("storage.create:/a", NULL, false), 0);
	assert_subject("narrow");
	assert_question_has("\"scope\":\"storage.create:/a\"");
	give("named", 3600);
	assert_int_equal(ask_for("storage.create:/a", "https://x", false), 0);
	assert_subject("named");
	assert_question_has("\"audience\":\"https://x\"");
	assert_int_equal(asked(), 3);
	assert_int_equal(ask(), 0);
	assert_subject("all");
	assert_int_equal(ask_for("storage.create:/a", NULL, false), 0);
	assert_subject("narrow");
	assert_int_equal(asked(), 3);
	/* The upload is done. */
	agent_drop(agent, &(struct agent_want){.scope = "storage.create:/a"});
	agent_drop(agent, &(struct agent_want){.scope = "never asked"});
	give("again", 3600);
	assert_int_equal(ask_for("storage.create:/a", NULL, false), 0);
	assert_subject("again");
	assert_int_equal(ask(), 0);
	assert_subject("all");
	assert_int_equal(asked(), 4);
}

static void no_more_than_its_room_is_kept(void **state)
{
	char scope[32];

	(void)state;
	begin("tb");
	give("ada", 3600);
	for (int i = 0; i <= AGENT_CACHE_MAX; i++) {
		(void)snprintf(scope, sizeof(scope), "read:/%d", i);
		pass(1);
		assert_int_equal(ask_for(scope, NULL, false), 0);
	}
	assert_int_equal(asked(), AGENT_CACHE_MAX + 1);
	assert_int_equal(ask_for("read:/1", NULL, false), 0);
	assert_int_equal(asked(), AGENT_CACHE_MAX + 1);
	assert_int_equal(ask_for("read:/0", NULL, false), 0); /* the oldest */
	assert_int_equal(asked(), AGENT_CACHE_MAX + 2);
}

/* A look each second, for a hundred lives of twenty seconds. */
static void it_is_asked_no_more_often_than_the_margin_says(void **state)
{
	unsigned looks = 100 * 20;

	(void)state;
	begin("tb");
	for (unsigned i = 0; i < looks; i++) {
		give("ada", 20);
		assert_int_equal(ask(), 0);
		assert_true(token_expires_s(token) > hand.wall_s);
		pass(1);
	}
	/* The margin of twenty seconds is ten: one question in each ten. */
	assert_in_range(asked(), looks / 10 - 2, looks / 10 + 2);
}

/* What the agent has may be what is here already. */
static void a_newer_one_has_to_be_better_than_what_is_here(void **state)
{
	(void)state;
	begin("tb");
	give("ada", 3600);
	assert_int_equal(ask(), 0);
	pass(3000);
	assert_int_equal(ask(), 0);
	assert_question_has("\"min_valid_period\":601");
	assert_int_equal(asked(), 2);
	/* It had no better one: not again at once. */
	for (int i = 0; i < 60; i++) {
		pass(1);
		assert_int_equal(ask(), 0);
	}
	assert_int_equal(asked(), 2);
}

static void a_refusal_brings_a_newer_one_once(void **state)
{
	(void)state;
	begin("tb");
	give("ada", 3600);
	assert_int_equal(ask(), 0);
	give("eve", 3600);
	assert_int_equal(ask_for(NULL, NULL, true), 0);
	assert_question_has("\"min_valid_period\":3601");
	assert_subject("eve");
	for (int i = 0; i < 59; i++) {
		assert_int_equal(ask_for(NULL, NULL, true), 0);
		pass(1);
	}
	assert_int_equal(asked(), 2);
	pass(1);
	assert_int_equal(ask_for(NULL, NULL, true), 0);
	assert_int_equal(asked(), 3);
}

static void the_last_good_one_serves_until_its_end(void **state)
{
	(void)state;
	begin("tb");
	give("ada", 20);
	assert_int_equal(ask(), 0);
	pass(12);
	fake_agent_says(&fake, FAKE_SAYS,
	    "{\"status\":\"failure\",\"error\":\"Agent locked\"}");
	assert_int_equal(ask(), 0);
	assert_int_equal(err.code, -EBUSY);
	assert_subject("ada");
	assert_true(token_expires_s(token) > hand.wall_s);
	pass(12);
	assert_int_equal(ask(), 0);
	assert_subject("ada");
	assert_true(token_expires_s(token) < hand.wall_s);
	assert_non_null(strstr(err.text, "tb"));
	assert_non_null(strstr(err.text, "oidc-add --unlock"));
	/* Unlocked: the next question brings one. */
	pass(1);
	give("eve", 20);
	assert_int_equal(ask(), 0);
	assert_int_equal(err.code, 0);
	assert_subject("eve");
}

static void without_any_token_the_trouble_is_told(void **state)
{
	(void)state;
	begin("tb");
	fake_agent_says(&fake, FAKE_CLOSES, "");
	assert_int_equal(ask(), -EPROTO);
	assert_null(token);
	assert_int_equal(err.code, -EPROTO);
	/* And told again without asking, within a second. */
	assert_int_equal(ask(), -EPROTO);
	assert_int_equal(asked(), 1);
	pass(1);
	assert_int_equal(ask(), -EPROTO);
	assert_int_equal(asked(), 2);
}

/* Each question of an account that fails goes on to the issuer. */
static void failures_are_asked_about_less_and_less(void **state)
{
	(void)state;
	begin("tb");
	fake_agent_says(&fake, FAKE_SAYS,
	    "{\"status\":\"failure\",\"error\":\"invalid_grant\"}");
	for (int i = 0; i < 120; i++) {
		assert_int_equal(ask(), -EKEYREVOKED);
		pass(1);
	}
	/* After 1, 2, 4, 8, 8, ... seconds. */
	assert_in_range(asked(), 16, 19);
}

static void what_has_ended_is_no_news(void **state)
{
	char text[MAKE_BYTES];

	(void)state;
	begin("tb");
	make_token(text, "old", NOW_S - 10);
	fake_agent_gives(&fake, text, NOW_S + 3600);
	assert_int_equal(ask(), 0);
	assert_subject("old"); /* tells that there was one */
	assert_int_equal(err.code, -EPROTO);
	assert_non_null(strstr(err.text, "ended at"));
	pass(1);
	give("ada", 20);
	assert_int_equal(ask(), 0);
	assert_subject("ada");
	pass(12);
	fake_agent_gives(&fake, text, NOW_S + 3600);
	assert_int_equal(ask(), 0);
	assert_subject("ada");
	assert_int_equal(err.code, -EPROTO);
}

static void an_opaque_token_ends_when_the_answer_says(void **state)
{
	(void)state;
	begin("tb");
	fake_agent_gives(&fake, "opaque1", NOW_S + 20);
	assert_int_equal(ask(), 0);
	assert_int_equal(token_expires_s(token), NOW_S + 20);
	pass(12);
	fake_agent_gives(&fake, "opaque2", NOW_S + 40);
	assert_int_equal(ask(), 0);
	assert_int_equal(token_expires_s(token), NOW_S + 40);
	assert_int_equal(asked(), 2);
}

/* One connection of ours, however often somebody looks. */
static void one_that_hangs_has_one_question(void **state)
{
	const struct agent_want want = {.wait_ms = SHORT_MS};

	(void)state;
	begin("tb");
	fake_agent_says(&fake, FAKE_HANGS, "");
	for (int i = 0; i < 5; i++) {
		token_put(token);
		assert_int_equal(
		    agent_ask(agent, &want, &token, &err), -ETIMEDOUT);
		if (i < 4)
			pass(1);
	}
	assert_int_equal(stats_get(STATS_tokens_asked) - asked_before, 1);
	give("ada", 3600); /* it says so on the connection that is open */
	assert_int_equal(ask(), 0);
	assert_subject("ada");
	assert_int_equal(asked(), 1);
	/* One that never answers is asked anew some time, of another inode. */
	begin("tb");
	fake_agent_says(&fake, FAKE_HANGS, "");
	token_put(token);
	assert_int_equal(agent_ask(agent, &want, &token, &err), -ETIMEDOUT);
	pass(AGENT_PENDING_MS / 1000 + 1);
	assert_int_equal(agent_ask(agent, &want, &token, &err), -ETIMEDOUT);
	assert_int_equal(stats_get(STATS_tokens_asked) - asked_before, 3);
}

static void names_that_are_none_are_refused(void **state)
{
	(void)state;
	config.socket = "relative.sock";
	assert_int_equal(agent_new(&agent, &config, &err), -EINVAL);
	assert_non_null(strstr(err.text, "agent: "));
	config.socket = "/x";
	for (const char *const *name = (const char *const[]){"", "a b", "a/b",
	         "../x", "a\nb", "https://x y", "http://issuer.example/", NULL};
	     *name != NULL; name++) {
		config.account = *name;
		assert_int_equal(agent_new(&agent, &config, &err), -EINVAL);
		assert_non_null(strstr(err.text, "account: "));
	}
}

static int ask_once(void *arg)
{
	const struct agent_want want = {.scope = arg, .wait_ms = PATIENT_MS};
	struct agent *made = NULL;
	struct token *got = NULL;
	struct err why = ERR_INIT;
	int code = agent_new(&made, &config, &why);

	if (code == 0)
		code = agent_ask(made, &want, &got, &why);
	token_put(got);
	agent_free(made);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	char scope[] = "read:/";

	(void)state;
	give("ada", 3600);
	assert_true(oom_each(ask_once, scope) >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(a_token_is_asked_for_once_and_kept),
	    TEST(a_newer_one_than_somebody_holds_is_asked_for),
	    TEST(an_issuer_is_asked_for_as_one),
	    TEST(without_a_name_the_only_account_is_taken),
	    TEST(each_scope_and_audience_has_its_token),
	    TEST(no_more_than_its_room_is_kept),
	    TEST(it_is_asked_no_more_often_than_the_margin_says),
	    TEST(a_newer_one_has_to_be_better_than_what_is_here),
	    TEST(a_refusal_brings_a_newer_one_once),
	    TEST(the_last_good_one_serves_until_its_end),
	    TEST(without_any_token_the_trouble_is_told),
	    TEST(failures_are_asked_about_less_and_less),
	    TEST(what_has_ended_is_no_news),
	    TEST(an_opaque_token_ends_when_the_answer_says),
	    TEST(one_that_hangs_has_one_question),
	    TEST(names_that_are_none_are_refused),
	    TEST(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
