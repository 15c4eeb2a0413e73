/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as /proc/PID/mountinfo: the same devices are found in whatever
 * pieces they come.
 */
#include "tokens/find/mounts.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void feed(struct mounts *out, const uint8_t *data, size_t size_bytes,
    size_t piece_bytes)
{
	struct mounts_reader reader = {.mounts = out};

	while (size_bytes > 0) {
		size_t n = size_bytes < piece_bytes ? size_bytes : piece_bytes;

		assert(mounts_feed(&reader, (const char *)data, n) == 0);
		data += n;
		size_bytes -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct mounts whole = {.count = 0};
	struct mounts pieces = {.count = 0};

	feed(&whole, data, size_bytes, SIZE_MAX);
	feed(&pieces, data, size_bytes, 3);
	assert(whole.count == pieces.count);
	for (unsigned i = 0; i < whole.count; i++)
		assert(mounts_have(&pieces, whole.devices[i]));
	mounts_fini(&whole);
	mounts_fini(&pieces);
	return 0;
}
