/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/calls/share.h: whose call is sent next. */
#include "base/attr.h"
#include "fetch/calls/call.h"
#include "fetch/calls/share.h"
#include "fetch/servers/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ADA = 1001, BOB = 1002, EVE = 1003, CALLS_MAX = 64 };

static struct shares shares;
static struct fetch_server server;
static const struct fetch_source example = {.origin = "https://example.org"};
static struct call calls[CALLS_MAX];
static unsigned count;

/* There is one thread, which is all of them. */

static void begin(bool apart) UNCHECKED
{
	shares_init(&shares, apart);
	server_init(&server, &example, false);
	count = 0;
}

static struct call *queue(uid_t uid, bool demand) UNCHECKED
{
	struct call *call = &calls[count++];

	*call = (struct call){.ident.uid = uid, .demand = demand};
	call->share = share_join(&shares, uid);
	assert_non_null(call->share);
	share_put(&shares, call, false);
	return call;
}

/* Send the next one; NULL: none may be sent. */
static struct call *send_next(void) UNCHECKED
{
	struct call *call = share_next(&shares, &server);

	if (call == NULL ||
	    !server_may_start(
	        &server, call->demand ? SERVER_DEMAND : SERVER_AHEAD, 0))
		return NULL;
	share_remove(&shares, call);
	server_began(&server, call->demand ? SERVER_DEMAND : SERVER_AHEAD);
	call->share->active++;
	return call;
}

static void answer(struct call *call) UNCHECKED
{
	server_ended(&server, call->demand ? SERVER_DEMAND : SERVER_AHEAD);
	call->share->active--;
	share_leave(&shares, call->share);
}

static void end(void) UNCHECKED
{
	assert_int_equal(shares.queued, 0);
	assert_true(TAILQ_EMPTY(&shares.all));
	server_fini(&server);
}

/* Send all that is queued, each answered at once. */
static void finish(void)
{
	struct call *call;

	while ((call = send_next()) != NULL)
		answer(call);
	end();
}

static void one_user_has_all_in_order(void **state)
{
	struct call *sent[SERVER_REQUESTS_MAX];

	(void)state;
	begin(false);
	for (unsigned i = 0; i < 20; i++)
		(void)queue(i % 2 ? ADA : BOB, true);
	for (unsigned i = 0; i < SERVER_REQUESTS_MAX; i++) {
		sent[i] = send_next();
		assert_ptr_equal(sent[i], &calls[i]);
	}
	assert_null(send_next());
	for (unsigned i = 0; i < SERVER_REQUESTS_MAX; i++)
		answer(sent[i]);
	finish();
}

static void users_take_turns(void **state)
{
	(void)state;
	begin(true);
	for (unsigned i = 0; i < 10; i++)
		(void)queue(EVE, true);
	(void)queue(ADA, true);
	(void)queue(BOB, true);
	/* However many of Eve's wait. */
	for (unsigned i = 0; i < 3; i++) {
		struct call *call = send_next();

		assert_int_equal(call->ident.uid,
		    i == 0       ? BOB
		        : i == 1 ? ADA
		                 : EVE);
		answer(call);
	}
	/* Who has fewer under way goes first, in their own order. */
	(void)queue(ADA, true);
	assert_ptr_equal(send_next(), &calls[12]);
	assert_ptr_equal(send_next(), &calls[1]);
	(void)queue(ADA, true);
	(void)queue(ADA, true);
	assert_ptr_equal(send_next(), &calls[13]);
	assert_ptr_equal(send_next(), &calls[2]);
	for (unsigned i = 1; i <= 2; i++)
		answer(&calls[i]);
	answer(&calls[12]);
	answer(&calls[13]);
	finish();
}

static void a_place_is_left_for_one_more_user(void **state)
{
	struct call *late;
	unsigned sent = 0;

	(void)state;
	begin(true);
	for (unsigned i = 0; i < 20; i++)
		(void)queue(EVE, true);
	while (send_next() != NULL)
		sent++;
	assert_int_equal(sent, 12);
	for (unsigned i = 0; i < 20; i++)
		(void)queue(BOB, true);
	while (send_next() != NULL)
		sent++;
	assert_int_equal(sent, 15);
	late = queue(ADA, true);
	assert_ptr_equal(send_next(), late);
	assert_null(send_next());
	answer(late);
	for (unsigned i = 0; i < 12; i++)
		answer(&calls[i]);
	for (unsigned i = 20; i < 23; i++)
		answer(&calls[i]);
	finish();
}

static void read_ahead_of_one_goes_behind_the_demand_of_another(void **state)
{
	struct call *ahead;
	struct call *demand;

	(void)state;
	begin(true);
	ahead = queue(ADA, false);
	demand = queue(EVE, true);
	assert_ptr_equal(send_next(), demand);
	assert_ptr_equal(send_next(), ahead);
	answer(demand);
	answer(ahead);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_user_has_all_in_order),
	    cmocka_unit_test(users_take_turns),
	    cmocka_unit_test(a_place_is_left_for_one_more_user),
	    cmocka_unit_test(
	        read_ahead_of_one_goes_behind_the_demand_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
