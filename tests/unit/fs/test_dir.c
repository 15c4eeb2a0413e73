/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_dir.c - listings: what READDIR and READDIRPLUS give,
 * which lookups they count, and what the kernel may keep.
 */
#include "base/stats.h"
#include "tests/unit/fs/fake_cache.h"
#include "tests/unit/fs/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE = 4096, MANY = 500 };

static struct kernel kernel;

/* One entry of an answer, taken apart. */
struct seen {
	char name[256];
	uint64_t ino;
	uint64_t next;
	uint32_t type;
	struct fuse_entry_out entry; /* zero for READDIR */
};

static int start(void **state)
{
	(void)state;
	kernel_start(&kernel);
	fake_put(kernel.cache, "/d", -1, 1, 10000);
	fake_put(kernel.cache, "/d/file", 1000, 7, 10000);
	fake_put(kernel.cache, "/d/sub", -1, 1, 5000);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	kernel_stop(&kernel);
	return 0;
}

static uint64_t open_dir(uint64_t *node, uint32_t *flags)
{
	struct fuse_entry_out entry;
	struct fuse_open_out opened;

	if (*node == 0) {
		assert_int_equal(
		    do_lookup(&kernel, FUSE_ROOT_ID, "d", &entry), 0);
		*node = entry.nodeid;
	}
	assert_int_equal(do_opendir(&kernel, *node, &opened), 0);
	if (flags)
		*flags = opened.open_flags;
	return opened.fh;
}

/* Take an answer apart. @return entries in it */
static unsigned parse(
    const struct reply *reply, bool plus, struct seen *out, unsigned room)
{
	size_t head = plus ? sizeof(struct fuse_entry_out) : 0;
	unsigned count = 0;

	for (size_t at = 0; at < reply->size_bytes; count++) {
		struct fuse_dirent dirent;
		size_t n;

		assert_true(count < room);
		memset(&out[count], 0, sizeof(out[count]));
		if (plus)
			memcpy(&out[count].entry, reply->bytes + at,
			    sizeof(out[count].entry));
		memcpy(&dirent, reply->bytes + at + head, FUSE_NAME_OFFSET);
		memcpy(out[count].name,
		    reply->bytes + at + head + FUSE_NAME_OFFSET,
		    dirent.namelen);
		out[count].ino = dirent.ino;
		out[count].next = dirent.off;
		out[count].type = dirent.type;
		n = head + FUSE_NAME_OFFSET + dirent.namelen;
		at += FUSE_DIRENT_ALIGN(n);
	}
	return count;
}

static unsigned list(uint64_t node, uint64_t handle, uint64_t offset, bool plus,
    struct seen *out, unsigned room)
{
	const struct reply *reply = kernel_reply(
	    &kernel, send_readdir(&kernel, node, handle, offset, PAGE, plus));

	assert_int_equal(reply->error, 0);
	assert_true(reply->size_bytes <= PAGE);
	return parse(reply, plus, out, room);
}

static void dots_come_first_and_offsets_resume(void **state)
{
	struct seen seen[8];
	uint64_t node = 0;
	uint64_t handle = open_dir(&node, NULL);

	(void)state;
	for (unsigned plus = 0; plus < 2; plus++) {
		assert_int_equal(list(node, handle, 0, plus, seen, 8), 4);
		assert_string_equal(seen[0].name, ".");
		assert_string_equal(seen[1].name, "..");
		assert_string_equal(seen[2].name, "file");
		assert_string_equal(seen[3].name, "sub");
		assert_int_equal(seen[0].type, DT_DIR);
		assert_int_equal(seen[1].type, DT_DIR);
		assert_int_equal(seen[1].ino, FUSE_ROOT_ID);
		assert_int_equal(seen[2].type, DT_REG);
		assert_int_equal(seen[3].type, DT_DIR);
		for (unsigned i = 0; i < 4; i++) {
			struct seen rest[8];

			assert_int_equal(
			    list(node, handle, seen[i].next, plus, rest, 8),
			    3 - i);
			if (i < 3)
				assert_string_equal(
				    rest[0].name, seen[i + 1].name);
		}
		assert_int_equal(list(node, handle, 1000, plus, seen, 8), 0);
	}
}

static void an_entry_has_what_a_lookup_would_give(void **state)
{
	struct fuse_entry_out entry;
	struct seen seen[8];
	struct seen plain[8];
	uint64_t node = 0;
	uint64_t handle = open_dir(&node, NULL);

	(void)state;
	kernel.clock.monotonic_ms += 1500;
	assert_int_equal(list(node, handle, 0, true, seen, 8), 4);
	assert_int_equal(list(node, handle, 0, false, plain, 8), 4);
	/* The kernel has the nodes of the dots; it is told of no others. */
	assert_int_equal(seen[0].entry.nodeid, 0);
	assert_int_equal(seen[1].entry.nodeid, 0);
	assert_int_equal(seen[2].entry.attr.size, 1000);
	assert_int_equal(seen[2].entry.entry_valid, 8);
	assert_int_equal(seen[2].entry.entry_valid_nsec, 500000000);
	assert_int_equal(seen[2].entry.attr_valid, 8);
	assert_int_equal(seen[3].entry.entry_valid, 3);
	for (unsigned i = 2; i < 4; i++) {
		assert_int_equal(
		    do_lookup(&kernel, node, seen[i].name, &entry), 0);
		assert_int_equal(entry.nodeid, seen[i].entry.nodeid);
		assert_true(entry.attr.ino == seen[i].ino);
		assert_true(plain[i].ino == seen[i].ino);
	}
}

static void each_entry_is_a_lookup_that_is_forgotten_once(void **state)
{
	struct fuse_forget_one forgets[3] = {{0}};
	const struct fuse_batch_forget_in batch = {.count = 3};
	struct seen seen[8];
	uint64_t node = 0;
	uint64_t handle = open_dir(&node, NULL);

	(void)state;
	(void)list(node, handle, 0, true, seen, 8);
	(void)list(node, handle, 0, true, seen, 8);
	assert_int_equal(stats_get(STATS_fs_nodes), 3);
	assert_int_equal(do_releasedir(&kernel, node, handle), 0);
	for (unsigned i = 0; i < 2; i++) {
		forgets[i].nodeid = seen[2 + i].entry.nodeid;
		forgets[i].nlookup = 2;
	}
	forgets[2].nodeid = node;
	forgets[2].nlookup = 1;
	(void)kernel_send(&kernel, FUSE_BATCH_FORGET, 0, &batch, sizeof(batch),
	    forgets, sizeof(forgets));
	kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

/* The caller was killed: the kernel knows none of the entries. */
static void a_refused_answer_counts_no_lookups(void **state)
{
	uint64_t node = 0;
	uint64_t handle = open_dir(&node, NULL);
	struct seen seen[8];

	(void)state;
	kernel_refuse_next(&kernel);
	assert_int_equal(kernel_reply(&kernel,
	                     send_readdir(&kernel, node, handle, 0, PAGE, true))
	                     ->error,
	    -ENOENT);
	kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 1);
	/* With one of them known by an earlier answer: that one stays. */
	assert_int_equal(list(node, handle, 3, true, seen, 8), 1);
	kernel_refuse_next(&kernel);
	(void)kernel_reply(
	    &kernel, send_readdir(&kernel, node, handle, 0, PAGE, true));
	kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 2);
	do_forget(&kernel, seen[0].entry.nodeid, 1);
	kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 1);
}

static void a_name_without_attributes_has_a_kind_and_no_node(void **state)
{
	struct seen seen[8];
	uint64_t node = 0;
	uint64_t handle;

	(void)state;
	fake_hide_attr(kernel.cache, "/d/file");
	fake_hide_attr(kernel.cache, "/d/sub");
	handle = open_dir(&node, NULL);
	assert_int_equal(list(node, handle, 0, true, seen, 8), 4);
	assert_int_equal(seen[2].entry.nodeid, 0);
	assert_int_equal(seen[2].type, DT_REG);
	assert_int_equal(seen[3].entry.nodeid, 0);
	assert_int_equal(seen[3].type, DT_DIR);
	assert_int_equal(stats_get(STATS_fs_nodes), 1);
}

static void a_long_listing_comes_in_pages_complete_and_in_order(void **state)
{
	struct seen seen[PAGE];
	char name[64];
	char path[128];
	uint64_t node = 0;
	uint64_t handle;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		/* Lengths from 1 to 50: every padding. */
		(void)snprintf(
		    name, sizeof(name), "%0*u", (int)(3 + i % 50), i);
		(void)snprintf(path, sizeof(path), "/d/%s", name);
		fake_put(kernel.cache, path, 1, i + 1, 1000);
	}
	handle = open_dir(&node, NULL);
	for (unsigned plus = 0; plus < 2; plus++) {
		uint64_t offset = 0;
		unsigned total = 0;
		unsigned n;

		while ((n = list(node, handle, offset, plus, seen, PAGE)) > 0) {
			for (unsigned i = 0; i < n; i++, total++) {
				if (total < 4)
					continue;
				(void)snprintf(name, sizeof(name), "%0*u",
				    (int)(3 + (total - 4) % 50), total - 4);
				assert_string_equal(seen[i].name, name);
			}
			offset = seen[n - 1].next;
		}
		assert_int_equal(total, MANY + 4);
	}
	assert_int_equal(stats_get(STATS_fs_nodes), MANY + 3);
}

static void an_answer_is_never_longer_than_its_buffer(void **state)
{
	uint64_t node = 0;
	uint64_t handle = open_dir(&node, NULL);

	(void)state;
	for (uint32_t room = 0; room < 700; room++) {
		const struct reply *reply = kernel_reply(&kernel,
		    send_readdir(&kernel, node, handle, 0, room, room % 2));

		assert_int_equal(reply->error, 0);
		assert_true(reply->size_bytes <= room);
	}
	assert_int_equal(
	    kernel_reply(&kernel,
	        send_readdir(&kernel, node, handle, UINT64_MAX, PAGE, true))
	        ->error,
	    -EINVAL);
}

static void an_open_listing_does_not_change(void **state)
{
	struct seen seen[8];
	uint64_t node = 0;
	uint64_t handle = open_dir(&node, NULL);

	(void)state;
	fake_put(kernel.cache, "/d/later", 1, 1, 1000);
	assert_int_equal(list(node, handle, 0, true, seen, 8), 4);
	handle = open_dir(&node, NULL);
	assert_int_equal(list(node, handle, 0, true, seen, 8), 5);
}

static void the_kernel_keeps_names_of_one_listing_only(void **state)
{
	uint32_t flags;
	uint64_t node = 0;
	uint64_t first;
	uint64_t second;

	(void)state;
	first = open_dir(&node, &flags);
	assert_int_equal(flags, FOPEN_CACHE_DIR);
	second = open_dir(&node, &flags);
	assert_int_equal(flags, FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
	assert_int_equal(do_releasedir(&kernel, node, second), 0);
	/* Another listing, while the first is open: it must not be mixed in. */
	fake_put(kernel.cache, "/d/later", 1, 1, 1000);
	second = open_dir(&node, &flags);
	assert_int_equal(flags, 0);
	assert_int_equal(do_releasedir(&kernel, node, first), 0);
	assert_int_equal(do_releasedir(&kernel, node, second), 0);
	/* Alone: what the kernel had is dropped, and the new one kept. */
	first = open_dir(&node, &flags);
	assert_int_equal(flags, FOPEN_CACHE_DIR);
	assert_int_equal(do_releasedir(&kernel, node, first), 0);
	first = open_dir(&node, &flags);
	assert_int_equal(flags, FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
}

/* The kernel never heard of that open: it still has the old names. */
static void a_refused_opendir_changes_nothing(void **state)
{
	const struct fuse_open_in in = {0};
	uint32_t flags;
	uint64_t node = 0;

	(void)state;
	(void)do_releasedir(&kernel, node, open_dir(&node, &flags));
	fake_put(kernel.cache, "/d/later", 1, 1, 1000);
	kernel_refuse_next(&kernel);
	(void)kernel_reply(&kernel,
	    kernel_send(&kernel, FUSE_OPENDIR, node, &in, sizeof(in), NULL, 0));
	kernel_sync(&kernel);
	assert_int_equal(fake_open_listings(kernel.cache), 0);
	(void)open_dir(&node, &flags);
	assert_int_equal(flags, FOPEN_CACHE_DIR);
}

static void what_cannot_be_listed_says_why(void **state)
{
	const struct fuse_open_in in = {0};
	struct fuse_entry_out entry;
	struct fuse_open_out opened;
	uint64_t node = 0;

	(void)state;
	(void)open_dir(&node, NULL);
	assert_int_equal(do_lookup(&kernel, node, "file", &entry), 0);
	assert_int_equal(do_opendir(&kernel, entry.nodeid, &opened), -ENOTDIR);
	fake_fail(kernel.cache, "/d", -EACCES);
	assert_int_equal(kernel_reply(&kernel,
	                     kernel_send(&kernel, FUSE_OPENDIR, node, &in,
	                         sizeof(in), NULL, 0))
	                     ->error,
	    -EACCES);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(dots_come_first_and_offsets_resume),
	    CASE(an_entry_has_what_a_lookup_would_give),
	    CASE(each_entry_is_a_lookup_that_is_forgotten_once),
	    CASE(a_refused_answer_counts_no_lookups),
	    CASE(a_name_without_attributes_has_a_kind_and_no_node),
	    CASE(a_long_listing_comes_in_pages_complete_and_in_order),
	    CASE(an_answer_is_never_longer_than_its_buffer),
	    CASE(an_open_listing_does_not_change),
	    CASE(the_kernel_keeps_names_of_one_listing_only),
	    CASE(a_refused_opendir_changes_nothing),
	    CASE(what_cannot_be_listed_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
