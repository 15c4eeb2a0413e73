/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/answers/json.c - see json.h. */
#include "fetch/answers/json.h"

#include <errno.h>

enum state {
	BEFORE_DOCUMENT,
	VALUE,
	VALUE_OR_END, /* directly behind '[' */
	KEY,
	KEY_OR_END, /* directly behind '{' */
	COLON,
	COMMA_OR_END,
	STRING,
	WORD,
	DONE,
};

void json_init(struct json *json, json_fn event, void *arg)
{
	*json =
	    (struct json){.state = BEFORE_DOCUMENT, .event = event, .arg = arg};
}

bool json_complete(const struct json *json)
{
	return json->state == DONE;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int fail(struct json *json, const char *reason)
{
	json->reason = reason;
	return -EBADMSG;
}

static int tell(struct json *json, enum json_event event)
{
	return json->event(json->arg, event, json);
}

static int take_word(struct json *json)
{
	if (!json_text_is(&json->text, "true") &&
	    !json_text_is(&json->text, "false") &&
	    !json_text_is(&json->text, "null") &&
	    !json_text_is_number(&json->text))
		return fail(json, "holds a word that is no JSON");
	return tell(json, JSON_WORD);
}

/* A byte of a key or of a value in quotes. */
static int take_string(struct json *json, char c)
{
	int ended = json_text_byte(&json->text, c);

	if (ended < 0)
		return fail(json, "holds a string that is no JSON");
	if (ended == 0)
		return 0;
	json->state = json->after_text;
	return tell(json, json->state == COLON ? JSON_KEY : JSON_STRING);
}

static int open_nest(struct json *json, bool object)
{
	if (json->depth == JSON_DEPTH_MAX)
		return fail(json, "is nested too deep");
	json->in_object[++json->depth] = object;
	json->state = object ? KEY_OR_END : VALUE_OR_END;
	return tell(json, JSON_OPENED);
}

static int close_nest(struct json *json, bool object)
{
	int code;

	if (json->depth == 0 || json->in_object[json->depth] != object)
		return fail(json, "closes what is not open");
	code = tell(json, JSON_CLOSED);
	json->depth--;
	json->state = json->depth == 0 ? DONE : COMMA_OR_END;
	return code;
}

static int value(struct json *json, char c)
{
	if (c == '{' || c == '[')
		return open_nest(json, c == '{');
	if (json->depth == 0)
		return fail(json, "is neither an array nor an object");
	json_text_begin(&json->text);
	if (c == '"') {
		json->after_text = COMMA_OR_END;
		json->state = STRING;
		return 0;
	}
	json_text_add(&json->text, c);
	json->state = WORD;
	return 0;
}

static int key(struct json *json, char c)
{
	if (c != '"')
		return fail(json, "has a key that is no string");
	json_text_begin(&json->text);
	json->after_text = COLON;
	json->state = STRING;
	return 0;
}

static int comma_or_end(struct json *json, char c)
{
	if (c == '}' || c == ']')
		return close_nest(json, c == '}');
	if (c != ',')
		return fail(json, "has no comma where one must be");
	json->state = json->in_object[json->depth] ? KEY : VALUE;
	return 0;
}

/* A byte between the values. */
static int between(struct json *json, char c)
{
	if (is_blank(c))
		return 0;
	switch (json->state) {
	case BEFORE_DOCUMENT:
	case VALUE:
		return value(json, c);
	case VALUE_OR_END:
		return c == ']' ? close_nest(json, false) : value(json, c);
	case KEY_OR_END:
		return c == '}' ? close_nest(json, true) : key(json, c);
	case KEY:
		return key(json, c);
	case COLON:
		if (c != ':')
			return fail(json, "has no colon behind a key");
		json->state = VALUE;
		return 0;
	case COMMA_OR_END:
		return comma_or_end(json, c);
	default: /* DONE */
		return fail(json, "goes on behind its end");
	}
}

int json_byte(struct json *json, char c)
{
	int code;

	switch (json->state) {
	case STRING:
		return take_string(json, c);
	case WORD:
		if (!is_blank(c) && c != ',' && c != ']' && c != '}') {
			json_text_add(&json->text, c);
			return 0;
		}
		json->state = COMMA_OR_END;
		code = take_word(json);
		return code < 0 ? code : between(json, c);
	default:
		return between(json, c);
	}
}
