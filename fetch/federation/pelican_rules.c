/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/federation/pelican_rules.c - a director's headers on tokens: whose open a
 * namespace, and how to get one. See pelican.h.
 */
#include "fetch/answers/header.h"
#include "fetch/federation/pelican_impl.h"
#include "fetch/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* As tokens.h wants the issuers of a trust: https, a host, no user, no query
 * and fragment, nothing but visible ASCII that may stand in a URL. */
static bool is_issuer(const char *name)
{
	struct source_host host;

	if (strncmp(name, "https://", 8) != 0 ||
	    source_host_of(&host, name) < 0)
		return false;
	for (const char *p = name; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7f ||
		    strchr("?#\"<>\\^`{|}", *p) != NULL)
			return false;
	}
	return true;
}

/* Put a text into a list, consuming it, unless it is there.
 * @retval -EBADMSG  there is no room. */
static int put_in(char **texts, unsigned *count, unsigned room, char *text)
{
	for (unsigned i = 0; i < *count; i++) {
		if (strcmp(texts[i], text) == 0) {
			free(text);
			return 0;
		}
	}
	if (*count == room) {
		free(text);
		return -EBADMSG;
	}
	texts[(*count)++] = text;
	return 0;
}

static int take_issuer(
    struct pelican_issuers *issuers, const struct pelican_fact *fact)
{
	char *name;

	if (fact->value_bytes > PELICAN_ISSUER_BYTES_MAX)
		return -EBADMSG;
	name = pelican_copy(fact->value, fact->value_bytes);
	if (name == NULL)
		return -ENOMEM;
	if (!is_issuer(name)) {
		free(name);
		return -EBADMSG;
	}
	return put_in(
	    issuers->names, &issuers->count, PELICAN_ISSUERS_MAX, name);
}

int pelican_read_authorization(
    struct pelican_issuers *out, const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;
	struct pelican_fact fact;
	int code = 0;

	while (code == 0) {
		code = pelican_next_fact(&fact, &text, end);
		if (code <= 0)
			return code;
		code = pelican_key_is(&fact, "issuer") ? take_issuer(out, &fact)
		                                       : 0;
	}
	return code;
}

static int take_base_path(
    struct pelican_generation *generation, const struct pelican_fact *fact)
{
	char *path;
	int code = pelican_path(&path, fact);

	if (code < 0)
		return code;
	return put_in(generation->base_paths, &generation->base_path_count,
	    PELICAN_BASE_PATHS_MAX, path);
}

static void take_depth(struct pelican_generation *generation,
    struct pelican_ignored *ignored, const struct pelican_fact *fact)
{
	uint64_t value;

	if (header_content_length(fact->value, fact->value_bytes, &value) < 0 ||
	    value > UINT32_MAX)
		pelican_ignore(ignored, "max-scope-depth is no number");
	else
		generation->scope_depth_max = (uint32_t)value;
}

static void take_strategy(struct pelican_generation *generation,
    struct pelican_ignored *ignored, const struct pelican_fact *fact)
{
	if (pelican_value_is(fact, "OAuth2"))
		generation->strategy = PELICAN_STRATEGY_OAUTH2;
	else if (pelican_value_is(fact, "Vault"))
		generation->strategy = PELICAN_STRATEGY_VAULT;
	else
		pelican_ignore(ignored, "strategy is neither OAuth2 nor Vault");
}

int pelican_read_generation(struct pelican_generation *out,
    struct pelican_ignored *ignored, const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;
	struct pelican_fact fact;
	int code = 0;

	while (code == 0) {
		code = pelican_next_fact(&fact, &text, end);
		if (code <= 0)
			return code;
		code = 0;
		if (pelican_key_is(&fact, "issuer"))
			code = take_issuer(&out->issuers, &fact);
		else if (pelican_key_is(&fact, "base-path"))
			code = take_base_path(out, &fact);
		else if (pelican_key_is(&fact, "max-scope-depth"))
			take_depth(out, ignored, &fact);
		else if (pelican_key_is(&fact, "strategy"))
			take_strategy(out, ignored, &fact);
	}
	return code;
}
