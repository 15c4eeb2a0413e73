/* SPDX-License-Identifier: Apache-2.0 */
/* base/secret.c - see secret.h. */
#include "base/secret.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct secret {
	atomic_uint references;
	size_t size_bytes;
	char text[];
};

struct secret *secret_new(const char *text, size_t size_bytes)
{
	struct secret *secret = malloc(sizeof(*secret) + size_bytes + 1);

	if (secret == NULL)
		return NULL;
	atomic_init(&secret->references, 1);
	secret->size_bytes = size_bytes;
	memcpy(secret->text, text, size_bytes);
	secret->text[size_bytes] = '\0';
	return secret;
}

struct secret *secret_get(struct secret *secret)
{
	(void)atomic_fetch_add(&secret->references, 1);
	return secret;
}

void secret_put(struct secret *secret)
{
	unsigned before;

	if (secret == NULL)
		return;
	before = atomic_fetch_sub(&secret->references, 1);
	assert(before > 0);
	if (before > 1)
		return;
	secret_wipe(secret->text, secret->size_bytes);
	free(secret);
}

const char *secret_reveal(const struct secret *secret)
{
	return secret->text;
}

size_t secret_size_bytes(const struct secret *secret)
{
	return secret->size_bytes;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	unsigned char differs = 0;

	if (a->size_bytes != b->size_bytes)
		return false;
	for (size_t i = 0; i < a->size_bytes; i++)
		differs |= (unsigned char)(a->text[i] ^ b->text[i]);
	return differs == 0;
}

void secret_wipe(void *bytes, size_t size_bytes)
{
	explicit_bzero(bytes, size_bytes);
}
