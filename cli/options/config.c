/* SPDX-License-Identifier: Apache-2.0 */
/* cli/options/config.c - see config.h. */
#include "cli/options/config.h"

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options/nearest.h"
#include "cli/options/options.h"

enum { CONFIG_KEYS_MAX = 64 }; /* more than there are options */

/* The walk through one file. */
struct walk {
	struct config *config;
	const char *file;
	unsigned line;
	bool in_section;
	bool wanted;            /* the section is the wanted one */
	struct options scratch; /* of sections that nobody asked for */
	/* Names set in this section: a second one is a mistake. */
	char keys[CONFIG_KEYS_MAX][OPTION_NAME_BYTES_MAX + 1];
	unsigned key_count;
	/* Sections of this file: a second one is a mistake. */
	unsigned first_name;
};

int config_name_ok(const char *word)
{
	size_t size_bytes = strspn(word,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789-_.");

	return size_bytes > 0 && size_bytes < CONFIG_NAME_BYTES_MAX &&
	    word[size_bytes] == '\0';
}

/* Put file and line in front. */
static int at_line(const struct walk *walk, struct err *err)
{
	return err_wrap(err, "%s line %u", walk->file, walk->line);
}

PRINTF_LIKE(3, 4)
static int mistake(
    const struct walk *walk, struct err *err, const char *format, ...)
{
	char text[ERR_TEXT_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)err_set(err, -EINVAL, "%s", text);
	return at_line(walk, err);
}

/* Cut blanks off both ends, in place. */
static char *trim(char *text)
{
	size_t size_bytes;

	text += strspn(text, " \t\r");
	size_bytes = strlen(text);
	while (size_bytes > 0 && strchr(" \t\r", text[size_bytes - 1]) != NULL)
		text[--size_bytes] = '\0';
	return text;
}

static int known_name(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->name_count; i++) {
		if (strcmp(config->names[i], name) == 0)
			return (int)i;
	}
	return -1;
}

static int begin_section(struct walk *walk, char *line, struct err *err)
{
	struct config *config = walk->config;
	char *end = strchr(line, ']');
	char *name;
	int index;

	if (end == NULL || end[1] != '\0')
		return mistake(walk, err,
		    "a section is written [NAME], with nothing behind it");
	*end = '\0';
	name = trim(line + 1);
	if (!config_name_ok(name))
		return mistake(walk, err,
		    "section %s: a name has 1 to %d letters, digits, '-', "
		    "'_' and '.'",
		    LOG_TEXT(name), CONFIG_NAME_BYTES_MAX - 1);
	index = known_name(config, name);
	if (index >= (int)walk->first_name)
		return mistake(walk, err,
		    "section '%s' stands here a second time; put both "
		    "together",
		    name);
	if (index < 0) {
		if (config->name_count == CONFIG_SECTIONS_MAX)
			return mistake(walk, err, "more than %d sections",
			    CONFIG_SECTIONS_MAX);
		memcpy(config->names[config->name_count++], name,
		    strlen(name) + 1);
	} else {
		/* From an earlier file; moved behind first_name, so that a
		 * second one in this file is seen. */
		char moved[CONFIG_NAME_BYTES_MAX];

		memcpy(moved, config->names[index], sizeof(moved));
		walk->first_name--;
		memcpy(config->names[index], config->names[walk->first_name],
		    sizeof(moved));
		memcpy(config->names[walk->first_name], moved, sizeof(moved));
	}
	walk->in_section = true;
	walk->key_count = 0;
	walk->wanted = strcmp(name, config->wanted) == 0;
	config->found = config->found || walk->wanted;
	return 0;
}

static int note_key(struct walk *walk, const char *key, struct err *err)
{
	for (unsigned i = 0; i < walk->key_count; i++) {
		if (strcmp(walk->keys[i], key) == 0)
			return mistake(walk, err,
			    "'%s' is set a second time in this section; keep "
			    "one",
			    key);
	}
	if (walk->key_count == CONFIG_KEYS_MAX)
		return mistake(walk, err, "more than %d lines in a section",
		    CONFIG_KEYS_MAX);
	(void)snprintf(walk->keys[walk->key_count],
	    sizeof(walk->keys[walk->key_count]), "%s", key);
	walk->key_count++;
	return 0;
}

static int set_source(struct walk *walk, const char *value, struct err *err)
{
	if (value == NULL || strstr(value, "://") == NULL)
		return mistake(walk, err,
		    "source: write a URL such as "
		    "https://origin.example.org/path");
	if (walk->wanted &&
	    options_set_source(walk->config->options, value) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* An option's error, with `source` among the names that could be meant. */
static int bad_option(const struct walk *walk, const char *key, struct err *err)
{
	static const char *const source[] = {"source"};

	if (err->code == -ENOENT && nearest_word(key, source, 1) != NULL)
		(void)err_set(err, -EINVAL,
		    "option %s: unknown; did you mean 'source'?",
		    LOG_TEXT(key));
	if (err->code != -ENOMEM)
		err->code = -EINVAL;
	return at_line(walk, err);
}

static int take_setting(struct walk *walk, char *line, struct err *err)
{
	char *value = strchr(line, '=');
	char *key;
	int code;

	if (!walk->in_section)
		return mistake(walk, err,
		    "a setting outside a section; write [NAME] above it");
	if (value != NULL) {
		*value++ = '\0';
		value = trim(value);
	}
	key = trim(line);
	if (key[0] == '\0' || strlen(key) > OPTION_NAME_BYTES_MAX)
		return mistake(walk, err, "write NAME = VALUE");
	code = note_key(walk, key, err);
	if (code < 0)
		return code;
	if (strcmp(key, "source") == 0)
		return set_source(walk, value, err);
	code =
	    options_set(walk->wanted ? walk->config->options : &walk->scratch,
	        key, value, err);
	return code < 0 ? bad_option(walk, key, err) : 0;
}

static int take_line(struct walk *walk, char *line, struct err *err)
{
	line = trim(line);
	if (line[0] == '\0' || line[0] == '#' || line[0] == ';')
		return 0;
	if (line[0] == '[')
		return begin_section(walk, line, err);
	return take_setting(walk, line, err);
}

static int walk_lines(
    struct walk *walk, const char *text, size_t size_bytes, struct err *err)
{
	static const char bom[] = "\xef\xbb\xbf"; /* some editors write one */

	if (size_bytes >= 3 && memcmp(text, bom, 3) == 0) {
		text += 3;
		size_bytes -= 3;
	}
	while (size_bytes > 0) {
		char line[CONFIG_LINE_BYTES_MAX];
		const char *end = memchr(text, '\n', size_bytes);
		size_t line_bytes =
		    end != NULL ? (size_t)(end - text) : size_bytes;
		int code;

		walk->line++;
		if (line_bytes >= sizeof(line))
			return mistake(walk, err,
			    "a line of more than %d bytes",
			    CONFIG_LINE_BYTES_MAX - 1);
		if (memchr(text, '\0', line_bytes) != NULL)
			return mistake(
			    walk, err, "a NUL byte: not a text file");
		memcpy(line, text, line_bytes);
		line[line_bytes] = '\0';
		code = take_line(walk, line, err);
		if (code < 0)
			return code;
		line_bytes += end != NULL;
		text += line_bytes;
		size_bytes -= line_bytes;
	}
	return 0;
}

int config_parse(struct config *config, const char *file, const char *text,
    size_t size_bytes, struct err *err)
{
	struct walk *walk;
	int code;

	if (size_bytes > CONFIG_BYTES_MAX)
		return err_set(err, -EINVAL, "%s: larger than %d bytes", file,
		    CONFIG_BYTES_MAX);
	walk = calloc(1, sizeof(*walk));
	if (walk == NULL)
		return err_set(err, -ENOMEM, "%s: out of memory", file);
	walk->config = config;
	walk->file = file;
	walk->first_name = config->name_count;
	code = options_init(&walk->scratch);
	if (code < 0)
		(void)err_set(err, code, "%s: out of memory", file);
	else
		code = walk_lines(walk, text, size_bytes, err);
	options_fini(&walk->scratch);
	free(walk);
	return code;
}
