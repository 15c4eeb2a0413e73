/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store_damage.c - every file of a cache directory
 * is damaged in every way, with the store closed and open: what is loaded is
 * right or a miss, and after it was kept again it is there.
 */
#include "tests/unit/cache/store/store_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILES_MAX = 32, OBJECTS = 4 };

struct file_list {
	char paths[FILES_MAX][512];
	unsigned count;
};

static const uint64_t sizes[OBJECTS] = {
    3000, 65535, 5 * 65536, 12 * 65536 + 100};

static unsigned blocks_of(unsigned i)
{
	return (unsigned)((sizes[i] + 65535) / 65536);
}

static void open_all(struct bed *bed, struct store_object *objects[OBJECTS])
{
	for (unsigned i = 0; i < OBJECTS; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "/o%u", i);
		objects[i] = bed_object(bed->store, name, sizes[i]);
	}
}

static void close_all(struct store_object *objects[OBJECTS])
{
	for (unsigned i = 0; i < OBJECTS; i++)
		store_object_close(objects[i]);
}

static unsigned keep_all(struct bed *bed, struct store_object *objects[OBJECTS])
{
	unsigned kept = 0;

	for (unsigned i = 0; i < OBJECTS; i++)
		kept += bed_keep(
		    bed->store, objects[i], sizes[i], i, 0, blocks_of(i));
	return kept;
}

/* A few pages in the middle of a block, by themselves. */
static void load_pages(
    struct bed *bed, struct store_object *object, unsigned i, unsigned b)
{
	static uint8_t expected[STORE_BLOCK_BYTES];
	size_t part = (size_t)(sizes[i] - (uint64_t)b * STORE_BLOCK_BYTES);
	size_t start;

	if (part > STORE_BLOCK_BYTES)
		part = STORE_BLOCK_BYTES;
	start = part / 3;
	if (store_load_pages(
	        object, b, start, part / 2, STORE_WAIT, bed->buffers[0]) != 1)
		return;
	bed_fill(expected, part, i, b);
	assert_memory_equal(
	    (uint8_t *)bed->buffers[0] + start, expected + start, part / 2);
}

/* Blocks that are there; a wrong byte fails the test. */
static unsigned load_all(struct bed *bed, struct store_object *objects[OBJECTS])
{
	unsigned there = 0;

	for (unsigned i = 0; i < OBJECTS; i++) {
		for (unsigned b = 0; b < blocks_of(i); b++) {
			load_pages(bed, objects[i], i, b);
			there +=
			    (unsigned)bed_load(bed, objects[i], sizes[i], i, b);
		}
	}
	return there;
}

static unsigned all_blocks(void)
{
	unsigned all = 0;

	for (unsigned i = 0; i < OBJECTS; i++)
		all += blocks_of(i);
	return all;
}

static void add_file(void *arg, const char *path)
{
	struct file_list *list = arg;

	assert_true(list->count < FILES_MAX);
	(void)snprintf(list->paths[list->count++], 512, "%s", path);
}

static uint64_t random_state = 42;

static void overwrite(const char *path, off_t offset, size_t size_bytes)
{
	uint8_t noise[4096];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	while (size_bytes > 0) {
		size_t part =
		    size_bytes < sizeof(noise) ? size_bytes : sizeof(noise);

		bed_fill(noise, part, bed_random(&random_state), 0);
		assert_int_equal(
		    pwrite(fd, noise, part, offset), (ssize_t)part);
		offset += (off_t)part;
		size_bytes -= part;
	}
	(void)close(fd);
}

static off_t size_of(const char *path)
{
	struct stat stat_;

	assert_int_equal(stat(path, &stat_), 0);
	return stat_.st_size;
}

static void flip_a_byte(const struct file_list *list, unsigned i)
{
	off_t size = size_of(list->paths[i]);

	if (size > 0)
		overwrite(list->paths[i],
		    (off_t)(bed_random(&random_state) % (uint64_t)size), 1);
}

static void flip_many_bytes(const struct file_list *list, unsigned i)
{
	off_t size = size_of(list->paths[i]);

	for (off_t at = 0; at < size; at += 1 + size / 500)
		overwrite(list->paths[i], at, 1);
}

static void make_noise(const struct file_list *list, unsigned i)
{
	overwrite(list->paths[i], 0, (size_t)size_of(list->paths[i]));
}

static void make_zeros(const struct file_list *list, unsigned i)
{
	off_t size = size_of(list->paths[i]);

	assert_int_equal(truncate(list->paths[i], 0), 0);
	assert_int_equal(truncate(list->paths[i], size), 0);
}

static void cut_in_half(const struct file_list *list, unsigned i)
{
	assert_int_equal(
	    truncate(list->paths[i], size_of(list->paths[i]) / 2 + 13), 0);
}

static void empty(const struct file_list *list, unsigned i)
{
	assert_int_equal(truncate(list->paths[i], 0), 0);
}

static void lengthen(const struct file_list *list, unsigned i)
{
	off_t size = size_of(list->paths[i]);

	assert_int_equal(truncate(list->paths[i], size + 100000), 0);
	overwrite(list->paths[i], size, 100000);
}

static void unlink_it(const struct file_list *list, unsigned i)
{
	assert_int_equal(unlink(list->paths[i]), 0);
}

static void replace_by_a_directory(const struct file_list *list, unsigned i)
{
	assert_int_equal(unlink(list->paths[i]), 0);
	assert_int_equal(mkdir(list->paths[i], 0700), 0);
}

static void replace_by_a_fifo(const struct file_list *list, unsigned i)
{
	assert_int_equal(unlink(list->paths[i]), 0);
	assert_int_equal(mkfifo(list->paths[i], 0600), 0);
}

static void replace_by_a_link(const struct file_list *list, unsigned i)
{
	assert_int_equal(unlink(list->paths[i]), 0);
	assert_int_equal(symlink("/dev/zero", list->paths[i]), 0);
}

static void swap_with_the_next(const struct file_list *list, unsigned i)
{
	const char *other = list->paths[(i + 1) % list->count];
	char aside[600];

	if (list->count < 2)
		return;
	(void)snprintf(aside, sizeof(aside), "%s.aside", other);
	assert_int_equal(rename(list->paths[i], aside), 0);
	assert_int_equal(rename(other, list->paths[i]), 0);
	assert_int_equal(rename(aside, other), 0);
}

typedef void (*damage_fn)(const struct file_list *list, unsigned i);

struct damage {
	const char *name;
	damage_fn make;
};

static const struct damage damages[] = {
    {"flip a byte", flip_a_byte},
    {"flip many bytes", flip_many_bytes},
    {"noise", make_noise},
    {"zeros", make_zeros},
    {"cut in half", cut_in_half},
    {"empty", empty},
    {"lengthen", lengthen},
    {"unlink", unlink_it},
    {"a directory", replace_by_a_directory},
    {"a fifo", replace_by_a_fifo},
    {"a link", replace_by_a_link},
    {"swap", swap_with_the_next},
};

enum { DAMAGES = sizeof(damages) / sizeof(*damages) };

static void expect_all(unsigned there, const char *when,
    const struct damage *damage, const char *path)
{
	if (there != all_blocks())
		fail_msg("%s: %s: %s: %u of %u blocks", damage->name, path,
		    when, there, all_blocks());
}

/* Damage file `i` of a fresh cache; false when there are not so many. */
static bool damage_one(unsigned i, const struct damage *damage, bool live)
{
	static struct bed bed;
	struct store_object *objects[OBJECTS];
	struct file_list list = {.count = 0};
	bool more;

	bed_init_in_memory(&bed, (uint64_t)16 * 1024 * 1024);
	open_all(&bed, objects);
	assert_int_equal(keep_all(&bed, objects), all_blocks());
	bed_each_file(bed.cache, add_file, &list);
	more = i < list.count;
	if (more) {
		if (!live) {
			close_all(objects);
			store_close(bed.store);
		}
		damage->make(&list, i);
		if (!live) {
			bed.store = bed_second(&bed);
			open_all(&bed, objects);
		}
		(void)load_all(&bed, objects);
		bed_tend(&bed);
		(void)load_all(&bed, objects);
		/* Mended: kept again, it is there; after a restart too,
		 * where what is found by a table may be lost once more. */
		bed_tend(&bed);
		expect_all(keep_all(&bed, objects), "kept again", damage,
		    list.paths[i]);
		expect_all(load_all(&bed, objects), "loaded again", damage,
		    list.paths[i]);
		close_all(objects);
		bed_reopen(&bed);
		open_all(&bed, objects);
		(void)load_all(&bed, objects);
		expect_all(keep_all(&bed, objects), "kept at last", damage,
		    list.paths[i]);
		expect_all(load_all(&bed, objects), "loaded at last", damage,
		    list.paths[i]);
	}
	close_all(objects);
	bed_fini(&bed);
	return more;
}

static void no_damage_to_a_closed_cache_gives_a_wrong_byte(void **state)
{
	(void)state;
	for (unsigned d = 0; d < DAMAGES; d++) {
		for (unsigned i = 0; damage_one(i, &damages[d], false); i++)
			;
	}
}

static void no_damage_to_an_open_cache_gives_a_wrong_byte(void **state)
{
	(void)state;
	for (unsigned d = 0; d < DAMAGES; d++) {
		for (unsigned i = 0; damage_one(i, &damages[d], true); i++)
			;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_damage_to_a_closed_cache_gives_a_wrong_byte),
	    cmocka_unit_test(no_damage_to_an_open_cache_gives_a_wrong_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
