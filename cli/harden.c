/* SPDX-License-Identifier: Apache-2.0 */
/* cli/harden.c - see harden.h. */
#include "cli/harden.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

void harden_begin(void)
{
	const struct rlimit none = {0, 0};

	/* Neither can fail for an own process that asks for less. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
}

void harden_end(void)
{
	(void)prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
}

void harden_forget(void)
{
	/* No other thread reads the environment yet (harden.h). */
	char *token =
	    getenv("BEARER_TOKEN"); /* NOLINT(concurrency-mt-unsafe): alone */

	if (token == NULL)
		return;
	secret_wipe(token, strlen(token));
	(void)unsetenv(
	    "BEARER_TOKEN"); /* NOLINT(concurrency-mt-unsafe): alone */
}
