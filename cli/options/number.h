/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/options/number.h - numbers as people write them: sizes with K M G T,
 * times with s m h d, octal modes. Every overflow is seen.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef CLI_OPTIONS_NUMBER_H
#define CLI_OPTIONS_NUMBER_H

#include "base/attr.h"

#include <stdint.h>

enum number_unit {
	NUMBER_PLAIN, /* decimal */
	NUMBER_OCTAL,
	NUMBER_SIZE, /* bytes; K M G T are powers of 1024, either case */
	NUMBER_TIME, /* milliseconds; s m h d, seconds when no letter stands */
};

enum { NUMBER_TEXT_BYTES = 32 };

/**
 * Read a whole number with its unit: digits, then at most one letter.
 * @retval 0        read.
 * @retval -EINVAL  not such a number.
 * @retval -ERANGE  does not fit 64 bits.
 */
NODISCARD int number_parse(
    const char *text, enum number_unit unit, uint64_t *out);

/** Write a number with the largest unit that loses nothing; returns `out`. */
const char *number_text(
    char out[NUMBER_TEXT_BYTES], enum number_unit unit, uint64_t number);

#endif
