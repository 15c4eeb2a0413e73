/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/token_stdin.c - see token_stdin.h. No byte of a token comes out again
 * but the claims, or the payload, of what is valid.
 */
#include "cli/token_stdin.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "tokens/verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/say.h"

enum {
	INPUT_BYTES_MAX = 2 * 1024 * 1024,
	CLAIMS_BYTES_MAX = 1024 * 1024,
	READ_BYTES = 64 * 1024,
};

/* stdin, up to a bound; what was read is wiped by the caller. */
static int read_all(struct buf *out, struct err *err)
{
	char *part = malloc(READ_BYTES);
	int code = part != NULL ? 0 : -ENOMEM;

	buf_init(out, INPUT_BYTES_MAX);
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

int token_stdin_signature(struct tokens_verifier *verifier)
{
	struct err err = ERR_INIT;
	struct buf text;
	struct buf payload;
	int status;

	buf_init(&payload, INPUT_BYTES_MAX);
	if (read_all(&text, &err) < 0 ||
	    tokens_verify_signature(
	        verifier, buf_text(&text), text.size_bytes, &payload, &err) < 0)
		status = say_exit(STATUS_FAILED, "%s", err.text);
	else
		status = write_bytes(payload.bytes, payload.size_bytes);
	buf_fini(&payload);
	wipe(&text);
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

/* Its verdict as JSON, and said when it is bad. */
static int verdict(
    int code, const struct tokens_verified *found, bool json, struct err *err)
{
	struct buf line;
	int status = STATUS_OK;

	if (json) {
		buf_init(&line, CLAIMS_BYTES_MAX);
		put_json(&line, code, found, err);
		status = write_line(&line);
		buf_fini(&line);
	}
	if (status == STATUS_OK && code < 0)
		status = say_exit(STATUS_FAILED, "%s", err->text);
	return status;
}

int token_stdin_one(struct tokens_verifier *verifier, bool json)
{
	struct tokens_verified found;
	struct err err = ERR_INIT;
	struct buf text;
	int status;

	if (read_all(&text, &err) < 0) {
		status = say_exit(STATUS_FAILED, "%s", err.text);
	} else {
		int code = tokens_verify(
		    verifier, buf_text(&text), text.size_bytes, &found, &err);

		status = verdict(code, &found, json, &err);
	}
	wipe(&text);
	return status;
}

/* One line of a batch: its verdict, "valid" or "invalid ERRNO why". */
static int verify_line(struct tokens_verifier *verifier, bool json,
    const char *text, size_t size_bytes)
{
	struct err err = ERR_INIT;
	struct tokens_verified found;
	struct buf line;
	int code = tokens_verify(verifier, text, size_bytes, &found, &err);
	int status;

	buf_init(&line, CLAIMS_BYTES_MAX);
	if (json)
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

int token_stdin_batch(struct tokens_verifier *verifier, bool json)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n;
	int status = STATUS_OK;

	while ((n = getline(&text, &room, stdin)) > 0) {
		size_t size = (size_t)n - (text[n - 1] == '\n');

		/* Each line is answered, in order, at once. */
		if (verify_line(verifier, json, text, size) != STATUS_OK)
			status = STATUS_FAILED;
		if (ferror(stdout) != 0)
			break;
	}
	if (text != NULL)
		secret_wipe(text, room);
	free(text);
	return status;
}
