/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/keeper.c - the thread that sees to the keys: asks for them
 * when they are due, keeps them on disk. It alone calls the document
 * callback, and holds no lock then.
 */
#include "base/clock.h"
#include "base/log.h"
#include "tokens/verify/keyfile.h"
#include "tokens/verify/trust_impl.h"

#include <errno.h>
#include <time.h>

enum {
	SLEEP_MAX_MS = 3600 * 1000,
	FILE_REFRESH_S = 60, /* of the user's own key file */
	LOG_INTERVAL_MS = 60 * 1000,
};

/* What an attempt has brought. */
struct catch
{
	struct jwks *set;
	struct keys_life life;
	struct err err;
	int code;
};

/* A file's keys never expire: who replaces them says when. */
static struct keys_life file_life(uint64_t wall_s)
{
	return (struct keys_life){.fetched_s = wall_s,
	    .refresh_s = wall_s + FILE_REFRESH_S,
	    .expires_s = UINT64_MAX};
}

static void keep(const struct trust *trust, const char *issuer,
    const struct catch *got, const struct buf *text)
{
	static struct log_limit limit;
	struct err err = ERR_INIT;

	if (trust->key_dir == NULL ||
	    keyfile_write(trust->key_dir, issuer, &got->life, buf_text(text),
	        text->size_bytes, &err) == 0)
		return;
	log_limited(&limit, LOG_INTERVAL_MS, LOG_LEVEL_WARN, LOG_TOKENS,
	    "issuer keys not kept", "why=%s", LOG_TEXT(err.text));
}

static void fetch(
    struct catch *out, const struct trust *trust, const char *issuer)
{
	struct tokens_document_facts facts = {.max_age_s = -1};
	struct buf text;

	buf_init(&text, ISSUER_DOCUMENT_BYTES_MAX);
	if (trust->fetcher.document == NULL)
		out->code = err_set(
		    &out->err, -ENOTSUP, "there is nobody to fetch them");
	else
		out->code = issuer_fetch(
		    &text, &facts, issuer, &trust->fetcher, &out->err);
	if (out->code == 0)
		out->code = jwks_parse(
		    &out->set, buf_text(&text), text.size_bytes, &out->err);
	if (out->code == 0) {
		out->life =
		    keys_life(clock_wall_s(trust->clock), facts.max_age_s);
		keep(trust, issuer, out, &text);
	}
	buf_fini(&text);
}

static void attempt(struct catch *out, const struct trust *trust,
    const struct trust_source *source)
{
	*out = (struct catch){.err = ERR_INIT};
	if (source->issuer != NULL) {
		fetch(out, trust, source->issuer);
		return;
	}
	out->code = keyfile_read_jwks(&out->set, trust->jwks_file, &out->err);
	out->life = file_life(clock_wall_s(trust->clock));
}

static const char *name_of(const struct trust_source *source)
{
	return source->issuer != NULL ? source->issuer : "jwks";
}

/* What an attempt brought, taken in: how many keys when they are others than
 * before, else 0. */
static unsigned take(struct trust *trust, struct trust_source *source,
    struct catch *got) REQUIRES(trust_lock);
static unsigned take(
    struct trust *trust, struct trust_source *source, struct catch *got)
{
	uint64_t before = source->generation;

	if (got->code == 0)
		trust_install(source, got->set, &got->life);
	else
		keys_fail(&source->keys, clock_wall_s(trust->clock), &got->err);
	source->settled = true;
	(void)pthread_cond_broadcast(&trust->changed);
	return source->generation != before ? source->keys.set->count : 0;
}

/* Without the lock: a log may wait. */
static void tell(const struct trust_source *source, const struct catch *got,
    unsigned other_count)
{
	static struct log_limit limit;

	if (other_count > 0)
		log_line(LOG_LEVEL_INFO, LOG_TOKENS, "issuer has other keys",
		    "issuer=%s count=%u", LOG_TEXT(name_of(source)),
		    other_count);
	else if (got->code < 0)
		log_limited(&limit, LOG_INTERVAL_MS, LOG_LEVEL_WARN, LOG_TOKENS,
		    "issuer keys not fetched", "issuer=%s errno=%s why=%s",
		    LOG_TEXT(name_of(source)), err_name(got->code),
		    LOG_TEXT(got->err.text));
}

/* The source that is due first, and when. */
static struct trust_source *next(struct trust *trust, uint64_t *due_ms)
    REQUIRES(trust_lock);
static struct trust_source *next(struct trust *trust, uint64_t *due_ms)
{
	uint64_t now_ms = clock_now_ms(trust->clock);
	uint64_t wall_s = clock_wall_s(trust->clock);
	struct trust_source *first = NULL;

	*due_ms = UINT64_MAX;
	for (unsigned i = 0; i < trust->source_count; i++) {
		uint64_t due =
		    keys_due_ms(&trust->sources[i].keys, now_ms, wall_s);

		if (due < *due_ms) {
			*due_ms = due;
			first = &trust->sources[i];
		}
	}
	return first;
}

/* Until something is said, or `due_ms` has come by the trust's clock. */
static void rest(struct trust *trust, uint64_t due_ms) REQUIRES(trust_lock);
static void rest(struct trust *trust, uint64_t due_ms)
{
	uint64_t now_ms = clock_now_ms(trust->clock);
	uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
	struct timespec until;

	if (due_ms == UINT64_MAX) {
		(void)pthread_cond_wait(&trust->wakes, &trust->mutex);
		return;
	}
	if (wait_ms > SLEEP_MAX_MS)
		wait_ms = SLEEP_MAX_MS;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(wait_ms / 1000);
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_clockwait(
	    &trust->wakes, &trust->mutex, CLOCK_MONOTONIC, &until);
}

void *trust_keeper_main(void *arg)
{
	struct trust *trust = arg;
	bool last;

	trust_enter(trust);
	while (!trust->stopping) {
		uint64_t due_ms;
		struct trust_source *source = next(trust, &due_ms);
		struct catch got;
		unsigned other_count;

		if (source == NULL || due_ms > clock_now_ms(trust->clock)) {
			rest(trust, due_ms);
			continue;
		}
		keys_begin(&source->keys, clock_now_ms(trust->clock));
		trust_leave(trust);
		attempt(&got, trust, source);
		trust_enter(trust);
		other_count = take(trust, source, &got);
		trust_leave(trust);
		tell(source, &got, other_count);
		trust_enter(trust);
	}
	trust->gone = true;
	last = trust->abandoned;
	(void)pthread_cond_broadcast(&trust->changed);
	trust_leave(trust);
	if (last)
		trust_destroy(trust);
	return NULL;
}

static void load_kept(struct trust *trust, struct trust_source *source)
    REQUIRES(trust_lock);
static void load_kept(struct trust *trust, struct trust_source *source)
{
	struct err err = ERR_INIT;
	struct keys_life life;
	struct jwks *set;
	int code = keyfile_read(&set, &life, trust->key_dir, source->issuer,
	    clock_wall_s(trust->clock), &err);

	if (code == 0) {
		trust_install(source, set, &life);
		source->settled = true;
	} else if (code != -ENOENT) {
		log_line(LOG_LEVEL_INFO, LOG_TOKENS, "kept keys not used",
		    "issuer=%s why=%s", LOG_TEXT(source->issuer),
		    LOG_TEXT(err.text));
	}
}

int trust_keeper_load(struct trust *trust, struct err *err)
{
	struct catch got;

	if (trust->jwks_file != NULL) {
		attempt(&got, trust, &trust->sources[0]);
		if (got.code < 0) {
			*err = got.err;
			return got.code;
		}
		trust_enter(trust);
		trust_install(&trust->sources[0], got.set, &got.life);
		trust->sources[0].settled = true;
		trust_leave(trust);
		return 0;
	}
	if (trust->key_dir == NULL)
		return 0;
	trust_enter(trust);
	for (unsigned i = 0; i < trust->source_count; i++)
		load_kept(trust, &trust->sources[i]);
	trust_leave(trust);
	return 0;
}
