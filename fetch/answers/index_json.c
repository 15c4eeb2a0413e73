/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/index_json.c - nginx's `autoindex_format json`; see index_parse.h.
 *
 *     [ {"name":"a", "type":"file", "mtime":"Sun, 29 ...", "size":1}, ... ]
 *
 * Events instead of a tree: a listing may be of any length, and a million
 * entries in cJSON would take a gigabyte. Unknown members are passed over.
 */
#include "fetch/answers/header.h"
#include "fetch/answers/index_parse.h"

#include <errno.h>
#include <string.h>

enum key { NO_KEY, KEY_NAME, KEY_TYPE, KEY_MTIME, KEY_SIZE };

/* Where the members that matter stand: array, object. */
enum { ENTRY_DEPTH = 2 };

static void entry_begin(struct index_json *entry)
{
	entry->is_file = false;
	entry->is_directory = false;
	entry->has_size = false;
	entry->length_bytes = 0;
	entry->mtime_s = -1;
	entry->name_bytes = 0;
	entry->key = NO_KEY;
}

static int entry_end(struct index_parser *parser)
{
	struct index_json *entry = &parser->json;
	struct fetch_stat stat = {
	    .kind = entry->is_directory ? FETCH_DIRECTORY : FETCH_FILE,
	    .version = {.mtime_s = entry->mtime_s},
	};

	if (!(entry->is_file || entry->is_directory) ||
	    !path_name_ok(entry->name, entry->name_bytes)) {
		parser->skipped++;
		return 0;
	}
	if (entry->is_file && entry->has_size)
		stat.version.size_bytes = entry->length_bytes;
	entry->name[entry->name_bytes] = '\0';
	return parser->target.entry(parser->target.arg, entry->name, &stat);
}

static void take_key(struct index_json *entry, const struct json_text *text)
{
	static const struct {
		const char *name;
		enum key key;
	} keys[] = {{"name", KEY_NAME}, {"type", KEY_TYPE},
	    {"mtime", KEY_MTIME}, {"size", KEY_SIZE}};

	entry->key = NO_KEY;
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		if (json_text_is(text, keys[i].name))
			entry->key = (unsigned char)keys[i].key;
	}
}

static void take_string(
    struct index_json *entry, const struct json_text *text, int64_t now_s)
{
	switch ((enum key)entry->key) {
	case KEY_NAME:
		entry->name_bytes = text->bad ? 0 : text->size_bytes;
		memcpy(entry->name, text->bytes, entry->name_bytes);
		break;
	case KEY_TYPE:
		entry->is_file = json_text_is(text, "file");
		entry->is_directory = json_text_is(text, "directory");
		break;
	case KEY_MTIME:
		if (header_date(text->bytes, text->size_bytes, now_s,
		        &entry->mtime_s) < 0)
			entry->mtime_s = -1;
		break;
	case KEY_SIZE: /* is a number */
	case NO_KEY:
		break;
	}
}

static int on_event(void *arg, enum json_event event, const struct json *json)
{
	struct index_parser *parser = arg;
	struct index_json *entry = &parser->json;

	if (json->depth == 1 && json->in_object[1]) {
		parser->reason = "is JSON, but no listing";
		return -EBADMSG;
	}
	if (json->depth != ENTRY_DEPTH)
		return 0;
	switch (event) {
	case JSON_OPENED:
		entry_begin(entry);
		break;
	case JSON_KEY:
		take_key(entry, &json->text);
		break;
	case JSON_STRING:
		take_string(entry, &json->text, parser->now_s);
		break;
	case JSON_WORD:
		if (entry->key == KEY_SIZE)
			entry->has_size =
			    header_content_length(json->text.bytes,
			        json->text.size_bytes,
			        &entry->length_bytes) == 0;
		break;
	case JSON_CLOSED:
		return json->in_object[ENTRY_DEPTH] ? entry_end(parser) : 0;
	}
	return 0;
}

void index_json_init(struct index_parser *parser)
{
	parser->json = (struct index_json){.key = NO_KEY};
	json_init(&parser->json.json, on_event, parser);
}

bool index_json_complete(const struct index_json *entry)
{
	return json_complete(&entry->json);
}

int index_json_byte(struct index_parser *parser, char c)
{
	int code = json_byte(&parser->json.json, c);

	if (parser->json.json.reason != NULL)
		parser->reason = parser->json.json.reason;
	return code;
}
