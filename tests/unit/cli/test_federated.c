/* SPDX-License-Identifier: Apache-2.0 */
/* cli/plan/federated.h: does a mount start without its federation; and what of a
 * source that is one (plan.h). */
#include "base/attr.h"
#include "base/err.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options/options.h"
#include "cli/plan/federated.h"
#include "cli/plan/plan.h"

static struct options options;

static int begin(void **state)
{
	(void)state;
	return options_init(&options) == 0 &&
	        options_set_source(&options, "pelican://fed.example/ns") == 0
	    ? 0
	    : -1;
}

static int end(void **state)
{
	(void)state;
	options_fini(&options);
	return 0;
}

static void what_may_come_is_waited_for(void **state)
{
	static const struct {
		int code;
		enum start_verdict verdict;
	} rows[] = {{0, START_GO}, {-ENOENT, START_REFUSE},
	    {-EPROTO, START_REFUSE}, {-EHOSTUNREACH, START_WARN},
	    {-ETIMEDOUT, START_WARN}, {-EBUSY, START_WARN},
	    {-EBADMSG, START_WARN}, {-EIO, START_WARN}};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct err why = {.code = rows[i].code, .text = "why; cure"};
		struct err line = ERR_INIT;

		options.check = false;
		assert_int_equal(
		    federated_judge(rows[i].code, &why, &options, &line),
		    rows[i].verdict);
		if (rows[i].code < 0)
			assert_non_null(strstr(line.text,
			    "source 'pelican://fed.example/ns': why; cure"));
		options.check = true;
		assert_int_equal(
		    federated_judge(rows[i].code, &why, &options, &line),
		    rows[i].code < 0 ? START_REFUSE : START_GO);
	}
}

static void files_of_a_federation_do_not_change_unless_told(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_true(plan_immutable(&options, true));
	assert_false(plan_immutable(&options, false));
	assert_int_equal(options_set(&options, "immutable", "no", &err), 0);
	assert_false(plan_immutable(&options, true));
	assert_int_equal(options_set(&options, "immutable", NULL, &err), 0);
	assert_true(plan_immutable(&options, true));
	assert_true(plan_immutable(&options, false));
}

static void a_source_is_a_federation_or_a_server(void **state)
{
	struct fetch_source source;
	static struct servers servers;
	struct err err = ERR_INIT;
	bool federated = false;

	(void)state;
	assert_int_equal(
	    options_set(&options, "server", "https://c.example", &err), 0);
	assert_int_equal(
	    plan_source(&source, &servers, &federated, &options, &err), 0);
	assert_true(federated);
	assert_int_equal(servers.count, 1);
	assert_string_equal(source.origin, "pelican://fed.example");
	assert_int_equal(
	    options_set_source(&options, "https://o.example/x"), 0);
	assert_int_equal(
	    plan_source(&source, &servers, &federated, &options, &err), 0);
	assert_false(federated);
	/* What a token would be sent to has to be encrypted. */
	assert_int_equal(options_set_source(&options, "osdf:///ns"), 0);
	assert_int_equal(
	    options_set(&options, "server", "http://c.example", &err), 0);
	assert_int_equal(
	    plan_source(&source, &servers, &federated, &options, &err),
	    -EPROTONOSUPPORT);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    CASE(what_may_come_is_waited_for),
	    CASE(files_of_a_federation_do_not_change_unless_told),
	    CASE(a_source_is_a_federation_or_a_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
