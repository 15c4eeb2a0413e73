/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/doctor/checks.h - what `bearerfs doctor` looks at: one line a check.
 *
 * Threads: main thread.
 */
#ifndef CLI_DOCTOR_CHECKS_H
#define CLI_DOCTOR_CHECKS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct fetch_abilities;
struct fetch_version;
struct options;

enum doctor_grade { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

/** What was found so far, as text or JSON. */
struct doctor_report {
	struct buf out;
	bool json;
	unsigned count;
	bool failed;
	/* A member of the next line's object alone: JSON; NULL: none. */
	const char *more_name;
	const char *more;
};

/** Add a line. */
void doctor_line(struct doctor_report *report, enum doctor_grade grade,
    const char *name, const char *format, ...) PRINTF_LIKE(4, 5);

/** What to do when the source was answered with this errno. */
const char *doctor_cure(int code);

/** The line on the clock; pure. */
void doctor_clock(struct doctor_report *report, bool known, int64_t skew_s);

/** The line on how versions of a file are told apart, by its attributes and
 *  the strong ETag that came with its bytes ("": none); pure. */
void doctor_validators(struct doctor_report *report,
    const struct fetch_version *version, const char *etag);

/** The line on what the server does right; in JSON with a member `abilities`.
 *  Pure. */
void doctor_profile(
    struct doctor_report *report, const struct fetch_abilities *abilities);

/** Run all checks; options have a source. */
void doctor_run(struct doctor_report *report, const struct options *options);

#endif
