/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/claims/json.c - see json.h. */
#include "tokens/claims/json.h"

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

/* The end of the string that begins at `at` (its closing quote, or the end
 * of the text); NULL when it holds a NUL, raw or as \u0000. */
static const char *string_end(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++) {
		if (*at == '\0')
			return NULL;
		if (*at != '\\')
			continue;
		if (end - at > 5 && memcmp(at, "\\u0000", 6) == 0)
			return NULL;
		if (end - at > 1)
			at++; /* what is escaped ends no string */
	}
	return at < end ? at : end;
}

/* Whether nesting stays within bounds and no string holds a NUL. Anything
 * else that is wrong is left to cJSON. */
static bool is_bounded(const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;
	unsigned depth = 0;

	for (const char *at = text; at < end; at++) {
		if (*at == '"') {
			at = string_end(at, end);
			if (at == NULL)
				return false;
		} else if (*at == '{' || *at == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return false;
		} else if ((*at == '}' || *at == ']') && depth > 0) {
			depth--;
		} else if (*at == '\0') {
			return false;
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
	return token_json_parse_large(out, text, size_bytes, JSON_BYTES_MAX);
}

int token_json_parse_large(
    cJSON **out, const char *text, size_t size_bytes, size_t limit_bytes)
{
	const char *end = NULL;
	cJSON *object;

	*out = NULL;
	token_json_start();
	if (size_bytes > limit_bytes || !is_bounded(text, size_bytes))
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

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int token_json_unique(const cJSON *object)
{
	size_t count = 0;
	size_t used = 0;
	const char **names;
	int code = 0;

	for (const cJSON *at = object->child; at != NULL; at = at->next)
		count++;
	if (count < 2)
		return 0;
	names = calloc(count, sizeof(*names));
	if (names == NULL)
		return -ENOMEM;
	for (const cJSON *at = object->child; at != NULL; at = at->next)
		names[used++] = at->string != NULL ? at->string : "";
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 1; i < count && code == 0; i++) {
		if (strcmp(names[i - 1], names[i]) == 0)
			code = -EINVAL;
	}
	free(names);
	return code;
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
