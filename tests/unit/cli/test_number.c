/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers with units: every overflow seen, both spellings agree. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "cli/options/number.h"

static uint64_t read_number(const char *text, enum number_unit unit)
{
	uint64_t number = 0;

	assert_int_equal(number_parse(text, unit, &number), 0);
	return number;
}

static void sizes_take_letters_of_either_case(void **state)
{
	(void)state;
	assert_int_equal(read_number("0", NUMBER_SIZE), 0);
	assert_int_equal(read_number("4096", NUMBER_SIZE), 4096);
	assert_int_equal(read_number("1K", NUMBER_SIZE), 1024);
	assert_int_equal(read_number("3m", NUMBER_SIZE), 3 << 20);
	assert_int_equal(read_number("10G", NUMBER_SIZE), 10ULL << 30);
	assert_int_equal(read_number("2t", NUMBER_SIZE), 2ULL << 40);
}

static void times_are_seconds_unless_a_letter_says_otherwise(void **state)
{
	(void)state;
	assert_int_equal(read_number("5", NUMBER_TIME), 5000);
	assert_int_equal(read_number("5s", NUMBER_TIME), 5000);
	assert_int_equal(read_number("2m", NUMBER_TIME), 120000);
	assert_int_equal(read_number("1h", NUMBER_TIME), 3600000);
	assert_int_equal(read_number("1d", NUMBER_TIME), 86400000);
}

static void octal_numbers_have_octal_digits_only(void **state)
{
	uint64_t number = 0;

	(void)state;
	assert_int_equal(read_number("022", NUMBER_OCTAL), 18);
	assert_int_equal(read_number("777", NUMBER_OCTAL), 511);
	assert_int_equal(number_parse("8", NUMBER_OCTAL, &number), -EINVAL);
	assert_int_equal(number_parse("78", NUMBER_OCTAL, &number), -EINVAL);
	assert_int_equal(number_parse("7k", NUMBER_OCTAL, &number), -EINVAL);
}

static void nonsense_is_refused(void **state)
{
	static const char *const words[] = {"", "K", "-1", "+1", " 1", "1 ",
	    "1KB", "1kk", "0x10", "1.5G", "1e3", "1\n", "\xc2\xb9", "10GG",
	    "1s ", "1@", "1\x0b"};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		uint64_t number = 77;

		for (int unit = NUMBER_PLAIN; unit <= NUMBER_TIME; unit++)
			assert_int_equal(number_parse(words[i],
			                     (enum number_unit)unit, &number),
			    -EINVAL);
		assert_int_equal(number, 77);
	}
	/* A time's letter is no size's letter. */
	uint64_t number;

	assert_int_equal(number_parse("1h", NUMBER_SIZE, &number), -EINVAL);
	assert_int_equal(number_parse("1g", NUMBER_TIME, &number), -EINVAL);
	assert_int_equal(number_parse("1k", NUMBER_PLAIN, &number), -EINVAL);
}

static void every_overflow_is_seen(void **state)
{
	uint64_t number = 77;

	(void)state;
	assert_int_equal(
	    read_number("18446744073709551615", NUMBER_PLAIN), UINT64_MAX);
	assert_int_equal(
	    number_parse("18446744073709551616", NUMBER_PLAIN, &number),
	    -ERANGE);
	assert_int_equal(
	    number_parse("99999999999999999999999999", NUMBER_SIZE, &number),
	    -ERANGE);
	assert_int_equal(
	    read_number("16777215T", NUMBER_SIZE), 16777215ULL << 40);
	assert_int_equal(
	    number_parse("16777216T", NUMBER_SIZE, &number), -ERANGE);
	assert_int_equal(
	    number_parse("213503982335d", NUMBER_TIME, &number), -ERANGE);
	assert_int_equal(
	    number_parse("18446744073709552", NUMBER_TIME, &number), -ERANGE);
	assert_int_equal(number, 77);
}

static void what_is_written_reads_back(void **state)
{
	static const uint64_t sizes[] = {0, 1, 1023, 1024, 1025, 1ULL << 20,
	    (1ULL << 20) + 1024, 10ULL << 30, 3ULL << 40, UINT64_MAX};
	char text[NUMBER_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(
		    read_number(
		        number_text(text, NUMBER_SIZE, sizes[i]), NUMBER_SIZE),
		    sizes[i]);
		assert_int_equal(
		    read_number(number_text(text, NUMBER_PLAIN, sizes[i]),
		        NUMBER_PLAIN),
		    sizes[i]);
		assert_int_equal(
		    read_number(number_text(text, NUMBER_OCTAL, sizes[i]),
		        NUMBER_OCTAL),
		    sizes[i]);
	}
	for (uint64_t s = 0; s < 100000; s += 37)
		assert_int_equal(
		    read_number(
		        number_text(text, NUMBER_TIME, s * 1000), NUMBER_TIME),
		    s * 1000);
	assert_string_equal(number_text(text, NUMBER_SIZE, 10ULL << 30), "10G");
	assert_string_equal(number_text(text, NUMBER_TIME, 120000), "2m");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes_take_letters_of_either_case),
	    cmocka_unit_test(times_are_seconds_unless_a_letter_says_otherwise),
	    cmocka_unit_test(octal_numbers_have_octal_digits_only),
	    cmocka_unit_test(nonsense_is_refused),
	    cmocka_unit_test(every_overflow_is_seen),
	    cmocka_unit_test(what_is_written_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
