/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/agent_call.h, agent_answer.h: whose socket is asked, and what
 * an agent that hangs, lies or is somebody else's costs. */
#include "base/clock.h"
#include "tests/unit/oom.h"
#include "tests/unit/tokens/fake_agent.h"
#include "tests/unit/tokens/make.h"
#include "tokens/claims/token.h"
#include "tokens/find/agent_answer.h"
#include "tokens/find/agent_call.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Long enough for a machine that is busy; nobody waits for it in vain. */
enum { PATIENT_MS = 20000, SHORT_MS = 150 };

#define QUESTION "{\"request\":\"access_token\",\"account\":\"tb\"}"
#define ANSWER   "{\"status\":\"success\",\"access_token\":\"abc\"}"

static char dir[256];
static char path[512];
static struct agent_call call;
static struct agent_place place;
static struct fake_agent fake;
static struct err err;

static int set_up(void **state)
{
	(void)state;
	make_directory(dir);
	(void)snprintf(path, sizeof(path), "%s/agent.sock", dir);
	place = (struct agent_place){
	    .path = path, .rules = {.uid = geteuid()}, .account = "tb"};
	agent_call_init(&call);
	err = (struct err)ERR_INIT;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	agent_call_end(&call);
	make_remove(dir);
	return 0;
}

static int ask(unsigned wait_ms)
{
	err = (struct err)ERR_INIT;
	return agent_call_run(&call, &place, QUESTION,
	    clock_now_ms(clock_system()) + wait_ms, &err);
}

static void assert_answered(void)
{
	assert_int_equal(ask(PATIENT_MS), 0);
	assert_int_equal(call.size_bytes, strlen(ANSWER));
	assert_string_equal(call.answer, ANSWER);
	agent_call_end(&call);
	assert_int_equal(call.answer[0], '\0');
}

static void assert_refused(int code, const char *says)
{
	assert_int_equal(ask(PATIENT_MS), code);
	assert_int_equal(err.code, code);
	if (strstr(err.text, says) == NULL)
		fail_msg("'%s' lacks '%s'", err.text, says);
	assert_false(agent_call_is_open(&call));
}

/* However the answer comes, it is the same one. */
static void an_answer_may_come_in_any_pieces(void **state)
{
	(void)state;
	fake_agent_start(&fake, path);
	for (enum fake_way way = FAKE_SAYS; way <= FAKE_PIECES; way++) {
		fake_agent_says(&fake, way, ANSWER);
		assert_answered();
		assert_string_equal(fake.question, QUESTION);
	}
	fake_agent_stop(&fake);
}

static void what_stands_behind_the_object_is_dropped(void **state)
{
	(void)state;
	fake_agent_start(&fake, path);
	fake_agent_says(&fake, FAKE_SAYS, ANSWER "{\"more\":1}");
	assert_answered();
	fake_agent_stop(&fake);
}

static void braces_in_strings_end_nothing(void **state)
{
	static const char tricky[] =
	    "\n {\"a\":\"}\\\"}\",\"b\":[{\"c\":\"\\\\\"}]} ";

	(void)state;
	fake_agent_start(&fake, path);
	fake_agent_says(&fake, FAKE_PIECES, tricky);
	assert_int_equal(ask(PATIENT_MS), 0);
	assert_int_equal(call.size_bytes, strlen(tricky) - 1);
	fake_agent_stop(&fake);
}

/* It costs its deadline; the question stays asked, and is not asked twice. */
static void a_late_answer_is_taken_up_by_the_next_look(void **state)
{
	uint64_t begin_ms = clock_now_ms(clock_system());

	(void)state;
	fake_agent_start(&fake, path);
	fake_agent_says(&fake, FAKE_HANGS, ANSWER);
	assert_int_equal(ask(SHORT_MS), -ETIMEDOUT);
	assert_true(clock_now_ms(clock_system()) - begin_ms >= SHORT_MS);
	assert_non_null(strstr(err.text, "oidc-add tb"));
	assert_true(agent_call_is_open(&call));
	assert_int_equal(ask(SHORT_MS), -ETIMEDOUT);
	fake_agent_says(&fake, FAKE_SAYS, ANSWER);
	assert_answered();
	assert_int_equal(atomic_load(&fake.asked), 1);
	fake_agent_stop(&fake);
}

static void what_is_no_answer_ends_the_call(void **state)
{
	static const struct {
		enum fake_way way;
		const char *text;
		const char *says;
	} lies[] = {
	    {FAKE_CLOSES, "", "closes before"},
	    {FAKE_HALF, ANSWER, "closes before"},
	    {FAKE_SAYS, "[1,2]", "no JSON object"},
	    {FAKE_KEEPS, "null", "no JSON object"},
	    {FAKE_SAYS, "   ", "closes before"},
	    /* As it answers who begins with a public key. */
	    {FAKE_SAYS, "48:bm9uY2U=:Y2lwaGVy", "no JSON object"},
	    {FAKE_FLOODS, "{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	        "without an end"},
	    {FAKE_FLOODS, "                                ", "without an end"},
	};

	(void)state;
	fake_agent_start(&fake, path);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		fake_agent_says(&fake, lies[i].way, lies[i].text);
		assert_refused(-EPROTO, lies[i].says);
		assert_non_null(strstr(err.text, "oidc-add tb"));
	}
	fake_agent_stop(&fake);
}

/* Where the socket is. */

static void without_a_listener_nobody_is_there(void **state)
{
	(void)state;
	assert_refused(-ECONNREFUSED, "no token agent");
	fake_agent_start(&fake, path);
	atomic_store(&fake.stopping, true);
	(void)pthread_join(fake.thread, NULL);
	(void)close(fake.fd); /* its socket stays */
	assert_refused(-ECONNREFUSED, "nobody listens");
	assert_non_null(strstr(err.text, "oidc-add tb"));
}

static void what_is_no_socket_is_not_asked(void **state)
{
	(void)state;
	make_file(path, "x", 0600);
	assert_refused(-EPERM, "no socket");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused(-EPERM, "no socket");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(-EPERM, "no socket");
	place.path = "/dev/null";
	assert_refused(-EPERM, "no socket");
}

static void a_link_and_a_long_name_lead_to_it(void **state)
{
	char deep[512];
	char name[160];

	(void)state;
	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	(void)snprintf(deep, sizeof(deep), "%s/%s", dir, name);
	fake_agent_start(&fake, deep);
	fake_agent_says(&fake, FAKE_SAYS, ANSWER);
	assert_int_equal(symlink(deep, path), 0);
	assert_answered();
	place.path = deep;
	assert_answered();
	fake_agent_stop(&fake);
}

static void nothing_below_the_mount_is_asked(void **state)
{
	char real[PATH_MAX];
	char link[512];

	(void)state;
	assert_non_null(realpath(dir, real));
	(void)snprintf(link, sizeof(link), "%s-link", dir);
	assert_int_equal(symlink(path, link), 0);
	fake_agent_start(&fake, path);
	fake_agent_says(&fake, FAKE_SAYS, ANSWER);
	place.path = link;
	assert_answered();
	place.rules.forbidden_tree = real;
	assert_refused(-EPERM, "");
	assert_int_equal(atomic_load(&fake.asked), 1);
	fake_agent_stop(&fake);
	assert_int_equal(unlink(link), 0);
}

/* As where there is no /proc, or one that is somebody else's. */
static void a_process_may_stand_where_its_descriptors_have_names(void **state)
{
	char here[PATH_MAX];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	fake_agent_start(&fake, path);
	fake_agent_says(&fake, FAKE_SAYS, ANSWER);
	place.in_fds = true;
	assert_refused(-ENOENT, "No such file");
	assert_int_equal(chdir("/proc/self/fd"), 0);
	assert_answered();
	assert_int_equal(chdir(here), 0);
	fake_agent_stop(&fake);
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Its inode's owner and its listener are looked at, each by itself. */
static void a_strangers_socket_is_not_asked(void **state)
{
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(dir, 0777), 0);
	pid = fake_agent_stranger(path, 65534);
	assert_refused(-EPERM, "user 65534");
	assert_int_equal(chown(path, 0, 0), 0);
	assert_refused(-EPERM, "user 65534");
	end(pid);
	assert_int_equal(unlink(path), 0);
	/* Root listens behind an inode of somebody else. */
	pid = fake_agent_stranger(path, 0);
	assert_int_equal(chown(path, 65534, 0), 0);
	assert_refused(-EPERM, "user 65534");
	/* It is that user's own, and root may serve anybody. */
	place.rules.uid = 65534;
	assert_int_equal(ask(SHORT_MS), -ETIMEDOUT);
	end(pid);
}

/* What answers say. */

static int answer(const char *text, struct token **out)
{
	err = (struct err)ERR_INIT;
	return agent_answer_token(out, text, strlen(text), "tb", &err);
}

static void answers_of_the_wrong_kind_are_none(void **state)
{
	static const char *const lies[] = {
	    "{}",
	    "{\"status\":\"success\"}",
	    "{\"status\":1,\"access_token\":\"abc\"}",
	    "{\"status\":\"maybe\",\"access_token\":\"abc\"}",
	    "{\"access_token\":\"abc\"}",
	    "{\"status\":\"success\",\"access_token\":17}",
	    "{\"status\":\"success\",\"access_token\":null}",
	    "{\"status\":\"success\",\"access_token\":\"\"}",
	    "{\"status\":\"success\",\"access_token\":\"a b\"}",
	    "{\"status\":\"success\",\"access_token\":\"a\\r\\nX: y\"}",
	    "{\"status\":\"success\",\"access_token\":\"a\\u0000b\"}",
	    "{\"status\":\"success\",\"access_token\":"
	    "\"{\\\"access_token\\\":\\\"abc\\\"}\"}",
	    "{\"status\":\"success\",\"access_token\":\"abc\","
	    "\"access_token\":\"def\"}",
	    "{\"status\":\"success\",\"status\":\"success\","
	    "\"access_token\":\"abc\"}",
	    "{\"status\":\"success\",\"access_token\":\"abc\","
	    "\"expires_at\":\"1\"}",
	    "{\"status\":\"success\",\"access_token\":\"abc\","
	    "\"expires_at\":-1}",
	    "{\"status\":\"success\",\"access_token\":\"abc\"",
	    "{\"status\":\"success\",\"access_token\":\"eyJhbGciOiJFUzI1NiJ9"
	    ".e30\"}x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct token *token = NULL;

		if (answer(lies[i], &token) != -EPROTO)
			fail_msg("%s: %d", lies[i], err.code);
		assert_null(token);
		assert_non_null(strstr(err.text, "oidc-add tb"));
	}
}

static void a_failure_has_its_remedy(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *says;
	} failures[] = {
	    {"Agent locked", -EBUSY, "oidc-add --unlock"},
	    {"No account configured with that short name", -ENOKEY,
	        "oidc-add tb"},
	    {"account not loaded", -ENOKEY, "oidc-add tb"},
	    {"invalid_grant: grant request is invalid", -EKEYREVOKED,
	        "oidc-gen --reauthenticate tb"},
	    {"the other party disconnected", -EREMOTEIO,
	        "the other party disconnected"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct token *token = NULL;
		char text[512];

		(void)snprintf(text, sizeof(text),
		    "{\"status\":\"failure\",\"error\":\"%s\",\"info\":\"x\"}",
		    failures[i].text);
		assert_int_equal(answer(text, &token), failures[i].code);
		assert_non_null(strstr(err.text, failures[i].says));
	}
}

/* What it says may echo what it was sent by the issuer. */
static void no_word_that_may_be_a_token_is_repeated(void **state)
{
	struct token *token = NULL;

	(void)state;
	assert_int_equal(
	    answer("{\"status\":\"failure\",\"error\":\"bad\\n\\u001b[2J "
	           "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln end\"}",
	        &token),
	    -EREMOTEIO);
	assert_null(strstr(err.text, "eyJ"));
	assert_null(strchr(err.text, '\n'));
	assert_null(strchr(err.text, '\033'));
	assert_non_null(strstr(err.text, "bad"));
	assert_non_null(strstr(err.text, "end"));
}

static void a_tokens_own_end_counts(void **state)
{
	char jwt[MAKE_BYTES];
	char text[MAKE_BYTES * 2];
	struct token *token = NULL;

	(void)state;
	make_token(jwt, "ada", 5000);
	(void)snprintf(text, sizeof(text),
	    "{\"status\":\"success\",\"access_token\":\"%s\","
	    "\"expires_at\":9000}",
	    jwt);
	assert_int_equal(answer(text, &token), 0);
	assert_int_equal(token_expires_s(token), 5000);
	token_put(token);
	assert_int_equal(
	    answer("{\"status\":\"success\",\"access_token\":\"opaque\","
	           "\"expires_at\":9000.7}",
	        &token),
	    0);
	assert_int_equal(token_expires_s(token), 9000);
	token_put(token);
	/* Whoever does not know says zero, or nothing. */
	assert_int_equal(
	    answer("{\"status\":\"success\",\"access_token\":\"opaque\","
	           "\"expires_at\":0}",
	        &token),
	    0);
	assert_true(token_expires_s(token) == UINT64_MAX);
	token_put(token);
	assert_int_equal(
	    answer("{\"status\":\"success\",\"access_token\":\"opaque\","
	           "\"expires_at\":1e300}",
	        &token),
	    0);
	assert_int_equal(token_expires_s(token), JWT_TIME_MAX_S);
	token_put(token);
}

static int accounts(char out[AGENT_ACCOUNT_BYTES], const char *list)
{
	char text[1024];

	(void)snprintf(
	    text, sizeof(text), "{\"status\":\"success\",\"info\":%s}", list);
	err = (struct err)ERR_INIT;
	return agent_answer_account(out, text, strlen(text), &err);
}

static void the_only_account_is_taken(void **state)
{
	char name[AGENT_ACCOUNT_BYTES];

	(void)state;
	assert_int_equal(accounts(name, "[\"tb\"]"), 0);
	assert_string_equal(name, "tb");
	assert_int_equal(accounts(name, "[]"), -ENOKEY);
	assert_non_null(strstr(err.text, "oidc-add NAME"));
	assert_int_equal(accounts(name, "[\"tb\",\"wlcg\",7]"), -ENOKEY);
	assert_non_null(strstr(err.text, "tb, wlcg"));
	assert_non_null(strstr(err.text, "account=NAME"));
	assert_int_equal(accounts(name, "\"tb\""), -EPROTO);
	assert_int_equal(accounts(name, "[7]"), -EPROTO);
	assert_int_equal(accounts(name, "[\"a b\"]"), -EPROTO);
	assert_int_equal(accounts(name, "[\"a\\nb\"]"), -EPROTO);
	assert_int_equal(accounts(name, "[\"../../x\"]"), -EPROTO);
}

static int read_answer(void *arg)
{
	struct token *token = NULL;
	int code = answer(arg, &token);

	token_put(token);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	char text[] = ANSWER;

	(void)state;
	assert_true(oom_each(read_answer, text) >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(an_answer_may_come_in_any_pieces),
	    TEST(what_stands_behind_the_object_is_dropped),
	    TEST(braces_in_strings_end_nothing),
	    TEST(a_late_answer_is_taken_up_by_the_next_look),
	    TEST(what_is_no_answer_ends_the_call),
	    TEST(without_a_listener_nobody_is_there),
	    TEST(what_is_no_socket_is_not_asked),
	    TEST(a_link_and_a_long_name_lead_to_it),
	    TEST(nothing_below_the_mount_is_asked),
	    TEST(a_process_may_stand_where_its_descriptors_have_names),
	    TEST(a_strangers_socket_is_not_asked),
	    TEST(answers_of_the_wrong_kind_are_none),
	    TEST(a_failure_has_its_remedy),
	    TEST(no_word_that_may_be_a_token_is_repeated),
	    TEST(a_tokens_own_end_counts),
	    TEST(the_only_account_is_taken),
	    TEST(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
