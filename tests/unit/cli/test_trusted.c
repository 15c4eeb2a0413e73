/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the client believes: by its options, or by a federation's word. */
#include "base/buf.h"
#include "base/clock.h"
#include "fetch/pelican.h"
#include "tokens/verify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options/options.h"
#include "cli/plan/trusted.h"

/* Options, a director's answer, and what comes of both. */
struct bed {
	struct options options;
	struct pelican_facts facts;
	struct trusted trusted;
	struct err why;
	enum trusted_by by;
};

/* `options` as for -o, `headers` of an answer about /ns/x. */
static void begin(struct bed *bed, const char *options, const char *headers)
{
	struct pelican_answer answer = {.url = "https://director.example/ns/x",
	    .path = "/ns/x",
	    .headers = headers,
	    .headers_bytes = strlen(headers)};

	*bed = (struct bed){.by = TRUSTED_BY_OPTIONS};
	assert_int_equal(options_init(&bed->options), 0);
	assert_int_equal(
	    options_parse(&bed->options, options, OPTIONS_OF_USER, &bed->why),
	    0);
	assert_int_equal(
	    pelican_facts_read(&bed->facts, &answer, &bed->why), 0);
	assert_int_equal(
	    trusted_init(&bed->trusted, &bed->options, true, &bed->why), 0);
	bed->by = trusted_ask_federation(&bed->trusted, &bed->facts, &bed->why);
	assert_true(
	    (bed->by == TRUSTED_BY_NOBODY) == (bed->why.text[0] != '\0'));
}

static void end(struct bed *bed)
{
	trusted_fini(&bed->trusted);
	pelican_facts_fini(&bed->facts);
	options_fini(&bed->options);
}

#define NS    "X-Pelican-Namespace: namespace=/ns, require-token=true\r\n"
#define AUTH  "X-Pelican-Authorization: "
#define RULES "X-Pelican-Token-Generation: "

/* Issuers with '|' between, and the base path. */
static void expect(const char *options, const char *headers, enum trusted_by by,
    const char *issuers, const char *base_path)
{
	struct bed bed;
	struct buf names;

	begin(&bed, options, headers);
	buf_init(&names, 65536);
	for (unsigned i = 0; i < bed.trusted.trust.issuer_count; i++)
		(void)buf_printf(&names, "%s%s", i > 0 ? "|" : "",
		    bed.trusted.trust.issuers[i]);
	if (bed.by != by || strcmp(buf_text(&names), issuers) != 0 ||
	    strcmp(bed.trusted.base_path, base_path) != 0)
		fail_msg("%s %s: by %d, '%s', '%s'", options, headers,
		    (int)bed.by, buf_text(&names), bed.trusted.base_path);
	buf_fini(&names);
	end(&bed);
}

static void one_issuer_with_its_base_path_is_believed(void **state)
{
	(void)state;
	expect("",
	    NS AUTH "issuer=https://a\r\n" RULES
	            "issuer=https://a, base-path=/ns\r\n",
	    TRUSTED_BY_FEDERATION, "https://a", "/ns");
	/* One above the namespace, one in it, and the root. */
	expect("",
	    "X-Pelican-Namespace: namespace=/ns/x\r\n" AUTH
	    "issuer=https://a\r\n" RULES "issuer=https://a, base-path=/ns\r\n",
	    TRUSTED_BY_FEDERATION, "https://a", "/ns");
	expect("",
	    NS AUTH "issuer=https://a\r\n" RULES
	            "issuer=https://a, base-path=/ns/x/y/\r\n",
	    TRUSTED_BY_FEDERATION, "https://a", "/ns/x/y");
	expect("",
	    NS AUTH "issuer=https://a\r\n" RULES
	            "issuer=https://a, base-path=/\r\n",
	    TRUSTED_BY_FEDERATION, "https://a", "/");
	/* The header that tells how to get a token names its issuer too. */
	expect("", NS RULES "issuer=https://a, base-path=/ns\r\n",
	    TRUSTED_BY_FEDERATION, "https://a", "/ns");
}

/* `iss` is compared byte by byte: with and without a slash are two. */
static void an_issuer_keeps_its_slash(void **state)
{
	(void)state;
	expect("",
	    NS AUTH "issuer=https://a.org/\r\n" RULES
	            "issuer=https://a.org/, base-path=/ns\r\n",
	    TRUSTED_BY_FEDERATION, "https://a.org/", "/ns");
	expect("",
	    NS AUTH "issuer=https://a.org/\r\n" RULES
	            "issuer=https://a.org, base-path=/ns\r\n",
	    TRUSTED_BY_NOBODY, "", "/ns");
}

static void several_issuers_need_the_same_base_path(void **state)
{
	(void)state;
	expect("",
	    NS AUTH "issuer=https://a, issuer=https://b\r\n" RULES
	            "issuer=https://b, issuer=https://a, issuer=https://c, "
	            "base-path=/ns\r\n",
	    TRUSTED_BY_FEDERATION, "https://a|https://b", "/ns");
	/* What b's scopes mean is not told. */
	expect("",
	    NS AUTH "issuer=https://a, issuer=https://b\r\n" RULES
	            "issuer=https://a, base-path=/ns\r\n",
	    TRUSTED_BY_NOBODY, "", "/ns");
}

static void a_base_path_is_never_guessed_for_grants(void **state)
{
	(void)state;
	/* None: an older director. The namespace is good for names. */
	expect("",
	    NS AUTH "issuer=https://a\r\n" RULES
	            "issuer=https://a, strategy=OAuth2\r\n",
	    TRUSTED_BY_NOBODY, "", "/ns");
	expect(
	    "", NS AUTH "issuer=https://a\r\n", TRUSTED_BY_NOBODY, "", "/ns");
	/* Several; one of another namespace, or of a neighbour. */
	expect("",
	    NS AUTH "issuer=https://a\r\n" RULES
	            "issuer=https://a, base-path=/ns, base-path=/\r\n",
	    TRUSTED_BY_NOBODY, "", "/ns");
	expect("",
	    NS AUTH "issuer=https://a\r\n" RULES
	            "issuer=https://a, base-path=/other\r\n",
	    TRUSTED_BY_NOBODY, "", "/ns");
	expect("",
	    NS AUTH "issuer=https://a\r\n" RULES
	            "issuer=https://a, base-path=/n\r\n",
	    TRUSTED_BY_NOBODY, "", "/ns");
}

static void without_issuers_nothing_is_verified(void **state)
{
	(void)state;
	expect("", NS, TRUSTED_BY_NOBODY, "", "/ns");
	expect("", NS RULES "base-path=/\r\n", TRUSTED_BY_NOBODY, "", "/");
	/* A list with one that is unusable is not used. */
	expect("",
	    NS AUTH "issuer=https://a, issuer=http://b\r\n" RULES
	            "issuer=https://a, base-path=/\r\n",
	    TRUSTED_BY_NOBODY, "", "/ns");
	/* Who needs no token is not refused for having one. */
	expect("",
	    "X-Pelican-Namespace: namespace=/ns, require-token=false\r\n" AUTH
	    "issuer=https://a\r\n" RULES "issuer=https://a, base-path=/\r\n",
	    TRUSTED_BY_NOBODY, "", "/");
}

static void each_reason_has_its_cure(void **state)
{
	static const struct {
		const char *headers;
		const char *why;
	} cases[] = {
	    {NS, "names no issuer; set issuer and base_path"},
	    {NS AUTH "issuer=https://a\r\n", "mean; set base_path"},
	    {"X-Pelican-Namespace: namespace=/ns, require-token=false\r\n",
	        "'/ns' none is needed"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct bed bed;

		begin(&bed, "", cases[i].headers);
		assert_non_null(strstr(bed.why.text, cases[i].why));
		end(&bed);
	}
}

static void options_come_first(void **state)
{
	static const char both[] =
	    NS AUTH "issuer=https://a, issuer=https://b\r\n" RULES
	            "issuer=https://a, base-path=/ns\r\n";

	(void)state;
	expect("issuer=https://own;https://two,base_path=/own", both,
	    TRUSTED_BY_OPTIONS, "https://own|https://two", "/own");
	/* The base path is that of the issuers that the director knows. */
	expect(
	    "issuer=https://a", both, TRUSTED_BY_OPTIONS, "https://a", "/ns");
	expect("issuer=https://b", both, TRUSTED_BY_OPTIONS, "https://b", "/");
	expect("issuer=https://a;https://b", both, TRUSTED_BY_OPTIONS,
	    "https://a|https://b", "/");
	expect("jwks=/k", both, TRUSTED_BY_OPTIONS, "", "/");
	/* With the base path given the issuers are the federation's. */
	expect("base_path=/own", both, TRUSTED_BY_FEDERATION,
	    "https://a|https://b", "/own");
	expect("base_path=/own", NS, TRUSTED_BY_NOBODY, "", "/own");
}

static void what_is_taken_is_taken_by_tokens_too(void **state)
{
	AUTO(tokens_verifier) verifier = NULL;
	struct bed bed;
	struct tokens_verifier_config config = {
	    .clock = clock_system(), .trust = &bed.trusted.trust};

	(void)state;
	begin(&bed, "",
	    NS AUTH
	    "issuer=https://a.org:8443/x%20y/, issuer=https://[::1]\r\n" RULES
	    "issuer=https://a.org:8443/x%20y/, issuer=https://[::1], "
	    "base-path=/ns\r\n");
	assert_int_equal(bed.by, TRUSTED_BY_FEDERATION);
	config.base_path = bed.trusted.base_path;
	assert_int_equal(tokens_verifier_new(&verifier, &config, &bed.why), 0);
	end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_issuer_with_its_base_path_is_believed),
	    cmocka_unit_test(an_issuer_keeps_its_slash),
	    cmocka_unit_test(several_issuers_need_the_same_base_path),
	    cmocka_unit_test(a_base_path_is_never_guessed_for_grants),
	    cmocka_unit_test(without_issuers_nothing_is_verified),
	    cmocka_unit_test(each_reason_has_its_cure),
	    cmocka_unit_test(options_come_first),
	    cmocka_unit_test(what_is_taken_is_taken_by_tokens_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
