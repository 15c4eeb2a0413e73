/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/progress.h - how far a long piece of work is: a bar on stderr while
 * that is a terminal, nothing otherwise.
 *
 * Threads: main thread.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum progress_unit {
	PROGRESS_PARTS, /* only their share is shown */
	PROGRESS_BYTES, /* bytes, their rate, and the time that is left */
};

struct progress {
	const char *what; /* borrowed: "check" */
	enum progress_unit unit;
	bool on; /* somebody may look */
	bool shown;
	uint64_t began_ms;
	uint64_t next_ms; /* not drawn again before */
};

void progress_begin(
    struct progress *progress, const char *what, enum progress_unit unit);

/** Show it, at most ten times a second. */
void progress_show(struct progress *progress, uint64_t done, uint64_t all);

/** Take the bar away: for a line that is written now, or at the end. */
void progress_clear(struct progress *progress);

/** The line as it would be shown `now_ms`, in `columns` of a terminal. */
enum { PROGRESS_LINE_BYTES = 256 };
void progress_line(char out[PROGRESS_LINE_BYTES],
    const struct progress *progress, uint64_t done, uint64_t all,
    uint64_t now_ms, unsigned columns);

#endif
