/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/index_parse.h - what index.c, index_html.c and index_json.c share;
 * private to them.
 *
 * Each format is a machine that takes one byte at a time, so that a page may
 * be cut anywhere.
 */
#ifndef FETCH_ANSWERS_INDEX_PARSE_H
#define FETCH_ANSWERS_INDEX_PARSE_H

#include "base/path.h"
#include "fetch/answers/index.h"
#include "fetch/answers/json.h"
#include "fetch/source.h"

enum { INDEX_WORD_BYTES = 16 }; /* of a tag's or attribute's name */

struct index_html {
	unsigned char state;
	char quote;                 /* that ends the value */
	char tag[INDEX_WORD_BYTES]; /* lower case, cut */
	char attribute[INDEX_WORD_BYTES];
	char raw[INDEX_WORD_BYTES]; /* tag whose content is no markup */
	size_t word_bytes;          /* of the name being read */
	size_t matched_bytes;       /* of "-->" or "</raw" */
	bool any_tag;
	bool end_tag;
	bool href_taken; /* the first one counts */
	bool row_begun;  /* <tr>: its first letter tells the kind (XRootD) */
	bool row_is_directory;
	size_t link_bytes; /* may pass the limit; then it is not kept */
	char link[INDEX_LINK_BYTES_MAX];
};

struct index_json {
	struct json json;

	/* The entry that is open. */
	unsigned char key;
	bool is_file;
	bool is_directory;
	bool has_size;
	uint64_t length_bytes;
	int64_t mtime_s;
	size_t name_bytes; /* 0: none that we take */
	char name[JSON_TEXT_BYTES_MAX + 1];
};

struct index_parser {
	enum index_format format;
	bool raw_names;
	int64_t now_s;
	struct source_host host;
	char request_path[PATH_BYTES_MAX];
	struct index_target target;
	uint64_t skipped;
	union {
		struct index_html html;
		struct index_json json;
	};
	int code;           /* the first failure */
	const char *reason; /* constant text */
};

void index_html_init(struct index_html *html);
void index_json_init(struct index_parser *parser);

/** Take one byte. @return 0, -EBADMSG (`reason` says why) or what entry()
 *  gave */
NODISCARD int index_html_byte(struct index_parser *parser, char c);
NODISCARD int index_json_byte(struct index_parser *parser, char c);

/** A link of a page, as it stands in the attribute. */
NODISCARD int index_link(
    struct index_parser *parser, char *link, size_t size_bytes);

/** Whether the document is complete. */
bool index_html_complete(const struct index_html *html);
bool index_json_complete(const struct index_json *entry);

#endif
