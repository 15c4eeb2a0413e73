/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/dav.c - see dav.h: from bytes to elements, by expat. What a response
 * means stands in dav_answer.c.
 */
#include "fetch/dav.h"

#include "base/err.h"
#include "fetch/dav_answer.h"
#include "fetch/dav_expat.h"

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

enum { FEED_BYTES = 16 * 1024 }; /* given to expat at once */

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
	struct dav_expat expat;
	int code;           /* the first failure */
	const char *reason; /* constant text */
	uint64_t fed_bytes;
	unsigned bom_bytes; /* of the byte order mark that were passed over */
	unsigned depth;
	unsigned char places[DAV_DEPTH_MAX + 1];
	size_t text_bytes; /* may pass the limit; then it is not kept */
	size_t text_limit_bytes;
	char text[DAV_HREF_BYTES_MAX];
	struct dav_answer answer;
};

static void fail(struct dav_parser *parser, int code, const char *reason)
{
	if (parser->code != 0)
		return;
	parser->code = code;
	parser->reason = reason;
	(void)XML_StopParser(parser->expat.xml, XML_FALSE);
}

/* Which place an element of the DAV: namespace has, by the place it is in. */
static enum place place_of(enum place parent, const char *name)
{
	static const struct {
		enum place parent;
		enum place place;
		const char *name;
	} known[] = {
	    {TOP, MULTISTATUS, "multistatus"},
	    {MULTISTATUS, RESPONSE, "response"},
	    {RESPONSE, HREF, "href"},
	    {RESPONSE, PROPSTAT, "propstat"},
	    {PROPSTAT, STATUS, "status"},
	    {PROPSTAT, PROP, "prop"},
	    {PROP, TYPE, "resourcetype"},
	    {TYPE, COLLECTION, "collection"},
	    {PROP, LENGTH, "getcontentlength"},
	    {PROP, TIME, "getlastmodified"},
	    {PROP, ETAG, "getetag"},
	    {PROP, ISCOLLECTION, "iscollection"},
	    {PROP, QUOTA_AVAILABLE, "quota-available-bytes"},
	    {PROP, QUOTA_USED, "quota-used-bytes"},
	};

	/* '|' separates namespace and name: see dav_expat.c. */
	if (parent == OTHER || strncmp(name, "DAV:|", 5) != 0)
		return OTHER;
	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		if (known[i].parent == parent &&
		    strcmp(known[i].name, name + 5) == 0)
			return known[i].place;
	}
	return OTHER;
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
	struct dav_parser *parser = arg;
	enum place place =
	    place_of((enum place)parser->places[parser->depth], name);

	(void)attrs;
	if (parser->code != 0)
		return;
	if (parser->depth == 0 && place != MULTISTATUS) {
		fail(parser, -EBADMSG, "is no multistatus document");
		return;
	}
	if (parser->depth == DAV_DEPTH_MAX) {
		fail(parser, -EBADMSG, "is nested too deep");
		return;
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

static void on_end(void *arg, const XML_Char *name)
{
	struct dav_parser *parser = arg;
	enum place place;
	int code = 0;

	(void)name;
	if (parser->code != 0)
		return;
	place = (enum place)parser->places[parser->depth--];
	if (place >= HREF)
		end_text(parser, place);
	else if (place == COLLECTION)
		dav_answer_property(&parser->answer, DAV_COLLECTION, "", 0);
	else if (place == PROPSTAT)
		dav_answer_propstat_end(&parser->answer);
	else if (place == RESPONSE)
		code = dav_answer_end(&parser->answer);
	if (code != 0)
		fail(parser, code, "was given up");
}

static void on_text(void *arg, const XML_Char *text, int size_bytes)
{
	struct dav_parser *parser = arg;
	const char *end = text + size_bytes;

	if (parser->code != 0 || parser->places[parser->depth] < HREF)
		return;
	while (text < end) {
		char byte;

		/* expat never cuts within a character. */
		text += dav_expat_byte(&byte, text, (size_t)(end - text));
		if (parser->text_bytes < parser->text_limit_bytes)
			parser->text[parser->text_bytes] = byte;
		else if (parser->text_bytes > parser->text_limit_bytes)
			return; /* known to be too long */
		parser->text_bytes++;
	}
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
    const XML_Char *public, int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	fail(arg, -EBADMSG, "has a DOCTYPE");
}

int dav_parser_new(struct dav_parser **out, const char *request_path,
    bool hrefs_unescaped, const struct dav_target *target)
{
	struct dav_parser *parser = calloc(1, sizeof(*parser));

	if (parser == NULL)
		return -ENOMEM;
	if (dav_expat_init(&parser->expat) < 0) {
		free(parser);
		return -ENOMEM;
	}
	dav_answer_init(&parser->answer, request_path, hrefs_unescaped, target);
	XML_SetUserData(parser->expat.xml, parser);
	XML_SetElementHandler(parser->expat.xml, on_start, on_end);
	XML_SetCharacterDataHandler(parser->expat.xml, on_text);
	XML_SetStartDoctypeDeclHandler(parser->expat.xml, on_doctype);
	*out = parser;
	return 0;
}

/* expat's failure, unless one of ours stopped it. */
static void take_failure(struct dav_parser *parser)
{
	enum XML_Error error = XML_GetErrorCode(parser->expat.xml);

	if (parser->code != 0)
		return;
	parser->code = -EBADMSG;
	parser->reason = XML_ErrorString(error);
	if (error == XML_ERROR_NO_MEMORY && !parser->expat.memory_refused)
		parser->code = -ENOMEM;
	else if (error == XML_ERROR_NO_MEMORY)
		parser->reason = "has too many different names";
}

static void give(
    struct dav_parser *parser, const char *bytes, size_t size_bytes, bool last)
{
	XML_Index done_bytes;

	parser->fed_bytes += size_bytes;
	if (!dav_expat_parse(&parser->expat, bytes, size_bytes, last)) {
		take_failure(parser);
		return;
	}
	done_bytes = XML_GetCurrentByteIndex(parser->expat.xml);
	if (done_bytes >= 0 &&
	    parser->fed_bytes - (uint64_t)done_bytes > DAV_TOKEN_BYTES_MAX)
		fail(parser, -EBADMSG, "has a tag that is too long");
}

/* The byte order mark of UTF-8 (RFC 3629, section 6), cut anywhere: "bytes"
 * has none. */
static const char *after_bom(
    struct dav_parser *parser, const char *at, size_t *size_bytes)
{
	static const char bom[] = "\xEF\xBB\xBF";

	while (*size_bytes > 0 && parser->fed_bytes == 0 &&
	    parser->bom_bytes < 3 && *at == bom[parser->bom_bytes]) {
		parser->bom_bytes++;
		(*size_bytes)--;
		at++;
	}
	return at;
}

static int result(struct dav_parser *parser, struct err *err)
{
	if (parser->code == 0)
		return 0;
	return err_set(err, parser->code, "PROPFIND answer at byte %llu: %s",
	    (unsigned long long)parser->fed_bytes, parser->reason);
}

int dav_parser_feed(struct dav_parser *parser, const void *bytes,
    size_t size_bytes, struct err *err)
{
	const char *at = after_bom(parser, bytes, &size_bytes);

	if (parser->answer.hrefs_unescaped && size_bytes > 0 &&
	    memchr(at, '\r', size_bytes) != NULL)
		parser->answer.cr_seen = true;
	while (size_bytes > 0 && parser->code == 0) {
		size_t n = size_bytes < FEED_BYTES ? size_bytes : FEED_BYTES;

		give(parser, at, n, false);
		at += n;
		size_bytes -= n;
	}
	return result(parser, err);
}

int dav_parser_end(struct dav_parser *parser, struct err *err)
{
	if (parser->code == 0)
		give(parser, "", 0, true);
	return result(parser, err);
}

uint64_t dav_parser_skipped(const struct dav_parser *parser)
{
	return parser->answer.skipped;
}

void dav_parser_free(struct dav_parser *parser)
{
	if (parser == NULL)
		return;
	dav_expat_fini(&parser->expat);
	free(parser);
}
