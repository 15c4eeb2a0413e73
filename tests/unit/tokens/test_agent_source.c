/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/discover.h with a token agent: when it is asked, and what is
 * told of it. */
#include "base/clock.h"
#include "tests/unit/oom.h"
#include "tests/unit/tokens/fake_agent.h"
#include "tests/unit/tokens/make.h"
#include "tokens/find/discover.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW_S = 2000000000 };

static char dir[256];
static char file[512];
static struct clock hand;
static struct fake_agent fake;
static struct discover *discover;
static struct finding found;
static struct tokens_config config;
static struct err err;

static int set_up(void **state)
{
	char path[512];

	(void)state;
	make_no_environment();
	make_directory(dir);
	(void)snprintf(path, sizeof(path), "%s/agent.sock", dir);
	(void)snprintf(file, sizeof(file), "%s/token", dir);
	hand.hand_driven = 1;
	hand.monotonic_ms = 1000000;
	hand.wall_s = NOW_S;
	fake_agent_start(&fake, path);
	config = (struct tokens_config){.clock = &hand, .uid = geteuid()};
	found = (struct finding){.count = 0};
	discover = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	finding_fini(&found);
	discover_free(discover);
	fake_agent_stop(&fake);
	make_remove(dir);
	make_no_environment();
	return 0;
}

static void give(const char *name, unsigned life_s)
{
	char text[MAKE_BYTES];

	make_token(text, name, hand.wall_s + life_s);
	fake_agent_gives(&fake, text, hand.wall_s + life_s);
}

static void put(const char *name, uint64_t expires_s)
{
	char text[MAKE_BYTES];

	make_token(text, name, expires_s);
	make_replaced(file, text, 0600);
}

static void begin(void)
{
	discover_free(discover);
	discover = NULL;
	assert_int_equal(discover_new(&discover, &config, NULL, &err), 0);
}

static void look(bool force)
{
	finding_fini(&found);
	discover_look(discover, force, hand.wall_s, &found);
}

static void assert_found(const char *name, const char *source)
{
	assert_non_null(finding_first(&found));
	assert_string_equal(finding_first(&found)->claims.subject, name);
	assert_string_equal(token_source(finding_first(&found)), source);
}

static void pass(unsigned seconds)
{
	hand.monotonic_ms += 1000 * (uint64_t)seconds;
	hand.wall_s += seconds;
}

static void in_environment(void)
{
	assert_int_equal(setenv("OIDC_SOCK", fake.path, 1), 0);
	assert_int_equal(setenv("BEARER_TOKEN_FILE", file, 1), 0);
}

static void files_come_before_the_agent(void **state)
{
	(void)state;
	in_environment();
	put("file", NOW_S + 3600);
	give("agent", 7200);
	begin();
	look(false);
	assert_found("file", file);
	assert_int_equal(atomic_load(&fake.asked), 0);
	/* One that has ended is passed over. */
	pass(3601);
	look(false);
	assert_found("agent", "agent:tb");
	assert_int_equal(atomic_load(&fake.asked), 1);
	look(false);
	assert_int_equal(atomic_load(&fake.asked), 1);
	/* And a newer one comes before it again. */
	put("newer", hand.wall_s + 3600);
	look(false);
	assert_found("newer", file);
}

static void an_option_asks_the_agent_alone(void **state)
{
	(void)state;
	in_environment();
	put("file", NOW_S + 3600);
	give("agent", 3600);
	config.account = "tb";
	begin();
	look(false);
	assert_found("agent", "agent:tb");
	config.account = NULL;
	config.agent = fake.path;
	begin();
	look(false);
	assert_found("agent", "agent:tb");
	/* Both named: both are looked at, the file first. */
	config.token_file = file;
	begin();
	look(false);
	assert_found("file", file);
	pass(3601);
	give("agent", 3600);
	look(false);
	assert_found("agent", "agent:tb");
}

static void a_token_file_alone_asks_no_agent(void **state)
{
	(void)state;
	in_environment();
	give("agent", 3600);
	config.token_file = file;
	begin();
	look(false);
	assert_null(finding_first(&found));
	assert_int_equal(found.problem.code, -ENOKEY);
	assert_int_equal(atomic_load(&fake.asked), 0);
}

static void an_account_wants_an_agent(void **state)
{
	(void)state;
	config.account = "tb";
	assert_int_equal(discover_new(&discover, &config, NULL, &err), -EINVAL);
	assert_non_null(strstr(err.text, "OIDC_SOCK"));
	config.account = "a b";
	config.agent = fake.path;
	assert_int_equal(discover_new(&discover, &config, NULL, &err), -EINVAL);
	assert_non_null(strstr(err.text, "account"));
}

static void what_is_trusted_is_asked_for(void **state)
{
	static const char *const issuers[] = {"https://issuer.example"};
	static const char *const audiences[] = {"https://origin.example"};
	static const char *const any[] = {"https://wlcg.cern.ch/jwt/v1/any"};
	struct tokens_trust trust = {.issuers = issuers,
	    .issuer_count = 1,
	    .audiences = audiences,
	    .audience_count = 1};

	(void)state;
	config.agent = fake.path;
	config.trust = &trust;
	give("agent", 3600);
	begin();
	look(false);
	assert_found("agent", "agent:https://issuer.example");
	assert_non_null(
	    strstr(fake.question, "\"issuer\":\"https://issuer.example\""));
	assert_non_null(
	    strstr(fake.question, "\"audience\":\"https://origin.example\""));
	/* A name says more than whom the tokens may be from. */
	config.account = "tb";
	trust.audiences = any;
	begin();
	look(false);
	assert_found("agent", "agent:tb");
	assert_null(strstr(fake.question, "audience"));
}

static void trouble_with_the_agent_is_told(void **state)
{
	(void)state;
	config.agent = fake.path;
	config.account = "tb";
	fake_agent_says(&fake, FAKE_SAYS,
	    "{\"status\":\"failure\",\"error\":\"account not loaded\"}");
	begin();
	look(false);
	assert_null(finding_first(&found));
	assert_int_equal(found.problem.code, -ENOKEY);
	assert_non_null(strstr(found.problem.text, "oidc-add tb"));
	pass(1);
	give("agent", 20);
	look(false);
	assert_found("agent", "agent:tb");
	assert_int_equal(found.problem.code, 0);
	/* It is killed: the token serves to its end, and is told then. */
	pass(12);
	fake_agent_says(&fake, FAKE_CLOSES, "");
	look(true);
	assert_found("agent", "agent:tb");
	pass(12);
	look(true);
	assert_found("agent", "agent:tb");
	assert_true(token_expires_s(finding_first(&found)) < hand.wall_s);
	assert_int_equal(found.problem.code, -EPROTO);
	assert_non_null(strstr(found.problem.text, "oidc-add tb"));
}

/* A file that ended long ago is no reason why the agent's token has. */
static void its_trouble_counts_when_its_token_ended(void **state)
{
	(void)state;
	in_environment();
	put("file", NOW_S - 1);
	give("agent", 20);
	begin();
	look(false);
	assert_found("agent", "agent:tb");
	assert_int_equal(found.problem.code, -EKEYEXPIRED);
	pass(21);
	put("file", NOW_S - 1);
	fake_agent_says(&fake, FAKE_CLOSES, "");
	look(true);
	assert_found("agent", "agent:tb");
	assert_int_equal(found.problem.code, -EPROTO);
	assert_non_null(strstr(found.problem.text, "oidc-add tb"));
}

/* There was a token, and its time is over: that is not as if none had been. */
static void one_that_had_ended_when_it_came_is_told(void **state)
{
	(void)state;
	in_environment();
	give("agent", 3600);
	pass(7200);
	begin();
	look(false);
	assert_found("agent", "agent:tb");
	assert_int_equal(found.problem.code, -EPROTO);
	assert_non_null(strstr(found.problem.text, "that had ended at"));
	assert_non_null(strstr(found.problem.text, "oidc-add tb"));
}

static void nothing_at_all_names_the_agent(void **state)
{
	char here[600];

	(void)state;
	if (access("/tmp/bt_u0", F_OK) == 0)
		skip();
	begin();
	look(false);
	assert_null(finding_first(&found));
	assert_non_null(strstr(found.problem.text, "OIDC_SOCK"));
	/* A path in the environment is made absolute. */
	give("agent", 20);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(setenv("OIDC_SOCK", "agent.sock", 1), 0);
	begin();
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir("/"), 0);
	look(false);
	assert_found("agent", "agent:tb");
}

static int make_once(void *arg)
{
	struct discover *made = NULL;
	struct finding got;
	struct err why = ERR_INIT;
	int code = discover_new(&made, arg, NULL, &why);

	if (code < 0)
		return code;
	discover_look(made, false, hand.wall_s, &got);
	code = finding_first(&got) == NULL ? got.problem.code : 0;
	finding_fini(&got);
	discover_free(made);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	static const char *const audiences[] = {"https://origin.example"};
	const struct tokens_trust trust = {
	    .audiences = audiences, .audience_count = 1};

	(void)state;
	config.agent = fake.path;
	config.account = "tb";
	config.trust = &trust;
	give("agent", 3600);
	assert_true(oom_each(make_once, &config) >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(files_come_before_the_agent),
	    TEST(an_option_asks_the_agent_alone),
	    TEST(a_token_file_alone_asks_no_agent),
	    TEST(an_account_wants_an_agent),
	    TEST(what_is_trusted_is_asked_for),
	    TEST(trouble_with_the_agent_is_told),
	    TEST(its_trouble_counts_when_its_token_ended),
	    TEST(one_that_had_ended_when_it_came_is_told),
	    TEST(nothing_at_all_names_the_agent),
	    TEST(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
