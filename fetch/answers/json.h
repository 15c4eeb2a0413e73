/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/json.h - a JSON text byte by byte, told as events: what opens, the
 * keys and values in between, what closes. Nothing is kept but the text that
 * is being read, so that a document may be of any length.
 *
 * Strict as RFC 8259, except that bytes above 0x7f in strings are taken as
 * they are (nginx writes names raw), and that the outermost value must be an
 * array or an object.
 *
 * Threads: a struct json belongs to one thread at a time.
 */
#ifndef FETCH_ANSWERS_JSON_H
#define FETCH_ANSWERS_JSON_H

#include "base/attr.h"
#include "fetch/answers/json_text.h"

#include <stdbool.h>

enum { JSON_DEPTH_MAX = 8 };

enum json_event {
	JSON_OPENED, /* depth is its own, in_object[depth] its kind */
	JSON_KEY,
	JSON_STRING,
	JSON_WORD,   /* a number, true, false or null */
	JSON_CLOSED, /* depth is still its own */
};

struct json;

/** @return 0 to go on; a negative errno, which json_byte() then returns. */
typedef int (*json_fn)(
    void *arg, enum json_event event, const struct json *json);

struct json {
	unsigned depth; /* of what is open: 1 is the outermost value */
	bool in_object[JSON_DEPTH_MAX + 1];
	struct json_text text; /* of a key, string or word */
	const char *reason;    /* why it is no JSON, to follow "it"; or NULL */

	/* Private. */
	unsigned char state;
	unsigned char after_text; /* state behind the string that is open */
	json_fn event;
	void *arg;
};

void json_init(struct json *json, json_fn event, void *arg);

/**
 * Take one byte.
 * @retval 0         go on.
 * @retval -EBADMSG  no JSON; `reason` says why.
 * @return           else what the event gave.
 */
NODISCARD int json_byte(struct json *json, char c);

/** Whether the outermost value has been closed. */
bool json_complete(const struct json *json);

#endif
