/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/claims/macaroon.c - see macaroon.h: the three forms it may come in. */
#include "tokens/claims/macaroon.h"

#include "tokens/claims/base64.h"
#include "tokens/claims/caveat.h"
#include "tokens/claims/json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	PACKET_HEAD_BYTES = 4, /* its whole length in hex */
	V2_BYTE = 2,
	V2_END = 0, /* kinds of fields of version 2 */
	V2_LOCATION = 1,
	V2_IDENTIFIER = 2,
	V2_VERIFIER = 4,
	V2_SIGNATURE = 6,
};

/* Bytes still to be read, or the value of a field. Borrowed. */
struct bytes {
	const unsigned char *at;
	size_t size;
};

/* Decode base64 as macaroons come: either alphabet, padded or not.
 * @return bytes in `*out`, which is to be freed; -EINVAL, -ENOMEM. */
static ssize_t decode(unsigned char **out, const char *text, size_t size_bytes)
{
	char *plain;
	ssize_t n = -ENOMEM;

	*out = NULL;
	while (size_bytes > 0 && text[size_bytes - 1] == '=')
		size_bytes--;
	plain = malloc(size_bytes + 1);
	if (plain != NULL)
		*out = malloc(token_base64_room_bytes(size_bytes));
	if (*out != NULL) {
		for (size_t i = 0; i < size_bytes; i++)
			plain[i] = (char)(text[i] == '+' ? '-'
			        : text[i] == '/'         ? '_'
			                                 : text[i]);
		n = token_base64_decode(*out, plain, size_bytes);
	}
	free(plain);
	if (n < 0) {
		free(*out);
		*out = NULL;
	}
	return n;
}

/* Version 1: packets "LLLL key value\n". */

/* The length that a packet begins with; 0: none. */
static size_t packet_length(const struct bytes *left)
{
	size_t length = 0;

	if (left->size < PACKET_HEAD_BYTES)
		return 0;
	for (int i = 0; i < PACKET_HEAD_BYTES; i++) {
		unsigned char c = left->at[i];

		if (c >= '0' && c <= '9')
			length = length * 16 + (size_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			length = length * 16 + (size_t)(c - 'a') + 10;
		else
			return 0;
	}
	return length;
}

/* Take the next packet if its key is `key`. */
static bool take_packet(
    struct bytes *left, const char *key, struct bytes *value)
{
	size_t length = packet_length(left);
	size_t key_bytes = strlen(key);
	size_t around = PACKET_HEAD_BYTES + key_bytes + 2; /* ' ' and LF */

	if (length > left->size || length < around ||
	    left->at[length - 1] != '\n' ||
	    memcmp(left->at + PACKET_HEAD_BYTES, key, key_bytes) != 0 ||
	    left->at[PACKET_HEAD_BYTES + key_bytes] != ' ')
		return false;
	value->at = left->at + PACKET_HEAD_BYTES + key_bytes + 1;
	value->size = length - around;
	left->at += length;
	left->size -= length;
	return true;
}

static int parse_packets(struct caveats *caveats, struct bytes left)
{
	struct bytes value;
	struct bytes other;

	(void)take_packet(&left, "location", &value);
	if (!take_packet(&left, "identifier", &value))
		return -EINVAL;
	while (take_packet(&left, "cid", &value)) {
		/* A third party's: its words are for that party only. */
		bool third = take_packet(&left, "vid", &other);

		(void)take_packet(&left, "cl", &other);
		if (caveats->count++ == MACAROON_CAVEATS_MAX)
			return -EINVAL;
		if (!third)
			caveat_take(caveats, value.at, value.size);
	}
	return take_packet(&left, "signature", &value) &&
	        value.size == MACAROON_SIGNATURE_BYTES && left.size == 0
	    ? 0
	    : -EINVAL;
}

/* Version 2, binary: fields of a kind, a length and that many bytes. */

static bool take_number(struct bytes *left, size_t *out)
{
	size_t number = 0;

	/* Three times seven bits are more than any token has bytes. */
	for (unsigned shift = 0; shift < 21 && left->size > 0; shift += 7) {
		unsigned char c = *left->at++;

		left->size--;
		number |= (size_t)(c & 0x7f) << shift;
		if ((c & 0x80) == 0) {
			*out = number;
			return true;
		}
	}
	return false;
}

/* Take the next field if it is of this kind. */
static bool take_field(
    struct bytes *left, unsigned char kind, struct bytes *value)
{
	struct bytes ahead = *left;
	size_t length = 0;

	if (ahead.size == 0 || *ahead.at != kind)
		return false;
	ahead.at++;
	ahead.size--;
	if (kind != V2_END && !take_number(&ahead, &length))
		return false;
	if (length > ahead.size)
		return false;
	*value = (struct bytes){.at = ahead.at, .size = length};
	left->at = ahead.at + length;
	left->size = ahead.size - length;
	return true;
}

static int parse_binary(struct caveats *caveats, struct bytes left)
{
	struct bytes value;
	struct bytes other;

	left.at++; /* the version */
	left.size--;
	(void)take_field(&left, V2_LOCATION, &value);
	if (!take_field(&left, V2_IDENTIFIER, &value) ||
	    !take_field(&left, V2_END, &other))
		return -EINVAL;
	while (!take_field(&left, V2_END, &other)) {
		bool third;

		(void)take_field(&left, V2_LOCATION, &other);
		if (!take_field(&left, V2_IDENTIFIER, &value))
			return -EINVAL;
		third = take_field(&left, V2_VERIFIER, &other);
		if (!take_field(&left, V2_END, &other) ||
		    caveats->count++ == MACAROON_CAVEATS_MAX)
			return -EINVAL;
		if (!third)
			caveat_take(caveats, value.at, value.size);
	}
	return take_field(&left, V2_SIGNATURE, &value) &&
	        value.size == MACAROON_SIGNATURE_BYTES && left.size == 0
	    ? 0
	    : -EINVAL;
}

/* Version 2, JSON: a text stands under its name, bytes in base64 under the
 * name and "64". */

static bool has_either(
    const cJSON *object, const char *plain, const char *coded)
{
	return cJSON_GetObjectItemCaseSensitive(object, plain) != NULL ||
	    cJSON_GetObjectItemCaseSensitive(object, coded) != NULL;
}

/* One caveat of the list; 0, -EINVAL, -ENOMEM. */
static int take_member(struct caveats *caveats, const cJSON *object)
{
	const cJSON *plain = NULL;
	const cJSON *coded = NULL;
	unsigned char *bytes;
	ssize_t n;

	if (!cJSON_IsObject(object) ||
	    token_json_member(&plain, object, "i") < 0 ||
	    token_json_member(&coded, object, "i64") < 0)
		return -EINVAL;
	if (has_either(object, "v", "v64"))
		return 0;
	if (cJSON_IsString(plain)) {
		caveat_take(caveats, (const unsigned char *)plain->valuestring,
		    strlen(plain->valuestring));
		return 0;
	}
	if (!cJSON_IsString(coded))
		return -EINVAL;
	n = decode(&bytes, coded->valuestring, strlen(coded->valuestring));
	if (n < 0)
		return (int)n;
	caveat_take(caveats, bytes, (size_t)n);
	free(bytes);
	return 0;
}

static int parse_json(struct caveats *caveats, const struct bytes *text)
{
	__attribute__((cleanup(token_json_freep))) cJSON *object = NULL;
	const cJSON *version;
	const cJSON *list;
	int code = token_json_parse_object(
	    &object, (const char *)text->at, text->size);

	if (code < 0)
		return code == -ENOMEM ? code : -ENOMSG;
	/* Some writers leave the version out. */
	if (token_json_member(&version, object, "v") < 0 ||
	    (version != NULL &&
	        (!cJSON_IsNumber(version) || version->valueint != 2)) ||
	    !has_either(object, "i", "i64") || !has_either(object, "s", "s64"))
		return -ENOMSG;
	if (token_json_member(&list, object, "c") < 0 ||
	    (list != NULL && !cJSON_IsArray(list)))
		return -EINVAL;
	if (list == NULL)
		return 0;
	for (const cJSON *at = list->child; at != NULL && code == 0;
	     at = at->next)
		code = caveats->count++ == MACAROON_CAVEATS_MAX
		    ? -EINVAL
		    : take_member(caveats, at);
	return code;
}

/* Whether the text begins as packets do, though its end may be lost. */
static bool begins_as_packets(const char *text, size_t size_bytes)
{
	unsigned char head[16 + 1];
	struct bytes left = {.at = head, .size = 12};

	/* No letter of these differs between the alphabets. */
	return size_bytes >= 16 && token_base64_decode(head, text, 16) == 12 &&
	    packet_length(&left) > 0 &&
	    (memcmp(head + PACKET_HEAD_BYTES, "location", 8) == 0 ||
	        memcmp(head + PACKET_HEAD_BYTES, "identifi", 8) == 0);
}

/* As macaroon_parse(), without the sentence and the fields made of it. */
static int parse(struct caveats *caveats, unsigned *version, const char *text,
    size_t size_bytes)
{
	bool packets = begins_as_packets(text, size_bytes);
	unsigned char *bytes;
	struct bytes all;
	int code = -ENOMSG;
	ssize_t n;

	if (size_bytes < 2 || (!packets && text[0] != 'A' && text[0] != 'e'))
		return -ENOMSG;
	n = decode(&bytes, text, size_bytes);
	if (n < 0)
		return n == -EINVAL && !packets ? -ENOMSG : (int)n;
	all = (struct bytes){.at = bytes, .size = (size_t)n};
	*version = packets ? 1 : 2;
	if (packets)
		code = parse_packets(caveats, all);
	else if (n > 0 && bytes[0] == V2_BYTE)
		code = parse_binary(caveats, all) == 0 ? 0 : -ENOMSG;
	else if (n > 0 && bytes[0] == '{')
		code = parse_json(caveats, &all);
	free(bytes);
	return code;
}

int macaroon_parse(
    struct macaroon *out, const char *text, size_t size_bytes, struct err *err)
{
	struct caveats caveats;
	unsigned version = 0;
	int code;

	caveats_init(&caveats);
	code = parse(&caveats, &version, text, size_bytes);
	if (code == -EINVAL)
		return err_set(
		    err, code, "the macaroon is cut short or garbled");
	if (code < 0)
		return code;
	*out = (struct macaroon){
	    .version = version,
	    .expires_s = caveats.expires_s,
	    .rights = caveats_rights(&caveats),
	};
	if (caveats.path_known) {
		out->path = strdup(caveats.path);
		if (out->path == NULL)
			return -ENOMEM;
	}
	return 0;
}

void macaroon_fini(struct macaroon *macaroon)
{
	free(macaroon->path);
	*macaroon = (struct macaroon){.expires_s = UINT64_MAX};
}
