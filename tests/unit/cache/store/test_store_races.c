/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store_races.c - what another process does to the
 * directory in the middle of a call of ours: it evicts the pack that we are
 * about to open, keeps the block anew that we are about to clear, ends just
 * before we take its pack over. And rules that no damage to a directory
 * shows: what counts as used, the order of flushes, rows that collide.
 *
 * The other process is a second store; it acts inside a wrapped system call
 * of ours (of the name that 64-bit offsets give it).
 */
#include "cache/store/hash.h"
#include "cache/store/impl.h"
#include "cache/store/usage.h"
#include "tests/unit/cache/store/store_bed.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024, LARGE = 4 * 65536, LARGE_BLOCKS = 4 };

/* What is done in front of the n-th read, or of opening a pack. */
static void (*act)(void *arg);
static void *act_arg;
static unsigned reads_before; /* 0: none */
static int open_flag;         /* of the pack that is opened; -1: none */

static void act_once(void)
{
	void (*now)(void *arg) = act;

	act = NULL;
	reads_before = 0;
	open_flag = -1;
	now(act_arg);
}

int __real_openat64(int dir_fd, const char *name, int flags, ...);
int __wrap_openat64(int dir_fd, const char *name, int flags, ...);
ssize_t __real_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags);
ssize_t __wrap_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags);

/* What _FORTIFY_SOURCE makes of an openat() whose flags are no constant. */
int __wrap___openat64_2(int dir_fd, const char *name, int flags);

int __wrap___openat64_2(int dir_fd, const char *name, int flags)
{
	return __wrap_openat64(dir_fd, name, flags);
}

int __wrap_openat64(int dir_fd, const char *name, int flags, ...)
{
	mode_t bits = 0;

	if ((flags & O_CREAT) != 0) {
		va_list more;

		va_start(more, flags);
		bits = va_arg(more, mode_t);
		va_end(more);
	}
	if (act != NULL && (flags & (O_ACCMODE | O_CREAT)) == open_flag &&
	    name[strspn(name, "0123456789")] == '\0')
		act_once();
	return __real_openat64(dir_fd, name, flags, bits);
}

ssize_t __wrap_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags)
{
	if (act != NULL && reads_before > 0 && --reads_before == 0)
		act_once();
	return __real_preadv64v2(fd, vectors, count, offset, flags);
}

/* Flushes and renames in their order: f, d for a directory, r. */
static char order[16];
static unsigned ordered;

static void note(char what)
{
	if (ordered < sizeof(order) - 1)
		order[ordered++] = what;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);

int __wrap_fsync(int fd)
{
	struct stat stat;

	note(fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode) ? 'd' : 'f');
	return __real_fsync(fd);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	note('r');
	return __real_renameat(from_fd, from, to_fd, to);
}

/* Addresses go round, whatever the bytes are. */
static bool colliding;
static unsigned turn;

struct hash128 __real_hash_address(const struct hash_secret *secret,
    const uint64_t sums[FORMAT_PAGES], size_t size_bytes);
struct hash128 __wrap_hash_address(const struct hash_secret *secret,
    const uint64_t sums[FORMAT_PAGES], size_t size_bytes);

struct hash128 __wrap_hash_address(const struct hash_secret *secret,
    const uint64_t sums[FORMAT_PAGES], size_t size_bytes)
{
	if (!colliding)
		return __real_hash_address(secret, sums, size_bytes);
	return (struct hash128){.low = turn++ % LARGE_BLOCKS, .high = 1};
}

/* A store with a file in it, and another process that has it open, too. */
struct scene {
	struct bed bed;
	struct store *other;
	struct store_object *mine;
	struct store_object *theirs;
};

static void make_scene(struct scene *scene)
{
	act = NULL;
	reads_before = 0;
	open_flag = -1;
	bed_init_in_memory(&scene->bed, (uint64_t)16 * MIB);
	scene->mine = bed_object(scene->bed.store, "/large", LARGE);
	assert_int_equal(
	    bed_keep(scene->bed.store, scene->mine, LARGE, 1, 0, LARGE_BLOCKS),
	    LARGE_BLOCKS);
	scene->other = bed_second(&scene->bed);
	scene->theirs = bed_object(scene->other, "/large", LARGE);
}

static void end_scene(struct scene *scene)
{
	act = NULL;
	if (scene->other != NULL) {
		store_object_close(scene->theirs);
		store_close(scene->other);
	}
	store_object_close(scene->mine);
	bed_fini(&scene->bed);
}

static void unlink_pack(void *arg, const char *path)
{
	(void)arg;
	if (strstr(path, "/packs/") != NULL)
		assert_int_equal(unlink(path), 0);
}

static void flip_pack(void *arg, const char *path)
{
	uint8_t byte = 0xa5;
	int fd;

	(void)arg;
	if (strstr(path, "/packs/") == NULL)
		return;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (off_t at = 100; at < LARGE; at += 4096)
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	(void)close(fd);
}

/* The other one keeps the file. */
static void keep_anew(void *arg)
{
	struct scene *scene = arg;

	assert_int_equal(
	    bed_keep(scene->other, scene->theirs, LARGE, 1, 0, LARGE_BLOCKS),
	    LARGE_BLOCKS);
}

/* Its packs go, and the file is kept in another one. */
static void evict_and_keep_anew(void *arg)
{
	struct scene *scene = arg;

	bed_each_file(scene->bed.cache, unlink_pack, NULL);
	atomic_fetch_add(&scene->bed.clock.monotonic_ms, 2000);
	store_tend(scene->other);
	keep_anew(scene);
}

static void a_pack_evicted_in_front_of_its_opening_is_looked_up_anew(
    void **state)
{
	(void)state;
	for (unsigned pages = 0; pages < 2; pages++) {
		struct scene scene;
		int loaded;

		make_scene(&scene);
		act_arg = &scene;
		act = evict_and_keep_anew;
		open_flag = O_RDONLY;
		loaded = pages == 0
		    ? bed_load(&scene.bed, scene.mine, LARGE, 1, 0)
		    : store_load_pages(scene.mine, 0, 100, 5000, STORE_WAIT,
		          scene.bed.buffers[0]);
		assert_null(act);
		assert_int_equal(loaded, 1);
		end_scene(&scene);
	}
}

/* Whenever another process mends a damaged block, its work stays. */
static void good_bytes_stay_although_the_entry_before_was_bad(void **state)
{
	bool acted = true;
	unsigned nth;

	(void)state;
	for (nth = 1; acted; nth++) {
		struct scene scene;

		make_scene(&scene);
		bed_each_file(scene.bed.cache, flip_pack, NULL);
		act_arg = &scene;
		act = keep_anew;
		reads_before = nth;
		(void)bed_load(&scene.bed, scene.mine, LARGE, 1, 0);
		acted = act == NULL;
		act = NULL;
		if (acted)
			assert_int_equal(
			    bed_load(&scene.bed, scene.mine, LARGE, 1, 0), 1);
		end_scene(&scene);
	}
	/* Entry and bytes, twice, and the entry once more. */
	assert_true(nth > 5);
}

/* What cannot be kept anew is not read again in vain. */
static void a_damaged_block_is_no_longer_there(void **state)
{
	struct scene scene;
	bool have[1] = {false};

	(void)state;
	make_scene(&scene);
	bed_each_file(scene.bed.cache, flip_pack, NULL);
	assert_int_equal(store_probe(scene.mine, 0, 1, STORE_WAIT, have), 1);
	assert_true(have[0]);
	assert_int_equal(bed_load(&scene.bed, scene.mine, LARGE, 1, 0), 0);
	assert_int_equal(store_probe(scene.mine, 0, 1, STORE_WAIT, have), 1);
	assert_false(have[0]);
	end_scene(&scene);
}

/* The other one keeps two more blocks and ends. */
static void keep_more_and_end(void *arg)
{
	struct scene *scene = arg;

	assert_int_equal(
	    bed_keep(scene->other, scene->theirs, LARGE, 2, 2, 2), 2);
	store_object_close(scene->theirs);
	store_close(scene->other);
	scene->other = NULL;
}

/* The size of a pack counts once it is ours. */
static void what_a_writer_kept_last_is_not_written_over(void **state)
{
	struct scene scene;
	struct store_object *late;
	struct store *third;

	(void)state;
	make_scene(&scene);
	store_object_close(scene.theirs);
	scene.theirs = bed_object(scene.other, "/theirs", LARGE);
	assert_int_equal(
	    bed_keep(scene.other, scene.theirs, LARGE, 2, 0, 2), 2);
	third = bed_second(&scene.bed);
	late = bed_object(third, "/late", LARGE);
	act_arg = &scene;
	act = keep_more_and_end;
	open_flag = O_RDWR;
	assert_int_equal(
	    bed_keep(third, late, LARGE, 3, 0, LARGE_BLOCKS), LARGE_BLOCKS);
	assert_null(act);
	store_object_close(late);
	store_close(third);
	late = bed_object(scene.bed.store, "/late", LARGE);
	scene.theirs = bed_object(scene.bed.store, "/theirs", LARGE);
	for (unsigned i = 0; i < LARGE_BLOCKS; i++) {
		assert_int_equal(
		    bed_load(&scene.bed, scene.mine, LARGE, 1, i), 1);
		assert_int_equal(
		    bed_load(&scene.bed, scene.theirs, LARGE, 2, i), 1);
		assert_int_equal(bed_load(&scene.bed, late, LARGE, 3, i), 1);
	}
	store_object_close(late);
	store_object_close(scene.theirs);
	end_scene(&scene);
}

static void make_old(void *arg, const char *path)
{
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	(void)arg;
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* The oldest pack stays as long as somebody writes it. */
static void a_pack_that_is_written_is_not_evicted(void **state)
{
	struct scene scene;

	(void)state;
	make_scene(&scene);
	bed_each_file(scene.bed.cache, make_old, NULL);
	for (unsigned i = 0; i < 120; i++) {
		char name[16];
		struct store_object *object;

		(void)snprintf(name, sizeof(name), "/f%u", i);
		object = bed_object(scene.other, name, LARGE);
		assert_int_equal(bed_keep(scene.other, object, LARGE, 100 + i,
		                     0, LARGE_BLOCKS),
		    LARGE_BLOCKS);
		store_object_close(object);
	}
	assert_int_equal(
	    bed_keep(scene.bed.store, scene.mine, LARGE, 5, 0, 1), 1);
	assert_int_equal(bed_load(&scene.bed, scene.mine, LARGE, 5, 0), 1);
	end_scene(&scene);
}

static void first_pack(void *arg, const char *path)
{
	if (strstr(path, "/packs/") != NULL)
		(void)snprintf(arg, 600, "%s", path);
}

/* Bytes that a file says it has, but does not take, cost nobody anything. */
static void what_counts_is_what_the_disk_has_given(void **state)
{
	struct scene scene;
	struct stat stat_;
	char path[600] = "";
	char *slash;
	int fd;

	(void)state;
	make_scene(&scene);
	bed_each_file(scene.bed.cache, first_pack, path);
	slash = strrchr(path, '/');
	assert_non_null(slash);
	(void)snprintf(slash, sizeof(path) - (size_t)(slash - path), "/1");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)60 * MIB), 0);
	(void)close(fd);
	make_old(NULL, path);
	bed_tend(&scene.bed);
	assert_int_equal(stat(path, &stat_), 0);
	for (unsigned i = 0; i < LARGE_BLOCKS; i++)
		assert_int_equal(
		    bed_load(&scene.bed, scene.mine, LARGE, 1, i), 1);
	end_scene(&scene);
}

/* A power cut finds the old format or the new one, whole. */
static void the_format_is_flushed_before_it_takes_its_name(void **state)
{
	struct scene scene;

	(void)state;
	memset(order, 0, sizeof(order));
	ordered = 0;
	make_scene(&scene);
	assert_string_equal(order, "frd");
	end_scene(&scene);
}

static void a_pack_is_a_256th_of_the_bound_within_limits(void **state)
{
	const uint64_t mib = MIB;
	const struct {
		uint64_t cache_bytes;
		uint64_t pack_bytes;
	} cases[] = {
	    {0, mib},
	    {64 * mib, mib},
	    {256 * mib, mib},
	    {1024 * mib, 4 * mib},
	    {10240 * mib, 40 * mib},
	    {16384 * mib, 64 * mib},
	    {1048576 * mib, 64 * mib},
	    {UINT64_MAX, 64 * mib},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store *store = calloc(1, sizeof(*store));

		assert_non_null(store);
		atomic_init(&store->bound_bytes, cases[i].cache_bytes);
		assert_int_equal(usage_pack_bytes(store), cases[i].pack_bytes);
		free(store);
	}
}

/* Blocks that are looked up in a row are compared one by one. */
static void a_row_of_colliding_blocks_is_not_shared(void **state)
{
	struct scene scene;
	struct store_object *twin;

	(void)state;
	colliding = true;
	turn = 0;
	make_scene(&scene);
	assert_int_equal(turn, LARGE_BLOCKS);
	twin = bed_object(scene.bed.store, "/twin", LARGE);
	assert_int_equal(
	    bed_keep(scene.bed.store, twin, LARGE, 9, 0, LARGE_BLOCKS),
	    LARGE_BLOCKS);
	colliding = false;
	for (unsigned i = 0; i < LARGE_BLOCKS; i++) {
		assert_int_equal(
		    bed_load(&scene.bed, scene.mine, LARGE, 1, i), 1);
		assert_int_equal(bed_load(&scene.bed, twin, LARGE, 9, i), 1);
	}
	store_object_close(twin);
	end_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
	        a_pack_evicted_in_front_of_its_opening_is_looked_up_anew),
	    cmocka_unit_test(good_bytes_stay_although_the_entry_before_was_bad),
	    cmocka_unit_test(a_damaged_block_is_no_longer_there),
	    cmocka_unit_test(what_a_writer_kept_last_is_not_written_over),
	    cmocka_unit_test(a_pack_that_is_written_is_not_evicted),
	    cmocka_unit_test(what_counts_is_what_the_disk_has_given),
	    cmocka_unit_test(the_format_is_flushed_before_it_takes_its_name),
	    cmocka_unit_test(a_pack_is_a_256th_of_the_bound_within_limits),
	    cmocka_unit_test(a_row_of_colliding_blocks_is_not_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
