/* SPDX-License-Identifier: Apache-2.0 */
/* cli/doctor_checks.c - see doctor_checks.h. */
#include "cli/doctor_checks.h"

#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
#include "fetch/fetch.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/env.h"
#include "cli/options.h"
#include "cli/own_tokens.h"
#include "cli/places.h"
#include "cli/plan.h"
#include "cli/start.h"

enum { KEYS_WAIT_MS = 10000, KEYS_LOOK_MS = 50 };

struct doctor {
	struct doctor_report *report;
	const struct options *options;
	struct fetch_source source;
	const char *ca_dir;
	struct ident ident;
	struct tokens *tokens;
	struct token *token; /* NULL: none at hand */
	struct fetch *fetch;
};

static bool check_source(struct doctor *doctor)
{
	struct err err = ERR_INIT;

	if (fetch_source_parse(&doctor->source, doctor->options->source,
	        doctor->options->insecure_http, &err) < 0) {
		doctor_line(doctor->report, DOCTOR_FAIL, "source",
		    "%s; write https://HOST/PATH", err.text);
		return false;
	}
	doctor_line(doctor->report, DOCTOR_OK, "source", "%s%s",
	    doctor->source.origin, doctor->source.path);
	return true;
}

static bool check_trust(struct doctor *doctor)
{
	struct err err = ERR_INIT;

	if (plan_trust(&doctor->ca_dir, doctor->options, &err) < 0) {
		doctor_line(doctor->report, DOCTOR_FAIL, "trust",
		    "%s; name what holds the certificates with ca_file or "
		    "ca_dir",
		    err.text);
		return false;
	}
	doctor_line(doctor->report, DOCTOR_OK, "trust", "%s",
	    doctor->options->ca_file != NULL ? doctor->options->ca_file
	        : doctor->ca_dir != NULL     ? doctor->ca_dir
	                                     : "the system's authorities");
	return true;
}

static bool check_cache(struct doctor *doctor)
{
	struct places_env env = places_env();
	struct err err = ERR_INIT;
	struct err warning = ERR_INIT;
	char dir[PATH_MAX] = "";
	struct statvfs disk;

	if (doctor->options->cache_size == 0)
		doctor_line(
		    doctor->report, DOCTOR_OK, "cache", "off by cache_size=0");
	else if (places_cache(dir, doctor->options->cache_dir, &env,
	             "/proc/self/none", &warning, &err) < 0)
		doctor_line(doctor->report, DOCTOR_FAIL, "cache",
		    "%s; choose another with -o cache_dir=DIR", err.text);
	else if (warning.text[0] != '\0')
		doctor_line(
		    doctor->report, DOCTOR_WARN, "cache", "%s", warning.text);
	else if (statvfs(dir, &disk) < 0)
		doctor_line(doctor->report, DOCTOR_FAIL, "cache",
		    "%s: %s; choose another with -o cache_dir=DIR", dir,
		    err_message(errno));
	else if (disk.f_bavail <= disk.f_blocks / 20)
		doctor_line(doctor->report, DOCTOR_WARN, "cache",
		    "%s: less than a twentieth of its disk is free, so "
		    "little is kept; make room, or choose another with -o "
		    "cache_dir=DIR",
		    dir);
	else
		doctor_line(doctor->report, DOCTOR_OK, "cache",
		    "%s, %" PRIu64 " MiB free on its disk", dir,
		    (uint64_t)disk.f_bavail * disk.f_frsize >> 20);
	return true;
}

/* Whether a program of this name is on the PATH. */
static bool on_path(const char *program)
{
	const char *path = env_get("PATH");
	char file[PATH_MAX];

	while (path != NULL && *path != '\0') {
		int length = (int)strcspn(path, ":");
		int n = snprintf(
		    file, sizeof(file), "%.*s/%s", length, path, program);

		if (n > 0 && (size_t)n < sizeof(file) &&
		    access(file, X_OK) == 0)
			return true;
		path += length;
		path += *path == ':';
	}
	return false;
}

static bool check_fuse(struct doctor *doctor)
{
	if (geteuid() != 0 && !on_path("fusermount3"))
		doctor_line(doctor->report, DOCTOR_FAIL, "fuse",
		    "no fusermount3 on the PATH; install the package fuse3");
	else if (access("/dev/fuse", R_OK | W_OK) < 0)
		doctor_line(doctor->report, DOCTOR_FAIL, "fuse",
		    "/dev/fuse: %s; load the module fuse, or ask the "
		    "administrator for the device",
		    err_message(errno));
	else
		doctor_line(
		    doctor->report, DOCTOR_OK, "fuse", "/dev/fuse opens");
	return true;
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
	};

	return own_tokens_new(&doctor->tokens, doctor->options, &config, err);
}

static bool check_token(struct doctor *doctor)
{
	struct err err = ERR_INIT;
	struct buf where;
	const struct tokens_query query = {.ident = &doctor->ident,
	    .path = doctor->source.path,
	    .right = TOKENS_LOOK};
	int code = make_tokens(doctor, &err);

	if (code == 0)
		code = tokens_state(doctor->tokens, &err);
	if (code < 0) {
		doctor_line(
		    doctor->report, DOCTOR_FAIL, "token", "%s", err.text);
		return false;
	}
	buf_init(&where, PATH_MAX);
	if (tokens_source(doctor->tokens, &where) == 0)
		doctor_line(doctor->report, DOCTOR_OK, "token", "found in %s",
		    buf_text(&where));
	buf_fini(&where);
	tokens_want(doctor->tokens, &query, take_token, doctor);
	return true;
}

static bool check_times(struct doctor *doctor)
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

/* A sentence that has no remedy gets one. */
static void fail_of_token(
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

/* Signature and scope, where the options say whom to believe. */
static bool check_proof(struct doctor *doctor)
{
	uint64_t end_ms = clock_now_ms(clock_system()) + KEYS_WAIT_MS;
	struct err err = ERR_INIT;
	int code;

	if (doctor->options->issuer == NULL && doctor->options->jwks == NULL) {
		doctor_line(doctor->report, DOCTOR_OK, "signature",
		    "not verified here: the server proves it");
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
		fail_of_token(doctor, "signature", code, err.text);
	else
		doctor_line(doctor->report, DOCTOR_OK, "signature", "good");
	if (code == -EACCES)
		fail_of_token(doctor, "scope", code, err.text);
	else if (code == 0)
		doctor_line(doctor->report, DOCTOR_OK, "scope", "covers %s",
		    doctor->source.path);
	return true;
}

static bool check_server(struct doctor *doctor)
{
	const struct fetch_config config = {
	    .clock = clock_system(),
	    .tokens = doctor->tokens,
	    .source = &doctor->source,
	    .ca_file = doctor->options->ca_file,
	    .ca_dir = doctor->ca_dir,
	    .timeout_ms = (uint32_t)doctor->options->timeout,
	};
	struct start_facts facts;
	const char *why;
	struct err err = ERR_INIT;
	int64_t skew_s = 0;
	bool known;

	if (fetch_new(&doctor->fetch, &config, &err) < 0 ||
	    start_look(&facts, doctor->tokens, doctor->fetch, &doctor->ident,
	        doctor->source.path, -1) < 0) {
		doctor_line(doctor->report, DOCTOR_FAIL, "server",
		    "%s; free memory and descriptors", err.text);
		return false;
	}
	switch (start_judge(&facts, doctor->options->source, false, &err)) {
	case START_GO:
		doctor_line(doctor->report, DOCTOR_OK, "server",
		    "answers to the token");
		break;
	case START_REFUSE:
		doctor_line(
		    doctor->report, DOCTOR_FAIL, "server", "%s", err.text);
		break;
	case START_WARN:
		/* What is said of a token has its remedy. */
		why = facts.code < 0 ? facts.err.text : err.text;
		fail_of_token(doctor, "server", err.code, why);
		break;
	}
	if (facts.code == 0 && facts.asked)
		doctor_line(doctor->report, DOCTOR_OK, "abilities", "%s",
		    fetch_has_dav(doctor->fetch)
		        ? "lists directories by WebDAV"
		        : "lists directories by index pages");
	known = fetch_skew_s(doctor->fetch, &skew_s);
	doctor_clock(doctor->report, known, skew_s);
	return true;
}

void doctor_run(struct doctor_report *report, const struct options *options)
{
	/* In order; what follows a check that says false needs it. */
	static bool (*const checks[])(struct doctor *) = {check_source,
	    check_trust, check_cache, check_fuse, check_token, check_times,
	    check_proof, check_server};
	struct doctor doctor = {.report = report, .options = options};

	doctor.ident =
	    (struct ident){.uid = geteuid(), .gid = getegid(), .pid = getpid()};
	for (size_t i = 0; i < ARRAY_COUNT(checks); i++)
		if (!checks[i](&doctor))
			break;
	if (doctor.fetch != NULL)
		fetch_stop(doctor.fetch);
	fetch_free(doctor.fetch);
	token_put(doctor.token);
	tokens_free(doctor.tokens);
}
