/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once: each question is still answered once, with
 * what it asked for or with ENOMEM, and nothing is left behind. */
#include "cache/note.h"
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

static unsigned countdown; /* 0: nothing fails */
static bool failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

static bool fails_now(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails_now() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return fails_now() ? NULL : __real_strdup(text);
}

static struct bed bed;

static void whole_or_enomem(const struct bed_answer *answer)
{
	assert_int_equal(answer->count, 1);
	if (answer->code != -ENOMEM)
		assert_int_equal(answer->code, 0);
}

/* Open, read in order and at random, wait for a token, close. */
static void use_a_file(void)
{
	static struct bed_answer answer;
	struct cache_file *file = bed_try_open(&bed, "/a", 20 * MIB);

	if (file == NULL)
		return;
	for (uint64_t at = 0; at < 2 * MIB; at += 128 * KIB) {
		bed_read(&bed, file, at, 128 * KIB, &answer);
		fake_finish_all("\"x\"");
		whole_or_enomem(&answer);
	}
	bed_read(&bed, file, 11 * MIB + 5, 300 * KIB, &answer);
	fake_finish_all("\"x\"");
	whole_or_enomem(&answer);
	bed.door = -EKEYEXPIRED;
	bed_read(&bed, file, 15 * MIB, 4096, &answer);
	bed.door = 0;
	for (unsigned i = 0; i < bed.await_count; i++) {
		if (!bed.await[i].done)
			bed.await[i].answer(bed.await[i].arg, 0);
		bed.await[i].done = true;
	}
	fake_finish_all("\"x\"");
	whole_or_enomem(&answer);
	cache_close(file);
}

/* List, and look up what was listed and what was not. */
static void use_a_directory(void)
{
	static struct bed_answer answer;
	struct fetch_stat stat = fake_file(7, 1000, "\"e\"");
	unsigned stats;

	bed_list(&bed, "/d", &answer);
	if (answer.count == 0) {
		struct fetch_lister *lister = &fake.list[0].lister;
		struct err err = ERR_INIT;
		int code = lister->entry(lister->arg, "f1", &stat);

		fake.list[0].done = true;
		lister->done(lister->arg, code, &err);
	}
	whole_or_enomem(&answer);
	if (answer.code == 0)
		cache_listing_put(answer.listing);
	stats = fake.stat_count;
	bed_lookup(&bed, "/d/f1", &answer);
	if (fake.stat_count > stats)
		fake_answer_stat(stats, 0, &stat);
	whole_or_enomem(&answer);
}

static int64_t give(
    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes)
{
	unsigned char *bytes = out;

	(void)arg;
	for (size_t i = 0; i < size_bytes; i++)
		bytes[i] = fake_byte(0, offset_bytes + i);
	return (int64_t)size_bytes;
}

/* Change what is in a directory that is known. */
static void change_a_directory(void)
{
	struct fetch_version version = fake_file(99, 1000, "\"n\"").version;

	cache_note_file(bed.cache, "/d/f1", &version, 7);
	cache_keep(bed.cache, "/d/f1", &version, give, NULL);
	cache_note_gone(bed.cache, "/d/f0");
	cache_note_moved(bed.cache, "/d/f2", "/d/g");
	cache_note_directory(bed.cache, "/d/new");
	cache_note_moved(bed.cache, "/d/new", "/d/newer");
	cache_note_doubt(bed.cache, "/x/y");
}

/* What is known is right, or it is asked for. */
static void right_or_asked(const char *path, int code, uint64_t size_bytes)
{
	static struct bed_answer answer;
	unsigned stats = fake.stat_count;

	bed_lookup(&bed, path, &answer);
	if (answer.count == 0) {
		assert_int_equal(fake.stat_count, stats + 1);
		fake_answer_stat(stats, -ENOENT, NULL);
		return;
	}
	assert_int_equal(answer.code, code);
	if (code == 0)
		assert_int_equal(answer.attr.size_bytes, size_bytes);
}

static void list_or_ask(void)
{
	static struct bed_answer answer;
	struct err err = ERR_INIT;

	bed_list(&bed, "/d", &answer);
	if (answer.count == 0) {
		fake.list[1].done = true;
		fake.list[1].lister.done(fake.list[1].lister.arg, 0, &err);
	} else {
		/* f1, f3, g, newer */
		assert_int_equal(cache_listing_count(answer.listing), 4);
	}
	cache_listing_put(answer.listing);
}

static void what_was_changed_is_right_without_memory(void **state)
{
	static struct bed_answer answer;
	unsigned runs = 0;

	(void)state;
	do {
		struct fetch_lister *lister;
		struct err err = ERR_INIT;

		bed = (struct bed){0};
		bed_start(&bed, NULL, false);
		bed_list(&bed, "/d", &answer);
		lister = &fake.list[0].lister;
		for (unsigned i = 0; i < 4; i++) {
			const char *const names[] = {"f0", "f1", "f2", "f3"};
			struct fetch_stat stat = fake_file(i, 1000, "\"e\"");

			assert_int_equal(
			    lister->entry(lister->arg, names[i], &stat), 0);
		}
		fake.list[0].done = true;
		lister->done(lister->arg, 0, &err);
		cache_listing_put(answer.listing);
		failed = false;
		countdown = ++runs;
		change_a_directory();
		countdown = 0;
		right_or_asked("/d/f0", -ENOENT, 0);
		right_or_asked("/d/f1", 0, 99);
		right_or_asked("/d/f2", -ENOENT, 0);
		right_or_asked("/d/f3", 0, 3);
		right_or_asked("/d/g", 0, 2);
		right_or_asked("/d/newer", 0, 0);
		list_or_ask();
		bed_end(&bed);
	} while (failed);
	assert_true(runs > 20);
}

static void every_failed_allocation_is_survived(void **state)
{
	unsigned runs = 0;

	(void)state;
	do {
		bed = (struct bed){0};
		bed_start(&bed, NULL, false);
		failed = false;
		countdown = ++runs;
		use_a_file();
		use_a_directory();
		countdown = 0;
		bed_end(&bed);
	} while (failed);
	/* The objects, the runs, the reads, the questions, the listing ... */
	assert_true(runs > 20);
}

static void a_cache_that_cannot_be_made_leaves_nothing(void **state)
{
	int code = -ENOMEM;
	unsigned runs = 0;

	(void)state;
	while (code == -ENOMEM) {
		bed = (struct bed){0};
		countdown = ++runs;
		code = bed_try_start(&bed);
		countdown = 0;
	}
	assert_int_equal(code, 0);
	assert_true(runs > 4);
	bed_end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_failed_allocation_is_survived),
	    cmocka_unit_test(what_was_changed_is_right_without_memory),
	    cmocka_unit_test(a_cache_that_cannot_be_made_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
