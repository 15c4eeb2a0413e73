/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/federation/federation_times.h - when a federation is asked, and again. Pure: no
 * clock, no socket; times are monotonic milliseconds.
 *
 * What it has told holds for a fixed time. A server cannot shorten it: one
 * that says it is of no use a moment later would be asked without end.
 *
 * Threads: a struct federation_times belongs to one at a time.
 * Sources: the Pelican Platform's clients, which keep a discovery document 30
 * minutes, a failed one 5, a director's answer 15, and ask a director that
 * has no answer again after 3, 6, 9 s.
 */
#ifndef FETCH_FEDERATION_FEDERATION_TIMES_H
#define FETCH_FEDERATION_FEDERATION_TIMES_H

#include <stdbool.h>
#include <stdint.h>

enum {
	FEDERATION_DOCUMENT_MS = 30 * 60 * 1000,
	FEDERATION_DIRECTOR_MS = 15 * 60 * 1000,
	/* After an answer that will hardly be another soon. */
	FEDERATION_WRONG_MS = 5 * 60 * 1000,
	/* Where nobody could be reached: doubled up to the last. A network
	 * that is back should be noticed. */
	FEDERATION_LOST_FIRST_MS = 1000,
	FEDERATION_LOST_MAX_MS = 15 * 1000,
	/* A director that has no answer: so much more each time. */
	FEDERATION_BUSY_STEP_MS = 3000,
	FEDERATION_BUSY_MAX_MS = 60 * 1000,
	/* Retry-After is obeyed up to this. */
	FEDERATION_ASKED_MAX_MS = 10 * 60 * 1000,
	/* When its servers fail, the time between two questions: doubled up
	 * to the last while they do. */
	FEDERATION_TROUBLE_FIRST_MS = 2000,
	FEDERATION_TROUBLE_MAX_MS = 60 * 1000,
	/* So many directors' failures in a row: the document may name others
	 * by now. */
	FEDERATION_DOUBTS = 3,
	FEDERATION_JITTER_RANGE = 1024,
};

struct federation_times {
	uint64_t document_until_ms; /* 0: there is none */
	uint64_t next_ms;           /* ask the director, or for the document */
	uint64_t asked_ms;
	unsigned failures; /* in a row */
	unsigned troubles; /* in a row */
};

/** How it went. */
struct federation_outcome {
	int code;         /* 0, or a negative errno */
	uint64_t wait_ms; /* that was asked for; 0: it was not */
	uint32_t jitter;  /* random, below FEDERATION_JITTER_RANGE */
};

/** Whether the document is to be fetched before the director is asked. */
bool federation_times_wants_document(
    const struct federation_times *times, uint64_t now_ms);

/** The document has come, or not. */
void federation_times_document(struct federation_times *times, uint64_t now_ms,
    const struct federation_outcome *outcome);

/** The director has answered, or not. */
void federation_times_director(struct federation_times *times, uint64_t now_ms,
    const struct federation_outcome *outcome);

/** The servers that it named fail. @return whether next_ms is sooner now. */
bool federation_times_trouble(struct federation_times *times, uint64_t now_ms);

#endif
