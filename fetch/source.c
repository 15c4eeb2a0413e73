/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/source.c - see source.h; hosts and patterns.
 *
 * Absolute URLs are taken apart here and not by libcurl, because what counts
 * is who gets a token: only what is plainly a host name, an IPv4 or an IPv6
 * address is taken for a host, everything else is refused.
 */
#include "fetch/source.h"

#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static bool is_v6_char(char c)
{
	return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
	    (c >= '0' && c <= '9') || c == ':' || c == '.';
}

/* Digits to a port; 0: none. */
static unsigned port_of(const char *text, size_t size_bytes)
{
	unsigned port = 0;

	if (size_bytes == 0 || size_bytes > 5)
		return 0;
	for (size_t i = 0; i < size_bytes; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	return port <= UINT16_MAX ? port : 0;
}

/* A host, and behind it perhaps a port, as in an authority. */
struct host_port {
	const char *host; /* without brackets */
	size_t host_bytes;
	unsigned port; /* 0: not given */
};

/* Take "host", "host:port", "[v6]" or "[v6]:port" apart. An empty port
 * ("host:") stands for none: RFC 3986, section 3.2.3. */
static bool split_host(
    struct host_port *out, const char *text, size_t size_bytes)
{
	size_t at = 0;
	bool v6 = size_bytes > 0 && text[0] == '[';

	if (v6) {
		text++;
		size_bytes--;
	}
	while (at < size_bytes &&
	    (v6 ? is_v6_char(text[at]) : is_host_char(text[at])))
		at++;
	out->host = text;
	out->host_bytes = at;
	out->port = 0;
	if (at == 0 || at >= sizeof(((struct source_host *)0)->host))
		return false;
	if (v6 && (at == size_bytes || text[at++] != ']'))
		return false;
	if (at == size_bytes)
		return true;
	if (text[at++] != ':')
		return false;
	out->port = port_of(text + at, size_bytes - at);
	return out->port != 0 || at == size_bytes;
}

/* The authority of a URL: what stands behind "//". */
static size_t authority_bytes(const char *text)
{
	return strcspn(text, "/?#");
}

/* The letters behind "https://" or "http://"; NULL: another scheme. */
static const char *after_scheme(const char *url, bool *tls)
{
	if (strncasecmp(url, "https://", 8) == 0) {
		*tls = true;
		return url + 8;
	}
	*tls = false;
	return strncasecmp(url, "http://", 7) == 0 ? url + 7 : NULL;
}

int source_host_of(struct source_host *out, const char *url)
{
	struct host_port host;
	bool tls;
	const char *authority = after_scheme(url, &tls);

	if (authority == NULL ||
	    !split_host(&host, authority, authority_bytes(authority)))
		return -EINVAL;
	out->tls = tls;
	out->port = (uint16_t)(host.port != 0 ? host.port : tls ? 443 : 80);
	for (size_t i = 0; i < host.host_bytes; i++) {
		char c = host.host[i];

		out->host[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	out->host[host.host_bytes] = '\0';
	return 0;
}

bool source_host_equal(const struct source_host *a, const struct source_host *b)
{
	return a->tls == b->tls && a->port == b->port &&
	    strcmp(a->host, b->host) == 0;
}

/* A domain behind "*.": at least two labels, none of them empty. "*.org"
 * would hand the token to half the world. */
static bool is_domain(const char *text, size_t size_bytes)
{
	bool has_dot = false;

	for (size_t i = 0; i < size_bytes; i++) {
		if (text[i] == ':')
			return false; /* an address has no domain */
		if (text[i] != '.')
			continue;
		if (i == 0 || i + 1 == size_bytes || text[i + 1] == '.')
			return false;
		has_dot = true;
	}
	return has_dot;
}

bool source_pattern_ok(const char *pattern)
{
	struct host_port host;
	bool wild = strncmp(pattern, "*.", 2) == 0;

	if (wild)
		pattern += 2;
	if (!split_host(&host, pattern, strlen(pattern)))
		return false;
	return !wild || is_domain(host.host, host.host_bytes);
}

bool source_pattern_matches(const char *pattern, const struct source_host *host)
{
	struct host_port wanted;
	bool wild = strncmp(pattern, "*.", 2) == 0;
	size_t size_bytes = strlen(host->host);
	const char *tail = host->host;

	if (!source_pattern_ok(pattern))
		return false;
	pattern += wild ? 2 : 0;
	if (!split_host(&wanted, pattern, strlen(pattern)))
		return false;
	if (wanted.port != 0 && wanted.port != host->port)
		return false;
	if (wild) {
		/* At least one character and the dot stand before it. */
		if (size_bytes < wanted.host_bytes + 2)
			return false;
		tail += size_bytes - wanted.host_bytes;
		if (tail[-1] != '.')
			return false;
	} else if (size_bytes != wanted.host_bytes) {
		return false;
	}
	return strncasecmp(tail, wanted.host, wanted.host_bytes) == 0;
}

bool source_token_may_go(const struct fetch_source *source,
    const char *const *patterns, unsigned pattern_count,
    const struct source_host *host)
{
	struct source_host own;

	if (!host->tls)
		return false;
	if (source != NULL && source_host_of(&own, source->origin) == 0 &&
	    source_host_equal(&own, host))
		return true;
	for (unsigned i = 0; i < pattern_count; i++) {
		if (source_pattern_matches(patterns[i], host))
			return true;
	}
	return false;
}

/* Whether every byte may stand in a URL that a person typed: blanks and
 * bytes above 0x7f are left to path_encode(), control bytes are a mistake. */
static bool has_control(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	}
	return false;
}

/* The decoded path without slashes at its end; "/" for none. */
static int parse_path(
    struct fetch_source *out, const char *path, struct err *err)
{
	size_t size_bytes = strlen(path);
	int decoded;

	while (size_bytes > 0 && path[size_bytes - 1] == '/')
		size_bytes--;
	if (size_bytes == 0) {
		memcpy(out->path, "/", 2);
		return 0;
	}
	if (size_bytes >= sizeof(out->path))
		return err_set(err, -EINVAL, "source: its path is too long");
	if (strcasestr(path, "%2f") != NULL)
		return err_set(err, -EINVAL,
		    "source: %%2F in a path is not supported; write '/'");
	decoded = path_decode(out->path, path, size_bytes);
	if (decoded < 0 || !path_is_normal(out->path))
		return err_set(err, -EINVAL,
		    "source: its path has an empty, '.' or '..' part; "
		    "write it without");
	return 0;
}

static void write_origin(
    struct fetch_source *out, const struct source_host *host)
{
	bool v6 = strchr(host->host, ':') != NULL;
	bool usual = host->port == (host->tls ? 443 : 80);
	char port[8] = "";

	if (!usual)
		(void)snprintf(port, sizeof(port), ":%u", host->port);
	(void)snprintf(out->origin, sizeof(out->origin), "%s://%s%s%s%s",
	    host->tls ? "https" : "http", v6 ? "[" : "", host->host,
	    v6 ? "]" : "", port);
	out->tls = host->tls;
	memcpy(out->host, host->host, sizeof(out->host));
}

int fetch_source_parse(struct fetch_source *out, const char *url,
    bool insecure_http, struct err *err)
{
	struct source_host host;
	bool tls;
	const char *authority = after_scheme(url, &tls);

	*out = (struct fetch_source){0};
	if (authority == NULL && strstr(url, "://") == NULL)
		return err_set(
		    err, -EINVAL, "source: no URL; write https://host/path");
	if (authority == NULL)
		return err_set(err, -EPROTONOSUPPORT,
		    "source: its scheme is not supported; use https://");
	if (!tls && !insecure_http)
		return err_set(err, -EPROTONOSUPPORT,
		    "source: http:// is not encrypted; use https://");
	/* No part of the URL is repeated: it may hold a password. */
	if (memchr(authority, '@', authority_bytes(authority)) != NULL)
		return err_set(err, -EINVAL,
		    "source: a user in the URL is not supported; a token is "
		    "what opens it");
	if (strpbrk(authority, "?#") != NULL)
		return err_set(err, -EINVAL,
		    "source: a query or fragment; write %%3F for '?' and "
		    "%%23 for '#'");
	if (has_control(url))
		return err_set(err, -EINVAL, "source: a control character");
	if (source_host_of(&host, url) < 0)
		return err_set(err, -EINVAL,
		    "source: no host name, or a bad port; write "
		    "https://host[:port]/path");
	write_origin(out, &host);
	return parse_path(out, authority + authority_bytes(authority), err);
}
