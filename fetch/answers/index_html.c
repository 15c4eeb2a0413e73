/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/index_html.c - the links of an HTML page; see index_parse.h.
 *
 * A tokenizer for tags and attributes alone, after the HTML standard's
 * states (13.2.5). There is no tree: an <a> with an href is a link wherever
 * it stands, except in comments and in elements whose content is text.
 */
#include "fetch/answers/entity.h"
#include "fetch/answers/index_parse.h"

#include <errno.h>
#include <string.h>

enum state {
	DATA,
	TAG_OPEN,
	MARKUP, /* "<!" */
	COMMENT,
	BOGUS, /* up to the next '>' */
	TAG_NAME,
	BEFORE_NAME, /* of an attribute */
	NAME,
	AFTER_NAME,
	BEFORE_VALUE,
	VALUE,          /* up to `quote` */
	VALUE_UNQUOTED, /* up to a blank or '>' */
	VALUE_QUOTE,    /* raw names: a quote that may be the last one */
	RAW_TEXT,       /* up to "</raw" */
};

void index_html_init(struct index_html *html)
{
	*html = (struct index_html){.state = DATA};
}

bool index_html_complete(const struct index_html *html)
{
	return html->any_tag;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* A word that does not fit is cut, and then equal to none of ours. */
static void word_begin(struct index_html *html, char *word, char c)
{
	memset(word, 0, INDEX_WORD_BYTES);
	word[0] = lower(c);
	html->word_bytes = 1;
}

static void word_add(struct index_html *html, char *word, char c)
{
	if (html->word_bytes < INDEX_WORD_BYTES - 1)
		word[html->word_bytes++] = lower(c);
}

static bool is_link(const struct index_html *html)
{
	return !html->end_tag && !html->href_taken &&
	    strcmp(html->tag, "a") == 0 && strcmp(html->attribute, "href") == 0;
}

static void value_begin(struct index_html *html)
{
	if (is_link(html))
		html->link_bytes = 0;
}

static void value_add(struct index_html *html, char c)
{
	if (!is_link(html) || html->link_bytes > sizeof(html->link))
		return;
	if (html->link_bytes < sizeof(html->link))
		html->link[html->link_bytes] = c;
	html->link_bytes++;
}

static void value_end(struct index_html *html)
{
	if (is_link(html))
		html->href_taken = true;
	html->state = BEFORE_NAME;
}

static int emit_link(struct index_parser *parser)
{
	struct index_html *html = &parser->html;
	size_t size_bytes = html->link_bytes;

	/* One byte is left for the NUL that index_link() writes. */
	if (size_bytes >= sizeof(html->link)) {
		parser->skipped++;
		return 0;
	}
	if (!parser->raw_names)
		size_bytes = entity_decode(html->link, size_bytes);
	return index_link(parser, html->link, size_bytes);
}

/* '>': a tag is complete. */
static int end_tag(struct index_parser *parser)
{
	static const char *const raw[] = {"script", "style", "title",
	    "textarea", "xmp", "iframe", "noembed", "noframes"};
	struct index_html *html = &parser->html;

	html->any_tag = true;
	html->state = DATA;
	if (html->end_tag)
		return 0;
	if (strcmp(html->tag, "tr") == 0) {
		html->row_begun = true;
		html->row_is_directory = false;
	}
	for (size_t i = 0; i < ARRAY_COUNT(raw); i++) {
		if (strcmp(html->tag, raw[i]) == 0) {
			html->state = RAW_TEXT;
			html->matched_bytes = 0;
			memcpy(html->raw, html->tag, sizeof(html->raw));
		}
	}
	return html->href_taken ? emit_link(parser) : 0;
}

static void tag_open(struct index_html *html, char c)
{
	html->end_tag = c == '/';
	html->href_taken = false;
	if (is_letter(c)) {
		word_begin(html, html->tag, c);
		html->state = TAG_NAME;
	} else if (c == '/') {
		memset(html->tag, 0, sizeof(html->tag));
		html->word_bytes = 0;
		html->state = TAG_NAME;
	} else if (c == '!') {
		html->matched_bytes = 0;
		html->state = MARKUP;
	} else if (c == '?') {
		html->state = BOGUS;
	} else if (c != '<') {
		html->state = DATA;
	}
}

/* "<!": a comment if "--" follows. */
static void markup(struct index_html *html, char c)
{
	if (c == '-' && ++html->matched_bytes == 2) {
		html->matched_bytes = 0;
		html->state = COMMENT;
	} else if (c == '>') {
		html->state = DATA;
	} else if (c != '-') {
		html->state = BOGUS;
	}
}

static void comment(struct index_html *html, char c)
{
	if (c == '>' && html->matched_bytes >= 2)
		html->state = DATA;
	html->matched_bytes = c == '-' ? html->matched_bytes + 1 : 0;
}

/* Look for "</raw" and read on as that tag. */
static void raw_text(struct index_html *html, char c)
{
	size_t n = html->matched_bytes;
	char wanted = '<';

	if (n == 1)
		wanted = '/';
	else if (n > 1)
		wanted = html->raw[n - 2];
	if (wanted != '\0' && lower(c) == wanted) {
		html->matched_bytes++;
		return;
	}
	if (wanted == '\0' && (is_blank(c) || c == '>' || c == '/')) {
		html->end_tag = true;
		html->href_taken = false;
		html->state = c == '>' ? DATA : BEFORE_NAME;
		return;
	}
	html->matched_bytes = c == '<' ? 1 : 0;
}

static void attribute_begin(struct index_html *html, char c)
{
	if (is_blank(c) || c == '/')
		return;
	word_begin(html, html->attribute, c);
	html->state = NAME;
}

static void before_value(struct index_html *html, char c)
{
	if (is_blank(c))
		return;
	value_begin(html);
	html->quote = c;
	html->state = VALUE;
	if (c != '"' && c != '\'') {
		html->state = VALUE_UNQUOTED;
		value_add(html, c);
	}
}

/* Raw names: a quote ends the value only if the tag ends behind it. */
static int value_quote(struct index_parser *parser, char c)
{
	struct index_html *html = &parser->html;

	if (c == '>') {
		value_end(html);
		return end_tag(parser);
	}
	value_add(html, html->quote);
	if (c == html->quote)
		return 0; /* this one may be the last */
	value_add(html, c);
	html->state = VALUE;
	return 0;
}

/* Letters within a tag, '>' excepted where it ends the tag. */
/* NOLINTNEXTLINE(readability-function-cognitive-complexity): one state a branch */
static void in_tag(struct index_parser *parser, char c)
{
	struct index_html *html = &parser->html;

	switch (html->state) {
	case TAG_NAME:
		if (is_blank(c) || c == '/')
			html->state = BEFORE_NAME;
		else
			word_add(html, html->tag, c);
		break;
	case NAME:
		if (c == '=')
			html->state = BEFORE_VALUE;
		else if (is_blank(c) || c == '/')
			html->state = AFTER_NAME;
		else
			word_add(html, html->attribute, c);
		break;
	case AFTER_NAME:
		if (c == '=')
			html->state = BEFORE_VALUE;
		else
			attribute_begin(html, c);
		break;
	case BEFORE_VALUE:
		before_value(html, c);
		break;
	case VALUE_UNQUOTED:
		if (is_blank(c))
			value_end(html);
		else
			value_add(html, c);
		break;
	default: /* BEFORE_NAME */
		attribute_begin(html, c);
		break;
	}
}

/* Within quotes '>' is a letter. */
static void value(struct index_parser *parser, char c)
{
	struct index_html *html = &parser->html;

	if (c != html->quote)
		value_add(html, c);
	else if (parser->raw_names && is_link(html))
		html->state = VALUE_QUOTE;
	else
		value_end(html);
}

static void data(struct index_html *html, char c)
{
	if (c == '<') {
		html->state = TAG_OPEN;
	} else if (html->row_begun && !is_blank(c)) {
		/* XRootD begins each row with the mode, "d--rwx". */
		html->row_is_directory = c == 'd';
		html->row_begun = false;
	}
}

int index_html_byte(struct index_parser *parser, char c)
{
	struct index_html *html = &parser->html;

	switch ((enum state)html->state) {
	case DATA:
		data(html, c);
		return 0;
	case TAG_OPEN:
		tag_open(html, c);
		return 0;
	case MARKUP:
		markup(html, c);
		return 0;
	case COMMENT:
		comment(html, c);
		return 0;
	case BOGUS:
		if (c == '>')
			html->state = DATA;
		return 0;
	case RAW_TEXT:
		raw_text(html, c);
		return 0;
	case VALUE:
		value(parser, c);
		return 0;
	case VALUE_QUOTE:
		return value_quote(parser, c);
	case TAG_NAME:
	case BEFORE_NAME:
	case NAME:
	case AFTER_NAME:
	case BEFORE_VALUE:
	case VALUE_UNQUOTED:
		break;
	}
	if (c != '>') {
		in_tag(parser, c);
		return 0;
	}
	if (html->state == VALUE_UNQUOTED)
		value_end(html);
	return end_tag(parser);
}
