/* SPDX-License-Identifier: Apache-2.0 */
/* Versions that were wrong: counted, shown anew, forgotten. */
#include "cache/checks/suspect.h"
#include "fetch/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct suspects suspects;

static int begin(void **state)
{
	(void)state;
	suspects = (struct suspects){0};
	suspects_init(&suspects);
	return 0;
}

static int end(void **state)
{
	(void)state;
	suspects_fini(&suspects);
	return 0;
}

static const struct fetch_version version = {
    .size_bytes = 10, .mtime_s = 1000, .etag = "\"e\""};

static void a_version_is_counted_by_path_and_validators(void **state)
{
	struct fetch_version others[] = {version, version, version};

	(void)state;
	assert_int_equal(suspects_count(&suspects, "/a", &version), 0);
	assert_int_equal(suspects_add(&suspects, "/a", &version, 7, 0), 1);
	assert_int_equal(suspects_add(&suspects, "/a", &version, 7, 0), 2);
	assert_int_equal(suspects_count(&suspects, "/a", &version), 2);
	assert_int_equal(suspects_count(&suspects, "/b", &version), 0);
	others[0].size_bytes++;
	others[1].mtime_s++;
	others[2].etag[1] = 'f';
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
		    suspects_count(&suspects, "/a", &others[i]), 0);
}

static void it_is_shown_anew_each_time_it_was_dropped(void **state)
{
	uint64_t first;

	(void)state;
	assert_int_equal(suspects_number(&suspects, 7), 7);
	(void)suspects_add(&suspects, "/a", &version, 7, 0);
	/* Not before its blocks are gone. */
	assert_int_equal(suspects_number(&suspects, 7), 7);
	suspects_dropped(&suspects, "/a", &version);
	first = suspects_number(&suspects, 7);
	assert_int_not_equal(first, 7);
	assert_int_equal(suspects_number(&suspects, 7), first);
	assert_int_equal(suspects_number(&suspects, 8), 8);
	(void)suspects_add(&suspects, "/a", &version, 7, 0);
	suspects_dropped(&suspects, "/a", &version);
	assert_int_not_equal(suspects_number(&suspects, 7), first);
	assert_int_not_equal(suspects_number(&suspects, 7), 7);
}

static void it_is_forgotten_in_time(void **state)
{
	(void)state;
	(void)suspects_add(&suspects, "/a", &version, 7, 1000);
	(void)suspects_add(&suspects, "/a", &version, 7, 2000);
	suspects_dropped(&suspects, "/a", &version);
	suspects_tick(&suspects, 2000 + SUSPECT_MS - 1);
	assert_int_equal(suspects_count(&suspects, "/a", &version), 2);
	suspects_tick(&suspects, 2000 + SUSPECT_MS);
	assert_int_equal(suspects_count(&suspects, "/a", &version), 0);
	assert_int_equal(suspects_number(&suspects, 7), 7);
	assert_int_equal(suspects_add(&suspects, "/a", &version, 7, 5000), 1);
}

static void of_too_many_the_oldest_gives_way(void **state)
{
	char path[16];

	(void)state;
	for (unsigned i = 0; i <= SUSPECTS_MAX; i++) {
		(void)snprintf(path, sizeof(path), "/%u", i);
		assert_int_equal(
		    suspects_add(&suspects, path, &version, 7 + i, i), 1);
		assert_int_equal(suspects_count(&suspects, "/0", &version),
		    i < SUSPECTS_MAX);
	}
	for (unsigned i = 1; i <= SUSPECTS_MAX; i++) {
		(void)snprintf(path, sizeof(path), "/%u", i);
		assert_int_equal(suspects_count(&suspects, path, &version), 1);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_version_is_counted_by_path_and_validators),
	    TEST(it_is_shown_anew_each_time_it_was_dropped),
	    TEST(it_is_forgotten_in_time),
	    TEST(of_too_many_the_oldest_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
