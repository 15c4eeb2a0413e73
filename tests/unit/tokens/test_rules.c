/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/store/wait.h and tokens/store/renew.h: the pure decisions. */
#include "tests/unit/tokens/make.h"
#include "tokens/store/renew.h"
#include "tokens/store/wait.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_MS = 100000 };

/* A view in which look 5 was the last, `age_ms` ago. */
static struct wait_view view(int code, uint64_t age_ms)
{
	return (struct wait_view){.code = code,
	    .fresh_ms = WAIT_FRESH_MS,
	    .stall_ms = WAIT_STALL_MS,
	    .again_ms = WAIT_AGAIN_MS,
	    .token_id = code == -ENOKEY ? 0 : 7,
	    .begun = 5,
	    .ended = 5,
	    .begun_ms = NOW_MS - age_ms};
}

static struct wait asked(uint64_t deadline_ms, uint64_t refused_id)
{
	return (struct wait){.asked_ms = NOW_MS,
	    .deadline_ms = deadline_ms,
	    .refused_id = refused_id};
}

static void a_good_token_is_given_at_once(void **state)
{
	static const uint64_t ages_ms[] = {0, 499, 500, 5000, 99999};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(ages_ms); i++) {
		struct wait_view now = view(0, ages_ms[i]);
		struct wait wait = asked(0, 0);

		token_wait_enqueue(&wait, &now, NOW_MS);
		assert_true(token_wait_over(&wait, &now, NOW_MS));
		/* Another one than the one refused is as good. */
		wait = asked(0, 6);
		token_wait_enqueue(&wait, &now, NOW_MS);
		assert_true(token_wait_over(&wait, &now, NOW_MS));
	}
}

static void a_refused_token_is_given_again_after_a_new_look_only(void **state)
{
	struct wait_view now = view(0, 0);
	struct wait wait = asked(0, 7);

	(void)state;
	token_wait_enqueue(&wait, &now, NOW_MS);
	assert_true(token_wait_needs_look(&wait, &now));
	assert_false(token_wait_over(&wait, &now, NOW_MS));
	/* The look has begun, and ended: the token is still the same. */
	now.begun = 6;
	assert_false(token_wait_needs_look(&wait, &now));
	assert_false(token_wait_over(&wait, &now, NOW_MS + 1));
	now.ended = 6;
	assert_true(token_wait_over(&wait, &now, NOW_MS + 1));
	/* A look that hangs is not waited for. */
	now.ended = 5;
	assert_false(token_wait_over(&wait, &now, NOW_MS + WAIT_STALL_MS - 1));
	assert_true(token_wait_over(&wait, &now, NOW_MS + WAIT_STALL_MS));
	/* A look that was on its way when the refusal came does not do. */
	now = view(0, 0);
	now.begun = 6;
	wait = asked(0, 7);
	token_wait_enqueue(&wait, &now, NOW_MS);
	now.ended = 6;
	assert_false(token_wait_over(&wait, &now, NOW_MS));
}

static void no_token_is_told_after_a_fresh_look(void **state)
{
	struct wait_view now = view(-ENOKEY, WAIT_FRESH_MS - 1);
	struct wait wait = asked(NOW_MS + 60000, 0);

	(void)state;
	/* Fresh: no look for this one, however many ask. */
	token_wait_enqueue(&wait, &now, NOW_MS);
	assert_false(token_wait_needs_look(&wait, &now));
	assert_true(token_wait_over(&wait, &now, NOW_MS));
	/* Stale: one look, and no wait for a token to come. */
	now = view(-ENOKEY, WAIT_FRESH_MS);
	token_wait_enqueue(&wait, &now, NOW_MS);
	assert_true(token_wait_needs_look(&wait, &now));
	assert_false(token_wait_over(&wait, &now, NOW_MS));
	now.begun = now.ended = 6;
	assert_true(token_wait_over(&wait, &now, NOW_MS));
	/* On its way: the same one serves. */
	now = view(-ENOKEY, 10);
	now.begun = 6;
	token_wait_enqueue(&wait, &now, NOW_MS);
	assert_false(token_wait_needs_look(&wait, &now));
	assert_false(token_wait_over(&wait, &now, NOW_MS));
	assert_true(token_wait_over(&wait, &now, NOW_MS + WAIT_STALL_MS));
}

static void an_ended_token_waits_for_a_newer_one_until_the_deadline(
    void **state)
{
	struct wait_view now = view(-EKEYEXPIRED, 0);
	struct wait wait = asked(NOW_MS + 10000, 0);

	(void)state;
	token_wait_enqueue(&wait, &now, NOW_MS);
	assert_false(token_wait_over(&wait, &now, NOW_MS));
	assert_false(token_wait_over(&wait, &now, NOW_MS + 9999));
	assert_true(token_wait_over(&wait, &now, NOW_MS + 10000));
	assert_int_equal(
	    token_wait_wake_ms(&wait, NOW_MS + 5000), NOW_MS + 10000);
	/* It comes in time. */
	now.code = 0;
	assert_true(token_wait_over(&wait, &now, NOW_MS + 5000));
	/* A deadline that has passed still gives it one fresh look. */
	now = view(-EKEYEXPIRED, 5000);
	wait = asked(NOW_MS - 1, 0);
	token_wait_enqueue(&wait, &now, NOW_MS);
	assert_true(token_wait_needs_look(&wait, &now));
	assert_false(token_wait_over(&wait, &now, NOW_MS));
	now.begun = now.ended = 6;
	assert_true(token_wait_over(&wait, &now, NOW_MS));
}

/* Property: whatever happens, nobody waits longer than the later of the
 * deadline and the stall. */
static void every_wait_ends(void **state)
{
	static const int codes[] = {0, -ENOKEY, -EKEYEXPIRED};
	static const uint64_t deadlines_ms[] = {
	    0, NOW_MS - 1, NOW_MS, NOW_MS + 1, NOW_MS + 5000};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		for (size_t j = 0; j < ARRAY_COUNT(deadlines_ms); j++) {
			struct wait_view now = view(codes[i], 5000);
			struct wait wait = asked(deadlines_ms[j], 7);
			uint64_t now_ms = NOW_MS;
			unsigned steps = 0;

			token_wait_enqueue(&wait, &now, NOW_MS);
			while (!token_wait_over(&wait, &now, now_ms)) {
				now_ms = token_wait_wake_ms(&wait, now_ms);
				assert_true(now_ms < UINT64_MAX);
				assert_true(++steps <= 2);
			}
			assert_true(now_ms <= NOW_MS + 5000);
		}
	}
}

static void looks_are_a_second_apart_while_somebody_asks(void **state)
{
	struct wait_view now = view(0, 300);

	(void)state;
	assert_int_equal(
	    token_wait_look_due_ms(&now), NOW_MS - 300 + WAIT_AGAIN_MS);
	now.code = -EKEYEXPIRED;
	assert_int_equal(
	    token_wait_look_due_ms(&now), NOW_MS - 300 + WAIT_AGAIN_MS);
	now.code = -ENOKEY;
	assert_int_equal(
	    token_wait_look_due_ms(&now), NOW_MS - 300 + WAIT_FRESH_MS);
	now.begun = 0;
	assert_int_equal(token_wait_look_due_ms(&now), 0);
}

static void the_margin_follows_the_life(void **state)
{
	static const struct {
		uint64_t life_s;
		uint64_t margin_s;
	} rows[] = {{0, 0}, {1, 0}, {20, 10}, {60, 30}, {240, 120}, {300, 120},
	    {600, 120}, {900, 180}, {1200, 240}, {3000, 600}, {3600, 600},
	    {21600, 600}, {UINT64_MAX, 600}};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		assert_int_equal(
		    renew_margin_s(rows[i].life_s), rows[i].margin_s);
	for (uint64_t life_s = 0; life_s < 100000; life_s++)
		assert_true(renew_margin_s(life_s) <= life_s / 2);
}

static void renewal_is_due_before_the_end_with_jitter(void **state)
{
	static const struct {
		const char *claims;
		uint64_t found_s;
		uint64_t first_s; /* the earliest and the latest moment */
		uint64_t last_s;
	} rows[] = {
	    {"{\"exp\":4600,\"iat\":1000}", 4000, 3940, 4000},
	    {"{\"exp\":4600,\"nbf\":1000}", 4000, 3940, 4000},
	    {"{\"exp\":4600}", 1000, 3940, 4000},
	    {"{\"exp\":1020,\"iat\":1000}", 1000, 1009, 1010},
	    {"{\"exp\":1000,\"iat\":1000}", 1000, 1000, 1000},
	    {"{\"exp\":1000,\"iat\":2000}", 1000, 1000, 1000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char text[MAKE_BYTES];
		struct token *token;

		make_jwt(text, rows[i].claims);
		token = make_parsed(text);
		for (int k = 0; k < 200; k++) {
			uint64_t due_s = renew_due_s(token, rows[i].found_s);

			assert_in_range(due_s, rows[i].first_s, rows[i].last_s);
		}
		token_put(token);
	}
}

static void renewal_is_tried_again_until_the_end(void **state)
{
	char text[MAKE_BYTES];
	struct token *token;
	uint64_t now_s = 4000;
	unsigned tries = 0;

	(void)state;
	make_jwt(text, "{\"exp\":4600}");
	token = make_parsed(text);
	while (now_s < 4600) {
		uint64_t again_s = renew_again_s(token, now_s);

		assert_true(again_s > now_s);
		assert_true(again_s <= now_s + 75);
		now_s = again_s;
		tries++;
	}
	assert_in_range(tries, 10, 120);
	assert_true(renew_again_s(token, 4600) == UINT64_MAX);
	token_put(token);
	token = make_parsed("opaque");
	assert_true(renew_due_s(token, 1000) == UINT64_MAX);
	token_put(token);
}

static void a_look_at_a_process_is_asked_for_more_seldom(void **state)
{
	struct wait_view now = view(0, 0);

	(void)state;
	now.fresh_ms = WAIT_FRESH_CALLER_MS;
	now.again_ms = WAIT_AGAIN_CALLER_MS;
	assert_int_equal(
	    token_wait_look_due_ms(&now), now.begun_ms + WAIT_AGAIN_CALLER_MS);
	/* Without a token sooner, and while one that ended is waited for. */
	now.code = -ENOKEY;
	assert_int_equal(
	    token_wait_look_due_ms(&now), now.begun_ms + WAIT_FRESH_CALLER_MS);
	now.code = -EKEYEXPIRED;
	assert_int_equal(
	    token_wait_look_due_ms(&now), now.begun_ms + WAIT_AGAIN_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_token_is_given_at_once),
	    cmocka_unit_test(
	        a_refused_token_is_given_again_after_a_new_look_only),
	    cmocka_unit_test(no_token_is_told_after_a_fresh_look),
	    cmocka_unit_test(
	        an_ended_token_waits_for_a_newer_one_until_the_deadline),
	    cmocka_unit_test(every_wait_ends),
	    cmocka_unit_test(looks_are_a_second_apart_while_somebody_asks),
	    cmocka_unit_test(a_look_at_a_process_is_asked_for_more_seldom),
	    cmocka_unit_test(the_margin_follows_the_life),
	    cmocka_unit_test(renewal_is_due_before_the_end_with_jitter),
	    cmocka_unit_test(renewal_is_tried_again_until_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
