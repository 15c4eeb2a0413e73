/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_names_faults.c - every allocation fails once
 * while files and directories are moved, made, removed and sent: who asked is
 * told, and once there is memory again the server has what was answered, and
 * what was written.
 *
 * The fakes are compiled to allocate past this (CMakeLists.txt).
 */
#include "tests/unit/cache/drafts/names_desk.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static atomic_int countdown; /* 0: nothing fails */
static atomic_uint failed;

static bool fails(void)
{
	if (atomic_load(&countdown) <= 0 ||
	    atomic_fetch_sub(&countdown, 1) != 1)
		return false;
	(void)atomic_fetch_add(&failed, 1);
	return true;
}

#define WRAP(type, name, arguments, call)  \
	type __real_##name arguments;      \
	type __wrap_##name arguments;      \
	type __wrap_##name arguments       \
	{                                  \
		if (fails()) {             \
			errno = ENOMEM;    \
			return NULL;       \
		}                          \
		return __real_##name call; \
	}

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, (void *old, size_t size), (old, size))
WRAP(void *, reallocarray, (void *old, size_t count, size_t size),
    (old, count, size))
WRAP(char *, strdup, (const char *text), (text))

/* ---- what is done, and what it ought to be then ---- */

static struct desk desk;
static const char *directory; /* /d, or what it has become */
static bool moved;            /* /a lies in it */
static bool other;            /* so does b */
static bool made;             /* /e */
static atomic_bool ticks;

static const char *in_directory(const char *name)
{
	static char paths[4][16];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

/* A failure is of memory. */
static bool worked(int code)
{
	assert_true(code == 0 || code == -ENOMEM);
	return code == 0;
}

static bool is_there(const char *path)
{
	char *text = tree_get(path);
	bool there = text != NULL;

	free(text);
	return there;
}

/* It may have failed when the server had done it: the spool could not be told
 * under which name its bytes go. */
static bool rename_it(const char *from, const char *to)
{
	return worked(desk_rename(&desk, from, to)) || !is_there(from);
}

static void change_names(struct draft *draft)
{
	moved = rename_it("/a", in_directory("a"));
	made = worked(desk_mkdir(&desk, "/e"));
	if (rename_it("/d", "/f"))
		directory = "/f";
	other = !worked(desk_unlink(&desk, in_directory("b")));
	(void)worked(desk_flush(&desk, draft));
	if (made)
		made = !worked(desk_rmdir(&desk, "/e"));
}

static void settle(struct draft *draft)
{
	desk_write(draft, 0, "O");
	desk_reads(&desk, draft, "One more");
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	assert_int_equal(desk_send_all(&desk), 0);
	desk_served(directory, "/");
	desk_served(moved ? in_directory("a") : "/a", "One more");
	desk_served(in_directory("b"), other ? "two" : NULL);
	desk_served("/e", made ? "/" : NULL);
	assert_int_equal(tree_count(), 2U + other + made);
	desk_until_empty(&desk);
}

/* What could not begin to be sent for want of memory begins at a tick. */
static void *tick(void *arg)
{
	const struct timespec pause = {.tv_nsec = 200000};

	(void)arg;
	while (atomic_load(&ticks)) {
		drafts_tick(desk.drafts);
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

/* @return whether the nth was there to fail */
static bool fail_nth(int nth, bool back)
{
	struct draft *draft;
	pthread_t ticker;

	desk_begin(&desk);
	desk.back = back;
	desk_start(&desk);
	directory = "/d";
	assert_int_equal(desk_mkdir(&desk, "/d"), 0);
	desk_file(&desk, "/d/b", "two");
	desk_file(&desk, "/a", "one");
	assert_int_equal(desk_send_all(&desk), 0);
	draft = desk_open(&desk, "/a", 0);
	desk_write(draft, 3, " more");
	atomic_store(&ticks, true);
	assert_int_equal(pthread_create(&ticker, NULL, tick, NULL), 0);
	atomic_store(&failed, 0);
	atomic_store(&countdown, nth);
	change_names(draft);
	atomic_store(&countdown, 0);
	settle(draft);
	atomic_store(&ticks, false);
	(void)pthread_join(ticker, NULL);
	desk_end(&desk);
	return atomic_load(&failed) > 0;
}

static void each_allocation_may_fail(void **state)
{
	(void)state;
	for (int back = 0; back < 2; back++) {
		int nth = 1;

		while (fail_nth(nth, back))
			nth++;
		assert_true(nth > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
