/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/purses.h: a purse for each program that asks, never shared, never
 * more than there may be, and never dropped while somebody needs it.
 */
#include "tests/unit/oom.h"
#include "tests/unit/tokens/make.h"
#include "tokens/store/purses.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct purses *purses;

static int set_up(void **state)
{
	(void)state;
	purses = purses_new();
	return purses == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	purses_free(purses);
	return 0;
}

static struct caller caller(uid_t uid, pid_t tgid)
{
	return (struct caller){.tgid = tgid,
	    .start_ticks = 5,
	    .env_start = 4096,
	    .uid = uid,
	    .gid = uid};
}

/* There is no other thread, and so no lock. */

static struct purse *make(const struct caller *owner, uint64_t now_ms) UNCHECKED
{
	return purses_make(purses, owner, now_ms);
}

static struct purse *find(const struct caller *owner) UNCHECKED
{
	return purses_find(purses, owner);
}

static void tidy(uint64_t now_ms) UNCHECKED
{
	purses_tidy(purses, now_ms);
}

static unsigned count(void) UNCHECKED
{
	unsigned n = 0;

	for (const struct purse *purse = purses_first(purses); purse != NULL;
	     purse = purse->next)
		n++;
	return n;
}

static void each_program_has_its_own(void **state)
{
	struct caller one = caller(1001, 7);
	struct purse *purse = make(&one, 0);

	(void)state;
	assert_non_null(purse);
	assert_ptr_equal(make(&one, 1), purse);
	assert_ptr_equal(find(&one), purse);
	for (unsigned i = 0; i < 5; i++) {
		struct caller other = one;

		other.tgid += i == 0;
		other.start_ticks += i == 1; /* the number is used again */
		other.env_start += i == 2;   /* exec */
		other.uid += i == 3;         /* setuid */
		other.gid += i == 4;
		assert_null(find(&other));
		assert_ptr_not_equal(make(&other, 0), purse);
	}
	assert_int_equal(count(), 6);
}

static void the_idlest_makes_room(void **state)
{
	struct caller oldest = caller(1000, 1);
	struct caller next = caller(1000, 2);
	struct caller more = caller(3000, 1);

	(void)state;
	/* Four users have all that there is. */
	for (unsigned i = 0; i < PURSES_MAX; i++) {
		struct caller one = caller(
		    1000 + i / PURSES_USER_MAX, 1 + (pid_t)i % PURSES_USER_MAX);

		assert_non_null(make(&one, i));
	}
	assert_int_equal(count(), PURSES_MAX);
	assert_non_null(make(&more, PURSES_MAX));
	assert_int_equal(count(), PURSES_MAX);
	assert_null(find(&oldest));
	assert_non_null(find(&next));
}

static void a_user_makes_room_for_themselves(void **state)
{
	struct caller other = caller(2000, 1);
	struct caller own = caller(1000, 1);

	(void)state;
	assert_non_null(make(&other, 0)); /* the idlest */
	for (unsigned i = 0; i < 3 * PURSES_USER_MAX; i++) {
		struct caller one = caller(1000, 1 + (pid_t)i);

		assert_non_null(make(&one, 1 + i));
	}
	assert_int_equal(count(), 1 + PURSES_USER_MAX);
	assert_non_null(find(&other));
	assert_null(find(&own));
}

static void who_waits_or_is_looked_at_stays(void **state) UNCHECKED
{
	struct store_query query = {.next = NULL};
	struct caller none = caller(1000, 100000);
	struct caller first = caller(1000, 1);
	struct caller last = caller(1000, PURSES_USER_MAX);

	(void)state;
	for (unsigned i = 0; i < PURSES_USER_MAX; i++) {
		struct caller one = caller(1000, 1 + (pid_t)i);
		struct purse *purse = make(&one, i);

		assert_non_null(purse);
		if (i % 2 == 0)
			purse->looking = true;
		else
			purse->queries = &query;
	}
	assert_null(make(&none, 1));
	tidy(PURSES_IDLE_MS + PURSES_USER_MAX);
	assert_int_equal(count(), PURSES_USER_MAX);
	find(&first)->looking = false;
	assert_non_null(make(&none, 1));
	assert_null(find(&first));
	assert_non_null(find(&last));
	for (struct purse *purse = purses_first(purses); purse != NULL;
	     purse = purse->next)
		purse->queries = NULL;
}

static void the_idle_are_dropped_in_time(void **state)
{
	struct caller one = caller(1000, 1);
	struct caller two = caller(1000, 2);

	(void)state;
	assert_non_null(make(&one, 1000));
	assert_non_null(make(&two, 2000));
	tidy(999 + PURSES_IDLE_MS);
	assert_int_equal(count(), 2);
	tidy(1000 + PURSES_IDLE_MS);
	assert_null(find(&one));
	assert_non_null(find(&two));
}

static struct finding found_text(const char *text)
{
	struct finding found = {.count = 0};

	finding_add(&found, make_parsed(text));
	return found;
}

static bool admit(uid_t uid, struct finding *found) UNCHECKED
{
	return purses_admit(purses, uid, found);
}

static void know_again(uid_t uid, struct finding *found) UNCHECKED
{
	purses_know_again(purses, uid, found);
}

static void a_text_is_one_token_for_one_user(void **state)
{
	struct finding first = found_text("the-same-text");
	struct finding again = found_text("the-same-text");
	struct finding others = found_text("the-same-text");
	struct finding another = found_text("another-text");
	struct token *token = finding_first(&first);

	(void)state;
	know_again(1000, &first);
	assert_ptr_equal(finding_first(&first), token);
	assert_true(admit(1000, &first));
	know_again(1000, &another);
	assert_ptr_not_equal(finding_first(&another), token);
	know_again(1001, &others);
	assert_ptr_not_equal(finding_first(&others), token);
	know_again(1000, &again);
	assert_ptr_equal(finding_first(&again), token);
	/* As long as anybody has it. */
	finding_fini(&first);
	first = found_text("the-same-text");
	know_again(1000, &first);
	assert_ptr_equal(finding_first(&first), token);
	finding_fini(&first);
	finding_fini(&again);
	first = found_text("the-same-text");
	token = finding_first(&first);
	know_again(1000, &first);
	assert_ptr_equal(finding_first(&first), token);
	finding_fini(&first);
	finding_fini(&others);
	finding_fini(&another);
}

/* The largest token there is, told apart by a number. */
static struct token *large(unsigned number)
{
	static char text[TOKENS_TEXT_BYTES_MAX + 1];

	memset(text, 'x', TOKENS_TEXT_BYTES_MAX);
	(void)snprintf(text, 16, "%u", number);
	text[strlen(text)] = 'x';
	return make_parsed(text);
}

/* A purse of a user with as many as one can have. */
static struct purse *make_full(uid_t uid, unsigned number) UNCHECKED
{
	struct caller owner = caller(uid, 1 + (pid_t)number);
	struct purse *purse = make(&owner, number);
	struct finding found = {.count = 0};

	assert_non_null(purse);
	for (unsigned i = 0; i < FINDING_TOKENS_MAX; i++)
		finding_add(&found,
		    large(uid * 100000 + number * FINDING_TOKENS_MAX + i));
	assert_true(admit(uid, &found));
	purse->now = found;
	return purse;
}

enum {
	FULL_BYTES = FINDING_TOKENS_MAX * TOKENS_TEXT_BYTES_MAX,
	USER_FULL = PURSES_USER_BYTES_MAX / FULL_BYTES,
	ALL_FULL = PURSES_BYTES_MAX / FULL_BYTES,
};

/* Whether one more token is admitted. */
static bool one_more(uid_t uid)
{
	struct finding more = found_text("one-more");
	bool admitted = admit(uid, &more);

	finding_fini(&more);
	return admitted;
}

static void a_users_tokens_have_a_limit(void **state) UNCHECKED
{
	struct finding again;
	struct purse *full[USER_FULL];
	struct purse *other = make_full(2000, 0);

	(void)state;
	for (unsigned i = 0; i < USER_FULL; i++) {
		full[i] = make_full(1000, i);
		full[i]->looking = true;
	}
	/* Those that are there already take no room. */
	finding_copy(&again, &full[0]->now);
	assert_true(admit(1000, &again));
	finding_fini(&again);
	assert_false(one_more(1000));
	assert_true(one_more(2000));
	assert_true(one_more(3000));
	/* Their own idlest one makes room, not another's. */
	full[1]->looking = full[2]->looking = false;
	assert_true(one_more(1000));
	assert_int_equal(count(), USER_FULL);
	assert_ptr_equal(find(&other->owner), other);
	assert_ptr_equal(find(&full[2]->owner), full[2]);
	/* What a purse has given up counts while it is in use. */
	finding_copy(&again, &full[2]->now);
	tidy(PURSES_IDLE_MS + 100);
	assert_int_equal(count(), USER_FULL - 2);
	make_full(1000, USER_FULL)->looking = true;
	assert_false(one_more(1000));
	finding_fini(&again);
	assert_true(one_more(1000));
}

static void all_tokens_have_a_limit(void **state) UNCHECKED
{
	struct purse *first = NULL;

	(void)state;
	for (unsigned i = 0; i < ALL_FULL; i++) {
		struct purse *purse =
		    make_full(1000 + i / USER_FULL, i % USER_FULL);

		purse->looking = true;
		if (i == 0)
			first = purse;
	}
	assert_false(one_more(3000));
	first->looking = false;
	assert_true(one_more(3000));
	assert_int_equal(count(), ALL_FULL - 1);
}

static void who_waits_is_counted_by_user(void **state) UNCHECKED
{
	struct store_query second = {.next = NULL};
	struct store_query first = {.next = &second};
	struct store_query third = {.next = NULL};
	struct caller one = caller(1000, 1);
	struct caller two = caller(1000, 2);

	(void)state;
	make(&one, 0)->queries = &first;
	make(&two, 0)->queries = &third;
	assert_int_equal(purses_waiting(purses, 1000), 3);
	assert_int_equal(purses_waiting(purses, 1001), 0);
	find(&one)->queries = find(&two)->queries = NULL;
}

static int make_all(void *arg) UNCHECKED
{
	struct purses *all = purses_new();
	struct caller one = caller(1000, 1);
	int code;

	(void)arg;
	if (all == NULL)
		return -ENOMEM;
	code = purses_make(all, &one, 0) != NULL ? 0 : -ENOMEM;
	purses_free(all);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	assert_int_equal(oom_each(make_all, NULL), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(each_program_has_its_own),
	    TEST(the_idlest_makes_room),
	    TEST(a_user_makes_room_for_themselves),
	    TEST(who_waits_or_is_looked_at_stays),
	    TEST(the_idle_are_dropped_in_time),
	    TEST(a_text_is_one_token_for_one_user),
	    TEST(a_users_tokens_have_a_limit),
	    TEST(all_tokens_have_a_limit),
	    TEST(who_waits_is_counted_by_user),
	    TEST(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
