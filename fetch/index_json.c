/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/index_json.c - nginx's `autoindex_format json`; see index_parse.h.
 *
 *     [ {"name":"a", "type":"file", "mtime":"Sun, 29 ...", "size":1}, ... ]
 *
 * A machine instead of cJSON: a listing may be of any length, and a tree of
 * a million entries would take a gigabyte. Strict as RFC 8259, except that
 * bytes above 0x7f in strings are taken as they are (nginx writes names
 * raw), and unknown members are passed over.
 */
#include "fetch/header.h"
#include "fetch/index_parse.h"

#include <errno.h>
#include <string.h>

enum state {
	BEFORE_DOCUMENT,
	VALUE,
	VALUE_OR_END, /* directly behind '[' */
	KEY,
	KEY_OR_END, /* directly behind '{' */
	COLON,
	COMMA_OR_END,
	STRING,
	WORD, /* a number, true, false, null */
	DONE,
};

enum key { NO_KEY, KEY_NAME, KEY_TYPE, KEY_MTIME, KEY_SIZE };

/* Where the members that matter stand: array, object. */
enum { ENTRY_DEPTH = 2 };

void index_json_init(struct index_json *json)
{
	*json = (struct index_json){.state = BEFORE_DOCUMENT};
}

bool index_json_complete(const struct index_json *json)
{
	return json->state == DONE;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int fail(struct index_parser *parser, const char *reason)
{
	parser->reason = reason;
	return -EBADMSG;
}

static void entry_begin(struct index_json *json)
{
	json->is_file = false;
	json->is_directory = false;
	json->has_size = false;
	json->length_bytes = 0;
	json->mtime_s = -1;
	json->name_bytes = 0;
	json->key = NO_KEY;
}

static int entry_end(struct index_parser *parser)
{
	struct index_json *json = &parser->json;
	struct fetch_stat stat = {
	    .kind = json->is_directory ? FETCH_DIRECTORY : FETCH_FILE,
	    .version = {.mtime_s = json->mtime_s},
	};

	if (!(json->is_file || json->is_directory) ||
	    !path_name_ok(json->name, json->name_bytes)) {
		parser->skipped++;
		return 0;
	}
	if (json->is_file && json->has_size)
		stat.version.size_bytes = json->length_bytes;
	json->name[json->name_bytes] = '\0';
	return parser->target.entry(parser->target.arg, json->name, &stat);
}

static void take_key(struct index_json *json)
{
	static const struct {
		const char *name;
		enum key key;
	} keys[] = {{"name", KEY_NAME}, {"type", KEY_TYPE},
	    {"mtime", KEY_MTIME}, {"size", KEY_SIZE}};

	json->key = NO_KEY;
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		if (json_text_is(&json->text, keys[i].name))
			json->key = (unsigned char)keys[i].key;
	}
}

/* The value of a member that matters has ended. */
static void take_string(struct index_parser *parser)
{
	struct index_json *json = &parser->json;

	switch ((enum key)json->key) {
	case KEY_NAME:
		json->name_bytes = json->text.bad ? 0 : json->text.size_bytes;
		memcpy(json->name, json->text.bytes, json->name_bytes);
		break;
	case KEY_TYPE:
		json->is_file = json_text_is(&json->text, "file");
		json->is_directory = json_text_is(&json->text, "directory");
		break;
	case KEY_MTIME:
		if (header_date(json->text.bytes, json->text.size_bytes,
		        parser->now_s, &json->mtime_s) < 0)
			json->mtime_s = -1;
		break;
	case KEY_SIZE: /* is a number */
	case NO_KEY:
		break;
	}
}

static int take_word(struct index_parser *parser)
{
	struct index_json *json = &parser->json;

	if (json_text_is(&json->text, "true") ||
	    json_text_is(&json->text, "false") ||
	    json_text_is(&json->text, "null"))
		return 0;
	if (!json_text_is_number(&json->text))
		return fail(parser, "holds a word that is no JSON");
	if (json->depth == ENTRY_DEPTH && json->key == KEY_SIZE)
		json->has_size =
		    header_content_length(json->text.bytes,
		        json->text.size_bytes, &json->length_bytes) == 0;
	return 0;
}

/* A byte of a key or of a value in quotes. */
static int string(struct index_parser *parser, char c)
{
	struct index_json *json = &parser->json;
	int ended = json_text_byte(&json->text, c);

	if (ended < 0)
		return fail(parser, "holds a string that is no JSON");
	if (ended == 0)
		return 0;
	json->state = json->after_text;
	if (json->depth != ENTRY_DEPTH)
		return 0;
	if (json->state == COLON)
		take_key(json);
	else
		take_string(parser);
	return 0;
}

static int open_nest(struct index_parser *parser, bool object)
{
	struct index_json *json = &parser->json;

	if (json->depth == INDEX_JSON_DEPTH_MAX)
		return fail(parser, "is nested too deep");
	if (json->depth == 0 && object)
		return fail(parser, "is JSON, but no listing");
	json->in_object[++json->depth] = object;
	json->state = object ? KEY_OR_END : VALUE_OR_END;
	if (json->depth == ENTRY_DEPTH)
		entry_begin(json);
	return 0;
}

static int close_nest(struct index_parser *parser, bool object)
{
	struct index_json *json = &parser->json;
	int code = 0;

	if (json->depth == 0 || json->in_object[json->depth] != object)
		return fail(parser, "closes what is not open");
	if (json->depth == ENTRY_DEPTH && object)
		code = entry_end(parser);
	json->depth--;
	json->state = json->depth == 0 ? DONE : COMMA_OR_END;
	return code;
}

static int value(struct index_parser *parser, char c)
{
	struct index_json *json = &parser->json;

	if (c == '{' || c == '[')
		return open_nest(parser, c == '{');
	if (json->depth == 0)
		return fail(parser, "is JSON, but no listing");
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

static int key(struct index_parser *parser, char c)
{
	struct index_json *json = &parser->json;

	if (c != '"')
		return fail(parser, "has a key that is no string");
	json_text_begin(&json->text);
	json->after_text = COLON;
	json->state = STRING;
	return 0;
}

static int comma_or_end(struct index_parser *parser, char c)
{
	struct index_json *json = &parser->json;

	if (c == '}' || c == ']')
		return close_nest(parser, c == '}');
	if (c != ',')
		return fail(parser, "has no comma where one must be");
	json->state = json->in_object[json->depth] ? KEY : VALUE;
	return 0;
}

/* A byte between the values. */
static int between(struct index_parser *parser, char c)
{
	struct index_json *json = &parser->json;

	if (is_blank(c))
		return 0;
	switch (json->state) {
	case BEFORE_DOCUMENT:
	case VALUE:
		return value(parser, c);
	case VALUE_OR_END:
		return c == ']' ? close_nest(parser, false) : value(parser, c);
	case KEY_OR_END:
		return c == '}' ? close_nest(parser, true) : key(parser, c);
	case KEY:
		return key(parser, c);
	case COLON:
		if (c != ':')
			return fail(parser, "has no colon behind a key");
		json->state = VALUE;
		return 0;
	case COMMA_OR_END:
		return comma_or_end(parser, c);
	default: /* DONE */
		return fail(parser, "goes on behind its end");
	}
}

int index_json_byte(struct index_parser *parser, char c)
{
	struct index_json *json = &parser->json;
	int code;

	switch (json->state) {
	case STRING:
		return string(parser, c);
	case WORD:
		if (!is_blank(c) && c != ',' && c != ']' && c != '}') {
			json_text_add(&json->text, c);
			return 0;
		}
		json->state = COMMA_OR_END;
		code = take_word(parser);
		return code < 0 ? code : between(parser, c);
	default:
		return between(parser, c);
	}
}
