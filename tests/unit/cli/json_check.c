/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cli/json_check.c - see json_check.h. */
#include "json_check.h"

#include <stddef.h>
#include <string.h>

static const char *value(const char *p, int depth);

static const char *blanks(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *text(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return NULL; /* the end, too */
		if (*p != '\\')
			continue;
		p++;
		if (*p == 'u') {
			if (strspn(p + 1, "0123456789abcdefABCDEF") < 4)
				return NULL;
			p += 4;
		} else if (*p == '\0' || strchr("\"\\/bfnrt", *p) == NULL) {
			return NULL;
		}
	}
	return p + 1;
}

static const char *number(const char *p)
{
	size_t digits;

	p += *p == '-';
	digits = strspn(p, "0123456789");
	if (digits == 0 || (digits > 1 && *p == '0'))
		return NULL;
	p += digits;
	if (*p == '.') {
		digits = strspn(p + 1, "0123456789");
		if (digits == 0)
			return NULL;
		p += 1 + digits;
	}
	return p;
}

/* Members of an object or of an array, behind the opening bracket. */
static const char *members(const char *p, char close, int depth)
{
	p = blanks(p);
	if (*p == close)
		return p + 1;
	for (;;) {
		if (close == '}') {
			p = text(blanks(p));
			if (p == NULL)
				return NULL;
			p = blanks(p);
			if (*p++ != ':')
				return NULL;
		}
		p = value(blanks(p), depth + 1);
		if (p == NULL)
			return NULL;
		p = blanks(p);
		if (*p == close)
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
}

static const char *value(const char *p, int depth)
{
	if (depth > 32)
		return NULL;
	if (*p == '{')
		return members(p + 1, '}', depth);
	if (*p == '[')
		return members(p + 1, ']', depth);
	if (*p == '"')
		return text(p);
	if (strncmp(p, "true", 4) == 0 || strncmp(p, "null", 4) == 0)
		return p + 4;
	if (strncmp(p, "false", 5) == 0)
		return p + 5;
	return number(p);
}

bool json_is_valid(const char *whole)
{
	const char *end = value(blanks(whole), 0);

	return end != NULL && *blanks(end) == '\0';
}
