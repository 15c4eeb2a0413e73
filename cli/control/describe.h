/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/control/describe.h - the state of a running mount, as JSON with stable
 * names (bearerfs(1), STATUS) and as text for a person.
 *
 * Of a mount that many users share, each but its owner is told of their own
 * token and refusals alone: no other user's paths, names or counts.
 *
 * Never a token. Everything is read from memory: nothing here waits.
 *
 * Threads: control thread.
 */
#ifndef CLI_CONTROL_DESCRIBE_H
#define CLI_CONTROL_DESCRIBE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct cache;
struct drafts;
struct federation;
struct fetch;
struct fs;
struct ident;
struct prefetch_serve;
struct tokens;

struct describe {
	const char *source;
	const char *mountpoint;
	const char *origin;      /* "https://host:port" */
	const char *source_path; /* the server's, of the root */
	bool shared;             /* by many users */
	uint64_t started_s;      /* wall clock */
	uint32_t timeout_ms;
	uint32_t attr_ttl_ms;
	struct fs *fs;
	struct cache *cache;
	struct drafts *drafts; /* NULL: read-only */
	const char *spool_dir; /* where unsent writes are; "" the same */
	bool write_back;
	struct fetch *fetch;
	struct federation *federation; /* NULL: the source is a server */
	struct tokens *tokens;
	struct prefetch_serve *prefetches;
};

/** Who is told. */
struct describe_to {
	const struct ident *ident; /* whose token and refusals */
	bool all; /* and everything else: the mount's owner, and root */
};

/** Append one JSON object. @retval 0 or buf_code(). */
NODISCARD int describe_json(const struct describe *mount,
    const struct describe_to *to, struct buf *out);

/** Append some lines for a person. @retval 0 or buf_code(). */
NODISCARD int describe_text(const struct describe *mount,
    const struct describe_to *to, struct buf *out);

/** Append a member `,"federation":...` when there is one: who said what, and
 *  when. */
void describe_federation(const struct describe *mount, struct buf *out);

/** "3 d 4 h", "5 min": two units at most. */
void describe_duration(struct buf *out, uint64_t seconds);

/** "17 bytes", "1.5 GiB". */
void describe_bytes(struct buf *out, uint64_t bytes);

/** End the text with a newline, whatever was written. */
void describe_end_line(struct buf *out);

#endif
