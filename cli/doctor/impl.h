/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/doctor/impl.h - what the files of `bearerfs doctor` share:
 * checks.c looks at this machine, token.c at the token,
 * server.c at the server.
 */
#ifndef CLI_DOCTOR_IMPL_H
#define CLI_DOCTOR_IMPL_H

#include "base/ident.h"
#include "fetch/fetch.h"
#include "tokens/tokens.h"

#include <stdbool.h>

#include "cli/doctor/checks.h"
#include "cli/mount/own_tokens.h"
#include "cli/mount/start.h"
#include "cli/options/names.h"
#include "cli/plan/servers.h"

struct federation;
struct options;

struct doctor {
	struct doctor_report *report;
	const struct options *options;
	struct fetch_source source;
	bool federated;  /* it is a federation... */
	bool serverless; /* ...that does not tell its servers */
	struct federation *federation;
	struct servers servers; /* caches in front of it, of the options */
	const char *ca_dir;
	struct names hosts; /* that a redirect may take the token to */
	struct ident ident;
	struct own_tokens_said said; /* by whose word they are verified */
	struct tokens *tokens;
	struct fetch *fetch;
	bool has_token; /* that is good now */
	struct token *token;
	struct start_facts facts; /* of the source, asked with the token */
};

/** Where the nth cache is, from 0; NULL: there is none. */
const char *doctor_cache(const struct doctor *doctor, unsigned nth);

/* Each adds its lines. False: what follows cannot be looked at. */

/** Of a federation: asks it. */
bool doctor_federation(struct doctor *doctor);
/** Makes tokens and fetch. */
bool doctor_token(struct doctor *doctor);
/* The next three want a token. */
bool doctor_times(struct doctor *doctor);
bool doctor_proof(struct doctor *doctor);
bool doctor_source(struct doctor *doctor);
/** Without a token: is the server there? */
bool doctor_contact(struct doctor *doctor);
/** What the server is able to; after doctor_source(). */
bool doctor_abilities(struct doctor *doctor);
bool doctor_time_of_server(struct doctor *doctor);

/** Add a FAIL line; a sentence that has no remedy gets one. */
void doctor_fail(
    struct doctor *doctor, const char *name, int code, const char *why);

#endif
