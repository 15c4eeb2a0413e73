/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/oom_strdup.c - strdup() that fails where malloc() does: link it
 * beside oom.c with WRAP strdup. */
#include <stdlib.h>
#include <string.h>

char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = malloc(n);

	return copy != NULL ? memcpy(copy, text, n) : NULL;
}
