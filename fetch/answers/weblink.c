/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/answers/weblink.c - see weblink.h. */
#include "fetch/answers/weblink.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void pass_blanks(const char **at, const char *end)
{
	while (*at < end && is_blank(**at))
		(*at)++;
}

/* A value as it is taken: text too long for its room becomes "". */
struct value {
	char *out; /* NULL: nobody wants it */
	size_t size_bytes;
};

static void add(struct value *value, char c)
{
	if (value->out != NULL && value->size_bytes < WEBLINK_VALUE_BYTES)
		value->out[value->size_bytes++] = c;
}

static void finish(struct value *value)
{
	if (value->out == NULL)
		return;
	if (value->size_bytes == WEBLINK_VALUE_BYTES)
		value->size_bytes = 0;
	value->out[value->size_bytes] = '\0';
}

/* Behind the opening quote. */
static int take_quoted(struct value *value, const char **at, const char *end)
{
	for (const char *p = *at; p < end; p++) {
		if (*p == '"') {
			*at = p + 1;
			return 0;
		}
		if (*p == '\\' && ++p == end)
			break;
		add(value, *p);
	}
	return -EBADMSG;
}

static void take_token(struct value *value, const char **at, const char *end)
{
	const char *from = *at;
	const char *stop;

	while (*at < end && **at != ';' && **at != ',')
		(*at)++;
	stop = *at;
	while (stop > from && is_blank(stop[-1]))
		stop--;
	for (; from < stop; from++)
		add(value, *from);
}

/* The place for a parameter's value; NULL: unknown, or given before. */
static char *place_of(struct weblink *link, const char *name, size_t size_bytes)
{
	static const char *const names[WEBLINK_PARAM_COUNT] = {
	    [WEBLINK_REL] = "rel",
	    [WEBLINK_ANCHOR] = "anchor",
	    [WEBLINK_PRI] = "pri",
	    [WEBLINK_DEPTH] = "depth"};

	for (size_t i = 0; i < WEBLINK_PARAM_COUNT; i++) {
		if (strlen(names[i]) != size_bytes ||
		    strncasecmp(names[i], name, size_bytes) != 0)
			continue;
		if (link->has[i])
			return NULL;
		link->has[i] = true;
		return link->value[i];
	}
	return NULL;
}

/* One parameter, behind its ';'. An empty one is allowed. */
static int take_param(struct weblink *link, const char **at, const char *end)
{
	struct value value = {.size_bytes = 0};
	const char *name;
	int code = 0;

	pass_blanks(at, end);
	name = *at;
	while (*at < end && !is_blank(**at) && strchr("=;,", **at) == NULL)
		(*at)++;
	value.out = place_of(link, name, (size_t)(*at - name));
	pass_blanks(at, end);
	if (*at < end && **at == '=') {
		(*at)++;
		pass_blanks(at, end);
		if (*at < end && **at == '"') {
			(*at)++;
			code = take_quoted(&value, at, end);
		} else {
			take_token(&value, at, end);
		}
	}
	finish(&value);
	pass_blanks(at, end);
	return code;
}

int weblink_next(struct weblink *out, const char **at, const char *end)
{
	int code = 0;

	while (*at < end && (is_blank(**at) || **at == ','))
		(*at)++;
	if (*at == end)
		return 0;
	if (*(*at)++ != '<')
		return -EBADMSG;
	*out = (struct weblink){.target = *at};
	while (*at < end && **at != '>')
		(*at)++;
	if (*at == end)
		return -EBADMSG;
	out->target_bytes = (size_t)(*at - out->target);
	(*at)++;
	pass_blanks(at, end);
	while (code == 0 && *at < end && **at == ';') {
		(*at)++;
		code = take_param(out, at, end);
	}
	if (code == 0 && *at < end && **at != ',')
		code = -EBADMSG;
	return code == 0 ? 1 : code;
}

bool weblink_has_rel(const struct weblink *link, const char *relation)
{
	const char *at = link->value[WEBLINK_REL];
	size_t wanted = strlen(relation);

	while (*at != '\0') {
		size_t n = strcspn(at, " \t");

		if (n == wanted && strncasecmp(at, relation, n) == 0)
			return true;
		at += n + strspn(at + n, " \t");
	}
	return false;
}
