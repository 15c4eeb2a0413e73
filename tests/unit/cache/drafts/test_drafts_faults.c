/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_drafts_faults.c - every allocation and every
 * call that changes the disk fails once, while a file is created, written,
 * cut, closed, opened again and closed: who asked is told, what was answered
 * is there, and once it works again the server gets exactly that.
 */
#include "cache/drafts/impl.h"
#include "tests/unit/cache/drafts/desk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- failing ---- */

static atomic_int countdown;  /* 0: nothing fails */
static atomic_bool all_after; /* all that follow as well, but one */
static atomic_uint the_one;   /* the first of them is 2; 0: none */
static atomic_uint failed;    /* with that one */
static bool of_memory;

static bool fails(bool memory)
{
	int left = atomic_load(&countdown);
	bool all = atomic_load(&all_after);

	if (fake_at_work > 0 || memory != of_memory)
		return false;
	/* In one step: of several threads none slips through. */
	do {
		if (left <= 0)
			return false;
	} while (!atomic_compare_exchange_weak(
	    &countdown, &left, left > 1 || !all ? left - 1 : 1));
	return left == 1 &&
	    atomic_fetch_add(&failed, 1) + 1 != atomic_load(&the_one);
}

#define WRAP(type, name, arguments, call, memory, error)    \
	type __real_##name arguments;                       \
	type __wrap_##name arguments;                       \
	type __wrap_##name arguments                        \
	{                                                   \
		if (fails(memory)) {                        \
			errno = (memory) ? ENOMEM : ENOSPC; \
			return error;                       \
		}                                           \
		return __real_##name call;                  \
	}

WRAP(void *, malloc, (size_t size), (size), true, NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), true, NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), true, NULL)
WRAP(char *, strdup, (const char *text), (text), true, NULL)
WRAP(ssize_t, pwrite64,
    (int fd, const void *bytes, size_t size, off64_t offset),
    (fd, bytes, size, offset), false, -1)
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size), false, -1)
int __real_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
	va_end(list);
	if ((flags & O_CREAT) != 0 && fails(false)) {
		errno = ENOSPC;
		return -1;
	}
	return __real_openat64(dir, path, flags, mode);
}

/* ---- a file and what it ought to be ---- */

enum { LIMIT = 64 };

static struct desk desk;
static size_t size;
static struct model {
	char bytes[LIMIT + 1];
	/* What a write has told of that failed: where the file has bytes, it
	 * may have those instead (spool_write()). */
	bool may_be[LIMIT + 1][UCHAR_MAX + 1];
} model;

static bool any_worked;
static bool apart; /* the first writer is done with when the second comes */

/* A failure is one of those, and changes nothing but what it was to write. */
static bool worked(int code)
{
	if (code >= 0) {
		any_worked = true;
		return true;
	}
	assert_true(code == -ENOSPC || code == -ENOMEM);
	return false;
}

static void put(uint64_t offset, const char *text)
{
	size_t end = (size_t)offset + strlen(text);

	assert_true(end <= LIMIT);
	(void)memset(model.may_be[offset], 0,
	    strlen(text) * sizeof(model.may_be[offset]));
	(void)memcpy(model.bytes + offset, text, strlen(text));
	if (end > size)
		size = end;
}

static void put_perhaps(uint64_t offset, const char *text)
{
	for (size_t at = offset; *text != '\0' && at < size; at++, text++)
		model.may_be[at][(unsigned char)*text] = true;
}

static void cut(size_t to)
{
	if (to < size) {
		(void)memset(model.bytes + to, 0, size - to);
		(void)memset(model.may_be[to], 0,
		    (size - to) * sizeof(model.may_be[to]));
	}
	size = to;
}

/* Which of what it may be it is. */
static void compare(const char *bytes)
{
	for (size_t i = 0; i < size; i++)
		if (model.may_be[i][(unsigned char)bytes[i]])
			model.bytes[i] = bytes[i];
	(void)memset(model.may_be, 0, sizeof(model.may_be));
	assert_memory_equal(bytes, model.bytes, size);
}

/* What is read is the model, or it is told that it cannot be. */
static void look(struct draft *draft)
{
	char out[LIMIT + 10];
	ssize_t n = desk_read(&desk, draft, 0, out, sizeof(out));

	if (n == -ENOMEM)
		n = desk_read(&desk, draft, 0, out, sizeof(out));
	assert_int_equal(n, size);
	compare(out);
}

static struct draft *open_it(unsigned how)
{
	struct reply reply;
	const struct drafts_ask ask = {
	    .ident = &desk.ident, .path = "/file", .how = how, .mode = 0644};

	reply_init(&reply);
	drafts_open(desk.drafts, &ask, reply_open, &reply);
	return worked(reply_wait(&reply)) ? reply.draft : NULL;
}

static void write_it(struct draft *draft, uint64_t offset, const char *text)
{
	if (worked(desk_write(draft, offset, text)))
		put(offset, text);
	else
		put_perhaps(offset, text);
}

static void use(struct draft *draft)
{
	write_it(draft, 2, "hello");
	look(draft);
	if (worked(desk_append(draft, " you")))
		put(size, " you");
	if (worked(desk_truncate(draft, 4)))
		cut(4);
	look(draft);
	if (worked(desk_truncate(draft, 9)))
		cut(9);
	(void)worked(desk_flush(&desk, draft));
	write_it(draft, 12, "more");
	look(draft);
	(void)worked(desk_flush(&desk, draft));
	write_it(draft, 0, "last");
}

static void use_all(void)
{
	struct draft *draft = open_it(DRAFTS_OPEN_CREATE);
	struct model before;
	size_t before_size;

	if (draft != NULL) {
		use(draft);
		desk_close(&desk, draft);
	}
	if (apart)
		desk_until_idle(&desk);
	draft = open_it(DRAFTS_OPEN_CREATE | DRAFTS_OPEN_TRUNCATE);
	if (draft == NULL)
		return;
	before = model;
	before_size = size;
	cut(0);
	/* The first one, in the spool still: that was cut. */
	any_worked = draft->entry != NULL;
	use(draft);
	/* Where there is an entry now, it says that the file was cut, though
	 * nothing that was written came into it. */
	any_worked = any_worked || draft->entry != NULL;
	desk_close(&desk, draft);
	/* It could not even be cut: who closed it was told. */
	if (!any_worked) {
		model = before;
		size = before_size;
	}
}

/* The server gets it in the end. */
static void settle(void)
{
	size_t served = 0;
	uint8_t *bytes;
	struct draft *draft;

	/* Where not even an entry could be made, one is asked for again. */
	draft = desk_open(&desk, "/file", DRAFTS_OPEN_CREATE);
	look(draft);
	assert_int_equal(desk_write(draft, LIMIT - 1, "."), 1);
	put(LIMIT - 1, ".");
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	bytes = fake_get("/file", &served, NULL);
	assert_non_null(bytes);
	assert_int_equal(served, size);
	assert_memory_equal(bytes, model.bytes, size);
	free(bytes);
}

/* @return whether the nth was there to fail */
static bool fail_nth(int nth, bool memory, bool all, const char *base)
{
	desk_init(&desk);
	(void)memset(&model, 0, sizeof(model));
	size = 0;
	if (base != NULL) {
		(void)fake_put("/file", base, strlen(base));
		put(0, base);
	}
	desk_start(&desk);
	atomic_store(&failed, 0);
	of_memory = memory;
	atomic_store(&all_after, all);
	atomic_store(&countdown, nth);
	use_all();
	desk_until_idle(&desk);
	atomic_store(&countdown, 0);
	drafts_tick(desk.drafts);
	settle();
	desk_stop(&desk);
	desk_fini(&desk);
	return atomic_load(&failed) > 0;
}

static unsigned fail_each(bool memory, bool all, const char *base)
{
	int nth = 1;

	apart = true;
	while (fail_nth(nth, memory, all, base))
		nth++;
	apart = false;
	nth = 1;
	while (fail_nth(nth, memory, all, base))
		nth++;
	return (unsigned)nth - 1;
}

static void each_allocation_may_fail(void **state)
{
	(void)state;
	assert_true(fail_each(true, false, NULL) > 20);
	assert_true(fail_each(true, false, "what was there before") > 20);
}

static void each_write_may_find_the_disk_full(void **state)
{
	(void)state;
	assert_true(fail_each(false, false, NULL) > 20);
	assert_true(fail_each(false, false, "what was there before") > 20);
}

static void the_disk_may_stay_full(void **state)
{
	(void)state;
	assert_true(fail_each(false, true, NULL) > 20);
	assert_true(fail_each(false, true, "what was there before") > 20);
}

static void fail_but_one(const char *base)
{
	bool more = true;

	for (unsigned one = 2; more; one++) {
		atomic_store(&the_one, one);
		more = false;
		for (int nth = 1; fail_nth(nth, false, true, base) &&
		     atomic_load(&failed) >= one;
		     nth++)
			more = true;
	}
	atomic_store(&the_one, 0);
}

static void a_full_disk_may_take_one_thing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		apart = i == 0;
		fail_but_one(NULL);
		fail_but_one("what was there before");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_allocation_may_fail),
	    cmocka_unit_test(each_write_may_find_the_disk_full),
	    cmocka_unit_test(the_disk_may_stay_full),
	    cmocka_unit_test(a_full_disk_may_take_one_thing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
