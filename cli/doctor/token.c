/* SPDX-License-Identifier: Apache-2.0 */
/* cli/doctor/token.c - what `bearerfs doctor` sees of the token, see
 * impl.h. */
#include "base/clock.h"
#include "fetch/federation.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/doctor/impl.h"
#include "cli/mount/own_tokens.h"
#include "cli/options/options.h"
#include "cli/plan/plan.h"

enum { KEYS_WAIT_MS = 10000, KEYS_LOOK_MS = 50 };

/* A sentence that has no remedy gets one. */
void doctor_fail(
    struct doctor *doctor, const char *name, int code, const char *why)
{
	if (why[0] == '\0')
		why = err_message(code);
	if (strchr(why, ';') != NULL)
		doctor_line(doctor->report, DOCTOR_FAIL, name, "%s", why);
	else
		doctor_line(doctor->report, DOCTOR_FAIL, name, "%s; %s", why,
		    doctor_cure(code));
}

static void take_token(
    void *arg, int code, struct token *token, const struct err *err)
{
	struct doctor *doctor = arg;

	(void)code;
	(void)err;
	doctor->token = token;
}

static int make_tokens(struct doctor *doctor, struct err *err)
{
	const struct own_tokens_config config = {
	    .source_path = doctor->source.path,
	    .verify = true,
	    .ca_dir = doctor->ca_dir,
	    .timeout_ms = (uint32_t)doctor->options->timeout,
	    .said = &doctor->said,
	    .facts = doctor->federation != NULL
	        ? federation_facts(doctor->federation)
	        : NULL,
	};

	return own_tokens_new(&doctor->tokens, doctor->options, &config, err);
}

static int make_fetch(struct doctor *doctor, struct err *err)
{
	const struct fetch_config config = {
	    .clock = clock_system(),
	    .tokens = doctor->tokens,
	    .source = &doctor->source,
	    .servers = doctor->servers.of,
	    .server_count = doctor->servers.count,
	    .federated = doctor->federated,
	    .immutable = plan_immutable(doctor->options, doctor->federated),
	    .ca_file = doctor->options->ca_file,
	    .ca_dir = doctor->ca_dir,
	    .redirect_hosts = doctor->hosts.names,
	    .redirect_host_count = doctor->hosts.count,
	    .timeout_ms = (uint32_t)doctor->options->timeout,
	};
	int code;

	code = fetch_new(&doctor->fetch, &config, err);
	if (code == 0 && doctor->federated)
		code = federation_start(doctor->federation, doctor->fetch, err);
	return code;
}

/* A token that has ended: it may be the clock that is wrong, which any answer
 * tells; then the sentence is about that. */
static int look_again(struct doctor *doctor, struct err *err)
{
	struct fetch_stat stat;
	struct err unused = ERR_INIT;

	(void)!ask_stat(
	    doctor->fetch, NULL, doctor->source.path, &stat, &unused);
	return tokens_state(doctor->tokens, err);
}

bool doctor_token(struct doctor *doctor)
{
	struct err err = ERR_INIT;
	struct buf where;
	const struct tokens_query query = {.ident = &doctor->ident,
	    .path = doctor->source.path,
	    .right = TOKENS_LOOK};
	int code = names_split(&doctor->hosts, "redirect_hosts",
	    doctor->options->redirect_hosts, &err);

	if (code == 0)
		code = make_tokens(doctor, &err);
	if (code == 0)
		code = make_fetch(doctor, &err);
	if (code < 0) {
		doctor_line(
		    doctor->report, DOCTOR_FAIL, "token", "%s", err.text);
		return false;
	}
	code = tokens_state(doctor->tokens, &err);
	if (code == -EKEYEXPIRED && !doctor->serverless)
		code = look_again(doctor, &err);
	if (code < 0) {
		doctor_line(
		    doctor->report, DOCTOR_FAIL, "token", "%s", err.text);
		return true;
	}
	doctor->has_token = true;
	buf_init(&where, PATH_MAX);
	if (tokens_source(doctor->tokens, &where) == 0)
		doctor_line(doctor->report, DOCTOR_OK, "token", "found in %s",
		    buf_text(&where));
	buf_fini(&where);
	tokens_want(doctor->tokens, &query, take_token, doctor);
	return true;
}

bool doctor_times(struct doctor *doctor)
{
	uint64_t now_s = (uint64_t)clock_wall_s(clock_system());
	uint64_t end_s =
	    doctor->token != NULL ? token_expires_s(doctor->token) : UINT64_MAX;

	if (end_s == UINT64_MAX)
		doctor_line(doctor->report, DOCTOR_OK, "times",
		    "the token does not say when it ends");
	else
		doctor_line(doctor->report, DOCTOR_OK, "times",
		    "the token is valid for %" PRIu64 " s more",
		    end_s > now_s ? end_s - now_s : 0);
	return true;
}

/* Signature and scope, where the options say whom to believe. */
bool doctor_proof(struct doctor *doctor)
{
	uint64_t end_ms = clock_now_ms(clock_system()) + KEYS_WAIT_MS;
	struct err err = ERR_INIT;
	int code;

	if (doctor->said.by == TRUSTED_BY_NOBODY) {
		doctor_line(doctor->report, DOCTOR_OK, "signature", "%s",
		    doctor->said.why.text[0] != '\0'
		        ? doctor->said.why.text
		        : "not verified here: the server proves it");
		doctor_line(doctor->report, DOCTOR_OK, "scope",
		    "not judged here: the server judges it");
		return true;
	}
	do {
		err = (struct err)ERR_INIT;
		code = tokens_may(doctor->tokens, &doctor->ident,
		    doctor->source.path, TOKENS_READ, &err);
		if (code == -EAGAIN)
			(void)usleep(KEYS_LOOK_MS * 1000);
	} while (code == -EAGAIN && clock_now_ms(clock_system()) < end_ms);
	if (code == -EAGAIN)
		doctor_line(doctor->report, DOCTOR_WARN, "signature",
		    "cannot be verified here; check that the issuer answers");
	else if (code < 0 && code != -EACCES)
		doctor_fail(doctor, "signature", code, err.text);
	else
		doctor_line(doctor->report, DOCTOR_OK, "signature", "good");
	if (code == -EACCES)
		doctor_fail(doctor, "scope", code, err.text);
	else if (code == 0)
		doctor_line(doctor->report, DOCTOR_OK, "scope", "covers %s",
		    doctor->source.path);
	return true;
}
