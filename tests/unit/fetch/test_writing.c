/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How servers take changes, from what their answers show; and the names that
 * files have on their way.
 */
#include "base/path.h"
#include "fetch/answers/response.h"
#include "fetch/change.h"
#include "fetch/changes/temporary.h"
#include "fetch/servers/writing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void say(struct response *response, const char *const *lines)
{
	response_clear(response);
	for (; *lines != NULL; lines++)
		assert_int_equal(
		    response_line(response, *lines, strlen(*lines), 0), 0);
}

static struct writing seen(const char *server, bool dated)
{
	char line[64];
	const char *lines[] = {"HTTP/1.1 404 Not Found\r\n", line,
	    dated ? "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" : "\r\n",
	    dated ? "\r\n" : NULL, NULL};
	struct writing writing = {.software = WRITING_UNSEEN};
	struct response response;

	(void)snprintf(line, sizeof(line), "Server: %s\r\n", server);
	say(&response, lines);
	writing_saw(&writing, &response);
	return writing;
}

static void servers_are_known_by_their_names(void **state)
{
	(void)state;
	assert_int_equal(seen("XrootD/v5.5.3", true).software, WRITING_XROOTD);
	assert_int_equal(seen("nginx/1.22.1", true).software, WRITING_NGINX);
	assert_int_equal(seen("nginx", true).software, WRITING_NGINX);
	assert_int_equal(
	    seen("Apache/2.4.62 (Debian)", true).software, WRITING_APACHE);
	assert_int_equal(seen("dCache/9.2", true).software, WRITING_OTHER);
	assert_int_equal(seen("not nginx", true).software, WRITING_OTHER);
	/* Nothing else leaves out the Date. */
	assert_int_equal(seen("x", false).software, WRITING_XROOTD);
}

static void a_proxys_own_error_tells_nothing(void **state)
{
	static const char *const lines[] = {"HTTP/1.1 502 Bad Gateway\r\n",
	    "Server: nginx\r\n", "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
	    "\r\n", NULL};
	struct writing writing = seen("XrootD", true);
	struct response response;

	(void)state;
	say(&response, lines);
	writing_saw(&writing, &response);
	assert_int_equal(writing.software, WRITING_XROOTD);
}

/* Of what nobody has measured the worst is believed. */
static void an_unknown_server_is_trusted_with_nothing(void **state)
{
	struct writing writing = seen("dCache", true);

	(void)state;
	assert_false(writing_put_is_whole(&writing));
	assert_false(writing_keeps_conditions(&writing));
	assert_false(writing_keeps_overwrite(&writing));
	assert_false(writing_moves_as_is(&writing));
	assert_false(writing_plain_destination(&writing));
	writing.refused_condition = true;
	assert_true(writing_keeps_conditions(&writing));
	writing = seen("nginx", true);
	writing.refused_condition = true;
	assert_false(writing_keeps_conditions(&writing));
}

static void temporary_names_are_known_and_no_others(void **state)
{
	static const char *const others[] = {"", ".bearerfs-upload-",
	    ".bearerfs-upload-0123456789abcdef0123456789abcde",
	    ".bearerfs-upload-0123456789abcdef0123456789abcdef0",
	    ".bearerfs-upload-0123456789abcdef0123456789abcdeF",
	    ".bearerfs-upload-0123456789abcdef0123456789abcde.",
	    "bearerfs-upload-0123456789abcdef0123456789abcdef",
	    "x.bearerfs-upload-0123456789abcdef0123456789abcdef"};
	char name[PATH_BYTES_MAX];
	char other[PATH_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		assert_false(fetch_is_temporary(others[i]));
	assert_int_equal(temporary_name(name, "/a/b/c"), 0);
	assert_int_equal(temporary_name(other, "/a/b/c"), 0);
	assert_string_not_equal(name, other);
	assert_int_equal(strncmp(name, "/a/b/.", 6), 0);
	assert_true(path_is_normal(name));
	assert_true(fetch_is_temporary(path_name(name)));
	assert_int_equal(temporary_name(name, "/x"), 0);
	assert_true(fetch_is_temporary(path_name(name)));
}

static void a_path_without_room_has_no_temporary_name(void **state)
{
	char path[PATH_BYTES_MAX];
	char name[PATH_BYTES_MAX];

	(void)state;
	memset(path, 'd', sizeof(path));
	for (size_t i = 0; i < sizeof(path); i += 200)
		path[i] = '/';
	path[4080] = '/';
	memcpy(path + 4081, "x", 2);
	assert_int_equal(temporary_name(name, path), -ENAMETOOLONG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(servers_are_known_by_their_names),
	    cmocka_unit_test(a_proxys_own_error_tells_nothing),
	    cmocka_unit_test(an_unknown_server_is_trusted_with_nothing),
	    cmocka_unit_test(temporary_names_are_known_and_no_others),
	    cmocka_unit_test(a_path_without_room_has_no_temporary_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
