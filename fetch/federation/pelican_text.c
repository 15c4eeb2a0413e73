/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/federation/pelican_text.c - texts of a federation: see pelican_impl.h. */
#include "base/path.h"
#include "fetch/federation/pelican_impl.h"
#include "fetch/source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void pelican_ignore(struct pelican_ignored *ignored, const char *format, ...)
{
	va_list args;

	if (ignored->count++ > 0)
		return;
	ignored->first.code = -EBADMSG;
	va_start(args, format);
	(void)vsnprintf(
	    ignored->first.text, sizeof(ignored->first.text), format, args);
	va_end(args);
}

char *pelican_copy(const char *text, size_t size_bytes)
{
	char *copy = malloc(size_bytes + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, text, size_bytes);
	copy[size_bytes] = '\0';
	return copy;
}

void pelican_free_texts(char **texts, unsigned *count)
{
	while (*count > 0)
		free(texts[--*count]);
}

/* Both texts are NUL-terminated. */
static int resolve(char **out, const char *base_url, const char *text)
{
	struct source_host host;
	struct buf url;
	int code;

	buf_init(&url, FETCH_URL_BYTES_MAX);
	code = source_resolve(&url, base_url, text);
	if (code == 0 &&
	    (source_host_of(&host, buf_text(&url)) < 0 || !host.tls))
		code = -EPROTONOSUPPORT;
	if (code == 0) {
		*out = pelican_copy(buf_text(&url), url.size_bytes);
		code = *out == NULL ? -ENOMEM : 0;
	}
	buf_fini(&url);
	return code;
}

int pelican_url(
    char **out, const char *base_url, const char *text, size_t size_bytes)
{
	char *whole;
	int code;

	*out = NULL;
	if (size_bytes >= FETCH_URL_BYTES_MAX)
		return -EBADMSG;
	whole = pelican_copy(text, size_bytes);
	if (whole == NULL)
		return -ENOMEM;
	code = resolve(out, base_url != NULL ? base_url : whole, whole);
	free(whole);
	return code;
}

const char *pelican_url_fault(int code)
{
	return code == -EPROTONOSUPPORT
	    ? "is no https URL"
	    : "is no plain URL with a host and without a user, or is too long";
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int pelican_next_fact(
    struct pelican_fact *out, const char **at, const char *end)
{
	const char *stop;
	const char *equals;

	while (*at < end && (is_blank(**at) || **at == ','))
		(*at)++;
	if (*at == end)
		return 0;
	stop = memchr(*at, ',', (size_t)(end - *at));
	if (stop == NULL)
		stop = end;
	equals = memchr(*at, '=', (size_t)(stop - *at));
	if (equals == NULL)
		return -EBADMSG;
	*out = (struct pelican_fact){.key = *at, .value = equals + 1};
	while (equals > *at && is_blank(equals[-1]))
		equals--;
	if (equals == *at)
		return -EBADMSG;
	out->key_bytes = (size_t)(equals - *at);
	*at = stop;
	while (out->value < stop && is_blank(*out->value))
		out->value++;
	while (stop > out->value && is_blank(stop[-1]))
		stop--;
	out->value_bytes = (size_t)(stop - out->value);
	return 1;
}

static bool is_word(const char *text, size_t size_bytes, const char *word)
{
	return strlen(word) == size_bytes &&
	    strncasecmp(text, word, size_bytes) == 0;
}

bool pelican_key_is(const struct pelican_fact *fact, const char *key)
{
	return is_word(fact->key, fact->key_bytes, key);
}

bool pelican_value_is(const struct pelican_fact *fact, const char *word)
{
	return is_word(fact->value, fact->value_bytes, word);
}

int pelican_path(char **out, const struct pelican_fact *fact)
{
	size_t size_bytes = fact->value_bytes;

	*out = NULL;
	while (size_bytes > 1 && fact->value[size_bytes - 1] == '/')
		size_bytes--;
	if (size_bytes >= PATH_BYTES_MAX)
		return -EBADMSG;
	*out = pelican_copy(fact->value, size_bytes);
	if (*out == NULL)
		return -ENOMEM;
	if (path_is_normal(*out))
		return 0;
	free(*out);
	*out = NULL;
	return -EBADMSG;
}
