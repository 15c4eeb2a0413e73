/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_index - an index page. First byte: 'j' JSON, 'r' HTML with raw names,
 * else HTML. The rest is parsed whole and in small pieces: both must say the
 * same, and no name may be one that a directory cannot have.
 */
#include "base/err.h"
#include "base/path.h"
#include "fetch/answers/index.h"
#include "fetch/fetch.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A running hash (FNV-1a) of everything that was told. */
static void mix(uint64_t *hash, const void *bytes, size_t size_bytes)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < size_bytes; i++)
		*hash = (*hash ^ p[i]) * UINT64_C(1099511628211);
}

static int on_entry(void *arg, const char *name, const struct fetch_stat *stat)
{
	if (!path_name_ok(name, strlen(name)) || stat->exact)
		abort();
	mix(arg, name, strlen(name) + 1);
	mix(arg, &stat->kind, sizeof(stat->kind));
	mix(arg, &stat->version.size_bytes, sizeof(uint64_t));
	mix(arg, &stat->version.mtime_s, sizeof(int64_t));
	return 0;
}

static uint64_t parse(
    const uint8_t *data, size_t size_bytes, size_t step, char kind)
{
	static const struct fetch_source source = {
	    .origin = "https://h:8443", .path = "/", .host = "h", .tls = true};
	uint64_t hash = UINT64_C(14695981039346656037);
	struct index_target target = {&hash, on_entry};
	struct index_parser *parser = NULL;
	struct err err = ERR_INIT;
	int code = 0;

	if (index_parser_new(&parser, kind == 'j' ? INDEX_JSON : INDEX_HTML,
	        &source, "/exp/alice", kind == 'r', &target) < 0)
		return 0;
	for (size_t at = 0; at < size_bytes && code == 0; at += step) {
		size_t n = size_bytes - at < step ? size_bytes - at : step;

		code = index_parser_feed(parser, data + at, n, &err);
	}
	if (code == 0)
		code = index_parser_end(parser, &err);
	mix(&hash, &code, sizeof(code));
	index_parser_free(parser);
	return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	uint64_t whole;

	if (size_bytes == 0)
		return 0;
	whole = parse(data + 1, size_bytes - 1, SIZE_MAX, (char)data[0]);
	if (parse(data + 1, size_bytes - 1, 1, (char)data[0]) != whole)
		abort();
	return 0;
}
