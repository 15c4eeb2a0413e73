/* SPDX-License-Identifier: Apache-2.0 */
/* cli/options/option_value.c - see option_value.h. */
#include "cli/options/option_value.h"

#include "base/log.h"
#include "base/path.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options/number.h"
#include "cli/options/options.h"

bool option_is_text(enum option_kind kind)
{
	return kind == OPTION_PATH || kind == OPTION_SERVER_PATH ||
	    kind == OPTION_LIST;
}

int option_text_set(char **field, const char *value)
{
	char *copy = NULL;

	if (value[0] != '\0') {
		copy = strdup(value);
		if (copy == NULL)
			return -ENOMEM;
	}
	free(*field);
	*field = copy;
	return 0;
}

static int bad_value(const struct option_row *row, const char *value,
    const char *wanted, struct err *err)
{
	return err_set(err, -EINVAL, "option %s=%s: %s", row->name,
	    LOG_TEXT(value), wanted);
}

static enum number_unit unit_of(enum option_kind kind)
{
	switch (kind) {
	case OPTION_SIZE:
		return NUMBER_SIZE;
	case OPTION_TIME:
		return NUMBER_TIME;
	case OPTION_MODE:
		return NUMBER_OCTAL;
	case OPTION_FLAG:
	case OPTION_PATH:
	case OPTION_SERVER_PATH:
	case OPTION_LIST:
	case OPTION_ID:
	case OPTION_LEVEL:
	case OPTION_CHOICE:
	default:
		return NUMBER_PLAIN;
	}
}

static int set_number(void *field, const struct option_row *row,
    const char *value, struct err *err)
{
	static const char *const wanted[] = {
	    [NUMBER_PLAIN] = "write a whole number",
	    [NUMBER_OCTAL] = "write an octal number such as 022",
	    [NUMBER_SIZE] = "write a size such as 512M or 10G",
	    [NUMBER_TIME] = "write a time such as 30s or 5m",
	};
	char low[NUMBER_TEXT_BYTES], high[NUMBER_TEXT_BYTES];
	uint64_t number = 0;
	enum number_unit unit = unit_of(row->kind);
	int code = number_parse(value, unit, &number);

	if (code == -EINVAL)
		return bad_value(row, value, wanted[unit], err);
	if (code == -ERANGE || number < row->low || number > row->high)
		return err_set(err, -EINVAL,
		    "option %s=%s: write a value from %s to %s", row->name,
		    LOG_TEXT(value), number_text(low, unit, row->low),
		    number_text(high, unit, row->high));
	if (row->kind == OPTION_ID)
		*(int64_t *)field = (int64_t)number;
	else
		*(uint64_t *)field = number;
	return 0;
}

static int set_path(char **field, const struct option_row *row,
    const char *value, struct err *err)
{
	char trimmed[OPTION_VALUE_BYTES_MAX];
	size_t size_bytes = strlen(value);

	assert(size_bytes < sizeof(trimmed));
	if (value[0] != '/')
		return bad_value(row, value,
		    "write an absolute path, one that begins with /", err);
	memcpy(trimmed, value, size_bytes + 1);
	while (size_bytes > 1 && trimmed[size_bytes - 1] == '/')
		trimmed[--size_bytes] = '\0';
	if (row->kind == OPTION_SERVER_PATH && !path_is_normal(trimmed))
		return bad_value(row, value,
		    "write a path without empty parts, '.' and '..'", err);
	return option_text_set(field, trimmed);
}

static int set_level(uint64_t *field, const struct option_row *row,
    const char *value, struct err *err)
{
	enum log_level level;

	if (log_level_parse(value, &level) < 0)
		return bad_value(
		    row, value, "write error, warn, info or debug", err);
	*field = (uint64_t)level;
	return 0;
}

/* The words stand in the row's argument. */
static int set_choice(uint64_t *field, const struct option_row *row,
    const char *value, struct err *err)
{
	const char *word = row->argument;
	size_t size_bytes = strlen(value);

	for (uint64_t i = 0; word != NULL; i++) {
		size_t word_bytes = strcspn(word, "|");

		if (word_bytes == size_bytes &&
		    memcmp(word, value, size_bytes) == 0) {
			*field = i;
			return 0;
		}
		word = word[word_bytes] == '|' ? word + word_bytes + 1 : NULL;
	}
	return err_set(err, -EINVAL, "option %s=%s: write one of %s", row->name,
	    LOG_TEXT(value), row->argument);
}

static int set_flag(bool *field, const struct option_row *row,
    const char *value, struct err *err)
{
	static const char *const yes[] = {"yes", "true", "on", "1"};
	static const char *const no[] = {"no", "false", "off", "0"};
	bool on = false;
	bool known = false;

	for (size_t i = 0; i < ARRAY_COUNT(yes); i++) {
		on = on || strcmp(value, yes[i]) == 0;
		known = known || on || strcmp(value, no[i]) == 0;
	}
	if (!known)
		return bad_value(row, value, "write yes or no", err);
	*field = on;
	return 0;
}

int option_value_set(void *field, const struct option_row *row,
    const char *value, struct err *err)
{
	if (strlen(value) >= OPTION_VALUE_BYTES_MAX)
		return err_set(err, -EINVAL,
		    "option %s: longer than %d bytes; shorten it", row->name,
		    OPTION_VALUE_BYTES_MAX - 1);
	switch (row->kind) {
	case OPTION_FLAG:
		return set_flag(field, row, value, err);
	case OPTION_PATH:
	case OPTION_SERVER_PATH:
		return set_path(field, row, value, err);
	case OPTION_LIST:
		return option_text_set(field, value);
	case OPTION_LEVEL:
		return set_level(field, row, value, err);
	case OPTION_CHOICE:
		return set_choice(field, row, value, err);
	case OPTION_SIZE:
	case OPTION_TIME:
	case OPTION_ID:
	case OPTION_MODE:
	default:
		return set_number(field, row, value, err);
	}
}
