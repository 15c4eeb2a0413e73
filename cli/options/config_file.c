/* SPDX-License-Identifier: Apache-2.0 */
/* cli/options/config_file.c - where the configuration files lie and how they
 * are read; see config.h. */
#include "base/io.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/env.h"
#include "cli/options/config.h"
#include "cli/options/nearest.h"
#include "cli/options/options.h"

#define SYSTEM_FILE "/etc/bearerfs.conf"

static int read_open_file(
    struct config *config, const char *file, int fd, struct err *err)
{
	struct stat about;
	ssize_t size_bytes;
	char *text;
	int code;

	if (fstat(fd, &about) < 0 || !S_ISREG(about.st_mode))
		return err_set(err, -EINVAL, "%s: not a regular file", file);
	text = malloc(CONFIG_BYTES_MAX + 1);
	if (text == NULL)
		return err_set(err, -ENOMEM, "%s: out of memory", file);
	/* One byte more than allowed tells a file that is too large. */
	size_bytes = io_read_all(fd, text, CONFIG_BYTES_MAX + 1);
	if (size_bytes < 0)
		code = err_set(err, (int)size_bytes, "%s: cannot be read: %s",
		    file, err_message((int)size_bytes));
	else
		code =
		    config_parse(config, file, text, (size_t)size_bytes, err);
	free(text);
	return code;
}

int config_read(struct config *config, const char *file, struct err *err)
{
	/* O_NONBLOCK: a FIFO there must not stall; it is refused after. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int code;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_set(err, -errno,
		    "%s: cannot be read: %s; make it readable or remove it",
		    file, err_message(errno));
	code = read_open_file(config, file, fd, err);
	(void)close(fd);
	return code;
}

/* $XDG_CONFIG_HOME/bearerfs/bearerfs.conf or below ~/.config; "" when there
 * is no home. */
static void user_file(char *out, size_t room_bytes)
{
	const char *config_home = env_get("XDG_CONFIG_HOME");
	const char *home = env_get("HOME");
	int n = 0;

	if (config_home != NULL && config_home[0] == '/')
		n = snprintf(
		    out, room_bytes, "%s/bearerfs/bearerfs.conf", config_home);
	else if (home != NULL && home[0] == '/')
		n = snprintf(
		    out, room_bytes, "%s/.config/bearerfs/bearerfs.conf", home);
	if (n <= 0 || (size_t)n >= room_bytes)
		out[0] = '\0';
}

static int no_such_section(
    const struct config *config, const char *name, struct err *err)
{
	const char *names[CONFIG_SECTIONS_MAX];
	const char *nearest;

	for (unsigned i = 0; i < config->name_count; i++)
		names[i] = config->names[i];
	nearest = nearest_word(name, names, config->name_count);
	if (nearest != NULL)
		return err_set(err, -ENOENT,
		    "source %s: neither a URL nor a section of the "
		    "configuration; did you mean '%s'?",
		    LOG_TEXT(name), nearest);
	return err_set(err, -ENOENT,
	    "source %s: neither a URL nor a section of %s or "
	    "~/.config/bearerfs/bearerfs.conf; write https://HOST/PATH",
	    LOG_TEXT(name), SYSTEM_FILE);
}

int config_load(struct options *options, const char *name, struct err *err)
{
	struct config *config = calloc(1, sizeof(*config));
	char file[4096] = "";
	int code;

	if (config == NULL)
		return err_set(err, -ENOMEM, "configuration: out of memory");
	assert(strlen(name) < sizeof(config->wanted));
	memcpy(config->wanted, name, strlen(name) + 1);
	config->options = options;
	code = config_read(config, SYSTEM_FILE, err);
	user_file(file, sizeof(file));
	if (code == 0 && file[0] != '\0')
		code = config_read(config, file, err);
	if (code == 0 && name[0] != '\0' && !config->found)
		code = no_such_section(config, name, err);
	if (code == 0 && config->found && options->source == NULL)
		code = err_set(err, -EINVAL,
		    "section '%s': has no source; write source = "
		    "https://HOST/PATH",
		    name);
	free(config);
	return code;
}
