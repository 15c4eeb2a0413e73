/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/keys.h - how long an issuer's keys may be used, and when
 * they are asked for again: the rules alone.
 *
 *   refresh  after the answer's max-age, at least 10 min and at most 6 h, 1 h
 *            when it is silent; up to a tenth earlier, so that many clients
 *            do not ask at once. Only while tokens are being judged: an idle
 *            mount asks nobody.
 *   expiry   after max-age, at least 2 and at most 4 days, 2 when silent.
 *            Until then the old keys serve, whatever happens to the issuer.
 *   unknown  a token that names a key which is not there has the keys asked
 *   key      for again, once for each name within 10 min. What the issuer
 *            has answered stands until it answers again.
 *   failure  60 s, then twice as long each time; up to 10 min without keys,
 *            1 h with them.
 *   never    two requests within 60 s.
 *
 * No thread, no I/O, no lock: the caller has them.
 * Source: WLCG token profile, section 4.3.1 (refresh 1 to 6 h, expiration 1
 * to 4 days).
 */
#ifndef TOKENS_VERIFY_KEYS_H
#define TOKENS_VERIFY_KEYS_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/verify/jwks.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	KEYS_REFRESH_MIN_S = 600,
	KEYS_REFRESH_S = 3600,
	KEYS_REFRESH_MAX_S = 6 * 3600,
	KEYS_LIFE_MIN_S = 2 * 86400, /* also when nothing is said */
	KEYS_LIFE_MAX_S = 4 * 86400,
	KEYS_SPACING_MS = 60 * 1000,
	KEYS_BACKOFF_MAX_MS = 3600 * 1000,
	KEYS_BACKOFF_BARE_MAX_MS = 600 * 1000, /* without keys */
	KEYS_MISS_LIFE_MS = 600 * 1000,
	KEYS_MISSES_MAX = 64, /* names of keys remembered as unknown */
	/* A wall clock that stands this much before the moment of fetching
	 * was set back: ask again. */
	KEYS_CLOCK_BACK_S = 300,
};

/** A key's name that was not there. */
struct keys_miss {
	uint64_t name_sum; /* 0: free */
	uint64_t asked_ms;
	uint64_t after; /* attempts that had begun by then */
};

/** The three moments of a key set; wall clock. */
struct keys_life {
	uint64_t fetched_s;
	uint64_t refresh_s;
	uint64_t expires_s;
};

struct keys {
	struct jwks *set; /* one reference; NULL: none */
	struct keys_life life;
	bool used;           /* judged with since the last answer */
	bool missed;         /* a key is wanted that is not there */
	bool asking;         /* an attempt is on its way */
	uint64_t attempts;   /* that have begun */
	uint64_t answered;   /* the last of them that brought keys; 0: none */
	uint64_t tried_ms;   /* when the last one began */
	uint64_t backoff_ms; /* from tried_ms on */
	unsigned failures;   /* in a row */
	struct err problem;  /* of the last attempt; code 0: none */
	struct keys_miss misses[KEYS_MISSES_MAX];
};

/** Keys that nobody has asked for yet: they are due at once. */
void keys_init(struct keys *keys);

void keys_fini(struct keys *keys);

/** The life of a set fetched now; `max_age_s` -1: not said. */
struct keys_life keys_life(uint64_t wall_s, int64_t max_age_s);

/** Whether a life that was written down can be true at all. */
bool keys_life_is_sane(const struct keys_life *life, uint64_t wall_s);

/** The set while it may be used, borrowed; NULL when there is none or it has
 *  expired. */
struct jwks *keys_usable(const struct keys *keys, uint64_t wall_s);

/** When the keys are to be asked for (monotonic); UINT64_MAX: not before
 *  something is said. */
uint64_t keys_due_ms(const struct keys *keys, uint64_t now_ms, uint64_t wall_s);

/** A token is being judged with these keys. */
void keys_note_use(struct keys *keys);

/** What is to be thought of a key name that the set has not. */
enum keys_absence {
	KEYS_ASKED,  /* they are being asked for, or soon will be */
	KEYS_ABSENT, /* they were: the issuer has no such key */
};

/** A token names a key that the usable set has not; `kid` NULL: it names
 *  none. */
enum keys_absence keys_note_miss(
    struct keys *keys, const char *kid, uint64_t now_ms);

/** An attempt begins. */
void keys_begin(struct keys *keys, uint64_t now_ms);

/**
 * It has brought a set (one reference, consumed).
 * @return whether the keys are others than before.
 */
bool keys_install(
    struct keys *keys, struct jwks *set, const struct keys_life *life);

/** It has failed; `err` says why. */
void keys_fail(struct keys *keys, uint64_t wall_s, const struct err *err);

#endif
