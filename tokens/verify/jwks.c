/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/jwks.c - see jwks.h. */
#include "tokens/verify/jwks.h"

#include "tokens/claims/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

enum {
	KEYS_OF_ONE_NAME_MAX = 4, /* that are tried for one signature */
};

static int read_keys(struct jwks *set, const cJSON *list, struct err *err)
{
	for (const cJSON *at = list->child; at != NULL; at = at->next) {
		int code = cJSON_IsObject(at)
		    ? jwk_read(&set->keys[set->count], at)
		    : 0;

		if (code < 0)
			return err_set(err, code, "out of memory");
		set->count += code == 1;
		set->skipped += code == 0;
	}
	if (set->count == 0)
		return err_set(err, -ENOKEY,
		    "none of the %u keys in it can be used (P-256 with ES256 "
		    "and RSA of %d to %d bits with RS256 can)",
		    set->skipped, JWK_RSA_BITS_MIN, JWK_RSA_BITS_MAX);
	return 0;
}

int jwks_parse(
    struct jwks **out, const char *text, size_t size_bytes, struct err *err)
{
	__attribute__((cleanup(token_json_freep))) cJSON *object = NULL;
	AUTO(jwks) set = NULL;
	const cJSON *list = NULL;
	int count;
	int code;

	*out = NULL;
	if (size_bytes > JWKS_BYTES_MAX)
		return err_set(err, -EMSGSIZE, "larger than %d KiB",
		    JWKS_BYTES_MAX / 1024);
	code =
	    token_json_parse_large(&object, text, size_bytes, JWKS_BYTES_MAX);
	if (code == 0 &&
	    (token_json_member(&list, object, "keys") < 0 ||
	        !cJSON_IsArray(list)))
		code = -EINVAL;
	if (code == -EINVAL)
		return err_set(
		    err, code, "no JWKS (JSON with a list \"keys\")");
	if (code < 0)
		return err_set(err, code, "out of memory");
	count = cJSON_GetArraySize(list);
	if (count > JWKS_KEYS_MAX)
		return err_set(err, -EMSGSIZE, "%d keys; %d are accepted",
		    count, JWKS_KEYS_MAX);
	/* One more: the last key that is passed over is read into it. */
	set = calloc(
	    1, sizeof(*set) + ((size_t)count + 1) * sizeof(set->keys[0]));
	if (set == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	atomic_init(&set->references, 1);
	code = list != NULL ? read_keys(set, list, err) : -EINVAL;
	if (code == 0)
		*out = STEAL(set);
	return code;
}

struct jwks *jwks_get(struct jwks *set)
{
	(void)atomic_fetch_add(&set->references, 1);
	return set;
}

void jwks_put(struct jwks *set)
{
	if (set == NULL || atomic_fetch_sub(&set->references, 1) > 1)
		return;
	for (unsigned i = 0; i < set->count; i++)
		jwk_fini(&set->keys[i]);
	free(set);
}

static bool same_name(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The keys that a text may mean, at most KEYS_OF_ONE_NAME_MAX. */
static unsigned find_keys(const struct jwk *out[KEYS_OF_ONE_NAME_MAX],
    const struct jwks *set, const struct jws *jws)
{
	unsigned count = 0;

	for (unsigned i = 0; i < set->count && count < KEYS_OF_ONE_NAME_MAX;
	     i++) {
		const struct jwk *key = &set->keys[i];

		if (key->algorithm == jws->algorithm &&
		    (jws->kid == NULL || same_name(key->kid, jws->kid)))
			out[count++] = key;
	}
	return count;
}

int jwks_check(const struct jwks *set, const struct jws *jws, struct err *err)
{
	const struct jwk *keys[KEYS_OF_ONE_NAME_MAX];
	unsigned count = find_keys(keys, set, jws);

	if (count == 0)
		return err_set(err, -ENOKEY,
		    "signed with a key that is not among the issuer's (%s, "
		    "%u known)",
		    jws_algorithm_name(jws->algorithm), set->count);
	if (count > 1 && jws->kid == NULL)
		return err_set(err, -ENOKEY,
		    "it does not say with which of the issuer's keys it is "
		    "signed (no 'kid')");
	for (unsigned i = 0; i < count; i++) {
		int code = jws_check(jws, keys[i]);

		if (code == -ENOMEM)
			return err_set(err, code, "out of memory");
		if (code == 0)
			return 0;
	}
	return err_set(err, -EKEYREJECTED,
	    "its signature is not that of the issuer's key: it was changed "
	    "or forged");
}

bool jwks_same(const struct jwks *a, const struct jwks *b)
{
	if (a == NULL || b == NULL || a->count != b->count)
		return a == b;
	for (unsigned i = 0; i < a->count; i++) {
		if (a->keys[i].algorithm != b->keys[i].algorithm ||
		    !same_name(a->keys[i].kid, b->keys[i].kid) ||
		    EVP_PKEY_eq(a->keys[i].key, b->keys[i].key) != 1)
			return false;
	}
	return true;
}
