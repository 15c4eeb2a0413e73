/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/dav.c - see dav.h: from elements to texts. What a response
 * means stands in dav_answer.c.
 */
#include "fetch/answers/dav.h"

#include "base/err.h"
#include "fetch/answers/dav_answer.h"
#include "fetch/answers/xml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char dav_body_attributes[] =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
    "<propfind xmlns=\"DAV:\"><prop><resourcetype/><getcontentlength/>"
    "<getlastmodified/><getetag/></prop></propfind>";

const char dav_body_quota[] =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
    "<propfind xmlns=\"DAV:\"><prop><quota-available-bytes/>"
    "<quota-used-bytes/></prop></propfind>";

/* Where in the document an open element stands. */
enum place {
	TOP, /* the document itself */
	OTHER,
	MULTISTATUS,
	RESPONSE,
	PROPSTAT,
	PROP,
	TYPE,
	COLLECTION,
	/* From here on its text counts. */
	HREF,
	STATUS,
	LENGTH,
	TIME,
	ETAG,
	ISCOLLECTION,
	QUOTA_AVAILABLE,
	QUOTA_USED,
};

struct dav_parser {
	struct xml xml;
	uint64_t fed_bytes;
	unsigned depth;
	unsigned char places[XML_DEPTH_MAX + 1];
	size_t text_bytes; /* may pass the limit; then it is not kept */
	size_t text_limit_bytes;
	char text[DAV_HREF_BYTES_MAX];
	struct dav_answer answer;
};

/* Which place an element of the DAV: namespace has, by the place it is in. */
static enum place place_of(
    enum place parent, const char *name, size_t size_bytes)
{
	static const struct {
		unsigned char parent;
		unsigned char place;
		unsigned char size_bytes;
		const char *name;
	} known[] = {
#define ROW(parent, place, name) {(parent), (place), sizeof(name) - 1, (name)}
		ROW(TOP, MULTISTATUS, "multistatus"),
		ROW(MULTISTATUS, RESPONSE, "response"),
		ROW(RESPONSE, HREF, "href"),
		ROW(RESPONSE, PROPSTAT, "propstat"),
		ROW(PROPSTAT, STATUS, "status"),
		ROW(PROPSTAT, PROP, "prop"),
		ROW(TYPE, COLLECTION, "collection"),
		ROW(PROP, TYPE, "resourcetype"),
		ROW(PROP, LENGTH, "getcontentlength"),
		ROW(PROP, TIME, "getlastmodified"),
		ROW(PROP, ETAG, "getetag"),
		ROW(PROP, ISCOLLECTION, "iscollection"),
		ROW(PROP, QUOTA_AVAILABLE, "quota-available-bytes"),
		ROW(PROP, QUOTA_USED, "quota-used-bytes"),
#undef ROW
	};

	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		if (known[i].parent == parent &&
		    known[i].size_bytes == size_bytes &&
		    memcmp(known[i].name, name, size_bytes) == 0)
			return (enum place)known[i].place;
	}
	return OTHER;
}

static int on_start(
    void *arg, const char *name, size_t size_bytes, bool in_space)
{
	struct dav_parser *parser = arg;
	enum place place = OTHER;

	if (in_space)
		place = place_of((enum place)parser->places[parser->depth],
		    name, size_bytes);
	if (parser->depth == 0 && place != MULTISTATUS) {
		parser->xml.reason = "is no multistatus document";
		return -EBADMSG;
	}
	parser->places[++parser->depth] = (unsigned char)place;
	if (place == RESPONSE)
		dav_answer_begin(&parser->answer);
	if (place == PROPSTAT)
		dav_answer_propstat_begin(&parser->answer);
	if (place >= HREF) {
		parser->text_bytes = 0;
		parser->text_limit_bytes =
		    place == HREF ? DAV_HREF_BYTES_MAX : DAV_TEXT_BYTES_MAX;
	}
	return 0;
}

/* A text of a place has ended. One that was too long is none. */
static void end_text(struct dav_parser *parser, enum place place)
{
	static const unsigned char properties[] = {
	    [LENGTH] = DAV_LENGTH,
	    [TIME] = DAV_TIME,
	    [ETAG] = DAV_ETAG,
	    [ISCOLLECTION] = DAV_ISCOLLECTION,
	    [QUOTA_AVAILABLE] = DAV_QUOTA_AVAILABLE,
	    [QUOTA_USED] = DAV_QUOTA_USED,
	};
	bool fits = parser->text_bytes <= parser->text_limit_bytes;

	if (place == HREF)
		dav_answer_href(
		    &parser->answer, parser->text, parser->text_bytes);
	else if (fits && place == STATUS)
		dav_answer_status(
		    &parser->answer, parser->text, parser->text_bytes);
	else if (fits)
		dav_answer_property(&parser->answer,
		    (enum dav_property)properties[place], parser->text,
		    parser->text_bytes);
}

static int on_end(void *arg)
{
	struct dav_parser *parser = arg;
	enum place place = (enum place)parser->places[parser->depth--];

	if (place >= HREF)
		end_text(parser, place);
	else if (place == COLLECTION)
		dav_answer_property(&parser->answer, DAV_COLLECTION, "", 0);
	else if (place == PROPSTAT)
		dav_answer_propstat_end(&parser->answer);
	else if (place == RESPONSE)
		return dav_answer_end(&parser->answer);
	return 0;
}

static void on_text(void *arg, const char *bytes, size_t size_bytes)
{
	struct dav_parser *parser = arg;
	size_t used = parser->text_bytes;

	if (parser->places[parser->depth] < HREF ||
	    used > parser->text_limit_bytes)
		return;
	if (size_bytes > parser->text_limit_bytes - used)
		parser->text_bytes = parser->text_limit_bytes + 1;
	else
		parser->text_bytes += size_bytes;
	if (parser->text_bytes <= parser->text_limit_bytes)
		memcpy(parser->text + used, bytes, size_bytes);
}

int dav_parser_new(struct dav_parser **out, const char *request_path,
    bool hrefs_unescaped, const struct dav_target *target)
{
	struct dav_parser *parser = malloc(sizeof(*parser));
	struct xml_target xml = {parser, on_start, on_text, on_end};

	if (parser == NULL)
		return -ENOMEM;
	xml_init(&parser->xml, "DAV:", &xml);
	parser->fed_bytes = 0;
	parser->depth = 0;
	parser->places[0] = TOP;
	dav_answer_init(&parser->answer, request_path, hrefs_unescaped, target);
	*out = parser;
	return 0;
}

static int result(const struct dav_parser *parser, int code, struct err *err)
{
	if (code == 0)
		return 0;
	return err_set(err, code, "PROPFIND answer before byte %llu: %s",
	    (unsigned long long)parser->fed_bytes, parser->xml.reason);
}

int dav_parser_feed(struct dav_parser *parser, const void *bytes,
    size_t size_bytes, struct err *err)
{
	parser->fed_bytes += size_bytes;
	return result(parser, xml_feed(&parser->xml, bytes, size_bytes), err);
}

int dav_parser_end(struct dav_parser *parser, struct err *err)
{
	return result(parser, xml_end(&parser->xml), err);
}

uint64_t dav_parser_skipped(const struct dav_parser *parser)
{
	return parser->answer.skipped;
}

void dav_parser_free(struct dav_parser *parser)
{
	free(parser);
}
