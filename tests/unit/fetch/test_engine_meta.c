/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes, listings and quota end to end, from servers with DAV and
 * without, and what is remembered of a server.
 */
#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"
#include "server.h"

#define DATE "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
#define TIME "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n"

struct script {
	const char *propfind_status; /* NULL: attributes */
	const char *propfind_type;   /* of an answer that is no multistatus */
	const char *propfind_body;   /* in place of attributes */
	const char *head_status;     /* NULL: 200 */
	const char *page;            /* index page; NULL: none */
	const char *page_type;
	const char *server;   /* Server header */
	bool slash_redirects; /* a directory without slash is redirected */
	unsigned cut_propfinds;
	bool endless;           /* attributes of others, for ever */
	unsigned servers;       /* of a cluster; 0: it is none */
	const char *redirector; /* its Server header */
	const char *lead_to[4]; /* URLs of the servers */
	atomic_uint restarted;  /* questions to the redirector, no tried= */
	atomic_uint propfinds;
	atomic_uint heads;
	atomic_uint gets;
};

static void say_body(struct server_peer *peer, const char *status,
    const char *more, const char *type, const char *body)
{
	server_say(peer,
	    "HTTP/1.1 %s\r\n%sContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "\r\n%s",
	    status, more, type, strlen(body), body);
}

#define RESPONSE_FILE(href, size)                                      \
	"<D:response><D:href>" href "</D:href><D:propstat><D:prop>"    \
	"<D:resourcetype/><D:getcontentlength>" size                   \
	"</D:getcontentlength><D:getlastmodified>Tue, 14 Nov 2023 "    \
	"22:13:20 GMT</D:getlastmodified><D:getetag>\"e\"</D:getetag>" \
	"</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"   \
	"</D:response>"
#define RESPONSE_DIRECTORY(href)                                    \
	"<D:response><D:href>" href "</D:href><D:propstat><D:prop>" \
	"<D:resourcetype><D:collection/></D:resourcetype>"          \
	"<D:quota-available-bytes>123</D:quota-available-bytes>"    \
	"<D:quota-used-bytes>45</D:quota-used-bytes></D:prop>"      \
	"<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
#define MULTISTATUS(responses)                       \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?>" \
	"<D:multistatus xmlns:D=\"DAV:\">" responses "</D:multistatus>"

static const char file_attributes[] = MULTISTATUS(RESPONSE_FILE("/f", "42"));
static const char listing[] = MULTISTATUS(
    RESPONSE_DIRECTORY("/d/") RESPONSE_FILE("/d/one", "1")
        RESPONSE_FILE("/d/two%20words", "2") RESPONSE_DIRECTORY("/d/below/"));
static const char root[] = MULTISTATUS(RESPONSE_DIRECTORY("/"));
static const char empty[] = MULTISTATUS(RESPONSE_DIRECTORY("/d/"));

static bool is_redirected(
    const struct script *script, const struct server_request *request)
{
	size_t bytes = strlen(request->target);

	return script->slash_redirects && request->target[bytes - 1] != '/' &&
	    strcmp(request->target, "/f") != 0;
}

static bool say_without_end(struct server_peer *peer)
{
	static const char one[] = RESPONSE_FILE("/other", "1");
	enum { COPIES = 4096, ROUNDS = 20 };
	size_t bytes = sizeof(one) - 1;
	char *many = malloc(bytes * COPIES);

	assert(many != NULL);
	for (size_t i = 0; i < COPIES; i++)
		memcpy(many + i * bytes, one, bytes);
	server_say(peer,
	    "HTTP/1.1 207 Multi-Status\r\n" DATE
	    "\r\n<D:multistatus xmlns:D=\"DAV:\">");
	for (int i = 0; i < ROUNDS; i++)
		server_send(peer, many, bytes * COPIES);
	free(many);
	return false;
}

static bool on_propfind(struct script *script,
    const struct server_request *request, struct server_peer *peer)
{
	unsigned nth = atomic_fetch_add(&script->propfinds, 1) + 1;
	char depth[8];

	(void)server_header(request, "Depth", depth, sizeof(depth));
	if (script->endless)
		return say_without_end(peer);
	if (script->propfind_status != NULL) {
		say_body(peer, script->propfind_status, DATE,
		    script->propfind_type != NULL ? script->propfind_type
		                                  : "text/plain",
		    "no");
	} else if (script->propfind_body != NULL) {
		say_body(peer, "207 Multi-Status",
		    script->server != NULL ? script->server : DATE,
		    "application/xml", script->propfind_body);
	} else if (nth <= script->cut_propfinds) {
		server_say(peer,
		    "HTTP/1.1 207 Multi-Status\r\n" DATE
		    "Content-Length: %zu\r\n\r\n%.*s",
		    strlen(listing), (int)strlen(listing) - 300, listing);
		return false;
	} else if (strcmp(depth, "1") == 0) {
		say_body(peer, "207 Multi-Status", DATE, "text/xml", listing);
	} else if (strcmp(request->target, "/") == 0) {
		say_body(peer, "207 Multi-Status", DATE, "text/xml", root);
	} else if (strcmp(request->target, "/f") == 0) {
		say_body(peer, "207 Multi-Status", DATE, "text/xml",
		    file_attributes);
	} else if (strncmp(request->target, "/d", 2) == 0) {
		say_body(peer, "207 Multi-Status", DATE, "text/xml", empty);
	} else {
		say_body(peer, "404 Not Found", DATE, "text/plain", "no");
	}
	return true;
}

/* A redirector leads to the first server whose host is not in tried=. */
static bool on_redirector(struct script *script,
    const struct server_request *request, struct server_peer *peer)
{
	const char *tried = strstr(request->target, "tried=");
	const char *query = strchr(request->target, '?');

	if (tried == NULL)
		atomic_fetch_add(&script->restarted, 1);
	for (unsigned i = 0; i < script->servers; i++) {
		char host[32];

		(void)snprintf(host, sizeof(host), "%.*s",
		    (int)strcspn(script->lead_to[i] + 7, ":"),
		    script->lead_to[i] + 7);
		if (tried != NULL && strstr(tried, host) != NULL)
			continue;
		server_say(peer,
		    "HTTP/1.1 307 Go\r\n%sLocation: %s/d/%s\r\n"
		    "Content-Length: 0\r\n\r\n",
		    script->redirector, script->lead_to[i],
		    query == NULL ? "" : query);
		return true;
	}
	say_body(peer, "404 Not Found", script->redirector, "text/plain", "no");
	return true;
}

static bool on_request(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	struct script *script = arg;

	if (is_redirected(script, request)) {
		/* As behind a proxy that ends TLS: scheme and port wrong. */
		server_say(peer,
		    "HTTP/1.1 301 Moved\r\n" DATE
		    "Location: http://127.0.0.1:1%s/\r\n"
		    "Content-Length: 0\r\n\r\n",
		    request->target);
		return true;
	}
	if (script->servers > 0)
		return on_redirector(script, request, peer);
	if (strcmp(request->method, "PROPFIND") == 0)
		return on_propfind(script, request, peer);
	if (strcmp(request->method, "HEAD") == 0) {
		atomic_fetch_add(&script->heads, 1);
		server_say(peer,
		    "HTTP/1.1 %s\r\n" DATE TIME
		    "ETag: \"h\"\r\nContent-Length: 43\r\n\r\n",
		    script->head_status != NULL ? script->head_status
		                                : "200 OK");
		return true;
	}
	assert(strcmp(request->method, "GET") == 0);
	atomic_fetch_add(&script->gets, 1);
	if (script->page != NULL)
		say_body(peer, "200 OK", DATE, script->page_type, script->page);
	else
		say_body(peer, "404 Not Found", DATE, "text/html", "<p>no");
	return true;
}

struct run {
	struct script script;
	struct server *server;
	struct rig rig;
	struct answer answer;
};

static void run_begin(struct run *run)
{
	memset(run, 0, sizeof(*run));
	run->server = server_new(false, on_request, &run->script);
	rig_init(
	    &run->rig, &(struct rig_config){.url = server_url(run->server)});
	answer_init(&run->answer, 0, 0);
}

static void run_end(struct run *run)
{
	rig_fini(&run->rig);
	server_free(run->server);
	answer_fini(&run->answer);
}

static void next(struct run *run)
{
	answer_fini(&run->answer);
	answer_init(&run->answer, 0, 0);
}

static int run_stat(struct run *run, const char *path)
{
	next(run);
	rig_stat(&run->rig, path, &run->answer);
	return answer_wait(&run->answer);
}

static int run_list(struct run *run, const char *path)
{
	next(run);
	rig_list(&run->rig, path, &run->answer);
	return answer_wait(&run->answer);
}

static void attributes_come_by_propfind(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	assert_int_equal(run_stat(&run, "/f"), 0);
	assert_int_equal(run.answer.stat.kind, FETCH_FILE);
	assert_true(run.answer.stat.exact);
	assert_int_equal(run.answer.stat.version.size_bytes, 42);
	assert_int_equal(run.answer.stat.version.mtime_s, 1700000000);
	assert_string_equal(run.answer.stat.version.etag, "\"e\"");
	assert_int_equal(run_stat(&run, "/"), 0);
	assert_int_equal(run.answer.stat.kind, FETCH_DIRECTORY);
	/* DAV is known: an absence costs one question. */
	assert_int_equal(run_stat(&run, "/none"), -ENOENT);
	assert_int_equal(atomic_load(&run.script.propfinds), 3);
	assert_int_equal(atomic_load(&run.script.heads), 0);
	run_end(&run);
}

static void without_dav_is_learned(const char *status, const char *type)
{
	struct run run;

	run_begin(&run);
	run.script.propfind_status = status;
	run.script.propfind_type = type;
	run.script.page = "<html><a href=\"x\">x</a></html>";
	run.script.page_type = "text/html";
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_stat(&run, "/f"), 0);
		assert_int_equal(run.answer.stat.kind, FETCH_FILE);
		assert_int_equal(run.answer.stat.version.size_bytes, 43);
		assert_string_equal(run.answer.stat.version.etag, "\"h\"");
	}
	assert_int_equal(atomic_load(&run.script.propfinds), 1);
	assert_int_equal(atomic_load(&run.script.heads), 3);
	assert_int_equal(run_list(&run, "/d"), 0);
	assert_string_equal(run.answer.names, "x,");
	assert_int_equal(atomic_load(&run.script.propfinds), 1);
	run_end(&run);
}

static void a_server_without_dav_is_asked_by_propfind_once(void **state)
{
	(void)state;
	without_dav_is_learned("400 Bad Request", NULL);
	without_dav_is_learned("403 Forbidden", NULL);
	without_dav_is_learned("404 Not Found", NULL);
	without_dav_is_learned("405 Method Not Allowed", NULL);
	without_dav_is_learned("501 Not Implemented", NULL);
	without_dav_is_learned("200 OK", "text/html");
}

static void what_neither_method_finds_is_not_there(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	run.script.propfind_status = "404 Not Found";
	run.script.head_status = "404 Not Found";
	assert_int_equal(run_stat(&run, "/none"), -ENOENT);
	/* Nothing was learned of DAV by that. */
	run.script.propfind_status = NULL;
	assert_int_equal(run_stat(&run, "/f"), 0);
	assert_int_equal(run.answer.stat.version.size_bytes, 42);
	run_end(&run);
}

static void one_path_without_dav_does_not_end_it_for_all(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	assert_int_equal(run_stat(&run, "/f"), 0);
	run.script.propfind_status = "405 Method Not Allowed";
	assert_int_equal(run_stat(&run, "/f"), 0);
	assert_int_equal(run.answer.stat.version.size_bytes, 43);
	run.script.propfind_status = NULL;
	assert_int_equal(run_stat(&run, "/f"), 0);
	assert_int_equal(run.answer.stat.version.size_bytes, 42);
	assert_int_equal(atomic_load(&run.script.heads), 1);
	run_end(&run);
}

/* A login, or a portal that somebody trusts: neither file nor listing. */
static void a_page_of_a_server_with_dav_is_no_answer(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	assert_int_equal(run_stat(&run, "/f"), 0);
	run.script.propfind_status = "200 OK";
	run.script.propfind_type = "text/html";
	assert_int_equal(run_stat(&run, "/f"), -EIO);
	assert_int_equal(run_list(&run, "/d"), -EIO);
	assert_int_equal(atomic_load(&run.script.heads), 0);
	assert_int_equal(atomic_load(&run.script.gets), 0);
	run.script.propfind_status = NULL;
	assert_int_equal(run_stat(&run, "/f"), 0);
	assert_int_equal(run.answer.stat.version.size_bytes, 42);
	run_end(&run);
}

static void a_slash_that_a_directory_lacks_is_added_here(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	run.script.slash_redirects = true;
	assert_int_equal(run_stat(&run, "/d"), 0);
	assert_int_equal(run.answer.stat.kind, FETCH_DIRECTORY);
	assert_int_equal(server_requests(run.server), 2);

	run.script.propfind_status = "405 Method Not Allowed";
	assert_int_equal(run_stat(&run, "/d"), 0);
	assert_int_equal(run.answer.stat.kind, FETCH_DIRECTORY);
	run_end(&run);
}

static void a_listing_has_its_entries_and_not_itself(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	assert_int_equal(run_list(&run, "/d"), 0);
	assert_string_equal(run.answer.names, "one,two words,below/,");
	assert_int_equal(run.answer.restarts, 0);
	run_end(&run);
}

static void a_listing_that_is_cut_begins_again(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	run.script.cut_propfinds = 2;
	assert_int_equal(run_list(&run, "/d"), 0);
	assert_string_equal(run.answer.names, "one,two words,below/,");
	assert_int_equal(run.answer.restarts, 2);
	run_end(&run);
}

static void a_listing_of_a_file_is_enotdir(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	run.script.propfind_body = file_attributes;
	assert_int_equal(run_list(&run, "/f"), -ENOTDIR);
	run_end(&run);
}

static void the_first_answer_for_a_path_counts(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	run.script.propfind_body = MULTISTATUS(RESPONSE_DIRECTORY("/d/")
	        RESPONSE_FILE("/d/", "1") RESPONSE_FILE("/d/one", "1"));
	assert_int_equal(run_list(&run, "/d"), 0);
	assert_string_equal(run.answer.names, "one,");
	assert_int_equal(run_stat(&run, "/d"), 0);
	assert_int_equal(run.answer.stat.kind, FETCH_DIRECTORY);
	run_end(&run);
}

static void json_index_pages_are_read(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	run.script.propfind_status = "405 Method Not Allowed";
	run.script.page = "[{\"name\":\"a\",\"type\":\"file\",\"size\":3},"
	                  "{\"name\":\"b\",\"type\":\"directory\"}]";
	run.script.page_type = "application/json";
	assert_int_equal(run_list(&run, "/d"), 0);
	assert_string_equal(run.answer.names, "a,b/,");
	run_end(&run);
}

static void a_directory_that_nobody_lists_is_an_error(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	run.script.propfind_status = "405 Method Not Allowed";
	run.script.page = "\x89PNG";
	run.script.page_type = "image/png";
	assert_int_equal(run_list(&run, "/d"), -EIO);
	run_end(&run);
}

static void documents_that_are_none_give_eio(void **state)
{
	static const char *const bodies[] = {
	    "",
	    "no xml",
	    "<html><body>Login</body></html>",
	    "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]>"
	    "<D:multistatus xmlns:D=\"DAV:\">&b;</D:multistatus>",
	    "<D:multistatus xmlns:D=\"DAV:\"><D:response>",
	    MULTISTATUS(RESPONSE_FILE("/other", "42")),
	};
	struct run run;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		run_begin(&run);
		run.script.propfind_body = bodies[i];
		assert_int_equal(run_stat(&run, "/f"), -EIO);
		assert_int_equal(atomic_load(&run.script.propfinds), 4);
		assert_int_equal(atomic_load(&run.script.heads), 0);
		run_end(&run);
	}
}

static void attributes_without_end_are_left(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	run.script.endless = true;
	assert_int_equal(run_stat(&run, "/f"), -EIO);
	assert_int_equal(atomic_load(&run.script.propfinds), 1);
	run_end(&run);
}

static void xrootd_is_not_asked_for_names_that_it_cuts(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	run.script.propfind_body = file_attributes;
	run.script.server = "Server: XrootD/v5.5.3\r\n";
	/* It answers for "/f"; that answer tells who it is. */
	assert_int_equal(run_stat(&run, "/f?x"), -EINVAL);
	assert_int_equal(server_requests(run.server), 1);
	assert_int_equal(run_stat(&run, "/f?y"), -EINVAL);
	assert_int_equal(server_requests(run.server), 1);
	assert_int_equal(run_stat(&run, "/f"), 0);
	run_end(&run);
}

static void the_quota_is_asked_for_once_a_minute(void **state)
{
	struct run run;
	struct answer second;

	(void)state;
	run_begin(&run);
	answer_init(&second, 0, 0);
	rig_quota(&run.rig, &run.answer);
	rig_quota(&run.rig, &second);
	assert_int_equal(answer_wait(&run.answer), 0);
	assert_int_equal(answer_wait(&second), 0);
	assert_int_equal(run.answer.quota.available_bytes, 123);
	assert_int_equal(second.quota.available_bytes, 123);
	assert_int_equal(second.quota.used_bytes, 45);
	next(&run);
	rig_quota(&run.rig, &run.answer);
	assert_int_equal(answer_wait(&run.answer), 0);
	assert_int_equal(run.answer.quota.used_bytes, 45);
	assert_int_equal(server_requests(run.server), 1);
	answer_fini(&second);
	run_end(&run);
}

static void a_server_without_dav_does_not_say_its_quota(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run);
	run.script.propfind_status = "405 Method Not Allowed";
	rig_quota(&run.rig, &run.answer);
	assert_int_equal(answer_wait(&run.answer), 0);
	assert_int_equal(run.answer.quota.available_bytes, -1);
	assert_int_equal(run.answer.quota.used_bytes, -1);
	run_end(&run);
}

static void describing_shows_the_server_and_its_last_problem(void **state)
{
	struct run run;
	struct buf text;

	(void)state;
	run_begin(&run);
	buf_init(&text, 65536);
	assert_int_equal(run_stat(&run, "/f"), 0);
	assert_int_equal(fetch_describe(run.rig.fetch, &text), 0);
	assert_non_null(strstr(buf_text(&text), server_url(run.server)));
	assert_non_null(strstr(buf_text(&text), "\"state\":\"up\""));
	assert_non_null(strstr(buf_text(&text), "\"last_status\":207"));
	assert_non_null(strstr(buf_text(&text), "\"clock_skew_s\":"));
	assert_non_null(strstr(buf_text(&text), "\"last_error\":null"));
	assert_int_equal(fetch_silent_ms(run.rig.fetch), 0);
	run.script.propfind_body = "no xml";
	assert_int_equal(run_stat(&run, "/f"), -EIO);
	buf_clear(&text);
	assert_int_equal(fetch_describe_text(run.rig.fetch, &text), 0);
	assert_non_null(strstr(buf_text(&text), "last problem"));
	buf_fini(&text);
	run_end(&run);
}

#define CLUSTER_SERVER "Server: XrootD/v5.5.3\r\n"

/* A cluster of two servers, on addresses of their own. */
struct cluster_run {
	struct run run;
	struct script scripts[2];
	struct server *servers[2];
};

static void cluster_begin(struct cluster_run *cluster)
{
	static const char *const addresses[] = {"127.0.0.2", "127.0.0.3"};
	static const char *const parts[] = {
	    MULTISTATUS(RESPONSE_DIRECTORY("/d/") RESPONSE_FILE("/d/one", "1")
	            RESPONSE_DIRECTORY("/d/below/")),
	    MULTISTATUS(RESPONSE_DIRECTORY("/d/") RESPONSE_DIRECTORY(
	        "/d/below/") RESPONSE_FILE("/d/two", "2"))};

	run_begin(&cluster->run);
	memset(cluster->scripts, 0, sizeof(cluster->scripts));
	for (int i = 0; i < 2; i++) {
		struct script *script = &cluster->scripts[i];

		script->server = CLUSTER_SERVER;
		script->propfind_body = parts[i];
		cluster->servers[i] =
		    server_new_at(addresses[i], false, on_request, script);
		cluster->run.script.lead_to[i] =
		    server_url(cluster->servers[i]);
	}
	cluster->run.script.redirector = CLUSTER_SERVER;
	cluster->run.script.servers = 2;
}

static void cluster_end(struct cluster_run *cluster)
{
	run_end(&cluster->run);
	for (int i = 0; i < 2; i++)
		server_free(cluster->servers[i]);
}

static void a_cluster_is_listed_server_by_server(void **state)
{
	struct cluster_run cluster;

	(void)state;
	cluster_begin(&cluster);
	assert_int_equal(run_list(&cluster.run, "/d"), 0);
	assert_string_equal(cluster.run.answer.names, "one,below/,below/,two,");
	assert_int_equal(cluster.run.answer.restarts, 0);
	assert_int_equal(server_requests(cluster.run.server), 3);
	assert_int_equal(server_requests(cluster.servers[0]), 1);
	assert_int_equal(server_requests(cluster.servers[1]), 1);
	cluster_end(&cluster);
}

static void a_server_of_a_cluster_that_fails_begins_it_again(void **state)
{
	struct cluster_run cluster;

	(void)state;
	cluster_begin(&cluster);
	cluster.scripts[1].propfind_body = NULL;
	cluster.scripts[1].cut_propfinds = 1;
	assert_int_equal(run_list(&cluster.run, "/d"), 0);
	assert_string_equal(
	    cluster.run.answer.names, "one,below/,one,two words,below/,");
	assert_int_equal(cluster.run.answer.restarts, 1);
	assert_int_equal(atomic_load(&cluster.run.script.restarted), 2);
	cluster_end(&cluster);
}

static void another_redirect_is_no_cluster(void **state)
{
	struct cluster_run cluster;

	(void)state;
	cluster_begin(&cluster);
	cluster.run.script.redirector = DATE;
	assert_int_equal(run_list(&cluster.run, "/d"), 0);
	assert_string_equal(cluster.run.answer.names, "one,below/,");
	assert_int_equal(server_requests(cluster.run.server), 1);
	cluster_end(&cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(attributes_come_by_propfind),
	    cmocka_unit_test(a_server_without_dav_is_asked_by_propfind_once),
	    cmocka_unit_test(what_neither_method_finds_is_not_there),
	    cmocka_unit_test(one_path_without_dav_does_not_end_it_for_all),
	    cmocka_unit_test(a_page_of_a_server_with_dav_is_no_answer),
	    cmocka_unit_test(a_slash_that_a_directory_lacks_is_added_here),
	    cmocka_unit_test(a_cluster_is_listed_server_by_server),
	    cmocka_unit_test(a_server_of_a_cluster_that_fails_begins_it_again),
	    cmocka_unit_test(another_redirect_is_no_cluster),
	    cmocka_unit_test(a_listing_has_its_entries_and_not_itself),
	    cmocka_unit_test(a_listing_that_is_cut_begins_again),
	    cmocka_unit_test(a_listing_of_a_file_is_enotdir),
	    cmocka_unit_test(the_first_answer_for_a_path_counts),
	    cmocka_unit_test(json_index_pages_are_read),
	    cmocka_unit_test(a_directory_that_nobody_lists_is_an_error),
	    cmocka_unit_test(documents_that_are_none_give_eio),
	    cmocka_unit_test(attributes_without_end_are_left),
	    cmocka_unit_test(xrootd_is_not_asked_for_names_that_it_cuts),
	    cmocka_unit_test(the_quota_is_asked_for_once_a_minute),
	    cmocka_unit_test(a_server_without_dav_does_not_say_its_quota),
	    cmocka_unit_test(describing_shows_the_server_and_its_last_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
