/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/curl_tool.h - what the programs that measure libcurl share: a
 * connection with the token of BEARER_TOKEN and the authority of
 * CURL_CA_BUNDLE, HTTP/1.1.
 */
#ifndef BENCH_CURL_TOOL_H
#define BENCH_CURL_TOOL_H

#include <curl/curl.h>

#include "tool.h"

static inline void set(CURLcode code)
{
	if (code != CURLE_OK)
		die("curl: %s", curl_easy_strerror(code));
}

/* With one more header (NULL: none). Its headers live as long as the
 * program. */
static inline CURL *connection(const char *header)
{
	const char *token = getenv("BEARER_TOKEN");
	struct curl_slist *headers = NULL;
	CURL *easy = curl_easy_init();
	char line[8192];

	if (easy == NULL || token == NULL)
		die("no memory, or no BEARER_TOKEN");
	(void)snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
	headers = curl_slist_append(headers, line);
	if (header != NULL)
		headers = curl_slist_append(headers, header);
	set(curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers));
	set(curl_easy_setopt(
	    easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
	set(curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("CURL_CA_BUNDLE")));
	set(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
	return easy;
}

#endif
