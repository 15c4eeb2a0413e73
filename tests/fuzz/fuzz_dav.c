/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_dav - a PROPFIND answer. First byte: 'u' for hrefs that are not
 * encoded, else they are. The rest is parsed whole and in small pieces: both
 * must say the same, and no name may be one that a directory cannot have.
 */
#include "base/err.h"
#include "base/path.h"
#include "fetch/answers/dav.h"
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

static void mix_stat(uint64_t *hash, const struct fetch_stat *stat)
{
	mix(hash, &stat->kind, sizeof(stat->kind));
	mix(hash, &stat->exact, sizeof(stat->exact));
	mix(hash, &stat->version.size_bytes, sizeof(uint64_t));
	mix(hash, &stat->version.mtime_s, sizeof(int64_t));
	mix(hash, stat->version.etag, strlen(stat->version.etag));
}

static void on_self(void *arg, const struct fetch_stat *stat)
{
	mix_stat(arg, stat);
}

static int on_entry(void *arg, const char *name, const struct fetch_stat *stat)
{
	if (!path_name_ok(name, strlen(name)))
		abort();
	mix(arg, name, strlen(name) + 1);
	mix_stat(arg, stat);
	return 0;
}

static void on_quota(void *arg, int64_t available_bytes, int64_t used_bytes)
{
	mix(arg, &available_bytes, sizeof(available_bytes));
	mix(arg, &used_bytes, sizeof(used_bytes));
}

static uint64_t parse(
    const uint8_t *data, size_t size_bytes, size_t step, bool unescaped)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	struct dav_target target = {&hash, on_self, on_entry, on_quota};
	struct dav_parser *parser = NULL;
	struct err err = ERR_INIT;
	int code = 0;

	if (dav_parser_new(&parser, "/exp/alice", unescaped, &target) < 0)
		return 0;
	for (size_t at = 0; at < size_bytes && code == 0; at += step) {
		size_t n = size_bytes - at < step ? size_bytes - at : step;

		code = dav_parser_feed(parser, data + at, n, &err);
	}
	if (code == 0)
		code = dav_parser_end(parser, &err);
	mix(&hash, &code, sizeof(code));
	dav_parser_free(parser);
	return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	bool unescaped;
	uint64_t whole;

	if (size_bytes == 0)
		return 0;
	unescaped = data[0] == 'u';
	whole = parse(data + 1, size_bytes - 1, SIZE_MAX, unescaped);
	if (parse(data + 1, size_bytes - 1, 1, unescaped) != whole ||
	    parse(data + 1, size_bytes - 1, 7, unescaped) != whole)
		abort();
	return 0;
}
