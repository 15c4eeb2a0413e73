/* SPDX-License-Identifier: Apache-2.0 */
/* cli/plan/servers.h: the caches that the option `server` names. */
#include "base/attr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/plan/servers.h"

static struct servers servers;

static int parse(const char *list, const char *source, struct err *err)
{
	struct fetch_source origin;

	assert_int_equal(fetch_source_parse(&origin, source, true, err), 0);
	return servers_parse(&servers, list, &origin, err);
}

static void they_stand_in_the_order_given(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(parse("https://b.org/x/y; https://A.org:8443;"
	                       "https://b.org:444/",
	                     "https://o.org/z", &err),
	    0);
	assert_int_equal(servers.count, 3);
	assert_string_equal(servers.of[0].origin, "https://b.org");
	assert_string_equal(servers.of[0].path, "/x/y");
	assert_string_equal(servers.of[1].origin, "https://a.org:8443");
	assert_string_equal(servers.of[1].path, "/");
	assert_string_equal(servers.of[2].origin, "https://b.org:444");
	assert_int_equal(parse(NULL, "https://o.org/z", &err), 0);
	assert_int_equal(servers.count, 0);
}

static void what_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *list;
		const char *source;
		int code;
		const char *why;
	} table[] = {
	    {"a.org", "https://o.org/", -EINVAL, "write https://"},
	    {"ftp://a.org", "https://o.org/", -EPROTONOSUPPORT, "https://"},
	    {"https://u@a.org", "https://o.org/", -EINVAL, "a user"},
	    {"https://a.org?x", "https://o.org/", -EINVAL, "a query"},
	    {"http://a.org", "https://o.org/", -EPROTONOSUPPORT, "encrypted"},
	    {"http://a.org", "http://o.org/", 0, ""},
	    {"https://a.org;https://o.org:443/x", "https://o.org/", -EINVAL,
	        "always the last"},
	    {"https://a.org;https://b.org;https://A.org/x", "https://o.org/",
	        -EINVAL, "named twice"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(
		    parse(table[i].list, table[i].source, &err), table[i].code);
		assert_non_null(strstr(err.text, table[i].why));
	}
}

static void eight_may_be_named(void **state)
{
	char list[512] = "";
	struct err err = ERR_INIT;

	(void)state;
	for (char name = 'a'; name < 'a' + SERVERS_MAX; name++) {
		char url[] = "https://?.org;";

		*strchr(url, '?') = name;
		(void)strcat(list, url);
	}
	assert_int_equal(parse(list, "https://o.org/", &err), 0);
	assert_int_equal(servers.count, SERVERS_MAX);
	(void)strcat(list, "https://one.more.org");
	assert_int_equal(parse(list, "https://o.org/", &err), -EINVAL);
	assert_non_null(strstr(err.text, "name fewer"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(they_stand_in_the_order_given),
	    cmocka_unit_test(what_cannot_be_is_refused),
	    cmocka_unit_test(eight_may_be_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
