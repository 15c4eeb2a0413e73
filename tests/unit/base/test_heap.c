/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that was freed is there for who comes next. */
#include "base/heap.h"

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

enum {
	WRITERS = 8,
	ROUNDS = 16,
	PIECE_BYTES = 1024 * 1024 + 64,
	PIECE_PAGES = PIECE_BYTES / 4096 + 1,
};

static long faults(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
	return usage.ru_minflt;
}

/* As many programs write: each piece is there until it was answered. */
static void *write_rounds(void *arg)
{
	long *count = arg;
	long before = faults();

	for (unsigned round = 0; round < ROUNDS; round++) {
		void *pieces[WRITERS];

		for (unsigned i = 0; i < WRITERS; i++) {
			pieces[i] = malloc(PIECE_BYTES);
			assert_non_null(pieces[i]);
			memset(pieces[i], (int)round, PIECE_BYTES);
		}
		for (unsigned i = WRITERS; i > 0; i--)
			free(pieces[i - 1]);
	}
	*count = faults() - before;
	return NULL;
}

/* Sanitizers have an allocator of their own. */
static bool is_glibc(void)
{
	size_t before = mallinfo2().hblkhd + mallinfo2().uordblks;
	void *piece = malloc(PIECE_BYTES);
	size_t after = mallinfo2().hblkhd + mallinfo2().uordblks;

	assert_non_null(piece);
	free(piece);
	return after >= before + PIECE_BYTES;
}

static void pieces_are_touched_once(void **state)
{
	pthread_t thread;
	long count = 0;

	(void)state;
	if (!is_glibc())
		skip();
	heap_keep();
	assert_int_equal(
	    pthread_create(&thread, NULL, write_rounds, &count), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_in_range(count, 1, 2L * WRITERS * PIECE_PAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pieces_are_touched_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
