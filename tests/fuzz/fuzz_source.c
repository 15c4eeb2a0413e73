/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_source - up to three lines: a source, a Location, a host pattern.
 * What is accepted must keep the promises of source.h: no URL that leads
 * elsewhere than it says, no authz= left, no path that is not normal.
 */
#include "base/err.h"
#include "base/path.h"
#include "fetch/source.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void try_source(const char *text)
{
	struct fetch_source source;
	struct fetch_source again;
	struct source_host host;
	struct err err = ERR_INIT;
	struct buf url;

	if (fetch_source_parse(&source, text, true, &err) < 0)
		return;
	check(path_is_normal(source.path));
	check(source_host_of(&host, source.origin) == 0);
	check(host.tls == source.tls);
	check(strcmp(host.host, source.host) == 0);
	buf_init(&url, 3 * PATH_BYTES_MAX + 1024);
	check(source_url(&url, &source, source.path, false) == 0);
	check(fetch_source_parse(&again, buf_text(&url), true, &err) == 0);
	check(strcmp(again.origin, source.origin) == 0);
	check(strcmp(again.path, source.path) == 0);
	buf_fini(&url);
}

static void try_location(const char *text)
{
	struct source_host host;
	struct buf out;

	buf_init(&out, FETCH_URL_BYTES_MAX);
	if (source_resolve(&out, "https://h.example:1/d/e?q", text) == 0) {
		const char *query = strchr(buf_text(&out), '?');

		check(source_host_of(&host, buf_text(&out)) == 0);
		check(strchr(buf_text(&out), '#') == NULL);
		check(query == NULL || strstr(query, "&authz=") == NULL);
		check(query == NULL || strncmp(query, "?authz=", 7) != 0);
	}
	buf_fini(&out);
}

static void try_pattern(const char *text)
{
	struct source_host host;

	check(source_host_of(&host, "https://a.pool.example:8443/") == 0);
	if (source_pattern_matches(text, &host))
		check(source_pattern_ok(text));
	check(source_host_of(&host, "https://[::1]/") == 0);
	(void)source_pattern_matches(text, &host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	char *text = malloc(size_bytes + 1);
	char *rest = text;

	if (text == NULL)
		return 0;
	if (size_bytes > 0)
		memcpy(text, data, size_bytes);
	text[size_bytes] = '\0';
	try_source(strsep(&rest, "\n"));
	if (rest != NULL)
		try_location(strsep(&rest, "\n"));
	if (rest != NULL)
		try_pattern(strsep(&rest, "\n"));
	free(text);
	return 0;
}
