/* SPDX-License-Identifier: Apache-2.0 */
/* The option table: defaults, bounds, quoting, what mount(8) adds, and the
 * nearest name. */
#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options/nearest.h"
#include "cli/options/options.h"

static struct options options;

static int fresh(void **state)
{
	(void)state;
	return options_init(&options);
}

static int done(void **state)
{
	(void)state;
	options_fini(&options);
	return 0;
}

static int parse(const char *text)
{
	struct err err = ERR_INIT;

	return options_parse(&options, text, OPTIONS_OF_USER, &err);
}

/* The sentence of a refusal. */
static const char *why(const char *text, int code)
{
	static struct err err;

	err = (struct err)ERR_INIT;
	assert_int_equal(
	    options_parse(&options, text, OPTIONS_OF_USER, &err), code);
	assert_int_equal(err.code, code);
	assert_true(strlen(err.text) > 0);
	assert_null(strchr(err.text, '\n'));
	return err.text;
}

static void the_defaults_are_those_of_the_manual(void **state)
{
	(void)state;
	assert_true(options.ro);
	assert_false(options.rw);
	assert_null(options.token_file);
	assert_string_equal(options.base_path, "/");
	assert_null(options.cache_dir);
	assert_int_equal(options.cache_size, 10ULL << 30);
	assert_int_equal(options.uid, -1);
	assert_int_equal(options.gid, -1);
	/* The plan's to say. */
	assert_false(options.umask_given);
	assert_null(options.spool_dir);
	assert_int_equal(options.spool_size, 10ULL << 30);
	assert_int_equal(options.write, OPTION_WRITE_THROUGH);
	assert_int_equal(options.fsync, OPTION_FSYNC_SPOOL);
	assert_int_equal(options.attr_ttl, 60000);
	assert_int_equal(options.negative_ttl, 5000);
	assert_false(options.immutable);
	assert_false(options.check);
	assert_false(options.noexec);
	assert_int_equal(options.timeout, 120000);
	assert_false(options.insecure_http);
	assert_int_equal(options.log, LOG_LEVEL_INFO);
	assert_int_equal(options.offline, OPTION_OFFLINE_AUTO);
	assert_true(options.offline_grace == OPTION_TIME_UNSET);
}

static void a_list_sets_each_option(void **state)
{
	(void)state;
	assert_int_equal(parse("ro,cache_size=4G,attr_ttl=5m,immutable,"
	                       "umask=077,uid=1000,gid=0,log=debug,"
	                       "token_file=/run/t,,check=no,"),
	    0);
	assert_int_equal(options.cache_size, 4ULL << 30);
	assert_int_equal(options.attr_ttl, 300000);
	assert_true(options.immutable);
	assert_false(options.check);
	assert_true(options.umask_given);
	assert_int_equal(options.umask, 077);
	assert_int_equal(options.uid, 1000);
	assert_int_equal(options.gid, 0);
	assert_int_equal(options.log, LOG_LEVEL_DEBUG);
	assert_string_equal(options.token_file, "/run/t");
}

static void a_choice_is_one_of_its_words(void **state)
{
	(void)state;
	assert_int_equal(parse("offline=yes,offline_grace=0"), 0);
	assert_int_equal(options.offline, OPTION_OFFLINE_YES);
	assert_int_equal(options.offline_grace, 0);
	assert_int_equal(parse("offline=no"), 0);
	assert_int_equal(options.offline, OPTION_OFFLINE_NO);
	assert_int_equal(parse("offline=auto"), 0);
	assert_int_equal(options.offline, OPTION_OFFLINE_AUTO);
	assert_non_null(strstr(why("offline=y", -EINVAL), "no|yes|auto"));
	assert_non_null(strstr(why("offline=autos", -EINVAL), "no|yes|auto"));
	assert_non_null(strstr(why("offline=yes|no", -EINVAL), "write one"));
	assert_non_null(strstr(why("offline", -EINVAL), "write offline="));
}

static void the_last_one_wins(void **state)
{
	(void)state;
	assert_int_equal(parse("attr_ttl=1,token_file=/a,immutable"), 0);
	assert_int_equal(parse("attr_ttl=2,token_file=/b,immutable=off"), 0);
	assert_int_equal(options.attr_ttl, 2000);
	assert_string_equal(options.token_file, "/b");
	assert_false(options.immutable);
}

static void a_backslash_keeps_a_comma_in_a_value(void **state)
{
	(void)state;
	assert_int_equal(
	    parse("token_file=/a\\,b\\\\c,cache_dir=/x\\y,immutable"), 0);
	assert_string_equal(options.token_file, "/a,b\\c");
	assert_string_equal(options.cache_dir, "/x\\y");
	assert_true(options.immutable);
}

static void paths_lose_slashes_at_their_end(void **state)
{
	(void)state;
	assert_int_equal(parse("cache_dir=/x/,base_path=/a//"), 0);
	assert_string_equal(options.cache_dir, "/x");
	assert_string_equal(options.base_path, "/a");
	assert_int_equal(parse("cache_dir=/,base_path=/"), 0);
	assert_string_equal(options.cache_dir, "/");
}

static void bad_values_are_refused_with_what_to_write(void **state)
{
	static const char *const texts[] = {"cache_size=big", "cache_size=1P",
	    "attr_ttl=1w", "umask=1000", "umask=9", "uid=-1", "uid=root",
	    "uid=4294967295", "gid=1k", "timeout=0", "timeout=2d",
	    "attr_ttl=31d", "cache_size=2048T", "token_file=rel/ative",
	    "base_path=a", "base_path=/a/../b", "base_path=/a//b", "log=loud",
	    "immutable=maybe", "ro=perhaps", "token_file",
	    "token_file=", "attr_ttl=99999999999999999999d"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(
		    options_parse(&options, texts[i], OPTIONS_OF_USER, &err),
		    -EINVAL);
		assert_non_null(strstr(err.text, "option "));
		assert_true(strstr(err.text, "write ") != NULL ||
		    strstr(err.text, "leave ") != NULL);
	}
	/* The bounds themselves fit. */
	assert_int_equal(parse("attr_ttl=30d,negative_ttl=0,timeout=1s,"
	                       "uid=4294967294,umask=777,cache_size=1024T"),
	    0);
	assert_int_equal(parse("timeout=1d,cache_size=0"), 0);
}

static void a_hostile_value_stands_escaped_in_the_error(void **state)
{
	const char *text;

	(void)state;
	text = why("log=a\nbearerfs: all is well", -EINVAL);
	assert_non_null(strstr(text, "\\x0a"));
	text = why("ev\x1b[2Jil", -ENOENT);
	assert_non_null(strstr(text, "\\x1b"));
}

static void unknown_names_bring_the_nearest_one(void **state)
{
	(void)state;
	assert_non_null(strstr(why("cach_size=1", -ENOENT), "'cache_size'"));
	assert_non_null(strstr(why("atr_ttl=1", -ENOENT), "'attr_ttl'"));
	assert_non_null(strstr(why("tokenfile=/a", -ENOENT), "'token_file'"));
	assert_non_null(strstr(why("netdev", -ENOENT), "'_netdev'"));
	assert_null(strstr(why("quantum=1", -ENOENT), "did you mean"));
	assert_non_null(strstr(why("quantum=1", -ENOENT), "--help"));
}

static void allow_other_is_taken(void **state)
{
	(void)state;
	assert_false(options.allow_other);
	assert_int_equal(parse("allow_other"), 0);
	assert_true(options.allow_other);
}

static void what_is_not_there_yet_is_not_taken(void **state)
{
	(void)state;
	(void)why("passthrough=yes", -ENOENT);
}

static void of_ro_and_rw_the_last_one_counts(void **state)
{
	static const struct {
		const char *text;
		bool rw;
	} cases[] = {
	    {"rw", true},
	    {"rw,ro", false},
	    {"ro,rw", true},
	    {"ro=no", true},
	    {"rw=no", false},
	    {"rw=yes,attr_ttl=1s", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(parse(cases[i].text), 0);
		assert_int_equal(options.rw, cases[i].rw);
		assert_int_equal(options.ro, !cases[i].rw);
	}
}

static void what_writing_does_is_chosen_by_word(void **state)
{
	(void)state;
	assert_int_equal(parse("rw,write=back,fsync=server,spool_size=1M,"
	                       "spool_dir=/var/tmp/s"),
	    0);
	assert_int_equal(options.write, OPTION_WRITE_BACK);
	assert_int_equal(options.fsync, OPTION_FSYNC_SERVER);
	assert_int_equal(options.spool_size, 1 << 20);
	assert_string_equal(options.spool_dir, "/var/tmp/s");
	assert_non_null(strstr(why("write=now", -EINVAL), "through"));
	assert_non_null(strstr(why("fsync=no", -EINVAL), "server"));
	(void)why("spool_size=0", -EINVAL);
	(void)why("spool_dir=here", -EINVAL);
}

static void what_mount_8_puts_in_front_is_no_wish(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	/* mount(8) puts it in front of what fstab says. */
	assert_int_equal(options_parse(&options,
	                     "rw,noexec,nosuid,nodev,user,"
	                     "_netdev,nofail,x-systemd.a=1"
	                     ",comment=x",
	                     OPTIONS_OF_MOUNT, &err),
	    0);
	assert_true(options.ro);
	assert_true(options.noexec);
	assert_int_equal(parse("exec"), 0);
	assert_false(options.noexec);
	assert_int_equal(
	    options_parse(&options, "rw,rw=yes", OPTIONS_OF_MOUNT, &err), 0);
	assert_true(options.rw);
	assert_false(options.ro);
}

static void sloppy_passes_over_unknown_names_and_not_over_bad_values(
    void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(options_parse(&options, "quantum=1,immutable",
	                     OPTIONS_SLOPPY, &err),
	    0);
	assert_true(options.immutable);
	assert_int_equal(
	    options_parse(&options, "cache_size=x", OPTIONS_SLOPPY, &err),
	    -EINVAL);
}

static void lengths_have_limits(void **state)
{
	static char text[OPTIONS_TEXT_BYTES_MAX + 1];

	(void)state;
	memset(text, ',', sizeof(text) - 1);
	(void)why(text, -EMSGSIZE);
	text[OPTIONS_TEXT_BYTES_MAX - 1] = '\0';
	assert_int_equal(parse(text), 0);
	(void)snprintf(text, sizeof(text), "token_file=/");
	memset(text + strlen(text), 'a', OPTION_VALUE_BYTES_MAX);
	text[11 + OPTION_VALUE_BYTES_MAX] = '\0';
	(void)why(text, -EINVAL);
	text[11 + OPTION_VALUE_BYTES_MAX - 1] = '\0';
	assert_int_equal(parse(text), 0);
}

static void help_names_each_option_with_its_default(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	assert_int_equal(options_help(&out), 0);
#define OPTION(name, kind, low, high, argument, fallback, help) \
	assert_non_null(strstr(buf_text(&out), "  " #name));    \
	assert_non_null(strstr(buf_text(&out), help));
#define GENERIC(name, help)
#include "cli/options/options.tbl.h"
#undef OPTION
#undef GENERIC
	assert_non_null(strstr(buf_text(&out), "[10G]"));
	buf_fini(&out);
}

static void nearest_word_is_careful(void **state)
{
	static const char *const words[] = {"status", "mount", "umount"};
	char longer[NEAREST_BYTES_MAX + 2];

	(void)state;
	assert_string_equal(nearest_word("unmount", words, 3), "umount");
	assert_string_equal(nearest_word("staus", words, 3), "status");
	assert_null(nearest_word("xyz", words, 3));
	assert_null(nearest_word("", words, 3));
	assert_null(nearest_word("mount", words, 0));
	memset(longer, 'm', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(nearest_word(longer, words, 3));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(the_defaults_are_those_of_the_manual),
	    CASE(a_list_sets_each_option),
	    CASE(a_choice_is_one_of_its_words),
	    CASE(the_last_one_wins),
	    CASE(a_backslash_keeps_a_comma_in_a_value),
	    CASE(paths_lose_slashes_at_their_end),
	    CASE(bad_values_are_refused_with_what_to_write),
	    CASE(a_hostile_value_stands_escaped_in_the_error),
	    CASE(unknown_names_bring_the_nearest_one),
	    CASE(allow_other_is_taken),
	    CASE(what_is_not_there_yet_is_not_taken),
	    CASE(of_ro_and_rw_the_last_one_counts),
	    CASE(what_writing_does_is_chosen_by_word),
	    CASE(what_mount_8_puts_in_front_is_no_wish),
	    CASE(sloppy_passes_over_unknown_names_and_not_over_bad_values),
	    CASE(lengths_have_limits),
	    CASE(help_names_each_option_with_its_default),
	    CASE(nearest_word_is_careful),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
