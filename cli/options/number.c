/* SPDX-License-Identifier: Apache-2.0 */
/* cli/options/number.c - see number.h. */
#include "cli/options/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct scale {
	char letter; /* lower case; '\0' ends the table */
	uint64_t factor;
};

/* Largest first, so that number_text() finds the shortest spelling. */
static const struct scale sizes[] = {{'t', 1ULL << 40}, {'g', 1ULL << 30},
    {'m', 1ULL << 20}, {'k', 1ULL << 10}, {'\0', 1}};
static const struct scale times[] = {
    {'d', 86400000}, {'h', 3600000}, {'m', 60000}, {'s', 1000}, {'\0', 1000}};

static const struct scale *scales_of(enum number_unit unit)
{
	return unit == NUMBER_SIZE ? sizes : unit == NUMBER_TIME ? times : NULL;
}

static int apply_letter(
    const char *rest, enum number_unit unit, uint64_t *number)
{
	const struct scale *scale = scales_of(unit);

	if (scale == NULL)
		return rest[0] == '\0' ? 0 : -EINVAL;
	if (rest[0] != '\0' && rest[1] != '\0')
		return -EINVAL;
	/* ASCII: | 0x20 is lower case of a letter; other bytes match none. */
	while (scale->letter != '\0' && scale->letter != (rest[0] | 0x20))
		scale++;
	if (scale->letter == '\0' && rest[0] != '\0')
		return -EINVAL;
	return __builtin_mul_overflow(*number, scale->factor, number) ? -ERANGE
	                                                              : 0;
}

int number_parse(const char *text, enum number_unit unit, uint64_t *out)
{
	unsigned base = unit == NUMBER_OCTAL ? 8 : 10;
	uint64_t number = 0;
	size_t digits = 0;
	bool overflow = false;
	int code;

	for (; text[digits] >= '0' && text[digits] < (char)('0' + base);
	     digits++) {
		uint64_t digit = (uint64_t)(text[digits] - '0');

		overflow = overflow ||
		    __builtin_mul_overflow(number, base, &number) ||
		    __builtin_add_overflow(number, digit, &number);
	}
	if (digits == 0)
		return -EINVAL;
	code = apply_letter(text + digits, unit, &number);
	if (code == -EINVAL)
		return code;
	if (overflow || code < 0)
		return -ERANGE;
	*out = number;
	return 0;
}

const char *number_text(
    char out[NUMBER_TEXT_BYTES], enum number_unit unit, uint64_t number)
{
	const struct scale *scale = scales_of(unit);

	if (unit == NUMBER_OCTAL) {
		(void)snprintf(out, NUMBER_TEXT_BYTES, "%#" PRIo64, number);
		return out;
	}
	while (scale != NULL && scale->letter != '\0' &&
	    (number == 0 || number % scale->factor != 0))
		scale++;
	if (scale == NULL || scale->letter == '\0')
		(void)snprintf(out, NUMBER_TEXT_BYTES, "%" PRIu64, number);
	else
		(void)snprintf(out, NUMBER_TEXT_BYTES, "%" PRIu64 "%c",
		    number / scale->factor,
		    unit == NUMBER_SIZE ? scale->letter - 0x20 : scale->letter);
	return out;
}
