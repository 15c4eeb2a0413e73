/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store_crash.c - a process that keeps blocks is
 * killed at each of its system calls, and others go on with the directory:
 * nothing wrong, nothing leaked, packs of the dead adopted.
 *
 * The child counts its calls by --wrap (of the names that 64-bit offsets
 * give them) and ends without a word in front of
 * the chosen one, or in the middle of a write: as kill -9 does.
 */
#include "base/stats.h"
#include "tests/unit/cache/store/store_bed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SMALL = 3000, LARGE = 6 * 65536 + 77, LARGE_BLOCKS = 7, KILLED = 77 };

static unsigned countdown; /* 0: lives */
static bool torn;          /* dies in the middle of a write */

static bool dies_now(void)
{
	return countdown > 0 && --countdown == 0;
}

ssize_t __real_pwrite64(int fd, const void *bytes, size_t size, off64_t offset);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t offset);
ssize_t __real_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset);
ssize_t __wrap_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	if (dies_now()) {
		if (torn)
			(void)!__real_pwrite64(fd, bytes, size / 2, offset);
		_exit(KILLED);
	}
	return __real_pwrite64(fd, bytes, size, offset);
}

ssize_t __wrap_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset)
{
	if (dies_now()) {
		if (torn)
			(void)!__real_pwritev64(
			    fd, vectors, (count + 1) / 2, offset);
		_exit(KILLED);
	}
	return __real_pwritev64(fd, vectors, count, offset);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	if (dies_now())
		_exit(KILLED);
	return __real_renameat(from_fd, from, to_fd, to);
}

int __wrap_unlinkat(int fd, const char *name, int flags)
{
	if (dies_now())
		_exit(KILLED);
	return __real_unlinkat(fd, name, flags);
}

int __wrap_fsync(int fd)
{
	if (dies_now())
		_exit(KILLED);
	return __real_fsync(fd);
}

/* What the child does: open the store, keep two files, close. */
static void work(const struct bed *bed)
{
	struct store_config config = {.clock = &bed->clock,
	    .dir = bed->cache,
	    .size_bytes = bed->size_bytes};
	struct err err = ERR_INIT;
	struct store *store;
	struct store_object *objects[2];

	if (store_open(&store, &config, &err) < 0)
		_exit(1);
	objects[0] = bed_object(store, "/small", SMALL);
	objects[1] = bed_object(store, "/large", LARGE);
	if (bed_keep(store, objects[0], SMALL, 1, 0, 1) != 1 ||
	    bed_keep(store, objects[1], LARGE, 2, 0, 4) != 4 ||
	    bed_keep(store, objects[1], LARGE, 2, 4, 3) != 3)
		_exit(2);
	store_object_close(objects[0]);
	store_object_close(objects[1]);
	store_close(store);
	_exit(0);
}

/* Run the child; true when it lived to its end. */
static bool run_child(const struct bed *bed, unsigned nth, bool in_the_middle)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		countdown = nth;
		torn = in_the_middle;
		work(bed);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED);
	return WEXITSTATUS(status) == 0;
}

static unsigned count_packs(const struct bed *bed)
{
	char path[600];
	unsigned count = 0;
	DIR *dir = opendir(bed->cache);
	struct dirent *entry;

	assert_non_null(dir);
	while (
	    (entry = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe)
		DIR *packs;
		struct dirent *pack;

		if (strncmp(entry->d_name, "v1-", 3) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%.64s/packs", bed->cache,
		    entry->d_name);
		packs = opendir(path);
		if (packs == NULL)
			continue;
		while ((pack = readdir( // NOLINT(concurrency-mt-unsafe)
		            packs)) != NULL)
			count += pack->d_name[0] != '.';
		(void)closedir(packs);
	}
	(void)closedir(dir);
	return count;
}

/* What is there is right. */
static void check_bytes(struct bed *bed)
{
	struct store_object *small = bed_object(bed->store, "/small", SMALL);
	struct store_object *large = bed_object(bed->store, "/large", LARGE);

	(void)bed_load(bed, small, SMALL, 1, 0);
	for (unsigned i = 0; i < LARGE_BLOCKS; i++)
		(void)bed_load(bed, large, LARGE, 2, i);
	/* While another writes, the lock may be taken: not kept is right. */
	(void)bed_keep(bed->store, large, LARGE, 2, 0, LARGE_BLOCKS);
	store_object_close(small);
	store_object_close(large);
}

/* What is there is right; kept again, all is there. */
static void check_survivors(struct bed *bed)
{
	struct store_object *small = bed_object(bed->store, "/small", SMALL);
	struct store_object *large = bed_object(bed->store, "/large", LARGE);

	(void)bed_load(bed, small, SMALL, 1, 0);
	for (unsigned i = 0; i < LARGE_BLOCKS; i++)
		(void)bed_load(bed, large, LARGE, 2, i);
	assert_int_equal(bed_keep(bed->store, small, SMALL, 1, 0, 1), 1);
	assert_int_equal(bed_keep(bed->store, large, LARGE, 2, 0, LARGE_BLOCKS),
	    LARGE_BLOCKS);
	assert_int_equal(bed_load(bed, small, SMALL, 1, 0), 1);
	for (unsigned i = 0; i < LARGE_BLOCKS; i++)
		assert_int_equal(bed_load(bed, large, LARGE, 2, i), 1);
	store_object_close(small);
	store_object_close(large);
}

/* The child evicts, and is killed at its nth call; true when it lived. */
static bool run_evictor(const struct bed *bed, unsigned nth, bool in_the_middle)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct bed own = *bed;
		struct store *store = bed_second(&own);

		countdown = nth;
		torn = in_the_middle;
		bed_evict(store, (uint64_t)3 << 20);
		countdown = 0;
		store_close(store);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED);
	return WEXITSTATUS(status) == 0;
}

/* Whatever it was doing, what is there is right, what was used is there, and
 * another one may evict at once. */
static void a_killed_evictor_loses_nothing_and_leaves_its_lock(void **state)
{
	bool lived = false;
	unsigned nth;

	(void)state;
	for (nth = 2; !lived; nth++) {
		struct bed bed;
		uint64_t evicted;

		assert_true(nth < 1000);
		bed_init_in_memory(&bed, BED_CARRY_BYTES);
		bed_carry_fill(&bed);
		store_close(bed.store);
		lived = run_evictor(&bed, nth / 2, nth % 2 == 0);
		bed.store = bed_second(&bed);
		(void)bed_carry_check(&bed, false);
		assert_int_equal(bed_carry_check(&bed, true), BED_CARRY_USED);
		evicted = stats_get(STATS_cache_evicted_packs);
		bed_evict(bed.store, (uint64_t)1 << 20);
		assert_true(stats_get(STATS_cache_evicted_packs) > evicted);
		(void)bed_carry_check(&bed, false);
		check_survivors(&bed);
		bed_fini(&bed);
	}
	/* Copies, entries, the hand, packs. */
	assert_true(nth > 30);
}

static void kill_at_each_call(bool in_the_middle)
{
	bool lived = false;
	unsigned nth;

	for (nth = 1; !lived; nth++) {
		uint64_t corrupt = stats_get(STATS_cache_corrupt_blocks);
		struct bed bed;

		assert_true(nth < 1000);
		bed_init_in_memory(&bed, (uint64_t)8 * 1024 * 1024);
		/* Also the making of the directory dies once. */
		store_close(bed.store);
		bed_remove(bed.cache);
		lived = run_child(&bed, nth, in_the_middle);
		bed.store = bed_second(&bed);
		check_survivors(&bed);
		/* Bytes came first: nothing names what was not written. */
		if (!in_the_middle)
			assert_int_equal(
			    stats_get(STATS_cache_corrupt_blocks), corrupt);
		/* The dead writer's pack is the one that goes on. */
		assert_int_equal(count_packs(&bed), 1);
		bed_fini(&bed);
	}
	/* format, next, packs, tables, maps: it did die on its way. */
	assert_true(nth > 10);
}

static void a_kill_in_front_of_each_call_leaves_right_bytes(void **state)
{
	(void)state;
	kill_at_each_call(false);
}

static void a_kill_within_each_write_leaves_right_bytes(void **state)
{
	(void)state;
	kill_at_each_call(true);
}

static void packs_of_many_dead_writers_are_adopted(void **state)
{
	struct bed bed;

	(void)state;
	bed_init_in_memory(&bed, (uint64_t)8 * 1024 * 1024);
	store_close(bed.store);
	for (unsigned i = 0; i < 20; i++)
		(void)run_child(&bed, 5 + i, true);
	bed.store = bed_second(&bed);
	check_survivors(&bed);
	assert_true(count_packs(&bed) <= 2);
	bed_fini(&bed);
}

static void a_live_writers_pack_is_left_alone(void **state)
{
	struct bed bed;
	struct store *other;
	struct store_object *object;
	struct store_object *theirs;

	(void)state;
	bed_init_in_memory(&bed, (uint64_t)8 * 1024 * 1024);
	other = bed_second(&bed);
	object = bed_object(bed.store, "/mine", LARGE);
	theirs = bed_object(other, "/theirs", LARGE);
	for (unsigned i = 0; i < LARGE_BLOCKS; i++) {
		assert_int_equal(
		    bed_keep(bed.store, object, LARGE, 1, i, 1), 1);
		assert_int_equal(bed_keep(other, theirs, LARGE, 2, i, 1), 1);
	}
	assert_int_equal(count_packs(&bed), 2);
	for (unsigned i = 0; i < LARGE_BLOCKS; i++) {
		assert_int_equal(bed_load(&bed, object, LARGE, 1, i), 1);
		assert_int_equal(bed_load(&bed, theirs, LARGE, 2, i), 1);
	}
	store_object_close(object);
	store_object_close(theirs);
	store_close(other);
	bed_fini(&bed);
}

/* Random kills from outside, under load, of one of two that use it. */
static void random_kills_leave_right_bytes(void **state)
{
	struct bed bed;
	uint64_t random = 7;

	(void)state;
	bed_init_in_memory(&bed, (uint64_t)8 * 1024 * 1024);
	for (unsigned round = 0; round < 15; round++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			struct store *store = bed_second(&bed);

			for (uint64_t i = 0;; i++) {
				struct store_object *object =
				    bed_object(store, "/large", LARGE);

				(void)bed_keep(
				    store, object, LARGE, 2, 0, LARGE_BLOCKS);
				store_object_close(object);
				object = bed_object(
				    store, i % 2 ? "/a" : "/b", LARGE);
				(void)bed_keep(
				    store, object, LARGE, i, 0, LARGE_BLOCKS);
				store_object_close(object);
				store_tend(store);
			}
		}
		for (uint64_t i = bed_random(&random) % 20; i > 0; i--)
			check_bytes(&bed);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		bed_tend(&bed);
		check_survivors(&bed);
		assert_true(bed_disk_bytes(bed.cache) <= bed.size_bytes);
	}
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_kill_in_front_of_each_call_leaves_right_bytes),
	    cmocka_unit_test(a_kill_within_each_write_leaves_right_bytes),
	    cmocka_unit_test(
	        a_killed_evictor_loses_nothing_and_leaves_its_lock),
	    cmocka_unit_test(packs_of_many_dead_writers_are_adopted),
	    cmocka_unit_test(a_live_writers_pack_is_left_alone),
	    cmocka_unit_test(random_kills_leave_right_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
