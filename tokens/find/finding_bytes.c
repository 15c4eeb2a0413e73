/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/finding_bytes.c - a finding on its way from one process to
 * another; see finding.h.
 *
 *   code, count, sentence, then each token's text and place
 *
 * A number is 32 bits as this machine has them; a text is its size and its
 * bytes, without a NUL. Nothing follows the last one. */
#include "base/secret.h"
#include "tokens/find/finding.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ERRNO_MAX = 4095 };

/* Writing. */

struct writer {
	char *at; /* NULL: only count */
	size_t size_bytes;
};

static void put(struct writer *writer, const void *bytes, size_t size_bytes)
{
	if (writer->at != NULL)
		memcpy(writer->at + writer->size_bytes, bytes, size_bytes);
	writer->size_bytes += size_bytes;
}

static void put_number(struct writer *writer, int32_t value)
{
	put(writer, &value, sizeof(value));
}

static void put_text(struct writer *writer, const char *text, size_t size_bytes)
{
	put_number(writer, (int32_t)size_bytes);
	put(writer, text, size_bytes);
}

static void put_finding(struct writer *writer, const struct finding *finding)
{
	const struct err *problem = &finding->problem;

	put_number(writer, problem->code);
	put_number(writer, (int32_t)finding->count);
	put_text(writer, problem->text,
	    problem->code != 0 ? strlen(problem->text) : 0);
	for (unsigned i = 0; i < finding->count; i++) {
		const struct token *token = finding->tokens[i];
		const char *source = token_source(token);

		put_text(writer, secret_reveal(token->text),
		    secret_size_bytes(token->text));
		put_text(writer, source, strlen(source));
	}
}

int finding_encode(
    const struct finding *finding, char **out, size_t *size_bytes)
{
	struct writer count = {.at = NULL};
	struct writer writer = {.at = NULL};

	/* All the room at once: one that grows leaves copies behind. */
	put_finding(&count, finding);
	assert(count.size_bytes <= FINDING_BYTES_MAX);
	writer.at = malloc(count.size_bytes);
	if (writer.at == NULL)
		return -ENOMEM;
	put_finding(&writer, finding);
	*out = writer.at;
	*size_bytes = writer.size_bytes;
	return 0;
}

/* Reading. */

struct reader {
	const char *at;
	size_t left_bytes;
};

static bool take_number(struct reader *reader, int32_t *out)
{
	if (reader->left_bytes < sizeof(*out))
		return false;
	memcpy(out, reader->at, sizeof(*out));
	reader->at += sizeof(*out);
	reader->left_bytes -= sizeof(*out);
	return true;
}

/* A text of less than `limit_bytes`, borrowed. */
static bool take_text(struct reader *reader, const char **out,
    size_t *size_bytes, size_t limit_bytes)
{
	int32_t size;

	if (!take_number(reader, &size) || size < 0 ||
	    (size_t)size >= limit_bytes || (size_t)size > reader->left_bytes ||
	    memchr(reader->at, '\0', (size_t)size) != NULL)
		return false;
	*out = reader->at;
	*size_bytes = (size_t)size;
	reader->at += size;
	reader->left_bytes -= (size_t)size;
	return true;
}

static int take_token(struct reader *reader, struct finding *out)
{
	char source[PATH_BYTES_MAX];
	const char *text;
	const char *place;
	size_t text_bytes;
	size_t place_bytes;
	struct token *token;
	struct err ignored = ERR_INIT;
	int code;

	if (!take_text(reader, &text, &text_bytes, TOKENS_TEXT_BYTES_MAX + 1) ||
	    !take_text(reader, &place, &place_bytes, sizeof(source)))
		return -EBADMSG;
	code = token_read(&token, text, text_bytes, &ignored);
	if (code < 0)
		return code == -ENOMEM ? code : -EBADMSG;
	finding_add(out, token);
	/* Bare, as it is encoded, and nothing around it. */
	if (secret_size_bytes(token->text) != text_bytes)
		return -EBADMSG;
	memcpy(source, place, place_bytes);
	source[place_bytes] = '\0';
	return place_bytes > 0 ? token_set_source(token, source) : 0;
}

static int take_finding(struct reader *reader, struct finding *out)
{
	struct err *problem = &out->problem;
	const char *text;
	size_t size_bytes;
	int32_t count;
	int32_t number;
	int code = 0;

	if (!take_number(reader, &number) || number > 0 ||
	    number < -ERRNO_MAX || !take_number(reader, &count) || count < 0 ||
	    count > FINDING_TOKENS_MAX ||
	    !take_text(reader, &text, &size_bytes, sizeof(problem->text)) ||
	    (number == 0 && size_bytes > 0))
		return -EBADMSG;
	problem->code = number;
	memcpy(problem->text, text, size_bytes);
	problem->text[size_bytes] = '\0';
	for (int32_t i = 0; code == 0 && i < count; i++)
		code = take_token(reader, out);
	if (code == 0 && reader->left_bytes > 0)
		code = -EBADMSG;
	return code;
}

int finding_decode(struct finding *out, const char *bytes, size_t size_bytes)
{
	struct reader reader = {.at = bytes, .left_bytes = size_bytes};
	int code;

	*out = (struct finding){.count = 0};
	code = take_finding(&reader, out);
	if (code < 0)
		finding_fini(out);
	return code;
}
