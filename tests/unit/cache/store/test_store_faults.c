/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store_faults.c - each system call and each
 * allocation of the block store fails, once or from then on, at each of its
 * turns: never a wrong byte, never a crash or a leak, and once it works
 * again all is kept and loaded as before.
 *
 * The calls are wrapped under the names that 64-bit offsets give them.
 */
#include "base/stats.h"
#include "tests/unit/cache/store/store_bed.h"

#include <errno.h>
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

enum call {
	OPENAT,
	PREAD,
	PWRITE,
	PWRITEV,
	FTRUNCATE,
	FSTAT,
	FSTATAT,
	MKDIRAT,
	RENAMEAT,
	FSYNC,
	FLOCK,
	UNLINKAT,
	FUTIMENS,
	ALLOCATE,
	CALLS,
};

static const char *const call_names[CALLS] = {"openat", "pread", "pwrite",
    "pwritev", "ftruncate", "fstat", "fstatat", "mkdirat", "renameat", "fsync",
    "flock", "unlinkat", "futimens", "allocate"};

/* How a call fails. */
enum mode {
	ONCE,
	ONWARDS, /* and all that follow */
	SHORT,   /* a transfer is cut to its half */
	TORN,    /* what is read is not what will be there in a moment */
};

static enum call failing = CALLS;
static enum mode mode;
static int fail_errno;
static unsigned countdown;
static bool met;    /* the chosen call came */
static bool nowait; /* the caller must not wait: no such call may come */

static bool fails(enum call call)
{
	if (nowait)
		abort();
	if (call != failing)
		return false;
	if (countdown > 0)
		countdown--;
	if (countdown > 0 || (mode != ONWARDS && met))
		return false;
	met = true;
	return true;
}

/* A call that fails or goes through. */
#define WRAPPED(call, name, parameters, arguments) \
	int __real_##name parameters;              \
	int __wrap_##name parameters;              \
	int __wrap_##name parameters               \
	{                                          \
		if (fails(call)) {                 \
			errno = fail_errno;        \
			return -1;                 \
		}                                  \
		return __real_##name arguments;    \
	}

WRAPPED(FTRUNCATE, ftruncate64, (int fd, off64_t size), (fd, size))
WRAPPED(FSTAT, fstat64, (int fd, struct stat64 *out), (fd, out))
WRAPPED(FSTATAT, fstatat64,
    (int fd, const char *name, struct stat64 *out, int flags),
    (fd, name, out, flags))
WRAPPED(
    MKDIRAT, mkdirat, (int fd, const char *name, mode_t bits), (fd, name, bits))
WRAPPED(RENAMEAT, renameat,
    (int from_fd, const char *from, int to_fd, const char *to),
    (from_fd, from, to_fd, to))
WRAPPED(FSYNC, fsync, (int fd), (fd))
WRAPPED(FLOCK, flock, (int fd, int how), (fd, how))
WRAPPED(UNLINKAT, unlinkat, (int fd, const char *name, int flags),
    (fd, name, flags))
WRAPPED(
    FUTIMENS, futimens, (int fd, const struct timespec times[2]), (fd, times))

int __real_openat64(int dir_fd, const char *name, int flags, ...);
int __wrap_openat64(int dir_fd, const char *name, int flags, ...);
ssize_t __real_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags);
ssize_t __wrap_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags);
ssize_t __real_pwrite64(int fd, const void *bytes, size_t size, off64_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t at);
ssize_t __real_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset);
ssize_t __wrap_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

int __wrap_openat64(int dir_fd, const char *name, int flags, ...)
{
	va_list list;
	mode_t bits;

	va_start(list, flags);
	bits = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
	va_end(list);
	if (fails(OPENAT)) {
		errno = fail_errno;
		return -1;
	}
	return __real_openat64(dir_fd, name, flags, bits);
}

ssize_t __wrap_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags)
{
	if (nowait && (flags & RWF_NOWAIT) != 0)
		return __real_preadv64v2(fd, vectors, count, offset, flags);
	if (!fails(PREAD))
		return __real_preadv64v2(fd, vectors, count, offset, flags);
	if (mode == TORN) {
		ssize_t n =
		    __real_preadv64v2(fd, vectors, count, offset, flags);

		if (n > 0)
			((uint8_t *)vectors[0].iov_base)
			    [n / 2 < (ssize_t)vectors[0].iov_len ? n / 2 : 0] ^=
			    0x5a;
		return n;
	}
	if (mode == SHORT) {
		struct iovec half = vectors[0];

		/* What is read directly comes in whole pages. */
		if (half.iov_len >= 8192)
			half.iov_len = half.iov_len / 8192 * 4096;
		return __real_preadv64v2(fd, &half, 1, offset, flags);
	}
	errno = fail_errno;
	return -1;
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
	if (!fails(PWRITE))
		return __real_pwrite64(fd, bytes, size, at);
	if (mode == SHORT)
		return __real_pwrite64(fd, bytes, (size + 1) / 2, at);
	errno = fail_errno;
	return -1;
}

ssize_t __wrap_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset)
{
	if (!fails(PWRITEV))
		return __real_pwritev64(fd, vectors, count, offset);
	if (mode == SHORT)
		return __real_pwritev64(fd, vectors, (count + 1) / 2, offset);
	errno = fail_errno;
	return -1;
}

void *__wrap_malloc(size_t size)
{
	return fails(ALLOCATE) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails(ALLOCATE) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails(ALLOCATE) ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails(ALLOCATE) ? NULL : __real_aligned_alloc(align, size);
}

/* Bytes and block lists that are made before anything fails. */
enum { SMALL = 3000, LARGE = 6 * 65536 + 77, LARGE_BLOCKS = 7 };

struct scene {
	struct bed bed;
	uint8_t *small;
	uint8_t *large;
};

static void make_scene(struct scene *scene)
{
	bed_init_in_memory(&scene->bed, (uint64_t)8 * 1024 * 1024);
	scene->small = __real_aligned_alloc(4096, 4096);
	scene->large = __real_aligned_alloc(4096, LARGE_BLOCKS * 65536);
	assert_true(scene->small != NULL && scene->large != NULL);
	bed_fill(scene->small, SMALL, 1, 0);
	for (unsigned i = 0; i < LARGE_BLOCKS; i++)
		bed_fill(scene->large + (size_t)i * 65536,
		    i == LARGE_BLOCKS - 1 ? 77 : 65536, 2, i);
}

static void end_scene(struct scene *scene)
{
	free(scene->small);
	free(scene->large);
	bed_fini(&scene->bed);
}

static int open_object(struct store *store, const char *name,
    uint64_t size_bytes, struct store_object **out)
{
	struct store_identity identity = {.origin = "https://o.example:443",
	    .path = name,
	    .size_bytes = size_bytes,
	    .mtime_s = 1,
	    .etag = ""};

	return store_object_open(store, &identity, out);
}

static unsigned keep(
    struct scene *scene, struct store_object *small, struct store_object *large)
{
	struct store_block blocks[1 + LARGE_BLOCKS] = {
	    {.object = small, .bytes = scene->small, .size_bytes = SMALL}};

	for (unsigned i = 0; i < LARGE_BLOCKS; i++)
		blocks[1 + i] = (struct store_block){.object = large,
		    .index = i,
		    .bytes = scene->large + (size_t)i * 65536,
		    .size_bytes = i == LARGE_BLOCKS - 1 ? 77 : 65536};
	return store_keep(scene->bed.store, blocks, 1 + LARGE_BLOCKS);
}

/* Blocks that are loaded; a wrong byte fails the test. */
static unsigned load(
    struct scene *scene, struct store_object *small, struct store_object *large)
{
	void *const *buffers = scene->bed.buffers;
	unsigned there = 0;

	if (store_load(small, 0, 1, STORE_WAIT, buffers) == 1) {
		assert_memory_equal(buffers[0], scene->small, SMALL);
		there++;
	}
	for (unsigned i = 0; i < LARGE_BLOCKS;) {
		int n =
		    store_load(large, i, LARGE_BLOCKS - i, STORE_WAIT, buffers);

		assert_true(n >= 0 && n <= (int)(LARGE_BLOCKS - i));
		for (int b = 0; b < n; b++, i++) {
			assert_memory_equal(buffers[b],
			    scene->large + (size_t)i * 65536,
			    i == LARGE_BLOCKS - 1 ? 77 : 65536);
			there++;
		}
		if (n == 0)
			i++;
	}
	if (store_load_pages(large, 1, 5000, 6000, STORE_WAIT, buffers[0]) == 1)
		assert_memory_equal((uint8_t *)buffers[0] + 5000,
		    scene->large + 65536 + 5000, 6000);
	return there;
}

/* Everything that a store does, while calls fail. Blocks that are there. */
static unsigned act(struct scene *scene)
{
	struct store_object *small = NULL;
	struct store_object *large = NULL;
	unsigned there = 0;

	if (scene->bed.store == NULL) {
		struct store_config config = {.clock = &scene->bed.clock,
		    .dir = scene->bed.cache,
		    .size_bytes = scene->bed.size_bytes};
		struct err err = ERR_INIT;

		if (store_open(&scene->bed.store, &config, &err) < 0) {
			assert_null(scene->bed.store);
			assert_true(err.code < 0 && err.text[0] != '\0');
			return 0;
		}
	}
	if (open_object(scene->bed.store, "/small", SMALL, &small) == 0 &&
	    open_object(scene->bed.store, "/large", LARGE, &large) == 0) {
		(void)load(scene, small, large);
		(void)keep(scene, small, large);
		there = load(scene, small, large);
		(void)store_object_blocks(large);
		bed_tend(&scene->bed);
		(void)load(scene, small, large);
	}
	store_object_close(small);
	store_object_close(large);
	return there;
}

enum { ALL = 1 + LARGE_BLOCKS };

/* One round: the nth `call` fails, then it works again. */
static bool fail_one(
    enum call call, unsigned nth, enum mode how, int code, bool fresh_directory)
{
	struct scene scene;
	unsigned there;

	make_scene(&scene);
	store_close(scene.bed.store);
	scene.bed.store = NULL;
	if (fresh_directory)
		bed_remove(scene.bed.cache);
	met = false;
	mode = how;
	fail_errno = code;
	countdown = nth;
	failing = call;
	there = act(&scene);
	failing = CALLS;
	/* Interrupted and short calls are nobody's business. */
	if (code == EINTR || how == SHORT)
		assert_int_equal(there, ALL);
	/* What may come right leaves an open store that goes on by itself. */
	if (code == ENOSPC || code == EDQUOT || code == EROFS || code == EIO)
		assert_non_null(scene.bed.store);
	/* It works again: after a while (the store waits between tries) all
	 * is as if nothing had happened. */
	atomic_fetch_add(&scene.bed.clock.monotonic_ms, 10000);
	if (scene.bed.store != NULL)
		store_tend(scene.bed.store);
	there = act(&scene);
	if (there != ALL)
		fail_msg("%s %u, errno %d: %u of %u blocks afterwards",
		    call_names[call], nth, code, there, (unsigned)ALL);
	end_scene(&scene);
	return met;
}

static void fail_each(enum call call, enum mode how, int code)
{
	unsigned nth;

	for (nth = 1; fail_one(call, nth, how, code, true); nth++)
		assert_true(nth < 2000);
	if (nth == 1)
		fail_msg("%s is never called", call_names[call]);
	for (nth = 1; fail_one(call, nth, how, code, false); nth++)
		assert_true(nth < 2000);
}

/* The same while what was used is carried over. What is lost is a miss. */
static bool fail_eviction(enum call call, unsigned nth, int code)
{
	struct bed bed;
	uint64_t corrupt;

	bed_init_in_memory(&bed, BED_CARRY_BYTES);
	bed_carry_fill(&bed);
	corrupt = stats_get(STATS_cache_corrupt_blocks);
	met = false;
	mode = ONCE;
	fail_errno = code;
	countdown = nth;
	failing = call;
	bed_evict(bed.store, (uint64_t)3 << 20);
	failing = CALLS;
	(void)bed_carry_check(&bed, false);
	assert_int_equal(stats_get(STATS_cache_corrupt_blocks), corrupt);
	atomic_fetch_add(&bed.clock.monotonic_ms, 10000);
	store_tend(bed.store);
	bed_evict(bed.store, (uint64_t)3 << 20);
	(void)bed_carry_check(&bed, false);
	bed_fini(&bed);
	return met;
}

static void an_eviction_fails_at_each_call(void **state)
{
	static const struct {
		enum call call;
		int code;
	} each[] = {{OPENAT, EMFILE}, {PREAD, EIO}, {PWRITE, ENOSPC},
	    {PWRITEV, ENOSPC}, {PWRITEV, EIO}, {FSTAT, EIO},
	    {FLOCK, EWOULDBLOCK}, {UNLINKAT, EIO}, {ALLOCATE, ENOMEM}};

	(void)state;
	for (unsigned i = 0; i < sizeof(each) / sizeof(*each); i++) {
		unsigned nth = 1;

		while (fail_eviction(each[i].call, nth, each[i].code))
			nth++;
		if (nth == 1)
			fail_msg(
			    "%s is never called", call_names[each[i].call]);
	}
}

static void each_call_fails_once(void **state)
{
	static const int codes[CALLS] = {EIO, EIO, EIO, EIO, EIO, EIO, EIO, EIO,
	    EIO, EIO, EWOULDBLOCK, EACCES, EPERM, ENOMEM};

	(void)state;
	for (enum call call = 0; call < CALLS; call++)
		fail_each(call, ONCE, codes[call]);
}

static void a_disk_that_breaks_and_comes_back(void **state)
{
	(void)state;
	fail_each(PREAD, ONWARDS, EIO);
	fail_each(PWRITE, ONWARDS, EIO);
	fail_each(PWRITEV, ONWARDS, EIO);
	fail_each(OPENAT, ONWARDS, EIO);
}

static void a_full_disk_that_is_emptied_again(void **state)
{
	(void)state;
	fail_each(PWRITE, ONWARDS, ENOSPC);
	fail_each(PWRITEV, ONWARDS, ENOSPC);
	fail_each(PWRITEV, ONCE, EDQUOT);
	fail_each(OPENAT, ONWARDS, ENOSPC);
	fail_each(MKDIRAT, ONWARDS, ENOSPC);
	fail_each(FTRUNCATE, ONWARDS, ENOSPC);
}

static void descriptors_that_run_out(void **state)
{
	(void)state;
	fail_each(OPENAT, ONCE, EMFILE);
	fail_each(OPENAT, ONWARDS, EMFILE);
}

static void a_directory_that_becomes_read_only(void **state)
{
	(void)state;
	fail_each(PWRITE, ONWARDS, EROFS);
	fail_each(PWRITEV, ONWARDS, EROFS);
	fail_each(OPENAT, ONWARDS, EROFS);
}

static void interrupted_and_short_transfers_are_finished(void **state)
{
	(void)state;
	fail_each(PREAD, ONCE, EINTR);
	fail_each(PWRITE, ONCE, EINTR);
	fail_each(PWRITEV, ONCE, EINTR);
	fail_each(PREAD, SHORT, 0);
	fail_each(PWRITE, SHORT, 0);
	fail_each(PWRITEV, SHORT, 0);
}

static void memory_that_runs_out_and_comes_back(void **state)
{
	(void)state;
	fail_each(ALLOCATE, ONWARDS, ENOMEM);
}

/* A reader that meets a writer half way looks again: nothing is dropped and
 * nothing is called damaged. */
static void what_was_torn_once_is_read_once_more(void **state)
{
	uint64_t corrupt = stats_get(STATS_cache_corrupt_blocks);

	(void)state;
	fail_each(PREAD, TORN, 0);
	assert_int_equal(stats_get(STATS_cache_corrupt_blocks), corrupt);
}

/* A file system that does not know RWF_NOWAIT: slower, and right. */
static void without_nowait_reads_wait_their_turn(void **state)
{
	(void)state;
	fail_each(PREAD, ONCE, EOPNOTSUPP);
}

static void nowait_makes_no_call_that_waits(void **state)
{
	struct scene scene;
	struct store_object *small;
	struct store_object *large;
	bool have[LARGE_BLOCKS];
	void *const *buffers = scene.bed.buffers;

	(void)state;
	make_scene(&scene);
	assert_int_equal(
	    open_object(scene.bed.store, "/small", SMALL, &small), 0);
	assert_int_equal(
	    open_object(scene.bed.store, "/large", LARGE, &large), 0);
	nowait = true;
	assert_int_equal(store_load(large, 0, 7, STORE_NOWAIT, buffers), 0);
	assert_int_equal(store_load(small, 0, 1, STORE_NOWAIT, buffers), 0);
	nowait = false;
	assert_int_equal(keep(&scene, small, large), ALL);
	/* Packs are not open yet: somebody else has to. */
	nowait = true;
	assert_int_equal(
	    store_load(large, 0, 7, STORE_NOWAIT, buffers), -EAGAIN);
	assert_int_equal(
	    store_load(small, 0, 1, STORE_NOWAIT, buffers), -EAGAIN);
	nowait = false;
	assert_int_equal(load(&scene, small, large), ALL);
	nowait = true;

	int probed = store_probe(large, 0, 7, STORE_NOWAIT, have);
	int loaded = store_load(large, 0, 7, STORE_NOWAIT, buffers);
	int pages =
	    store_load_pages(large, 2, 100, 5000, STORE_NOWAIT, buffers[0]);
	int first = store_load(small, 0, 1, STORE_NOWAIT, buffers);

	nowait = false;
	/* Where the file system can tell, it was all hot. */
	assert_true(probed == 7 || probed == -EAGAIN);
	assert_true(loaded == 7 || loaded == -EAGAIN);
	assert_true(pages == 1 || pages == -EAGAIN);
	assert_true(first == 1 || first == -EAGAIN);
	store_object_close(small);
	store_object_close(large);
	end_scene(&scene);
}

/* A map whose descriptor went to others is opened by those who may wait. */
static void nowait_opens_no_map(void **state)
{
	enum { OTHERS = 70 };
	struct scene scene;
	struct store_object *small;
	struct store_object *large;
	struct store_object *others[OTHERS];
	bool have[1];

	(void)state;
	make_scene(&scene);
	assert_int_equal(
	    open_object(scene.bed.store, "/small", SMALL, &small), 0);
	assert_int_equal(
	    open_object(scene.bed.store, "/large", LARGE, &large), 0);
	assert_int_equal(keep(&scene, small, large), ALL);
	for (unsigned i = 0; i < OTHERS; i++) {
		char name[16];
		struct store_block block = {
		    .bytes = scene.large, .size_bytes = STORE_BLOCK_BYTES};

		(void)snprintf(name, sizeof(name), "/other%u", i);
		assert_int_equal(
		    open_object(scene.bed.store, name, LARGE, &others[i]), 0);
		block.object = others[i];
		assert_int_equal(store_keep(scene.bed.store, &block, 1), 1);
	}
	nowait = true;
	assert_int_equal(store_probe(large, 0, 1, STORE_NOWAIT, have), -EAGAIN);
	assert_int_equal(
	    store_load(large, 0, 1, STORE_NOWAIT, scene.bed.buffers), -EAGAIN);
	nowait = false;
	assert_int_equal(load(&scene, small, large), ALL);
	for (unsigned i = 0; i < OTHERS; i++)
		store_object_close(others[i]);
	store_object_close(small);
	store_object_close(large);
	end_scene(&scene);
}

static void flip_in_packs(void *arg, const char *path)
{
	uint8_t byte = 0xa5;
	int fd;

	(void)arg;
	if (strstr(path, "/packs/") == NULL)
		return;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (off_t at = 2000; at < LARGE; at += 4096)
		assert_int_equal(__real_pwrite64(fd, &byte, 1, at), 1);
	(void)close(fd);
}

/* What is damaged is left to those who may wait: they clear it. */
static void nowait_mends_nothing(void **state)
{
	struct scene scene;
	struct store_object *small;
	struct store_object *large;
	void *const *buffers = scene.bed.buffers;

	(void)state;
	make_scene(&scene);
	assert_int_equal(
	    open_object(scene.bed.store, "/small", SMALL, &small), 0);
	assert_int_equal(
	    open_object(scene.bed.store, "/large", LARGE, &large), 0);
	assert_int_equal(keep(&scene, small, large), ALL);
	assert_int_equal(load(&scene, small, large), ALL);
	bed_each_file(scene.bed.cache, flip_in_packs, NULL);
	nowait = true;
	assert_int_equal(
	    store_load(small, 0, 1, STORE_NOWAIT, buffers), -EAGAIN);
	assert_int_equal(
	    store_load(large, 0, 1, STORE_NOWAIT, buffers), -EAGAIN);
	assert_int_equal(
	    store_load_pages(large, 0, 0, 65536, STORE_NOWAIT, buffers[0]),
	    -EAGAIN);
	nowait = false;
	assert_true(load(&scene, small, large) < ALL);
	assert_int_equal(keep(&scene, small, large), ALL);
	assert_int_equal(load(&scene, small, large), ALL);
	store_object_close(small);
	store_object_close(large);
	end_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_call_fails_once),
	    cmocka_unit_test(an_eviction_fails_at_each_call),
	    cmocka_unit_test(a_disk_that_breaks_and_comes_back),
	    cmocka_unit_test(a_full_disk_that_is_emptied_again),
	    cmocka_unit_test(descriptors_that_run_out),
	    cmocka_unit_test(a_directory_that_becomes_read_only),
	    cmocka_unit_test(interrupted_and_short_transfers_are_finished),
	    cmocka_unit_test(memory_that_runs_out_and_comes_back),
	    cmocka_unit_test(what_was_torn_once_is_read_once_more),
	    cmocka_unit_test(without_nowait_reads_wait_their_turn),
	    cmocka_unit_test(nowait_makes_no_call_that_waits),
	    cmocka_unit_test(nowait_opens_no_map),
	    cmocka_unit_test(nowait_mends_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
