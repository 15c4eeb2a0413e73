/* SPDX-License-Identifier: Apache-2.0 */
/* The Link header, in all the ways in which RFC 8288 lets it be written. */
#include "base/buf.h"
#include "fetch/answers/weblink.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* All links of a value as text: "<target> rel=.. anchor=.. pri=.. depth=.."
 * with those that it has; "!" where the value is malformed. */
static const char *told(struct buf *out, const char *text)
{
	static const char *const names[] = {"rel", "anchor", "pri", "depth"};
	const char *end = text + strlen(text);
	struct weblink link;
	int code;

	buf_init(out, 16384);
	while ((code = weblink_next(&link, &text, end)) == 1) {
		(void)buf_printf(
		    out, "<%.*s>", (int)link.target_bytes, link.target);
		for (size_t i = 0; i < WEBLINK_PARAM_COUNT; i++)
			if (link.has[i])
				(void)buf_printf(
				    out, " %s=%s", names[i], link.value[i]);
		(void)buf_printf(out, "\n");
	}
	if (code == -EBADMSG)
		(void)buf_printf(out, "!");
	else
		assert_int_equal(code, 0);
	assert_int_equal(buf_code(out), 0);
	return buf_text(out);
}

static void links_are_read_as_the_rfc_has_it(void **state)
{
	static const struct {
		const char *text;
		const char *wanted;
	} cases[] = {
	    {"", ""},
	    {" , ,\t,", ""},
	    {"<a>", "<a>\n"},
	    {"<>", "<>\n"},
	    {"<a>;", "<a>\n"},
	    {"<a>; ;rel=x;", "<a> rel=x\n"},
	    /* A Pelican director. */
	    {"<https://c1:8443/ns/x>; rel=\"duplicate\"; pri=1; depth=3, "
	     "<https://c2/ns/x>; rel=\"duplicate\"; pri=2; depth=3",
	        "<https://c1:8443/ns/x> rel=duplicate pri=1 depth=3\n"
	        "<https://c2/ns/x> rel=duplicate pri=2 depth=3\n"},
	    /* In any order, in any case, without blanks, with many. */
	    {"<a>;depth=3;PRI=1;Rel=duplicate,<b>",
	        "<a> rel=duplicate pri=1 depth=3\n<b>\n"},
	    {" <a>\t; \tpri\t=  1 \t; rel = \"x\"\t, \t<b> ; pri = 2 ",
	        "<a> rel=x pri=1\n<b> pri=2\n"},
	    /* Commas and semicolons are nothing special in < > and " ". */
	    {"<a,b;c>; title=\"x, <y>; rel=z\"; rel=w, <c>",
	        "<a,b;c> rel=w\n<c>\n"},
	    {"<a>; rel=\"a\\\"b\\\\c\\d\"", "<a> rel=a\"b\\cd\n"},
	    {"<a>; rel=\"\"", "<a> rel=\n"},
	    {"<a>; rel", "<a> rel=\n"},
	    {"<a>; rel; pri=1", "<a> rel= pri=1\n"},
	    {"<a>; rel=; pri=1", "<a> rel= pri=1\n"},
	    /* The first one counts. */
	    {"<a>; rel=x; rel=y; pri=2; pri=1; REL=z", "<a> rel=x pri=2\n"},
	    /* Unknown ones, and those that look alike. */
	    {"<a>; rel*=UTF-8''x; relx=y; xrel=z; =q; crossorigin", "<a>\n"},
	    {"<a>; anchor=\"#x\"; rel=y", "<a> rel=y anchor=#x\n"},
	    /* Links before what is malformed are good. */
	    {"a", "!"},
	    {"a <b>", "!"},
	    {"<a", "!"},
	    {"<a>, b", "<a>\n!"},
	    {"<a>, <b", "<a>\n!"},
	    {"<a> b", "!"},
	    {"<a><b>", "!"},
	    {"<a>; rel=\"x", "!"},
	    {"<a>; rel=\"x\\\"", "!"},
	    {"<a>; rel=\"x\\", "!"},
	    {"<a>; rel=\"x\"y", "!"},
	    {"<a>; rel x", "!"},
	    {"<a>; rel=x, <b>; rel=\"y, <c>", "<a> rel=x\n!"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct buf out;

		assert_string_equal(told(&out, cases[i].text), cases[i].wanted);
		buf_fini(&out);
	}
}

/* A value as long as there is room, and one more. */
static void a_value_that_is_too_long_is_none(void **state)
{
	char value[WEBLINK_VALUE_BYTES + 1];
	struct weblink link;

	(void)state;
	for (size_t n = sizeof(value) - 2; n < sizeof(value); n++) {
		memset(value, 'x', n);
		value[n] = '\0';
		for (int quoted = 0; quoted <= 1; quoted++) {
			struct buf text;
			const char *at;

			buf_init(&text, 1024);
			(void)buf_printf(&text, "<a>; rel=%s%s%s; pri=1",
			    quoted ? "\"" : "", value, quoted ? "\"" : "");
			at = buf_text(&text);
			assert_int_equal(
			    weblink_next(&link, &at, at + text.size_bytes), 1);
			assert_true(link.has[WEBLINK_REL]);
			assert_string_equal(link.value[WEBLINK_REL],
			    n < WEBLINK_VALUE_BYTES ? value : "");
			assert_string_equal(link.value[WEBLINK_PRI], "1");
			buf_fini(&text);
		}
	}
}

static void a_relation_is_one_of_a_list(void **state)
{
	static const struct {
		const char *rel;
		bool wanted;
	} cases[] = {
	    {"duplicate", true},
	    {"DUPLICATE", true},
	    {"describedby duplicate", true},
	    {" duplicate  x", true},
	    {"x\tduplicate", true},
	    {"", false},
	    {"duplicates", false},
	    {"duplicat", false},
	    {"x-duplicate", false},
	    {"http://h/duplicate", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct weblink link = {.target = ""};

		memcpy(link.value[WEBLINK_REL], cases[i].rel,
		    strlen(cases[i].rel) + 1);
		if (weblink_has_rel(&link, "duplicate") != cases[i].wanted)
			fail_msg("'%s'", cases[i].rel);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(links_are_read_as_the_rfc_has_it),
	    cmocka_unit_test(a_value_that_is_too_long_is_none),
	    cmocka_unit_test(a_relation_is_one_of_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
