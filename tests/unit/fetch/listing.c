/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/fetch/listing.c - see listing.h. */
#include "tests/unit/fetch/listing.h"

#include <errno.h>

void listing_init(struct listing *listing)
{
	*listing = (struct listing){0};
	buf_init(&listing->text, 1 << 20);
}

void listing_fini(struct listing *listing)
{
	buf_fini(&listing->text);
}

static void write_line(
    struct listing *listing, const char *name, const struct fetch_stat *stat)
{
	const struct fetch_version *version = &stat->version;

	(void)buf_printf(&listing->text, "%s %c %c %llu %lld%s%s\n", name,
	    stat->kind == FETCH_DIRECTORY ? 'd' : 'f', stat->exact ? '-' : '~',
	    (unsigned long long)version->size_bytes,
	    (long long)version->mtime_s, version->etag[0] != '\0' ? " " : "",
	    version->etag);
}

void listing_self(void *arg, const struct fetch_stat *stat)
{
	write_line(arg, "self", stat);
}

int listing_entry(void *arg, const char *name, const struct fetch_stat *stat)
{
	struct listing *listing = arg;

	write_line(listing, name, stat);
	listing->count++;
	return listing->count == listing->end_after ? -ECANCELED : 0;
}

void listing_quota(void *arg, int64_t available_bytes, int64_t used_bytes)
{
	struct listing *listing = arg;

	(void)buf_printf(&listing->text, "quota %lld %lld\n",
	    (long long)available_bytes, (long long)used_bytes);
}
