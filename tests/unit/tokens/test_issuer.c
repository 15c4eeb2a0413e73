/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/issuer.h: where an issuer's metadata is and what it must
 * say. */
#include "tests/unit/oom.h"
#include "tokens/verify/issuer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ISS "https://i.example/vo"

static void issuers_are_https_urls(void **state)
{
	static const struct {
		const char *issuer;
		int code;
	} rows[] = {
	    {"https://i.example", 0},
	    {"https://i.example/", 0},
	    {"https://i.example:8443/realms/vo", 0},
	    {"https://[::1]:8443/x", 0},
	    {"http://i.example", -EINVAL},
	    {"HTTPS://i.example", -EINVAL},
	    {"https:/i.example", -EINVAL},
	    {"https://", -EINVAL},
	    {"https:///x", -EINVAL},
	    {"https://:443", -EINVAL},
	    {"https://user@i.example", -EINVAL},
	    {"https://user:word@i.example/x", -EINVAL},
	    {"https://i.example?x", -EINVAL},
	    {"https://i.example/?x", -EINVAL},
	    {"https://i.example/#x", -EINVAL},
	    {"https://i.example/a b", -EINVAL},
	    {"https://i.example/a\nb", -EINVAL},
	    {"https://i.example/\xc3\xa9", -EINVAL},
	    {"https://i.example/\\x", -EINVAL},
	    {"file:///etc/passwd", -EINVAL},
	    {"", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct err err = ERR_INIT;

		if (issuer_check(rows[i].issuer, &err) != rows[i].code)
			fail_msg("%s", rows[i].issuer);
		assert_int_equal(err.code, rows[i].code);
	}
}

static void the_length_of_an_issuer_is_bounded(void **state)
{
	char issuer[ISSUER_BYTES_MAX + 2] = "https://i.example/";
	char url[ISSUER_URL_BYTES_MAX];
	struct err err = ERR_INIT;
	size_t n = strlen(issuer);

	(void)state;
	memset(issuer + n, 'a', ISSUER_BYTES_MAX + 1 - n);
	issuer[ISSUER_BYTES_MAX] = '\0';
	assert_int_equal(issuer_check(issuer, &err), 0);
	issuer_url(url, issuer, ISSUER_OPENID);
	assert_int_equal(strlen(url),
	    ISSUER_BYTES_MAX + strlen("/.well-known/openid-configuration"));
	issuer_url(url, issuer, ISSUER_OAUTH);
	assert_int_equal(strlen(url),
	    ISSUER_BYTES_MAX +
	        strlen("/.well-known/oauth-authorization-server"));
	issuer[ISSUER_BYTES_MAX] = 'a';
	issuer[ISSUER_BYTES_MAX + 1] = '\0';
	assert_int_equal(issuer_check(issuer, &err), -EINVAL);
}

static void metadata_is_looked_for_at_two_places(void **state)
{
	static const struct {
		const char *issuer;
		const char *openid;
		const char *oauth;
	} rows[] = {
	    {"https://i.example",
	        "https://i.example/.well-known/openid-configuration",
	        "https://i.example/.well-known/oauth-authorization-server"},
	    {"https://i.example/",
	        "https://i.example/.well-known/openid-configuration",
	        "https://i.example/.well-known/oauth-authorization-server"},
	    {"https://i.example:8443/a/b",
	        "https://i.example:8443/a/b/.well-known/openid-configuration",
	        "https://i.example:8443/.well-known/"
	        "oauth-authorization-server/a/b"},
	    {"https://i.example/a/",
	        "https://i.example/a/.well-known/openid-configuration",
	        "https://i.example/.well-known/oauth-authorization-server/a"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char url[ISSUER_URL_BYTES_MAX];

		issuer_url(url, rows[i].issuer, ISSUER_OPENID);
		assert_string_equal(url, rows[i].openid);
		issuer_url(url, rows[i].issuer, ISSUER_OAUTH);
		assert_string_equal(url, rows[i].oauth);
	}
}

static void metadata_must_be_the_issuers_own(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
	    {"{\"issuer\":\"" ISS "\",\"jwks_uri\":\"https://k.example/k\"}",
	        0},
	    {"{\"issuer\":\"" ISS "\",\"jwks_uri\":\"https://k.example/k?a=b\""
	     ",\"more\":[1]}\n",
	        0},
	    /* RFC 8414, section 3.3: identical. */
	    {"{\"issuer\":\"" ISS "/\",\"jwks_uri\":\"https://k.example/k\"}",
	        -EINVAL},
	    {"{\"issuer\":\"https://I.example/vo\",\"jwks_uri\":"
	     "\"https://k.example/k\"}",
	        -EINVAL},
	    {"{\"issuer\":\"https://evil.example\",\"jwks_uri\":"
	     "\"https://k.example/k\"}",
	        -EINVAL},
	    {"{\"issuer\":\"https://evil.example\",\"issuer\":\"" ISS
	     "\",\"jwks_uri\":\"https://k.example/k\"}",
	        -EINVAL},
	    {"{\"issuer\":[\"" ISS "\"],\"jwks_uri\":\"https://k.example/k\"}",
	        -EINVAL},
	    {"{\"jwks_uri\":\"https://k.example/k\"}", -EINVAL},
	    {"{\"issuer\":\"" ISS "\"}", -EINVAL},
	    {"{\"issuer\":\"" ISS "\",\"jwks_uri\":7}", -EINVAL},
	    {"{\"issuer\":\"" ISS "\",\"jwks_uri\":\"http://k.example/k\"}",
	        -EINVAL},
	    {"{\"issuer\":\"" ISS "\",\"jwks_uri\":\"file:///etc/passwd\"}",
	        -EINVAL},
	    {"{\"issuer\":\"" ISS "\",\"jwks_uri\":\"/relative\"}", -EINVAL},
	    {"{\"issuer\":\"" ISS
	     "\",\"jwks_uri\":\"https://u:p@k.example/k\"}",
	        -EINVAL},
	    {"{\"issuer\":\"" ISS
	     "\",\"jwks_uri\":\"https://k.example/\\r\\nX: y\"}",
	        -EINVAL},
	    {"<html>404</html>", -EINVAL},
	    {"", -EINVAL},
	    {"[]", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char uri[ISSUER_URL_BYTES_MAX];
		struct err err = ERR_INIT;
		int code = issuer_read(
		    uri, rows[i].text, strlen(rows[i].text), ISS, &err);

		if (code != rows[i].code)
			fail_msg("%s: %d", rows[i].text, code);
		if (code == 0)
			assert_int_equal(
			    strncmp(uri, "https://k.example/k", 19), 0);
		else
			assert_true(err.text[0] != '\0');
	}
}

static void a_long_place_of_keys_is_refused(void **state)
{
	char text[2 * ISSUER_URL_BYTES_MAX];
	char long_part[ISSUER_URL_BYTES_MAX];
	char uri[ISSUER_URL_BYTES_MAX];
	struct err err = ERR_INIT;

	(void)state;
	for (unsigned over = 0; over < 2; over++) {
		size_t n =
		    ISSUER_URL_BYTES_MAX - 1 - strlen("https://k/") + over;

		memset(long_part, 'a', n);
		long_part[n] = '\0';
		(void)snprintf(text, sizeof(text),
		    "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"https://k/%s\"}",
		    long_part);
		assert_int_equal(
		    issuer_read(uri, text, strlen(text), ISS, &err),
		    over ? -EINVAL : 0);
	}
}

/* A web of documents; anything else is a 404. */
struct page {
	const char *url;
	const char *text;
};

struct web {
	const struct page *pages;
	unsigned asked;
	char last[ISSUER_URL_BYTES_MAX];
};

static int browse(void *arg, const char *url, struct buf *out,
    struct tokens_document_facts *facts, struct err *err)
{
	struct web *web = arg;

	web->asked++;
	(void)snprintf(web->last, sizeof(web->last), "%s", url);
	for (const struct page *page = web->pages; page->url != NULL; page++) {
		if (strcmp(page->url, url) != 0)
			continue;
		facts->status = 200;
		facts->max_age_s = 77;
		return buf_append(out, page->text, strlen(page->text));
	}
	facts->status = 404;
	return err_set(err, -ENOENT, "HTTP 404");
}

#define OPENID_URL ISS "/.well-known/openid-configuration"
#define OAUTH_URL                                                  \
	"https://i.example/.well-known/oauth-authorization-server" \
	"/vo"
#define GOOD "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"https://k.example/k\"}"
#define ALIEN \
	"{\"issuer\":\"https://e.example\",\"jwks_uri\":\"https://k.example/k\"}"

static int walk(const struct page *pages, struct web *web, char text[64])
{
	const struct issuer_source source = {.document = browse, .arg = web};
	struct tokens_document_facts facts;
	struct err err = ERR_INIT;
	struct buf out;
	int code;

	*web = (struct web){.pages = pages};
	buf_init(&out, ISSUER_DOCUMENT_BYTES_MAX);
	code = issuer_fetch(&out, &facts, ISS, &source, &err);
	assert_int_equal(code, err.code);
	(void)snprintf(text, 64, "%s", buf_text(&out));
	if (code == 0)
		assert_int_equal(facts.max_age_s, 77);
	else
		assert_true(err.text[0] != '\0');
	buf_fini(&out);
	return code;
}

static void the_walk_leads_to_the_keys(void **state)
{
	static const struct page openid[] = {
	    {OPENID_URL, GOOD}, {"https://k.example/k", "KEYS"}, {NULL, NULL}};
	static const struct page oauth[] = {
	    {OAUTH_URL, GOOD}, {"https://k.example/k", "KEYS"}, {NULL, NULL}};
	static const struct page mended[] = {{OPENID_URL, ALIEN},
	    {OAUTH_URL, GOOD}, {"https://k.example/k", "KEYS"}, {NULL, NULL}};
	struct web web;
	char text[64];

	(void)state;
	assert_int_equal(walk(openid, &web, text), 0);
	assert_string_equal(text, "KEYS");
	assert_int_equal(web.asked, 2);
	assert_int_equal(walk(oauth, &web, text), 0);
	assert_string_equal(text, "KEYS");
	assert_int_equal(web.asked, 3);
	assert_int_equal(walk(mended, &web, text), 0);
	assert_string_equal(text, "KEYS");
}

static void the_walk_ends_where_a_document_is_wrong(void **state)
{
	static const struct page none[] = {{NULL, NULL}};
	static const struct page alien[] = {{OPENID_URL, ALIEN},
	    {OAUTH_URL, ALIEN}, {"https://k.example/k", "KEYS"}, {NULL, NULL}};
	static const struct page no_keys[] = {{OPENID_URL, GOOD}, {NULL, NULL}};
	struct web web;
	char text[64];

	(void)state;
	assert_int_equal(walk(none, &web, text), -ENOENT);
	assert_int_equal(web.asked, 2);
	assert_string_equal(web.last, OAUTH_URL);
	/* The keys of a liar are not even asked for. */
	assert_int_equal(walk(alien, &web, text), -EINVAL);
	assert_int_equal(web.asked, 2);
	assert_int_equal(walk(no_keys, &web, text), -ENOENT);
	assert_int_equal(web.asked, 2);
	assert_string_equal(web.last, "https://k.example/k");
}

static int run_walk(void *arg)
{
	static const struct page pages[] = {
	    {OPENID_URL, GOOD}, {"https://k.example/k", "KEYS"}, {NULL, NULL}};
	struct web web = {.pages = pages};
	const struct issuer_source source = {.document = browse, .arg = &web};
	struct tokens_document_facts facts;
	struct err err = ERR_INIT;
	struct buf out;
	int code;

	(void)arg;
	buf_init(&out, ISSUER_DOCUMENT_BYTES_MAX);
	code = issuer_fetch(&out, &facts, ISS, &source, &err);
	buf_fini(&out);
	return code;
}

static void every_failed_allocation_is_told(void **state)
{
	(void)state;
	assert_true(oom_each(run_walk, NULL) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(issuers_are_https_urls),
	    cmocka_unit_test(the_length_of_an_issuer_is_bounded),
	    cmocka_unit_test(metadata_is_looked_for_at_two_places),
	    cmocka_unit_test(metadata_must_be_the_issuers_own),
	    cmocka_unit_test(a_long_place_of_keys_is_refused),
	    cmocka_unit_test(the_walk_leads_to_the_keys),
	    cmocka_unit_test(the_walk_ends_where_a_document_is_wrong),
	    cmocka_unit_test(every_failed_allocation_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
