/* SPDX-License-Identifier: Apache-2.0 */
/* cli/plan/trusted.c - see trusted.h. */
#include "cli/plan/trusted.h"

#include "base/path.h"
#include "fetch/pelican.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "cli/options/options.h"

static_assert((int)PELICAN_ISSUERS_MAX <= (int)NAMES_MAX, "they fit");

int trusted_init(struct trusted *out, const struct options *options,
    bool any_audience, struct err *err)
{
	int code;

	*out = (struct trusted){.trust = {.jwks_file = options->jwks},
	    .base_path = options->base_path};
	code = names_split(&out->issuers, "issuer", options->issuer, err);
	if (code == 0)
		code = names_split(
		    &out->audiences, "audience", options->audience, err);
	if (code < 0) {
		trusted_fini(out);
		return code;
	}
	out->trust.issuers = out->issuers.names;
	out->trust.issuer_count = out->issuers.count;
	out->trust.audiences = out->audiences.names;
	out->trust.audience_count = out->audiences.count;
	out->trust.any_audience = any_audience && out->audiences.count == 0;
	return 0;
}

/* Whether the director tells how to get a token of each of them: those are
 * whom its base path is about. */
static bool covers(const struct pelican_generation *generation,
    const char *const *issuers, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		bool found = false;

		for (unsigned j = 0; j < generation->issuers.count; j++)
			found = found ||
			    strcmp(issuers[i], generation->issuers.names[j]) ==
			        0;
		if (!found)
			return false;
	}
	return count > 0;
}

/* The base path that the director names; NULL: none, more than one, or one
 * that has nothing to do with the namespace. */
static const char *told_base(const struct pelican_facts *facts)
{
	const char *path = facts->generation.base_paths[0];

	if (facts->generation.base_path_count != 1 ||
	    (!path_is_within(facts->namespace_path, path) &&
	        !path_is_within(path, facts->namespace_path)))
		return NULL;
	return path;
}

/* Let the trust hold the issuers that the namespace accepts. */
static void take_issuers(
    struct trusted *trusted, const struct pelican_facts *facts)
{
	const struct pelican_issuers *issuers = facts->issuers.count > 0
	    ? &facts->issuers
	    : &facts->generation.issuers;

	for (unsigned i = 0; i < issuers->count; i++)
		trusted->issuers.names[i] = issuers->names[i];
	trusted->trust.issuer_count = issuers->count;
}

/* Nothing is verified here, and why. */
static enum trusted_by by_nobody(
    struct trusted *trusted, const struct pelican_facts *facts, struct err *why)
{
	const char *reason =
	    "the director does not tell what the scopes of each issuer mean; "
	    "set base_path";

	if (!facts->token_required)
		reason = "none is needed";
	else if (trusted->trust.issuer_count == 0)
		reason =
		    "the director names no issuer; set issuer and base_path";
	(void)err_set(why, -ENOENT,
	    "tokens are not verified here: for '%.200s' %s",
	    facts->namespace_path, reason);
	trusted->trust.issuer_count = 0;
	return TRUSTED_BY_NOBODY;
}

enum trusted_by trusted_ask_federation(
    struct trusted *trusted, const struct pelican_facts *facts, struct err *why)
{
	struct tokens_trust *trust = &trusted->trust;
	bool by_options = trust->issuer_count > 0 || trust->jwks_file != NULL;
	bool base_open = strcmp(trusted->base_path, "/") == 0;
	const char *base = told_base(facts);
	bool base_known;

	if (!by_options)
		take_issuers(trusted, facts);
	base_known = !base_open ||
	    (base != NULL &&
	        covers(
	            &facts->generation, trust->issuers, trust->issuer_count));
	if (base_open && (base_known || !by_options))
		trusted->base_path =
		    base != NULL ? base : facts->namespace_path;
	if (by_options)
		return TRUSTED_BY_OPTIONS;
	if (trust->issuer_count == 0 || !facts->token_required || !base_known)
		return by_nobody(trusted, facts, why);
	return TRUSTED_BY_FEDERATION;
}

void trusted_fini(struct trusted *trusted)
{
	names_fini(&trusted->issuers);
	names_fini(&trusted->audiences);
}
