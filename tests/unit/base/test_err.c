/* SPDX-License-Identifier: Apache-2.0 */
/* A failure told to a person. */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void says_what_it_was_told(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(err_set(&err, -ENOENT, "no %s", "file"), -ENOENT);
	assert_string_equal(err.text, "no file");
	assert_int_equal(err_wrap(&err, "mount '%s'", "/m"), -ENOENT);
	assert_string_equal(err.text, "mount '/m': no file");
}

/* However long the parts are, the text ends inside its array and begins
 * with the outermost. */
static void long_texts_are_cut_at_their_end(void **state)
{
	char longer[ERR_TEXT_BYTES * 2];

	(void)state;
	for (size_t n = ERR_TEXT_BYTES - 8; n < sizeof(longer); n++) {
		struct err err = ERR_INIT;

		memset(longer, 'x', n);
		longer[n < sizeof(longer) ? n : n - 1] = '\0';
		(void)err_set(&err, -EIO, "%s", longer);
		assert_true(strlen(err.text) < ERR_TEXT_BYTES);
		(void)err_wrap(&err, "outer");
		assert_true(strlen(err.text) < ERR_TEXT_BYTES);
		assert_memory_equal(err.text, "outer: x", 8);
		(void)err_wrap(&err, "%s", longer);
		assert_true(strlen(err.text) < ERR_TEXT_BYTES);
		assert_int_equal(err.code, -EIO);
	}
}

static void every_errno_has_a_name_and_a_message(void **state)
{
	(void)state;
	assert_string_equal(err_name(-EKEYEXPIRED), "EKEYEXPIRED");
	assert_string_equal(err_name(ENOKEY), "ENOKEY");
	assert_string_equal(err_name(0), "0");
	assert_string_equal(err_name(100000), "E?");
	for (int code = -4096; code <= 4096; code++) {
		assert_non_null(err_name(code));
		assert_non_null(err_message(code));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_what_it_was_told),
	    cmocka_unit_test(long_texts_are_cut_at_their_end),
	    cmocka_unit_test(every_errno_has_a_name_and_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
