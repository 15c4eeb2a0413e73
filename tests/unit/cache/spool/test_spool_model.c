/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_spool_model.c - random operations on a spool
 * against a trivial one in memory, by processes that are killed at a random
 * system call, in the middle of it too, and while they look after what the
 * one before left.
 *
 * BEARERFS_SEED and BEARERFS_SEQUENCES choose others, or more.
 */
#include "tests/unit/cache/spool/spool_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { SEQUENCES = 150, LIVES = 6, OPERATIONS = 40, CALLS = 120 };

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name); // NOLINT(concurrency-mt-unsafe)

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void killed_at_random_nothing_is_lost(void **state)
{
	uint64_t seed = number_from("BEARERFS_SEED", (uint64_t)time(NULL));
	uint64_t sequences = number_from("BEARERFS_SEQUENCES", SEQUENCES);
	uint64_t operations = 0;
	uint64_t kills = 0;
	uint64_t adopted = 0;
	uint64_t aside = 0;

	(void)state;
	print_message("BEARERFS_SEED=%llu\n", (unsigned long long)seed);
	for (uint64_t i = 0; i < sequences; i++) {
		struct model *model = model_new(seed + i);

		for (unsigned life = 0; life < LIVES; life++) {
			unsigned nth =
			    1 + (unsigned)(bed_random(&model->random) % CALLS);

			(void)model_run(model, OPERATIONS, nth, life % 2 == 0);
		}
		assert_true(model_run(model, OPERATIONS, 0, false));
		operations += model->operations;
		kills += model->kills;
		adopted += model->adopted;
		aside += model->aside;
		model_free(model);
	}
	print_message("%llu operations, %llu kills, %llu adopted, %llu aside\n",
	    (unsigned long long)operations, (unsigned long long)kills,
	    (unsigned long long)adopted, (unsigned long long)aside);
	assert_true(kills > 0 && adopted > 0 && aside > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(killed_at_random_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
