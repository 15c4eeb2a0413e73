/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/weblink.h - the Link header: targets and the parameters that say
 * what a target is good for. (Links in listings are link.h's.)
 *
 * Read as RFC 8288, appendix B, reads it: any order of parameters, tokens
 * and quoted strings, blanks wherever it allows them, of a parameter that is
 * given twice the first, unknown ones passed over. Stricter in one point:
 * where a value is malformed (a target or a string without its end, letters
 * behind a string) there is no guess how it goes on.
 *
 * Threads: every function may be called from any thread.
 * Sources: RFC 8288 sections 3, B.2-B.4; RFC 6249 section 3 (pri, depth).
 */
#ifndef FETCH_ANSWERS_WEBLINK_H
#define FETCH_ANSWERS_WEBLINK_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/** The parameters that are looked at. */
enum weblink_param {
	WEBLINK_REL,
	WEBLINK_ANCHOR, /* the link is not about what was asked for */
	WEBLINK_PRI,
	WEBLINK_DEPTH,
	WEBLINK_PARAM_COUNT
};

enum { WEBLINK_VALUE_BYTES = 256 };

struct weblink {
	const char *target; /* what stands between < and >, borrowed */
	size_t target_bytes;
	bool has[WEBLINK_PARAM_COUNT];
	/* Unquoted; "" when it is longer than there is room. */
	char value[WEBLINK_PARAM_COUNT][WEBLINK_VALUE_BYTES];
};

/**
 * Take the next link of a field value.
 *
 * @param at  moved behind it.
 * @retval 1         a link.
 * @retval 0         there is none left.
 * @retval -EBADMSG  malformed; what follows cannot be told apart.
 */
NODISCARD int weblink_next(
    struct weblink *out, const char **at, const char *end);

/** Whether the relation is one of those in `rel` (RFC 8288, section 3.3:
 *  letters' case does not matter). */
bool weblink_has_rel(const struct weblink *link, const char *relation);

#endif
