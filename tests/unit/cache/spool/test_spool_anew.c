/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_spool_anew.c - a journal that has grown is written
 * anew: it stays small, says the same, and a kill on the way loses nothing.
 */
#include "tests/unit/cache/spool/kill_shim.h"
#include "tests/unit/cache/spool/spool_bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SMALL_BYTES = 1024 * 1024, BASE_BYTES = 100 };

static struct err err;

static uint64_t journal_bytes(const struct bed *bed)
{
	char path[512];
	struct stat about;

	bed_path(bed, ".j", path);
	assert_int_equal(stat(path, &about), 0);
	return (uint64_t)about.st_size;
}

/* Until the next record has it written anew. */
static void grow(const struct bed *bed, struct spool_entry *entry)
{
	struct spool_attr attr = spool_attr(entry);

	attr.has_mtime = true;
	attr.mtime_s = 12345;
	attr.mtime_ns = 678;
	while (journal_bytes(bed) < SMALL_BYTES)
		assert_int_equal(spool_set(entry, &attr, &err), 0);
}

/* Written to, closed and sent again and again, as standard output of a script
 * is, by each program that ends. */
static void a_file_may_be_sent_ever_so_often(void **state)
{
	enum { TIMES = 170 * 1000 }; /* of 416 bytes: more than 64 MiB */
	const struct spool_version sent = {.exists = true,
	    .size_bytes = 5,
	    .mtime_s = 1,
	    .etag = "\"abcdef\""};
	struct bed bed;
	struct spool_entry *entry;
	uint64_t changes;

	(void)state;
	bed_init(&bed);
	entry = bed_file(&bed, "/a");
	for (unsigned i = 0; i < TIMES; i++) {
		if (i > 0)
			assert_int_equal(spool_reopen(entry, &err), 0);
		assert_int_equal(spool_write(entry, "bytes", 5, 0, &err), 0);
		assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
		assert_int_equal(spool_sending(entry, NULL, &changes, &err), 0);
		assert_int_equal(spool_sent(entry, changes, &sent, &err), 1);
	}
	assert_true(journal_bytes(&bed) < 2 * SMALL_BYTES);
	spool_release(entry);
	assert_int_equal(bed_adopt(&bed), 0);
	assert_int_equal(bed_count_all(&bed), 0);
	bed_fini(&bed);
}

static void note_tries(struct spool_entry *entry)
{
	const struct spool_try one = {.size_bytes = 7};
	const struct spool_try two = {
	    .size_bytes = 8, .summed = true, .sum = {1, 2, 3}};
	uint64_t changes;

	spool_note_try(entry, &one);
	spool_note_try(entry, &two);
	assert_int_equal(spool_sending(entry, "/.part", &changes, &err), 0);
}

static void check_tries(const struct spool_entry *entry)
{
	struct spool_try tries[SPOOL_TRIES_MAX];

	assert_int_equal(spool_tries(entry, tries), 2);
	assert_int_equal(tries[0].size_bytes, 7);
	assert_false(tries[0].summed);
	assert_int_equal(tries[1].size_bytes, 8);
	assert_int_equal(tries[1].sum[2], 3);
}

/* A file that is changed in place, given a time, sent in vain. */
static struct spool_entry *begin(struct bed *bed)
{
	struct spool_entry *entry = bed_file_base(bed, "/a", BASE_BYTES);

	bed_write(entry, 10, "first");
	bed_write(entry, 60, "second");
	assert_int_equal(spool_truncate(entry, BASE_BYTES - 10, &err), 0);
	bed_write(entry, BASE_BYTES - 10, "behind");
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	note_tries(entry);
	return entry;
}

static void check(struct bed *bed, struct spool_entry *entry)
{
	struct spool_item item;
	uint8_t *bytes;
	size_t size;

	assert_int_equal(spool_item_of(entry, &item), 0);
	assert_int_equal(item.state, SPOOL_CLOSED);
	assert_string_equal(item.text[SPOOL_ORIGIN], BED_ORIGIN);
	assert_int_equal(item.base.size_bytes, BASE_BYTES);
	assert_true(item.attr.has_mtime);
	assert_int_equal(item.attr.mtime_s, 12345);
	assert_int_equal(item.attr.mtime_ns, 678);
	assert_int_equal(item.missing_bytes, BASE_BYTES - 10 - 11);
	spool_item_fini(&item);
	bytes = bed_whole(entry, &size);
	assert_int_equal(size, BASE_BYTES - 10 + 6);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(bytes[i], bed_base_byte(i));
	assert_memory_equal(bytes + 10, "first", 5);
	assert_int_equal(bytes[15], bed_base_byte(15));
	assert_memory_equal(bytes + 60, "second", 6);
	assert_memory_equal(bytes + BASE_BYTES - 10, "behind", 6);
	free(bytes);
	assert_int_equal(bed_files(bed, ".new"), 0);
}

static void it_says_what_the_old_one_said(void **state)
{
	static const enum spool_state ends[] = {SPOOL_SENDING, SPOOL_FAILED};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct bed bed;
		struct spool_entry *entry;
		struct spool_attr attr;

		bed_init(&bed);
		entry = begin(&bed);
		if (ends[i] == SPOOL_FAILED)
			assert_int_equal(spool_stop(entry, SPOOL_FAILED,
			                     -EACCES, "no", &err),
			    0);
		grow(&bed, entry);
		attr = spool_attr(entry);
		assert_int_equal(spool_set(entry, &attr, &err), 0);
		assert_true(journal_bytes(&bed) < 2048);
		assert_int_equal(spool_attr(entry).state, ends[i]);
		spool_release(entry);
		/* A promise against loss of power is one still. */
		bed_reboot(&bed);
		entry = bed_take(&bed, "/a");
		assert_non_null(entry);
		check(&bed, entry);
		check_tries(entry);
		/* What it was being sent as is known still. */
		assert_int_equal(
		    bed_count_all(&bed), ends[i] == SPOOL_SENDING ? 2 : 1);
		spool_release(entry);
		bed_fini(&bed);
	}
}

static void its_files_are_nobodys_spare(void **state)
{
	const struct spool_version sent = {.exists = true, .mtime_s = 1};
	struct bed bed;
	struct spool_entry *entry;
	uint64_t changes;

	(void)state;
	bed_init(&bed);
	entry = bed_file(&bed, "/a");
	bed_write(entry, 0, "bytes");
	grow(&bed, entry);
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	assert_true(journal_bytes(&bed) < SMALL_BYTES);
	assert_int_equal(spool_sending(entry, NULL, &changes, &err), 0);
	assert_int_equal(spool_sent(entry, changes, &sent, &err), 1);
	assert_int_equal(spool_remove(&entry, &err), 0);
	/* The old one may come back after a loss of power. */
	assert_int_equal(bed_files(&bed, ".j"), 0);
	assert_int_equal(bed_files(&bed, ".d"), 0);
	bed_fini(&bed);
}

static void live(struct bed *bed, unsigned nth, bool within)
{
	struct spool_entry *entry = begin(bed);
	struct spool_attr attr;

	grow(bed, entry);
	attr = spool_attr(entry);
	kill_at(nth, within);
	_exit(spool_set(entry, &attr, &err) < 0);
}

static bool killed_at(unsigned nth, bool within)
{
	struct bed bed;
	struct spool_entry *entry;
	int status;
	pid_t pid;

	bed_init(&bed);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		live(&bed, nth, within);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(status == 0 || status == KILL_STATUS << 8);
	assert_int_equal(bed_count_all(&bed), 1);
	assert_int_equal(bed_count(&bed, SPOOL_CLOSED), 1);
	entry = bed_take(&bed, "/a");
	assert_non_null(entry);
	check(&bed, entry);
	check_tries(entry);
	spool_release(entry);
	bed_fini(&bed);
	return status != 0;
}

static void a_kill_at_each_step_loses_nothing(void **state)
{
	unsigned nth;

	(void)state;
	for (nth = 1; killed_at(nth, false); nth++)
		(void)killed_at(nth, true);
	/* Made, seven records, flushed, renamed, and the one that comes. */
	assert_true(nth > 8);
}

/* Of its new name the directory has to know before the next promise: the bytes
 * change behind a record that is on the disk (four calls: the record, data,
 * journal, directory). */
static void its_name_is_flushed_before_bytes_change(void **state)
{
	struct bed bed;
	int status;
	pid_t pid;

	(void)state;
	bed_init(&bed);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct spool_entry *entry = begin(&bed);
		struct spool_attr attr;

		grow(&bed, entry);
		attr = spool_attr(entry);
		assert_int_equal(spool_set(entry, &attr, &err), 0);
		kill_at(4, false);
		_exit(spool_reopen(entry, &err) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, KILL_STATUS << 8);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_says_what_the_old_one_said),
	    cmocka_unit_test(its_files_are_nobodys_spare),
	    cmocka_unit_test(its_name_is_flushed_before_bytes_change),
	    cmocka_unit_test(a_kill_at_each_step_loses_nothing),
	    cmocka_unit_test(a_file_may_be_sent_ever_so_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
