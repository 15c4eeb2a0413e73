/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_spool_faults.c - each system call and each
 * allocation of the spool fails, once or from then on, at each of its turns:
 * a call that says it was done was done, bytes that were promised are there
 * afterwards, no crash, no leak.
 *
 * The calls are wrapped under the names that 64-bit offsets give them.
 */
#include "tests/unit/cache/spool/spool_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

enum call {
	OPENAT,
	PREAD,
	PWRITE,
	FTRUNCATE,
	FSTAT,
	FSTATVFS,
	MKDIRAT,
	RENAMEAT,
	FSYNC,
	FDATASYNC,
	FLOCK,
	FCNTL,
	UNLINKAT,
	LINKAT,
	ALLOCATE,
	CALLS,
};

static enum call failing = CALLS;
static bool no_cut;  /* FTRUNCATE fails as well */
static bool onwards; /* all that follow fail too */
static bool halved;  /* a write is cut in the middle, then fails */
static int fail_errno;
static unsigned countdown;
static bool met; /* the chosen call came */

static bool fails(enum call call)
{
	if (call != failing)
		return false;
	if (countdown > 0)
		countdown--;
	if (countdown > 0 || (!onwards && met))
		return false;
	met = true;
	errno = fail_errno;
	return true;
}

#define WRAPPED(call, name, parameters, arguments) \
	int __real_##name parameters;              \
	int __wrap_##name parameters;              \
	int __wrap_##name parameters               \
	{                                          \
		if (fails(call))                   \
			return -1;                 \
		return __real_##name arguments;    \
	}

WRAPPED(FSTAT, fstat64, (int fd, struct stat64 *out), (fd, out))
WRAPPED(FSTATVFS, fstatvfs64, (int fd, struct statvfs64 *out), (fd, out))
WRAPPED(
    MKDIRAT, mkdirat, (int fd, const char *name, mode_t bits), (fd, name, bits))
WRAPPED(RENAMEAT, renameat,
    (int from_fd, const char *from, int to_fd, const char *to),
    (from_fd, from, to_fd, to))
WRAPPED(FSYNC, fsync, (int fd), (fd))
WRAPPED(FDATASYNC, fdatasync, (int fd), (fd))
WRAPPED(FLOCK, flock, (int fd, int how), (fd, how))
WRAPPED(UNLINKAT, unlinkat, (int fd, const char *name, int flags),
    (fd, name, flags))
WRAPPED(LINKAT, linkat,
    (int from_fd, const char *from, int to_fd, const char *to, int flags),
    (from_fd, from, to_fd, to, flags))

int __real_ftruncate64(int fd, off64_t size);
int __wrap_ftruncate64(int fd, off64_t size);
int __real_openat64(int dir_fd, const char *name, int flags, ...);
int __wrap_openat64(int dir_fd, const char *name, int flags, ...);
int __real_fcntl64(int fd, int what, ...);
int __wrap_fcntl64(int fd, int what, ...);
ssize_t __real_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags);
ssize_t __wrap_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags);
ssize_t __real_pwrite64(int fd, const void *bytes, size_t size, off64_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t at);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

int __wrap_ftruncate64(int fd, off64_t size)
{
	if (no_cut) {
		errno = EIO;
		return -1;
	}
	return fails(FTRUNCATE) ? -1 : __real_ftruncate64(fd, size);
}

int __wrap_openat64(int dir_fd, const char *name, int flags, ...)
{
	va_list list;
	mode_t bits;

	va_start(list, flags);
	bits = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
	va_end(list);
	return fails(OPENAT) ? -1 : __real_openat64(dir_fd, name, flags, bits);
}

int __wrap_fcntl64(int fd, int what, ...)
{
	va_list list;
	void *argument;

	va_start(list, what);
	argument = va_arg(list, void *);
	va_end(list);
	return fails(FCNTL) ? -1 : __real_fcntl64(fd, what, argument);
}

ssize_t __wrap_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags)
{
	return fails(PREAD)
	    ? -1
	    : __real_preadv64v2(fd, vectors, count, offset, flags);
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
	if (!fails(PWRITE))
		return __real_pwrite64(fd, bytes, size, at);
	if (halved)
		(void)!__real_pwrite64(fd, bytes, size / 2, at);
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

/* What had returned success when the work ended. */
struct done {
	bool created;
	bool written;
	bool longer;
	bool promised;
	bool made;    /* the directory's entry */
	bool removed; /* the one that was to go */
	bool out;     /* the one that came after it */
};

enum { SIZE = 3000, LONGER = 9000 };

static void work_file(struct bed *bed, struct done *done, const uint8_t *bytes)
{
	struct err err = ERR_INIT;
	struct spool_wish wish = bed_wish_base("/file", 1000);
	struct spool_entry *entry;
	int code = spool_create(bed->spool, &wish, &entry, &err);

	done->created = code == 0;
	if (code < 0) {
		assert_null(entry);
		return;
	}
	done->written = spool_write(entry, bytes, SIZE, 500, &err) == 0;
	/* The size is as it was when it failed, and again afterwards. */
	assert_int_equal(
	    spool_attr(entry).size_bytes, done->written ? 500 + SIZE : 1000);
	if (done->written)
		done->longer =
		    spool_write(entry, bytes, 100, LONGER, &err) == 0;
	if (done->longer && spool_rename(entry, "/renamed", &err) == 0)
		done->promised = spool_finish(entry, SPOOL_TO_POWER, &err) == 0;
	spool_release(entry);
}

static void work(struct bed *bed, struct done *done, const uint8_t *bytes)
{
	struct err err = ERR_INIT;
	struct spool_config config = {.clock = &bed->clock,
	    .dir = bed->dir,
	    .size_bytes = bed->size_bytes,
	    .boot = bed->boot};
	struct spool_wish wish = bed_wish("/dir");
	struct spool_entry *entry;
	char name[SPOOL_TEXT_BYTES_MAX + 32];
	char dir[200];

	memset(done, 0, sizeof(*done));
	if (spool_open(&bed->spool, &config, &err) < 0) {
		assert_null(bed->spool);
		assert_true(err.text[0] != '\0');
		return;
	}
	work_file(bed, done, bytes);
	wish.kind = SPOOL_MKDIR;
	if (spool_create(bed->spool, &wish, &entry, &err) == 0) {
		done->made = true;
		spool_release(entry);
	}
	wish = bed_wish("/going");
	if (spool_create(bed->spool, &wish, &entry, &err) == 0)
		done->removed = spool_write(entry, bytes, SIZE, 0, &err) == 0 &&
		    spool_drop(entry, &err) == 0 &&
		    spool_remove(&entry, &err) == 0;
	if (!done->removed)
		spool_release(entry);
	/* Its files serve the next. */
	wish = bed_wish("/out");
	(void)snprintf(dir, sizeof(dir), "%s/out", bed->top);
	if (spool_create(bed->spool, &wish, &entry, &err) == 0)
		done->out = spool_write(entry, "out", 3, 0, &err) == 0 &&
		    spool_export(&entry, dir, name, &err) == 0;
	if (!done->out)
		spool_release(entry);
	/* Whatever fails of it, it does not matter here. */
	(void)!spool_adopt(
	    bed->spool, &(struct spool_filter){.uid = 1}, NULL, NULL, &err);
	spool_close(bed->spool);
	bed->spool = NULL;
}

static void check_file(
    struct bed *bed, const struct done *done, const uint8_t *bytes)
{
	struct spool_entry *entry = bed_take(bed, "/renamed");
	size_t size;
	uint8_t *found;

	if (done->promised)
		assert_non_null(entry);
	if (!done->created || entry == NULL) {
		assert_null(entry);
		if (done->created)
			assert_true(bed_count(bed, SPOOL_ASIDE) >= 1);
		return;
	}
	found = bed_whole(entry, &size);
	assert_int_equal(size, LONGER + 100);
	for (size_t i = 0; i < 500; i++)
		assert_int_equal(found[i], bed_base_byte(i));
	assert_memory_equal(found + 500, bytes, SIZE);
	for (size_t i = 500 + SIZE; i < LONGER; i++)
		assert_int_equal(found[i], 0);
	assert_memory_equal(found + LONGER, bytes, 100);
	free(found);
	spool_release(entry);
}

static void check_out(const struct bed *bed)
{
	char path[200];
	char bytes[8];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/out/out", bed->top);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 3);
	assert_memory_equal(bytes, "out", 3);
	(void)close(fd);
}

/* Fail the nth call; whether it came. */
static bool fail_one(enum call call, unsigned nth, const uint8_t *bytes)
{
	struct bed bed;
	struct done done;
	struct spool_item item;

	bed_init(&bed);
	spool_close(bed.spool);
	bed_remove(bed.dir);
	failing = call;
	countdown = nth;
	met = false;
	work(&bed, &done, bytes);
	failing = CALLS;
	/* The disk works again. */
	bed.spool = bed_second(&bed);
	check_file(&bed, &done, bytes);
	item = bed_item(&bed, "/dir");
	if (done.made)
		assert_int_equal(item.state, SPOOL_CLOSED);
	if (item.state != 0)
		spool_item_fini(&item);
	item = bed_item(&bed, "/going");
	if (done.removed)
		assert_int_equal(item.state, 0);
	if (item.state != 0)
		spool_item_fini(&item);
	if (done.out)
		check_out(&bed);
	bed_fini(&bed);
	return met;
}

static void fail_each(int code, bool all_that_follow, bool in_the_middle)
{
	uint8_t bytes[SIZE];
	unsigned total = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	fail_errno = code;
	onwards = all_that_follow;
	halved = in_the_middle;
	for (enum call call = 0; call < CALLS; call++) {
		unsigned nth = 1;

		while (fail_one(call, nth, bytes))
			nth++;
		assert_true(nth > 1);
		total += nth;
	}
	assert_true(total > 80);
}

/* What was filled up is the base's, and reads as before. */
static void a_write_that_fails_leaves_what_was_filled_up(void **state)
{
	unsigned nth = 1;

	(void)state;
	fail_errno = ENOSPC;
	onwards = halved = false;
	for (met = true; met; nth++) {
		struct bed bed;
		struct spool_entry *entry;
		struct err err = ERR_INIT;
		int code;

		bed_init(&bed);
		entry = bed_file_base(&bed, "/a", 10);
		bed_write(entry, 4, "XY");
		assert_int_equal(
		    spool_fill(entry, "0123456789", 10, 0, &err), 0);
		met = false;
		countdown = nth;
		failing = PWRITE;
		/* Over what is filled up, ours, and filled up. */
		code = spool_write(entry, "QRSTUV", 6, 2, &err);
		failing = CALLS;
		assert_int_equal(code, met ? -ENOSPC : 0);
		bed_expect(entry, met ? "0123XY6789" : "01QRSTUV89");
		spool_release(entry);
		bed_fini(&bed);
	}
	/* The range, and the bytes. */
	assert_int_equal(nth, 4);
}

static void each_call_fails_once(void **state)
{
	(void)state;
	fail_each(EIO, false, false);
}

static void each_call_fails_from_then_on(void **state)
{
	(void)state;
	fail_each(ENOSPC, true, false);
}

static void each_write_is_cut_in_the_middle(void **state)
{
	(void)state;
	fail_each(EDQUOT, false, true);
}

/* What a failed flush forgot, a second one does not know of. */
static void after_a_failed_flush_nothing_is_promised(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct err err = ERR_INIT;
	struct spool_item item;

	(void)state;
	bed_init(&bed);
	entry = bed_file(&bed, "/a");
	bed_write(entry, 0, "bytes");
	failing = FDATASYNC;
	countdown = 1;
	met = onwards = false;
	fail_errno = EIO;
	assert_int_equal(spool_sync(entry, &err), -EIO);
	failing = CALLS;
	assert_int_equal(spool_sync(entry, &err), -EIO);
	assert_int_equal(spool_write(entry, "x", 1, 0, &err), -EIO);
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), -EIO);
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), -EIO);
	bed_expect(entry, "bytes");
	spool_release(entry);
	assert_int_equal(bed_adopt(&bed), 0);
	item = bed_item(&bed, "/a");
	assert_int_equal(item.state, SPOOL_ASIDE);
	assert_int_equal(item.code, -EIO);
	assert_non_null(strstr(item.text[SPOOL_WHY], "disk failed"));
	spool_item_fini(&item);
	bed_fini(&bed);
}

/* A write fails behind the end and the end cannot be set back: it is, in
 * front of whatever comes next. */
static void what_a_failed_write_left_behind_the_end_is_cut(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct err err = ERR_INIT;
	static const char gap[] = "one\0\0\0two";
	size_t size;
	uint8_t *found;

	(void)state;
	bed_init(&bed);
	entry = bed_file_base(&bed, "/a", 3);
	bed_write(entry, 0, "one");
	onwards = halved = true;
	fail_errno = ENOSPC;
	failing = PWRITE;
	countdown = 1;
	met = false;
	no_cut = true;
	assert_int_equal(spool_write(entry, "garbage", 7, 3, &err), -ENOSPC);
	failing = CALLS;
	halved = onwards = false;
	assert_int_equal(spool_attr(entry).size_bytes, 3);
	assert_int_equal(spool_write(entry, "two", 3, 6, &err), -EIO);
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), -EIO);
	no_cut = false;
	bed_write(entry, 6, "two");
	found = bed_whole(entry, &size);
	assert_int_equal(size, 9);
	assert_memory_equal(found, gap, 9);
	free(found);
	spool_release(entry);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_write_that_fails_leaves_what_was_filled_up),
	    cmocka_unit_test(each_call_fails_once),
	    cmocka_unit_test(each_call_fails_from_then_on),
	    cmocka_unit_test(each_write_is_cut_in_the_middle),
	    cmocka_unit_test(after_a_failed_flush_nothing_is_promised),
	    cmocka_unit_test(what_a_failed_write_left_behind_the_end_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
