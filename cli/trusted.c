/* SPDX-License-Identifier: Apache-2.0 */
/* cli/trusted.c - see trusted.h. */
#include "cli/trusted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

/* Take a list with ';' between apart: how many, or an error. */
static int split(const char *names[TRUSTED_NAMES_MAX], char **copy,
    const char *option, const char *text, struct err *err)
{
	char *state = NULL;
	int count = 0;

	if (text == NULL)
		return 0;
	*copy = strdup(text);
	if (*copy == NULL)
		return err_set(err, -ENOMEM, "%s: out of memory", option);
	for (char *name = strtok_r(*copy, "; \t", &state); name != NULL;
	     name = strtok_r(NULL, "; \t", &state)) {
		if (count == TRUSTED_NAMES_MAX)
			return err_set(err, -EINVAL,
			    "option %s: more than %d names", option,
			    TRUSTED_NAMES_MAX);
		names[count++] = name;
	}
	return count;
}

int trusted_init(struct trusted *out, const struct options *options,
    bool any_audience, struct err *err)
{
	int issuers;
	int audiences = 0;

	*out = (struct trusted){.trust = {.jwks_file = options->jwks}};
	issuers =
	    split(out->issuers, &out->texts[0], "issuer", options->issuer, err);
	if (issuers >= 0)
		audiences = split(out->audiences, &out->texts[1], "audience",
		    options->audience, err);
	if (issuers < 0 || audiences < 0) {
		trusted_fini(out);
		return issuers < 0 ? issuers : audiences;
	}
	out->trust.issuers = out->issuers;
	out->trust.issuer_count = (unsigned)issuers;
	out->trust.audiences = out->audiences;
	out->trust.audience_count = (unsigned)audiences;
	out->trust.any_audience = any_audience && audiences == 0;
	return 0;
}

void trusted_fini(struct trusted *trusted)
{
	free(trusted->texts[0]);
	free(trusted->texts[1]);
	*trusted = (struct trusted){.texts = {NULL}};
}
