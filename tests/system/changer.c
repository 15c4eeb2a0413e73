/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/system/changer.c - fetch/change.h by itself, told what to do on
 * stdin, so that tests change real servers without a mount.
 *
 *     changer URL CA_FILE TOKEN_FILE WRITE_TOKEN_FILE|- TIMEOUT_MS
 *         [REDIRECT_HOST...]
 *
 * A line is a command; its words, and those of the answers, have tabs
 * between. Commands run at once; each is answered by a line that begins with
 * its number, from 1.
 *
 *     publish PATH FILE any|absent|same SIZE MTIME ETAG NEW_MTIME
 *         -> N errno sent proof known SIZE MTIME ETAG leftover sentence
 *     delete PATH, rmdir PATH, mkcol PATH
 *     move FROM TO file|dir replace|keep, copy ...
 *         -> N errno sentence
 *     stat PATH   -> N errno SIZE MTIME ETAG
 *     list PATH   -> N errno NAME...
 *     cancel N    ends the publish with that number
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "fetch/change.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORDS_MAX = 9, COMMANDS_MAX = 100000 };

static struct fetch *fetch;
static struct ident me;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned open_count;
static uint64_t numbers[COMMANDS_MAX]; /* of fetch, by command */

struct command {
	unsigned number;
	char *names; /* of a listing */
	size_t names_bytes;
};

static void answered(struct command *command, const char *line)
{
	(void)pthread_mutex_lock(&mutex);
	(void)printf("%u\t%s\n", command->number, line);
	(void)fflush(stdout);
	open_count--;
	(void)pthread_cond_signal(&changed);
	(void)pthread_mutex_unlock(&mutex);
	free(command->names);
	free(command);
}

static int64_t read_file(
    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes, bool nowait)
{
	if (nowait)
		return -EAGAIN;

	ssize_t got =
	    pread((int)(intptr_t)arg, out, size_bytes, (off_t)offset_bytes);

	return got < 0 ? -errno : got;
}

static void release_file(void *arg)
{
	(void)close((int)(intptr_t)arg);
}

static void on_published(void *arg, int code,
    const struct fetch_published *published, const struct err *err)
{
	static const char *const proofs[] = {
	    [FETCH_UNVERIFIED] = "unverified",
	    [FETCH_SIZE] = "size",
	    [FETCH_CHECKSUM] = "checksum",
	};
	char line[8192];

	(void)snprintf(line, sizeof(line),
	    "%s\t%d\t%s\t%d\t%" PRIu64 "\t%" PRId64 "\t%s\t%s\t%s",
	    err_name(code), published->sent, proofs[published->proof],
	    published->version_known, published->version.size_bytes,
	    published->version.mtime_s, published->version.etag,
	    published->leftover, err->text);
	answered(arg, line);
}

static void publish(struct command *command, char **words)
{
	struct fetch_version version = {
	    .size_bytes = strtoull(words[4], NULL, 10),
	    .mtime_s = strtoll(words[5], NULL, 10),
	};
	int fd = open(words[2], O_RDONLY | O_CLOEXEC);
	struct fetch_publish ask = {
	    .ident = &me,
	    .path = words[1],
	    .condition = FETCH_IF_ANY,
	    .version = &version,
	    .mtime_s = strtoll(words[7], NULL, 10),
	    .bytes = {.read = read_file,
	        .release = release_file,
	        .arg = (void *)(intptr_t)fd},
	};
	unsigned number = command->number;
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) < 0) {
		answered(command, "EBADF");
		return;
	}
	ask.bytes.size_bytes = (uint64_t)stat.st_size;
	(void)snprintf(version.etag, sizeof(version.etag), "%s", words[6]);
	if (strcmp(words[3], "absent") == 0)
		ask.condition = FETCH_IF_ABSENT;
	else if (strcmp(words[3], "same") == 0)
		ask.condition = FETCH_IF_SAME;
	numbers[number] = fetch_publish(fetch, &ask, on_published, command);
}

static void on_changed(void *arg, int code, const struct err *err)
{
	char line[1024];

	(void)snprintf(line, sizeof(line), "%s\t%s", err_name(code), err->text);
	answered(arg, line);
}

static void on_stat(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	char line[1024];

	if (code == 0)
		(void)snprintf(line, sizeof(line),
		    "0\t%" PRIu64 "\t%" PRId64 "\t%s", stat->version.size_bytes,
		    stat->version.mtime_s, stat->version.etag);
	else
		(void)snprintf(
		    line, sizeof(line), "%s\t%s", err_name(code), err->text);
	answered(arg, line);
}

static int on_entry(void *arg, const char *name, const struct fetch_stat *stat)
{
	struct command *command = arg;
	size_t name_bytes = strlen(name);
	char *names =
	    realloc(command->names, command->names_bytes + name_bytes + 2);

	(void)stat;
	if (names == NULL)
		return -ENOMEM;
	command->names = names;
	names[command->names_bytes] = '\t';
	memcpy(names + command->names_bytes + 1, name, name_bytes + 1);
	command->names_bytes += name_bytes + 1;
	return 0;
}

static void on_restart(void *arg)
{
	struct command *command = arg;

	command->names_bytes = 0;
}

static void on_listed(void *arg, int code, const struct err *err)
{
	struct command *command = arg;
	size_t line_bytes = command->names_bytes + ERR_TEXT_BYTES + 32;
	char *line = malloc(line_bytes);

	if (line == NULL)
		abort();
	if (code == 0)
		(void)snprintf(line, line_bytes, "0%s",
		    command->names_bytes > 0 ? command->names : "");
	else
		(void)snprintf(
		    line, line_bytes, "%s\t%s", err_name(code), err->text);
	answered(command, line);
	free(line);
}

static void list(struct command *command, const char *path)
{
	const struct fetch_lister lister = {.entry = on_entry,
	    .restart = on_restart,
	    .done = on_listed,
	    .arg = command};

	(void)fetch_list(fetch, &me, path, true, &lister);
}

static bool is(const char *word, const char *text)
{
	return strcmp(word, text) == 0;
}

static void run(struct command *command, char **words)
{
	const struct fetch_move move = {
	    .ident = &me,
	    .from = words[1],
	    .to = words[2],
	    .kind = is(words[3], "dir") ? FETCH_DIRECTORY : FETCH_FILE,
	    .replace = is(words[4], "replace"),
	};

	if (is(words[0], "publish")) {
		publish(command, words);
	} else if (is(words[0], "delete")) {
		fetch_delete(fetch, &me, words[1], on_changed, command);
	} else if (is(words[0], "rmdir")) {
		fetch_rmdir(fetch, &me, words[1], on_changed, command);
	} else if (is(words[0], "mkcol")) {
		fetch_mkcol(fetch, &me, words[1], on_changed, command);
	} else if (is(words[0], "move")) {
		fetch_move(fetch, &move, on_changed, command);
	} else if (is(words[0], "copy")) {
		fetch_copy(fetch, &move, on_changed, command);
	} else if (is(words[0], "stat")) {
		fetch_stat(fetch, &me, words[1], 0, on_stat, command);
	} else if (is(words[0], "list")) {
		list(command, words[1]);
	} else if (is(words[0], "cancel")) {
		fetch_cancel(fetch, numbers[strtoul(words[1], NULL, 10)]);
		answered(command, "0");
	} else {
		answered(command, "EINVAL");
	}
}

static void read_commands(void)
{
	char *line = NULL;
	size_t room = 0;
	unsigned number = 0;

	while (getline(&line, &room, stdin) > 0 && number + 1 < COMMANDS_MAX) {
		struct command *command = calloc(1, sizeof(*command));
		char *words[WORDS_MAX];
		char *rest = line;

		if (command == NULL)
			abort();
		line[strcspn(line, "\n")] = '\0';
		for (unsigned i = 0; i < WORDS_MAX; i++) {
			char *word = strsep(&rest, "\t");

			words[i] = word == NULL ? line + strlen(line) : word;
		}
		command->number = ++number;
		(void)pthread_mutex_lock(&mutex);
		open_count++;
		(void)pthread_mutex_unlock(&mutex);
		run(command, words);
	}
	free(line);
	(void)pthread_mutex_lock(&mutex);
	while (open_count > 0)
		(void)pthread_cond_wait(&changed, &mutex);
	(void)pthread_mutex_unlock(&mutex);
}

int main(int argc, char **argv)
{
	struct tokens_config token_config = {
	    .clock = clock_system(),
	    .uid = geteuid(),
	};
	struct fetch_source source;
	struct fetch_config config = {
	    .clock = clock_system(),
	    .source = &source,
	};
	struct tokens *tokens = NULL;
	struct err err = ERR_INIT;

	if (argc < 6)
		return 2;
	me.uid = geteuid();
	token_config.token_file = argv[3];
	if (strcmp(argv[4], "-") != 0)
		token_config.token_write_file = argv[4];
	config.ca_file = argv[2];
	config.timeout_ms = (uint32_t)strtoul(argv[5], NULL, 10);
	config.redirect_hosts = (const char *const *)&argv[6];
	config.redirect_host_count = (unsigned)argc - 6;
	if (fetch_source_parse(&source, argv[1], false, &err) < 0)
		goto bad;
	token_config.source_path = source.path;
	token_config.base_path = source.path;
	if (tokens_new(&tokens, &token_config, &err) < 0)
		goto bad;
	config.tokens = tokens;
	if (fetch_new(&fetch, &config, &err) < 0)
		goto bad;
	read_commands();
	fetch_stop(fetch);
	fetch_free(fetch);
	tokens_free(tokens);
	return 0;
bad:
	(void)fprintf(stderr, "changer: %s\n", err.text);
	return 1;
}
