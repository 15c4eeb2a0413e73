/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges end to end: the whole engine against a server that says what each
 * test wants it to, over HTTP on loopback. Whatever it says, the reader gets
 * the file's bytes or an errno.
 */
#include "base/attr.h"
#include "base/clock.h"
#include "base/ident.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "liar.h"
#include "rig.h"
#include "server.h"

static const struct fetch_version version = {
    .size_bytes = LIAR_FILE_BYTES, .mtime_s = LIAR_MTIME_S};

/* Ask one range with one lie; the answer's code. */
struct run {
	struct liar liar;
	struct server *server;
	struct rig rig;
	struct answer answer;
};

static void run_begin(struct run *run, enum lie lie, uint32_t timeout_ms)
{
	memset(run, 0, sizeof(*run));
	run->liar.lie = lie;
	run->server = server_new(false, liar_answer, &run->liar);
	rig_init(&run->rig,
	    &(struct rig_config){
	        .url = server_url(run->server), .timeout_ms = timeout_ms});
}

static void run_begin_for(struct run *run, enum lie lie, bool shared)
{
	memset(run, 0, sizeof(*run));
	run->liar.lie = lie;
	run->server = server_new(false, liar_answer, &run->liar);
	rig_init(&run->rig,
	    &(struct rig_config){
	        .url = server_url(run->server), .shared = shared});
}

static void run_end(struct run *run)
{
	rig_fini(&run->rig);
	server_free(run->server);
	answer_fini(&run->answer);
}

static int run_range(struct run *run, uint64_t offset, uint64_t length)
{
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .offset_bytes = offset,
	    .length_bytes = length,
	    .demand = true};

	if (run->answer.bytes != NULL)
		answer_fini(&run->answer);
	answer_init(&run->answer, offset, (size_t)length);
	(void)rig_range(&run->rig, &range, &run->answer);
	return answer_wait(&run->answer);
}

static void gives_right_bytes(enum lie lie, unsigned gets)
{
	struct run run;

	run_begin(&run, lie, 0);
	assert_int_equal(run_range(&run, 65536, 65536), 0);
	assert_true(answer_is_right(&run.answer));
	assert_int_equal(run.answer.times, 1);
	assert_int_equal(atomic_load(&run.liar.gets), gets);
	run_end(&run);
}

static void gives_errno(enum lie lie, int code, unsigned gets)
{
	struct run run;

	run_begin(&run, lie, 0);
	assert_int_equal(run_range(&run, 65536, 65536), code);
	assert_int_equal(run.answer.times, 1);
	assert_false(run.answer.gap);
	assert_int_equal(run.answer.err.code, code);
	assert_true(run.answer.err.text[0] != '\0');
	if (gets > 0)
		assert_int_equal(atomic_load(&run.liar.gets), gets);
	run_end(&run);
}

static void an_honest_server_gives_the_bytes(void **state)
{
	(void)state;
	gives_right_bytes(GENUINELY, 1);
	gives_right_bytes(INTERIM, 1);
}

static void a_range_of_any_length_is_exact(void **state)
{
	static const uint64_t lengths[] = {
	    1, 2, 4095, 4096, 16383, 16384, 16385, 65536, 200000};
	struct run run;

	(void)state;
	run_begin(&run, GENUINELY, 0);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_int_equal(run_range(&run, i * 7, lengths[i]), 0);
		assert_true(answer_is_right(&run.answer));
		assert_int_equal(
		    run_range(&run, LIAR_FILE_BYTES - lengths[i], lengths[i]),
		    0);
		assert_true(answer_is_right(&run.answer));
	}
	assert_int_equal(server_connections(run.server), 1);
	assert_true(fetch_validates_bytes(run.rig.fetch));
	assert_int_equal(atomic_load(&run.liar.propfinds), 0);
	run_end(&run);
}

static void a_lost_connection_goes_on_at_the_next_byte(void **state)
{
	struct run run;

	(void)state;
	gives_right_bytes(CUT_ONCE, 2);
	gives_right_bytes(RESET_ONCE, 2);
	run_begin(&run, CUT_OFTEN, 0);
	assert_int_equal(run_range(&run, 0, LIAR_FILE_BYTES), 0);
	assert_true(answer_is_right(&run.answer));
	assert_true(atomic_load(&run.liar.gets) > 5);
	run_end(&run);
}

static void two_versions_are_never_mixed(void **state)
{
	(void)state;
	gives_errno(CUT_THEN_CHANGED, -ESTALE, 2);
}

static void an_answer_that_does_not_fit_is_asked_for_again(void **state)
{
	(void)state;
	gives_right_bytes(WRONG_RANGE_ONCE, 2);
	gives_right_bytes(SHORT_ONCE, 2);
	gives_right_bytes(GZIP_ONCE, 2);
	gives_right_bytes(PAGE_ONCE, 2);
	gives_right_bytes(BUSY_ONCE, 2);
}

static void a_server_that_always_lies_gives_eio(void **state)
{
	(void)state;
	gives_errno(WRONG_RANGE, -EIO, 4);
	gives_errno(NO_RANGE, -EIO, 4);
	gives_errno(WHOLE_FILE, -EIO, 4);
	gives_errno(SURPLUS, -EIO, 0);
	gives_errno(ENDLESS_HEADERS, -EIO, 4);
	gives_errno(LONG_HEADERS, -EIO, 4);
	gives_errno(ENDLESS_HEADER, -EIO, 4);
	gives_errno(NO_HTTP, -EIO, 4);
	gives_errno(ERROR_ALWAYS, -EIO, 4);
}

static void final_answers_are_not_asked_for_again(void **state)
{
	(void)state;
	gives_errno(NOT_FOUND, -ENOENT, 1);
	gives_errno(PRECONDITION_FAILED, -ESTALE, 1);
	gives_errno(LOCKED, -EBUSY, 1);
	gives_errno(BUSY_LONG, -EIO, 1);
	/* http: no token was sent, so no other can help. */
	gives_errno(REFUSED, -EACCES, 1);
}

static void a_change_is_believed_only_when_the_origin_says_so(void **state)
{
	(void)state;
	gives_right_bytes(WRONG_TOTAL_ONCE, 2);
	gives_right_bytes(NOT_SATISFIABLE_ONCE, 2);
}

static void the_whole_file_may_come_as_200(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, WHOLE_FILE, 0);
	assert_int_equal(run_range(&run, 0, LIAR_FILE_BYTES), 0);
	assert_true(answer_is_right(&run.answer));
	run_end(&run);
}

static void bytes_without_validator_are_confirmed_after_the_last(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, NO_VALIDATOR, 0);
	assert_int_equal(run_range(&run, 4096, 65536), 0);
	assert_true(answer_is_right(&run.answer));
	assert_int_equal(atomic_load(&run.liar.propfinds), 1);
	assert_false(fetch_validates_bytes(run.rig.fetch));
	run_end(&run);

	gives_errno(NO_VALIDATOR_CHANGED, -ESTALE, 1);
}

static void ranges_of_one_file_share_their_confirming(void **state)
{
	enum { RANGES = 12 };
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .length_bytes = 8192,
	    .demand = true};
	struct answer answers[RANGES];
	struct run run;

	(void)state;
	run_begin(&run, NO_VALIDATOR, 0);
	/* The first question is held until all bytes are under way. */
	run.liar.gate = RANGES;
	answer_init(&run.answer, 0, 0);
	for (unsigned i = 0; i < RANGES; i++) {
		range.offset_bytes = i * 8192;
		answer_init(&answers[i], range.offset_bytes, 8192);
		(void)rig_range(&run.rig, &range, &answers[i]);
	}
	for (unsigned i = 0; i < RANGES; i++) {
		assert_int_equal(answer_wait(&answers[i]), 0);
		assert_true(answer_is_right(&answers[i]));
		answer_fini(&answers[i]);
	}
	/* It does not count for those that ended after it was sent. */
	assert_in_range(atomic_load(&run.liar.propfinds), 1, RANGES / 2);
	run_end(&run);
}

/* Where many users share it, what one is told of their token is not the
 * others'. */
static void callers_do_not_share_their_confirming(void **state)
{
	static const struct ident idents[] = {{.uid = 1, .tgid = 1},
	    {.uid = 1, .tgid = 2}, {.uid = 2, .tgid = 3}};
	enum { RANGES = ARRAY_COUNT(idents) };
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .length_bytes = 8192,
	    .demand = true};
	struct answer answers[RANGES];
	struct run run;

	(void)state;
	run_begin_for(&run, NO_VALIDATOR, true);
	run.liar.gate = RANGES;
	answer_init(&run.answer, 0, 0);
	for (unsigned i = 0; i < RANGES; i++) {
		range.offset_bytes = i * 8192;
		range.ident = &idents[i];
		answer_init(&answers[i], range.offset_bytes, 8192);
		(void)rig_range(&run.rig, &range, &answers[i]);
	}
	for (unsigned i = 0; i < RANGES; i++) {
		assert_int_equal(answer_wait(&answers[i]), 0);
		answer_fini(&answers[i]);
	}
	assert_int_equal(atomic_load(&run.liar.propfinds), RANGES);
	run_end(&run);
}

static void times_that_never_agree_cost_one_question(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, OTHER_TIME, 0);
	assert_int_equal(run_range(&run, 0, 65536), 0);
	assert_true(answer_is_right(&run.answer));
	/* One to learn it, one after the last byte. */
	assert_int_equal(atomic_load(&run.liar.propfinds), 2);
	assert_int_equal(run_range(&run, 65536, 65536), 0);
	assert_true(answer_is_right(&run.answer));
	assert_int_equal(atomic_load(&run.liar.gets), 3);
	assert_int_equal(atomic_load(&run.liar.propfinds), 3);
	assert_false(fetch_validates_bytes(run.rig.fetch));
	run_end(&run);
}

static void the_pin_is_asked_with_and_compared(void **state)
{
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .pin_etag = "\"one\"",
	    .length_bytes = 1000,
	    .demand = true};
	struct run run;

	(void)state;
	run_begin(&run, GENUINELY, 0);
	answer_init(&run.answer, 0, 1000);
	(void)rig_range(&run.rig, &range, &run.answer);
	assert_int_equal(answer_wait(&run.answer), 0);
	assert_int_equal(atomic_load(&run.liar.asked_with_pin), 1);
	assert_string_equal(run.answer.etag, "\"one\"");
	answer_fini(&run.answer);

	/* The server ignores If-Match; we do not. */
	range.pin_etag = "\"two\"";
	answer_init(&run.answer, 0, 1000);
	(void)rig_range(&run.rig, &range, &run.answer);
	assert_int_equal(answer_wait(&run.answer), -ESTALE);
	assert_int_equal(run.answer.size, 0);
	run_end(&run);
}

static void a_sink_that_does_not_want_the_version_gets_no_byte(void **state)
{
	struct fetch_range range = {
	    .path = "/f", .version = &version, .length_bytes = LIAR_FILE_BYTES};
	struct run run;

	(void)state;
	run_begin(&run, GENUINELY, 0);
	answer_init(&run.answer, 0, LIAR_FILE_BYTES);
	run.answer.begin_code = -ESTALE;
	(void)rig_range(&run.rig, &range, &run.answer);
	assert_int_equal(answer_wait(&run.answer), -ESTALE);
	assert_int_equal(run.answer.size, 0);
	run_end(&run);
}

static void a_silent_server_is_answered_for_at_the_deadline(void **state)
{
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .length_bytes = 1000,
	    .demand = true};
	struct run run;

	(void)state;
	run_begin(&run, SILENT_LATER, 0);
	/* Connected, so that it is not the connecting that takes the time. */
	assert_int_equal(run_range(&run, 0, 1000), 0);
	answer_fini(&run.answer);
	answer_init(&run.answer, 0, 1000);
	range.deadline_ms = clock_now_ms(clock_system()) + 300;
	(void)rig_range(&run.rig, &range, &run.answer);
	assert_int_equal(answer_wait(&run.answer), -ETIMEDOUT);
	run_end(&run);
}

static void a_closed_port_is_unreachable(void **state)
{
	struct run run;
	struct fetch_range range = {
	    .path = "/f", .version = &version, .length_bytes = 10};
	struct buf text;

	(void)state;
	run_begin(&run, GENUINELY, 2000);
	server_free(run.server);
	run.server = NULL;
	answer_init(&run.answer, 0, 10);
	(void)rig_range(&run.rig, &range, &run.answer);
	assert_int_equal(answer_wait(&run.answer), -EHOSTUNREACH);
	assert_non_null(strstr(run.answer.err.text, "127.0.0.1"));
	buf_init(&text, 4096);
	assert_int_equal(fetch_describe(run.rig.fetch, &text), 0);
	assert_non_null(strstr(buf_text(&text), "\"state\":\"down\""));
	buf_fini(&text);
	rig_fini(&run.rig);
	answer_fini(&run.answer);
}

static void a_cancelled_range_is_answered_once(void **state)
{
	struct fetch_range range = {
	    .path = "/f", .version = &version, .length_bytes = 10};
	struct run run;
	uint64_t number;

	(void)state;
	run_begin(&run, SILENT, 0);
	answer_init(&run.answer, 0, 10);
	number = rig_range(&run.rig, &range, &run.answer);
	assert_true(number != 0);
	fetch_cancel(run.rig.fetch, number);
	fetch_cancel(run.rig.fetch, number);
	fetch_cancel(run.rig.fetch, number + 1);
	assert_int_equal(answer_wait(&run.answer), -ECANCELED);
	rig_fini(&run.rig);
	assert_int_equal(run.answer.times, 1);
	server_free(run.server);
	answer_fini(&run.answer);
}

static void stop_answers_all_that_is_on_its_way(void **state)
{
	enum { CALLS = 100 };
	struct fetch_range range = {
	    .path = "/f", .version = &version, .length_bytes = 10};
	struct answer answers[CALLS];
	struct answer late;
	struct run run;

	(void)state;
	run_begin(&run, SILENT, 0);
	answer_init(&run.answer, 0, 10);
	for (unsigned i = 0; i < CALLS; i++) {
		range.demand = i % 2 == 0;
		answer_init(&answers[i], 0, 10);
		if (i % 3 == 0)
			rig_stat(&run.rig, "/g", &answers[i]);
		else
			(void)rig_range(&run.rig, &range, &answers[i]);
	}
	fetch_stop(run.rig.fetch);
	answer_init(&late, 0, 10);
	(void)rig_range(&run.rig, &range, &late);
	assert_int_equal(answer_wait(&late), -ECANCELED);
	answer_fini(&late);
	for (unsigned i = 0; i < CALLS; i++) {
		int code = answer_wait(&answers[i]);

		/* Some PROPFINDs may have been answered: of another path. */
		assert_true(code == -ECANCELED || code == -EIO);
		assert_int_equal(answers[i].times, 1);
		answer_fini(&answers[i]);
	}
	run_end(&run);
}

/* Many at once, some cut, some cancelled at any time: each is answered once,
 * and what is answered well is right. */
static void a_storm_of_ranges_is_answered_one_by_one(void **state)
{
	enum { RANGES = 400 };
	struct fetch_range range = {.path = "/f", .version = &version};
	struct answer *answers = calloc(RANGES, sizeof(*answers));
	unsigned seed = 7;
	unsigned right = 0;
	struct run run;

	(void)state;
	assert_non_null(answers);
	run_begin(&run, CUT_SOMETIMES, 0);
	answer_init(&run.answer, 0, 0);
	for (unsigned i = 0; i < RANGES; i++) {
		uint64_t number;

		seed = seed * 1103515245 + 12345;
		range.offset_bytes = (seed >> 8) % (LIAR_FILE_BYTES / 2);
		range.length_bytes = 1 + (seed >> 4) % (LIAR_FILE_BYTES / 8);
		range.demand = (seed >> 20) % 3 != 0;
		answer_init(&answers[i], range.offset_bytes,
		    (size_t)range.length_bytes);
		number = rig_range(&run.rig, &range, &answers[i]);
		if ((seed >> 16) % 5 == 0)
			fetch_cancel(run.rig.fetch, number);
		if ((seed >> 16) % 7 == 0)
			fetch_cancel(run.rig.fetch, number - 8);
	}
	for (unsigned i = 0; i < RANGES; i++) {
		int code = answer_wait(&answers[i]);

		assert_true(code == 0 || code == -ECANCELED);
		if (code == 0) {
			assert_true(answer_is_right(&answers[i]));
			right++;
		}
	}
	assert_true(right > RANGES / 2);
	assert_int_equal(fetch_silent_ms(run.rig.fetch), 0);
	run_end(&run);
	for (unsigned i = 0; i < RANGES; i++) {
		assert_int_equal(answers[i].times, 1);
		answer_fini(&answers[i]);
	}
	free(answers);
}

static void a_redirect_is_followed_without_authz(void **state)
{
	struct liar target_script = {.lie = GENUINELY};
	struct server *target = server_new(false, liar_answer, &target_script);
	struct run run;

	(void)state;
	run_begin(&run, GENUINELY, 0);
	(void)snprintf(run.liar.elsewhere, sizeof(run.liar.elsewhere), "%s",
	    server_url(target));
	assert_int_equal(run_range(&run, 100, 1000), 0);
	assert_true(answer_is_right(&run.answer));
	assert_int_equal(atomic_load(&target_script.gets), 1);
	/* Not kept: the next one asks the origin again. */
	assert_int_equal(run_range(&run, 200, 1000), 0);
	assert_int_equal(server_requests(run.server), 2);
	run_end(&run);
	server_free(target);
}

static void redirects_without_end_are_left(void **state)
{
	struct run run;

	(void)state;
	run_begin(&run, GENUINELY, 0);
	(void)snprintf(run.liar.elsewhere, sizeof(run.liar.elsewhere), "%s",
	    server_url(run.server));
	assert_int_equal(run_range(&run, 100, 1000), -EIO);
	/* Six requests each of four tries. */
	assert_int_equal(server_requests(run.server), 24);
	run_end(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_honest_server_gives_the_bytes),
	    cmocka_unit_test(a_range_of_any_length_is_exact),
	    cmocka_unit_test(a_lost_connection_goes_on_at_the_next_byte),
	    cmocka_unit_test(two_versions_are_never_mixed),
	    cmocka_unit_test(an_answer_that_does_not_fit_is_asked_for_again),
	    cmocka_unit_test(a_server_that_always_lies_gives_eio),
	    cmocka_unit_test(final_answers_are_not_asked_for_again),
	    cmocka_unit_test(a_change_is_believed_only_when_the_origin_says_so),
	    cmocka_unit_test(the_whole_file_may_come_as_200),
	    cmocka_unit_test(
	        bytes_without_validator_are_confirmed_after_the_last),
	    cmocka_unit_test(ranges_of_one_file_share_their_confirming),
	    cmocka_unit_test(callers_do_not_share_their_confirming),
	    cmocka_unit_test(times_that_never_agree_cost_one_question),
	    cmocka_unit_test(the_pin_is_asked_with_and_compared),
	    cmocka_unit_test(
	        a_sink_that_does_not_want_the_version_gets_no_byte),
	    cmocka_unit_test(a_silent_server_is_answered_for_at_the_deadline),
	    cmocka_unit_test(a_closed_port_is_unreachable),
	    cmocka_unit_test(a_cancelled_range_is_answered_once),
	    cmocka_unit_test(stop_answers_all_that_is_on_its_way),
	    cmocka_unit_test(a_storm_of_ranges_is_answered_one_by_one),
	    cmocka_unit_test(a_redirect_is_followed_without_authz),
	    cmocka_unit_test(redirects_without_end_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
