/* SPDX-License-Identifier: Apache-2.0 */
/* Which refusals are kept and told, which only counted, and that no user
 * pushes out or holds back another's. */
#include "tests/unit/oom.h"
#include "tokens/door/refusals.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ADA = 2001, BOB, CLEO, DAN, EVE };

static struct refusals refusals;
static const struct tokens_refusal *found[REFUSALS_KEPT];
static uint64_t untold;

static int begin(void **state)
{
	(void)state;
	untold = 99;
	return 0;
}

static int end(void **state)
{
	(void)state;
	refusals_fini(&refusals);
	return 0;
}

static struct tokens_refusal refusal(uid_t uid, const char *path, int code)
{
	struct tokens_refusal what = {.uid = uid,
	    .pid = 7,
	    .right = TOKENS_READ,
	    .path = path,
	    .why = {.code = code}};

	(void)snprintf(what.why.text, sizeof(what.why.text), "no to %s", path);
	return what;
}

static bool tell(uid_t uid, const char *path, int code, uint64_t now_ms)
{
	return refusals_tell(&refusals, uid, path, code, now_ms, &untold);
}

static void keep(uid_t uid, const char *path, int code, uint64_t now_s)
{
	struct tokens_refusal what = refusal(uid, path, code);

	refusals_keep(&refusals, &what, true, now_s);
}

static unsigned of(uid_t uid, const char *path)
{
	return refusals_of(&refusals, false, uid, path, found);
}

static void each_path_and_errno_is_told_once(void **state)
{
	(void)state;
	assert_true(tell(ADA, "/a", -EACCES, 5));
	assert_int_equal(untold, 0);
	assert_false(tell(ADA, "/a", -EACCES, 6));
	assert_true(tell(ADA, "/b", -EACCES, 6));
	assert_true(tell(ADA, "/a", -EKEYREJECTED, 6));
	assert_true(tell(BOB, "/a", -EACCES, 6));
	assert_false(tell(ADA, "/a", -EACCES, 7));
}

static void the_same_one_is_told_again_after_a_while(void **state)
{
	uint64_t again_ms = 5 + (uint64_t)REFUSALS_AGAIN_MS;

	(void)state;
	assert_true(tell(ADA, "/a", -EACCES, 5));
	assert_false(tell(ADA, "/a", -EACCES, again_ms - 1));
	assert_true(tell(ADA, "/a", -EACCES, again_ms));
	assert_false(tell(ADA, "/a", -EACCES, again_ms + 1));
}

static void a_burst_is_bounded_and_the_rest_counted(void **state)
{
	unsigned told = 0;
	char path[32];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(path, sizeof(path), "/dir/%u", i);
		told += tell(ADA, path, -EACCES, 9);
	}
	assert_int_equal(told, REFUSALS_BURST);
	/* Another user's has its line, and no count of hers. */
	assert_true(tell(BOB, "/b", -EACCES, 10));
	assert_int_equal(untold, 0);
	assert_true(
	    tell(ADA, "/later", -EACCES, 9 + (uint64_t)REFUSALS_BURST_MS));
	assert_int_equal(untold, 1000 - REFUSALS_BURST);
	assert_true(
	    tell(ADA, "/next", -EACCES, 9 + (uint64_t)REFUSALS_BURST_MS));
	assert_int_equal(untold, 0);
}

/* With more users than are counted apart, the bound holds for each that is.
 */
static void bursts_of_many_users_are_bounded(void **state)
{
	char path[32];

	(void)state;
	for (uid_t uid = 0; uid < 3 * REFUSALS_USERS; uid++) {
		for (unsigned i = 0; i < REFUSALS_BURST + 5; i++) {
			(void)snprintf(path, sizeof(path), "/%u", i);
			assert_int_equal(tell(uid, path, -EACCES, 9 + uid),
			    i < REFUSALS_BURST);
		}
	}
}

static void a_refusal_is_kept_once_with_a_count(void **state)
{
	struct tokens_refusal again = refusal(ADA, "/a", -EACCES);

	(void)state;
	keep(ADA, "/a", -EACCES, 100);
	keep(ADA, "/b", -EACCES, 101);
	keep(ADA, "/a", -ENOKEY, 102);
	again.pid = 8;
	(void)snprintf(again.why.text, sizeof(again.why.text), "still no");
	refusals_keep(&refusals, &again, true, 103);
	again.right = TOKENS_LOOK;
	refusals_keep(&refusals, &again, true, 104);
	assert_int_equal(of(ADA, NULL), 4);
	/* The latest first. */
	assert_int_equal(found[0]->right, TOKENS_LOOK);
	assert_string_equal(found[1]->path, "/a");
	assert_int_equal(found[1]->why.code, -EACCES);
	assert_string_equal(found[1]->why.text, "still no");
	assert_int_equal(found[1]->pid, 8);
	assert_int_equal(found[1]->count, 2);
	assert_int_equal(found[1]->first_s, 100);
	assert_int_equal(found[1]->last_s, 103);
	assert_int_equal(found[2]->why.code, -ENOKEY);
	assert_string_equal(found[3]->path, "/b");
	assert_int_equal(found[3]->count, 1);
	assert_int_equal(of(ADA, "/a"), 3);
	/* And on the way there. */
	assert_int_equal(of(ADA, "/a/b"), 3);
	assert_int_equal(of(ADA, "/aa"), 0);
	assert_int_equal(of(ADA, "/"), 0);
	assert_int_equal(of(BOB, NULL), 0);
}

static unsigned flood(uid_t uid, unsigned count)
{
	char path[32];

	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "/%u/%u", uid, i);
		keep(uid, path, -EACCES, 100 + i);
	}
	return of(uid, NULL);
}

static void no_user_pushes_out_another(void **state)
{
	char path[32];

	(void)state;
	keep(ADA, "/ada", -EACCES, 1);
	assert_int_equal(flood(BOB, 1000), REFUSALS_OF_UID_MAX);
	/* Hers are the last ones. */
	(void)snprintf(path, sizeof(path), "/%u/999", BOB);
	assert_string_equal(found[0]->path, path);
	(void)snprintf(path, sizeof(path), "/%u/984", BOB);
	assert_string_equal(found[15]->path, path);
	assert_int_equal(flood(CLEO, 1000), REFUSALS_OF_UID_MAX);
	assert_int_equal(flood(DAN, 1000), REFUSALS_OF_UID_MAX);
	/* All is full: room is made by those who have most of it. */
	(void)flood(EVE, 1000);
	assert_int_equal(of(ADA, NULL), 1);
	assert_true(of(BOB, NULL) >= 12);
	assert_true(of(CLEO, NULL) >= 12);
	assert_true(of(DAN, NULL) >= 12);
	assert_true(of(EVE, NULL) >= 12);
	assert_int_equal(
	    refusals_of(&refusals, true, 0, NULL, found), REFUSALS_KEPT);
	assert_int_equal(found[0]->uid, EVE);
}

static void one_users_mount_keeps_all_of_theirs(void **state)
{
	char path[32];

	(void)state;
	for (unsigned i = 0; i < REFUSALS_KEPT + 1; i++) {
		struct tokens_refusal what;

		(void)snprintf(path, sizeof(path), "/%u", i);
		what = refusal(ADA, path, -EACCES);
		refusals_keep(&refusals, &what, false, i);
	}
	assert_int_equal(of(ADA, NULL), REFUSALS_KEPT);
	assert_string_equal(found[REFUSALS_KEPT - 1]->path, "/1");
}

static int keep_one(void *arg)
{
	(void)arg;
	keep(ADA, "/a", -EACCES, 1);
	if (of(ADA, NULL) == 0)
		return -ENOMEM;
	refusals_fini(&refusals);
	return 0;
}

static void without_memory_it_is_not_kept(void **state)
{
	(void)state;
	assert_int_equal(oom_each(keep_one, NULL), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(each_path_and_errno_is_told_once),
	    CASE(the_same_one_is_told_again_after_a_while),
	    CASE(a_burst_is_bounded_and_the_rest_counted),
	    CASE(bursts_of_many_users_are_bounded),
	    CASE(a_refusal_is_kept_once_with_a_count),
	    CASE(no_user_pushes_out_another),
	    CASE(one_users_mount_keeps_all_of_theirs),
	    CASE(without_memory_it_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
