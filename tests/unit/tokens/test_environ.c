/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/environ.h: what a process may have written there, and what is
 * taken of it. */
#include "tests/unit/oom.h"
#include "tokens/find/environ.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* A block of literal bytes, the last NUL of the literal left out. */
#define BLOCK(text)                                             \
	(struct environ_block)                                  \
	{                                                       \
		.bytes = (text), .size_bytes = sizeof(text) - 1 \
	}

static int file_of(const void *bytes, size_t size_bytes)
{
	int fd = memfd_create("environ", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size_bytes), size_bytes);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void a_variable_is_found_by_its_whole_name(void **state)
{
	static char text[] = "XA=1\0AB=2\0A=3\0BEARER_TOKEN_FILE=/f\0"
	                     "BEARER_TOKEN=t=u\0";
	struct environ_block block = BLOCK(text);

	(void)state;
	assert_string_equal(environ_get(&block, "A"), "3");
	assert_string_equal(environ_get(&block, "BEARER_TOKEN"), "t=u");
	assert_string_equal(environ_get(&block, "BEARER_TOKEN_FILE"), "/f");
	assert_null(environ_get(&block, "BEARER"));
	assert_null(environ_get(&block, "B"));
}

static void the_first_of_a_name_counts(void **state)
{
	static char text[] = "A=first\0A=second\0";
	static char empty[] = "A=\0A=second\0";
	struct environ_block block = BLOCK(text);

	(void)state;
	assert_string_equal(environ_get(&block, "A"), "first");
	block = BLOCK(empty);
	assert_string_equal(environ_get(&block, "A"), "");
}

static void nonsense_is_passed_over(void **state)
{
	static char text[] = "A\0\0\0=x\0==\0A=1\0";
	struct environ_block block = BLOCK(text);
	struct environ_block nothing = {.bytes = NULL};

	(void)state;
	assert_string_equal(environ_get(&block, "A"), "1");
	assert_null(environ_get(&nothing, "A"));
}

static void a_variable_without_its_end_is_none(void **state)
{
	static char text[] = "B=1\0A=/tmp/secr";
	static char name[] = "B=1\0A";
	struct environ_block block = BLOCK(text);

	(void)state;
	assert_null(environ_get(&block, "A"));
	assert_string_equal(environ_get(&block, "B"), "1");
	block = BLOCK(name);
	assert_null(environ_get(&block, "A"));
}

/* At the limit, and a byte above it; the one behind is no substitute. */
static void a_variable_is_as_long_as_execve_allows(void **state)
{
	size_t size_bytes = ENVIRON_VARIABLE_BYTES_MAX;
	struct environ_block block = {.bytes = malloc(size_bytes + 8)};

	(void)state;
	assert_non_null(block.bytes);
	for (size_t more = 0; more < 2; more++) {
		size_t n = size_bytes + more;

		memset(block.bytes, 'x', n);
		memcpy(block.bytes, "A=", 2);
		block.bytes[n - 1] = '\0';
		memcpy(block.bytes + n, "A=b", 4);
		block.size_bytes = n + 4;
		if (more == 0)
			assert_int_equal(
			    strlen(environ_get(&block, "A")), size_bytes - 3);
		else
			assert_null(environ_get(&block, "A"));
	}
	free(block.bytes);
}

static void a_block_is_read_up_to_its_limit(void **state)
{
	char *bytes = calloc(1, ENVIRON_BYTES_MAX + 1);

	(void)state;
	assert_non_null(bytes);
	for (size_t more = 0; more < 2; more++) {
		struct environ_block block;
		int fd = file_of(bytes, ENVIRON_BYTES_MAX + more);
		int code = environ_read(&block, fd);

		assert_int_equal(code, more == 0 ? 0 : -EMSGSIZE);
		assert_int_equal(
		    block.size_bytes, more == 0 ? ENVIRON_BYTES_MAX : 0);
		assert_true((block.bytes == NULL) == (more == 1));
		environ_fini(&block);
		assert_null(block.bytes);
		(void)close(fd);
	}
	free(bytes);
}

static void it_is_read_in_pieces_to_its_end(void **state)
{
	struct environ_block block;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_DIRECT), 0);
	assert_int_equal(write(ends[1], "A=", 2), 2);
	assert_int_equal(write(ends[1], "whole\0", 6), 6);
	(void)close(ends[1]);
	assert_int_equal(environ_read(&block, ends[0]), 0);
	assert_string_equal(environ_get(&block, "A"), "whole");
	environ_fini(&block);
	(void)close(ends[0]);
}

static void a_failed_read_leaves_nothing(void **state)
{
	struct environ_block block;

	(void)state;
	assert_int_equal(environ_read(&block, -1), -EBADF);
	assert_null(block.bytes);
	assert_int_equal(block.size_bytes, 0);
}

static int read_once(void *arg)
{
	struct environ_block block;
	int code;

	assert_int_equal(lseek(*(int *)arg, 0, SEEK_SET), 0);
	code = environ_read(&block, *(int *)arg);
	environ_fini(&block);
	return code;
}

static void survives_a_failed_allocation(void **state)
{
	int fd = file_of("A=1", 4);

	(void)state;
	assert_int_equal(oom_each(read_once, &fd), 1);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_variable_is_found_by_its_whole_name),
	    cmocka_unit_test(the_first_of_a_name_counts),
	    cmocka_unit_test(nonsense_is_passed_over),
	    cmocka_unit_test(a_variable_without_its_end_is_none),
	    cmocka_unit_test(a_variable_is_as_long_as_execve_allows),
	    cmocka_unit_test(a_block_is_read_up_to_its_limit),
	    cmocka_unit_test(it_is_read_in_pieces_to_its_end),
	    cmocka_unit_test(a_failed_read_leaves_nothing),
	    cmocka_unit_test(survives_a_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
