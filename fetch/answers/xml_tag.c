/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/answers/xml_tag.c - see xml_tag.h: names, attributes, namespaces. */
#include "fetch/answers/xml_tag.h"

#include <errno.h>
#include <string.h>

/* A piece of the tag. */
struct piece {
	const char *at;
	size_t size_bytes;
};

static int fail(struct xml *xml, const char *reason)
{
	xml->reason = reason;
	return -EBADMSG;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool pass_blanks(const char **at, const char *end)
{
	const char *from = *at;

	while (*at < end && is_blank(**at))
		(*at)++;
	return *at > from;
}

/* Bytes that XML gives a meaning cannot stand in a name. */
static bool in_name(char c)
{
	switch (c) {
	case '/':
	case '=':
	case '<':
	case '>':
	case '&':
	case '"':
	case '\'':
		return false;
	default:
		return !is_blank(c);
	}
}

static bool take_name(const char **at, const char *end, struct piece *name)
{
	name->at = *at;
	while (*at < end && in_name(**at))
		(*at)++;
	name->size_bytes = (size_t)(*at - name->at);
	return name->size_bytes > 0 &&
	    !(name->at[0] >= '0' && name->at[0] <= '9') && name->at[0] != '-' &&
	    name->at[0] != '.' && name->at[0] != '!' && name->at[0] != '?';
}

static bool equals(struct piece piece, const char *text)
{
	return strlen(text) == piece.size_bytes &&
	    memcmp(text, piece.at, piece.size_bytes) == 0;
}

/* Keep a copy of a name or prefix until its element ends. */
static bool keep(struct xml *xml, struct piece piece)
{
	if (piece.size_bytes > sizeof(xml->names) - xml->names_bytes)
		return false;
	memcpy(xml->names + xml->names_bytes, piece.at, piece.size_bytes);
	xml->names_bytes += piece.size_bytes;
	return true;
}

/* xmlns="..." or xmlns:prefix="..." */
static int bind(struct xml *xml, struct piece prefix, struct piece uri)
{
	struct xml_binding *binding;
	size_t from = xml->names_bytes;

	if (xml->binding_count == XML_BINDINGS_MAX || !keep(xml, prefix))
		return fail(xml, "has too many names");
	binding = &xml->bindings[xml->binding_count++];
	binding->depth = (uint16_t)xml->depth;
	binding->from = (uint16_t)from;
	binding->size_bytes = (uint16_t)prefix.size_bytes;
	/* A namespace written with references is none of ours. */
	binding->in_space = equals(uri, xml->space);
	return 0;
}

static int take_attribute(struct xml *xml, const char **at, const char *end)
{
	struct piece name;
	struct piece value;
	char quote;

	if (!take_name(at, end, &name))
		return fail(xml, "has a malformed tag");
	(void)pass_blanks(at, end);
	if (*at == end || *(*at)++ != '=')
		return fail(xml, "has an attribute without value");
	(void)pass_blanks(at, end);
	if (*at == end || (**at != '"' && **at != '\''))
		return fail(xml, "has an attribute without quotes");
	quote = *(*at)++;
	value.at = *at;
	while (*at < end && **at != quote && **at != '<')
		(*at)++;
	if (*at == end || **at == '<')
		return fail(xml, "has a malformed attribute");
	value.size_bytes = (size_t)(*at - value.at);
	(*at)++;
	if (name.size_bytes < 5 || memcmp(name.at, "xmlns", 5) != 0)
		return 0;
	name.at += 5;
	name.size_bytes -= 5;
	if (name.size_bytes == 0)
		return bind(xml, name, value);
	if (name.at[0] != ':')
		return 0;
	name.at++;
	name.size_bytes--;
	return bind(xml, name, value);
}

/* Whether a prefix stands for the namespace asked for; -EBADMSG: for none. */
static int look_up(struct xml *xml, struct piece prefix)
{
	for (unsigned i = xml->binding_count; i > 0; i--) {
		const struct xml_binding *binding = &xml->bindings[i - 1];

		if (binding->size_bytes == prefix.size_bytes &&
		    memcmp(xml->names + binding->from, prefix.at,
		        prefix.size_bytes) == 0)
			return binding->in_space;
	}
	if (prefix.size_bytes == 0 || equals(prefix, "xml"))
		return 0;
	return fail(xml, "has an undeclared prefix");
}

/* "prefix:name" to the name. */
static struct piece cut_prefix(struct piece *name)
{
	struct piece prefix = {name->at, 0};
	const char *colon = memchr(name->at, ':', name->size_bytes);

	if (colon != NULL) {
		prefix.size_bytes = (size_t)(colon - name->at);
		name->size_bytes -= prefix.size_bytes + 1;
		name->at = colon + 1;
	}
	return prefix;
}

static int end_element(struct xml *xml)
{
	unsigned depth = xml->depth--;

	while (xml->binding_count > 0 &&
	    xml->bindings[xml->binding_count - 1].depth == depth)
		xml->binding_count--;
	xml->names_bytes = xml->opened[depth];
	return xml->target.end(xml->target.arg);
}

static int take_end(struct xml *xml, const char *at, const char *end)
{
	struct piece name;
	const char *open;

	if (!take_name(&at, end, &name))
		return fail(xml, "has a malformed tag");
	(void)pass_blanks(&at, end);
	if (at != end)
		return fail(xml, "has a malformed tag");
	if (xml->depth == 0)
		return fail(xml, "closes what is not open");
	open = xml->names + xml->opened[xml->depth];
	if (name.size_bytes != xml->named[xml->depth] ||
	    memcmp(open, name.at, name.size_bytes) != 0)
		return fail(xml, "has tags that do not match");
	return end_element(xml);
}

static int open_element(struct xml *xml, struct piece name)
{
	if (xml->depth == 0 && xml->root_seen)
		return fail(xml, "has more than one root");
	if (xml->depth == XML_DEPTH_MAX)
		return fail(xml, "is nested too deep");
	xml->root_seen = true;
	xml->depth++;
	xml->opened[xml->depth] = (uint16_t)xml->names_bytes;
	xml->named[xml->depth] = (uint16_t)name.size_bytes;
	return keep(xml, name) ? 0 : fail(xml, "has too many names");
}

static int take_start(struct xml *xml, const char *at, const char *end)
{
	struct piece name;
	struct piece prefix;
	bool empty = false;
	int in_space;
	int code;

	if (!take_name(&at, end, &name))
		return fail(xml, "has a malformed tag");
	code = open_element(xml, name);
	while (code == 0 && at < end) {
		bool blank = pass_blanks(&at, end);

		if (at == end)
			break;
		if (*at == '/' && at + 1 == end) {
			empty = true;
			break;
		}
		code = blank ? take_attribute(xml, &at, end)
		             : fail(xml, "has a malformed tag");
	}
	if (code < 0)
		return code;
	prefix = cut_prefix(&name);
	in_space = look_up(xml, prefix);
	if (in_space < 0 || name.size_bytes == 0)
		return fail(xml, "has an undeclared prefix");
	code = xml->target.start(
	    xml->target.arg, name.at, name.size_bytes, in_space > 0);
	if (code != 0 || !empty)
		return code;
	return end_element(xml);
}

int xml_tag_take(struct xml *xml, const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;

	if (size_bytes > 0 && text[0] == '/')
		return take_end(xml, text + 1, end);
	return take_start(xml, text, end);
}
