/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: sources that people type, redirects that servers send. */
#include "base/err.h"
#include "base/path.h"
#include "fetch/source.h"
#include "tests/unit/oom.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_source_becomes_origin_and_path(void **state)
{
	static const struct {
		const char *url;
		const char *origin;
		const char *host;
		const char *path;
	} cases[] = {
	    {"https://h", "https://h", "h", "/"},
	    {"https://h/", "https://h", "h", "/"},
	    {"https://h//", "https://h", "h", "/"},
	    {"HTTPS://Origin.Example.ORG/Ligo/", "https://origin.example.org",
	        "origin.example.org", "/Ligo"},
	    {"https://h:443/a/b", "https://h", "h", "/a/b"},
	    {"https://h:/a", "https://h", "h", "/a"},
	    {"https://h:8443/a", "https://h:8443", "h", "/a"},
	    {"https://h:80/a", "https://h:80", "h", "/a"},
	    {"https://127.0.0.1:1/a", "https://127.0.0.1:1", "127.0.0.1", "/a"},
	    {"https://[::1]:8443/a", "https://[::1]:8443", "::1", "/a"},
	    {"https://[2001:DB8::1]/", "https://[2001:db8::1]", "2001:db8::1",
	        "/"},
	    {"https://h/a%20b/100%25", "https://h", "h", "/a b/100%"},
	    {"https://h/a b/\303\274", "https://h", "h", "/a b/\303\274"},
	    {"https://h/100%", "https://h", "h", "/100%"},
	    {"https://h/q%3Fx%23y", "https://h", "h", "/q?x#y"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct fetch_source source;
		struct err err = ERR_INIT;

		assert_int_equal(
		    fetch_source_parse(&source, cases[i].url, false, &err), 0);
		assert_string_equal(source.origin, cases[i].origin);
		assert_string_equal(source.host, cases[i].host);
		assert_string_equal(source.path, cases[i].path);
		assert_true(source.tls);
		assert_true(path_is_normal(source.path));
	}
}

static void a_source_that_is_none_is_refused(void **state)
{
	static const struct {
		const char *url;
		int code;
	} cases[] = {
	    {"", -EINVAL},
	    {"h/a", -EINVAL},
	    {"/a", -EINVAL},
	    {"https:/h", -EINVAL},
	    {"https://", -EINVAL},
	    {"https:///a", -EINVAL},
	    {"https://:443/a", -EINVAL},
	    {"https://h:0/a", -EINVAL},
	    {"https://h:65536/a", -EINVAL},
	    {"https://h:-1/a", -EINVAL},
	    {"https://h:4x/a", -EINVAL},
	    {"https://user@h/a", -EINVAL},
	    {"https://user:secret@h/a", -EINVAL},
	    {"https://h/a?b", -EINVAL},
	    {"https://h/a#b", -EINVAL},
	    {"https://h?b", -EINVAL},
	    {"https://h/a//b", -EINVAL},
	    {"https://h/a/../b", -EINVAL},
	    {"https://h/./b", -EINVAL},
	    {"https://h/%2e%2e/b", -EINVAL},
	    {"https://h/a%2Fb", -EINVAL},
	    {"https://h/a%00b", -EINVAL},
	    {"https://h/a\nb", -EINVAL},
	    {"https://h\\@evil/a", -EINVAL},
	    {"https://h evil/a", -EINVAL},
	    {"https://[::1/a", -EINVAL},
	    {"https://[::1]x/a", -EINVAL},
	    {"https://[]/a", -EINVAL},
	    {"https://h\303\244/a", -EINVAL},
	    {"ftp://h/a", -EPROTONOSUPPORT},
	    {"file:///etc", -EPROTONOSUPPORT},
	    {"http://h/a", -EPROTONOSUPPORT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct fetch_source source;
		struct err err = ERR_INIT;

		assert_int_equal(
		    fetch_source_parse(&source, cases[i].url, false, &err),
		    cases[i].code);
		assert_int_equal(err.code, cases[i].code);
		assert_null(strstr(err.text, "secret"));
	}
}

static void http_is_allowed_on_demand_alone(void **state)
{
	struct fetch_source source;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
	    fetch_source_parse(&source, "http://h:80/a", true, &err), 0);
	assert_string_equal(source.origin, "http://h");
	assert_false(source.tls);
}

static void long_sources_end_at_their_bounds(void **state)
{
	struct fetch_source source;
	struct err err = ERR_INIT;
	char url[6000] = "https://";

	(void)state;
	memset(url + 8, 'a', 255);
	url[8 + 255] = '\0';
	assert_int_equal(fetch_source_parse(&source, url, false, &err), 0);
	assert_int_equal(strlen(source.host), 255);
	url[8 + 255] = 'a';
	url[8 + 256] = '\0';
	assert_int_equal(
	    fetch_source_parse(&source, url, false, &err), -EINVAL);
	for (unsigned n = 4094; n <= 4097; n++) {
		memcpy(url, "https://h/", 10);
		for (unsigned i = 0; i + 1 < n; i++)
			url[10 + i] = i % 200 == 199 ? '/' : 'a';
		url[10 + n - 1] = '\0';
		assert_int_equal(fetch_source_parse(&source, url, false, &err),
		    n < PATH_BYTES_MAX ? 0 : -EINVAL);
	}
}

static void a_url_is_origin_and_encoded_path(void **state)
{
	struct fetch_source source;
	struct err err = ERR_INIT;
	struct buf url;

	(void)state;
	assert_int_equal(
	    fetch_source_parse(&source, "https://h:1/x", false, &err), 0);
	buf_init(&url, FETCH_URL_BYTES_MAX);
	assert_int_equal(source_url(&url, &source, "/", true), 0);
	assert_string_equal(buf_text(&url), "https://h:1/");
	buf_clear(&url);
	assert_int_equal(
	    source_url(&url, &source, "/x/a b?#%\303\274;&+", false), 0);
	assert_string_equal(
	    buf_text(&url), "https://h:1/x/a%20b%3F%23%25%C3%BC%3B%26%2B");
	buf_clear(&url);
	assert_int_equal(source_url(&url, &source, "/x", true), 0);
	assert_string_equal(buf_text(&url), "https://h:1/x/");
	buf_fini(&url);
	buf_init(&url, 10);
	assert_int_equal(source_url(&url, &source, "/x", true), -EMSGSIZE);
	buf_fini(&url);
}

/* Whatever a source's path is, its URL leads back to it. */
static void a_url_parses_to_the_path_it_was_made_from(void **state)
{
	struct fetch_source source = {.origin = "https://h"};
	struct fetch_source back;
	struct err err = ERR_INIT;

	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		char path[] = {
		    '/', 'a', (char)byte, 'b', '/', (char)byte, '\0'};
		struct buf url;

		if (byte == '/' || byte == '.')
			continue;
		buf_init(&url, FETCH_URL_BYTES_MAX);
		assert_int_equal(source_url(&url, &source, path, false), 0);
		assert_int_equal(
		    fetch_source_parse(&back, buf_text(&url), false, &err), 0);
		assert_string_equal(back.path, path);
		buf_fini(&url);
	}
}

static const char base[] = "https://h.example:1/d/e/f?q=1";

static void a_location_is_resolved_and_cleaned(void **state)
{
	static const struct {
		const char *location;
		const char *wanted; /* NULL: refused */
		int code;
	} cases[] = {
	    {"https://pool.example:2/x", "https://pool.example:2/x", 0},
	    {"https://pool.example/x?a=1&authz=Bearer%20t&b=2",
	        "https://pool.example/x?a=1&b=2", 0},
	    {"https://pool.example/x?authz=t", "https://pool.example/x", 0},
	    {"https://pool.example/x?AUTHZ=t&c", "https://pool.example/x?c", 0},
	    {"https://pool.example/x?a=1&&b", "https://pool.example/x?a=1&b",
	        0},
	    {"https://pool.example/x?dcache-http-uuid=1-2#frag",
	        "https://pool.example/x?dcache-http-uuid=1-2", 0},
	    {"/g", "https://h.example:1/g", 0},
	    {"g", "https://h.example:1/d/e/g", 0},
	    {"../g", "https://h.example:1/d/g", 0},
	    {"//other.example/g", "https://other.example/g", 0},
	    {"?x=2", "https://h.example:1/d/e/f?x=2", 0},
	    {"/a%2Fb%3Fc", "https://h.example:1/a%2Fb%3Fc", 0},
	    {"http://h/x", "http://h/x", 0}, /* told apart by the host */
	    {"", NULL, -EBADMSG},
	    {"https://user@h/x", NULL, -EBADMSG},
	    {"https://user:pw@h/x", NULL, -EBADMSG},
	    {"https://h\\@evil/x", NULL, -EBADMSG},
	    {"https://h/x\r\nSet-Cookie: a", NULL, -EBADMSG},
	    {"https://h/a b", NULL, -EBADMSG},
	    {"https://h:99999/x", NULL, -EBADMSG},
	    {"https:///x", NULL, -EBADMSG},
	    {"https:g", NULL, -EBADMSG},
	    {"ftp://h/x", NULL, -EPROTONOSUPPORT},
	    {"file:///etc/passwd", NULL, -EPROTONOSUPPORT},
	    {"javascript:alert(1)", NULL, -EPROTONOSUPPORT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct buf out;

		buf_init(&out, FETCH_URL_BYTES_MAX);
		assert_int_equal(source_resolve(&out, base, cases[i].location),
		    cases[i].code);
		if (cases[i].wanted != NULL)
			assert_string_equal(buf_text(&out), cases[i].wanted);
		buf_fini(&out);
	}
}

static void a_location_that_is_too_long_is_refused(void **state)
{
	static char location[FETCH_URL_BYTES_MAX + 8];
	struct buf out;

	(void)state;
	memset(location, 'a', sizeof(location) - 1);
	memcpy(location, "https://h/", 10);
	buf_init(&out, FETCH_URL_BYTES_MAX);
	location[FETCH_URL_BYTES_MAX] = '\0';
	assert_int_equal(source_resolve(&out, base, location), -EBADMSG);
	location[FETCH_URL_BYTES_MAX - 1] = '\0';
	assert_int_equal(source_resolve(&out, base, location), 0);
	buf_fini(&out);
}

static bool matches(const char *pattern, const char *url)
{
	struct source_host host;

	assert_int_equal(source_host_of(&host, url), 0);
	return source_pattern_matches(pattern, &host);
}

static void a_pattern_means_what_it_says(void **state)
{
	(void)state;
	assert_true(matches("h.example", "https://h.example/x"));
	assert_true(matches("H.Example", "https://h.EXAMPLE:77/x"));
	assert_true(matches("h.example:77", "https://h.example:77/x"));
	assert_true(matches("h.example:443", "https://h.example/x"));
	assert_true(matches("*.pool.example", "https://a.pool.example/"));
	assert_true(matches("*.pool.example", "https://a.b.pool.example/"));
	assert_true(matches("*.pool.example:1", "https://a.pool.example:1/"));
	assert_true(matches("[::1]", "https://[::1]:5/"));
	assert_true(matches("[::1]:5", "https://[::1]:5/"));

	assert_false(matches("h.example:77", "https://h.example/x"));
	assert_false(matches("*.pool.example", "https://pool.example/"));
	assert_false(matches("*.pool.example", "https://.pool.example/"));
	assert_false(matches("*.pool.example", "https://xpool.example/"));
	assert_false(matches("*.pool.example", "https://a.pool.example.evil/"));
	assert_false(matches("*.pool.example:1", "https://a.pool.example:2/"));
	assert_false(matches("h.example", "https://xh.example/"));
	assert_false(matches("h.example", "https://h.example.evil/"));
	assert_false(matches("h.example", "https://h.exampl/"));
	assert_false(matches("*.org", "https://a.org/"));
	assert_false(matches("*", "https://h.example/"));
	assert_false(matches("", "https://h.example/"));
}

static void a_bad_pattern_is_told(void **state)
{
	static const char *const bad[] = {"", "*", "*.", "*.org", "*.a.",
	    "*..a", "a b", "https://a", "a/b", "a:0", "a:b", "a*b", "*.*.a",
	    "[::1", "*.[::1]"};
	static const char *const good[] = {"a", "a.b", "a.b:1", "*.a.b",
	    "*.a.b:1", "[::1]", "[::1]:1", "127.0.0.1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(source_pattern_ok(bad[i]));
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		assert_true(source_pattern_ok(good[i]));
}

static bool may_go(const char *url)
{
	static const char *const patterns[] = {"*.pool.example", "door:8"};
	struct fetch_source source;
	struct source_host host;
	struct err err = ERR_INIT;

	assert_int_equal(
	    fetch_source_parse(&source, "https://h.example/d", false, &err), 0);
	assert_int_equal(source_host_of(&host, url), 0);
	return source_token_may_go(&source, patterns, 2, &host);
}

static void a_token_goes_to_named_hosts_over_tls_alone(void **state)
{
	(void)state;
	assert_true(may_go("https://h.example/elsewhere"));
	assert_true(may_go("https://h.example:443/"));
	assert_true(may_go("https://a.pool.example:20000/"));
	assert_true(may_go("https://door:8/"));
	assert_false(may_go("http://h.example/elsewhere"));
	assert_false(may_go("http://a.pool.example/"));
	assert_false(may_go("https://h.example:8443/"));
	assert_false(may_go("https://door:9/"));
	assert_false(may_go("https://evil/"));
	assert_false(may_go("https://h.example.evil/"));
}

static int resolve(void *arg)
{
	struct buf out;
	int code;

	(void)arg;
	buf_init(&out, FETCH_URL_BYTES_MAX);
	code = source_resolve(&out, base, "/x?a=1&b=2");
	buf_fini(&out);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	assert_true(oom_each(resolve, NULL) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_source_becomes_origin_and_path),
	    cmocka_unit_test(a_source_that_is_none_is_refused),
	    cmocka_unit_test(http_is_allowed_on_demand_alone),
	    cmocka_unit_test(long_sources_end_at_their_bounds),
	    cmocka_unit_test(a_url_is_origin_and_encoded_path),
	    cmocka_unit_test(a_url_parses_to_the_path_it_was_made_from),
	    cmocka_unit_test(a_location_is_resolved_and_cleaned),
	    cmocka_unit_test(a_location_that_is_too_long_is_refused),
	    cmocka_unit_test(a_pattern_means_what_it_says),
	    cmocka_unit_test(a_bad_pattern_is_told),
	    cmocka_unit_test(a_token_goes_to_named_hosts_over_tls_alone),
	    cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
