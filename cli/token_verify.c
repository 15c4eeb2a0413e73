/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/token_verify.c - see token_verify.h.
 *
 * One token, or with --batch one a line; stdin is read under a bound, and no
 * byte of it comes out again but the claims, or the payload, of what is
 * valid.
 */
#include "cli/token_verify.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "tokens/verify.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/documents.h"
#include "cli/harden.h"
#include "cli/options.h"
#include "cli/say.h"
#include "cli/trusted.h"

enum {
	INPUT_BYTES_MAX = 2 * 1024 * 1024,
	CLAIMS_BYTES_MAX = 1024 * 1024,
	KEYS_WAIT_MS = 60 * 1000, /* the fetch has deadlines of its own */
	READ_BYTES = 64 * 1024,
};

struct wish {
	struct command_source from;
	const char *jwks;
	const char *issuer;
	const char *audience;
	const char *scope;
	bool json;
	bool batch;
	bool signature_only;
	bool help;
};

static const struct option long_options[] = {
    {"jwks", required_argument, NULL, 'k'},
    {"issuer", required_argument, NULL, 'i'},
    {"audience", required_argument, NULL, 'a'},
    {"scope", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},
    {"batch", no_argument, NULL, 'b'},
    {"signature-only", no_argument, NULL, 'S'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int usage(const char *mistake)
{
	return command_usage("token", mistake);
}

static int take(struct wish *out, int letter)
{
	switch (letter) {
	case 'k':
		out->jwks = optarg;
		return STATUS_OK;
	case 'i':
		out->issuer = optarg;
		return STATUS_OK;
	case 'a':
		out->audience = optarg;
		return STATUS_OK;
	case 's':
		out->scope = optarg;
		return STATUS_OK;
	case 'j':
		out->json = true;
		return STATUS_OK;
	case 'b':
		out->batch = true;
		return STATUS_OK;
	case 'S':
		out->signature_only = true;
		return STATUS_OK;
	case 'h':
		out->help = true;
		return STATUS_OK;
	case 'o':
		if (command_add_text(&out->from, optarg) == 0)
			return STATUS_OK;
		return usage("-o stands there too often");
	case ':':
		return usage("an argument needs a value");
	default:
		return usage("unknown argument of verify");
	}
}

static int next(int argc, char **argv)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread yet */
	return getopt_long(argc, argv, ":ho:", long_options, NULL);
}

static int take_all(struct wish *out, int argc, char **argv)
{
	int status = STATUS_OK;

	*out = (struct wish){.from.origin = OPTIONS_OF_USER};
	opterr = 0;
	optind = 1;
	while (status == STATUS_OK && !out->help) {
		int letter = next(argc, argv);

		if (letter == -1)
			break;
		status = take(out, letter);
	}
	if (status != STATUS_OK || out->help)
		return status;
	if (optind != argc)
		return usage("verify reads the token on stdin, never as an "
		             "argument, which others can see");
	if (out->signature_only &&
	    (out->batch || out->json || out->scope != NULL))
		return usage("--signature-only goes with keys alone");
	return STATUS_OK;
}

/* A flag is the option of the same name; it wins. */
static int set_option(struct options *options, const char *name,
    const char *value, struct err *err)
{
	return value != NULL ? options_set(options, name, value, err) : 0;
}

static int set_options(
    struct options *options, const struct wish *wish, struct err *err)
{
	char jwks[PATH_MAX];
	int code = command_options(options, &wish->from, err);

	if (code == 0 && wish->jwks != NULL) {
		/* The option takes absolute paths alone. */
		if (realpath(wish->jwks, jwks) == NULL)
			return err_set(err, -errno, "jwks '%.200s': %s",
			    wish->jwks, err_message(errno));
		code = set_option(options, "jwks", jwks, err);
	}
	if (code == 0)
		code = set_option(options, "issuer", wish->issuer, err);
	if (code == 0)
		code = set_option(options, "audience", wish->audience, err);
	return code;
}

/* stdin, up to a bound; what was read is wiped by the caller. */
static int read_all(struct buf *out, struct err *err)
{
	char *part = malloc(READ_BYTES);
	int code = part != NULL ? 0 : -ENOMEM;

	while (code == 0) {
		ssize_t n = read(STDIN_FILENO, part, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			code = -errno;
		if (n <= 0)
			break;
		code = buf_append(out, part, (size_t)n);
	}
	if (part != NULL)
		secret_wipe(part, READ_BYTES);
	free(part);
	if (code == -EMSGSIZE)
		return err_set(err, code, "stdin: more than %d KiB",
		    INPUT_BYTES_MAX / 1024);
	return code < 0 ? err_set(err, code, "stdin: %s", err_message(code))
	                : 0;
}

static void wipe(struct buf *text)
{
	if (text->bytes != NULL)
		secret_wipe(text->bytes, text->room_bytes);
	buf_fini(text);
}

/* Bytes as they are: a payload may hold anything. */
static int write_bytes(const char *bytes, size_t size_bytes)
{
	if (fwrite(bytes, 1, size_bytes, stdout) != size_bytes ||
	    fflush(stdout) != 0)
		return say_exit(
		    STATUS_FAILED, "stdout: %s", err_message(errno));
	return STATUS_OK;
}

static int verify_signature(
    struct tokens_verifier *verifier, const struct buf *text, struct err *err)
{
	struct buf payload;
	int status;

	buf_init(&payload, INPUT_BYTES_MAX);
	if (tokens_verify_signature(
	        verifier, buf_text(text), text->size_bytes, &payload, err) < 0)
		status = say_exit(STATUS_FAILED, "%s", err->text);
	else
		status = write_bytes(payload.bytes, payload.size_bytes);
	buf_fini(&payload);
	return status;
}

static void put_json(struct buf *out, int code,
    const struct tokens_verified *found, const struct err *err)
{
	(void)buf_printf(
	    out, "{\"valid\":%s,\"errno\":", code == 0 ? "true" : "false");
	(void)buf_json(out, code == 0 ? NULL : err_name(code));
	(void)buf_printf(out, ",\"problem\":");
	(void)buf_json(out, code == 0 ? NULL : err->text);
	(void)buf_printf(out, ",\"profile\":");
	(void)buf_json(out, found->profile);
	(void)buf_printf(out, ",\"claims\":%s}\n",
	    code == 0 && found->claims != NULL ? found->claims : "null");
}

static int write_line(const struct buf *line)
{
	int code = buf_code(line);

	if (code < 0)
		return say_exit(STATUS_FAILED, "token: %s", err_message(code));
	return write_bytes(buf_text(line), line->size_bytes);
}

static int verify_one(struct tokens_verifier *verifier, const struct wish *wish,
    const struct buf *text, struct err *err)
{
	struct tokens_verified found;
	struct buf line;
	int status = STATUS_OK;
	int code = tokens_verify(
	    verifier, buf_text(text), text->size_bytes, &found, err);

	if (wish->json) {
		buf_init(&line, CLAIMS_BYTES_MAX);
		put_json(&line, code, &found, err);
		status = write_line(&line);
		buf_fini(&line);
	}
	if (status == STATUS_OK && code < 0)
		status = say_exit(STATUS_FAILED, "%s", err->text);
	return status;
}

/* One line of a batch: its verdict, "valid" or "invalid ERRNO why". */
static int verify_line(struct tokens_verifier *verifier,
    const struct wish *wish, const char *text, size_t size_bytes)
{
	struct err err = ERR_INIT;
	struct tokens_verified found;
	struct buf line;
	int code = tokens_verify(verifier, text, size_bytes, &found, &err);
	int status;

	buf_init(&line, CLAIMS_BYTES_MAX);
	if (wish->json)
		put_json(&line, code, &found, &err);
	else if (code == 0)
		(void)buf_printf(&line, "valid\n");
	else
		(void)buf_printf(&line, "invalid %s %s\n", err_name(code),
		    LOG_TEXT(err.text));
	status = write_line(&line);
	buf_fini(&line);
	return status != STATUS_OK ? status
	                           : (code == 0 ? STATUS_OK : STATUS_FAILED);
}

static int verify_batch(
    struct tokens_verifier *verifier, const struct wish *wish)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n;
	int status = STATUS_OK;

	while ((n = getline(&text, &room, stdin)) > 0) {
		size_t size = (size_t)n - (text[n - 1] == '\n');

		/* Each line is answered, in order, at once. */
		if (verify_line(verifier, wish, text, size) != STATUS_OK)
			status = STATUS_FAILED;
		if (ferror(stdout) != 0)
			break;
	}
	if (text != NULL)
		secret_wipe(text, room);
	free(text);
	return status;
}

static int run(
    const struct options *options, const struct wish *wish, struct err *err)
{
	AUTO(tokens_verifier) verifier = NULL;
	struct trusted trusted;
	struct tokens_verifier_config config = {.clock = clock_system(),
	    .trust = &trusted.trust,
	    .scope = wish->scope,
	    .base_path = options->base_path,
	    .wait_ms = KEYS_WAIT_MS};
	struct buf text;
	int status;

	if (trusted_init(&trusted, options, true, err) < 0)
		return say_exit(STATUS_FAILED, "%s", err->text);
	harden_forget(); /* no token of the environment is looked at */
	documents_prepare(
	    options->ca_file, options->ca_dir, (uint32_t)options->timeout);
	documents_open();
	trusted.trust.document = documents_get;
	if (trusted.trust.issuer_count == 0 && trusted.trust.jwks_file == NULL)
		status = usage("verify needs --jwks or --issuer");
	else if (tokens_verifier_new(&verifier, &config, err) < 0)
		status = say_exit(
		    err->code == -EINVAL ? STATUS_USAGE : STATUS_FAILED,
		    "token: %s", err->text);
	else
		status = STATUS_OK;
	trusted_fini(&trusted);
	if (status != STATUS_OK)
		return status;
	if (wish->batch)
		return verify_batch(verifier, wish);
	buf_init(&text, INPUT_BYTES_MAX);
	if (read_all(&text, err) < 0)
		status = say_exit(STATUS_FAILED, "%s", err->text);
	else if (wish->signature_only)
		status = verify_signature(verifier, &text, err);
	else
		status = verify_one(verifier, wish, &text, err);
	wipe(&text);
	return status;
}

int token_verify(int argc, char **argv)
{
	struct options options;
	struct wish wish;
	struct err err = ERR_INIT;
	int status = take_all(&wish, argc, argv);

	if (status != STATUS_OK)
		return status;
	if (wish.help)
		return command_help("token");
	if (log_start(LOG_TO_STDERR, LOG_LEVEL_ERROR, NULL, &err) < 0 ||
	    options_init(&options) < 0)
		return say_exit(STATUS_FAILED, "token: out of memory");
	if (set_options(&options, &wish, &err) < 0)
		status = say_exit(STATUS_USAGE, "token: %s", err.text);
	else
		status = run(&options, &wish, &err);
	options_fini(&options);
	return status;
}
