/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_response - the headers of a whole answer, line by line as libcurl
 * gives them, judged as the answer to a range and followed as a redirect.
 * What is said to fit must be what was asked for; where the token may go
 * must be the origin or a named host.
 */
#include "base/buf.h"
#include "base/err.h"
#include "fetch/answers/response.h"
#include "fetch/calls/redirect.h"
#include "fetch/servers/server.h"
#include "fetch/source.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct fetch_version version = {
    .size_bytes = 1000, .mtime_s = 1700000000, .etag = "\"a\""};

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void judge(const struct response *response, const char *etag)
{
	struct response_want want = {.offset_bytes = 100,
	    .length_bytes = 100,
	    .version = &version,
	    .etag = etag};
	struct err err = ERR_INIT;
	enum response_fit fit = response_fit_of(response, &want, &err);

	if (fit != RESPONSE_FITS && fit != RESPONSE_FITS_MAY) {
		check(err.text[0] != '\0');
		return;
	}
	/* A 200 would be the whole file, which was not asked for. */
	check(response->status == 206 && response->problem == NULL);
	check(response->range.first_bytes == 100);
	check(response->range.last_bytes == 199);
	check(!response->length_known || response->length_bytes == 100);
	check(!response->encoded);
	if (etag[0] != '\0' && response->etag[0] != '\0')
		check(strcmp(etag, response->etag) == 0);
}

static void follow(const char *location)
{
	static const char *const hosts[] = {"*.pool.example.org"};
	struct fetch_server door = {
	    .source = {.origin = "https://door.example.org",
	        .host = "door.example.org",
	        .path = "/",
	        .tls = true},
	    .is_origin = true,
	};
	struct redirect_rules rules = {.servers = &door,
	    .server_count = 1,
	    .tls = true,
	    .hosts = hosts,
	    .host_count = 1};
	struct redirect_seen seen = {
	    "https://door.example.org/d/f", location, 0};
	struct redirect redirect;
	struct source_host host;
	struct buf url;
	struct err err;

	buf_init(&url, FETCH_URL_BYTES_MAX);
	if (redirect_look(&redirect, &url, &rules, &seen, &err) == 0 &&
	    redirect.kind == REDIRECT_AWAY) {
		check(strncmp(buf_text(&url), "https://", 8) == 0);
		check(source_host_of(&host, buf_text(&url)) == 0);
		check(host.tls);
		if (redirect.token_may_go)
			check((strcmp(host.host, "door.example.org") == 0 &&
			          host.port == 443) ||
			    (strlen(host.host) > 17 &&
			        strcmp(host.host + strlen(host.host) - 17,
			            ".pool.example.org") == 0));
	}
	buf_fini(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	static struct response response;
	const char *at = (const char *)data;

	response_clear(&response);
	while (size_bytes > 0) {
		const char *newline = memchr(at, '\n', size_bytes);
		size_t line_bytes =
		    newline == NULL ? size_bytes : (size_t)(newline - at) + 1;

		if (response_line(&response, at, line_bytes, 1800000000) < 0)
			break;
		at += line_bytes;
		size_bytes -= line_bytes;
	}
	check(response.header_count <= RESPONSE_HEADERS_MAX + 1);
	check(strlen(response.location) < sizeof(response.location));
	if (response.digest.known)
		check(fetch_digest_size(response.digest.algorithm) >= 4);
	judge(&response, "");
	judge(&response, version.etag);
	follow(response.location);
	return 0;
}
