/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/window.c - see window.h.
 */
#include "cache/store/window.h"

#include "cache/store/impl.h"
#include "cache/store/record.h"

static_assert(STORE_SCRATCH_BYTES >= (int)RECORD_BYTES_MAX, "a record fits");

uint8_t *window_at(
    struct window *window, struct place place, size_t *size_bytes)
{
	struct iovec vector = {
	    .iov_base = window->bytes, .iov_len = STORE_SCRATCH_BYTES};
	struct pack_span span = {
	    .pack = place.pack,
	    .offset_bytes = place.offset_bytes,
	    .vectors = &vector,
	    .vector_count = 1,
	    .size_bytes = STORE_SCRATCH_BYTES,
	};
	size_t at = place.offset_bytes - window->place.offset_bytes;
	ssize_t n;

	if (place.pack == window->place.pack &&
	    place.offset_bytes >= window->place.offset_bytes &&
	    at + RECORD_BYTES_MAX <= window->size_bytes) {
		*size_bytes = window->size_bytes - at;
		return window->bytes + at;
	}
	n = pack_read(window->store, window->generation, &span, STORE_WAIT);
	window->place = place;
	window->size_bytes = *size_bytes = n < 0 ? 0 : (size_t)n;
	return window->bytes;
}

void window_forget(struct window *window)
{
	window->size_bytes = 0;
}
