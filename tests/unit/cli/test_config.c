/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file: what it takes, and that each mistake names file,
 * line and cure. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/options/config.h"
#include "cli/options/options.h"

static struct options options;
static struct config *config;
static struct err err;

static int fresh(void **state)
{
	(void)state;
	config = calloc(1, sizeof(*config));
	if (config == NULL)
		return -1;
	config->options = &options;
	err = (struct err)ERR_INIT;
	return options_init(&options);
}

static int done(void **state)
{
	(void)state;
	free(config);
	options_fini(&options);
	return 0;
}

static int parse(const char *text)
{
	return config_parse(config, "f.conf", text, strlen(text), &err);
}

static void want(const char *name)
{
	(void)snprintf(config->wanted, sizeof(config->wanted), "%s", name);
}

static void the_wanted_section_fills_the_options(void **state)
{
	(void)state;
	want("ligo");
	assert_int_equal(parse("\xef\xbb\xbf# a comment\r\n"
	                       "; another\n"
	                       "\n"
	                       "[other]\n"
	                       "source=https://o.example/x\n"
	                       "attr_ttl = 1s\n"
	                       "[ ligo ]\n"
	                       "  source = https://h.example/ligo  \n"
	                       "\tattr_ttl\t=\t5m\r\n"
	                       "immutable\n"
	                       "check = no\n"
	                       "token_file = /a b/c"),
	    0);
	assert_true(config->found);
	assert_string_equal(options.source, "https://h.example/ligo");
	assert_int_equal(options.attr_ttl, 300000);
	assert_true(options.immutable);
	assert_string_equal(options.token_file, "/a b/c");
	assert_int_equal(config->name_count, 2);
}

static void a_later_file_wins_line_by_line(void **state)
{
	(void)state;
	want("b");
	assert_int_equal(parse("[a]\nsource=https://a/\n[b]\n"
	                       "source=https://b/\nattr_ttl=1s\numask=077\n"
	                       "[c]\nsource=https://c/\n"),
	    0);
	assert_int_equal(parse("[c]\nattr_ttl=9s\n[b]\nattr_ttl=2s\n"
	                       "[d]\nsource=https://d/\n"),
	    0);
	assert_string_equal(options.source, "https://b/");
	assert_int_equal(options.attr_ttl, 2000);
	assert_int_equal(options.umask, 077);
	assert_int_equal(config->name_count, 4);
}

static void no_section_is_found_where_there_is_none(void **state)
{
	(void)state;
	want("x");
	assert_int_equal(parse("[a]\nsource=https://a/\n"), 0);
	assert_false(config->found);
	assert_null(options.source);
}

/* Each mistake, its line, and a word of its sentence. */
static void every_mistake_names_its_line(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *word;
	} cases[] = {
	    {"attr_ttl=1\n", 1, "outside a section"},
	    {"[a]\n\natr_ttl=1\n", 3, "'attr_ttl'"},
	    {"[a]\nsorce=https://x/\n", 2, "'source'"},
	    {"[a]\nattr_ttl=soon\n", 2, "time"},
	    {"[a]\nattr_ttl\n", 2, "needs a value"},
	    {"[a]\nrw = perhaps\n", 2, "rw"},
	    {"[a]\n= 3\n", 2, "NAME = VALUE"},
	    {"[a]\nsource\n", 2, "URL"},
	    {"[a]\nsource = /local\n", 2, "URL"},
	    {"[a\n", 1, "[NAME]"},
	    {"[a] x\n", 1, "[NAME]"},
	    {"[]\n", 1, "a name has"},
	    {"[a/b]\n", 1, "a name has"},
	    {"[a]\n[b]\n[a]\n", 3, "second time"},
	    {"[a]\numask=0\numask=1\n", 3, "second time"},
	    {"[b]\nsource=https://b/\n[a]\numask=9\n", 4, "octal"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char where[32];

		assert_int_equal(fresh(state), 0);
		want("b"); /* a mistake in [a] counts all the same */
		assert_int_equal(parse(cases[i].text), -EINVAL);
		(void)snprintf(
		    where, sizeof(where), "f.conf line %u: ", cases[i].line);
		if (strstr(err.text, where) != err.text ||
		    strstr(err.text, cases[i].word) == NULL)
			fail_msg("case %zu: %s", i, err.text);
		(void)done(state);
	}
	assert_int_equal(fresh(state), 0);
}

static void a_section_seen_in_two_files_is_no_mistake_and_thrice_is(
    void **state)
{
	(void)state;
	assert_int_equal(parse("[a]\n[b]\n[c]\n"), 0);
	assert_int_equal(parse("[c]\n[a]\n[b]\n"), 0);
	assert_int_equal(parse("[b]\n[c]\n[b]\n"), -EINVAL);
	assert_int_equal(config->name_count, 3);
}

static void a_nul_byte_is_no_text(void **state)
{
	(void)state;
	assert_int_equal(
	    config_parse(config, "f.conf", "[a]\nx\0y\n", 8, &err), -EINVAL);
	assert_non_null(strstr(err.text, "line 2"));
}

static void lines_sections_and_files_have_limits(void **state)
{
	static char text[CONFIG_BYTES_MAX + 1];
	size_t used = 0;

	(void)state;
	memset(text, ' ', sizeof(text));
	assert_int_equal(config_parse(config, "f.conf", text,
	                     CONFIG_LINE_BYTES_MAX - 1, &err),
	    0);
	assert_int_equal(
	    config_parse(config, "f.conf", text, CONFIG_LINE_BYTES_MAX, &err),
	    -EINVAL);
	memset(text, '\n', sizeof(text));
	assert_int_equal(
	    config_parse(config, "f.conf", text, CONFIG_BYTES_MAX, &err), 0);
	assert_int_equal(
	    config_parse(config, "f.conf", text, CONFIG_BYTES_MAX + 1, &err),
	    -EINVAL);
	for (unsigned i = 0; i < CONFIG_SECTIONS_MAX; i++)
		used += (size_t)snprintf(
		    text + used, sizeof(text) - used, "[s%u]\n", i);
	assert_int_equal(config_parse(config, "f.conf", text, used, &err), 0);
	assert_int_equal(parse("[one-more]\n"), -EINVAL);
}

static void names_are_short_and_plain(void **state)
{
	char name[CONFIG_NAME_BYTES_MAX + 1];

	(void)state;
	assert_true(config_name_ok("ligo"));
	assert_true(config_name_ok("a.b-c_9"));
	assert_false(config_name_ok(""));
	assert_false(config_name_ok("a b"));
	assert_false(config_name_ok("a/b"));
	assert_false(config_name_ok("https://x"));
	memset(name, 'a', sizeof(name));
	name[CONFIG_NAME_BYTES_MAX] = '\0';
	assert_false(config_name_ok(name));
	name[CONFIG_NAME_BYTES_MAX - 1] = '\0';
	assert_true(config_name_ok(name));
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static void the_users_file_is_found_and_read(void **state)
{
	char dir[] = "/tmp/test_config.XXXXXX";
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(setenv("XDG_CONFIG_HOME", dir, 1), 0);
	(void)snprintf(path, sizeof(path), "%s/bearerfs", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/bearerfs/bearerfs.conf", dir);
	/* None there: the name is unknown. */
	assert_int_equal(
	    config_load(&options, "test-of-bearerfs", &err), -ENOENT);
	write_file(path, "[test-of-bearerfs]\nsource=https://h.example/x\n");
	assert_int_equal(config_load(&options, "test-of-bearerfs", &err), 0);
	assert_string_equal(options.source, "https://h.example/x");
	assert_int_equal(
	    config_load(&options, "test-of-barerfs", &err), -ENOENT);
	assert_non_null(strstr(err.text, "'test-of-bearerfs'"));
	write_file(path, "[test-of-bearerfs]\nimmutable\n");
	options_fini(&options);
	assert_int_equal(options_init(&options), 0);
	assert_int_equal(
	    config_load(&options, "test-of-bearerfs", &err), -EINVAL);
	assert_non_null(strstr(err.text, "no source"));
	/* Not a file, and a FIFO that nobody writes: errors, not a hang. */
	(void)unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(
	    config_load(&options, "test-of-bearerfs", &err), -EINVAL);
	assert_non_null(strstr(err.text, "regular file"));
	(void)unlink(path);
	*strrchr(path, '/') = '\0';
	(void)rmdir(path);
	(void)rmdir(dir);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(the_wanted_section_fills_the_options),
	    CASE(a_later_file_wins_line_by_line),
	    CASE(no_section_is_found_where_there_is_none),
	    cmocka_unit_test_setup_teardown(
	        every_mistake_names_its_line, NULL, done),
	    CASE(a_section_seen_in_two_files_is_no_mistake_and_thrice_is),
	    CASE(a_nul_byte_is_no_text),
	    CASE(lines_sections_and_files_have_limits),
	    CASE(names_are_short_and_plain),
	    CASE(the_users_file_is_found_and_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
