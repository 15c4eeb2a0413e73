/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cache.c - `bearerfs cache info|check|prune|drop`: looking after the
 * cache directory, whether mounts run on it or not.
 */
#include "cli/cache.h"

#include "base/clock.h"
#include "base/log.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/control/describe.h"
#include "cli/options/number.h"
#include "cli/options/options.h"
#include "cli/plan/cache_place.h"
#include "cli/plan/places.h"
#include "cli/plan/plan.h"
#include "cli/progress.h"
#include "cli/say.h"

static const struct arguments_form form = {
    .command = "cache",
    .letters = ":ho:",
    .json = true,
    .all = true,
    .positions_min = 1,
    .positions_max = 2,
    .positions = "info, check, prune SIZE, or drop SOURCE",
};

enum { LINE_BYTES_MAX = 8192 };

int cache_failed(const struct err *err)
{
	int status = STATUS_FAILED;

	if (err->code == -EACCES || err->code == -EPERM)
		status = EX_NOPERM;
	else if (err->code == -EIO)
		status = EX_IOERR;
	return say_exit(status, "%s", err->text);
}

/* A line on stdout. */
static int print(struct buf *line)
{
	int code;

	(void)buf_printf(line, "\n");
	code = buf_code(line);
	if (code == 0)
		code = say_out(buf_text(line));
	buf_fini(line);
	return code < 0
	    ? say_exit(STATUS_FAILED, "cache: %s", err_message(code))
	    : STATUS_OK;
}

static void show(void *arg, uint64_t done_bytes, uint64_t all_bytes)
{
	progress_show(arg, done_bytes, all_bytes);
}

static int prune(struct cache_command *command, uint64_t size_bytes)
{
	struct progress bar;
	const struct upkeep_progress progress = {.tell = show, .arg = &bar};
	struct err err = ERR_INIT;
	struct buf line;
	uint64_t left_bytes = 0;
	int code = 0;
	int status;

	progress_begin(&bar, "prune", PROGRESS_BYTES);
	if (command->upkeep != NULL)
		code = upkeep_prune(
		    command->upkeep, size_bytes, &left_bytes, &progress, &err);
	progress_clear(&bar);
	if (code < 0)
		return cache_failed(&err);
	buf_init(&line, LINE_BYTES_MAX);
	describe_bytes(&line, left_bytes);
	(void)buf_printf(&line, " left");
	status = print(&line);
	if (status == STATUS_OK && left_bytes > size_bytes)
		return say_exit(STATUS_FAILED,
		    "cache '%s': no smaller than that: mounts are writing, or "
		    "tables alone take it; cache drop --all empties it",
		    command->dir);
	return status;
}

static int drop_source(struct cache_command *command,
    const struct fetch_source *source, struct upkeep_dropped *dropped,
    struct err *err)
{
	struct progress bar;
	const struct upkeep_progress progress = {.tell = show, .arg = &bar};
	int code;

	progress_begin(&bar, "drop", PROGRESS_PARTS);
	code = upkeep_drop(command->upkeep, source->origin, source->path,
	    dropped, &progress, err);
	progress_clear(&bar);
	return code;
}

/* Everything when there is no source. */
static int drop(
    struct cache_command *command, const struct fetch_source *source)
{
	struct upkeep_dropped dropped = {.objects = 0};
	struct err err = ERR_INIT;
	struct buf line;
	int code = 0;

	if (command->upkeep != NULL && source != NULL)
		code = drop_source(command, source, &dropped, &err);
	else if (command->upkeep != NULL)
		code = upkeep_drop_all(command->upkeep, &dropped, &err);
	if (code < 0)
		return cache_failed(&err);
	buf_init(&line, LINE_BYTES_MAX);
	(void)buf_printf(
	    &line, "%llu files dropped, ", (unsigned long long)dropped.objects);
	describe_bytes(&line, dropped.bytes);
	(void)buf_printf(&line, " freed");
	return print(&line);
}

static int drop_what(struct cache_command *command,
    const struct arguments *arguments, const struct options *options)
{
	struct fetch_source *source;
	struct servers servers;
	struct err err = ERR_INIT;
	bool federated;
	int status;

	if (arguments->all)
		return drop(command, NULL);
	source = calloc(1, sizeof(*source));
	if (source == NULL)
		return say_exit(STATUS_FAILED, "cache: out of memory");
	if (plan_source(source, &servers, &federated, options, &err) < 0)
		status = say_exit(STATUS_FAILED, "%s", err.text);
	else
		status = drop(command, source);
	free(source);
	return status;
}

/* Open what is there; nothing is made. */
static int open_cache(
    struct cache_command *command, const char *wanted, struct err *err)
{
	const struct places_env env = places_env();
	struct upkeep_config config = {.clock = clock_system(),
	    .dir = command->dir,
	    .let_go_ms = UPKEEP_LET_GO_MS};
	int code = cache_place(command->dir, wanted, &env, err);

	if (code == 0)
		code = upkeep_open(&command->upkeep, &config, err);
	return code == -ENOENT && command->dir[0] != '\0' ? 0 : code;
}

static int run(const struct arguments *arguments, const struct options *options,
    uint64_t size_bytes)
{
	struct cache_command command = {.json = arguments->json};
	const char *what = arguments->positions[0];
	struct err err = ERR_INIT;
	int status;

	if (open_cache(&command, options->cache_dir, &err) < 0)
		return cache_failed(&err);
	if (command.upkeep == NULL && !arguments->json)
		say("cache '%s': nothing is cached there", command.dir);
	if (strcmp(what, "info") == 0)
		status = cache_show(&command);
	else if (strcmp(what, "check") == 0)
		status = cache_check(&command);
	else if (strcmp(what, "prune") == 0)
		status = prune(&command, size_bytes);
	else
		status = drop_what(&command, arguments, options);
	upkeep_close(command.upkeep);
	return status;
}

/* What each takes besides its name. */
static int check_words(const struct arguments *arguments, uint64_t *size_bytes)
{
	const char *what = arguments->positions[0];
	const char *word = arguments->positions[1]; /* NULL: none */
	bool is_drop = strcmp(what, "drop") == 0;
	bool is_prune = strcmp(what, "prune") == 0;

	if (!is_drop && !is_prune && strcmp(what, "info") != 0 &&
	    strcmp(what, "check") != 0)
		return command_usage(
		    "cache", "write info, check, prune or drop");
	if (arguments->json && strcmp(what, "info") != 0)
		return command_usage("cache", "--json goes with info");
	if (is_drop)
		return (word != NULL) == arguments->all
		    ? command_usage("cache", "drop a SOURCE, or --all")
		    : STATUS_OK;
	if (arguments->all)
		return command_usage("cache", "--all goes with drop");
	if (is_prune)
		return word == NULL ||
		        number_parse(word, NUMBER_SIZE, size_bytes) < 0
		    ? command_usage("cache", "prune to a SIZE, as 5G")
		    : STATUS_OK;
	return word != NULL
	    ? command_usage("cache", "that word is one too many")
	    : STATUS_OK;
}

int command_cache(int argc, char **argv)
{
	struct arguments arguments;
	struct options options;
	struct err err = ERR_INIT;
	uint64_t size_bytes = 0;
	int status = arguments_take(&arguments, &form, argc, argv);

	if (status != STATUS_OK)
		return status;
	if (arguments.help)
		return command_help("cache");
	status = check_words(&arguments, &size_bytes);
	if (status != STATUS_OK)
		return status;
	if (strcmp(arguments.positions[0], "drop") == 0)
		arguments.from.source = arguments.positions[1];
	if (log_start(LOG_TO_STDERR, LOG_LEVEL_ERROR, NULL, &err) < 0 ||
	    options_init(&options) < 0)
		return say_exit(STATUS_FAILED, "cache: out of memory");
	if (command_options(&options, &arguments.from, &err) < 0)
		status = say_exit(STATUS_FAILED, "%s", err.text);
	else
		status = run(&arguments, &options, size_bytes);
	options_fini(&options);
	return status;
}
