/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, names and their form in URLs. */
#include "base/path.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void only_normal_paths_pass(void **state)
{
	static const char *const good[] = {"/", "/a", "/a/b", "/...", "/a b",
	    "/.a", "/a./b..", "/\xff", "/%2e%2e"};
	static const char *const bad[] = {"", "a", "//", "/a/", "/a//b", "/.",
	    "/..", "/a/./b", "/a/../b", "/a/.."};
	char longest[PATH_BYTES_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		assert_true(path_is_normal(good[i]));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(path_is_normal(bad[i]));
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 200 == 0 ? '/' : 'x';
	longest[PATH_BYTES_MAX] = '\0';
	assert_false(path_is_normal(longest));
	longest[PATH_BYTES_MAX - 1] = '\0';
	assert_true(path_is_normal(longest));
}

static void names_from_servers_cannot_leave_their_directory(void **state)
{
	char name[PATH_NAME_BYTES_MAX + 2];

	(void)state;
	memset(name, 'n', sizeof(name));
	assert_false(path_name_ok("", 0));
	assert_false(path_name_ok(".", 1));
	assert_false(path_name_ok("..", 2));
	assert_false(path_name_ok("a/b", 3));
	assert_false(path_name_ok("a\0b", 3));
	assert_true(path_name_ok("...", 3));
	assert_true(path_name_ok(".a", 2));
	assert_true(path_name_ok("a\nb", 3));
	assert_true(path_name_ok(name, PATH_NAME_BYTES_MAX));
	assert_false(path_name_ok(name, PATH_NAME_BYTES_MAX + 1));
}

/* Joining and splitting undo each other, in place too. */
static void join_and_parent_undo_each_other(void **state)
{
	char path[PATH_BYTES_MAX] = "/";
	char up[PATH_BYTES_MAX];

	(void)state;
	for (int depth = 0; depth < 100; depth++) {
		char before[PATH_BYTES_MAX];

		memcpy(before, path, sizeof(before));
		assert_int_equal(path_join(path, path, "name"), 0);
		assert_true(path_is_normal(path));
		assert_string_equal(path_name(path), "name");
		path_parent(up, path);
		assert_string_equal(up, before);
		assert_true(path_is_within(path, before));
	}
	path_parent(up, "/");
	assert_string_equal(up, "/");
	assert_string_equal(path_name("/"), "");
	memset(up, 'x', sizeof(up));
	up[0] = '/';
	up[PATH_BYTES_MAX - 2] = '\0';
	assert_int_equal(path_join(path, up, "y"), -ENAMETOOLONG);
	up[PATH_BYTES_MAX - 3] = '\0';
	assert_int_equal(path_join(path, up, "y"), 0);
}

static void within_counts_whole_parts(void **state)
{
	(void)state;
	assert_true(path_is_within("/john", "/john"));
	assert_true(path_is_within("/john/x", "/john"));
	assert_false(path_is_within("/johnathan", "/john"));
	assert_true(path_is_within("/anything", "/"));
	assert_false(path_is_within("/", "/john"));
}

/* Every byte that a name can have comes back from its URL form. */
static void encoding_and_decoding_undo_each_other(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char path[4] = {'/', (char)c, 'z', '\0'};
		char back[16];
		struct buf buf;

		buf_init(&buf, 64);
		assert_int_equal(path_encode(&buf, path), 0);
		for (const char *p = buf_text(&buf); *p != '\0'; p++) {
			assert_true((*p >= 'a' && *p <= 'z') ||
			    (*p >= 'A' && *p <= 'Z') ||
			    (*p >= '0' && *p <= '9') ||
			    strchr("-._~/%", *p) != NULL);
		}
		assert_int_equal(
		    path_decode(back, buf_text(&buf), buf.size_bytes), 3);
		assert_string_equal(back, path);
		buf_fini(&buf);
	}
}

static void a_lone_percent_stands_for_itself(void **state)
{
	static const struct {
		const char *text;
		const char *decoded;
	} rows[] = {{"100%", "100%"}, {"%4", "%4"}, {"%zz", "%zz"},
	    {"%%41", "%A"}, {"%2525", "%25"}, {"a%2Fb", "a/b"}};
	char out[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_int_equal(
		    path_decode(out, rows[i].text, strlen(rows[i].text)),
		    strlen(rows[i].decoded));
		assert_string_equal(out, rows[i].decoded);
	}
	assert_int_equal(path_decode(out, "a%00b", 5), -EILSEQ);
	assert_int_equal(path_decode(out, "a\0b", 3), -EILSEQ);
	assert_int_equal(path_decode(out, "", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_normal_paths_pass),
	    cmocka_unit_test(names_from_servers_cannot_leave_their_directory),
	    cmocka_unit_test(join_and_parent_undo_each_other),
	    cmocka_unit_test(within_counts_whole_parts),
	    cmocka_unit_test(encoding_and_decoding_undo_each_other),
	    cmocka_unit_test(a_lone_percent_stands_for_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
