/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/describe.h - the state of a running mount, as JSON with stable names
 * (bearerfs(1), STATUS) and as text for a person.
 *
 * Never a token. Everything is read from memory: nothing here waits.
 *
 * Threads: control thread.
 */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct cache;
struct control_request;
struct fetch;
struct fs;
struct tokens;

struct describe {
	const char *source;
	const char *mountpoint;
	uint64_t started_s; /* wall clock */
	uint32_t timeout_ms;
	struct fs *fs;
	struct cache *cache;
	struct fetch *fetch;
	struct tokens *tokens;
};

/** Append one JSON object. @retval 0 or buf_code(). */
NODISCARD int describe_json(const struct describe *mount, struct buf *out);

/** Append some lines for a person. @retval 0 or buf_code(). */
NODISCARD int describe_text(const struct describe *mount, struct buf *out);

/** Answer a request of the control socket: "status", "status json", "stop";
 *  `arg` is a struct describe. A control_answer_fn. */
int describe_answer(void *arg, struct control_request *request, struct buf *out,
    struct err *err);

#endif
