/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/finding.h - what one look for a token has brought.
 */
#ifndef TOKENS_FINDING_H
#define TOKENS_FINDING_H

#include "base/err.h"
#include "base/path.h"
#include "tokens/token.h"

struct finding {
	struct token *token; /* a reference, the receiver's; NULL: none. It may
				have ended, or not have begun: the best there
				is */
	char source[PATH_BYTES_MAX]; /* where it is from: a file's path, or a
					variable's name; "" */
	struct err problem; /* the first thing that was wrong on the way, with
			       its remedy; code 0: nothing */
};

#endif
