/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/look.h, from a caller's environment to the finding: what is
 * found for whom. What may go wrong on the way: test_look_hostile.c. Needs
 * root. */
#include "tests/unit/oom.h"
#include "tests/unit/tokens/fake_agent.h"
#include "tests/unit/tokens/look_bed.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/mount_bed.h"
#include "tokens/callers/look.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct finding found;

static int set_up(void **state)
{
	const struct tokens_config config = {.token_file = "/not/for/callers"};

	(void)state;
	found = (struct finding){.count = 0};
	look_bed_start(&config);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	finding_fini(&found);
	look_bed_end();
	return 0;
}

static void look(struct bed_who who, const char *const *environment)
{
	who.environment = environment;
	finding_fini(&found);
	assert_int_equal(look_bed_look(&who, &found), 0);
}

static void assert_found(const char *subject, const char *source)
{
	if (found.count != 1)
		fail_msg("%u found: %s", found.count, found.problem.text);
	assert_string_equal(found.tokens[0]->claims.subject, subject);
	assert_string_equal(token_source(found.tokens[0]), source);
}

static void assert_none(int code, const char *says)
{
	assert_int_equal(found.count, 0);
	assert_int_equal(found.problem.code, code);
	if (strstr(found.problem.text, says) == NULL)
		fail_msg("'%s' lacks '%s'", found.problem.text, says);
}

static void each_caller_has_its_own_token(void **state)
{
	char value[MAKE_BYTES];
	char variable[MAKE_BYTES + 16];
	const char *const by_file[] = {
	    look_bed_variable("BEARER_TOKEN_FILE", "alices"), NULL};
	const char *const by_value[] = {variable, NULL};
	const char *const by_place[] = {
	    look_bed_variable("XDG_RUNTIME_DIR", ""), NULL};
	char known[32];

	(void)state;
	look_bed_token("alices", ALICE);
	(void)snprintf(known, sizeof(known), "bt_u%d", CAROL);
	look_bed_token(known, CAROL);
	make_token(value, "bobs", LOOK_BED_END_S);
	(void)snprintf(variable, sizeof(variable), "BEARER_TOKEN=%s", value);
	look(bed_user(ALICE, ALICE), by_file);
	assert_found("alices", look_bed_path("alices"));
	assert_int_equal(found.problem.code, 0);
	look(bed_user(BOB, BOB), by_value);
	assert_found("bobs", "$BEARER_TOKEN");
	look(bed_user(CAROL, CAROL), by_place);
	assert_found(known, look_bed_path(known));
	/* Root gets no exception. */
	look(bed_user(0, 0), by_value);
	assert_found("bobs", "$BEARER_TOKEN");
}

static void who_has_none_is_told_where_to_put_one(void **state)
{
	static const char *const nothing[] = {NULL};

	(void)state;
	look(bed_user(ALICE, ALICE), nothing);
	assert_none(-ENOKEY, "where the program is started");
	look(bed_user(0, 0), nothing);
	assert_none(-ENOKEY, "/tmp/bt_u0");
}

static void a_file_in_tmp_is_found_without_an_environment(void **state)
{
	static const char *const nothing[] = {NULL};

	(void)state;
	look_bed_token("../bt_u1001", ALICE);
	look(bed_user(ALICE, ALICE), nothing);
	assert_found("../bt_u1001", "/tmp/bt_u1001");
	look(bed_user(BOB, BOB), nothing);
	assert_int_equal(found.count, 0);
	assert_int_equal(unlink("/tmp/bt_u1001"), 0);
}

static void several_ids_are_not_believed(void **state)
{
	struct bed_who uids = bed_user(ALICE, ALICE);
	struct bed_who gids = bed_user(ALICE, ALICE);
	const char *const environment[] = {
	    look_bed_variable("BEARER_TOKEN_FILE", "alices"), NULL};

	(void)state;
	look_bed_token("alices", ALICE);
	uids.real_uid = BOB;
	gids.real_gid = BOB;
	look(uids, environment);
	assert_none(-ENOKEY, "setuid");
	look(gids, environment);
	assert_none(-ENOKEY, "not believed");
	look_bed_token("../bt_u1001", ALICE);
	look(uids, environment);
	assert_found("../bt_u1001", "/tmp/bt_u1001");
	assert_int_equal(unlink("/tmp/bt_u1001"), 0);
}

static void htcondors_tokens_come_all(void **state)
{
	const char *const environment[] = {
	    look_bed_variable("_CONDOR_CREDS", "creds"), NULL};

	(void)state;
	assert_int_equal(mkdir(look_bed_path("creds"), 0755), 0);
	look_bed_token("creds/b.use", ALICE);
	look_bed_token("creds/a.use", ALICE);
	look_bed_token("creds/root.use", 0);
	look(bed_user(ALICE, ALICE), environment);
	assert_int_equal(found.count, 2);
	assert_string_equal(
	    token_source(found.tokens[0]), look_bed_path("creds/a.use"));
	assert_string_equal(
	    token_source(found.tokens[1]), look_bed_path("creds/b.use"));
	assert_int_equal(found.problem.code, -EACCES);
}

/* In containers. */

/* A root directory with programs and nothing else: no /proc, no /tmp. */
static bool have_a_root(void *arg)
{
	return unshare(CLONE_NEWNS) == 0 && chdir(arg) == 0 &&
	    mkdir("usr", 0755) == 0 &&
	    mount("/usr", "usr", NULL, MS_BIND, NULL) == 0 &&
	    symlink("usr/bin", "bin") == 0 && symlink("usr/lib", "lib") == 0 &&
	    symlink("usr/lib64", "lib64") == 0 && chroot(".") == 0;
}

static struct bed_who in_a_root(void)
{
	struct bed_who who = bed_user(ALICE, ALICE);

	assert_int_equal(mkdir(look_bed_path("root"), 0755), 0);
	who.prepare = have_a_root;
	who.arg = look_bed_path("root");
	return who;
}

static void paths_and_links_are_the_containers(void **state)
{
	static const char *const environment[] = {
	    "BEARER_TOKEN_FILE=/link", NULL};
	struct bed_who who = in_a_root();

	(void)state;
	look_bed_token("root/token", ALICE);
	assert_int_equal(symlink("/token", look_bed_path("root/link")), 0);
	look(who, environment);
	assert_found("root/token", "/link");
}

static void its_agent_is_the_containers(void **state)
{
	static struct fake_agent fake;
	static const char *const environment[] = {"OIDC_SOCK=/sock", NULL};
	struct bed_who who = in_a_root();
	char text[MAKE_BYTES];

	(void)state;
	make_token(text, "agents", LOOK_BED_END_S);
	fake_agent_start(&fake, look_bed_path("root/sock"));
	assert_int_equal(chown(look_bed_path("root/sock"), ALICE, ALICE), 0);
	fake_agent_gives(&fake, text, LOOK_BED_END_S);
	look(who, environment);
	assert_found("agents", "agent:tb");
	assert_int_equal(atomic_load(&fake.asked), 1);
	fake_agent_stop(&fake);
}

static void an_agent_of_somebody_elses_is_not_asked(void **state)
{
	const char *const environment[] = {
	    look_bed_variable("OIDC_SOCK", "sock"), NULL};
	pid_t stranger;

	(void)state;
	assert_int_equal(chmod(look_bed_path(""), 0777), 0);
	stranger = fake_agent_stranger(look_bed_path("sock"), BOB);
	assert_int_equal(chown(look_bed_path("sock"), ALICE, ALICE), 0);
	assert_int_equal(chmod(look_bed_path("sock"), 0777), 0);
	look(bed_user(ALICE, ALICE), environment);
	assert_none(-EPERM, "of user 1002");
	assert_int_equal(kill(stranger, SIGKILL), 0);
	assert_int_equal(waitpid(stranger, NULL, 0), stranger);
}

/* The plan. */

static void options_hold_for_callers(void **state)
{
	static const char *const issuers[] = {"https://issuer.example"};
	static const char *const audiences[] = {"https://data.example"};
	const struct tokens_trust trust = {.issuers = issuers,
	    .issuer_count = 1,
	    .audiences = audiences,
	    .audience_count = 1};
	const struct tokens_config config = {.trust = &trust};
	const char *const environment[] = {
	    look_bed_variable("OIDC_SOCK", "sock"), NULL};
	static struct fake_agent fake;

	(void)state;
	look_bed_restart(&config);
	fake_agent_start(&fake, look_bed_path("sock"));
	assert_int_equal(chown(look_bed_path("sock"), ALICE, ALICE), 0);
	fake_agent_gives(&fake, "opaque", LOOK_BED_END_S);
	look(bed_user(ALICE, ALICE), environment);
	fake_agent_stop(&fake);
	assert_int_equal(found.count, 1);
	assert_string_equal(
	    token_source(found.tokens[0]), "agent:https://issuer.example");
	assert_non_null(
	    strstr(fake.question, "\"issuer\":\"https://issuer.example\""));
	assert_non_null(
	    strstr(fake.question, "\"audience\":\"https://data.example\""));
}

static void an_account_without_an_agent_is_told(void **state)
{
	const struct tokens_config config = {.account = "tb"};
	static const char *const nothing[] = {NULL};

	(void)state;
	look_bed_restart(&config);
	look(bed_user(ALICE, ALICE), nothing);
	assert_none(-EINVAL, "set OIDC_SOCK");
}

static void options_of_no_use_are_refused_at_once(void **state)
{
	static const struct tokens_config bad[] = {
	    {.agent = "relative"}, {.account = "no such name!"}};
	struct look_plan *plan;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(look_plan_new(&plan, &bad[i], &err), -EINVAL);
		assert_int_equal(err.code, -EINVAL);
		assert_null(plan);
	}
}

static int make_plan(void *arg)
{
	struct look_plan *plan;
	struct err err = ERR_INIT;
	int code = look_plan_new(&plan, arg, &err);

	assert_int_equal(code, err.code);
	look_plan_free(plan);
	return code;
}

static void making_survives_every_failed_allocation(void **state)
{
	static const char *const names[] = {"https://one.example"};
	struct tokens_trust trust = {.issuers = names,
	    .issuer_count = 1,
	    .audiences = names,
	    .audience_count = 1};
	struct tokens_config config = {
	    .agent = "/sock", .account = "tb", .trust = &trust};

	(void)state;
	assert_true(oom_each(make_plan, &config) > 4);
}

/* Each says who, why, and what to do. */
static void every_code_has_a_sentence_with_a_cure(void **state)
{
	static const struct {
		int code;
		const char *says;
	} all[] = {{-ETIMEDOUT, "does not answer within 2 s"},
	    {-ESRCH, "has ended"}, {-EPERM, "run it as root"},
	    {-EXDEV, "mount inside that container"}, {-EMSGSIZE, "1 MiB"},
	    {-EDQUOT, "64 looks for tokens waiting"},
	    {-EAGAIN, "try again later"}, {-EIO, "was killed"},
	    {-EBADMSG, "was killed"}, {-EPIPE, "mount again"},
	    {-ENOMEM, "Cannot allocate memory"}};
	const struct caller caller = {.tgid = 4711, .uid = 1001};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(
		    look_explain(&err, all[i].code, &caller), all[i].code);
		assert_int_equal(err.code, all[i].code);
		assert_non_null(strstr(err.text, all[i].says));
		assert_non_null(strstr(err.text, "process 4711"));
		assert_non_null(strstr(err.text, "user 1001"));
		assert_non_null(strstr(err.text, "; "));
		assert_true(strlen(err.text) < sizeof(err.text) - 1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_caller_has_its_own_token),
	    TEST(who_has_none_is_told_where_to_put_one),
	    TEST(a_file_in_tmp_is_found_without_an_environment),
	    TEST(several_ids_are_not_believed),
	    TEST(htcondors_tokens_come_all),
	    TEST(paths_and_links_are_the_containers),
	    TEST(its_agent_is_the_containers),
	    TEST(an_agent_of_somebody_elses_is_not_asked),
	    TEST(options_hold_for_callers),
	    TEST(an_account_without_an_agent_is_told),
	};
	const struct CMUnitTest plain[] = {
	    cmocka_unit_test(options_of_no_use_are_refused_at_once),
	    cmocka_unit_test(making_survives_every_failed_allocation),
	    cmocka_unit_test(every_code_has_a_sentence_with_a_cure),
	};
	int failed = cmocka_run_group_tests(plain, NULL, NULL);

	if (!look_bed_possible()) {
		(void)puts("not root: cannot take on the ids of users");
		return failed;
	}
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
