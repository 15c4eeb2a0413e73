/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/xml.c - see xml.h: from bytes to tags and texts. What stands in a
 * tag is read in xml_tag.c.
 *
 * Each state takes as much as it can at once (memchr), because a listing of
 * a large directory is hundreds of megabytes. A tag that lies whole in the
 * bytes given is read where it lies.
 */
#include "fetch/answers/xml.h"

#include "base/utf8.h"
#include "fetch/answers/xml_tag.h"

#include <errno.h>
#include <string.h>

enum state {
	START, /* a byte order mark may stand here */
	TEXT,
	REFERENCE, /* behind '&' */
	MARKUP,    /* behind '<' */
	TAG,
	BANG, /* behind "<!" */
	COMMENT,
	CDATA,
	INSTRUCTION, /* behind "<?" */
};

enum { REFERENCE_BYTES_MAX = 10 }; /* "#1114111;" */

void xml_init(
    struct xml *xml, const char *space, const struct xml_target *target)
{
	xml->target = *target;
	xml->space = space;
	xml->code = 0;
	xml->reason = "";
	xml->state = START;
	xml->root_seen = false;
	xml->quote = 0;
	xml->matched = 0;
	xml->depth = 0;
	xml->binding_count = 0;
	xml->names_bytes = 0;
	xml->tag_bytes = 0;
}

static const char *fail(struct xml *xml, const char *end, const char *reason)
{
	xml->code = -EBADMSG;
	xml->reason = reason;
	return end;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Text outside the root must be blank. */
static void give_text(struct xml *xml, const char *from, const char *to)
{
	if (from == to)
		return;
	if (xml->depth > 0) {
		xml->target.text(xml->target.arg, from, (size_t)(to - from));
		return;
	}
	for (; from < to; from++) {
		if (!is_blank(*from)) {
			(void)fail(xml, to, "has text outside its root");
			return;
		}
	}
}

static const char *text(struct xml *xml, const char *at, const char *end)
{
	const char *stop = memchr(at, '<', (size_t)(end - at));
	const char *reference;

	if (stop == NULL)
		stop = end;
	reference = memchr(at, '&', (size_t)(stop - at));
	if (reference != NULL)
		stop = reference;
	give_text(xml, at, stop);
	if (stop == end)
		return end;
	xml->tag_bytes = 0;
	xml->quote = 0;
	xml->matched = 0;
	xml->state = *stop == '<' ? MARKUP : REFERENCE;
	return stop + 1;
}

/* "amp", "#65", "#x41", without ';', to the bytes it stands for. */
/* NOLINTNEXTLINE(readability-function-cognitive-complexity): one form a branch */
static size_t decode(char out[UTF8_BYTES_MAX], const char *name, size_t n)
{
	static const struct {
		const char *name;
		char c;
	} known[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'},
	    {"apos", '\''}};
	bool hex = n > 1 && name[1] == 'x';
	uint32_t point = 0;

	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		if (strlen(known[i].name) == n &&
		    memcmp(known[i].name, name, n) == 0) {
			*out = known[i].c;
			return 1;
		}
	}
	if (n < 2 || name[0] != '#')
		return 0;
	for (size_t i = hex ? 2 : 1; i < n; i++) {
		char c = name[i];
		uint32_t digit = (uint32_t)(c - '0');

		if (hex && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (uint32_t)((c | 0x20) - 'a') + 10;
		else if (c < '0' || c > '9')
			return 0;
		point = point * (hex ? 16 : 10) + digit;
	}
	return utf8_put(out, point);
}

static const char *reference(struct xml *xml, const char *at, const char *end)
{
	char bytes[UTF8_BYTES_MAX];
	size_t n;

	while (at < end && *at != ';') {
		if (xml->tag_bytes == REFERENCE_BYTES_MAX)
			return fail(xml, end, "has an unknown entity");
		xml->tag[xml->tag_bytes++] = *at++;
	}
	if (at == end)
		return end;
	n = decode(bytes, xml->tag, xml->tag_bytes);
	if (n == 0)
		return fail(xml, end, "has an unknown entity");
	if (xml->depth == 0)
		return fail(xml, end, "has text outside its root");
	xml->target.text(xml->target.arg, bytes, n);
	xml->state = TEXT;
	return at + 1;
}

static const char *markup(struct xml *xml, const char *at)
{
	xml->state = TAG;
	if (*at == '!')
		xml->state = BANG;
	else if (*at == '?')
		xml->state = INSTRUCTION;
	else
		return at; /* the first byte of the tag */
	return at + 1;
}

/* Where the tag that goes on at `at` ends; `end`: not here. */
static const char *tag_stop(struct xml *xml, const char *at, const char *end)
{
	for (; at < end; at++) {
		if (xml->quote != 0) {
			at = memchr(at, xml->quote, (size_t)(end - at));
			if (at == NULL)
				return end;
			xml->quote = 0;
		} else if (*at == '"' || *at == '\'') {
			xml->quote = *at;
		} else if (*at == '>') {
			return at;
		}
	}
	return end;
}

static const char *tag(struct xml *xml, const char *at, const char *end)
{
	const char *stop = tag_stop(xml, at, end);
	size_t n = (size_t)(stop - at);

	if (n > XML_TAG_BYTES_MAX - xml->tag_bytes)
		return fail(xml, end, "has a tag that is too long");
	if (xml->tag_bytes > 0 || stop == end) {
		memcpy(xml->tag + xml->tag_bytes, at, n);
		xml->tag_bytes += n;
		at = xml->tag;
	}
	if (stop == end)
		return end;
	xml->state = TEXT;
	xml->code = xml_tag_take(xml, at, at == xml->tag ? xml->tag_bytes : n);
	return stop + 1;
}

static bool begins(const struct xml *xml, const char *word)
{
	return xml->tag_bytes <= strlen(word) &&
	    memcmp(xml->tag, word, xml->tag_bytes) == 0;
}

/* "<!": a comment or CDATA, by the letters that follow. */
static const char *bang(struct xml *xml, const char *at, const char *end)
{
	static const char comment_begin[] = "--";
	static const char cdata_begin[] = "[CDATA[";

	while (at < end && xml->state == BANG) {
		xml->tag[xml->tag_bytes++] = *at++;
		if (begins(xml, comment_begin)) {
			if (xml->tag_bytes == sizeof(comment_begin) - 1)
				xml->state = COMMENT;
		} else if (begins(xml, cdata_begin)) {
			if (xml->tag_bytes == sizeof(cdata_begin) - 1)
				xml->state = CDATA;
		} else {
			return fail(xml, end, "has a DOCTYPE");
		}
	}
	if (xml->state == CDATA && xml->depth == 0)
		return fail(xml, end, "has text outside its root");
	return at;
}

static const char *comment(struct xml *xml, const char *at, const char *end)
{
	for (; at < end; at++) {
		if (xml->matched == 2) {
			if (*at != '>')
				return fail(xml, end, "has -- in a comment");
			xml->state = TEXT;
			return at + 1;
		}
		xml->matched = *at == '-' ? xml->matched + 1 : 0;
	}
	return at;
}

/* Text up to "]]>"; brackets that may belong to it are given late. */
static const char *cdata(struct xml *xml, const char *at, const char *end)
{
	static const char brackets[] = "]]";
	const char *from = at;

	for (; at < end; at++) {
		if (*at == ']' && xml->matched < 2) {
			if (xml->matched == 0)
				give_text(xml, from, at);
			xml->matched++;
			from = at + 1;
		} else if (*at == ']') {
			give_text(xml, brackets, brackets + 1);
			from = at + 1;
		} else if (*at == '>' && xml->matched == 2) {
			xml->state = TEXT;
			return at + 1;
		} else if (xml->matched > 0) {
			give_text(xml, brackets, brackets + xml->matched);
			xml->matched = 0;
			from = at;
		}
	}
	if (xml->matched == 0)
		give_text(xml, from, end);
	return at;
}

static const char *instruction(struct xml *xml, const char *at, const char *end)
{
	for (; at < end; at++) {
		if (*at == '>' && xml->matched == 1) {
			xml->state = TEXT;
			return at + 1;
		}
		xml->matched = *at == '?';
	}
	return at;
}

/* The byte order mark of UTF-8 (RFC 3629, section 6). */
static const char *start(struct xml *xml, const char *at)
{
	static const char mark[] = "\xEF\xBB\xBF";

	if (xml->matched < 3 && *at == mark[xml->matched]) {
		xml->matched++;
		return at + 1;
	}
	xml->state = TEXT;
	return at;
}

/* One step of at least one byte, or to another state. */
static const char *step(struct xml *xml, const char *at, const char *end)
{
	switch ((enum state)xml->state) {
	case START:
		return start(xml, at);
	case TEXT:
		return text(xml, at, end);
	case REFERENCE:
		return reference(xml, at, end);
	case MARKUP:
		return markup(xml, at);
	case TAG:
		return tag(xml, at, end);
	case BANG:
		return bang(xml, at, end);
	case COMMENT:
		return comment(xml, at, end);
	case CDATA:
		return cdata(xml, at, end);
	case INSTRUCTION:
		return instruction(xml, at, end);
	}
	return fail(xml, end, "left its states");
}

int xml_feed(struct xml *xml, const char *bytes, size_t size_bytes)
{
	const char *end = bytes + size_bytes;

	while (bytes < end && xml->code == 0)
		bytes = step(xml, bytes, end);
	return xml->code;
}

int xml_end(struct xml *xml)
{
	if (xml->code == 0 &&
	    (xml->depth > 0 || !xml->root_seen || xml->state != TEXT))
		(void)fail(xml, NULL, "ends too early");
	return xml->code;
}
