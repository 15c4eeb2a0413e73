/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/prefetch/tally.h - what came of `bearerfs prefetch`: counts, failures,
 * the exit status.
 *
 * Threads: main thread.
 */
#ifndef CLI_PREFETCH_TALLY_H
#define CLI_PREFETCH_TALLY_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct mount_entry;

enum { TALLY_FAILURES_MAX = 1000 }; /* that are told in JSON one by one */

struct tally {
	uint64_t files; /* that were found */
	uint64_t bytes;
	uint64_t kept_files;
	uint64_t kept_bytes;
	uint64_t brought_bytes; /* of these, that were not there before */
	uint64_t failures;
	int status; /* exit status of them; STATUS_OK: none yet */
	const char
	    *state;      /* of JSON, when it is more than their number; NULL */
	struct buf json; /* the failures, with commas between */
};

void tally_init(struct tally *tally);
void tally_fini(struct tally *tally);

/** A file, directory or mount failed: say it on stderr, and count it.
 *  @param path  as the user writes it.
 *  @param name  "ENOENT"
 *  @param text  why. What to do is added unless it is there (behind ';'). */
void tally_fail(
    struct tally *tally, const char *path, const char *name, const char *text);

/** The same of what ends all: no token, no server, no room, no mount. */
void tally_stop(struct tally *tally, const char *state, int status,
    const char *path, const char *name, const char *text);

/* Why nothing more of a mount is fetched: tally_stop() with its sentence, in
 * tell.c. */

/** What was named takes more than there is room for, which is so many per cent
 *  of the cache's size. */
void tally_too_large(struct tally *tally, const struct mount_entry *entry,
    uint64_t disk_bytes, uint64_t room_bytes, unsigned room_percent);

void tally_uncached(
    struct tally *tally, const struct mount_entry *entry, const char *why);

void tally_interrupted(struct tally *tally, const struct mount_entry *entry);

/** Its process does not answer, or not any more. */
void tally_silent(struct tally *tally, const struct mount_entry *entry,
    const struct err *why);

/** It does not let this user in, or is not understood. */
void tally_refused(struct tally *tally, const struct mount_entry *entry,
    const struct err *why);

/** Write it to stdout. @return the exit status. */
NODISCARD int tally_tell(struct tally *tally, bool json);

#endif
