/* SPDX-License-Identifier: Apache-2.0 */
/* Does a mount start, start with a warning, or not start? */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/mount/start.h"

static struct err out;

static enum start_verdict judge(struct start_facts facts, bool check)
{
	out = (struct err)ERR_INIT;
	if (facts.code < 0)
		(void)err_set(&facts.err, facts.code, "the reason");
	if (facts.token_code < 0)
		(void)err_set(
		    &facts.token_err, facts.token_code, "the token's reason");
	return start_judge(&facts, "https://h/x", check, &out);
}

static struct start_facts asked(int code)
{
	return (struct start_facts){
	    .asked = true, .code = code, .directory = code == 0};
}

static void a_directory_that_answers_starts(void **state)
{
	(void)state;
	assert_int_equal(judge(asked(0), false), START_GO);
	assert_int_equal(judge(asked(0), true), START_GO);
	assert_int_equal(out.code, 0);
}

static void what_may_come_later_is_a_warning_and_with_check_a_refusal(
    void **state)
{
	static const int codes[] = {ETIMEDOUT, EHOSTUNREACH, EIO, EKEYREJECTED,
	    EKEYEXPIRED, ENOKEY, EACCES, ENOMEM};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		assert_int_equal(judge(asked(-codes[i]), false), START_WARN);
		assert_int_equal(out.code, -codes[i]);
		assert_non_null(strstr(out.text, "the reason"));
		assert_non_null(strstr(out.text, "mounted; "));
		assert_int_equal(judge(asked(-codes[i]), true), START_REFUSE);
		assert_non_null(strstr(out.text, "not mounted"));
	}
}

static void a_missing_token_is_a_warning_of_its_own(void **state)
{
	struct start_facts facts = {.token_code = -ENOKEY};

	(void)state;
	assert_int_equal(judge(facts, false), START_WARN);
	assert_string_equal(out.text, "the token's reason");
	assert_int_equal(judge(facts, true), START_REFUSE);
	facts.token_code = -EKEYEXPIRED;
	assert_int_equal(judge(facts, false), START_WARN);
	assert_int_equal(out.code, -EKEYEXPIRED);
}

static void what_waiting_does_not_heal_is_refused(void **state)
{
	struct start_facts facts = asked(-EHOSTUNREACH);

	(void)state;
	assert_int_equal(judge(asked(-ENOENT), false), START_REFUSE);
	assert_non_null(strstr(out.text, "does not exist"));
	facts.untrusted = true;
	assert_int_equal(judge(facts, false), START_REFUSE);
	assert_non_null(strstr(out.text, "ca_file"));
	facts = asked(0);
	facts.directory = false;
	assert_int_equal(judge(facts, false), START_REFUSE);
	assert_int_equal(out.code, -ENOTDIR);
	assert_non_null(strstr(out.text, "is a file"));
}

/* With read:/alice a server refuses to stat the root. */
static void a_token_for_what_lies_below_starts_in_silence(void **state)
{
	struct start_facts facts = asked(-EACCES);

	(void)state;
	facts.reach = true;
	assert_int_equal(judge(facts, false), START_GO);
	assert_int_equal(judge(facts, true), START_GO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_directory_that_answers_starts),
	    cmocka_unit_test(
	        what_may_come_later_is_a_warning_and_with_check_a_refusal),
	    cmocka_unit_test(a_missing_token_is_a_warning_of_its_own),
	    cmocka_unit_test(what_waiting_does_not_heal_is_refused),
	    cmocka_unit_test(a_token_for_what_lies_below_starts_in_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
