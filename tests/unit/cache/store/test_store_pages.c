/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store_pages.c - pages that the disk is asked for
 * without waiting: they come, verified, or whoever asked is told to wait for
 * them, exactly once, whatever the kernel answers.
 */
#include "cache/store/direct.h"
#include "tests/unit/cache/store/store_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	BLOCKS = 32,
	FILE_BYTES = BLOCKS * STORE_BLOCK_BYTES - 1000,
	SEED = 5,
	ASKED_MAX = 400,
};

/* What io_setup, io_submit and io_getevents are made to say; 0: nothing. */
static _Atomic int setup_code;
static _Atomic int submit_code;
static _Atomic int answer_code;
static _Atomic unsigned submitted;
static _Atomic bool hold_answers;
static _Atomic bool no_memory;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
void *__real_malloc(size_t size_bytes);
void *__wrap_malloc(size_t size_bytes);

void *__wrap_malloc(size_t size_bytes)
{
	return atomic_load(&no_memory) ? NULL : __real_malloc(size_bytes);
}

static long refuse(int code)
{
	errno = -code;
	return -1;
}

long __wrap_syscall(long number, ...)
{
	long a[5];
	va_list list;

	va_start(list, number);
	for (unsigned i = 0; i < 5; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_io_setup && setup_code < 0)
		return refuse(setup_code);
	if (number == SYS_io_submit) {
		if (submit_code < 0)
			return refuse(submit_code);
		(void)atomic_fetch_add(&submitted, 1);
	}

	long n = __real_syscall(number, a[0], a[1], a[2], a[3], a[4]);

	if (number != SYS_io_getevents)
		return n;
	while (atomic_load(&hold_answers))
		(void)usleep(1000);
	for (long i = 0; i < n && answer_code != 0; i++)
		((struct io_event *)a[3])[i].res = answer_code;
	return n;
}

struct asked {
	_Atomic unsigned count;
	int code;
	void *buffer;
};

struct pages_bed {
	struct bed bed;
	struct store_object *object;
	pthread_t lander;
	bool lands;
	struct asked asked[ASKED_MAX];
};

static void *lander(void *arg)
{
	store_land(arg);
	return NULL;
}

static void make_cold(void *arg, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	(void)arg;
	if (strstr(file, "/packs/") != NULL) {
		assert_int_equal(fsync(fd), 0);
		assert_int_equal(
		    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	}
	(void)close(fd);
}

static void start(struct pages_bed *pages)
{
	pages->lands = store_land_begin(pages->bed.store) == 0;
	if (pages->lands)
		assert_int_equal(pthread_create(&pages->lander, NULL, lander,
		                     pages->bed.store),
		    0);
}

/* A file that is on the disk and not in the page cache, but for its map; its
 * packs are open. */
static int set_up(void **state)
{
	static struct pages_bed pages;
	struct bed *bed = &pages.bed;

	setup_code = submit_code = answer_code = 0;
	bed_init(bed, (uint64_t)64 << 20);
	pages.object = bed_object(bed->store, "/a", FILE_BYTES);
	assert_int_equal(
	    bed_keep(bed->store, pages.object, FILE_BYTES, SEED, 0, BLOCKS),
	    BLOCKS);
	bed_each_file(bed->cache, make_cold, NULL);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(
		    bed_load(bed, pages.object, FILE_BYTES, SEED, i), 1);
	bed_each_file(bed->cache, make_cold, NULL);
	for (unsigned i = 0; i < ASKED_MAX; i++) {
		pages.asked[i] = (struct asked){
		    .buffer = aligned_alloc(4096, STORE_BLOCK_BYTES)};
		assert_non_null(pages.asked[i].buffer);
	}
	atomic_store(&submitted, 0);
	*state = &pages;
	return 0;
}

static void stop(struct pages_bed *pages)
{
	if (!pages->lands)
		return;
	store_land_end(pages->bed.store);
	(void)pthread_join(pages->lander, NULL);
	pages->lands = false;
}

static int tear_down(void **state)
{
	struct pages_bed *pages = *state;

	stop(pages);
	store_object_close(pages->object);
	bed_fini(&pages->bed);
	for (unsigned i = 0; i < ASKED_MAX; i++)
		free(pages->asked[i].buffer);
	return 0;
}

static void done(void *arg, int code)
{
	struct asked *asked = arg;

	asked->code = code;
	(void)atomic_fetch_add(&asked->count, 1);
}

/* The nth of many places. */
static uint64_t block_of(unsigned nth)
{
	return nth * 7 % BLOCKS;
}

static size_t offset_of(unsigned nth)
{
	return (size_t)nth * 4567 % 60000;
}

static int ask(struct pages_bed *pages, unsigned nth)
{
	return store_ask_pages(pages->object,
	    &(struct store_pages){
	        .block = block_of(nth),
	        .offset_bytes = offset_of(nth),
	        .size_bytes = 1 + nth % 4096,
	        .buffer = pages->asked[nth].buffer,
	        .done = done,
	        .arg = &pages->asked[nth],
	    });
}

static int wait_for(struct pages_bed *pages, unsigned nth)
{
	while (atomic_load(&pages->asked[nth].count) == 0)
		(void)usleep(100);
	assert_int_equal(pages->asked[nth].count, 1);
	return pages->asked[nth].code;
}

static void right(const struct pages_bed *pages, unsigned nth)
{
	static uint8_t block[STORE_BLOCK_BYTES];
	const uint8_t *found = pages->asked[nth].buffer;
	size_t at = offset_of(nth);
	size_t size = 1 + nth % 4096;

	if (block_of(nth) == BLOCKS - 1 && at + size > sizeof(block) - 1000)
		size =
		    at < sizeof(block) - 1000 ? sizeof(block) - 1000 - at : 0;
	bed_fill(block, sizeof(block), SEED, block_of(nth));
	assert_memory_equal(found + at, block + at, size);
}

static void the_disk_is_asked_and_answers(void **state)
{
	struct pages_bed *pages = *state;
	unsigned count = 0;

	start(pages);
	assert_true(pages->lands);
	for (unsigned i = 0; i < ASKED_MAX; i++) {
		int code = ask(pages, i);

		if (code == -EINPROGRESS) {
			count++;
			code = wait_for(pages, i);
		}
		if (code == 1)
			right(pages, i);
		else /* the disk had much to do */
			assert_int_equal(code, -EAGAIN);
	}
	/* The disk of whoever runs this may have no O_DIRECT. */
	if (count == 0)
		skip();
	assert_int_equal(count, submitted);
	assert_true(count >= ASKED_MAX / 2);
}

static void many_fly_at_once_and_all_land_before_the_end(void **state)
{
	struct pages_bed *pages = *state;
	int code[ASKED_MAX];
	unsigned late = 0;

	start(pages);
	atomic_store(&hold_answers, true);
	for (unsigned i = 0; i < ASKED_MAX; i++) {
		code[i] = ask(pages, i);
		late += code[i] == -EAGAIN;
		assert_true(code[i] == -EINPROGRESS || code[i] == -EAGAIN);
	}
	store_land_end(pages->bed.store);
	assert_int_equal(ask(pages, 0), -EAGAIN);
	atomic_store(&hold_answers, false);
	(void)pthread_join(pages->lander, NULL);
	pages->lands = false;
	for (unsigned i = 0; i < ASKED_MAX; i++) {
		assert_int_equal(
		    pages->asked[i].count, code[i] == -EINPROGRESS);
		if (code[i] != -EINPROGRESS)
			continue;
		assert_int_equal(pages->asked[i].code, 1);
		right(pages, i);
	}
	if (late == ASKED_MAX)
		skip();
}

static void without_a_queue_they_are_waited_for(void **state)
{
	struct pages_bed *pages = *state;

	setup_code = -ENOSYS;
	start(pages);
	assert_false(pages->lands);
	assert_int_equal(ask(pages, 1), -EAGAIN);
	assert_int_equal(submitted, 0);
	assert_int_equal(
	    store_load_pages(pages->object, block_of(1), offset_of(1), 2,
	        STORE_WAIT, pages->asked[1].buffer),
	    1);
	right(pages, 1);
}

static void what_the_kernel_would_wait_for_is_asked_again_later(void **state)
{
	struct pages_bed *pages = *state;

	start(pages);
	submit_code = -EAGAIN;
	assert_int_equal(ask(pages, 1), -EAGAIN);
	submit_code = 0;
	if (ask(pages, 1) != -EINPROGRESS)
		skip();
	assert_int_equal(wait_for(pages, 1), 1);
	right(pages, 1);
}

static void a_file_system_that_cannot_is_not_asked_again(void **state)
{
	struct pages_bed *pages = *state;

	start(pages);
	submit_code = -EOPNOTSUPP;
	assert_int_equal(ask(pages, 1), -EAGAIN);
	submit_code = 0;
	assert_int_equal(ask(pages, 1), -EAGAIN);
	assert_int_equal(submitted, 0);
}

static void a_read_that_failed_or_was_short_is_for_who_may_wait(void **state)
{
	static const int codes[] = {-EIO, -EAGAIN, -ENODATA, 100};
	struct pages_bed *pages = *state;

	start(pages);
	for (unsigned i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		answer_code = codes[i];
		if (ask(pages, i) != -EINPROGRESS)
			skip();
		assert_int_equal(wait_for(pages, i), -EAGAIN);
	}
}

static void without_memory_they_are_waited_for(void **state)
{
	struct pages_bed *pages = *state;
	int code;

	start(pages);
	atomic_store(&no_memory, true);
	code = ask(pages, 1);
	atomic_store(&no_memory, false);
	assert_int_equal(code, -EAGAIN);
}

static void damage(void *arg, const char *file)
{
	int fd = open(file, O_RDWR | O_CLOEXEC);
	char byte;

	if (strstr(file, "/packs/") != NULL)
		for (off_t at = 5; pread(fd, &byte, 1, at) == 1; at += 4096) {
			byte = (char)(byte ^ 8);
			assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		}
	(void)close(fd);
	make_cold(arg, file);
}

static void damaged_pages_are_nobodys(void **state)
{
	struct pages_bed *pages = *state;
	int code;

	start(pages);
	bed_each_file(pages->bed.cache, damage, NULL);
	code = ask(pages, 1);
	if (code == -EINPROGRESS)
		code = wait_for(pages, 1);
	assert_int_equal(code, -EAGAIN);
	assert_int_equal(
	    store_load_pages(pages->object, block_of(1), offset_of(1), 2,
	        STORE_WAIT, pages->asked[1].buffer),
	    0);
}

struct asker {
	pthread_t thread;
	struct pages_bed *pages;
	unsigned first;
};

static void *ask_for_a_quarter(void *arg)
{
	const struct asker *asker = arg;

	for (unsigned i = asker->first; i < ASKED_MAX; i += 4) {
		int code = ask(asker->pages, i);

		if (code != -EINPROGRESS)
			done(&asker->pages->asked[i], code);
	}
	return NULL;
}

static void many_threads_ask_at_once(void **state)
{
	struct pages_bed *pages = *state;
	struct asker asker[4];

	start(pages);
	for (unsigned i = 0; i < 4; i++) {
		asker[i] = (struct asker){.pages = pages, .first = i};
		assert_int_equal(pthread_create(&asker[i].thread, NULL,
		                     ask_for_a_quarter, &asker[i]),
		    0);
	}
	for (unsigned i = 0; i < 4; i++)
		(void)pthread_join(asker[i].thread, NULL);
	stop(pages);
	for (unsigned i = 0; i < ASKED_MAX; i++) {
		int code = wait_for(pages, i);

		assert_true(code == 1 || code == -EAGAIN);
		if (code == 1)
			right(pages, i);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(the_disk_is_asked_and_answers),
	    TEST(many_fly_at_once_and_all_land_before_the_end),
	    TEST(without_a_queue_they_are_waited_for),
	    TEST(what_the_kernel_would_wait_for_is_asked_again_later),
	    TEST(a_file_system_that_cannot_is_not_asked_again),
	    TEST(a_read_that_failed_or_was_short_is_for_who_may_wait),
	    TEST(without_memory_they_are_waited_for),
	    TEST(damaged_pages_are_nobodys),
	    TEST(many_threads_ask_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
