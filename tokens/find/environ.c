/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/environ.c - see environ.h. */
#include "tokens/find/environ.h"

#include "base/io.h"
#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void environ_fini(struct environ_block *block)
{
	if (block->bytes != NULL)
		secret_wipe(block->bytes, block->size_bytes);
	free(block->bytes);
	*block = (struct environ_block){.bytes = NULL};
}

int environ_read(struct environ_block *out, int fd)
{
	ssize_t n;

	/* All the room at once: one that grows leaves copies behind. The last
	 * byte tells a block that is too large. */
	*out = (struct environ_block){.bytes = malloc(ENVIRON_BYTES_MAX + 1)};
	if (out->bytes == NULL)
		return -ENOMEM;
	n = io_read_all(fd, out->bytes, ENVIRON_BYTES_MAX + 1);
	if (n >= 0 && n <= ENVIRON_BYTES_MAX) {
		out->size_bytes = (size_t)n;
		return 0;
	}
	out->size_bytes = ENVIRON_BYTES_MAX + 1; /* so much may be there */
	environ_fini(out);
	return n < 0 ? (int)n : -EMSGSIZE;
}

const char *environ_get(const struct environ_block *block, const char *name)
{
	size_t name_bytes = strlen(name);
	size_t at = 0;

	assert(name_bytes > 0 && strchr(name, '=') == NULL);
	while (at < block->size_bytes) {
		const char *start = block->bytes + at;
		const char *end = memchr(start, '\0', block->size_bytes - at);
		size_t size_bytes;

		if (end == NULL)
			return NULL;
		size_bytes = (size_t)(end - start) + 1;
		if (size_bytes > name_bytes + 1 && start[name_bytes] == '=' &&
		    memcmp(start, name, name_bytes) == 0)
			return size_bytes <= ENVIRON_VARIABLE_BYTES_MAX
			    ? start + name_bytes + 1
			    : NULL;
		at += size_bytes;
	}
	return NULL;
}
