/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/index.c - see index.h: which format, and what a link means. The
 * formats stand in index_html.c and index_json.c.
 */
#include "fetch/answers/index.h"

#include "base/clock.h"
#include "base/err.h"
#include "fetch/answers/index_parse.h"
#include "fetch/answers/link.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum index_format index_format_of(const char *media_type)
{
	if (strcmp(media_type, "text/html") == 0 ||
	    strcmp(media_type, "application/xhtml+xml") == 0)
		return INDEX_HTML;
	if (strcmp(media_type, "application/json") == 0)
		return INDEX_JSON;
	return INDEX_NONE;
}

int index_parser_new(struct index_parser **out, enum index_format format,
    const struct fetch_source *source, const char *request_path, bool raw_names,
    const struct index_target *target)
{
	struct index_parser *parser = calloc(1, sizeof(*parser));

	assert(format != INDEX_NONE);
	assert(path_is_normal(request_path));
	if (parser == NULL)
		return -ENOMEM;
	parser->format = format;
	parser->raw_names = raw_names;
	parser->now_s = (int64_t)clock_wall_s(clock_system());
	parser->target = *target;
	memcpy(parser->request_path, request_path, strlen(request_path) + 1);
	/* A source that was parsed has a host; without one no absolute link
	 * is of this server. */
	if (source_host_of(&parser->host, source->origin) < 0)
		parser->host.host[0] = '\0';
	if (format == INDEX_HTML)
		index_html_init(&parser->html);
	else
		index_json_init(parser);
	*out = parser;
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Whether a link begins with a scheme (RFC 3986, section 3.1). */
static bool has_scheme(const char *link, size_t size_bytes)
{
	size_t at = 0;

	if (size_bytes == 0 || !is_letter(link[0]))
		return false;
	while (at < size_bytes &&
	    (is_letter(link[at]) || (link[at] >= '0' && link[at] <= '9') ||
	        link[at] == '+' || link[at] == '-' || link[at] == '.'))
		at++;
	return at < size_bytes && link[at] == ':';
}

/* The path of a link with a scheme, when it is one to this server. `link`
 * is NUL-terminated. */
static const char *path_on_this_host(
    const struct index_parser *parser, const char *link)
{
	struct source_host host;

	if (source_host_of(&host, link) < 0 ||
	    !source_host_equal(&host, &parser->host))
		return NULL;
	return strchr(strstr(link, "://") + 3, '/');
}

/* Where a link of an ordinary page leads; entities are decoded already. */
static enum link_where locate_link(const struct index_parser *parser,
    const char *link, char name[PATH_NAME_BYTES_MAX + 1])
{
	const char *base = parser->request_path;

	/* A query or fragment: a sort order, or a place in this page. */
	if (strpbrk(link, "?#") != NULL)
		return LINK_ELSEWHERE;
	if (has_scheme(link, strlen(link)))
		link = path_on_this_host(parser, link);
	else if (link[0] == '/' && link[1] == '/')
		return LINK_ELSEWHERE; /* another host */
	else if (link[0] != '/')
		base = "/"; /* relative: its parts begin below the page */
	if (link == NULL)
		return LINK_ELSEWHERE;
	while (link[0] == '.' && link[1] == '/')
		link += 2;
	return link_locate(base, link, strlen(link), false, name);
}

/* NOLINTNEXTLINE(readability-function-cognitive-complexity): one check a form */
int index_link(struct index_parser *parser, char *link, size_t size_bytes)
{
	struct fetch_stat stat = {.version = {.mtime_s = -1}};
	char name[PATH_NAME_BYTES_MAX + 1];
	enum link_where where = LINK_ELSEWHERE;
	bool slash;

	if (!parser->raw_names) {
		while (size_bytes > 0 && is_space(*link)) {
			link++;
			size_bytes--;
		}
		while (size_bytes > 0 && is_space(link[size_bytes - 1]))
			size_bytes--;
	}
	link[size_bytes] = '\0';
	slash = size_bytes > 0 && link[size_bytes - 1] == '/';
	if (memchr(link, '\0', size_bytes) != NULL)
		where = LINK_ELSEWHERE;
	else if (parser->raw_names && link[0] == '/')
		where = link_locate(
		    parser->request_path, link, size_bytes, true, name);
	else if (!parser->raw_names)
		where = locate_link(parser, link, name);
	if (where != LINK_CHILD) {
		parser->skipped++;
		return 0;
	}
	if (slash || (parser->raw_names && parser->html.row_is_directory))
		stat.kind = FETCH_DIRECTORY;
	return parser->target.entry(parser->target.arg, name, &stat);
}

static int result(const struct index_parser *parser, struct err *err)
{
	if (parser->code == 0)
		return 0;
	return err_set(err, parser->code, "index page: %s", parser->reason);
}

int index_parser_feed(struct index_parser *parser, const void *bytes,
    size_t size_bytes, struct err *err)
{
	const char *at = bytes;

	parser->reason = "was given up"; /* unless a format says why */
	for (size_t i = 0; i < size_bytes && parser->code == 0; i++) {
		if (parser->format == INDEX_HTML)
			parser->code = index_html_byte(parser, at[i]);
		else
			parser->code = index_json_byte(parser, at[i]);
	}
	return result(parser, err);
}

int index_parser_end(struct index_parser *parser, struct err *err)
{
	bool complete = parser->format == INDEX_HTML
	    ? index_html_complete(&parser->html)
	    : index_json_complete(&parser->json);

	if (parser->code == 0 && !complete) {
		parser->code = -EBADMSG;
		parser->reason = "ends too early, or is none";
	}
	return result(parser, err);
}

uint64_t index_parser_skipped(const struct index_parser *parser)
{
	return parser->skipped;
}

void index_parser_free(struct index_parser *parser)
{
	free(parser);
}
