/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_header - one header line; its value is given to every reader of a
 * value. What is accepted must keep the promises of header.h.
 */
#include "fetch/answers/header.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void read_numbers(const char *text, size_t size_bytes)
{
	struct header_content_range range;
	uint64_t length;
	uint32_t wait_s;
	int64_t date_s;

	if (header_content_length(text, size_bytes, &length) == 0)
		check(length <= INT64_MAX);
	if (header_content_range(text, size_bytes, &range) == 0) {
		check(range.satisfied || range.total_known);
		if (range.satisfied)
			check(range.first_bytes <= range.last_bytes);
	}
	if (header_date(text, size_bytes, 1795910400, &date_s) == 0)
		check(date_s >= 0);
	if (header_retry_after(text, size_bytes, 1795910400, &wait_s) == 0)
		check(wait_s <= HEADER_RETRY_AFTER_MAX_S);
}

static void read_texts(const char *text, size_t size_bytes)
{
	char etag[FETCH_ETAG_BYTES];
	char type[HEADER_MEDIA_TYPE_BYTES];

	if (header_etag_strong(etag, text, size_bytes))
		check(strlen(etag) == size_bytes && etag[0] == '"');
	else
		check(etag[0] == '\0');
	header_media_type(type, text, size_bytes);
	check(strlen(type) < sizeof(type));
	(void)header_encoding_is_identity(text, size_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	const char *text = (const char *)data;
	struct header_field field;
	int status = header_status_line(text, size_bytes);

	check(status == -EBADMSG || (status >= 100 && status <= 599));
	if (header_split(text, size_bytes, &field) == 0) {
		check(field.name_bytes > 0);
		check(field.value + field.value_bytes <= text + size_bytes);
		read_numbers(field.value, field.value_bytes);
		read_texts(field.value, field.value_bytes);
	}
	read_numbers(text, size_bytes);
	read_texts(text, size_bytes);
	return 0;
}
