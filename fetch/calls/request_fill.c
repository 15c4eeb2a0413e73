/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/request_fill.c - what differs from request to request: method,
 * URL, headers. See request.h; upload.c has the bytes that are sent.
 *
 * Headers are nodes of a curl_slist that are part of the request, so that a
 * range costs no allocation here. libcurl reads them while it sends and
 * never changes or frees them.
 *
 * Threads: the fetch thread. libcurl's callbacks come there too.
 * Sources: libcurl's manual; RFC 9110 sections 12.5.3, 13.1.1, 14.2; RFC 4918
 * section 9.1.
 */
#include "base/secret.h"
#include "fetch/answers/digest_header.h"
#include "fetch/calls/request.h"
#include "fetch/changes/feed.h"
#include "fetch/engine.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* libcurl sends a request again by itself when a kept connection ends without
 * an answer. What changes something may have been done by then: whether it is
 * sent again is decided in change_call.c. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static int on_issue(void *arg, char *to, char *from, int to_port, int from_port)
{
	struct request *request = arg;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	fetch_assert_thread(request->fetch);
	if (request->issued)
		return CURL_PREREQFUNC_ABORT;
	request->issued = true;
	return CURL_PREREQFUNC_OK;
}

static bool changes(enum request_method method)
{
	return method >= REQUEST_PUT;
}

static const char *const method_names[] = {
    [REQUEST_PROPFIND] = "PROPFIND",
    [REQUEST_DELETE] = "DELETE",
    [REQUEST_MKCOL] = "MKCOL",
    [REQUEST_MOVE] = "MOVE",
    [REQUEST_COPY] = "COPY",
};

static int set_method(
    struct request *request, enum request_method method, const char *body)
{
	CURL *easy = request->easy;
	CURLcode result = CURLE_OK;

	if (!request->method_known || request->method != method) {
		/* Back to a plain GET, without body and compression. */
		(void)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
		(void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, NULL);
		if (method == REQUEST_HEAD)
			(void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		if (method == REQUEST_PROPFIND) {
			(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
			result = curl_easy_setopt(
			    easy, CURLOPT_ACCEPT_ENCODING, "gzip");
		}
		(void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION,
		    changes(method) ? on_issue : NULL);
		(void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, request);
		if (method == REQUEST_PUT)
			result = request_set_upload(request);
		if (result == CURLE_OK)
			result = curl_easy_setopt(
			    easy, CURLOPT_CUSTOMREQUEST, method_names[method]);
		request->method = method;
		request->method_known = result == CURLE_OK;
	}
	if (method == REQUEST_PROPFIND) {
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
		(void)curl_easy_setopt(
		    easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	}
	return result == CURLE_OK ? 0 : -ENOMEM;
}

/* A line that outlives the request. libcurl's type has no const, and libcurl
 * does not write to it. */
static void add_header(struct request *request, const char *line)
{
	struct curl_slist *node = &request->headers[request->header_count];

	assert(request->header_count < REQUEST_HEADERS_MAX);
	node->data = (char *)(uintptr_t)line;
	node->next = NULL;
	if (request->header_count > 0)
		request->headers[request->header_count - 1].next = node;
	request->header_count++;
}

static void add_headers(
    struct request *request, const struct request_plan *plan)
{
	request->header_count = 0;
	if (request->authorization != NULL)
		add_header(request, secret_reveal(request->authorization));
	if (plan->ranged) {
		(void)snprintf(request->range, sizeof(request->range),
		    "Range: bytes=%" PRIu64 "-%" PRIu64, plan->first_bytes,
		    plan->last_bytes);
		add_header(request, request->range);
	}
	if (plan->range_text != NULL)
		add_header(request, plan->range_text);
	if (plan->if_match != NULL && plan->if_match[0] != '\0') {
		(void)snprintf(request->if_match, sizeof(request->if_match),
		    "If-Match: %s", plan->if_match);
		add_header(request, request->if_match);
	}
	if (plan->method == REQUEST_PROPFIND) {
		add_header(request, plan->depth_one ? "Depth: 1" : "Depth: 0");
		add_header(request, "Content-Type: application/xml");
	} else {
		add_header(request, "Accept-Encoding: identity");
	}
	if (plan->digest) {
		add_header(request, DIGEST_WANT);
		add_header(request, DIGEST_WANT_REPR);
	}
	if (plan->pages)
		add_header(
		    request, "Accept: application/json, text/html;q=0.9");
	for (unsigned i = 0; i < REQUEST_LINES_MAX; i++) {
		if (plan->lines[i] != NULL)
			add_header(request, plan->lines[i]);
	}
}

/* HTTP/2 is asked for only to see whether it is there: on a connection that
 * nobody else uses. */
static void set_version(struct request *request, bool http2)
{
	if (request->http2 == http2)
		return;
	request->http2 = http2;
	(void)curl_easy_setopt(request->easy, CURLOPT_HTTP_VERSION,
	    http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(
	    request->easy, CURLOPT_FRESH_CONNECT, http2 ? 1L : 0L);
	(void)curl_easy_setopt(
	    request->easy, CURLOPT_FORBID_REUSE, http2 ? 1L : 0L);
}

int request_fill(struct request *request, const struct request_plan *plan)
{
	if (set_method(request, plan->method, plan->body) < 0)
		return -ENOMEM;
	set_version(request, plan->http2);
	if (plan->upload != NULL)
		request_upload(request, plan->upload);
	add_headers(request, plan);
	network_prepare(request->fetch, request->easy);
	(void)curl_easy_setopt(
	    request->easy, CURLOPT_HTTPHEADER, request->headers);
	if (buf_code(&request->url) < 0 ||
	    curl_easy_setopt(request->easy, CURLOPT_URL,
	        buf_text(&request->url)) != CURLE_OK)
		return -ENOMEM;
	return 0;
}
