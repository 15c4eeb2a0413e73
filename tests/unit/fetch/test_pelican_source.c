/* SPDX-License-Identifier: Apache-2.0 */
/* pelican:// and osdf:// as a source. */
#include "base/attr.h"
#include "fetch/fetch.h"
#include "fetch/pelican.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_federation_and_a_path_are_told_apart(void **state)
{
	static const struct {
		const char *url;
		const char *origin;
		const char *path;
	} rows[] = {
	    {"pelican://fed.example/ns", "pelican://fed.example", "/ns"},
	    {"PELICAN://Fed.Example:443/ns/a%20b/", "pelican://fed.example",
	        "/ns/a b"},
	    {"pelican://fed.example:8444/ns", "pelican://fed.example:8444",
	        "/ns"},
	    {"osdf:///ospool/ap40", "pelican://osg-htc.org", "/ospool/ap40"},
	    {"osdf://ospool/ap40", "pelican://osg-htc.org", "/ospool/ap40"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct fetch_source source;
		struct err err = ERR_INIT;

		assert_true(pelican_is_source(rows[i].url));
		assert_int_equal(
		    pelican_source_parse(&source, rows[i].url, &err), 0);
		assert_string_equal(source.origin, rows[i].origin);
		assert_string_equal(source.path, rows[i].path);
		assert_true(source.tls);
	}
	assert_false(pelican_is_source("https://fed.example/ns"));
	assert_false(pelican_is_source("pelican"));
}

static void what_names_no_namespace_is_refused(void **state)
{
	static const char *const urls[] = {"pelican://", "pelican:///ns",
	    "pelican://fed.example", "pelican://fed.example/", "osdf://",
	    "osdf:///", "pelican://ada:secret@fed.example/ns",
	    "pelican://fed.example/ns?directread", "pelican://fed.example/a//b",
	    "pelican://fed.example/../x", "pelican://fe d/ns", "osdf:////ns"};
	char url[2 * FETCH_URL_BYTES_MAX];
	struct fetch_source source;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
		err = (struct err)ERR_INIT;
		assert_int_equal(
		    pelican_source_parse(&source, urls[i], &err), -EINVAL);
		assert_null(strstr(err.text, "secret"));
	}
	memset(url, 'a', sizeof(url));
	memcpy(url, "pelican://f/", 12);
	url[sizeof(url) - 1] = '\0';
	assert_int_equal(pelican_source_parse(&source, url, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_federation_and_a_path_are_told_apart),
	    cmocka_unit_test(what_names_no_namespace_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
