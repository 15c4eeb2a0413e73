/* SPDX-License-Identifier: Apache-2.0 */
/* The servers that a Pelican director names. */
#include "base/buf.h"
#include "fetch/fetch.h"
#include "fetch/pelican.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pelican_bed.h"

static void expect_servers(
    const char *headers, const char *wanted, unsigned ignored)
{
	struct pelican_facts facts;
	struct buf all;

	pelican_read_ns(&facts, headers);
	buf_init(&all, 1024 * 1024);
	for (unsigned i = 0; i < facts.server_count; i++)
		(void)buf_printf(&all, "%s%s %lld %lld", i > 0 ? "|" : "",
		    facts.servers[i].url, (long long)facts.servers[i].priority,
		    (long long)facts.servers[i].depth);
	if (strcmp(buf_text(&all), wanted) != 0 ||
	    facts.ignored.count != ignored)
		fail_msg("%s: '%s', %u", headers, buf_text(&all),
		    facts.ignored.count);
	buf_fini(&all);
	pelican_facts_fini(&facts);
}

static void servers_come_best_first(void **state)
{
	(void)state;
	expect_servers("Link: <https://b/f>; rel=duplicate; pri=2; depth=1, "
	               "<https://x/f>; rel=\"describedby\"; pri=1\r\n"
	               "link: <https://z/f>; rel=\"duplicate\", "
	               "<https://a/f>; pri=1; rel=\"copy Duplicate\"\r\n"
	               "Link: <https://c/f>; rel=duplicate; pri=2, "
	               "<https://y/f>; rel=duplicate; pri=x; depth=-1\r\n",
	    "https://a/f 1 -1|https://b/f 2 1|https://c/f 2 -1|"
	    "https://z/f -1 -1|https://y/f -1 -1",
	    0);
	/* Twice the same URL: the better one, and its depth. */
	expect_servers("Link: <https://a/f>; rel=duplicate; pri=3; depth=3, "
	               "<https://b/f>; rel=duplicate; pri=2, "
	               "<https://a/f>; rel=duplicate; pri=1; depth=1, "
	               "<https://b/f>; rel=duplicate; pri=2; depth=9\r\n",
	    "https://a/f 1 1|https://b/f 2 -1", 0);
	/* Relative to what was asked. */
	expect_servers("Link: <../../x>; rel=duplicate, </y>; rel=duplicate, "
	               "<//h/z>; rel=duplicate, <>; rel=duplicate\r\n",
	    "https://director.example/api/v1.0/director/x -1 -1|"
	    "https://director.example/y -1 -1|https://h/z -1 -1",
	    1);
	/* Somebody else's token stays behind; a link about another thing. */
	expect_servers("Link: <https://a/f?authz=x&q=1#f>; rel=duplicate, "
	               "<https://b/f>; rel=duplicate; anchor=\"/other\"\r\n",
	    "https://a/f?q=1 -1 -1", 0);
}

static void servers_that_cannot_be_used_are_passed_over(void **state)
{
	(void)state;
	expect_servers("Link: <http://a/f>; rel=duplicate; pri=1, "
	               "<my-cache.edu:8443>; rel=duplicate, "
	               "<https://u:p@a/f>; rel=duplicate, "
	               "<https://a:99999/f>; rel=duplicate, "
	               "<https:///f>; rel=duplicate, "
	               "<https://a b/f>; rel=duplicate, "
	               "<ftp://a/f>; rel=duplicate, "
	               "<https://good/f>; rel=duplicate; pri=9\r\n",
	    "https://good/f 9 -1", 7);
	/* The rest of a malformed header, and only of that. */
	expect_servers("Link: <https://a/f>; rel=duplicate, <https://b/f; "
	               "rel=duplicate\r\n"
	               "Link: nonsense\r\n"
	               "Link: <https://c/f>; rel=duplicate\r\n",
	    "https://a/f -1 -1|https://c/f -1 -1", 2);
}

static void what_is_passed_over_is_told_without_secrets(void **state)
{
	struct pelican_facts facts;

	(void)state;
	pelican_read_ns(&facts,
	    "Link: <http://a/f?authz=secret>; rel=duplicate, "
	    "<https://u:secret@a/f>; rel=duplicate\r\n");
	assert_int_equal(facts.ignored.count, 2);
	assert_string_equal(
	    facts.ignored.first.text, "Link: a server is no https URL");
	pelican_facts_fini(&facts);
}

/* More servers than there is room for: the best are kept, wherever they
 * stand. */
static void of_too_many_servers_the_best_are_kept(void **state)
{
	for (int up = 0; up <= 1; up++) {
		struct pelican_facts facts;
		struct buf text;
		const unsigned count = PELICAN_SERVERS_MAX + 3;

		(void)state;
		buf_init(&text, 65536);
		(void)buf_printf(&text, "Link: ");
		for (unsigned i = 0; i < count; i++)
			(void)buf_printf(&text,
			    "<https://h%u/>; rel=duplicate; pri=%u,", i,
			    up ? i : count - 1 - i);
		(void)buf_printf(&text, "\r\n");
		pelican_read_ns(&facts, buf_text(&text));
		assert_int_equal(facts.server_count, PELICAN_SERVERS_MAX);
		for (unsigned i = 0; i < PELICAN_SERVERS_MAX; i++)
			assert_int_equal(facts.servers[i].priority, i);
		assert_int_equal(facts.ignored.count, 3);
		pelican_facts_fini(&facts);
		buf_fini(&text);
	}
}

static void a_url_is_at_most_so_long(void **state)
{
	(void)state;
	for (size_t extra = 0; extra <= 1; extra++) {
		char url[FETCH_URL_BYTES_MAX + 1];
		struct pelican_facts facts;
		struct buf text;

		memset(url, 'x', sizeof(url));
		memcpy(url, "https://h/", 10);
		url[FETCH_URL_BYTES_MAX - 1 + extra] = '\0';
		buf_init(&text, 65536);
		(void)buf_printf(&text, "Link: <%s>; rel=duplicate\r\n", url);
		pelican_read_ns(&facts, buf_text(&text));
		assert_int_equal(facts.server_count, extra ? 0 : 1);
		assert_int_equal(facts.ignored.count, extra);
		pelican_facts_fini(&facts);
		buf_fini(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(servers_come_best_first),
	    cmocka_unit_test(servers_that_cannot_be_used_are_passed_over),
	    cmocka_unit_test(what_is_passed_over_is_told_without_secrets),
	    cmocka_unit_test(of_too_many_servers_the_best_are_kept),
	    cmocka_unit_test(a_url_is_at_most_so_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
