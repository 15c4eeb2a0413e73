/* SPDX-License-Identifier: Apache-2.0 */
/* Index pages of real servers, and pages that only look like one. */
#include "base/err.h"
#include "fetch/answers/index.h"
#include "tests/unit/fetch/answers.h"
#include "tests/unit/fetch/listing.h"
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

static struct index_parser *begin(struct listing *listing,
    enum index_format format, const char *path, bool raw)
{
	struct index_target target = {listing, listing_entry};
	struct index_parser *parser = NULL;
	struct fetch_source source;
	struct err err = ERR_INIT;

	listing_init(listing);
	assert_int_equal(
	    fetch_source_parse(&source, "https://h:8443/", false, &err), 0);
	assert_int_equal(
	    index_parser_new(&parser, format, &source, path, raw, &target), 0);
	return parser;
}

static int feed_all(struct index_parser *parser, const char *text)
{
	struct err err = ERR_INIT;
	int code = index_parser_feed(parser, text, strlen(text), &err);
	int last = index_parser_end(parser, &err);

	if (code < 0)
		assert_int_equal(last, code); /* a failure stays */
	if (last < 0)
		assert_int_equal(err.code, last);
	return last;
}

static void expect(enum index_format format, const char *path, bool raw,
    const char *text, const char *wanted)
{
	struct listing listing;
	struct index_parser *parser = begin(&listing, format, path, raw);

	assert_int_equal(feed_all(parser, text), 0);
	assert_string_equal(buf_text(&listing.text), wanted);
	index_parser_free(parser);
	listing_fini(&listing);
}

static const char nginx_wanted[] = "dir \303\274 d ~ 0 -1\n"
                                   "sub d ~ 0 -1\n"
                                   "100%25 f ~ 0 -1\n"
                                   "a:b f ~ 0 -1\n"
                                   "ctl\001x f ~ 0 -1\n"
                                   "lat\351in f ~ 0 -1\n"
                                   "new\nline f ~ 0 -1\n"
                                   "plain.txt f ~ 0 -1\n"
                                   "q?uest#frag f ~ 0 -1\n"
                                   "quo\"te'>s; f ~ 0 -1\n"
                                   "sp ace+\303\274&<.txt f ~ 0 -1\n"
                                   "tab\there f ~ 0 -1\n";

static const char json_wanted[] = "dir \303\274 d ~ 0 1795918298\n"
                                  "sub d ~ 0 1795918298\n"
                                  "100%25 f ~ 1 1795918298\n"
                                  "a:b f ~ 1 1795918298\n"
                                  "ctl\001x f ~ 1 1795918298\n"
                                  "lat\351in f ~ 1 1795918298\n"
                                  "new\nline f ~ 1 1795918298\n"
                                  "plain.txt f ~ 5 1795918298\n"
                                  "q?uest#frag f ~ 1 1795918298\n"
                                  "quo\"te'>s; f ~ 1 1795918298\n"
                                  "sp ace+\303\274&<.txt f ~ 1 1795918298\n"
                                  "tab\there f ~ 1 1795918298\n";

static const char xrootd_wanted[] = "q?uest#frag f ~ 0 -1\n"
                                    "dir \303\274 d ~ 0 -1\n"
                                    "quo\"te'>s; f ~ 0 -1\n"
                                    "100%25 f ~ 0 -1\n"
                                    "lat\351in f ~ 0 -1\n"
                                    "sp ace+\303\274&<.txt f ~ 0 -1\n"
                                    "sub d ~ 0 -1\n"
                                    "cr\rx f ~ 0 -1\n"
                                    "plain.txt f ~ 0 -1\n"
                                    "tab\there f ~ 0 -1\n"
                                    "ctl\001x f ~ 0 -1\n";

static void reads_nginx(void **state)
{
	(void)state;
	expect(INDEX_HTML, "/", false, answer_nginx_html, nginx_wanted);
}

static void reads_nginx_json(void **state)
{
	(void)state;
	expect(INDEX_JSON, "/", false, answer_nginx_json, json_wanted);
}

static void reads_xrootd_with_raw_names(void **state)
{
	(void)state;
	expect(
	    INDEX_HTML, "/exp/alice", true, answer_xrootd_html, xrootd_wanted);
}

static void reads_apache(void **state)
{
	(void)state;
	expect(INDEX_HTML, "/", false, answer_apache_html,
	    "100%25 f ~ 0 -1\n"
	    "a:b f ~ 0 -1\n"
	    "ctl\001x f ~ 0 -1\n"
	    "dir \303\274 d ~ 0 -1\n"
	    "lat\351in f ~ 0 -1\n"
	    "plain.txt f ~ 0 -1\n"
	    "q?uest#frag f ~ 0 -1\n"
	    "quo\"te'>s; f ~ 0 -1\n"
	    "sp ace+\303\274&<.txt f ~ 0 -1\n"
	    "sub d ~ 0 -1\n");
}

/* It writes "lat\xe9in" as an encoded lone surrogate, which it takes back. */
static void reads_python(void **state)
{
	(void)state;
	expect(INDEX_HTML, "/", false, answer_python_html,
	    "100%25 f ~ 0 -1\n"
	    "a:b f ~ 0 -1\n"
	    "ctl\001x f ~ 0 -1\n"
	    "dir \303\274 d ~ 0 -1\n"
	    "lat\355\263\251in f ~ 0 -1\n"
	    "new\nline f ~ 0 -1\n"
	    "plain.txt f ~ 0 -1\n"
	    "q?uest#frag f ~ 0 -1\n"
	    "quo\"te'>s; f ~ 0 -1\n"
	    "sp ace+\303\274&<.txt f ~ 0 -1\n"
	    "sub d ~ 0 -1\n"
	    "tab\there f ~ 0 -1\n");
}

static void expect_any_cut(enum index_format format, const char *path, bool raw,
    const char *text, const char *wanted)
{
	size_t size_bytes = strlen(text);
	struct err err = ERR_INIT;

	for (size_t cut = 0; cut <= size_bytes; cut++) {
		struct listing listing;
		struct index_parser *parser =
		    begin(&listing, format, path, raw);

		assert_int_equal(index_parser_feed(parser, text, cut, &err), 0);
		assert_int_equal(index_parser_feed(parser, text + cut,
		                     size_bytes - cut, &err),
		    0);
		assert_int_equal(index_parser_end(parser, &err), 0);
		assert_string_equal(buf_text(&listing.text), wanted);
		index_parser_free(parser);
		listing_fini(&listing);
	}
}

static void any_cut_gives_the_same(void **state)
{
	(void)state;
	expect_any_cut(INDEX_HTML, "/", false, answer_nginx_html, nginx_wanted);
	expect_any_cut(INDEX_JSON, "/", false, answer_nginx_json, json_wanted);
	expect_any_cut(
	    INDEX_HTML, "/exp/alice", true, answer_xrootd_html, xrootd_wanted);
}

static void a_link_is_a_direct_child_or_nothing(void **state)
{
	static const struct {
		const char *page;
		const char *wanted;
	} cases[] = {
	    {"<a href=\"x\">", "x f ~ 0 -1\n"},
	    {"<A HREF='x/'>", "x d ~ 0 -1\n"},
	    {"<a href=x>", "x f ~ 0 -1\n"},
	    {"<a class=\"c\" href = \"x\" id=y>", "x f ~ 0 -1\n"},
	    {"<a\nhref=\"x\"/>", "x f ~ 0 -1\n"},
	    {"<a href=\" x \">", "x f ~ 0 -1\n"},
	    {"<a href=\"./x\">", "x f ~ 0 -1\n"},
	    {"<a href=\"/d/x\">", "x f ~ 0 -1\n"},
	    {"<a href=\"/d//x\">", "x f ~ 0 -1\n"},
	    {"<a href=\"https://h:8443/d/x\">", "x f ~ 0 -1\n"},
	    {"<a href=\"HTTPS://H:8443/d/x/\">", "x d ~ 0 -1\n"},
	    {"<a href=\"a&amp;b&#39;&#x3c;&quot;&gt;\">",
	        "a&b'<\"> f ~ 0 -1\n"},
	    {"<a href=\"a&b\">", "a&b f ~ 0 -1\n"},
	    {"<a href=\"a&nosuch;b\">", "a&nosuch;b f ~ 0 -1\n"},
	    {"<a href=\"&#228;\">", "\303\244 f ~ 0 -1\n"},
	    {"<a href=\"x\" href=\"y\">", "x f ~ 0 -1\n"},
	    {"<a title='<a href=\"y\">' href=\"x\">", "x f ~ 0 -1\n"},
	    {"<a title=\"a>b\" href=\"x\">", "x f ~ 0 -1\n"},
	    {"<<a href=x>", "x f ~ 0 -1\n"},
	    {"a < b <a href=x>", "x f ~ 0 -1\n"},
	    {"<a href=\"../\">", ""},
	    {"<a href=\"..\">", ""},
	    {"<a href=\"./\">", ""},
	    {"<a href=\"/\">", ""},
	    {"<a href=\"/d/\">", ""},
	    {"<a href=\"/d/../x\">", ""},
	    {"<a href=\"/dx\">", ""},
	    {"<a href=\"/d/x/y\">", ""},
	    {"<a href=\"x/y\">", ""},
	    {"<a href=\"a%2Fb\">", ""},
	    {"<a href=\"%2e%2e\">", ""},
	    {"<a href=\"a%00\">", ""},
	    {"<a href=\"&#0;\">", ""},
	    {"<a href=\"\">", ""},
	    {"<a href>", ""},
	    {"<a href=>", ""},
	    {"<a>", ""},
	    {"<a href=\"?C=N;O=D\">", ""},
	    {"<a href=\"x?y\">", ""},
	    {"<a href=\"#top\">", ""},
	    {"<a href=\"//other/d/x\">", ""},
	    {"<a href=\"https://other/d/x\">", ""},
	    {"<a href=\"http://h:8443/d/x\">", ""},
	    {"<a href=\"https://h:8443\">", ""},
	    {"<a href=\"https://h/d/x\">", ""},
	    {"<a href=\"javascript:x\">", ""},
	    {"<a href=\"mailto:x@y\">", ""},
	    {"<abbr href=\"x\">", ""},
	    {"<link href=\"x\">", ""},
	    {"</a href=\"x\">", ""},
	    {"<!-- <a href=\"x\"> --><b>", ""},
	    {"<!-- > <a href=\"x\"> -- > --><b>", ""},
	    {"<!doctype html><a href=x>", "x f ~ 0 -1\n"},
	    {"<?php <a href=\"x\"><b>", ""},
	    {"<script>'<a href=\"x\">'</script><b>", ""},
	    {"<SCRIPT>'<a href=\"x\"></s></scripty>'</Script ><a href=y>",
	        "y f ~ 0 -1\n"},
	    {"<title><a href=\"x\"></title><b>", ""},
	    {"<b><a href=\"x", ""},
	    {"<b><a href=\"x\"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		expect(INDEX_HTML, "/d", false, cases[i].page, cases[i].wanted);
}

static void what_is_passed_over_is_counted(void **state)
{
	struct listing listing;
	struct index_parser *parser = begin(&listing, INDEX_HTML, "/d", false);

	(void)state;
	assert_int_equal(
	    feed_all(parser, "<a href='..'><a href='x'><a href='?a'>"), 0);
	assert_int_equal(index_parser_skipped(parser), 2);
	index_parser_free(parser);
	listing_fini(&listing);
}

static void a_page_without_a_tag_is_none(void **state)
{
	static const char *const texts[] = {"", "hello", "a < b", "<!-- x -->"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct listing listing;
		struct index_parser *parser =
		    begin(&listing, INDEX_HTML, "/d", false);

		assert_int_equal(feed_all(parser, texts[i]), -EBADMSG);
		index_parser_free(parser);
		listing_fini(&listing);
	}
}

static void a_link_that_is_too_long_costs_only_itself(void **state)
{
	struct listing listing;
	struct index_parser *parser = begin(&listing, INDEX_HTML, "/d", false);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(index_parser_feed(parser, "<a href='", 9, &err), 0);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(index_parser_feed(parser, "x", 1, &err), 0);
	assert_int_equal(feed_all(parser, "'><a href='y'>"), 0);
	assert_string_equal(buf_text(&listing.text), "y f ~ 0 -1\n");
	assert_int_equal(index_parser_skipped(parser), 1);
	index_parser_free(parser);
	listing_fini(&listing);
}

#define FILE_NAMED(name) "[{\"name\":\"" name "\",\"type\":\"file\"}]"

static void json_entries_are_read_as_written(void **state)
{
	static const struct {
		const char *text;
		const char *wanted;
	} cases[] = {
	    {"[]", ""},
	    {" [ ] \r\n", ""},
	    {"[{}]", ""},
	    {FILE_NAMED("x"), "x f ~ 0 -1\n"},
	    {FILE_NAMED("\\u00e4\\u20ac\\ud83d\\ude00"),
	        "\303\244\342\202\254\360\237\230\200 f ~ 0 -1\n"},
	    {FILE_NAMED("\\\"\\\\\\b\\f\\n\\r\\t"),
	        "\"\\\b\f\n\r\t f ~ 0 -1\n"},
	    {FILE_NAMED("100%25"), "100%25 f ~ 0 -1\n"},
	    {FILE_NAMED("\351"), "\351 f ~ 0 -1\n"},
	    {FILE_NAMED("a/b"), ""},
	    {FILE_NAMED("a\\/b"), ""},
	    {FILE_NAMED(".."), ""},
	    {FILE_NAMED(""), ""},
	    {FILE_NAMED("a\\u0000"), ""},
	    {FILE_NAMED("\\ud83d"), ""},
	    {FILE_NAMED("\\ude00"), ""},
	    {FILE_NAMED("\\ud83dx"), ""},
	    {"[{\"type\":\"file\"}]", ""},
	    {"[{\"name\":\"x\"}]", ""},
	    {"[{\"name\":\"x\",\"type\":\"other\"}]", ""},
	    {"[{\"name\":1,\"type\":\"file\"}]", ""},
	    {"[{\"name\":\"x\",\"type\":\"file\",\"size\":12,"
	     "\"mtime\":\"Sun, 29 Nov 2026 02:11:38 GMT\"}]",
	        "x f ~ 12 1795918298\n"},
	    {"[{\"name\":\"x\",\"type\":\"file\",\"size\":-1,"
	     "\"mtime\":\"then\"}]",
	        "x f ~ 0 -1\n"},
	    {"[{\"name\":\"x\",\"type\":\"directory\",\"size\":12}]",
	        "x d ~ 0 -1\n"},
	    {"[{\"a\":[{\"name\":\"y\",\"type\":\"file\"}],\"b\":null,"
	     "\"name\":\"x\",\"c\":true,\"type\":\"file\",\"d\":1.5e-3}]",
	        "x f ~ 0 -1\n"},
	    {"[1,\"a\",[],{\"name\":\"x\",\"type\":\"file\"}]", "x f ~ 0 -1\n"},
	    {"[{\"name\":\"x\",\"type\":\"file\"},{\"name\":\"y\"}]",
	        "x f ~ 0 -1\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		expect(INDEX_JSON, "/d", false, cases[i].text, cases[i].wanted);
}

static void what_is_no_json_listing_is_refused(void **state)
{
	static const char *const texts[] = {
	    "",
	    "  ",
	    "{}",
	    "{\"error\":\"no\"}",
	    "1",
	    "\"x\"",
	    "[",
	    "[{",
	    "[1",
	    "[1,]",
	    "[,1]",
	    "[1 2]",
	    "[{\"a\"}]",
	    "[{\"a\":}]",
	    "[{\"a\":1,}]",
	    "[{a:1}]",
	    "[{\"a\" 1}]",
	    "[}",
	    "[{]",
	    "[]]",
	    "[] x",
	    "[tru]",
	    "[01]",
	    "[1.]",
	    "[.5]",
	    "[1e]",
	    "[-]",
	    "[\"\n\"]",
	    "[\"\\x\"]",
	    "[\"\\u12g4\"]",
	    "[\"a]",
	    "[[[[[[[[[]]]]]]]]]",
	    "<html></html>",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct listing listing;
		struct index_parser *parser =
		    begin(&listing, INDEX_JSON, "/d", false);

		assert_int_equal(feed_all(parser, texts[i]), -EBADMSG);
		index_parser_free(parser);
		listing_fini(&listing);
	}
}

static void every_shortened_json_is_refused(void **state)
{
	size_t size_bytes = strlen(answer_nginx_json);
	struct err err = ERR_INIT;

	(void)state;
	for (size_t cut = 0; cut < size_bytes; cut++) {
		struct listing listing;
		struct index_parser *parser =
		    begin(&listing, INDEX_JSON, "/", false);

		assert_int_equal(
		    index_parser_feed(parser, answer_nginx_json, cut, &err), 0);
		assert_int_equal(index_parser_end(parser, &err), -EBADMSG);
		index_parser_free(parser);
		listing_fini(&listing);
	}
}

static void an_entry_that_is_refused_ends_it(void **state)
{
	struct listing listing;
	struct index_parser *parser = begin(&listing, INDEX_HTML, "/", false);

	(void)state;
	listing.end_after = 3;
	assert_int_equal(feed_all(parser, answer_nginx_html), -ECANCELED);
	assert_int_equal(listing.count, 3);
	index_parser_free(parser);
	listing_fini(&listing);
}

static void formats_are_known_by_media_type(void **state)
{
	(void)state;
	assert_int_equal(index_format_of("text/html"), INDEX_HTML);
	assert_int_equal(index_format_of("application/xhtml+xml"), INDEX_HTML);
	assert_int_equal(index_format_of("application/json"), INDEX_JSON);
	assert_int_equal(index_format_of("text/plain"), INDEX_NONE);
	assert_int_equal(index_format_of(""), INDEX_NONE);
}

static int make_one(void *arg)
{
	struct index_target target = {NULL, NULL};
	struct fetch_source source = {.origin = "https://h"};
	struct index_parser *parser = NULL;
	int code =
	    index_parser_new(&parser, INDEX_HTML, &source, "/", false, &target);

	(void)arg;
	index_parser_free(parser);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	assert_int_equal(oom_each(make_one, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_nginx),
	    cmocka_unit_test(reads_nginx_json),
	    cmocka_unit_test(reads_xrootd_with_raw_names),
	    cmocka_unit_test(reads_apache),
	    cmocka_unit_test(reads_python),
	    cmocka_unit_test(any_cut_gives_the_same),
	    cmocka_unit_test(a_link_is_a_direct_child_or_nothing),
	    cmocka_unit_test(what_is_passed_over_is_counted),
	    cmocka_unit_test(a_page_without_a_tag_is_none),
	    cmocka_unit_test(a_link_that_is_too_long_costs_only_itself),
	    cmocka_unit_test(json_entries_are_read_as_written),
	    cmocka_unit_test(what_is_no_json_listing_is_refused),
	    cmocka_unit_test(every_shortened_json_is_refused),
	    cmocka_unit_test(an_entry_that_is_refused_ends_it),
	    cmocka_unit_test(formats_are_known_by_media_type),
	    cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
