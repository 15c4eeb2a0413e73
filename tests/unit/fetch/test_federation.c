/* SPDX-License-Identifier: Apache-2.0 */
/* The discovery document of a Pelican federation. */
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

/* OSDF's, with the members of newer directors. */
static const char real_document[] =
    "{\n"
    "  \"director_endpoint\": \"https://osdf-director.osg-htc.org\",\n"
    "  \"namespace_registration_endpoint\": "
    "\"https://osdf-registry.osg-htc.org\",\n"
    "  \"broker_endpoint\": \"\",\n"
    "  \"discovery_endpoint\": \"https://osg-htc.org\",\n"
    "  \"director_advertise_endpoints\": "
    "[\"https://d0.example:8444\", \"https://d1.example:8444/\"],\n"
    "  \"jwks_uri\": \"https://osg-htc.org/osdf/public_signing_key.jwks\"\n"
    "}\n";

static int read_text(struct pelican_federation *out, const char *text)
{
	struct err err = ERR_INIT;
	int code = pelican_federation_read(out, text, strlen(text), &err);

	assert_int_equal(err.code, code);
	assert_true((code < 0) == (err.text[0] != '\0'));
	if (code < 0)
		assert_true(out->director_url == NULL &&
		    out->jwks_url == NULL && out->director_count == 0);
	return code;
}

static void a_document_is_read(void **state)
{
	struct pelican_federation federation;

	(void)state;
	assert_int_equal(read_text(&federation, real_document), 0);
	assert_string_equal(
	    federation.director_url, "https://osdf-director.osg-htc.org");
	assert_string_equal(
	    federation.registry_url, "https://osdf-registry.osg-htc.org");
	assert_string_equal(federation.jwks_url,
	    "https://osg-htc.org/osdf/public_signing_key.jwks");
	assert_int_equal(federation.director_count, 2);
	assert_string_equal(federation.directors[0], "https://d0.example:8444");
	assert_string_equal(federation.directors[1], "https://d1.example:8444");
	assert_int_equal(federation.ignored.count, 0);
	pelican_federation_fini(&federation);
}

/* director|registry|jwks|directors... of a document; "!" when it is
 * refused. */
static void expect(const char *text, const char *wanted, unsigned ignored)
{
	struct pelican_federation federation;
	struct buf told;
	int code = read_text(&federation, text);

	buf_init(&told, 65536);
	if (code == 0) {
		(void)buf_printf(&told, "%s|%s|%s",
		    federation.director_url != NULL ? federation.director_url
		                                    : "",
		    federation.registry_url != NULL ? federation.registry_url
		                                    : "",
		    federation.jwks_url != NULL ? federation.jwks_url : "");
		for (unsigned i = 0; i < federation.director_count; i++)
			(void)buf_printf(&told, "|%s", federation.directors[i]);
	} else {
		assert_int_equal(code, -EBADMSG);
		(void)buf_printf(&told, "!");
	}
	if (strcmp(buf_text(&told), wanted) != 0 ||
	    federation.ignored.count != ignored)
		fail_msg("%s: '%s', %u", text, buf_text(&told),
		    federation.ignored.count);
	buf_fini(&told);
	pelican_federation_fini(&federation);
}

#define D "\"director_endpoint\""
#define J "\"jwks_uri\""
#define L "\"director_advertise_endpoints\""

static void members_are_read_as_written(void **state)
{
	(void)state;
	/* A standalone origin has no director. */
	expect("{}", "||", 0);
	expect("{" D ":\"\"," J ":null}", "||", 0);
	expect("{" D ":null}", "||", 0);
	expect("{" D ":\"https:\\/\\/d/\\u0061//\"}", "https://d/a||", 0);
	expect("{\"x\":{" D ":\"https://evil\"},\"y\":[1,{" J ":2}]," D
	       ":\"https://d\"}",
	    "https://d||", 0);
	expect("{" L ":[]}", "||", 0);
	expect("{" L ":[\"https://a\",null,\"\",\"https://b\"]}",
	    "|||https://a|https://b", 0);
	/* Names are whole, and letters' case counts. */
	expect("{\"Director_endpoint\":\"https://d\","
	       "\"director_endpoint2\":\"https://d\"}",
	    "||", 0);
}

static void what_cannot_be_used_is_passed_over(void **state)
{
	(void)state;
	expect("{" J ":\"http://k\"}", "||", 1);
	expect("{" J ":\"https://u:p@k\"}", "||", 1);
	expect("{" J ":\"https://k:0\"}", "||", 1);
	expect("{" J ":\"/keys\"}", "||", 1);
	expect("{" J ":\"https://k?q\"}", "||", 1);
	expect("{" J ":\"https://k\\u0000\"}", "||", 1);
	expect("{" J ":true}", "||", 1);
	expect("{" J ":{\"a\":\"https://k\"}}", "||", 1);
	expect("{" J ":[\"https://k\"],\"x\":\"y\"}", "||", 1);
	expect("{" L ":\"https://a\"}", "||", 1);
	expect("{" L ":{\"a\":\"https://a\"}}", "||", 1);
	expect("{" L ":[\"http://a\",1,\"https://b\"]}", "|||https://b", 2);
	expect("{" L ":[\"https://a\",[\"https://b\"],\"https://c\"]}",
	    "|||https://a", 1);
}

static void what_is_no_such_document_is_refused(void **state)
{
	static const char *const texts[] = {
	    "",
	    " ",
	    "[]",
	    "[{" D ":\"https://d\"}]",
	    "\"https://d\"",
	    "{" D ":\"https://d\"",
	    "{" D ":\"https://d\"} x",
	    "{" D ":https://d}",
	    "{" D ":\"http://d\"}",
	    "{" D ":\"d.example\"}",
	    "{" D ":\"https://u@d\"}",
	    "{" D ":\"https://d?x\"}",
	    "{" D ":\"https://d:70000\"}",
	    "{" D ":\"https://\"}",
	    "{" D ":1}",
	    "{" D ":[\"https://d\"]}",
	    "{" D ":{}}",
	    "{" D ":\"https://d\"," D ":\"https://d\"}",
	    "{" J ":\"https://k\"," J ":null}",
	    "<html>",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		expect(texts[i], "!", 0);
}

static void a_refusal_names_the_member(void **state)
{
	struct pelican_federation federation;
	const char *text = "{" D ":\"http://u:secret@d\"}";
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
	    pelican_federation_read(&federation, text, strlen(text), &err),
	    -EBADMSG);
	assert_string_equal(err.text,
	    "federation: its pelican-configuration has no https URL as "
	    "'director_endpoint'; see that the name is that of a Pelican "
	    "federation");
}

static void bounds_hold(void **state)
{
	struct pelican_federation federation;
	struct buf text;

	(void)state;
	for (unsigned extra = 0; extra <= 1; extra++) {
		buf_init(&text, 2 * PELICAN_DOCUMENT_BYTES_MAX);
		(void)buf_printf(&text, "{" L ":[\"https://d0\"");
		for (unsigned i = 1; i < PELICAN_DIRECTORS_MAX + extra; i++)
			(void)buf_printf(&text, ",\"https://d%u\"", i);
		(void)buf_printf(&text, "]}");
		assert_int_equal(read_text(&federation, buf_text(&text)), 0);
		assert_int_equal(
		    federation.director_count, PELICAN_DIRECTORS_MAX);
		assert_int_equal(federation.ignored.count, extra);
		pelican_federation_fini(&federation);

		while (text.size_bytes < PELICAN_DOCUMENT_BYTES_MAX + extra)
			(void)buf_append(&text, " ", 1);
		assert_int_equal(read_text(&federation, buf_text(&text)),
		    extra ? -EBADMSG : 0);
		pelican_federation_fini(&federation);
		buf_fini(&text);
	}
}

static int read_real(void *arg)
{
	struct pelican_federation federation;
	int code = read_text(&federation, real_document);

	(void)arg;
	pelican_federation_fini(&federation);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	assert_true(oom_each(read_real, NULL) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_document_is_read),
	    cmocka_unit_test(members_are_read_as_written),
	    cmocka_unit_test(what_cannot_be_used_is_passed_over),
	    cmocka_unit_test(what_is_no_such_document_is_refused),
	    cmocka_unit_test(a_refusal_names_the_member),
	    cmocka_unit_test(bounds_hold),
	    cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
