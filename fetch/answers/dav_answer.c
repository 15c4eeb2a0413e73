/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/answers/dav_answer.c - see dav_answer.h. */
#include "fetch/answers/dav_answer.h"

#include "base/clock.h"
#include "fetch/answers/header.h"
#include "fetch/answers/link.h"

#include <assert.h>
#include <string.h>

static const struct dav_props nothing = {
    .mtime_s = -1, .available_bytes = -1, .used_bytes = -1};

void dav_answer_init(struct dav_answer *answer, const char *request_path,
    bool hrefs_unescaped, const struct dav_target *target)
{
	assert(path_is_normal(request_path));
	memcpy(answer->request_path, request_path, strlen(request_path) + 1);
	answer->hrefs_unescaped = hrefs_unescaped;
	answer->now_s = (int64_t)clock_wall_s(clock_system());
	answer->target = *target;
	answer->skipped = 0;
	dav_answer_begin(answer);
	dav_answer_propstat_begin(answer);
}

void dav_answer_begin(struct dav_answer *answer)
{
	answer->href_bytes = 0;
	answer->href_taken = false;
	answer->any_good = false;
	answer->good = nothing;
}

void dav_answer_propstat_begin(struct dav_answer *answer)
{
	answer->status = 0;
	answer->open = nothing;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Take the white space of a pretty-printed document off both ends. */
static void trim(const char **text, size_t *size_bytes)
{
	while (*size_bytes > 0 && is_space(**text)) {
		(*text)++;
		(*size_bytes)--;
	}
	while (*size_bytes > 0 && is_space((*text)[*size_bytes - 1]))
		(*size_bytes)--;
}

void dav_answer_href(
    struct dav_answer *answer, const char *text, size_t size_bytes)
{
	if (answer->href_taken)
		return;
	answer->href_taken = true;
	if (size_bytes > sizeof(answer->href))
		return;
	/* Blanks at the end of an unescaped one belong to the name. */
	if (!answer->hrefs_unescaped) {
		trim(&text, &size_bytes);
		/* A query or fragment: not the path that it seems to be. */
		if (memchr(text, '?', size_bytes) != NULL ||
		    memchr(text, '#', size_bytes) != NULL)
			return;
	}
	memcpy(answer->href, text, size_bytes);
	answer->href_bytes = size_bytes;
}

void dav_answer_status(
    struct dav_answer *answer, const char *text, size_t size_bytes)
{
	trim(&text, &size_bytes);
	answer->status = header_status_line(text, size_bytes);
}

static int64_t quota_of(const char *text, size_t size_bytes)
{
	uint64_t value;

	if (header_content_length(text, size_bytes, &value) < 0)
		return -1;
	return (int64_t)value;
}

void dav_answer_property(struct dav_answer *answer, enum dav_property which,
    const char *text, size_t size_bytes)
{
	struct dav_props *open = &answer->open;

	trim(&text, &size_bytes);
	switch (which) {
	case DAV_COLLECTION:
		open->collection = true;
		break;
	case DAV_ISCOLLECTION:
		if ((size_bytes == 1 && text[0] == '1') ||
		    (size_bytes == 4 && memcmp(text, "true", 4) == 0))
			open->collection = true;
		break;
	case DAV_LENGTH:
		open->has_length = header_content_length(text, size_bytes,
		                       &open->length_bytes) == 0;
		break;
	case DAV_TIME:
		if (header_date(
		        text, size_bytes, answer->now_s, &open->mtime_s) < 0)
			open->mtime_s = -1;
		break;
	case DAV_ETAG:
		(void)header_etag_strong(open->etag, text, size_bytes);
		break;
	case DAV_QUOTA_AVAILABLE:
		open->available_bytes = quota_of(text, size_bytes);
		break;
	case DAV_QUOTA_USED:
		open->used_bytes = quota_of(text, size_bytes);
		break;
	}
}

void dav_answer_propstat_end(struct dav_answer *answer)
{
	struct dav_props *good = &answer->good;
	const struct dav_props *open = &answer->open;

	if (answer->status < 200 || answer->status > 299)
		return;
	answer->any_good = true;
	good->collection = good->collection || open->collection;
	if (open->has_length) {
		good->has_length = true;
		good->length_bytes = open->length_bytes;
	}
	if (open->mtime_s >= 0)
		good->mtime_s = open->mtime_s;
	if (open->available_bytes >= 0)
		good->available_bytes = open->available_bytes;
	if (open->used_bytes >= 0)
		good->used_bytes = open->used_bytes;
	if (open->etag[0] != '\0')
		memcpy(good->etag, open->etag, sizeof(good->etag));
}

/* The path of an href: behind scheme and host, whichever they are, because
 * nothing is ever asked of an href itself. NULL: it has no absolute path. */
static const char *path_of(const char *href, const char *end)
{
	const char *at = href;

	if (at < end && *at == '/')
		return at;
	while (at < end && *at != ':' && *at != '/')
		at++;
	if (end - at < 3 || memcmp(at, "://", 3) != 0)
		return NULL;
	return memchr(at + 3, '/', (size_t)(end - at - 3));
}

/* Where the open response's href lies, seen from the asked path. */
static enum link_where locate(
    const struct dav_answer *answer, char name[PATH_NAME_BYTES_MAX + 1])
{
	const char *end = answer->href + answer->href_bytes;
	const char *path = path_of(answer->href, end);

	if (path == NULL)
		return LINK_ELSEWHERE;
	return link_locate(answer->request_path, path, (size_t)(end - path),
	    answer->hrefs_unescaped, name);
}

static struct fetch_stat stat_of(const struct dav_props *props)
{
	struct fetch_stat stat = {
	    .kind = props->collection ? FETCH_DIRECTORY : FETCH_FILE,
	    .exact = props->collection || props->has_length,
	    .version = {.mtime_s = props->mtime_s},
	};

	if (!props->collection)
		stat.version.size_bytes = props->length_bytes;
	memcpy(stat.version.etag, props->etag, sizeof(stat.version.etag));
	return stat;
}

static void tell_self(const struct dav_answer *answer)
{
	const struct dav_target *target = &answer->target;
	const struct dav_props *good = &answer->good;
	struct fetch_stat stat = stat_of(good);

	if (target->self != NULL)
		target->self(target->arg, &stat);
	if (target->quota != NULL &&
	    (good->available_bytes >= 0 || good->used_bytes >= 0))
		target->quota(
		    target->arg, good->available_bytes, good->used_bytes);
}

int dav_answer_end(struct dav_answer *answer)
{
	char name[PATH_NAME_BYTES_MAX + 1];
	struct fetch_stat stat;
	enum link_where where = LINK_ELSEWHERE;

	if (answer->any_good)
		where = locate(answer, name);
	switch (where) {
	case LINK_SELF:
		tell_self(answer);
		return 0;
	case LINK_CHILD:
		if (answer->target.entry == NULL)
			return 0;
		stat = stat_of(&answer->good);
		return answer->target.entry(answer->target.arg, name, &stat);
	case LINK_ELSEWHERE:
		break;
	}
	answer->skipped++;
	return 0;
}
