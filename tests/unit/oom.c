/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/oom.c - see oom.h. */
#include "tests/unit/oom.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static unsigned countdown; /* 0: nothing fails */
static unsigned failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static int fails_now(void)
{
	if (countdown == 0 || --countdown > 0)
		return 0;
	failed++;
	return 1;
}

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails_now() ? NULL : __real_realloc(old, size);
}

unsigned oom_each(int (*run)(void *arg), void *arg)
{
	failed = 0;
	for (unsigned nth = 1;; nth++) {
		unsigned before = failed;
		int code;

		countdown = nth;
		code = run(arg);
		countdown = 0;
		if (failed == before) {
			assert_int_equal(code, 0);
			return failed;
		}
		assert_int_equal(code, -ENOMEM);
	}
}
