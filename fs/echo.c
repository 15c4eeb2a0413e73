/* SPDX-License-Identifier: Apache-2.0 */
/* fs/echo.c - see echo.h. */
#include "fs/echo.h"

#include <assert.h>

void echo_init(struct echo *echo)
{
	*echo = (struct echo){.code = 0};
	(void)pthread_mutex_init(&echo->mutex, NULL);
}

void echo_fini(struct echo *echo)
{
	(void)pthread_mutex_destroy(&echo->mutex);
}

void echo_note(struct echo *echo, uint64_t from_bytes, size_t size_bytes,
    int code, uint64_t waited_ms, uint64_t now_ms)
{
	uint64_t to_bytes = from_bytes + size_bytes;

	assert(code < 0);
	if (waited_ms < ECHO_AFTER_MS)
		return;
	(void)pthread_mutex_lock(&echo->mutex);
	/* READs that were sent together fail together. */
	if (now_ms < atomic_load(&echo->until_ms)) {
		if (from_bytes > echo->from_bytes)
			from_bytes = echo->from_bytes;
		if (to_bytes < echo->to_bytes)
			to_bytes = echo->to_bytes;
	}
	echo->from_bytes = from_bytes;
	echo->to_bytes = to_bytes;
	echo->code = code;
	atomic_store(&echo->until_ms, now_ms + ECHO_FOR_MS);
	(void)pthread_mutex_unlock(&echo->mutex);
}

int echo_code(struct echo *echo, uint64_t offset_bytes, uint64_t now_ms)
{
	int code = 0;

	/* Without the lock where nothing has failed, which is nearly always. */
	if (now_ms >= atomic_load(&echo->until_ms))
		return 0;
	(void)pthread_mutex_lock(&echo->mutex);
	if (offset_bytes >= echo->from_bytes && offset_bytes < echo->to_bytes)
		code = echo->code;
	(void)pthread_mutex_unlock(&echo->mutex);
	return code;
}
