/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/tokens/store_bed.h - a token store whose time is driven by hand and
 * whose tokens come from a place that does what it is told; what is waited for
 * is an event, with a generous bound.
 */
#ifndef TESTS_UNIT_TOKENS_STORE_BED_H
#define TESTS_UNIT_TOKENS_STORE_BED_H

#include "base/clock.h"
#include "base/err.h"
#include "tokens/store/store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NOW UINT64_C(3000000000)

struct store_bed {
	struct clock clock;
	struct tokens *tokens;
	/* The place. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct token *token;
	unsigned looks;
	unsigned forced;
	bool stalls;
	bool freed;
	/* What was answered. */
	struct {
		pthread_mutex_t mutex;
		pthread_cond_t changed;
		unsigned count;
		int code;
		uint64_t id;
		char text[ERR_TEXT_BYTES];
	} answers;
};

extern struct store_bed store_bed;

/** The place has this (taken; NULL: nothing), one with these claims, one that
 *  ends then. */
void store_bed_put(struct token *token);
void store_bed_put_claims(const char *claims);
void store_bed_put_ending(uint64_t expires_s);
uint64_t store_bed_id_put(void);

/** A look at it hangs, or goes on. */
void store_bed_stall(bool stalls);

/** A minute from now, by CLOCK_REALTIME. */
struct timespec store_bed_bound(void);

void store_bed_await_looks(unsigned count);
unsigned store_bed_looks(void);

/** So many looks have ended and their result is in place. */
void store_bed_await_installed(uint64_t count);

/** A tokens_want_fn that fills `answers`. */
void store_bed_answered(
    void *arg, int code, struct token *token, const struct err *err);

unsigned store_bed_answer_count(void);
void store_bed_await_answers(unsigned count);

void store_bed_want(uint64_t wait_ms, uint64_t refused_id);

void store_bed_pass(uint64_t ms);
void store_bed_pass_wall(uint64_t seconds);

void store_bed_begin_with(const struct tokens_config *given);
void store_bed_begin(void);

/** Of each test. */
int store_bed_set_up(void **state);
int store_bed_tear_down(void **state);

#endif
