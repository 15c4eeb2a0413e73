/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_spool_damage.c - whatever lies in the directory
 * or happened to its files: nothing is taken for a finished file that is not,
 * nothing goes, all of it is listed with a sentence.
 */
#include "base/io.h"
#include "tests/unit/cache/spool/spool_bed.h"

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

static struct err err;

/* A file that is to be sent, written over twice. */
static void closed(struct bed *bed)
{
	struct spool_entry *entry = bed_file_base(bed, "/a", 10);

	bed_write(entry, 3, "ours");
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	assert_int_equal(spool_reopen(entry, &err), 0);
	bed_write(entry, 0, "XY");
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	spool_release(entry);
}

static const char *const is = "XYcourshij";

static size_t load(const char *path, uint8_t bytes[4096])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = io_read_all(fd, bytes, 4096);

	assert_true(n > 0);
	(void)close(fd);
	return (size_t)n;
}

static void save(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_pwrite(fd, bytes, size, 0), 0);
	(void)close(fd);
}

/* The one entry: sent only when it is whole, listed in any case. */
static bool judged(struct bed *bed)
{
	struct spool_entry *entry = bed_take(bed, "/a");

	if (entry != NULL) {
		bed_expect(entry, is);
		spool_release(entry);
		assert_int_equal(bed_count(bed, SPOOL_CLOSED), 1);
		return true;
	}
	assert_int_equal(
	    bed_count(bed, SPOOL_ASIDE) + bed_count(bed, SPOOL_DAMAGED), 1);
	assert_int_equal(bed_files(bed, ".d"), 1);
	return false;
}

static void a_flipped_bit_of_a_journal_loses_nothing(void **state)
{
	struct bed bed;
	char path[512];
	uint8_t bytes[4096];
	size_t size;

	(void)state;
	bed_init(&bed);
	closed(&bed);
	bed_path(&bed, ".j", path);
	size = load(path, bytes);
	for (size_t bit = 0; bit < size * 8; bit += 3) {
		uint8_t after[4096];

		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		save(path, bytes, size);
		assert_false(judged(&bed));
		/* A journal that nobody understands is not touched. */
		assert_int_equal(load(path, after), size);
		assert_memory_equal(after, bytes, size);
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	save(path, bytes, size);
	assert_true(judged(&bed));
	bed_fini(&bed);
}

/* Cut within a record, as a loss of power may leave it. */
static void a_journal_cut_short_is_never_taken_for_more(void **state)
{
	struct bed bed;
	char path[512];
	uint8_t bytes[4096];
	size_t size;

	(void)state;
	bed_init(&bed);
	closed(&bed);
	bed_path(&bed, ".j", path);
	size = load(path, bytes);
	/* The first promise stood before what was written later; a cut that
	 * takes back exactly that the file was opened again cannot be seen,
	 * and is not how power fails: that record was flushed. */
	for (size_t cut = 1; cut < 90; cut++) {
		save(path, bytes, size - cut);
		assert_false(judged(&bed));
	}
	for (size_t left = 1; left < size - 200; left++) {
		save(path, bytes, left);
		(void)bed_adopt(&bed);
		assert_int_equal(bed_count_all(&bed), 1);
		assert_int_equal(bed_files(&bed, ".d"), 1);
	}
	bed_fini(&bed);
}

/* None of ours is that large; nobody reads it all to see that. */
static void a_giant_journal_is_listed_and_not_read(void **state)
{
	struct bed bed;
	char path[512];

	(void)state;
	bed_init(&bed);
	closed(&bed);
	bed_path(&bed, ".j", path);
	assert_int_equal(truncate(path, (off_t)SPOOL_JOURNAL_BYTES_MAX + 1), 0);
	assert_int_equal(bed_adopt(&bed), 0);
	assert_int_equal(bed_count(&bed, SPOOL_DAMAGED), 1);
	assert_int_equal(bed_files(&bed, ".d"), 1);
	bed_fini(&bed);
}

static void noise_and_zeros_behind_a_journal(void **state)
{
	struct bed bed;
	char path[512];
	uint8_t bytes[4096] = {0};
	size_t size;

	(void)state;
	bed_init(&bed);
	closed(&bed);
	bed_path(&bed, ".j", path);
	size = load(path, bytes);
	memset(bytes + size, 0, sizeof(bytes) - size);
	save(path, bytes, sizeof(bytes));
	assert_true(judged(&bed));
	assert_int_equal(load(path, bytes), size);
	memset(bytes + size, 0xa5, 100);
	save(path, bytes, size + 100);
	assert_false(judged(&bed));
	save(path, bytes, size + 10);
	assert_false(judged(&bed));
	bed_fini(&bed);
}

static void data_that_are_not_as_they_were_are_not_sent(void **state)
{
	struct bed bed;
	struct spool_item item;
	struct spool_entry *entry;
	char path[512];
	char away[520];

	(void)state;
	bed_init(&bed);
	closed(&bed);
	bed_path(&bed, ".d", path);
	assert_int_equal(truncate(path, 9), 0);
	assert_int_equal(bed_adopt(&bed), 0);
	item = bed_item(&bed, "/a");
	assert_int_equal(item.state, SPOOL_ASIDE);
	assert_non_null(strstr(item.text[SPOOL_WHY], "size"));
	spool_item_fini(&item);
	(void)snprintf(away, sizeof(away), "%s.away", path);
	assert_int_equal(rename(path, away), 0);
	closed(&bed);
	bed_path(&bed, ".d", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(bed_adopt(&bed), 0);
	assert_int_equal(bed_count(&bed, SPOOL_ASIDE), 2);
	assert_int_equal(bed_count(&bed, SPOOL_DAMAGED), 1); /* .away */
	/* What is damaged can be taken, but not promised. */
	assert_int_equal(spool_take(bed.spool, 2, &entry, &err), 0);
	assert_int_equal(spool_remove(&entry, &err), 0);
	bed_fini(&bed);
}

static void a_damaged_entry_can_be_taken_out_and_not_promised(void **state)
{
	struct bed bed;
	char path[512];
	uint8_t bytes[4096];
	struct spool_entry *entry;
	size_t size;

	(void)state;
	bed_init(&bed);
	closed(&bed);
	bed_path(&bed, ".j", path);
	size = load(path, bytes);
	bytes[size - 20] ^= 1;
	save(path, bytes, size);
	assert_int_equal(spool_take(bed.spool, 1, &entry, &err), 0);
	assert_int_equal(spool_attr(entry).state, SPOOL_ASIDE);
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), -EBADMSG);
	assert_int_equal(spool_sync(entry, &err), 0);
	bed_expect(entry, is);
	assert_int_equal(spool_remove(&entry, &err), 0);
	assert_int_equal(bed_count_all(&bed), 0);
	bed_fini(&bed);
}

struct seen {
	unsigned count;
	unsigned with_sentence;
};

static int see(void *arg, const struct spool_item *item)
{
	struct seen *seen = arg;

	assert_int_equal(item->state, SPOOL_DAMAGED);
	assert_int_equal(item->cure, SPOOL_CURE_BY_HAND);
	assert_true(item->place[0] != '\0');
	seen->count++;
	seen->with_sentence += item->text[SPOOL_WHY][0] != '\0';
	return 0;
}

static void foreign_things_are_listed_and_not_touched(void **state)
{
	static const char *const names[] = {"0000000000000001-1000.j",
	    "0000000000000002-1000.j", "0000000000000003-1000.j",
	    "0000000000000004-1000.j", "0000000000000005-1000.d", "README",
	    "0000000000000006-1000.J", "0000000000000000-1.j",
	    "ffffffffffffffff-1.j", "00000000000000a1--1.j"};
	struct bed bed;
	struct seen seen = {0};
	char path[512];

	(void)state;
	bed_init(&bed);
	for (unsigned i = 0; i < 10; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/v1/%s", bed.dir, names[i]);
		if (i == 0)
			assert_int_equal(symlink("/etc/passwd", path), 0);
		else if (i == 1)
			assert_int_equal(mkfifo(path, 0600), 0);
		else if (i == 2)
			assert_int_equal(mkdir(path, 0700), 0);
		else
			save(path, "text", 4);
		if (i == 3)
			assert_int_equal(chmod(path, 0644), 0);
	}
	/* Nobody waits for who would write to it. */
	(void)snprintf(path, sizeof(path), "%s/v1/claims/fifo", bed.dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)snprintf(path, sizeof(path), "%s/v2", bed.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(bed_adopt(&bed), 0);
	assert_int_equal(
	    spool_list(bed.spool, &(struct spool_filter){.any_uid = true}, see,
	        &seen, &err),
	    0);
	assert_int_equal(seen.count, 11);
	assert_int_equal(seen.with_sentence, 11);
	/* A new one goes around them. */
	spool_release(bed_file(&bed, "/new"));
	assert_int_equal(bed_count_all(&bed), 12);
	for (unsigned i = 0; i < 10; i++) {
		struct stat about;

		(void)snprintf(
		    path, sizeof(path), "%s/v1/%s", bed.dir, names[i]);
		assert_int_equal(lstat(path, &about), 0);
	}
	bed_fini(&bed);
}

static void links_to_data_are_not_followed(void **state)
{
	struct bed bed;
	char path[512];
	char journal[512];
	char other[520];

	(void)state;
	bed_init(&bed);
	closed(&bed);
	bed_path(&bed, ".d", path);
	bed_path(&bed, ".j", journal);
	assert_int_equal(unlink(path), 0);
	save("/dev/shm/spool-victim", "0123456789", 10);
	assert_int_equal(symlink("/dev/shm/spool-victim", path), 0);
	assert_int_equal(bed_adopt(&bed), 0);
	assert_int_equal(bed_count(&bed, SPOOL_ASIDE), 1);
	/* A second name of a journal. */
	(void)snprintf(other, sizeof(other), "%s/second", bed.top);
	assert_int_equal(link(journal, other), 0);
	assert_int_equal(bed_adopt(&bed), 0);
	assert_int_equal(bed_count(&bed, SPOOL_DAMAGED), 1);
	(void)unlink("/dev/shm/spool-victim");
	bed_fini(&bed);
}

/* Others may have written to it. */
static void files_that_others_may_touch_are_not_believed(void **state)
{
	static const char *const endings[] = {".j", ".d"};
	struct bed bed;
	char path[512];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		bed_init(&bed);
		closed(&bed);
		bed_path(&bed, endings[i], path);
		assert_int_equal(chmod(path, 0660), 0);
		assert_int_equal(bed_adopt(&bed), 0);
		assert_int_equal(bed_count_all(&bed), 1);
		bed_fini(&bed);
	}
}

static void a_directory_that_is_not_ours_alone_is_refused(void **state)
{
	struct bed bed;
	struct spool *spool;
	struct spool_config config;
	char path[512];

	(void)state;
	bed_init(&bed);
	config = (struct spool_config){
	    .clock = &bed.clock, .dir = bed.dir, .size_bytes = 1 << 20};
	assert_int_equal(chmod(bed.dir, 0750), 0);
	assert_int_equal(spool_open(&spool, &config, &err), -EACCES);
	assert_non_null(strstr(err.text, "chmod 700"));
	assert_int_equal(chmod(bed.dir, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/v1/next", bed.dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(spool_open(&spool, &config, &err), -EACCES);
	(void)snprintf(path, sizeof(path), "%s/v1/next/below", bed.dir);
	config.dir = path;
	assert_int_equal(spool_open(&spool, &config, &err), -ENOTDIR);
	assert_null(spool);
	if (geteuid() == 0) {
		assert_int_equal(chown(bed.dir, 12345, 12345), 0);
		config.dir = bed.dir;
		assert_int_equal(spool_open(&spool, &config, &err), -EACCES);
		assert_int_equal(chown(bed.dir, 0, 0), 0);
	}
	bed_fini(&bed);
}

static void everything_is_for_its_user_alone(void **state)
{
	static const char *const endings[] = {".j", ".d", "next"};
	struct bed bed;
	struct stat about;
	char path[512];
	mode_t mask = umask(0);

	(void)state;
	bed_init(&bed);
	spool_release(bed_file(&bed, "/a"));
	for (unsigned i = 0; i < 3; i++) {
		bed_path(&bed, endings[i], path);
		assert_int_equal(stat(path, &about), 0);
		assert_int_equal(about.st_mode & 07777, 0600);
	}
	assert_int_equal(stat(bed.dir, &about), 0);
	assert_int_equal(about.st_mode & 07777, 0700);
	(void)umask(mask);
	bed_fini(&bed);
}

/* Bytes that lost their journal are listed, an empty file is swept. */
static void orphans_with_bytes_stay(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	char path[512];

	(void)state;
	bed_init(&bed);
	entry = bed_file(&bed, "/a");
	bed_write(entry, 0, "bytes");
	spool_release(entry);
	bed_path(&bed, ".j", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(bed_adopt(&bed), 0);
	assert_int_equal(bed_count(&bed, SPOOL_DAMAGED), 1);
	assert_int_equal(bed_files(&bed, ".d"), 1);
	bed_path(&bed, ".d", path);
	save(path, "", 0);
	assert_int_equal(bed_count_all(&bed), 0);
	assert_int_equal(bed_adopt(&bed), 0);
	assert_int_equal(bed_files(&bed, ".d"), 0);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_flipped_bit_of_a_journal_loses_nothing),
	    cmocka_unit_test(a_journal_cut_short_is_never_taken_for_more),
	    cmocka_unit_test(a_giant_journal_is_listed_and_not_read),
	    cmocka_unit_test(noise_and_zeros_behind_a_journal),
	    cmocka_unit_test(data_that_are_not_as_they_were_are_not_sent),
	    cmocka_unit_test(a_damaged_entry_can_be_taken_out_and_not_promised),
	    cmocka_unit_test(foreign_things_are_listed_and_not_touched),
	    cmocka_unit_test(links_to_data_are_not_followed),
	    cmocka_unit_test(files_that_others_may_touch_are_not_believed),
	    cmocka_unit_test(a_directory_that_is_not_ours_alone_is_refused),
	    cmocka_unit_test(everything_is_for_its_user_alone),
	    cmocka_unit_test(orphans_with_bytes_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
