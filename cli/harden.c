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

void harden_show(void)
{
	(void)prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
}

void harden_end(void)
{
	(void)prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
}

void harden_forget(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): see harden.h */
	char *token = getenv("BEARER_TOKEN");

	if (token == NULL)
		return;
	secret_wipe(token, strlen(token));
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): see harden.h */
	(void)unsetenv("BEARER_TOKEN");
}
