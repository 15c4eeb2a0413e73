/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/source_url.c - URLs: from a source and a path, and from a redirect.
 * See source.h.
 *
 * Relative references are resolved by libcurl's URL parser (RFC 3986,
 * section 5.2); who may get a token is decided by source_host_of() on the
 * text that is then given to libcurl, and never on another reading of it.
 */
#include "base/path.h"
#include "fetch/source.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

int source_url(struct buf *out, const struct fetch_source *source,
    const char *path, bool directory)
{
	(void)buf_append(out, source->origin, strlen(source->origin));
	(void)path_encode(out, path);
	if (directory && path[1] != '\0')
		(void)buf_append(out, "/", 1);
	return buf_code(out);
}

/* A URL is written into a request line: nothing in it may end that line,
 * nor may libcurl be asked to read a blank in one of two ways. */
static bool has_bad_byte(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text <= 0x20 || *text == 0x7f)
			return true;
	}
	return false;
}

/* Append the query without its authz= parameters: an old token of somebody
 * else's making must not go on in our name. */
static void append_query(struct buf *out, const char *query, size_t size_bytes)
{
	const char *end = query + size_bytes;
	char before = '?';

	while (query < end) {
		size_t n = 0;

		while (query + n < end && query[n] != '&')
			n++;
		if (n > 0 && (n < 6 || strncasecmp(query, "authz=", 6) != 0)) {
			(void)buf_append(out, &before, 1);
			(void)buf_append(out, query, n);
			before = '&';
		}
		query += n + (query + n < end);
	}
}

static int code_of(CURLUcode code)
{
	switch ((int)code) {
	case CURLUE_OK:
		return 0;
	case CURLUE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLUE_UNSUPPORTED_SCHEME:
		return -EPROTONOSUPPORT;
	default:
		return -EBADMSG;
	}
}

/* `location` seen from `base_url`, as libcurl reads it; *text is freed with
 * curl_free(). */
static int absolute(char **text, const char *base_url, const char *location)
{
	CURLU *url = curl_url();
	CURLUcode code = CURLUE_OUT_OF_MEMORY;

	if (url == NULL)
		return -ENOMEM;
	code = curl_url_set(url, CURLUPART_URL, base_url, CURLU_PATH_AS_IS);
	if (code == CURLUE_OK)
		code = curl_url_set(
		    url, CURLUPART_URL, location, CURLU_DISALLOW_USER);
	if (code == CURLUE_OK)
		code = curl_url_get(url, CURLUPART_URL, text, 0);
	curl_url_cleanup(url);
	return code_of(code);
}

/* How a reference begins: with a scheme of ours and then a plain host, with
 * another scheme ("ftp://", "file:"), or with none. libcurl would read
 * "https:///x" as a host x, and a scheme that it does not know as a path. */
static int check_scheme(const char *location)
{
	struct source_host host;
	size_t n = strcspn(location, ":/?#");

	if (location[n] != ':' || n == 0)
		return 0;
	if (!(n == 5 && strncasecmp(location, "https", 5) == 0) &&
	    !(n == 4 && strncasecmp(location, "http", 4) == 0))
		return -EPROTONOSUPPORT;
	return source_host_of(&host, location) < 0 ? -EBADMSG : 0;
}

int source_resolve(struct buf *out, const char *base_url, const char *location)
{
	struct source_host host;
	char *text = NULL;
	size_t path_bytes;
	size_t whole_bytes;
	int code;

	buf_clear(out);
	if (location[0] == '\0' || strlen(location) >= FETCH_URL_BYTES_MAX ||
	    has_bad_byte(location))
		return -EBADMSG;
	code = check_scheme(location);
	if (code < 0)
		return code;
	code = absolute(&text, base_url, location);
	if (code < 0)
		return code;
	whole_bytes = strcspn(text, "#");
	path_bytes = strcspn(text, "?#");
	(void)buf_append(out, text, path_bytes);
	if (text[path_bytes] == '?')
		append_query(
		    out, text + path_bytes + 1, whole_bytes - path_bytes - 1);
	curl_free(text);
	code = buf_code(out);
	if (code == -ENOMEM)
		return code;
	if (code < 0 || out->size_bytes >= FETCH_URL_BYTES_MAX ||
	    source_host_of(&host, buf_text(out)) < 0)
		return -EBADMSG;
	return 0;
}
