/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/finding.c - see finding.h. */
#include "tokens/find/finding.h"

void finding_add(struct finding *finding, struct token *token)
{
	if (finding->count < FINDING_TOKENS_MAX)
		finding->tokens[finding->count++] = token;
	else
		token_put(token);
}

void finding_copy(struct finding *out, const struct finding *from)
{
	*out = *from;
	for (unsigned i = 0; i < out->count; i++)
		(void)token_get(out->tokens[i]);
}

void finding_fini(struct finding *finding)
{
	for (unsigned i = 0; i < finding->count; i++)
		token_put(finding->tokens[i]);
	*finding = (struct finding){.count = 0};
}

struct token *finding_first(const struct finding *finding)
{
	return finding->count > 0 ? finding->tokens[0] : NULL;
}
