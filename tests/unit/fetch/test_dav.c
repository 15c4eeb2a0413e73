/* SPDX-License-Identifier: Apache-2.0 */
/* Multistatus answers of real servers, and of servers that nobody wants. */
#include "base/err.h"
#include "fetch/answers/dav.h"
#include "fetch/answers/xml.h"
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

static struct dav_parser *begin(
    struct listing *listing, const char *path, bool unescaped)
{
	struct dav_target target = {
	    listing, listing_self, listing_entry, listing_quota};
	struct dav_parser *parser = NULL;

	listing_init(listing);
	assert_int_equal(dav_parser_new(&parser, path, unescaped, &target), 0);
	return parser;
}

/* Feed a whole text and end it; the code, and how many were skipped. */
static int parse(struct listing *listing, const char *path, bool unescaped,
    const char *text, uint64_t *skipped)
{
	struct dav_parser *parser = begin(listing, path, unescaped);
	struct err err = ERR_INIT;
	int code = dav_parser_feed(parser, text, strlen(text), &err);
	int last = dav_parser_end(parser, &err);

	if (code < 0)
		assert_int_equal(last, code); /* a failure stays */
	if (last < 0)
		assert_int_equal(err.code, last);
	if (skipped != NULL)
		*skipped = dav_parser_skipped(parser);
	dav_parser_free(parser);
	return last;
}

static void expect(const char *path, bool unescaped, const char *text,
    const char *wanted, uint64_t wanted_skipped)
{
	struct listing listing;
	uint64_t skipped;

	assert_int_equal(parse(&listing, path, unescaped, text, &skipped), 0);
	assert_string_equal(buf_text(&listing.text), wanted);
	assert_int_equal(skipped, wanted_skipped);
	listing_fini(&listing);
}

static void refuse(const char *text)
{
	struct listing listing;

	assert_int_equal(parse(&listing, "/d", false, text, NULL), -EBADMSG);
	listing_fini(&listing);
}

static const char xrootd_wanted[] = "self d - 0 1795918298\n"
                                    "q?uest#frag f - 1 1795918191\n"
                                    "dir \303\274 d - 0 1795918191\n"
                                    "quo\"te'>s; f - 1 1795918191\n"
                                    "100%25 f - 1 1795918191\n"
                                    "lat\351in f - 1 1795918191\n"
                                    "sp ace+\303\274&<.txt f - 1 1795918191\n"
                                    "sub d - 0 1795918191\n"
                                    "cr\rx f - 1 1795918191\n"
                                    "plain.txt f - 5 1795918191\n"
                                    "tab\there f - 1 1795918191\n"
                                    "ctl\001x f - 1 1795918191\n";

static void reads_xrootd_names_byte_for_byte(void **state)
{
	(void)state;
	expect("/exp/alice", true, answer_xrootd_propfind, xrootd_wanted, 0);
}

static void reads_nginx(void **state)
{
	(void)state;
	expect("/", false, answer_nginx_propfind,
	    "self d - 0 1795918298\n"
	    "q?uest#frag f - 1 1795918298\n"
	    "dir \303\274 d - 0 1795918298\n"
	    "quo\"te'>s; f - 1 1795918298\n"
	    "100%25 f - 1 1795918298\n"
	    "lat\351in f - 1 1795918298\n"
	    "sp ace+\303\274&<.txt f - 1 1795918298\n"
	    "sub d - 0 1795918298\n"
	    "new\nline f - 1 1795918298\n"
	    "a:b f - 1 1795918298\n"
	    "plain.txt f - 5 1795918298\n"
	    "tab\there f - 1 1795918298\n"
	    "ctl\001x f - 1 1795918298\n",
	    0);
}

static void reads_apache_with_etags(void **state)
{
	(void)state;
	expect("/", false, answer_apache_propfind,
	    "self d - 0 1795918514 \"1000-66160dd1970e9\"\n"
	    "q?uest#frag f - 1 1795918514 \"1-66160dd1970e9\"\n"
	    "dir \303\274 d - 0 1795918514 \"1000-66160dd196801\"\n"
	    "quo\"te'>s; f - 1 1795918514 \"1-66160dd1970e9\"\n"
	    "100%25 f - 1 1795918514 \"1-66160dd1970e9\"\n"
	    "lat\351in f - 1 1795918514 \"1-66160dd1970e9\"\n"
	    "sp ace+\303\274&<.txt f - 1 1795918514 \"1-66160dd1970e9\"\n"
	    "sub d - 0 1795918514 \"1000-66160dd196801\"\n"
	    "a:b f - 1 1795918514 \"1-66160dd1970e9\"\n"
	    "plain.txt f - 5 1795918514 \"5-66160dd1970e9\"\n"
	    "ctl\001x f - 1 1795918514 \"1-66160dd1970e9\"\n",
	    0);
}

/* A property with a 404 status is not there, whatever text it has. */
static void a_quota_that_is_not_found_is_none(void **state)
{
	(void)state;
	expect("/", false, answer_apache_no_quota, "", 1);
}

static void any_cut_gives_the_same(void **state)
{
	size_t size_bytes = strlen(answer_xrootd_propfind);
	struct err err = ERR_INIT;

	(void)state;
	for (size_t cut = 0; cut <= size_bytes; cut++) {
		struct listing listing;
		struct dav_parser *parser = begin(&listing, "/exp/alice", true);

		assert_int_equal(
		    dav_parser_feed(parser, answer_xrootd_propfind, cut, &err),
		    0);
		assert_int_equal(
		    dav_parser_feed(parser, answer_xrootd_propfind + cut,
		        size_bytes - cut, &err),
		    0);
		assert_int_equal(dav_parser_end(parser, &err), 0);
		assert_string_equal(buf_text(&listing.text), xrootd_wanted);
		dav_parser_free(parser);
		listing_fini(&listing);
	}
}

static void single_bytes_give_the_same(void **state)
{
	struct listing listing;
	struct dav_parser *parser = begin(&listing, "/exp/alice", true);
	struct err err = ERR_INIT;

	(void)state;
	for (const char *p = answer_xrootd_propfind; *p != '\0'; p++)
		assert_int_equal(dav_parser_feed(parser, p, 1, &err), 0);
	assert_int_equal(dav_parser_end(parser, &err), 0);
	assert_string_equal(buf_text(&listing.text), xrootd_wanted);
	dav_parser_free(parser);
	listing_fini(&listing);
}

static void every_shortened_answer_is_refused(void **state)
{
	size_t size_bytes = strlen(answer_nginx_propfind);
	struct err err = ERR_INIT;

	(void)state;
	/* The last byte is a line end. */
	for (size_t cut = 0; cut + 1 < size_bytes; cut++) {
		struct listing listing;
		struct dav_parser *parser = begin(&listing, "/", false);

		(void)!dav_parser_feed(
		    parser, answer_nginx_propfind, cut, &err);
		assert_int_equal(dav_parser_end(parser, &err), -EBADMSG);
		dav_parser_free(parser);
		listing_fini(&listing);
	}
}

#define HEAD "<multistatus xmlns='DAV:'>"
#define TAIL "</multistatus>"
#define OK   "<status>HTTP/1.1 200 OK</status>"
/* One file of 7 bytes at an href. */
#define ENTRY(href)                                             \
	HEAD "<response><href>" href "</href><propstat><prop>"  \
	     "<getcontentlength>7</getcontentlength></prop>" OK \
	     "</propstat></response>" TAIL

static void an_href_is_a_child_of_the_asked_path_or_nothing(void **state)
{
	static const struct {
		const char *answer;
		const char *name; /* NULL: skipped */
	} cases[] = {
	    {ENTRY("/d/x"), "x"},
	    {ENTRY("/d/x/"), "x"},
	    {ENTRY("//d//x"), "x"},
	    {ENTRY("https://other.example:1/d/x"), "x"},
	    {ENTRY("\n  /d/x\n  "), "x"},
	    {ENTRY("/d/%78"), "x"},
	    {ENTRY("/%64/x"), "x"},
	    {ENTRY("/d/100%25"), "100%"},
	    {ENTRY("/d/100%2525"), "100%25"},
	    {ENTRY("/d/100%"), "100%"},
	    {ENTRY("/d/a+b"), "a+b"},
	    {ENTRY("/d/&#228;"), "\303\244"},
	    {ENTRY("/d/%e4"), "\344"},
	    {ENTRY("/d/a%2Fb"), NULL},
	    {ENTRY("/d%2Fx"), NULL},
	    {ENTRY("/d/%00x"), NULL},
	    {ENTRY("/d/.."), NULL},
	    {ENTRY("/d/%2e%2E"), NULL},
	    {ENTRY("/d/."), NULL},
	    {ENTRY("/d/../d/x"), NULL},
	    {ENTRY("/d/x/y"), NULL},
	    {ENTRY("/e/x"), NULL},
	    {ENTRY("/dx"), NULL},
	    {ENTRY("/d2/x"), NULL},
	    {ENTRY("/"), NULL},
	    {ENTRY(""), NULL},
	    {ENTRY("x"), NULL},
	    {ENTRY("https://d"), NULL},
	    {ENTRY("/d/x?y"), NULL},
	    {ENTRY("/d/x#y"), NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char wanted[64] = "";

		if (cases[i].name != NULL)
			(void)snprintf(wanted, sizeof(wanted), "%s f - 7 -1\n",
			    cases[i].name);
		expect("/d", false, cases[i].answer, wanted,
		    cases[i].name == NULL);
	}
}

static void an_unescaped_href_is_taken_as_it_stands(void **state)
{
	(void)state;
	expect("/d", true, ENTRY("/d/100%25"), "100%25 f - 7 -1\n", 0);
	expect("/d", true, ENTRY("/d/%2F"), "%2F f - 7 -1\n", 0);
	expect("/d", true, ENTRY("/d/x?y#z"), "x?y#z f - 7 -1\n", 0);
	expect("/d", true, ENTRY("/d/ x "), " x  f - 7 -1\n", 0);
	expect("/a%20b", true, ENTRY("/a%20b/x"), "x f - 7 -1\n", 0);
	expect("/a b", true, ENTRY("/a%20b/x"), "", 1);
}

static void an_asked_path_of_dangerous_bytes_is_itself(void **state)
{
	(void)state;
	expect("/a b/100%25", false, ENTRY("/a%20b/100%2525/"),
	    "self f - 7 -1\n", 0);
	expect(
	    "/a b/100%25", true, ENTRY("/a b/100%25/"), "self f - 7 -1\n", 0);
	expect("/", false, ENTRY("/"), "self f - 7 -1\n", 0);
}

/* A name of 255 bytes fits, also with each byte encoded; 256 do not. */
static void names_end_at_255_bytes(void **state)
{
	char text[4096];
	char name[800];
	char wanted[512];

	(void)state;
	for (unsigned n = 254; n <= 257; n++) {
		for (unsigned i = 0; i < n; i++)
			memcpy(name + 3 * i, "%78", 4);
		(void)snprintf(text, sizeof(text), ENTRY("/d/%s"), name);
		memset(name, 'x', n);
		(void)snprintf(
		    wanted, sizeof(wanted), "%.*s f - 7 -1\n", (int)n, name);
		expect("/d", false, text, n <= 255 ? wanted : "", n > 255);
	}
}

static void an_href_that_is_too_long_costs_only_itself(void **state)
{
	static const char head[] = HEAD "<response><href>/d/";
	static const char tail[] =
	    "</href><propstat><prop><getcontentlength>7</getcontentlength>"
	    "</prop>" OK "</propstat></response><response><href>/d/y</href>"
	    "<propstat><prop><resourcetype><collection/></resourcetype>"
	    "</prop>" OK "</propstat></response>" TAIL;
	struct listing listing;
	struct err err = ERR_INIT;
	struct dav_parser *parser = begin(&listing, "/d", false);

	(void)state;
	assert_int_equal(dav_parser_feed(parser, head, strlen(head), &err), 0);
	for (unsigned i = 0; i < 1000000; i++)
		assert_int_equal(dav_parser_feed(parser, "x", 1, &err), 0);
	assert_int_equal(dav_parser_feed(parser, tail, strlen(tail), &err), 0);
	assert_int_equal(dav_parser_end(parser, &err), 0);
	assert_string_equal(buf_text(&listing.text), "y d - 0 -1\n");
	assert_int_equal(dav_parser_skipped(parser), 1);
	dav_parser_free(parser);
	listing_fini(&listing);
}

#define PROPS(props)                                                        \
	HEAD "<response><href>/d</href><propstat><prop>" props "</prop>" OK \
	     "</propstat></response>" TAIL

static void properties_mean_what_they_say(void **state)
{
	static const struct {
		const char *answer;
		const char *wanted;
	} cases[] = {
	    {PROPS(""), "self f ~ 0 -1\n"},
	    {PROPS("<getcontentlength> 12\n</getcontentlength>"),
	        "self f - 12 -1\n"},
	    {PROPS("<getcontentlength>-1</getcontentlength>"),
	        "self f ~ 0 -1\n"},
	    {PROPS("<getcontentlength>9223372036854775807"
	           "</getcontentlength>"),
	        "self f - 9223372036854775807 -1\n"},
	    {PROPS("<getcontentlength>9223372036854775808"
	           "</getcontentlength>"),
	        "self f ~ 0 -1\n"},
	    {PROPS("<resourcetype> <collection/> </resourcetype>"
	           "<getcontentlength>4096</getcontentlength>"),
	        "self d - 0 -1\n"},
	    {PROPS("<iscollection>1</iscollection>"), "self d - 0 -1\n"},
	    {PROPS("<iscollection>0</iscollection>"), "self f ~ 0 -1\n"},
	    {PROPS("<collection/>"), "self f ~ 0 -1\n"},
	    {PROPS("<resourcetype><x xmlns='urn:x'><collection "
	           "xmlns='DAV:'/></x></resourcetype>"),
	        "self f ~ 0 -1\n"},
	    {PROPS("<getcontentlength xmlns='urn:x'>9</getcontentlength>"),
	        "self f ~ 0 -1\n"},
	    {PROPS("<getetag>\"a\"</getetag>"), "self f ~ 0 -1 \"a\"\n"},
	    {PROPS("<getetag>W/\"a\"</getetag>"), "self f ~ 0 -1\n"},
	    {PROPS("<getetag>a</getetag>"), "self f ~ 0 -1\n"},
	    {PROPS("<getetag>&quot;a&amp;b&quot;</getetag>"),
	        "self f ~ 0 -1 \"a&b\"\n"},
	    {PROPS("<getetag><![CDATA[\"a\"]]></getetag>"),
	        "self f ~ 0 -1 \"a\"\n"},
	    {PROPS("<getlastmodified>Sun, 29 Nov 2026 02:09:51 GMT"
	           "</getlastmodified>"),
	        "self f ~ 0 1795918191\n"},
	    {PROPS("<getlastmodified>yesterday</getlastmodified>"),
	        "self f ~ 0 -1\n"},
	    {PROPS("<quota-available-bytes>5</quota-available-bytes>"),
	        "self f ~ 0 -1\nquota 5 -1\n"},
	    {PROPS("<quota-available-bytes>5</quota-available-bytes>"
	           "<quota-used-bytes>6</quota-used-bytes>"),
	        "self f ~ 0 -1\nquota 5 6\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect("/d", false, cases[i].answer, cases[i].wanted, 0);
}

static void only_properties_with_a_2xx_status_count(void **state)
{
	static const char answer[] =
	    "<?xml version='1.0'?>\n" HEAD "<response><href>/d</href>"
	    "<propstat><prop><getcontentlength>1</getcontentlength>"
	    "<resourcetype><collection/></resourcetype></prop>"
	    "<status>HTTP/1.1 404 Not Found</status></propstat>"
	    "<propstat><status>HTTP/1.1 200 OK</status><prop>"
	    "<getcontentlength>2</getcontentlength></prop></propstat>"
	    "<propstat><prop><getcontentlength>3</getcontentlength></prop>"
	    "</propstat>"
	    "<propstat><prop><getetag>\"e\"</getetag></prop>"
	    "<status>HTTP/1.1 207 x</status></propstat>"
	    "</response>"
	    "<response><href>/d/gone</href>"
	    "<status>HTTP/1.1 403 Forbidden</status></response>"
	    "<response><href>/d/none</href><propstat><prop/>"
	    "<status>HTTP/1.1 403 Forbidden</status></propstat></response>" TAIL;

	(void)state;
	expect("/d", false, answer, "self f - 2 -1 \"e\"\n", 2);
}

static void the_next_response_inherits_nothing(void **state)
{
	static const char answer[] =
	    HEAD "<response><href>/d/a</href><propstat><prop>"
	         "<resourcetype><collection/></resourcetype><getetag>\"e\""
	         "</getetag></prop>" OK "</propstat></response>"
	         "<response><propstat><prop/>" OK "</propstat></response>"
	         "<response><href>/d/b</href><propstat><prop/>" OK
	         "</propstat></response>" TAIL;

	(void)state;
	expect("/d", false, answer, "a d - 0 -1 \"e\"\nb f ~ 0 -1\n", 1);
}

static void a_byte_order_mark_is_passed_over(void **state)
{
	(void)state;
	expect("/d", false, "\357\273\277<?xml version='1.0'?>" ENTRY("/d/x"),
	    "x f - 7 -1\n", 0);
}

static void what_is_no_multistatus_is_refused(void **state)
{
	(void)state;
	refuse("");
	refuse("   ");
	refuse("<html></html>");
	refuse("<multistatus/>"); /* no namespace */
	refuse("<!doctype html><html></html>");
	refuse(HEAD "</response>" TAIL);
	refuse(HEAD TAIL HEAD TAIL);
	refuse(HEAD TAIL "x");
	refuse(HEAD "<response>" TAIL);
	refuse("{\"a\": 1}");
}

static void entity_bombs_are_refused_at_the_doctype(void **state)
{
	(void)state;
	refuse("<?xml version='1.0'?><!DOCTYPE m [<!ENTITY a 'aaaa'>"
	       "<!ENTITY b '&a;&a;'>]>" HEAD "&b;" TAIL);
	refuse("<!DOCTYPE m SYSTEM 'file:///etc/passwd'>" HEAD TAIL);
	refuse(HEAD "&undefined;" TAIL);
}

/* Feed `head`, then `again` until it is refused; it must be within `limit`
 * times. */
static int feed_endlessly(const char *head, const char *again, unsigned limit)
{
	struct listing listing;
	struct err err = ERR_INIT;
	struct dav_parser *parser = begin(&listing, "/d", false);
	int code = dav_parser_feed(parser, head, strlen(head), &err);

	for (unsigned i = 0; i < limit && code == 0; i++) {
		char text[256];

		(void)snprintf(text, sizeof(text), "%s%u", again, i);
		code = dav_parser_feed(parser, text, strlen(text), &err);
	}
	dav_parser_free(parser);
	listing_fini(&listing);
	return code;
}

static void what_has_no_end_is_refused(void **state)
{
	(void)state;
	assert_int_equal(feed_endlessly(HEAD, "<a/><a>", 40), -EBADMSG);
	assert_int_equal(
	    feed_endlessly(HEAD "<response a='", "xxxxxxxxx", 1000), -EBADMSG);
	assert_int_equal(feed_endlessly(HEAD "<", "xxxxxxxxx", 1000), -EBADMSG);
	assert_int_equal(feed_endlessly(HEAD "&", "xxxxxxxxx", 3), -EBADMSG);
	assert_int_equal(feed_endlessly(HEAD "<a xmlns:p='x'",
	                     "/></a><a xmlns:q='x' xmlns:p", 3),
	    -EBADMSG);
}

static void nesting_is_allowed_up_to_its_bound(void **state)
{
	(void)state;
	for (unsigned depth = XML_DEPTH_MAX - 1; depth <= XML_DEPTH_MAX + 1;
	     depth++) {
		struct listing listing;
		struct buf text;

		buf_init(&text, 4096);
		(void)buf_printf(&text, HEAD);
		for (unsigned i = 1; i < depth; i++)
			(void)buf_printf(&text, "<x>");
		for (unsigned i = 1; i < depth; i++)
			(void)buf_printf(&text, "</x>");
		(void)buf_printf(&text, TAIL);
		assert_int_equal(
		    parse(&listing, "/d", false, buf_text(&text), NULL),
		    depth <= XML_DEPTH_MAX ? 0 : -EBADMSG);
		buf_fini(&text);
		listing_fini(&listing);
	}
}

static void an_entry_that_is_refused_ends_it(void **state)
{
	struct listing listing;
	struct err err = ERR_INIT;
	struct dav_parser *parser = begin(&listing, "/exp/alice", true);
	size_t size_bytes = strlen(answer_xrootd_propfind);

	(void)state;
	listing.end_after = 2;
	assert_int_equal(
	    dav_parser_feed(parser, answer_xrootd_propfind, size_bytes, &err),
	    -ECANCELED);
	assert_int_equal(listing.count, 2);
	assert_int_equal(dav_parser_feed(parser, "x", 1, &err), -ECANCELED);
	assert_int_equal(dav_parser_end(parser, &err), -ECANCELED);
	dav_parser_free(parser);
	listing_fini(&listing);
}

static void a_target_may_want_nothing(void **state)
{
	struct dav_target target = {0};
	struct dav_parser *parser = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
	    dav_parser_new(&parser, "/exp/alice", true, &target), 0);
	assert_int_equal(dav_parser_feed(parser, answer_xrootd_propfind,
	                     strlen(answer_xrootd_propfind), &err),
	    0);
	assert_int_equal(dav_parser_end(parser, &err), 0);
	dav_parser_free(parser);
	dav_parser_free(NULL);
}

static int count_entry(
    void *arg, const char *name, const struct fetch_stat *stat)
{
	(void)name;
	(void)stat;
	(*(unsigned *)arg)++;
	return 0;
}

/* The whole run, with nothing allocated outside the parser. */
static int parse_all(void *arg)
{
	unsigned count = 0;
	struct dav_target target = {.arg = &count, .entry = count_entry};
	struct dav_parser *parser = NULL;
	struct err err = ERR_INIT;
	int code = dav_parser_new(&parser, "/exp/alice", true, &target);

	(void)arg;
	if (code == 0)
		code = dav_parser_feed(parser, answer_xrootd_propfind,
		    strlen(answer_xrootd_propfind), &err);
	if (code == 0)
		code = dav_parser_end(parser, &err);
	dav_parser_free(parser);
	if (code == 0)
		assert_int_equal(count, 11);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	assert_int_equal(oom_each(parse_all, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_xrootd_names_byte_for_byte),
	    cmocka_unit_test(reads_nginx),
	    cmocka_unit_test(reads_apache_with_etags),
	    cmocka_unit_test(a_quota_that_is_not_found_is_none),
	    cmocka_unit_test(any_cut_gives_the_same),
	    cmocka_unit_test(single_bytes_give_the_same),
	    cmocka_unit_test(every_shortened_answer_is_refused),
	    cmocka_unit_test(an_href_is_a_child_of_the_asked_path_or_nothing),
	    cmocka_unit_test(an_unescaped_href_is_taken_as_it_stands),
	    cmocka_unit_test(an_asked_path_of_dangerous_bytes_is_itself),
	    cmocka_unit_test(names_end_at_255_bytes),
	    cmocka_unit_test(an_href_that_is_too_long_costs_only_itself),
	    cmocka_unit_test(properties_mean_what_they_say),
	    cmocka_unit_test(only_properties_with_a_2xx_status_count),
	    cmocka_unit_test(the_next_response_inherits_nothing),
	    cmocka_unit_test(a_byte_order_mark_is_passed_over),
	    cmocka_unit_test(what_is_no_multistatus_is_refused),
	    cmocka_unit_test(entity_bombs_are_refused_at_the_doctype),
	    cmocka_unit_test(what_has_no_end_is_refused),
	    cmocka_unit_test(nesting_is_allowed_up_to_its_bound),
	    cmocka_unit_test(an_entry_that_is_refused_ends_it),
	    cmocka_unit_test(a_target_may_want_nothing),
	    cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
