/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cli/fake_layers.c - see fake_layers.h. */
#include "tests/unit/cli/fake_layers.h"

#include "base/buf.h"
#include "cache/cache.h"
#include "fetch/fetch.h"
#include "fs/fs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fake fake;

int __wrap_tokens_describe(
    struct tokens *tokens, const struct ident *ident, struct buf *out);
int __wrap_tokens_describe_text(
    struct tokens *tokens, const struct ident *ident, struct buf *out);
struct tokens_refusal *__wrap_tokens_refusals(
    struct tokens *tokens, const uid_t *uid, const char *path, unsigned *count);
void __wrap_tokens_want(struct tokens *tokens, const struct tokens_query *query,
    tokens_fn answer, void *arg);
void __wrap_tokens_identify(const struct tokens *tokens, struct ident *ident);
int __wrap_fetch_describe(struct fetch *fetch, struct buf *out);
int __wrap_fetch_describe_text(struct fetch *fetch, struct buf *out);
uint64_t __wrap_fetch_silent_ms(struct fetch *fetch);
int __wrap_cache_describe(struct cache *cache, struct buf *out);
int __wrap_cache_describe_text(struct cache *cache, struct buf *out);
void __wrap_fs_stop(struct fs *fs);

void fake_reset(void)
{
	fake = (struct fake){.stops = 0};
}

int __wrap_tokens_describe(
    struct tokens *tokens, const struct ident *ident, struct buf *out)
{
	(void)tokens;
	fake.shown = *ident;
	return buf_printf(out, "{\"state\":\"valid\"}");
}

int __wrap_tokens_describe_text(
    struct tokens *tokens, const struct ident *ident, struct buf *out)
{
	(void)tokens;
	fake.shown = *ident;
	return buf_printf(out, "token: fine"); /* no newline: added */
}

struct tokens_refusal *__wrap_tokens_refusals(
    struct tokens *tokens, const uid_t *uid, const char *path, unsigned *count)
{
	size_t size_bytes = fake.refusal_count * sizeof(struct tokens_refusal);
	struct tokens_refusal *out = NULL;

	(void)tokens;
	(void)path;
	fake.asked_all = uid == NULL;
	fake.asked_uid = uid != NULL ? *uid : 0;
	if (size_bytes > 0) {
		out = malloc(size_bytes);
		assert_non_null(out);
		memcpy(out, fake.refusals, size_bytes);
	}
	*count = fake.refusal_count;
	return out;
}

void __wrap_tokens_want(struct tokens *tokens, const struct tokens_query *query,
    tokens_fn answer, void *arg)
{
	(void)tokens;
	fake.want_count++;
	fake.want_ident = *query->ident;
	fake.wanted = answer;
	fake.wanted_arg = arg;
	if (fake.want_at_once)
		fake_answer_want();
}

void fake_answer_want(void)
{
	struct err err = ERR_INIT;

	assert_non_null(fake.wanted);
	fake.wanted(fake.wanted_arg, -ENOKEY, NULL, &err);
	fake.wanted = NULL;
}

void __wrap_tokens_identify(const struct tokens *tokens, struct ident *ident)
{
	(void)tokens;
	ident->tgid = FAKE_TGID;
}

int __wrap_fetch_describe(struct fetch *fetch, struct buf *out)
{
	(void)fetch;
	return buf_printf(out, "[]");
}

int __wrap_fetch_describe_text(struct fetch *fetch, struct buf *out)
{
	(void)fetch;
	return buf_printf(out, "server: fine\n");
}

uint64_t __wrap_fetch_silent_ms(struct fetch *fetch)
{
	(void)fetch;
	return fake.silent_ms;
}

int __wrap_cache_describe(struct cache *cache, struct buf *out)
{
	(void)cache;
	return buf_printf(out, "{\"state\":\"on\"}");
}

int __wrap_cache_describe_text(struct cache *cache, struct buf *out)
{
	(void)cache;
	return buf_printf(out, "cache: fine\n");
}

void __wrap_fs_stop(struct fs *fs)
{
	(void)fs;
	fake.stops++;
}
