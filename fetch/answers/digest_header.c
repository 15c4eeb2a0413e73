/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/answers/digest_header.c - see digest_header.h. */
#include "fetch/answers/digest_header.h"

#include <string.h>
#include <strings.h>

/* One entry of a field: a name and a value. */
struct entry {
	const char *name;
	size_t name_bytes;
	const char *value;
	size_t value_bytes;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* As registered, and as they are also written. */
static bool find_algorithm(
    const struct entry *entry, enum fetch_algorithm *algorithm)
{
	static const struct {
		const char *name;
		enum fetch_algorithm algorithm;
	} names[] = {
	    {"adler32", FETCH_ADLER32},
	    {"crc32c", FETCH_CRC32C},
	    {"md5", FETCH_MD5},
	    {"sha", FETCH_SHA1},
	    {"sha1", FETCH_SHA1},
	    {"sha-1", FETCH_SHA1},
	    {"sha-256", FETCH_SHA256},
	    {"sha256", FETCH_SHA256},
	    {"sha-512", FETCH_SHA512},
	    {"sha512", FETCH_SHA512},
	};

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (strlen(names[i].name) == entry->name_bytes &&
		    strncasecmp(
		        names[i].name, entry->name, entry->name_bytes) == 0) {
			*algorithm = names[i].algorithm;
			return true;
		}
	}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool take_hex(
    uint8_t *out, size_t want_bytes, const char *text, size_t size_bytes)
{
	if (size_bytes != 2 * want_bytes)
		return false;
	for (size_t i = 0; i < want_bytes; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* RFC 4648 section 4, exactly that many bytes, with or without the '=' at the
 * end; the bits left over are zero. */
static bool take_base64(
    uint8_t *out, size_t want_bytes, const char *text, size_t size_bytes)
{
	size_t digits = (want_bytes * 8 + 5) / 6;
	uint32_t bits = 0;
	unsigned count = 0;
	size_t done = 0;

	if (size_bytes != digits && size_bytes != (digits + 3) / 4 * 4)
		return false;
	for (size_t i = digits; i < size_bytes; i++) {
		if (text[i] != '=')
			return false;
	}
	for (size_t i = 0; i < digits; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[done++] = (uint8_t)(bits >> count);
		}
	}
	return (bits & ((1u << count) - 1)) == 0;
}

/* A stronger one takes the place of what is there. */
static void take_entry(struct fetch_digest *digest, const struct entry *entry)
{
	struct fetch_digest found = {.known = true};
	size_t size_bytes;

	if (!find_algorithm(entry, &found.algorithm) ||
	    (digest->known && digest->algorithm >= found.algorithm))
		return;
	size_bytes = fetch_digest_size(found.algorithm);
	/* No length is that of both. */
	if (take_hex(
	        found.bytes, size_bytes, entry->value, entry->value_bytes) ||
	    take_base64(
	        found.bytes, size_bytes, entry->value, entry->value_bytes))
		*digest = found;
}

static void trim(const char **text, size_t *size_bytes)
{
	while (*size_bytes > 0 && is_blank(**text)) {
		(*text)++;
		(*size_bytes)--;
	}
	while (*size_bytes > 0 && is_blank((*text)[*size_bytes - 1]))
		(*size_bytes)--;
}

/* Cut an entry at the first `sign`. */
static bool split(
    struct entry *out, const char *text, size_t size_bytes, char sign)
{
	const char *at = memchr(text, sign, size_bytes);

	if (at == NULL)
		return false;
	out->name = text;
	out->name_bytes = (size_t)(at - text);
	out->value = at + 1;
	out->value_bytes = size_bytes - out->name_bytes - 1;
	trim(&out->name, &out->name_bytes);
	trim(&out->value, &out->value_bytes);
	return true;
}

/* ":base64:", perhaps with parameters behind it. */
static bool unwrap(struct entry *entry)
{
	const char *end;

	if (entry->value_bytes < 2 || entry->value[0] != ':')
		return false;
	entry->value++;
	entry->value_bytes--;
	end = memchr(entry->value, ':', entry->value_bytes);
	if (end == NULL)
		return false;
	entry->value_bytes = (size_t)(end - entry->value);
	return true;
}

/* Take a list apart. @return the next part's length. */
static size_t part_bytes(const char *text, size_t size_bytes, char sign)
{
	const char *end = memchr(text, sign, size_bytes);

	return end == NULL ? size_bytes : (size_t)(end - text);
}

/* Of a list its parts, each a name, `sign` and a value. */
static void take_list(struct fetch_digest *digest, const char *text,
    size_t size_bytes, char between, char sign, bool wrapped)
{
	while (size_bytes > 0) {
		size_t part = part_bytes(text, size_bytes, between);
		struct entry entry;

		if (split(&entry, text, part, sign) &&
		    (!wrapped || unwrap(&entry)))
			take_entry(digest, &entry);
		part += part < size_bytes;
		text += part;
		size_bytes -= part;
	}
}

void digest_header_repr(
    struct fetch_digest *digest, const char *text, size_t size_bytes)
{
	take_list(digest, text, size_bytes, ',', '=', true);
}

void digest_header_digest(
    struct fetch_digest *digest, const char *text, size_t size_bytes)
{
	take_list(digest, text, size_bytes, ',', '=', false);
}

void digest_header_oc(
    struct fetch_digest *digest, const char *text, size_t size_bytes)
{
	take_list(digest, text, size_bytes, ' ', ':', false);
}
