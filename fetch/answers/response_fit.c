/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/answers/response_fit.c - whether an answer is of the range that was asked for:
 * see response.h. */
#include "fetch/answers/response.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Where the bytes stand in the file, and how many there will be. */
static bool span_fits(const struct response *response,
    const struct response_want *want, struct err *err)
{
	const struct header_content_range *range = &response->range;

	if (response->status == 206) {
		if (!response->range_known || !range->satisfied) {
			(void)err_set(
			    err, -EIO, "a part without a Content-Range");
			return false;
		}
		if (range->first_bytes != want->offset_bytes ||
		    range->last_bytes !=
		        want->offset_bytes + want->length_bytes - 1) {
			(void)err_set(err, -EIO,
			    "bytes %" PRIu64 "-%" PRIu64
			    " were sent where %" PRIu64 "+%" PRIu64
			    " were asked for",
			    range->first_bytes, range->last_bytes,
			    want->offset_bytes, want->length_bytes);
			return false;
		}
	} else if (response->range_known || want->offset_bytes != 0) {
		(void)err_set(
		    err, -EIO, "the whole file was sent for a part of it");
		return false;
	} else if (!response->length_known) {
		/* Nothing says that this is the file: it may be any page. */
		(void)err_set(err, -EIO, "status 200 without a length");
		return false;
	}
	return true;
}

static bool length_fits(const struct response *response,
    const struct response_want *want, struct err *err)
{
	if (response->length_known &&
	    response->length_bytes != want->length_bytes) {
		(void)err_set(err, -EIO,
		    "%" PRIu64 " bytes were announced where %" PRIu64
		    " were asked for",
		    response->length_bytes, want->length_bytes);
		return false;
	}
	return true;
}

/* The size of the file according to the answer; whether it is the one
 * wanted. A 200 tells it by its length; one that asks for less than the
 * whole file is no answer. */
static enum response_fit total_fit(const struct response *response,
    const struct response_want *want, struct err *err)
{
	uint64_t total_bytes = want->version->size_bytes;

	if (response->status == 200) {
		if (want->length_bytes != total_bytes) {
			(void)err_set(err, -EIO,
			    "the whole file was sent for a part of it");
			return RESPONSE_UNFIT;
		}
		if (response->length_known)
			total_bytes = response->length_bytes;
	} else if (response->range.total_known) {
		total_bytes = response->range.total_bytes;
	}
	if (total_bytes != want->version->size_bytes) {
		(void)err_set(err, -ESTALE,
		    "the file has %" PRIu64 " bytes and had %" PRIu64,
		    total_bytes, want->version->size_bytes);
		return RESPONSE_SIZE_DIFFERS;
	}
	return RESPONSE_FITS;
}

static enum response_fit validator_fit(const struct response *response,
    const struct response_want *want, struct err *err)
{
	const struct fetch_version *version = want->version;

	if (want->etag[0] != '\0' && response->etag[0] != '\0') {
		if (strcmp(want->etag, response->etag) == 0)
			return RESPONSE_FITS;
		(void)err_set(err, -ESTALE, "the file has another ETag");
		return RESPONSE_ETAG_DIFFERS;
	}
	if (want->etag[0] != '\0' && response->modified_s < 0 &&
	    !want->elsewhere) {
		/* A server that has an ETag for this file shows it; the pool
		 * that it redirects to may know none (EOS). */
		(void)err_set(err, -EIO, "the bytes came without their ETag");
		return RESPONSE_UNFIT;
	}
	if (response->modified_s >= 0 && version->mtime_s >= 0 &&
	    !want->times_differ) {
		if (response->modified_s == version->mtime_s)
			return RESPONSE_FITS;
		(void)err_set(
		    err, -ESTALE, "the file has another modification time");
		return RESPONSE_TIME_DIFFERS;
	}
	return RESPONSE_FITS_MAY;
}

enum response_fit response_fit_of(const struct response *response,
    const struct response_want *want, struct err *err)
{
	enum response_fit fit;

	if (response->problem != NULL) {
		(void)err_set(err, -EIO, "%s", response->problem);
		return RESPONSE_UNFIT;
	}
	if (response->status != 200 && response->status != 206) {
		(void)err_set(err, -EIO, "status %d", response->status);
		return RESPONSE_UNFIT;
	}
	if (response->encoded) {
		(void)err_set(err, -EIO,
		    "the bytes are encoded, which was not asked for");
		return RESPONSE_UNFIT;
	}
	if (!span_fits(response, want, err))
		return RESPONSE_UNFIT;
	/* Of another size: said before the length, which then differs too. */
	fit = total_fit(response, want, err);
	if (fit != RESPONSE_FITS)
		return fit;
	if (!length_fits(response, want, err))
		return RESPONSE_UNFIT;
	return validator_fit(response, want, err);
}
