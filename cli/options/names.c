/* SPDX-License-Identifier: Apache-2.0 */
/* cli/options/names.c - see names.h. */
#include "cli/options/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int names_split(
    struct names *out, const char *option, const char *text, struct err *err)
{
	char *state = NULL;

	*out = (struct names){.count = 0};
	if (text == NULL)
		return 0;
	out->text = strdup(text);
	if (out->text == NULL)
		return err_set(err, -ENOMEM, "%s: out of memory", option);
	for (char *name = strtok_r(out->text, "; \t", &state); name != NULL;
	     name = strtok_r(NULL, "; \t", &state)) {
		if (out->count == NAMES_MAX) {
			names_fini(out);
			return err_set(err, -EINVAL,
			    "option %s: more than %d names; name fewer", option,
			    NAMES_MAX);
		}
		out->names[out->count++] = name;
	}
	return 0;
}

void names_fini(struct names *names)
{
	free(names->text);
	*names = (struct names){.count = 0};
}
