/* SPDX-License-Identifier: Apache-2.0 */
/* cli/env.c - see env.h. */
#include "cli/env.h"

#include <stdlib.h>

const char *env_get(const char *name)
{
	return getenv(name); /* NOLINT(concurrency-mt-unsafe): see env.h */
}
