/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/index.h - listings of servers without PROPFIND: HTML index pages
 * (nginx, Apache, XRootD, Python's http.server and their like) and nginx's
 * `autoindex_format json`. Push parsers in constant memory.
 *
 * An index page is no contract: what is taken from it is a link to a direct
 * child of the asked directory, and that a slash at its end means directory.
 * Links elsewhere (parent, sort orders, other hosts) are passed over.
 *
 * Threads: a parser belongs to one thread at a time.
 * Sources: HTML living standard 13.2.5 (tokens of tags and attributes, the
 * part that matters here), RFC 3986 section 5, RFC 8259.
 */
#ifndef FETCH_ANSWERS_INDEX_H
#define FETCH_ANSWERS_INDEX_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct fetch_source;
struct fetch_stat;
struct index_parser;

enum {
	INDEX_LINK_BYTES_MAX = 12800, /* longer ones are passed over */
};

enum index_format {
	INDEX_NONE, /* nothing that we can read as a listing */
	INDEX_HTML,
	INDEX_JSON,
};

/** The format that a media type (header_media_type()) stands for. */
enum index_format index_format_of(const char *media_type);

/** Receives the entries. */
struct index_target {
	void *arg;
	/** One child; the name is borrowed, decoded, and has passed
	 *  path_name_ok(). `stat->exact` is false: kind and name are sure;
	 *  JSON also fills size and time. A page may name a child twice.
	 *  Non-zero ends the parsing with that code. */
	int (*entry)(
	    void *arg, const char *name, const struct fetch_stat *stat);
};

/**
 * Begin a page.
 *
 * @param source       the server asked; borrowed for the call.
 * @param request_path the asked directory, normal (base/path.h); copied.
 * @param raw_names    XRootD: names stand in links as they are, neither
 *                     percent-encoded nor with entities.
 * @param target       copied.
 * @retval -ENOMEM     out of memory.
 */
NODISCARD int index_parser_new(struct index_parser **out,
    enum index_format format, const struct fetch_source *source,
    const char *request_path, bool raw_names,
    const struct index_target *target);

/**
 * Take the next bytes, cut anywhere.
 *
 * After a failure every further call gives the same code.
 *
 * @retval 0         taken.
 * @retval -EBADMSG  JSON that is malformed or no listing. (HTML never is.)
 * @retval other     what entry() gave.
 */
NODISCARD int index_parser_feed(struct index_parser *parser, const void *bytes,
    size_t size_bytes, struct err *err);

/** The page has ended; -EBADMSG when JSON is incomplete, or when an HTML
 *  page had no tag at all. */
NODISCARD int index_parser_end(struct index_parser *parser, struct err *err);

/** Links and entries passed over so far. */
uint64_t index_parser_skipped(const struct index_parser *parser);

/** Free; NULL is allowed. */
void index_parser_free(struct index_parser *parser);
DEFINE_FREEP(index_parser, index_parser_free)

#endif
