/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cli/fake_layers.c - see fake_layers.h. */
#include "tests/unit/cli/fake_layers.h"

#include "base/buf.h"
#include "fs/fs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
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
void __wrap_tokens_explain(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct tokens_explained *out);
unsigned __wrap_tokens_reach(struct tokens *tokens, const struct ident *ident,
    const char *path, void (*name)(void *arg, const char *name), void *arg);
int __wrap_tokens_describe_used(struct tokens *tokens,
    const struct ident *ident, const char *path, enum tokens_right right,
    struct buf *out);
int __wrap_tokens_describe_used_text(struct tokens *tokens,
    const struct ident *ident, const char *path, enum tokens_right right,
    struct buf *out);
bool __wrap_fetch_said(
    struct fetch *fetch, uid_t uid, const char *path, struct fetch_said *out);
bool __wrap_fetch_said_by(struct fetch *fetch, unsigned nth, uid_t uid,
    const char *path, struct fetch_said *out, char name[FETCH_NAME_BYTES]);
void __wrap_cache_known(struct cache *cache, const struct ident *ident,
    const char *path, cache_known_fn answer, void *arg);
int __wrap_fetch_describe(struct fetch *fetch, struct buf *out);
int __wrap_fetch_describe_text(struct fetch *fetch, struct buf *out);
int __wrap_fetch_metrics(
    struct fetch *fetch, const char *labels, struct buf *out);
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

void __wrap_tokens_explain(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct tokens_explained *out)
{
	(void)tokens;
	(void)ident;
	(void)right;
	assert_true(strlen(fake.explained) + strlen(path) + 2 <
	        sizeof(fake.explained) ||
	    strlen(path) > 256);
	(void)strncat(fake.explained, strlen(path) > 256 ? "" : path, 256);
	(void)strcat(fake.explained, " ");
	*out = (struct tokens_explained){.code = 0};
	if (fake.refuses != NULL && strcmp(path, fake.refuses) == 0)
		out->code = err_set(&out->why, -EACCES, "no; get one");
}

unsigned __wrap_tokens_reach(struct tokens *tokens, const struct ident *ident,
    const char *path, void (*name)(void *arg, const char *name), void *arg)
{
	(void)tokens;
	(void)ident;
	(void)path;
	(void)name;
	(void)arg;
	return fake.leads;
}

int __wrap_tokens_describe_used(struct tokens *tokens,
    const struct ident *ident, const char *path, enum tokens_right right,
    struct buf *out)
{
	(void)path;
	(void)right;
	return __wrap_tokens_describe(tokens, ident, out);
}

int __wrap_tokens_describe_used_text(struct tokens *tokens,
    const struct ident *ident, const char *path, enum tokens_right right,
    struct buf *out)
{
	(void)path;
	(void)right;
	return __wrap_tokens_describe_text(tokens, ident, out);
}

bool __wrap_fetch_said(
    struct fetch *fetch, uid_t uid, const char *path, struct fetch_said *out)
{
	(void)fetch;
	fake.said_uid = uid;
	if (fake.said_path == NULL || strcmp(path, fake.said_path) != 0)
		return false;
	*out = fake.said;
	return true;
}

bool __wrap_fetch_said_by(struct fetch *fetch, unsigned nth, uid_t uid,
    const char *path, struct fetch_said *out, char name[FETCH_NAME_BYTES])
{
	(void)fetch;
	(void)uid;
	(void)path;
	(void)snprintf(name, FETCH_NAME_BYTES, "%s",
	    nth <= 2 ? "https://cache.example.org" : "");
	if (nth != 2 || fake.cache_said.at_s == 0)
		return false;
	*out = fake.cache_said;
	return true;
}

void __wrap_cache_known(struct cache *cache, const struct ident *ident,
    const char *path, cache_known_fn answer, void *arg)
{
	(void)cache;
	(void)ident;
	(void)snprintf(fake.known_path, sizeof(fake.known_path), "%s", path);
	fake.known_count++;
	fake.knows = answer;
	fake.knows_arg = arg;
}

void fake_answer_known(void)
{
	const struct cache_known known = {.kind = CACHE_DIRECTORY,
	    .fresh = true,
	    .facts = {.freshness = "fresh"}};

	assert_non_null(fake.knows);
	fake.knows(fake.knows_arg, 0, &known);
	fake.knows = NULL;
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

int __wrap_fetch_metrics(
    struct fetch *fetch, const char *labels, struct buf *out)
{
	(void)fetch;
	return buf_printf(out, "servers{%s} 1\n", labels);
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
