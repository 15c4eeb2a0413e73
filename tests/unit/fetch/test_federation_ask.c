/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to a federation whose document and directors are scripted, by a
 * clock that is driven by hand: who is asked, when, and what follows.
 */
#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "fetch/document.h"
#include "fetch/federation.h"
#include "fetch/federation/director.h"
#include "fetch/federation/federation_impl.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MINUTE = 60 * 1000, TIMEOUT_MS = 5000 };

#define DIRECTOR "https://director.example"
#define SECOND   "https://second.example"

static struct clock hand;

/* What is said, and what was asked. */
static struct {
	const char *document;
	int document_code;
	int director_code; /* of the first director */
	int origins_code;
	uint32_t wait_s;
	const char *caches;  /* headers */
	const char *origins; /* headers */
	unsigned documents;
	unsigned directors;
	char urls[512]; /* of all questions to directors */
} script;

int __wrap_fetch_document(const struct fetch_document_config *config,
    const char *url, struct buf *out, struct tokens_document_facts *facts,
    struct err *err);
int __wrap_director_ask(const struct fetch_document_config *config,
    const struct director_question *question, struct pelican_facts *out,
    struct director_said *said, struct err *err);

int __wrap_fetch_document(const struct fetch_document_config *config,
    const char *url, struct buf *out, struct tokens_document_facts *facts,
    struct err *err)
{
	assert_int_equal(config->timeout_ms, TIMEOUT_MS);
	assert_string_equal(
	    url, "https://fed.example/.well-known/pelican-configuration");
	script.documents++;
	/* That it is of no use a moment later. */
	*facts = (struct tokens_document_facts){.status = 200, .max_age_s = 0};
	if (script.document_code < 0)
		return err_set(err, script.document_code, "no document");
	return buf_append(out, script.document, strlen(script.document));
}

int __wrap_director_ask(const struct fetch_document_config *config,
    const struct director_question *question, struct pelican_facts *out,
    struct director_said *said, struct err *err)
{
	bool origins = question->about == DIRECTOR_ORIGINS;
	const char *headers = origins ? script.origins : script.caches;
	struct pelican_answer answer = {
	    .url = question->url, .path = question->path};
	int code = origins ? script.origins_code : 0;
	char line[128];

	(void)config;
	script.directors++;
	(void)snprintf(
	    line, sizeof(line), "%s %d\n", question->url, (int)question->about);
	(void)strncat(
	    script.urls, line, sizeof(script.urls) - strlen(script.urls) - 1);
	if (strcmp(question->url, DIRECTOR) == 0 && script.director_code < 0)
		code = script.director_code;
	*said = (struct director_said){.status = code < 0 ? 500 : 307,
	    .wait_asked = script.wait_s != 0,
	    .wait_s = script.wait_s};
	if (code < 0)
		return err_set(err, code, "no answer");
	answer.headers = headers;
	answer.headers_bytes = strlen(headers);
	return pelican_facts_read(out, &answer, err);
}

#define NAMESPACE(more) \
	"HTTP/1.1 307 T\r\nX-Pelican-Namespace: namespace=/ns" more "\r\n"
#define LINK(host, path, pri) \
	"Link: <https://" host path ">; rel=\"duplicate\"; pri=" #pri "\r\n"

static struct federation *federation;

static int begin(void **state)
{
	struct fetch_source source;
	struct err err = ERR_INIT;
	const struct federation_config config = {
	    .clock = &hand, .source = &source, .timeout_ms = TIMEOUT_MS};

	(void)state;
	memset(&script, 0, sizeof(script));
	script.document = "{\"director_endpoint\":\"" DIRECTOR "\"}";
	script.caches = NAMESPACE(", collections-url=https://origin.example")
	    LINK("c2.example:8443", "/ns/a", 2)
	        LINK("c1.example:8443", "/ns/a", 1);
	script.origins = NAMESPACE("") LINK("origin.example", "/ns/a", 1);
	hand = (struct clock){
	    .hand_driven = 1, .monotonic_ms = 5000, .wall_s = 1700000000};
	assert_int_equal(
	    pelican_source_parse(&source, "pelican://fed.example/ns/a", &err),
	    0);
	assert_int_equal(federation_new(&federation, &config, &err), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	federation_free(federation);
	return 0;
}

static int ask(void)
{
	struct err err = ERR_INIT;
	int code = federation_ask(federation, &err);

	if (code < 0) {
		assert_int_equal(err.code, code);
		assert_non_null(strchr(err.text, ';')); /* the cure */
	}
	return code;
}

static void pass(uint64_t ms)
{
	hand.monotonic_ms += ms;
	hand.wall_s += ms / 1000;
}

static void servers_are_who_the_director_names(void **state)
{
	const struct fetch_servers *servers;

	(void)state;
	assert_null(federation_servers(federation));
	assert_int_equal(ask(), 0);
	servers = federation_servers(federation);
	assert_string_equal(servers->origin.origin, "https://origin.example");
	assert_int_equal(servers->cache_count, 2);
	assert_string_equal(
	    servers->caches[0].origin, "https://c1.example:8443");
	assert_string_equal(
	    servers->caches[1].origin, "https://c2.example:8443");
	assert_false(servers->apart);
	assert_false(servers->unlisted);
	assert_string_equal(
	    federation_facts(federation)->namespace_path, "/ns");
	assert_string_equal(script.urls, DIRECTOR " 0\n" DIRECTOR " 1\n");
}

static void nobody_is_asked_before_it_is_time(void **state)
{
	(void)state;
	assert_int_equal(ask(), 0);
	/* Whatever lifetime was claimed. */
	assert_int_equal(federation_next_ms(federation), 5000 + 15 * MINUTE);
	pass(15 * MINUTE);
	assert_int_equal(ask(), 0);
	assert_int_equal(script.documents, 1);
	assert_int_equal(script.directors, 4);
	pass(15 * MINUTE);
	assert_int_equal(ask(), 0);
	assert_int_equal(script.documents, 2);
}

static void what_was_told_holds_when_nobody_answers(void **state)
{
	(void)state;
	assert_int_equal(ask(), 0);
	pass(15 * MINUTE);
	script.director_code = -EHOSTUNREACH;
	assert_int_equal(ask(), -EHOSTUNREACH);
	assert_int_equal(federation_servers(federation)->cache_count, 2);
	/* Not even the document. */
	pass(15 * MINUTE);
	script.document_code = -ENOENT;
	script.director_code = 0;
	assert_int_equal(ask(), 0);
	assert_int_equal(script.documents, 2);
	/* A list without a server is no list. */
	script.caches = NAMESPACE("");
	script.origins = NAMESPACE("");
	pass(15 * MINUTE);
	assert_int_equal(ask(), -ENOENT);
	assert_int_equal(federation_servers(federation)->cache_count, 2);
}

static void trouble_brings_the_next_question_forward(void **state)
{
	(void)state;
	assert_int_equal(ask(), 0);
	federation_trouble(federation);
	assert_int_equal(federation_next_ms(federation), 5000 + 2000);
}

static void other_directors_answer_for_one_that_does_not(void **state)
{
	(void)state;
	script.document = "{\"director_endpoint\":\"" DIRECTOR
	                  "\",\"director_advertise_endpoints\":[\"" DIRECTOR
	                  "\",\"" SECOND "\"]}";
	script.director_code = -EIO;
	assert_int_equal(ask(), 0);
	assert_string_equal(
	    script.urls, DIRECTOR " 0\n" SECOND " 0\n" SECOND " 1\n");
}

static void one_that_knows_no_such_namespace_speaks_for_all(void **state)
{
	(void)state;
	script.document =
	    "{\"director_endpoint\":\"" DIRECTOR
	    "\",\"director_advertise_endpoints\":[\"" SECOND "\"]}";
	script.director_code = -ENOENT;
	assert_int_equal(ask(), -ENOENT);
	assert_int_equal(script.directors, 1);
	assert_int_equal(federation_next_ms(federation) / MINUTE, 5);
}

static void a_wait_that_is_asked_for_is_kept(void **state)
{
	(void)state;
	script.director_code = -EBUSY;
	script.wait_s = 100;
	assert_int_equal(ask(), -EBUSY);
	assert_in_range(
	    federation_next_ms(federation), 5000 + 100000, 5000 + 101000);
}

/* A namespace may forbid to ask its origin. */
static void without_a_word_of_the_origin_it_is_where_listings_are(void **state)
{
	const struct fetch_servers *servers;

	(void)state;
	script.origins_code = -EOPNOTSUPP;
	assert_int_equal(ask(), 0);
	servers = federation_servers(federation);
	assert_string_equal(servers->origin.origin, "https://origin.example");
	assert_int_equal(servers->cache_count, 2);
	/* Nor that: then the best cache has to do. */
	script.caches = NAMESPACE("") LINK("c1.example", "/ns/a", 1)
	    LINK("c2.example", "/ns/a", 2);
	assert_int_equal(ask(), 0);
	servers = federation_servers(federation);
	assert_string_equal(servers->origin.origin, "https://c1.example");
	assert_int_equal(servers->cache_count, 1);
	assert_true(servers->unlisted);
	/* But a mere failure says nothing of it. */
	script.origins_code = -ETIMEDOUT;
	assert_int_equal(ask(), -ETIMEDOUT);
}

static void links_that_cannot_be_used_are_left_out(void **state)
{
	const struct fetch_servers *servers;

	(void)state;
	script.caches = NAMESPACE(
	    ", collections-url=https://lists.example") LINK("origin.example",
	    "/ns/a", 1) LINK("c1.example", "/ns/a?authz=x&directread",
	    2) LINK("c1.example", "/ns/b", 3) LINK("c2.example", "/mirror/ns/a",
	    4) "Link: <http://c3.example/ns/a>; rel=\"duplicate\"; pri=5\r\n";
	script.origins = NAMESPACE("") LINK("odd.example", "/other/ns/a", 1)
	    LINK("origin.example", "/ns/a", 2);
	assert_int_equal(ask(), 0);
	servers = federation_servers(federation);
	assert_string_equal(servers->origin.origin, "https://origin.example");
	assert_int_equal(servers->cache_count, 2);
	assert_string_equal(servers->caches[0].origin, "https://c1.example");
	assert_string_equal(servers->caches[0].path, "/ns/a");
	assert_string_equal(servers->caches[1].path, "/mirror/ns/a");
	assert_true(servers->apart);
	assert_string_equal(servers->listings.origin, "https://lists.example");
	/* Listings under another path are no listings of these. */
	script.caches = NAMESPACE(", collections-url=https://lists.example/dav")
	    LINK("c1.example", "/ns/a", 2);
	assert_int_equal(ask(), 0);
	assert_true(federation_servers(federation)->unlisted);
}

static void a_host_without_a_director_is_all_there_is(void **state)
{
	const struct fetch_servers *servers;

	(void)state;
	script.document = "{\"director_endpoint\":\"\"}";
	script.caches = "HTTP/1.1 401 U\r\n";
	assert_int_equal(ask(), 0);
	servers = federation_servers(federation);
	assert_string_equal(servers->origin.origin, "https://fed.example");
	assert_int_equal(servers->cache_count, 0);
	assert_false(servers->unlisted);
	assert_string_equal(script.urls, "https://fed.example 2\n");
	assert_string_equal(federation_director(federation), "");
}

static void it_is_told_who_said_what_and_when(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 1 << 20);
	assert_int_equal(federation_describe(federation, &text), 0);
	assert_non_null(strstr(buf_text(&text), "\"document\":null"));
	assert_int_equal(ask(), 0);
	pass(MINUTE);
	buf_clear(&text);
	assert_int_equal(federation_describe_text(federation, &text), 0);
	assert_string_equal(buf_text(&text),
	    "federation: director " DIRECTOR ", namespace /ns: origin "
	    "https://origin.example, caches https://c1.example:8443 "
	    "https://c2.example:8443; asked 60 s ago, again in 840 s\n");
	script.director_code = -EIO;
	pass(14 * MINUTE);
	assert_int_equal(ask(), -EIO);
	buf_clear(&text);
	assert_int_equal(federation_describe_text(federation, &text), 0);
	assert_non_null(strstr(buf_text(&text),
	    "federation: 0 s ago: director " DIRECTOR
	    ": no answer; tell who runs the federation"));
	buf_clear(&text);
	assert_int_equal(federation_describe(federation, &text), 0);
	assert_non_null(strstr(buf_text(&text),
	    "\"asked_at\":\"2023-11-14T22:28:20Z\","
	    "\"status\":500,\"problem\":\""));
	buf_fini(&text);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    CASE(servers_are_who_the_director_names),
	    CASE(nobody_is_asked_before_it_is_time),
	    CASE(what_was_told_holds_when_nobody_answers),
	    CASE(trouble_brings_the_next_question_forward),
	    CASE(other_directors_answer_for_one_that_does_not),
	    CASE(one_that_knows_no_such_namespace_speaks_for_all),
	    CASE(a_wait_that_is_asked_for_is_kept),
	    CASE(without_a_word_of_the_origin_it_is_where_listings_are),
	    CASE(links_that_cannot_be_used_are_left_out),
	    CASE(a_host_without_a_director_is_all_there_is),
	    CASE(it_is_told_who_said_what_and_when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
