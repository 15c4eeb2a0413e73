/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/claims/json.h - JSON from outside, under bounds of our own, by cJSON.
 *
 * What cJSON does not bound or hides is refused before it sees the text: deep
 * nesting (it recurses), and \u0000 (it would cut a string short, so that a
 * claim could look different here and on the server).
 *
 * Threads: every function may be called from any thread after token_json_start().
 * Source: RFC 8259.
 */
#ifndef TOKENS_JSON_H
#define TOKENS_JSON_H

#include "base/attr.h"

#include <stddef.h>

#include <cjson/cJSON.h>

enum {
	JSON_BYTES_MAX = 64 * 1024,
	JSON_DEPTH_MAX = 16, /* tokens nest three deep at most */
};

/** Set cJSON up, once for the process: its allocator is told to remember a
 *  failure, which cJSON itself reports as bad text. Before other threads use
 *  cJSON; later calls do nothing. */
void token_json_start(void);

/**
 * Parse a whole text as one JSON object.
 *
 * @param out  released with cJSON_Delete(); NULL on failure.
 * @retval 0        an object, and nothing but white space behind it.
 * @retval -EINVAL  not such a text, or out of the bounds above.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int token_json_parse_object(
    cJSON **out, const char *text, size_t size_bytes);

/** The same for a text of up to `limit_bytes` instead of JSON_BYTES_MAX. */
NODISCARD int token_json_parse_large(
    cJSON **out, const char *text, size_t size_bytes, size_t limit_bytes);

/**
 * Whether no member of an object stands there twice (RFC 7515, section 4;
 * RFC 7519, section 4); objects within it are not looked at.
 *
 * @retval 0        each name stands there once.
 * @retval -EINVAL  one stands there twice.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int token_json_unique(const cJSON *object);

/**
 * The member `name` of an object; NULL when there is none.
 *
 * @retval 0        found or absent.
 * @retval -EINVAL  it stands there twice (RFC 7519, section 4: names of
 *                  claims are unique; readers differ on which one counts).
 */
NODISCARD int token_json_member(
    const cJSON **out, const cJSON *object, const char *name);

/** For the cleanup attribute. */
void token_json_freep(cJSON **object);

#endif
