/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a Pelican director believes: issuers, base paths, token rules. */
#include "base/buf.h"
#include "fetch/pelican.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pelican_bed.h"

/* Names joined with '|'. */
static void expect_texts(
    char *const *texts, unsigned count, const char *wanted, const char *of)
{
	struct buf all;

	buf_init(&all, 65536);
	for (unsigned i = 0; i < count; i++)
		(void)buf_printf(&all, "%s%s", i > 0 ? "|" : "", texts[i]);
	if (strcmp(buf_text(&all), wanted) != 0)
		fail_msg("%s: '%s'", of, buf_text(&all));
	buf_fini(&all);
}

static void issuers_are_kept_byte_by_byte(void **state)
{
	static const struct {
		const char *headers;
		const char *issuers;
		const char *generation;
		const char *base_paths;
	} cases[] = {
	    {"", "", "", ""},
	    {"X-Pelican-Authorization: issuer=https://a.org, "
	     "issuer=https://b.org\r\n",
	        "https://a.org|https://b.org", "", ""},
	    {"X-Pelican-Authorization: issuer=https://a.org\r\n"
	     "X-Pelican-Authorization: issuer=https://b.org\r\n",
	        "https://a.org|https://b.org", "", ""},
	    /* With and without a slash are two; twice the same is one. */
	    {"x-pelican-authorization: Issuer=https://a.org/,issuer=https://"
	     "a.org, issuer=https://a.org/\r\n",
	        "https://a.org/|https://a.org", "", ""},
	    {"X-Pelican-Authorization: issuer=https://A.org:443/x%20y=z, "
	     "other=1\r\n",
	        "https://A.org:443/x%20y=z", "", ""},
	    {"X-Pelican-Token-Generation: issuer=https://a, "
	     "issuer=https://b, base-path=/ns/, base-path=/other, "
	     "vault-server=https://v\r\n",
	        "", "https://a|https://b", "/ns|/other"},
	    {"X-Pelican-Token-Generation: base-path=/ns, base-path=/ns/\r\n",
	        "", "", "/ns"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pelican_facts facts;
		const struct pelican_generation *generation = &facts.generation;

		pelican_read_ns(&facts, cases[i].headers);
		expect_texts(facts.issuers.names, facts.issuers.count,
		    cases[i].issuers, cases[i].headers);
		expect_texts(generation->issuers.names,
		    generation->issuers.count, cases[i].generation,
		    cases[i].headers);
		expect_texts(generation->base_paths,
		    generation->base_path_count, cases[i].base_paths,
		    cases[i].headers);
		assert_int_equal(facts.ignored.count, 0);
		pelican_facts_fini(&facts);
	}
}

/* Half a list of whom to believe is none; the servers stay. */
static void rules_that_cannot_be_read_are_not_used(void **state)
{
	static const char *const spoilers[] = {
	    "X-Pelican-Authorization: https://b",
	    "X-Pelican-Authorization: issuer=",
	    "X-Pelican-Authorization: issuer=http://b",
	    "X-Pelican-Authorization: issuer=HTTPS://b",
	    "X-Pelican-Authorization: issuer=b",
	    "X-Pelican-Authorization: issuer=https://",
	    "X-Pelican-Authorization: issuer=https:///x",
	    "X-Pelican-Authorization: issuer=https://u@b",
	    "X-Pelican-Authorization: issuer=https://u:p@b/",
	    "X-Pelican-Authorization: issuer=https://b:0",
	    "X-Pelican-Authorization: issuer=https://b:65536",
	    "X-Pelican-Authorization: issuer=https://b:x",
	    "X-Pelican-Authorization: issuer=https://b?q",
	    "X-Pelican-Authorization: issuer=https://b#f",
	    "X-Pelican-Authorization: issuer=https://b/x y",
	    "X-Pelican-Authorization: issuer=https://b/\xc3\xa4",
	    "X-Pelican-Authorization: issuer=https://b/\"",
	    "X-Pelican-Authorization: issuer=https://b/\\",
	    "X-Pelican-Authorization: issuer=https://b c",
	    /* Cut at a comma it would be another issuer. */
	    "X-Pelican-Authorization: issuer=https://b/x,y",
	    "X-Pelican-Token-Generation: https://b",
	    "X-Pelican-Token-Generation: issuer=http://b",
	    "X-Pelican-Token-Generation: base-path=",
	    "X-Pelican-Token-Generation: base-path=x",
	    "X-Pelican-Token-Generation: base-path=/x/../y",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(spoilers); i++) {
		struct pelican_facts facts;
		struct buf text;

		buf_init(&text, 4096);
		(void)buf_printf(&text,
		    "Link: <https://c/ns/x>; rel=duplicate\r\n"
		    "X-Pelican-Authorization: issuer=https://a\r\n"
		    "X-Pelican-Token-Generation: issuer=https://a, "
		    "base-path=/ns\r\n%s\r\n"
		    "X-Pelican-Authorization: issuer=https://z\r\n",
		    spoilers[i]);
		pelican_read_ns(&facts, buf_text(&text));
		if (facts.issuers.count != 0 ||
		    facts.generation.issuers.count != 0 ||
		    facts.generation.base_path_count != 0 ||
		    facts.ignored.count != 1)
			fail_msg("%s", spoilers[i]);
		assert_non_null(strstr(facts.ignored.first.text, "X-Pelican-"));
		assert_null(strstr(facts.ignored.first.text, "https://"));
		assert_int_equal(facts.server_count, 1);
		pelican_facts_fini(&facts);
		buf_fini(&text);
	}
}

/* As many as there is room for, and one more: of each list. */
static void lists_have_bounds(void **state)
{
	static const struct {
		const char *header;
		const char *fact;
		unsigned room;
	} lists[] = {
	    {"X-Pelican-Authorization: ", "issuer=https://h",
	        PELICAN_ISSUERS_MAX},
	    {"X-Pelican-Token-Generation: ", "issuer=https://h",
	        PELICAN_ISSUERS_MAX},
	    {"X-Pelican-Token-Generation: ", "base-path=/b",
	        PELICAN_BASE_PATHS_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
		for (unsigned extra = 0; extra <= 1; extra++) {
			struct pelican_facts facts;
			struct buf text;
			unsigned count;

			buf_init(&text, 65536);
			(void)buf_printf(&text, "%s", lists[i].header);
			for (unsigned n = 0; n < lists[i].room + extra; n++)
				(void)buf_printf(
				    &text, "%s%u,", lists[i].fact, n);
			(void)buf_printf(&text, "\r\n");
			pelican_read_ns(&facts, buf_text(&text));
			count = facts.issuers.count +
			    facts.generation.issuers.count +
			    facts.generation.base_path_count;
			assert_int_equal(count, extra ? 0 : lists[i].room);
			assert_int_equal(facts.ignored.count, extra);
			pelican_facts_fini(&facts);
			buf_fini(&text);
		}
	}
}

static void an_issuer_is_at_most_so_long(void **state)
{
	(void)state;
	for (size_t extra = 0; extra <= 1; extra++) {
		char name[PELICAN_ISSUER_BYTES_MAX + 2];
		struct pelican_facts facts;
		struct buf text;

		memset(name, 'x', sizeof(name));
		memcpy(name, "https://h/", 10);
		name[PELICAN_ISSUER_BYTES_MAX + extra] = '\0';
		buf_init(&text, 4096);
		(void)buf_printf(
		    &text, "X-Pelican-Authorization: issuer=%s\r\n", name);
		pelican_read_ns(&facts, buf_text(&text));
		assert_int_equal(facts.issuers.count, extra ? 0 : 1);
		pelican_facts_fini(&facts);
		buf_fini(&text);
	}
}

static void depth_and_strategy_may_be_nonsense(void **state)
{
	static const struct {
		const char *fact;
		uint32_t depth;
		enum pelican_strategy strategy;
		unsigned ignored;
	} cases[] = {
	    {"max-scope-depth=0, strategy=Vault", 0, PELICAN_STRATEGY_VAULT, 0},
	    {"Max-Scope-Depth=4294967295, Strategy=oauth2", UINT32_MAX,
	        PELICAN_STRATEGY_OAUTH2, 0},
	    {"max-scope-depth=4294967296", 0, PELICAN_STRATEGY_NONE, 1},
	    {"max-scope-depth=-1, strategy=Kerberos", 0, PELICAN_STRATEGY_NONE,
	        2},
	    {"max-scope-depth=, strategy=", 0, PELICAN_STRATEGY_NONE, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pelican_facts facts;
		struct buf text;

		buf_init(&text, 1024);
		(void)buf_printf(&text,
		    "X-Pelican-Token-Generation: %s, issuer=https://a\r\n",
		    cases[i].fact);
		pelican_read_ns(&facts, buf_text(&text));
		assert_int_equal(
		    facts.generation.scope_depth_max, cases[i].depth);
		assert_int_equal(facts.generation.strategy, cases[i].strategy);
		assert_int_equal(facts.ignored.count, cases[i].ignored);
		assert_int_equal(facts.generation.issuers.count, 1);
		pelican_facts_fini(&facts);
		buf_fini(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(issuers_are_kept_byte_by_byte),
	    cmocka_unit_test(rules_that_cannot_be_read_are_not_used),
	    cmocka_unit_test(lists_have_bounds),
	    cmocka_unit_test(an_issuer_is_at_most_so_long),
	    cmocka_unit_test(depth_and_strategy_may_be_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
