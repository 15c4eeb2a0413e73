/* SPDX-License-Identifier: Apache-2.0 */
/* What a Pelican director says of a path. Headers as in Pelican's director
 * and the tests of its client; see fetch/pelican.h for what is refused. */
#include "base/buf.h"
#include "fetch/pelican.h"
#include "tests/unit/oom.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pelican_bed.h"

/* An answer to a question about a file, as a director writes it. */
static const char real_answer[] =
    "HTTP/1.1 307 Temporary Redirect\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "Date: Sun, 29 Nov 2026 02:11:38 GMT\r\n"
    "Link: <https://cache.chtc.example:8443/ospool/ap40/data/u/f>; "
    "rel=\"duplicate\"; pri=1; depth=2, "
    "<https://cache2.example.net:8443/ospool/ap40/data/u/f>; "
    "rel=\"duplicate\"; pri=2; depth=2\r\n"
    "Location: https://cache.chtc.example:8443/ospool/ap40/data/u/f?authz=x\r\n"
    "Server: pelican/7.12.0\r\n"
    "X-Pelican-Authorization: issuer=https://osg-htc.org/ospool\r\n"
    "X-Pelican-Authorization: issuer=https://other.example/\r\n"
    "X-Pelican-Jobid: 0b0e\r\n"
    "X-Pelican-Namespace: namespace=/ospool/ap40/data, require-token=true, "
    "collections-url=https://ap40.uw.osg-htc.org:1095\r\n"
    "X-Pelican-Token-Generation: issuer=https://osg-htc.org/ospool, "
    "max-scope-depth=4, strategy=OAuth2, base-path=/ospool/ap40\r\n"
    "Content-Length: 84\r\n"
    "\r\n";

static void a_directors_answer_is_read(void **state)
{
	struct pelican_facts facts;
	struct err err;

	(void)state;
	assert_int_equal(
	    pelican_read_at(&facts, "/ospool/ap40/data/u/f", real_answer, &err),
	    0);
	assert_string_equal(facts.namespace_path, "/ospool/ap40/data");
	assert_true(facts.token_required);
	assert_string_equal(
	    facts.collections_url, "https://ap40.uw.osg-htc.org:1095/");
	assert_int_equal(facts.issuers.count, 2);
	assert_string_equal(
	    facts.issuers.names[0], "https://osg-htc.org/ospool");
	assert_string_equal(facts.issuers.names[1], "https://other.example/");
	assert_int_equal(facts.generation.issuers.count, 1);
	assert_string_equal(
	    facts.generation.issuers.names[0], "https://osg-htc.org/ospool");
	assert_int_equal(facts.generation.base_path_count, 1);
	assert_string_equal(facts.generation.base_paths[0], "/ospool/ap40");
	assert_int_equal(facts.generation.scope_depth_max, 4);
	assert_int_equal(facts.generation.strategy, PELICAN_STRATEGY_OAUTH2);
	assert_int_equal(facts.server_count, 2);
	assert_string_equal(facts.servers[0].url,
	    "https://cache.chtc.example:8443/ospool/ap40/data/u/f");
	assert_int_equal(facts.servers[0].priority, 1);
	assert_int_equal(facts.servers[0].depth, 2);
	assert_string_equal(facts.servers[1].url,
	    "https://cache2.example.net:8443/ospool/ap40/data/u/f");
	assert_int_equal(facts.ignored.count, 0);
	pelican_facts_fini(&facts);
}

/* A public namespace without listings; a standalone origin has no Link. */
static void a_public_namespace_needs_no_token(void **state)
{
	struct pelican_facts facts;
	struct err err;

	(void)state;
	assert_int_equal(
	    pelican_read_at(&facts, "/ns/x",
	        "X-Pelican-Namespace: namespace=/ns, require-token=false\n",
	        &err),
	    0);
	assert_false(facts.token_required);
	assert_null(facts.collections_url);
	assert_int_equal(facts.issuers.count, 0);
	assert_int_equal(facts.server_count, 0);
	pelican_facts_fini(&facts);
}

static void a_token_is_needed_unless_it_is_plainly_not(void **state)
{
	static const struct {
		const char *fact;
		bool required;
	} cases[] = {
	    {"require-token=true", true},
	    {"require-token=True", true},
	    {"require-token=1", true},
	    {"require-token=false", false},
	    {"REQUIRE-TOKEN=False", false},
	    {"require-token=f", false},
	    {"require-token=0", false},
	    {"require-token=", true},
	    {"require-token=no", true},
	    {"require-token=falsee", true},
	    {"x-require-token=false", true},
	    {"", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pelican_facts facts;
		struct buf text;
		struct err err;

		buf_init(&text, 1024);
		(void)buf_printf(&text,
		    "x-pelican-namespace:%s,namespace = /ns ,\r\n",
		    cases[i].fact);
		assert_int_equal(
		    pelican_read_at(&facts, "/ns", buf_text(&text), &err), 0);
		if (facts.token_required != cases[i].required)
			fail_msg("%s", cases[i].fact);
		pelican_facts_fini(&facts);
		buf_fini(&text);
	}
}

static void an_answer_about_nothing_is_refused(void **state)
{
	static const struct {
		const char *headers;
		int code;
	} cases[] = {
	    {"", -ENOMSG},
	    {"HTTP/1.1 404 Not Found\r\n\r\n", -ENOMSG},
	    {"X-Pelican-Namespace:\r\n", -ENOMSG},
	    {"X-Pelican-Namespace: require-token=false\r\n", -ENOMSG},
	    {"X-Pelican-Namespace: namespace=\r\n", -EBADMSG},
	    {"X-Pelican-Namespace: namespace=ns\r\n", -EBADMSG},
	    {"X-Pelican-Namespace: namespace=/ns//x\r\n", -EBADMSG},
	    {"X-Pelican-Namespace: namespace=/ns/..\r\n", -EBADMSG},
	    {"X-Pelican-Namespace: namespace=/ns/./x\r\n", -EBADMSG},
	    {"X-Pelican-Namespace: namespace=\"/ns\"\r\n", -EBADMSG},
	    /* Of something else; a neighbour whose name begins alike. */
	    {"X-Pelican-Namespace: namespace=/n\r\n", -EBADMSG},
	    {"X-Pelican-Namespace: namespace=/ns/x/y\r\n", -EBADMSG},
	    {"X-Pelican-Namespace: namespace=/other\r\n", -EBADMSG},
	    /* A name cut at a comma would be a wider namespace. */
	    {"X-Pelican-Namespace: namespace=/ns,x\r\n", -EBADMSG},
	    {"X-Pelican-Namespace: namespace=/ns, =x\r\n", -EBADMSG},
	    /* Twice. */
	    {"X-Pelican-Namespace: namespace=/ns, namespace=/ns/x\r\n",
	        -EBADMSG},
	    {PELICAN_NAMESPACE PELICAN_NAMESPACE, -EBADMSG},
	    {PELICAN_NAMESPACE "X-Pelican-Namespace: require-token=false\r\n",
	        -EBADMSG},
	    {"X-Pelican-Namespace: namespace=/ns, "
	     "collections-url=https://a, collections-url=https://b\r\n",
	        -EBADMSG},
	    /* Lines that are none. */
	    {PELICAN_NAMESPACE "Link : <https://a>\r\n", -EBADMSG},
	    {PELICAN_NAMESPACE " folded\r\n", -EBADMSG},
	    {PELICAN_NAMESPACE "X-A: a\x01\r\n", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pelican_facts facts;
		struct err err;

		if (pelican_read_at(&facts, "/ns/x", cases[i].headers, &err) !=
		    cases[i].code)
			fail_msg("%s", cases[i].headers);
	}
}

/* Slashes at the end do not count, and "/" holds everything. */
static void a_namespace_holds_whole_parts(void **state)
{
	static const struct {
		const char *headers;
		const char *wanted;
	} cases[] = {
	    {"X-Pelican-Namespace: namespace=/ns//\r\n", "/ns"},
	    {"X-Pelican-Namespace: namespace=/ns/x\r\n", "/ns/x"},
	    {"X-Pelican-Namespace: namespace=/\r\n", "/"},
	    {"X-Pelican-Namespace: namespace=/// \r\n", "/"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pelican_facts facts;
		struct err err;

		assert_int_equal(
		    pelican_read_at(&facts, "/ns/x", cases[i].headers, &err),
		    0);
		assert_string_equal(facts.namespace_path, cases[i].wanted);
		pelican_facts_fini(&facts);
	}
}

static void interim_answers_do_not_count(void **state)
{
	struct pelican_facts facts;
	struct err err;

	(void)state;
	assert_int_equal(
	    pelican_read_at(&facts, "/ns/x",
	        "HTTP/1.1 103 Early Hints\r\nX-Pelican-Namespace: "
	        "namespace=/, require-token=false\r\nLink: <https://evil/>; "
	        "rel=duplicate\r\nX-Pelican-Authorization: x\r\n\r\n"
	        "HTTP/1.1 307 Temporary Redirect\r\n" PELICAN_NAMESPACE
	        "X-Pelican-Authorization: issuer=https://a\r\n\r\n",
	        &err),
	    0);
	assert_string_equal(facts.namespace_path, "/ns");
	assert_true(facts.token_required);
	assert_int_equal(facts.server_count, 0);
	assert_int_equal(facts.issuers.count, 1);
	assert_int_equal(facts.ignored.count, 0);
	pelican_facts_fini(&facts);
}

static void listings_need_a_plain_https_server(void **state)
{
	static const struct {
		const char *value;
		const char *wanted;
		unsigned ignored;
	} cases[] = {
	    {"https://o:8443", "https://o:8443/", 0},
	    {"https://o/base", "https://o/base", 0},
	    {"", NULL, 0},
	    {"http://o:8000", NULL, 1},
	    {"o:8443", NULL, 1},
	    {"/listings", NULL, 1},
	    {"https://u@o", NULL, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pelican_facts facts;
		struct buf text;
		struct err err;

		buf_init(&text, 1024);
		(void)buf_printf(&text,
		    "X-Pelican-Namespace: collections-url=%s, "
		    "namespace=/ns\r\n",
		    cases[i].value);
		assert_int_equal(
		    pelican_read_at(&facts, "/ns", buf_text(&text), &err), 0);
		if (cases[i].wanted == NULL)
			assert_null(facts.collections_url);
		else
			assert_string_equal(
			    facts.collections_url, cases[i].wanted);
		assert_int_equal(facts.ignored.count, cases[i].ignored);
		pelican_facts_fini(&facts);
		buf_fini(&text);
	}
}

static void headers_have_a_bound(void **state)
{
	(void)state;
	for (size_t extra = 0; extra <= 1; extra++) {
		struct pelican_facts facts;
		struct buf text;
		struct err err;

		buf_init(&text, 2 * PELICAN_HEADERS_BYTES_MAX);
		(void)buf_printf(&text, PELICAN_NAMESPACE "X-Long: ");
		while (text.size_bytes < PELICAN_HEADERS_BYTES_MAX + extra)
			(void)buf_append(&text, "x", 1);
		assert_int_equal(
		    pelican_read_at(&facts, "/ns/x", buf_text(&text), &err),
		    extra ? -EBADMSG : 0);
		pelican_facts_fini(&facts);
		buf_fini(&text);
	}
}

static int read_real(void *arg)
{
	struct pelican_facts facts;
	struct err err;
	int code =
	    pelican_read_at(&facts, "/ospool/ap40/data/u/f", real_answer, &err);

	(void)arg;
	pelican_facts_fini(&facts);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	assert_true(oom_each(read_real, NULL) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_directors_answer_is_read),
	    cmocka_unit_test(a_public_namespace_needs_no_token),
	    cmocka_unit_test(a_token_is_needed_unless_it_is_plainly_not),
	    cmocka_unit_test(an_answer_about_nothing_is_refused),
	    cmocka_unit_test(a_namespace_holds_whole_parts),
	    cmocka_unit_test(interim_answers_do_not_count),
	    cmocka_unit_test(listings_need_a_plain_https_server),
	    cmocka_unit_test(headers_have_a_bound),
	    cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
