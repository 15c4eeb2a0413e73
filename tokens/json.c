/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/json.c - see json.h. */
#include "tokens/json.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool memory_failed;

static void *allocate(size_t size_bytes)
{
	void *memory = malloc(size_bytes);

	if (memory == NULL)
		memory_failed = true;
	return memory;
}

static void release(void *memory)
{
	free(memory);
}

static void set_hooks(void)
{
	cJSON_Hooks hooks = {.malloc_fn = allocate, .free_fn = release};

	cJSON_InitHooks(&hooks);
}

void token_json_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, set_hooks);
}

/* Whether nesting stays within bounds and no string holds a NUL, raw or as
 * \u0000. Anything else that is wrong is left to cJSON. */
static bool is_bounded(const char *text, size_t size_bytes)
{
	bool in_string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < size_bytes; i++) {
		char c = text[i];

		if (c == '\0')
			return false;
		if (in_string && c == '\\') {
			if (size_bytes - i > 5 &&
			    memcmp(text + i, "\\u0000", 6) == 0)
				return false;
			i++; /* whatever is escaped does not end the string */
		} else if (c == '"') {
			in_string = !in_string;
		} else if (!in_string && (c == '{' || c == '[')) {
			if (++depth > JSON_DEPTH_MAX)
				return false;
		} else if (!in_string && (c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

static bool is_blank(const char *text, const char *end)
{
	while (text < end) {
		if (strchr(" \t\r\n", *text) == NULL)
			return false;
		text++;
	}
	return true;
}

int token_json_parse_object(cJSON **out, const char *text, size_t size_bytes)
{
	const char *end = NULL;
	cJSON *object;

	*out = NULL;
	token_json_start();
	if (size_bytes > JSON_BYTES_MAX || !is_bounded(text, size_bytes))
		return -EINVAL;
	memory_failed = false;
	object = cJSON_ParseWithLengthOpts(text, size_bytes, &end, 0);
	if (object == NULL)
		return memory_failed ? -ENOMEM : -EINVAL;
	if (!cJSON_IsObject(object) || !is_blank(end, text + size_bytes)) {
		cJSON_Delete(object);
		return -EINVAL;
	}
	*out = object;
	return 0;
}

int token_json_member(const cJSON **out, const cJSON *object, const char *name)
{
	*out = NULL;
	for (const cJSON *at = object->child; at != NULL; at = at->next) {
		if (at->string == NULL || strcmp(at->string, name) != 0)
			continue;
		if (*out != NULL)
			return -EINVAL;
		*out = at;
	}
	return 0;
}

void token_json_freep(cJSON **object)
{
	cJSON_Delete(*object);
}
