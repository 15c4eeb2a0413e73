/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a finding that a look's process sends: what is taken for one
 * is just what finding_encode() would have written.
 */
#include "tokens/find/finding.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct finding finding;
	char *again = NULL;
	size_t again_bytes = 0;
	/* A copy of just this size: a byte read behind it is seen. */
	char *bytes = malloc(size_bytes > 0 ? size_bytes : 1);
	int code;

	if (bytes == NULL)
		return 0;
	if (size_bytes > 0)
		memcpy(bytes, data, size_bytes);
	code = finding_decode(&finding, bytes, size_bytes);
	assert(code == 0 || code == -EBADMSG);
	assert(code == 0 || finding.count == 0);
	if (code == 0) {
		assert(finding_encode(&finding, &again, &again_bytes) == 0);
		assert(again_bytes == size_bytes);
		assert(memcmp(again, bytes, size_bytes) == 0);
	}
	finding_fini(&finding);
	free(again);
	free(bytes);
	return 0;
}
