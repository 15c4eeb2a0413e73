/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in a spool, told: the commands that cure each state, whatever
 * bytes names are made of, and to which mount it belongs. */
#include "base/buf.h"
#include "cache/spool/unsent.h"

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

#include "cli/unsent/list.h"
#include "cli/unsent/place.h"
#include "json_check.h"

static char empty[] = "";
static char origin[] = "https://h.example";
static char why[] = "no room\nbearerfs: a forged line";
static char path[] = "/a/b/it's \x1b[31m\xff.txt";
static struct spool_item item;
static struct buf out;

static int begin(void **state)
{
	(void)state;
	item = (struct spool_item){.serial = 7,
	    .kind = SPOOL_FILE,
	    .cure = SPOOL_CURE_DECIDE,
	    .uid = 1000,
	    .attr = {.state = SPOOL_CONFLICT, .size_bytes = 1536},
	    .since_s = 86400,
	    .when_s = 86401,
	    .code = -ESTALE,
	    .place = "0000000000000007-1000.j"};
	for (unsigned i = 0; i < SPOOL_TEXTS; i++)
		item.text[i] = empty;
	item.text[SPOOL_ORIGIN] = origin;
	item.text[SPOOL_PATH] = path;
	item.text[SPOOL_WHY] = why;
	buf_init(&out, 1 << 20);
	return 0;
}

static int end(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static const char *json(const char *dir)
{
	buf_clear(&out);
	unsent_json(&out, &item, dir);
	assert_int_equal(buf_code(&out), 0);
	assert_true(json_is_valid(buf_text(&out)));
	return buf_text(&out);
}

static void has(const char *words)
{
	if (strstr(buf_text(&out), words) == NULL)
		fail_msg("'%s' is not in %s", words, buf_text(&out));
}

static void each_state_has_its_cures(void **state)
{
	static const struct {
		enum spool_cure cure;
		enum spool_state state;
		bool busy;
		const char *cures;
	} cases[] = {
	    {SPOOL_CURE_DECIDE, SPOOL_CONFLICT, false,
	        "[\"bearerfs flush --number 7 --as PATH -o spool_dir=/s\","
	        "\"bearerfs flush --number 7 --overwrite -o spool_dir=/s\","
	        "\"bearerfs flush --number 7 --export DIR -o spool_dir=/s\","
	        "\"bearerfs flush --number 7 --drop -o spool_dir=/s\"]"},
	    {SPOOL_CURE_LOOK, SPOOL_ASIDE, false,
	        "[\"bearerfs flush --number 7 --export DIR -o spool_dir=/s\","
	        "\"bearerfs flush --number 7 --drop -o spool_dir=/s\"]"},
	    {SPOOL_CURE_FLUSH, SPOOL_FAILED, false,
	        "[\"bearerfs flush -o spool_dir=/s\"]"},
	    {SPOOL_CURE_WAIT, SPOOL_FAILED, true,
	        "[\"bearerfs flush -o spool_dir=/s\"]"},
	    {SPOOL_CURE_WAIT, SPOOL_OPEN, true, "[]"},
	    {SPOOL_CURE_BY_HAND, SPOOL_DAMAGED, false, "[]"},
	};
	char wanted[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		item.cure = cases[i].cure;
		item.attr.state = cases[i].state;
		item.busy = cases[i].busy;
		(void)json("/s");
		(void)snprintf(
		    wanted, sizeof(wanted), "\"cures\":%s}", cases[i].cures);
		has(wanted);
		has(unsent_state(cases[i].state));
	}
}

static void a_command_can_be_given_to_a_shell(void **state)
{
	(void)state;
	item.cure = SPOOL_CURE_FLUSH;
	(void)json("/it's here");
	has("bearerfs flush -o 'spool_dir=/it'\\\\''s here'");
	(void)setenv("XDG_STATE_HOME", "/state", 1);
	(void)json("/state/bearerfs/spool");
	has("[\"bearerfs flush\"]");
	(void)unsetenv("XDG_STATE_HOME");
}

static void a_line_is_one_line_and_no_command_for_a_terminal(void **state)
{
	(void)state;
	unsent_line(&out, &item, NULL);
	has("https://h.example/a/b/it's ?[31m?.txt, 1.5 KiB, conflict: ESTALE: "
	    "no room?bearerfs: a forged line");
	assert_null(strchr(buf_text(&out), '\n'));
	assert_null(strchr(buf_text(&out), '\x1b'));
	buf_clear(&out);
	unsent_text(&out, &item, "/s", NULL);
	assert_null(strstr(buf_text(&out), "\nbearerfs: a"));
	assert_null(strchr(buf_text(&out), '\x1b'));
	has("  7 conflict ");
	has("since 1970-01-02T00:00:00Z");
}

static void what_is_damaged_is_told_by_its_place(void **state)
{
	(void)state;
	item.attr.state = SPOOL_DAMAGED;
	item.cure = SPOOL_CURE_BY_HAND;
	item.text[SPOOL_PATH] = item.text[SPOOL_ORIGIN] = empty;
	unsent_text(&out, &item, "/s", NULL);
	has("look at /s/v1/0000000000000007-1000.j");
	(void)json("/s");
	has("\"server_path\":null");
}

static struct unsent_mount mount_of(const char *source_path)
{
	struct unsent_mount mount = {.dir = "/s"};

	(void)snprintf(mount.origin, sizeof(mount.origin), "%s", origin);
	(void)snprintf(
	    mount.source_path, sizeof(mount.source_path), "%s", source_path);
	(void)snprintf(mount.entry.point, sizeof(mount.entry.point), "/mnt");
	return mount;
}

static void an_entry_belongs_to_the_innermost_mount_of_its_server(void **state)
{
	struct unsent_mount outer = mount_of("/");
	struct unsent_mount inner = mount_of("/a");
	struct unsent_mount beside = mount_of("/a/bc");
	struct unsent_mount other = mount_of("/a/b");
	struct unsent_places places = {
	    .mount_count = 4, .mounts = {&outer, &inner, &beside, &other}};

	(void)state;
	other.origin[8] = 'x';
	item.text[SPOOL_PATH] = path;
	assert_ptr_equal(unsent_places_owner(&places, "/s", &item), &inner);
	assert_null(unsent_places_owner(&places, "/t", &item));
	places.mount_count = 1;
	assert_ptr_equal(unsent_places_owner(&places, "/s", &item), &outer);
	/* Read-only ones have no spool. */
	outer.dir[0] = '\0';
	assert_null(unsent_places_owner(&places, "", &item));
}

static void paths_of_a_mount_and_of_its_server_lead_to_each_other(void **state)
{
	static const struct {
		const char *source, *server, *inside, *shown;
	} cases[] = {
	    {"/", "/", "/", "/mnt"},
	    {"/", "/x/y", "/x/y", "/mnt/x/y"},
	    {"/a", "/a", "/", "/mnt"},
	    {"/a/b", "/a/b/c", "/c", "/mnt/c"},
	};
	char text[PATH_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct unsent_mount mount = mount_of(cases[i].source);

		assert_int_equal(
		    unsent_server_path(&mount, text, cases[i].inside), 0);
		assert_string_equal(text, cases[i].server);
		assert_int_equal(
		    unsent_shown_path(&mount, text, cases[i].server), 0);
		assert_string_equal(text, cases[i].shown);
	}
	{
		struct unsent_mount mount = mount_of("/a");

		assert_int_equal(
		    unsent_shown_path(&mount, text, "/ab"), -ENOENT);
	}
}

static void where_there_is_no_spool_nothing_is_made(void **state)
{
	char dir[] = "/tmp/test_unsent.XXXXXX";
	struct spool *spool;
	struct err err = ERR_INIT;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(unsent_each(dir, NULL, NULL, &err), 0);
	assert_int_equal(unsent_open(&spool, dir, &err), -ENOENT);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(unsent_each(dir, NULL, NULL, &err), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	static const struct CMUnitTest tests[] = {
	    CASE(each_state_has_its_cures),
	    CASE(a_command_can_be_given_to_a_shell),
	    CASE(a_line_is_one_line_and_no_command_for_a_terminal),
	    CASE(what_is_damaged_is_told_by_its_place),
	    CASE(an_entry_belongs_to_the_innermost_mount_of_its_server),
	    CASE(paths_of_a_mount_and_of_its_server_lead_to_each_other),
	    CASE(where_there_is_no_spool_nothing_is_made),
	};
#undef CASE

	return cmocka_run_group_tests(tests, NULL, NULL);
}
