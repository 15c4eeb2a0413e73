/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/claims/jwt.c - see jwt.h. */
#include "tokens/claims/jwt.h"

#include "base/buf.h"
#include "tokens/claims/base64.h"
#include "tokens/claims/json.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	JWT_PARTS_MAX = 5,    /* of an encrypted one: RFC 7516, section 3.1 */
	JWT_BEGIN_BYTES = 12, /* of base64url that tell a header */
};

/* The parts between the dots, borrowed. */
struct parts {
	const char *text[JWT_PARTS_MAX];
	size_t size_bytes[JWT_PARTS_MAX];
	unsigned count;
};

void jwt_claims_init(struct jwt_claims *claims)
{
	*claims = (struct jwt_claims){.expires_s = UINT64_MAX};
}

void jwt_claims_fini(struct jwt_claims *claims)
{
	free(claims->type);
	free(claims->issuer);
	free(claims->subject);
	free(claims->scope);
	free(claims->audience);
	free(claims->version);
	free(claims->wlcg_version);
	jwt_claims_init(claims);
}

/* Take the text apart; -ENOMSG when it has more parts than any JWT. */
static int split(struct parts *parts, const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;

	*parts = (struct parts){.count = 0};
	for (;;) {
		const char *dot = memchr(text, '.', (size_t)(end - text));
		const char *stop = dot != NULL ? dot : end;

		if (parts->count == JWT_PARTS_MAX)
			return -ENOMSG;
		parts->text[parts->count] = text;
		parts->size_bytes[parts->count++] = (size_t)(stop - text);
		if (dot == NULL)
			return 0;
		text = dot + 1;
	}
}

/* Decode part `index` as a JSON object; as token_json_parse_object(). */
static int part_object(cJSON **out, const struct parts *parts, unsigned index)
{
	size_t size = parts->size_bytes[index];
	unsigned char *bytes = malloc(token_base64_room_bytes(size));
	ssize_t n;
	int code;

	*out = NULL;
	if (bytes == NULL)
		return -ENOMEM;
	n = token_base64_decode(bytes, parts->text[index], size);
	code = n < 0
	    ? -EINVAL
	    : token_json_parse_object(out, (const char *)bytes, (size_t)n);
	free(bytes);
	return code;
}

/* The header's typ, when it is a text (RFC 7515, section 4.1.9). */
static int read_type(char **out, const cJSON *header)
{
	const cJSON *type;

	if (token_json_member(&type, header, "typ") < 0 ||
	    !cJSON_IsString(type))
		return 0;
	*out = strdup(type->valuestring);
	return *out != NULL ? 0 : -ENOMEM;
}

/* Whether the header makes the text a signed JWT: 0, else as jwt_parse().
 * RFC 7515, section 4.1.1: `alg` must be present; RFC 7516, section 4.1.2:
 * `enc` marks an encrypted one, whose claims are not ours to read. */
static int check_header(
    struct jwt_claims *out, const struct parts *parts, struct err *err)
{
	__attribute__((cleanup(token_json_freep))) cJSON *header = NULL;
	const cJSON *algorithm;
	const cJSON *encryption;
	int code = part_object(&header, parts, 0);

	if (code == -EINVAL)
		return -ENOMSG;
	if (code < 0)
		return code;
	if (token_json_member(&algorithm, header, "alg") < 0 ||
	    token_json_member(&encryption, header, "enc") < 0)
		return err_set(
		    err, -EINVAL, "the token's header names a field twice");
	if (!cJSON_IsString(algorithm))
		return -ENOMSG;
	if (parts->count == 5 && cJSON_IsString(encryption))
		return -ENOMSG;
	if (parts->count != 3)
		return err_set(err, -EINVAL,
		    "the token is cut short or garbled (%u of 3 parts)",
		    parts->count);
	return read_type(&out->type, header);
}

/* The signature's spelling: base64url, and there unless `alg` is none (such
 * a token is for the server to refuse). */
static int check_signature(const struct parts *parts, struct err *err)
{
	size_t size = parts->size_bytes[2];
	unsigned char *bytes = malloc(token_base64_room_bytes(size));
	ssize_t n;

	if (bytes == NULL)
		return -ENOMEM;
	n = token_base64_decode(bytes, parts->text[2], size);
	free(bytes);
	if (n < 0)
		return err_set(err, -EINVAL,
		    "the token's signature is cut short or garbled");
	return 0;
}

/* Whether the text begins as a header in base64url: an object whose first
 * member is a parameter that headers have, as far as it goes. RFC 7515,
 * section 4.1; RFC 7516, section 4.1. */
static bool begins_as_header(const char *text, size_t size_bytes)
{
	static const char *const names[] = {"alg\"", "apu\"", "apv\"", "crit\"",
	    "cty\"", "enc\"", "epk\"", "jku\"", "jwk\"", "kid\"", "typ\"",
	    "x5c\"", "x5t", "x5u\"", "zip\""};
	unsigned char bytes[JWT_BEGIN_BYTES / 4 * 3 + 1];
	const char *dot = memchr(text, '.', size_bytes);
	size_t n = dot != NULL ? (size_t)(dot - text) : size_bytes;
	const char *at = (const char *)bytes;
	ssize_t left;

	n = n < JWT_BEGIN_BYTES ? n - n % 4 : JWT_BEGIN_BYTES;
	left = token_base64_decode(bytes, text, n);
	if (left < 3 || at[0] != '{' || at[1] != '"')
		return false;
	at += 2;
	left -= 2;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		size_t name_bytes = strlen(names[i]);

		if (strncmp(at, names[i],
		        (size_t)left < name_bytes ? (size_t)left
		                                  : name_bytes) == 0)
			return true;
	}
	return false;
}

/* Whether the header is that of an encrypted token. */
static bool is_encrypted(const struct parts *parts)
{
	__attribute__((cleanup(token_json_freep))) cJSON *header = NULL;
	const cJSON *encryption = NULL;

	return parts->count == 5 && part_object(&header, parts, 0) == 0 &&
	    token_json_member(&encryption, header, "enc") == 0 &&
	    cJSON_IsString(encryption);
}

bool jwt_is_cut(const char *text, size_t size_bytes)
{
	struct parts parts;

	return begins_as_header(text, size_bytes) &&
	    (split(&parts, text, size_bytes) < 0 || !is_encrypted(&parts));
}

static int wrong_kind(struct err *err, const char *name)
{
	return err_set(err, -EINVAL,
	    "the token's claim '%s' is of the wrong kind or stands twice",
	    name);
}

/* A claim that is a text. */
static int read_text(
    char **out, const cJSON *object, const char *name, struct err *err)
{
	const cJSON *item;

	if (token_json_member(&item, object, name) < 0 ||
	    (item != NULL && !cJSON_IsString(item)))
		return wrong_kind(err, name);
	if (item == NULL)
		return 0;
	*out = strdup(item->valuestring);
	return *out != NULL ? 0 : -ENOMEM;
}

/* A list of texts, joined by spaces. */
static int join(char **out, const cJSON *list)
{
	struct buf text;
	unsigned count = 0;
	int code = 0;

	buf_init(&text, JSON_BYTES_MAX);
	for (const cJSON *at = list->child; at != NULL; at = at->next) {
		if (!cJSON_IsString(at) || ++count > JWT_NAMES_MAX) {
			code = -EINVAL;
			break;
		}
		(void)buf_printf(&text, "%s%s", text.size_bytes > 0 ? " " : "",
		    at->valuestring);
	}
	if (code == 0)
		code = buf_copy_text(&text, out);
	buf_fini(&text);
	return code;
}

/* A claim that is a text or a list of texts. */
static int read_names(
    char **out, const cJSON *object, const char *name, struct err *err)
{
	const cJSON *item;
	int code;

	if (token_json_member(&item, object, name) == 0 &&
	    cJSON_IsArray(item)) {
		code = join(out, item);
		return code == -ENOMEM || code == 0 ? code
		                                    : wrong_kind(err, name);
	}
	return read_text(out, object, name, err);
}

/* A NumericDate (RFC 7519, section 2), which may have a fraction: `up` says
 * to which side it is rounded, so that no fraction of a second is granted. */
static int read_time(uint64_t *out, const cJSON *object, const char *name,
    bool up, struct err *err)
{
	const cJSON *item;
	double value;

	if (token_json_member(&item, object, name) < 0 ||
	    (item != NULL && !cJSON_IsNumber(item)))
		return wrong_kind(err, name);
	if (item == NULL)
		return 0;
	value = item->valuedouble;
	if (!isfinite(value) || value < 0)
		return err_set(
		    err, -EINVAL, "the token's claim '%s' is no time", name);
	if (value >= (double)JWT_TIME_MAX_S) {
		*out = JWT_TIME_MAX_S;
		return 0;
	}
	*out = (uint64_t)value;
	if (up && (double)*out < value)
		(*out)++;
	return 0;
}

static int read_claims(
    struct jwt_claims *out, const cJSON *object, struct err *err)
{
	int code = read_text(&out->issuer, object, "iss", err);

	if (code == 0)
		code = read_text(&out->subject, object, "sub", err);
	if (code == 0)
		code = read_names(&out->audience, object, "aud", err);
	if (code == 0)
		code = read_names(&out->scope, object, "scope", err);
	if (code == 0 && out->scope == NULL)
		code = read_names(&out->scope, object, "scp", err);
	if (code == 0)
		code = read_text(&out->version, object, "ver", err);
	if (code == 0)
		code = read_text(&out->wlcg_version, object, "wlcg.ver", err);
	if (code == 0)
		code = read_time(&out->expires_s, object, "exp", false, err);
	if (code == 0)
		code = read_time(&out->not_before_s, object, "nbf", true, err);
	if (code == 0)
		code = read_time(&out->issued_s, object, "iat", false, err);
	return code;
}

int jwt_parse(struct jwt_claims *out, const char *text, size_t size_bytes,
    struct err *err)
{
	__attribute__((cleanup(token_json_freep))) cJSON *payload = NULL;
	struct parts parts;
	int code = split(&parts, text, size_bytes);

	jwt_claims_init(out);
	/* One part with no dot is an opaque token, whatever it decodes to; see
	 * jwt_is_cut(). */
	if (code == 0 && parts.count == 1)
		code = -ENOMSG;
	if (code == 0)
		code = check_header(out, &parts, err);
	if (code == 0)
		code = check_signature(&parts, err);
	if (code == 0) {
		code = part_object(&payload, &parts, 1);
		if (code == -EINVAL)
			(void)err_set(err, code,
			    "the token's claims are cut short or garbled");
	}
	if (code == 0)
		code = read_claims(out, payload, err);
	if (code < 0)
		jwt_claims_fini(out);
	out->is_jwt = code == 0;
	return code;
}
