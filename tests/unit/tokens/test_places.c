/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/places.h: where a token is looked for in a caller's stead, by
 * its environment and by nothing of this process's own. */
#include "base/path.h"
#include "tests/unit/tokens/fake_agent.h"
#include "tests/unit/tokens/make.h"
#include "tokens/find/discover.h"
#include "tokens/find/environ.h"
#include "tokens/find/mounts.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW UINT64_C(3000000000)

static char dir[256];
static char bytes[4096]; /* the caller's environment */
static struct environ_block block;
static const struct mounts no_mounts;
static const struct discover_caller caller = {
    .environment = &block, .mounts = &no_mounts};
static struct tokens_config config;
static struct finding found;
static struct err err;

static int set_up(void **state)
{
	(void)state;
	make_no_environment();
	make_directory(dir);
	block = (struct environ_block){.bytes = bytes};
	config = (struct tokens_config){.uid = geteuid()};
	found = (struct finding){.count = 0};
	err = (struct err)ERR_INIT;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	finding_fini(&found);
	make_remove(dir);
	make_no_environment();
	return 0;
}

static char *in_dir(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void has(const char *name, const char *value)
{
	int n = snprintf(bytes + block.size_bytes,
	    sizeof(bytes) - block.size_bytes, "%s=%s", name, value);

	assert_true(n > 0);
	block.size_bytes += (size_t)n + 1;
	assert_true(block.size_bytes < sizeof(bytes));
}

static void put(const char *name)
{
	char text[MAKE_BYTES];

	make_token(text, name, NOW + 1000);
	make_file(in_dir(name), text, 0600);
}

static int look(void)
{
	struct discover *discover = NULL;
	int code = discover_new(&discover, &config, &caller, &err);

	finding_fini(&found);
	if (code == 0)
		discover_look(discover, false, NOW, &found);
	discover_free(discover);
	return code;
}

static void assert_subject(const char *name)
{
	assert_int_equal(look(), 0);
	assert_non_null(finding_first(&found));
	assert_string_equal(finding_first(&found)->claims.subject, name);
}

static void assert_problem(int code, const char *says)
{
	assert_int_equal(found.problem.code, code);
	if (strstr(found.problem.text, says) == NULL)
		fail_msg("'%s' lacks '%s'", found.problem.text, says);
}

static bool own_token_in_tmp(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/tmp/bt_u%u", (unsigned)geteuid());
	return access(path, F_OK) == 0;
}

static void a_callers_own_variables_count(void **state)
{
	char text[MAKE_BYTES];

	(void)state;
	put("mine");
	put("callers");
	assert_int_equal(setenv("BEARER_TOKEN_FILE", in_dir("mine"), 1), 0);
	has("BEARER_TOKEN_FILE", in_dir("callers"));
	assert_subject("callers");
	assert_int_equal(found.problem.code, 0);
	make_token(text, "value", NOW + 1000);
	has("BEARER_TOKEN", text);
	assert_subject("value");
	assert_string_equal(
	    token_source(finding_first(&found)), "$BEARER_TOKEN");
}

static void nothing_of_this_process_counts(void **state)
{
	char text[MAKE_BYTES];

	(void)state;
	if (own_token_in_tmp())
		skip();
	put("mine");
	make_token(text, "value", NOW + 1000);
	assert_int_equal(setenv("BEARER_TOKEN", text, 1), 0);
	assert_int_equal(setenv("BEARER_TOKEN_FILE", in_dir("mine"), 1), 0);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
	assert_int_equal(setenv("_CONDOR_CREDS", dir, 1), 0);
	assert_int_equal(setenv("OIDC_SOCK", in_dir("sock"), 1), 0);
	assert_int_equal(look(), 0);
	assert_int_equal(found.count, 0);
	assert_problem(-ENOKEY, "where the program is started");
}

/* This process stands elsewhere than the caller. */
static void its_paths_must_be_absolute(void **state)
{
	static const char *const names[] = {
	    "BEARER_TOKEN_FILE", "_CONDOR_CREDS", "OIDC_SOCK"};
	char here[PATH_MAX];

	(void)state;
	put("file");
	put("bt_u0");
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(dir), 0);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		block.size_bytes = 0;
		has(names[i], "file");
		assert_int_equal(look(), 0);
		if (!own_token_in_tmp())
			assert_int_equal(found.count, 0);
		assert_problem(-EINVAL, names[i]);
		assert_problem(-EINVAL, "no absolute path; set it");
	}
	assert_int_equal(chdir(here), 0);
}

static void the_search_goes_on_behind_a_wrong_path(void **state)
{
	char known[64];

	(void)state;
	(void)snprintf(known, sizeof(known), "bt_u%u", (unsigned)geteuid());
	put(known);
	has("BEARER_TOKEN_FILE", "relative");
	has("XDG_RUNTIME_DIR", dir);
	assert_subject(known);
	assert_problem(-EINVAL, "'relative'");
}

static void a_path_may_be_as_long_as_paths_are(void **state)
{
	char path[PATH_BYTES_MAX + 1];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	for (size_t n = PATH_BYTES_MAX - 1; n <= PATH_BYTES_MAX; n++) {
		path[n] = '\0';
		block =
		    (struct environ_block){.bytes = malloc(2 * sizeof(path))};
		assert_non_null(block.bytes);
		block.size_bytes = 1 +
		    (size_t)snprintf(block.bytes, 2 * sizeof(path),
		        "BEARER_TOKEN_FILE=%s", path);
		assert_int_equal(look(), 0);
		if (n < PATH_BYTES_MAX)
			assert_int_not_equal(found.problem.code, -EINVAL);
		else
			assert_problem(-EINVAL, "too long");
		free(block.bytes);
		block.bytes = bytes;
		path[n] = 'x';
	}
}

static void options_name_an_agent_for_callers_as_well(void **state)
{
	(void)state;
	config.account = "tb";
	assert_int_equal(look(), -EINVAL);
	assert_non_null(strstr(err.text, "set OIDC_SOCK"));
	has("OIDC_SOCK", "relative");
	assert_int_equal(look(), -EINVAL);
	assert_non_null(strstr(err.text, "no absolute path"));
	block.size_bytes = 0;
	has("OIDC_SOCK", in_dir("sock"));
	assert_int_equal(look(), 0);
	assert_problem(-ECONNREFUSED, "account 'tb'");
	block.size_bytes = 0;
	config.agent = in_dir("other");
	assert_int_equal(look(), 0);
	assert_problem(-ECONNREFUSED, "/other'");
}

static void its_agent_is_asked(void **state)
{
	static struct fake_agent fake;
	char text[MAKE_BYTES];
	char answer[2 * MAKE_BYTES];
	char here[PATH_MAX];

	(void)state;
	make_token(text, "agents", NOW + 1000);
	(void)snprintf(answer, sizeof(answer),
	    "{\"status\":\"success\",\"access_token\":\"%s\"}", text);
	fake_agent_start(&fake, in_dir("sock"));
	fake_agent_says(&fake, FAKE_SAYS, answer);
	config.account = "tb";
	has("OIDC_SOCK", in_dir("sock"));
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir("/proc/self/fd"), 0);
	assert_subject("agents");
	assert_int_equal(chdir(here), 0);
	fake_agent_stop(&fake);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_callers_own_variables_count),
	    TEST(nothing_of_this_process_counts),
	    TEST(its_paths_must_be_absolute),
	    TEST(the_search_goes_on_behind_a_wrong_path),
	    TEST(a_path_may_be_as_long_as_paths_are),
	    TEST(options_name_an_agent_for_callers_as_well),
	    TEST(its_agent_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
