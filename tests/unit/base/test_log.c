/* SPDX-License-Identifier: Apache-2.0 */
/* One line per event, nothing forgeable. */
#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/bearerfs-log-XXXXXX";

static size_t read_log(char *out, size_t room)
{
	FILE *file = fopen(path, "r");
	size_t n;

	assert_non_null(file);
	n = fread(out, 1, room - 1, file);
	out[n] = '\0';
	(void)fclose(file);
	return n;
}

static int begin(void **state)
{
	struct err err = ERR_INIT;
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	(void)close(fd);
	return log_start(LOG_TO_FILE, LOG_LEVEL_INFO, path, &err);
}

static int end(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	(void)unlink(path);
	return log_start(LOG_TO_STDERR, LOG_LEVEL_INFO, NULL, &err);
}

static void a_name_cannot_forge_a_line(void **state)
{
	char text[8192];
	size_t n;

	(void)state;
	log_line(LOG_LEVEL_INFO, LOG_FETCH, "token refused", "path=%s",
	    LOG_TEXT("/a\nlevel=error part=fs msg=\"x\"\x1b[2J\xc2\x9b"));
	n = read_log(text, sizeof(text));
	assert_true(n > 0);
	assert_ptr_equal(strchr(text, '\n'), text + n - 1);
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\x9b'));
	assert_non_null(strstr(text,
	    "level=info part=fetch "
	    "msg=\"token refused\" path=\"/a\\x0a"));
}

static void long_lines_end_in_one_newline(void **state)
{
	static char longer[LOG_LINE_BYTES * 2];
	static char text[LOG_LINE_BYTES * 8];
	size_t before = read_log(text, sizeof(text));
	size_t n;

	(void)state;
	memset(longer, 'y', sizeof(longer) - 1);
	log_line(LOG_LEVEL_INFO, LOG_FS, "long", "%s", longer);
	n = read_log(text, sizeof(text));
	assert_int_equal(n - before, LOG_LINE_BYTES - 1);
	assert_int_equal(text[n - 1], '\n');
}

static void texts_from_outside_fit_their_array(void **state)
{
	char longer[4096];

	(void)state;
	for (int c = 1; c < 256; c++) {
		memset(longer, c, sizeof(longer) - 1);
		longer[sizeof(longer) - 1] = '\0';
		assert_true(strlen(LOG_TEXT(longer)) < LOG_TEXT_BYTES);
	}
	assert_string_equal(LOG_TEXT(NULL), "\"\"");
	assert_string_equal(
	    LOG_TEXT("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"");
}

static void a_level_that_is_off_writes_nothing(void **state)
{
	char before[16384];
	char after[16384];

	(void)state;
	(void)read_log(before, sizeof(before));
	log_line(LOG_LEVEL_DEBUG, LOG_FS, "quiet", "x=%d", 1);
	(void)read_log(after, sizeof(after));
	assert_string_equal(before, after);
}

static void count_line(void *arg, const char *line)
{
	unsigned *count = arg;

	assert_null(strchr(line, '\n'));
	if (strstr(line, "msg=\"storm\"") != NULL)
		(*count)++;
}

static void a_storm_is_limited_and_counted(void **state)
{
	static struct log_limit limit;
	char text[16384];
	unsigned count = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		log_limited(&limit, 3600000, LOG_LEVEL_WARN, LOG_CACHE, "storm",
		    "i=%d", i);
	log_recent(count_line, &count);
	assert_int_equal(count, 1);
	log_limited(&limit, 0, LOG_LEVEL_WARN, LOG_CACHE, "storm", "i=%d", 100);
	(void)read_log(text, sizeof(text));
	assert_non_null(strstr(text, "i=100 dropped=99\n"));
	count = 0;
	log_recent(count_line, &count);
	assert_int_equal(count, 2);
}

static void only_the_latest_problems_are_kept(void **state)
{
	unsigned count = 0;

	(void)state;
	for (int i = 0; i < 3 * LOG_RECENT_COUNT; i++)
		log_line(LOG_LEVEL_WARN, LOG_FS, "storm", "i=%d", i);
	log_recent(count_line, &count);
	assert_int_equal(count, LOG_RECENT_COUNT);
}

static void levels_have_words(void **state)
{
	enum log_level level;

	(void)state;
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("Debug", &level), -EINVAL);
	assert_int_equal(log_level_parse("", &level), -EINVAL);
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
	    log_start(LOG_TO_FILE, LOG_LEVEL_INFO, "/nonexistent/log", &err),
	    -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/log"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_cannot_forge_a_line),
	    cmocka_unit_test(long_lines_end_in_one_newline),
	    cmocka_unit_test(texts_from_outside_fit_their_array),
	    cmocka_unit_test(a_level_that_is_off_writes_nothing),
	    cmocka_unit_test(a_storm_is_limited_and_counted),
	    cmocka_unit_test(only_the_latest_problems_are_kept),
	    cmocka_unit_test(levels_have_words),
	    cmocka_unit_test(a_file_that_cannot_be_opened_is_named),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
