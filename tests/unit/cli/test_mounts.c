/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of mountinfo: names as the kernel escapes them, and lines that are
 * none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/mounts.h"

static struct mount_entry entry;

static void a_line_is_taken_apart(void **state)
{
	(void)state;
	assert_int_equal(
	    mounts_parse(&entry,
	        "97 27 0:53 / /data/li\\040go rw,nosuid,nodev,relatime "
	        "shared:12 master:3 - fuse.bearerfs "
	        "https://h.example/ligo rw,user_id=1000,group_id=1000\n"),
	    0);
	assert_int_equal(entry.id, 97);
	assert_int_equal(entry.major, 0);
	assert_int_equal(entry.minor, 53);
	assert_int_equal(entry.owner, 1000);
	assert_false(entry.read_only);
	assert_string_equal(entry.type, "fuse.bearerfs");
	assert_string_equal(entry.source, "https://h.example/ligo");
	assert_string_equal(entry.point, "/data/li go");
	assert_string_equal(entry.root, "/");
	assert_false(entry.shared);
	assert_true(mounts_is_bearerfs(&entry));
}

static void optional_fields_may_be_missing(void **state)
{
	(void)state;
	assert_int_equal(
	    mounts_parse(&entry, "23 27 0:22 / /sys ro - sysfs sysfs rw"), 0);
	assert_true(entry.read_only);
	assert_string_equal(entry.source, "sysfs");
	assert_false(mounts_is_bearerfs(&entry));
}

static void only_the_word_user_id_is_the_owner(void **state)
{
	(void)state;
	assert_int_equal(
	    mounts_parse(
	        &entry, "1 1 0:1 / /a rw - fuse.x s rw,xuser_id=7,user_id=8"),
	    0);
	assert_int_equal(entry.owner, 8);
	assert_int_equal(
	    mounts_parse(&entry, "1 1 0:1 / /a rw - fuse.x s rw,xuser_id=7"),
	    0);
	assert_int_equal(entry.owner, 0);
}

static void allow_other_is_a_shared_mount(void **state)
{
	(void)state;
	assert_int_equal(mounts_parse(&entry,
	                     "1 1 0:1 /sub\\040dir /a rw - fuse.x s "
	                     "rw,user_id=0,allow_other,max_read=131072\n"),
	    0);
	assert_true(entry.shared);
	assert_string_equal(entry.root, "/sub dir");
	assert_int_equal(
	    mounts_parse(&entry, "1 1 0:1 / /a rw - fuse.x s rw,allow_other\n"),
	    0);
	assert_true(entry.shared);
	assert_int_equal(mounts_parse(&entry,
	                     "1 1 0:1 / /a rw - fuse.x s rw,allow_others=1"),
	    0);
	assert_false(entry.shared);
}

static void lines_that_are_none_are_refused(void **state)
{
	static const char *const lines[] = {"", "\n", "x", "1 1 0:1 / /a rw -",
	    "1 1 0:1 / /a rw", "1 1 01 / /a rw - t s o",
	    "a b c:d / /a rw - t s o", "1 1 0:1 / /a rw - t s",
	    "1 1 0:1 / /a rw shared:1 t s o"};
	char longer[9000];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++)
		assert_int_equal(mounts_parse(&entry, lines[i]), -EINVAL);
	(void)snprintf(
	    longer, sizeof(longer), "1 1 0:1 / /%08000d rw - t s o", 7);
	assert_int_equal(mounts_parse(&entry, longer), -EINVAL);
}

static int count_mount(void *arg, const struct mount_entry *one)
{
	unsigned *count = arg;

	assert_true(one->point[0] == '/');
	(*count)++;
	return 0;
}

static void this_machine_has_mounts_and_a_root(void **state)
{
	struct err err = ERR_INIT;
	unsigned count = 0;

	(void)state;
	assert_int_equal(mounts_each(count_mount, &count, &err), 0);
	assert_true(count > 0);
	assert_int_equal(mounts_at(&entry, "/proc", &err), 1);
	assert_string_equal(entry.type, "proc");
	assert_int_equal(mounts_at(&entry, "/proc/self", &err), 0);
	assert_int_equal(mounts_of_file(&entry, "/proc/self/status", &err), 1);
	assert_string_equal(entry.type, "proc");
	assert_int_equal(
	    mounts_of_file(&entry, "/proc/no/such", &err), -ENOENT);
}

static void network_file_systems_are_known(void **state)
{
	(void)state;
	assert_true(mounts_is_network("nfs4"));
	assert_true(mounts_is_network("fuse.sshfs"));
	assert_false(mounts_is_network("ext4"));
	assert_false(mounts_is_network("tmpfs"));
	assert_false(mounts_is_network("overlay"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_is_taken_apart),
	    cmocka_unit_test(optional_fields_may_be_missing),
	    cmocka_unit_test(only_the_word_user_id_is_the_owner),
	    cmocka_unit_test(allow_other_is_a_shared_mount),
	    cmocka_unit_test(lines_that_are_none_are_refused),
	    cmocka_unit_test(this_machine_has_mounts_and_a_root),
	    cmocka_unit_test(network_file_systems_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
