/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/response.c - see response.h.
 */
#include "fetch/answers/response.h"

#include "fetch/answers/digest_header.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

struct response_verdict response_verdict_of(int status)
{
	switch (status) {
#define STATUS(number, what, error, text)         \
	case number:                              \
		return (struct response_verdict){ \
		    .means = RESPONSE_##what,     \
		    .code = -(error),             \
		    .why = (text),                \
		};
#include "fetch/calls/status.tbl.h"
#undef STATUS
	default:
		break;
	}
	if (status >= 500 && status <= 599)
		return (struct response_verdict){
		    RESPONSE_SERVER, -EIO, "an error of the server"};
	/* 1xx, other 2xx and 3xx, other 4xx, and nonsense. */
	return (struct response_verdict){
	    RESPONSE_BAD, -EIO, "an answer to something else"};
}

void response_clear(struct response *response)
{
	/* Not the 8 KiB of `location`: its first byte says that it is empty. */
	memset(response, 0, offsetof(struct response, location));
	response->modified_s = -1;
	response->location[0] = '\0';
}

static void problem(struct response *response, const char *text)
{
	if (response->problem == NULL)
		response->problem = text;
}

/* A new answer on the same request: an interim one (1xx) came before it. */
static int take_status(
    struct response *response, const char *line, size_t size_bytes)
{
	unsigned count = response->header_count;
	size_t bytes = response->header_bytes;
	int status = header_status_line(line, size_bytes);

	if (status < 0)
		return -EBADMSG;
	response_clear(response);
	response->header_count = count;
	response->header_bytes = bytes;
	response->status = status;
	return 0;
}

static void take_length(
    struct response *response, const struct header_field *field)
{
	uint64_t length_bytes = 0;

	if (header_content_length(
	        field->value, field->value_bytes, &length_bytes) < 0)
		problem(response, "a malformed Content-Length");
	else if (response->length_known &&
	    response->length_bytes != length_bytes)
		problem(response, "two different Content-Lengths");
	response->length_known = true;
	response->length_bytes = length_bytes;
}

static void take_range(
    struct response *response, const struct header_field *field)
{
	if (response->range_known)
		problem(response, "two Content-Ranges");
	else if (header_content_range(
	             field->value, field->value_bytes, &response->range) < 0)
		problem(response, "a malformed Content-Range");
	response->range_known = true;
}

static void take_location(
    struct response *response, const struct header_field *field)
{
	if (field->value_bytes >= sizeof(response->location)) {
		problem(response, "an endless Location");
		return;
	}
	memcpy(response->location, field->value, field->value_bytes);
	response->location[field->value_bytes] = '\0';
}

static bool begins_with(const struct header_field *field, const char *name)
{
	size_t name_bytes = strlen(name);

	return field->value_bytes >= name_bytes &&
	    strncasecmp(field->value, name, name_bytes) == 0;
}

static void take_server(
    struct response *response, const struct header_field *field)
{
	response->xrootd = begins_with(field, "xrootd");
	response->nginx = begins_with(field, "nginx");
	response->apache = begins_with(field, "apache");
}

static void take_date(
    struct response *response, const struct header_field *field)
{
	int64_t date_s;

	response->dated = true;
	response->skew_known = header_date(field->value, field->value_bytes,
	                           response->now_s, &date_s) == 0;
	response->skew_s = response->skew_known ? response->now_s - date_s : 0;
}

static void take_etag(
    struct response *response, const struct header_field *field)
{
	(void)header_etag_strong(
	    response->etag, field->value, field->value_bytes);
}

static void take_modified(
    struct response *response, const struct header_field *field)
{
	if (header_date(field->value, field->value_bytes, response->now_s,
	        &response->modified_s) < 0)
		response->modified_s = -1;
}

static void take_retry_after(
    struct response *response, const struct header_field *field)
{
	response->wait_asked =
	    header_retry_after(field->value, field->value_bytes,
	        response->now_s, &response->wait_asked_s) == 0;
}

static void take_type(
    struct response *response, const struct header_field *field)
{
	header_media_type(
	    response->media_type, field->value, field->value_bytes);
}

static void take_encoding(
    struct response *response, const struct header_field *field)
{
	if (!header_encoding_is_identity(field->value, field->value_bytes))
		response->encoded = true;
}

static void take_digest(
    struct response *response, const struct header_field *field)
{
	digest_header_digest(
	    &response->digest, field->value, field->value_bytes);
}

static void take_repr_digest(
    struct response *response, const struct header_field *field)
{
	digest_header_repr(&response->digest, field->value, field->value_bytes);
}

static void take_oc_checksum(
    struct response *response, const struct header_field *field)
{
	digest_header_oc(&response->digest, field->value, field->value_bytes);
}

/* By length first: most headers are of no interest. */
static void take_field(
    struct response *response, const struct header_field *field)
{
	static const struct {
		const char *name;
		size_t name_bytes;
		void (*take)(struct response *response,
		    const struct header_field *field);
	} table[] = {
	    {"Date", 4, take_date},
	    {"ETag", 4, take_etag},
	    {"Digest", 6, take_digest},
	    {"Server", 6, take_server},
	    {"Location", 8, take_location},
	    {"OC-Checksum", 11, take_oc_checksum},
	    {"Repr-Digest", 11, take_repr_digest},
	    {"Retry-After", 11, take_retry_after},
	    {"Content-Type", 12, take_type},
	    {"Content-Range", 13, take_range},
	    {"Last-Modified", 13, take_modified},
	    {"Content-Length", 14, take_length},
	    {"Content-Encoding", 16, take_encoding},
	};

	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		if (table[i].name_bytes == field->name_bytes &&
		    header_is(field, table[i].name)) {
			table[i].take(response, field);
			return;
		}
	}
}

int response_line(struct response *response, const char *line,
    size_t size_bytes, int64_t now_s)
{
	struct header_field field;
	int code;

	response->header_count++;
	response->header_bytes += size_bytes;
	response->now_s = now_s;
	if (response->header_count > RESPONSE_HEADERS_MAX ||
	    response->header_bytes > RESPONSE_HEADER_BYTES_MAX)
		return -EMSGSIZE;
	if (response->ended) /* trailers of a chunked body: not for us */
		return 0;
	if (size_bytes >= 5 && memcmp(line, "HTTP/", 5) == 0)
		return take_status(response, line, size_bytes);
	if (response->status == 0)
		return -EBADMSG;

	code = header_split(line, size_bytes, &field);
	if (code == -ENOMSG) {
		response->ended = response->status >= 200;
		return 0;
	}
	if (code < 0)
		problem(response, "a malformed header");
	else
		take_field(response, &field);
	return 0;
}
