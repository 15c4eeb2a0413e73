/* SPDX-License-Identifier: Apache-2.0 */
/* cli/token_verify.c - see token_verify.h. */
#include "cli/token_verify.h"

#include "base/clock.h"
#include "base/log.h"
#include "tokens/verify.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/mount/documents.h"
#include "cli/mount/harden.h"
#include "cli/options/options.h"
#include "cli/plan/trusted.h"
#include "cli/say.h"
#include "cli/token_stdin.h"

enum {
	KEYS_WAIT_MS = 60 * 1000, /* the fetch has deadlines of its own */
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
		return token_stdin_batch(verifier, wish->json);
	if (wish->signature_only)
		return token_stdin_signature(verifier);
	return token_stdin_one(verifier, wish->json);
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
