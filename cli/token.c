/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/token.c - `bearerfs token show|path|verify`: which token a mount would
 * use, what it says of itself, and where it lies. Never the token.
 */
#include "base/log.h"
#include "fetch/fetch.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/mount/own_tokens.h"
#include "cli/options/options.h"
#include "cli/plan/plan.h"
#include "cli/say.h"
#include "cli/token_verify.h"

enum { TOKEN_TEXT_BYTES_MAX = 1024 * 1024 };

static const struct arguments_form form = {
    .command = "token",
    .letters = ":ho:",
    .json = true,
    .positions_min = 1,
    .positions_max = 2,
    .positions = "show, path or verify, and at most one SOURCE",
};

static int print(struct tokens *tokens, const struct arguments *arguments)
{
	struct buf out;
	struct err err = ERR_INIT;
	int state = tokens_state(tokens, &err);
	int code = 0;

	buf_init(&out, TOKEN_TEXT_BYTES_MAX);
	if (strcmp(arguments->positions[0], "path") == 0) {
		if (state == 0)
			code = tokens_source(tokens, &out);
	} else if (arguments->json) {
		code = tokens_describe(tokens, NULL, &out);
	} else if (state == 0) {
		code = tokens_describe_text(tokens, NULL, &out);
	}
	if (code == 0 && out.size_bytes > 0 &&
	    out.bytes[out.size_bytes - 1] != '\n')
		(void)buf_append(&out, "\n", 1);
	if (code == 0)
		code = buf_code(&out);
	if (code == 0)
		code = say_out(buf_text(&out));
	buf_fini(&out);
	if (code < 0)
		return say_exit(STATUS_FAILED, "token: %s", err_message(code));
	return state < 0 ? say_exit(EX_NOPERM, "%s", err.text) : STATUS_OK;
}

static int look(const struct options *options,
    const struct arguments *arguments, struct err *err)
{
	AUTO(tokens) tokens = NULL;
	struct fetch_source source = {.path = "/"};
	const struct own_tokens_config config = {.source_path = source.path};
	struct servers servers;
	bool federated;
	int code = 0;

	if (options->source != NULL)
		code = plan_source(&source, &servers, &federated, options, err);
	if (code == 0)
		code = own_tokens_new(&tokens, options, &config, err);
	if (code < 0)
		return say_exit(STATUS_FAILED, "%s", err->text);
	return print(tokens, arguments);
}

int command_token(int argc, char **argv)
{
	struct arguments arguments;
	struct options options;
	struct err err = ERR_INIT;
	const char *what;
	int status;

	if (argc > 1 && strcmp(argv[1], "verify") == 0)
		return token_verify(argc - 1, argv + 1);
	status = arguments_take(&arguments, &form, argc, argv);
	if (status != STATUS_OK)
		return status;
	if (arguments.help)
		return command_help("token");
	what = arguments.positions[0];
	arguments.from.source = arguments.positions[1]; /* NULL: none */
	if (strcmp(what, "show") != 0 && strcmp(what, "path") != 0)
		return command_usage("token", "write show, path or verify");
	if (log_start(LOG_TO_STDERR, LOG_LEVEL_ERROR, NULL, &err) < 0 ||
	    options_init(&options) < 0)
		return say_exit(STATUS_FAILED, "token: out of memory");
	if (command_options(&options, &arguments.from, &err) < 0)
		status = say_exit(STATUS_FAILED, "%s", err.text);
	else
		status = look(&options, &arguments, &err);
	options_fini(&options);
	return status;
}
