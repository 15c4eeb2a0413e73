/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a process's environment: what is found lies in the block with
 * its end, behind its name, and nothing of that name stands before it. As the
 * line of /proc/PID/stat too, which a process names as it likes.
 */
#include "tokens/callers/caller.h"
#include "tokens/find/environ.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check(const struct environ_block *block, const char *name)
{
	const char *value = environ_get(block, name);
	size_t name_bytes = strlen(name);
	const char *start;

	if (value == NULL)
		return;
	assert(value > block->bytes + name_bytes);
	assert(value < block->bytes + block->size_bytes);
	assert(memchr(value, '\0',
	           (size_t)(block->bytes + block->size_bytes - value)) != NULL);
	start = value - name_bytes - 1;
	assert(memcmp(start, name, name_bytes) == 0 && value[-1] == '=');
	assert(start == block->bytes || start[-1] == '\0');
	assert(strlen(start) < ENVIRON_VARIABLE_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct environ_block block = {.size_bytes = size_bytes};
	struct caller_stat stat;
	int code;

	/* A copy of just this size: a byte read behind it is seen. */
	block.bytes = malloc(size_bytes > 0 ? size_bytes : 1);
	if (block.bytes == NULL)
		return 0;
	if (size_bytes > 0)
		memcpy(block.bytes, data, size_bytes);
	check(&block, "BEARER_TOKEN");
	check(&block, "BEARER_TOKEN_FILE");
	check(&block, "A");
	code = caller_stat_parse(&stat, block.bytes, size_bytes);
	assert(code == 0 || code == -EIO);
	free(block.bytes);
	return 0;
}
