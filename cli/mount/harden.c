/* SPDX-License-Identifier: Apache-2.0 */
/* cli/mount/harden.c - see harden.h. */
#include "cli/mount/harden.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Of core files, as it was at first. */
static struct rlimit core_before;

void harden_begin(void)
{
	struct rlimit none;

	/* None of it can fail for an own process that asks for less. The hard
	 * limit stays: a program that is started could not raise it again. */
	(void)getrlimit(RLIMIT_CORE, &core_before);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = core_before.rlim_max};
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
}

void harden_undo(void)
{
	(void)setrlimit(RLIMIT_CORE, &core_before);
	(void)prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
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
