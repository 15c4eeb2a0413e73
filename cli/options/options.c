/* SPDX-License-Identifier: Apache-2.0 */
/* cli/options/options.c - see options.h. */
#include "cli/options/options.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options/nearest.h"
#include "cli/options/option_value.h"

static const struct option_row rows[] = {
#define OPTION(name, kind, low, high, argument, fallback, help)     \
	{#name, OPTION_##kind, low, high, argument, fallback, help, \
	    offsetof(struct options, name)},
#define GENERIC(name, help)
#include "cli/options/options.tbl.h"
#undef OPTION
#undef GENERIC
};

static const char *const generic_names[] = {
#define OPTION(name, kind, low, high, argument, fallback, help)
#define GENERIC(name, help) name,
#include "cli/options/options.tbl.h"
#undef OPTION
#undef GENERIC
};

static void *field_of(struct options *options, const struct option_row *row)
{
	return (char *)options + row->offset;
}

int options_set_source(struct options *options, const char *source)
{
	return option_text_set(&options->source, source);
}

/* Set one row; `value` is never NULL here. "" takes a text back. */
static int set_row(struct options *options, const struct option_row *row,
    const char *value, struct err *err)
{
	int code = option_value_set(field_of(options, row), row, value, err);

	if (code < 0)
		return code;
	if (strcmp(row->name, "immutable") == 0)
		options->immutable_given = true;
	else if (strcmp(row->name, "umask") == 0)
		options->umask_given = true;
	else if (strcmp(row->name, "ro") == 0)
		options->rw = !options->ro;
	else if (strcmp(row->name, "rw") == 0)
		options->ro = !options->rw;
	return 0;
}

int options_init(struct options *options)
{
	memset(options, 0, sizeof(*options));
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct err err = ERR_INIT;
		int code;

		if (rows[i].kind == OPTION_ID)
			*(int64_t *)field_of(options, &rows[i]) = -1;
		if (rows[i].kind == OPTION_TIME)
			*(uint64_t *)field_of(options, &rows[i]) =
			    OPTION_TIME_UNSET;
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
		if (option_is_text(rows[i].kind)) {
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
		if (value == NULL && rows[i].kind != OPTION_FLAG)
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
	/* mount(8) adds it when fstab does not say ro. */
	if (origin != OPTIONS_OF_USER && value == NULL &&
	    strcmp(option, "rw") == 0)
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
