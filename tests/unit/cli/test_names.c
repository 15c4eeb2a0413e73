/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that options hold. */
#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options/names.h"

static void a_list_is_cut_at_semicolons_and_blanks(void **state)
{
	static const struct {
		const char *text;
		const char *wanted; /* with '|' between */
	} cases[] = {
	    {NULL, ""},
	    {"", ""},
	    {" ; ;;", ""},
	    {"a", "a"},
	    {"a;b", "a|b"},
	    {" a ;\tb;; c ", "a|b|c"},
	    {"*.a.b:8443;[::1]", "*.a.b:8443|[::1]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct names names;
		struct err err = ERR_INIT;
		struct buf all;

		buf_init(&all, 1024);
		assert_int_equal(
		    names_split(&names, "x", cases[i].text, &err), 0);
		for (unsigned n = 0; n < names.count; n++)
			(void)buf_printf(
			    &all, "%s%s", n > 0 ? "|" : "", names.names[n]);
		assert_string_equal(buf_text(&all), cases[i].wanted);
		buf_fini(&all);
		names_fini(&names);
	}
}

static void a_list_has_a_bound(void **state)
{
	(void)state;
	for (unsigned extra = 0; extra <= 1; extra++) {
		struct names names;
		struct err err = ERR_INIT;
		struct buf text;

		buf_init(&text, 1024);
		for (unsigned i = 0; i < NAMES_MAX + extra; i++)
			(void)buf_printf(&text, "n%u;", i);
		assert_int_equal(
		    names_split(&names, "hosts", buf_text(&text), &err),
		    extra ? -EINVAL : 0);
		assert_int_equal(names.count, extra ? 0 : NAMES_MAX);
		if (extra)
			assert_string_equal(err.text,
			    "option hosts: more than 64 names; name fewer");
		buf_fini(&text);
		names_fini(&names);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_list_is_cut_at_semicolons_and_blanks),
	    cmocka_unit_test(a_list_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
