/* SPDX-License-Identifier: Apache-2.0 */
/* cli/options.c - see options.h. */
#include "cli/options.h"

#include "base/log.h"
#include "base/path.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/nearest.h"
#include "cli/number.h"

enum kind { FLAG, PATH, SERVER_PATH, LIST, SIZE, TIME, ID, MODE, LEVEL };

struct row {
	const char *name;
	enum kind kind;
	uint64_t low, high;
	const char *argument;
	const char *fallback;
	const char *help;
	size_t offset;
};

static const struct row rows[] = {
#define OPTION(name, kind, low, high, argument, fallback, help) \
	{#name, kind, low, high, argument, fallback, help,      \
	    offsetof(struct options, name)},
#define GENERIC(name, help)
#include "cli/options.tbl.h"
#undef OPTION
#undef GENERIC
};

static const char *const generic_names[] = {
#define OPTION(name, kind, low, high, argument, fallback, help)
#define GENERIC(name, help) name,
#include "cli/options.tbl.h"
#undef OPTION
#undef GENERIC
};

static void *field_of(struct options *options, const struct row *row)
{
	return (char *)options + row->offset;
}

static bool is_text(enum kind kind)
{
	return kind == PATH || kind == SERVER_PATH || kind == LIST;
}

static int set_text(char **field, const char *value)
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

int options_set_source(struct options *options, const char *source)
{
	return set_text(&options->source, source);
}

static int bad_value(const struct row *row, const char *value,
    const char *wanted, struct err *err)
{
	return err_set(err, -EINVAL, "option %s=%s: %s", row->name,
	    LOG_TEXT(value), wanted);
}

static enum number_unit unit_of(enum kind kind)
{
	switch (kind) {
	case SIZE:
		return NUMBER_SIZE;
	case TIME:
		return NUMBER_TIME;
	case MODE:
		return NUMBER_OCTAL;
	case FLAG:
	case PATH:
	case SERVER_PATH:
	case LIST:
	case ID:
	case LEVEL:
	default:
		return NUMBER_PLAIN;
	}
}

static int set_number(
    void *field, const struct row *row, const char *value, struct err *err)
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
	if (row->kind == ID)
		*(int64_t *)field = (int64_t)number;
	else
		*(uint64_t *)field = number;
	return 0;
}

static int set_path(
    char **field, const struct row *row, const char *value, struct err *err)
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
	if (row->kind == SERVER_PATH && !path_is_normal(trimmed))
		return bad_value(row, value,
		    "write a path without empty parts, '.' and '..'", err);
	return set_text(field, trimmed);
}

static int set_level(
    uint64_t *field, const struct row *row, const char *value, struct err *err)
{
	enum log_level level;

	if (log_level_parse(value, &level) < 0)
		return bad_value(
		    row, value, "write error, warn, info or debug", err);
	*field = (uint64_t)level;
	return 0;
}

static int set_flag(
    bool *field, const struct row *row, const char *value, struct err *err)
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
	if (field == NULL)
		return on ? 0 : -EROFS;
	*field = on;
	return 0;
}

static int refuse_writing(struct err *err)
{
	return err_set(err, -EROFS,
	    "option rw: this version mounts read-only; leave it out or write "
	    "ro");
}

/* Set one row; `value` is never NULL here. "" takes a text back. */
static int set_row(struct options *options, const struct row *row,
    const char *value, struct err *err)
{
	void *field = field_of(options, row);

	if (strlen(value) >= OPTION_VALUE_BYTES_MAX)
		return err_set(err, -EINVAL,
		    "option %s: longer than %d bytes; shorten it", row->name,
		    OPTION_VALUE_BYTES_MAX - 1);
	switch (row->kind) {
	case FLAG:
		if (strcmp(row->name, "ro") == 0) {
			/* Checked without being set: it cannot be switched
			 * off. */
			int code = set_flag(NULL, row, value, err);

			options->ro = true;
			return code == -EROFS ? refuse_writing(err) : code;
		}
		return set_flag(field, row, value, err);
	case PATH:
	case SERVER_PATH:
		return set_path(field, row, value, err);
	case LIST:
		return set_text(field, value);
	case LEVEL:
		return set_level(field, row, value, err);
	case SIZE:
	case TIME:
	case ID:
	case MODE:
	default:
		return set_number(field, row, value, err);
	}
}

int options_init(struct options *options)
{
	memset(options, 0, sizeof(*options));
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct err err = ERR_INIT;
		int code;

		if (rows[i].kind == ID)
			*(int64_t *)field_of(options, &rows[i]) = -1;
		if (rows[i].fallback[0] == '\0')
			continue;
		code = set_row(options, &rows[i], rows[i].fallback, &err);
		/* The table's own defaults parse; memory may run out. */
		assert(code == 0 || code == -ENOMEM);
		if (code < 0) {
			options_fini(options);
			return code;
		}
	}
	return 0;
}

void options_fini(struct options *options)
{
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (is_text(rows[i].kind)) {
			char **field = field_of(options, &rows[i]);

			free(*field);
			*field = NULL;
		}
	}
	free(options->source);
	options->source = NULL;
}

static bool is_generic(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(generic_names); i++) {
		if (strcmp(name, generic_names[i]) == 0)
			return true;
	}
	/* Comments of fstab(5) and what systemd reads there. */
	return strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0 ||
	    strcmp(name, "comment") == 0;
}

static int unknown_name(const char *name, struct err *err)
{
	const char *candidates[ARRAY_COUNT(rows) + ARRAY_COUNT(generic_names)];
	const char *nearest;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		candidates[count++] = rows[i].name;
	for (size_t i = 0; i < ARRAY_COUNT(generic_names); i++)
		candidates[count++] = generic_names[i];
	nearest = nearest_word(name, candidates, count);
	if (nearest != NULL)
		return err_set(err, -ENOENT,
		    "option %s: unknown; did you mean '%s'?", LOG_TEXT(name),
		    nearest);
	return err_set(err, -ENOENT,
	    "option %s: unknown; see bearerfs mount --help", LOG_TEXT(name));
}

int options_set(struct options *options, const char *name, const char *value,
    struct err *err)
{
	if (strcmp(name, "rw") == 0)
		return refuse_writing(err);
	if (is_generic(name)) {
		/* mount(8) writes "noexec" for "user", and "exec" behind it
		 * takes that back. */
		if (strcmp(name, "exec") == 0)
			options->noexec = false;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (strcmp(name, rows[i].name) != 0)
			continue;
		if (value == NULL && rows[i].kind != FLAG)
			return err_set(err, -EINVAL,
			    "option %s: needs a value; write %s=%s",
			    rows[i].name, rows[i].name, rows[i].argument);
		if (value != NULL && value[0] == '\0')
			return err_set(err, -EINVAL,
			    "option %s: the value is empty; leave the option "
			    "out or write one",
			    rows[i].name);
		return set_row(
		    options, &rows[i], value != NULL ? value : "yes", err);
	}
	return unknown_name(name, err);
}

/* Cut the next option off *text: unescapes "\," in place; NULL at the end. */
static char *next_option(char **text)
{
	char *start = *text;
	char *out = start;
	char *in = start;

	if (start == NULL)
		return NULL;
	while (*in != '\0' && *in != ',') {
		if (in[0] == '\\' && (in[1] == ',' || in[1] == '\\'))
			in++;
		*out++ = *in++;
	}
	*text = *in == ',' ? in + 1 : NULL;
	*out = '\0';
	return start;
}

static int parse_one(struct options *options, char *option,
    enum options_origin origin, struct err *err)
{
	char *value = strchr(option, '=');
	int code;

	if (option[0] == '\0')
		return 0; /* "a,,b" and a trailing comma, as mount(8) does */
	if (value != NULL)
		*value++ = '\0';
	/* mount(8) adds rw when fstab does not say ro. */
	if (origin != OPTIONS_OF_USER && strcmp(option, "rw") == 0)
		return 0;
	code = options_set(options, option, value, err);
	if (code == -ENOENT && origin == OPTIONS_SLOPPY)
		return 0;
	return code;
}

int options_parse(struct options *options, const char *text,
    enum options_origin origin, struct err *err)
{
	char *copy;
	char *rest;
	char *option;
	int code = 0;

	if (strlen(text) >= OPTIONS_TEXT_BYTES_MAX)
		return err_set(err, -EMSGSIZE,
		    "option -o: longer than %d bytes; use the configuration "
		    "file",
		    OPTIONS_TEXT_BYTES_MAX);
	copy = strdup(text);
	if (copy == NULL)
		return err_set(err, -ENOMEM, "option -o: out of memory");
	rest = copy;
	while (code == 0 && (option = next_option(&rest)) != NULL)
		code = parse_one(options, option, origin, err);
	free(copy);
	return code;
}

int options_help(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char left[64];
		const char *fallback = rows[i].fallback;

		(void)snprintf(left, sizeof(left), "%s%s%s", rows[i].name,
		    rows[i].argument[0] != '\0' ? "=" : "", rows[i].argument);
		(void)buf_printf(out, "  %-30s %s", left, rows[i].help);
		if (fallback[0] != '\0')
			(void)buf_printf(out, " [%s]", fallback);
		(void)buf_append(out, "\n", 1);
	}
	return buf_code(out);
}
