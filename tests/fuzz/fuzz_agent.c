/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a token agent sends, and as its answers: no crash, no
 * leak, an end of the answer that lies within it, and sentences without a
 * word that may be a token.
 */
#include "base/clock.h"
#include "base/secret.h"
#include "tokens/claims/token.h"
#include "tokens/find/agent_answer.h"
#include "tokens/find/agent_call.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* The address "NAME" and the words of ours are shorter than any token. */
static void check_sentence(const struct err *err)
{
	size_t run = 0;

	for (const char *p = err->text; *p != '\0'; p++) {
		assert(*p >= 0x20 && *p < 0x7f);
		run = *p == ' ' ? 0 : run + 1;
		assert(run <= 40);
	}
}

static void check_token(const char *text, size_t size_bytes)
{
	struct err err = ERR_INIT;
	struct token *token = NULL;
	int code = agent_answer_token(&token, text, size_bytes, "tb", &err);

	assert((code == 0) == (token != NULL));
	assert(code == 0 || (err.code == code && err.text[0] != '\0'));
	if (code != 0)
		check_sentence(&err);
	if (token == NULL)
		return;
	for (const char *p = secret_reveal(token_text(token)); *p != '\0'; p++)
		assert(*p > 0x20 && *p < 0x7f);
	assert(token_expires_s(token) == UINT64_MAX ||
	    token_expires_s(token) <= JWT_TIME_MAX_S);
	token_put(token);
}

static void check_account(const char *text, size_t size_bytes)
{
	char name[AGENT_ACCOUNT_BYTES];
	struct err err = ERR_INIT;
	int code = agent_answer_account(name, text, size_bytes, &err);

	if (code == 0)
		assert(agent_account_ok(name));
	else
		assert(err.code == code && err.text[0] != '\0');
}

/* The same on a connection that is open and has been asked. */
static void check_call(const uint8_t *data, size_t size_bytes)
{
	static struct agent_call call;
	const struct agent_place place = {.path = "/fuzz", .account = "tb"};
	struct err err = ERR_INIT;
	int ends[2];
	int code;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0)
		return;
	if (size_bytes > 0 && send(ends[1], data, size_bytes, MSG_NOSIGNAL) < 0)
		abort();
	(void)close(ends[1]);
	agent_call_init(&call);
	call.fd = ends[0];
	call.sent = true;
	call.depth = 0;
	call.in_string = call.escaped = call.whole = false;
	code = agent_call_run(
	    &call, &place, "{}", clock_now_ms(clock_system()) + 10000, &err);
	assert(code == 0 || code == -EPROTO);
	if (code == 0) {
		assert(call.size_bytes <= size_bytes);
		assert(memcmp(call.answer, data, call.size_bytes) == 0);
		assert(call.answer[call.size_bytes - 1] == '}' ||
		    call.answer[call.size_bytes - 1] == ']');
		check_token(call.answer, call.size_bytes);
	}
	agent_call_end(&call);
	assert(!agent_call_is_open(&call));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	char *text = malloc(size_bytes + 1);

	if (text == NULL)
		return 0;
	if (size_bytes > 0)
		memcpy(text, data, size_bytes);
	text[size_bytes] = '\0';
	check_token(text, size_bytes);
	check_account(text, size_bytes);
	if (size_bytes < 60000)
		check_call(data, size_bytes);
	free(text);
	return 0;
}
