/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/request.c - see request.h; request_fill.c has what is asked.
 *
 * Threads: the fetch thread. libcurl's callbacks come there too.
 * Source: libcurl's manual.
 */
#include "fetch/calls/request.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/stats.h"
#include "fetch/changes/feed.h"
#include "fetch/engine.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char system_ca_file[] = "/etc/ssl/certs/ca-certificates.crt";

static void has_heard(struct request *request, size_t size_bytes)
    REQUIRES(fetch_thread);
static void has_heard(struct request *request, size_t size_bytes)
{
	request->heard_ms = request->fetch->now_ms;
	request->window_bytes += size_bytes;
	server_heard(request->call->server, request->fetch->now_ms);
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct request *request = arg;
	struct fetch *fetch = request->fetch;
	size_t size_bytes = size * count;

	fetch_assert_thread(fetch);
	has_heard(request, size_bytes);
	if (response_line(&request->response, line, size_bytes,
	        (int64_t)clock_wall_s(fetch->clock)) < 0) {
		request->verdict = call_again(request->call, RETRY_BAD,
		    "headers that are none, or without end");
		return 0;
	}
	if (request->response.ended && request->verdict.kind == VERDICT_NONE) {
		request->mark_ms = fetch->now_ms;
		call_head(request);
		/* A long body that nobody wants is not worth reading. */
		if (request->verdict.kind != VERDICT_TAKE &&
		    request->response.length_known &&
		    request->response.length_bytes > REQUEST_DRAIN_BYTES &&
		    request->method != REQUEST_HEAD)
			return 0;
	}
	return size_bytes;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct request *request = arg;
	struct fetch *fetch = request->fetch;
	size_t size_bytes = size * count;

	fetch_assert_thread(fetch);
	has_heard(request, size_bytes);
	request->body_bytes += size_bytes;
	atomic_fetch_add_explicit(&request->call->server->received_bytes,
	    size_bytes, memory_order_relaxed);
	stats_add(STATS_fetch_received_bytes, (int64_t)size_bytes);
	if (request->call->kind->ask_second != NULL)
		hedge_earn(&fetch->hedge_budget, size_bytes);
	return call_body(request, bytes, size_bytes) ? size_bytes : 0;
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void init_curl(void)
{
	curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

CURLcode request_start_curl(void)
{
	(void)pthread_once(&curl_once, init_curl);
	return curl_ready;
}

void request_set_trust(CURL *easy, const char *file, const char *dir)
{
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	(void)curl_easy_setopt(
	    easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* libcurl keeps the parsed bundle for later connections only when no
	 * directory is set; both are by default, and parsing costs 10 ms. */
	if (file == NULL && dir == NULL && access(system_ca_file, R_OK) == 0)
		file = system_ca_file;
	if (file == NULL && dir == NULL)
		return;
	(void)curl_easy_setopt(easy, CURLOPT_CAINFO, file);
	(void)curl_easy_setopt(easy, CURLOPT_CAPATH, dir);
}

/* libcurl looks for six variables with each request; once is enough when none
 * is set. */
bool request_wants_proxy(void)
{
	static const char *const names[] = {"http_proxy", "https_proxy",
	    "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		/* Before the daemon's threads change the environment. */
		const char *value =
		    getenv(names[i]); /* NOLINT(concurrency-mt-unsafe) */

		if (value != NULL && value[0] != '\0')
			return true;
	}
	return false;
}

/* What stays the same for all requests of a handle. */
static void set_constants(struct request *request, CURL *easy)
{
	const struct fetch *fetch = request->fetch;

	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->problem);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
	/* A handle may be taken out while its name is looked up; without this
	 * libcurl would wait for the resolver. */
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
	    fetch->origin->source.tls ? "https" : "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
	(void)curl_easy_setopt(
	    easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	if (!fetch->proxied)
		(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(
	    easy, CURLOPT_CONNECTTIMEOUT_MS, (long)FETCH_CONNECT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "bearerfs");
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	request_set_trust(easy, fetch->ca_file, fetch->ca_dir);
}

static struct request *request_new(struct fetch *fetch)
{
	struct request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return NULL;
	request->easy = curl_easy_init();
	if (request->easy == NULL) {
		free(request);
		return NULL;
	}
	request->fetch = fetch;
	buf_init(&request->url, (size_t)FETCH_URL_BYTES_MAX * 2);
	set_constants(request, request->easy);
	loop_prepare(&fetch->loop, request->easy);
	return request;
}

struct request *request_take(struct fetch *fetch)
{
	struct loop *loop = &fetch->loop;
	struct request *request = TAILQ_FIRST(&loop->idle);

	if (request != NULL) {
		TAILQ_REMOVE(&loop->idle, request, link);
		loop->idle_count--;
	} else {
		request = request_new(fetch);
		if (request == NULL)
			return NULL;
	}
	response_clear(&request->response);
	buf_clear(&request->url);
	request->verdict = (struct verdict){.kind = VERDICT_NONE};
	request->body_bytes = 0;
	request->issued = false;
	request->problem[0] = '\0';
	request->began_ms = fetch->now_ms;
	request->heard_ms = fetch->now_ms;
	request->window_ms = fetch->now_ms;
	request->window_bytes = 0;
	request->mark_ms = fetch->now_ms;
	request->mark_bytes = 0;
	return request;
}

static void request_free(struct request *request)
{
	curl_easy_cleanup(request->easy);
	buf_fini(&request->url);
	secret_put(request->authorization);
	free(request);
}

void request_give_back(struct request *request)
{
	struct loop *loop = &request->fetch->loop;

	request->call = NULL;
	(void)curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, NULL);
	secret_put(STEAL(request->authorization));
	if (request->upload != NULL)
		feed_end(request->upload);
	feed_put(STEAL(request->upload));
	if (loop->idle_count >= REQUEST_IDLE_MAX) {
		request_free(request);
		return;
	}
	TAILQ_INSERT_HEAD(&loop->idle, request, link);
	loop->idle_count++;
}

void request_free_idle(struct fetch *fetch)
{
	struct loop *loop = &fetch->loop;
	struct request *request;

	while ((request = TAILQ_FIRST(&loop->idle)) != NULL) {
		TAILQ_REMOVE(&loop->idle, request, link);
		request_free(request);
	}
	loop->idle_count = 0;
}
