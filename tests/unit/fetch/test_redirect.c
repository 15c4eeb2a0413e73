/* SPDX-License-Identifier: Apache-2.0 */
/* Where a redirect may lead, and whether the token may come along. */
#include "base/attr.h"
#include "fetch/calls/redirect.h"
#include "fetch/servers/server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A cache in front of the origin. */
static struct fetch_server servers[2];
static const char *const hosts[] = {"*.pool.example.org"};
static const struct redirect_rules rules = {.servers = servers,
    .server_count = 2,
    .tls = true,
    .hosts = hosts,
    .host_count = 1};

static int parse_source(void **state)
{
	struct err err;
	int code;

	(void)state;
	code = fetch_source_parse(
	    &servers[0].source, "https://cache.example.com:8443", false, &err);
	if (code == 0)
		code = fetch_source_parse(&servers[1].source,
		    "https://door.example.org/data", false, &err);
	return code;
}

struct look {
	int code;
	struct redirect redirect;
	char url[FETCH_URL_BYTES_MAX];
};

static struct look look_from(
    const char *base, const char *location, unsigned followed)
{
	struct look look = {.code = 0};
	struct buf url;
	struct err err = ERR_INIT;

	buf_init(&url, FETCH_URL_BYTES_MAX);
	look.code = redirect_look(&look.redirect, &url, &rules,
	    &(struct redirect_seen){base, location, followed}, &err);
	assert_int_equal(look.code, err.code);
	(void)strncpy(look.url, buf_text(&url), sizeof(look.url) - 1);
	buf_fini(&url);
	return look;
}

static struct look look_at(const char *location)
{
	return look_from("https://door.example.org/data/f", location, 0);
}

static void the_token_follows_only_to_the_origin_and_the_patterns(void **state)
{
	static const struct {
		const char *location;
		bool may;
	} table[] = {
	    {"https://door.example.org/x", true},
	    {"/x", true},
	    {"https://door.example.org:443/x", true},
	    {"https://door.example.org:8443/x", false},
	    {"https://cache.example.com:8443/x", true},
	    {"https://cache.example.com/x", false},
	    {"https://a.pool.example.org/x", true},
	    {"https://a.pool.example.org:2880/x", true},
	    {"https://pool.example.org/x", false},
	    {"https://evilpool.example.org/x", false},
	    {"https://a.pool.example.org.evil.org/x", false},
	    {"https://door.example.org.evil.org/x", false},
	    {"https://evil.org/door.example.org", false},
	    {"//evil.org/x", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		struct look look = look_at(table[i].location);

		assert_int_equal(look.code, 0);
		assert_int_equal(look.redirect.kind, REDIRECT_AWAY);
		assert_int_equal(look.redirect.token_may_go, table[i].may);
	}
}

static void authz_is_taken_out_and_the_rest_stays(void **state)
{
	struct look look = look_at("https://a.pool.example.org/f?uuid=7&"
	                           "authz=Bearer%20secret&x=1");

	(void)state;
	assert_int_equal(look.code, 0);
	assert_string_equal(
	    look.url, "https://a.pool.example.org/f?uuid=7&x=1");
}

static void https_is_not_left(void **state)
{
	(void)state;
	assert_int_equal(
	    look_at("http://door.example.org/x").code, -EPROTONOSUPPORT);
	assert_int_equal(
	    look_at("ftp://door.example.org/x").code, -EPROTONOSUPPORT);
	assert_int_equal(look_at("file:///etc/passwd").code, -EPROTONOSUPPORT);
}

static void what_is_no_address_is_refused(void **state)
{
	(void)state;
	assert_int_equal(look_at("").code, -EBADMSG);
	assert_true(look_at("https://").code < 0);
	assert_true(look_at("https://user:pw@door.example.org/x").code < 0);
	assert_true(look_at("https://a b/").code < 0);
}

static void five_are_followed(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 10; n++)
		assert_int_equal(
		    look_from("https://door.example.org/data/f", "/x", n).code,
		    n < REDIRECTS_MAX ? 0 : -ELOOP);
}

static void a_missing_slash_is_no_journey(void **state)
{
	static const char base[] = "https://door.example.org/data/a%20b";

	(void)state;
	assert_int_equal(
	    look_from(base, "https://door.example.org/data/a%20b/", 0)
	        .redirect.kind,
	    REDIRECT_SLASH);
	/* Behind a proxy that ends TLS: not followed, so not refused. */
	assert_int_equal(
	    look_from(base, "http://door.example.org:8080/data/a%20b/", 0)
	        .redirect.kind,
	    REDIRECT_SLASH);
	assert_int_equal(
	    look_from(base, "/data/a%20b/", 0).redirect.kind, REDIRECT_SLASH);
	assert_int_equal(
	    look_from(base, "https://other.example.org/data/a%20b/", 0)
	        .redirect.kind,
	    REDIRECT_AWAY);
	assert_int_equal(
	    look_from(base, "/data/a%20b/c/", 0).redirect.kind, REDIRECT_AWAY);
	assert_int_equal(
	    look_from(base, "/data/a%20b", 0).redirect.kind, REDIRECT_AWAY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
	        the_token_follows_only_to_the_origin_and_the_patterns),
	    cmocka_unit_test(authz_is_taken_out_and_the_rest_stays),
	    cmocka_unit_test(https_is_not_left),
	    cmocka_unit_test(what_is_no_address_is_refused),
	    cmocka_unit_test(five_are_followed),
	    cmocka_unit_test(a_missing_slash_is_no_journey),
	};

	return cmocka_run_group_tests(tests, parse_source, NULL);
}
