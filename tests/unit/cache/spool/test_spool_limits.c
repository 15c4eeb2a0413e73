/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_spool_limits.c - spool_size, the disk's reserve
 * and a disk that is full: ENOSPC, and what was promised stays.
 */
#include "tests/unit/cache/spool/spool_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIECE = 64 * 1024 };

static struct err err;
static char piece[PIECE];

/* Write until it fails; how many bytes went. */
static uint64_t fill(struct spool_entry *entry, int *code)
{
	uint64_t at = 0;

	for (;;) {
		memset(piece, (int)(at / PIECE % 251 + 1), sizeof(piece));
		*code = spool_write(entry, piece, sizeof(piece), at, &err);
		if (*code < 0)
			return at;
		at += sizeof(piece);
		assert_true(at < 2 * BED_SIZE);
	}
}

static void check_filled(struct spool_entry *entry, uint64_t size)
{
	static char found[PIECE];

	assert_int_equal(spool_attr(entry).size_bytes, size);
	for (uint64_t at = 0; at < size; at += PIECE) {
		memset(piece, (int)(at / PIECE % 251 + 1), sizeof(piece));
		assert_int_equal(
		    spool_read(entry, found, PIECE, at, &err), PIECE);
		assert_memory_equal(found, piece, PIECE);
	}
}

/* Begin entries until there is no room; a few go beside a file that found
 * none for its next piece. */
static int begin_many(struct bed *bed)
{
	int code = 0;

	for (unsigned i = 0; i < 60 && code == 0; i++) {
		struct spool_wish wish = bed_wish("/many");
		struct spool_entry *entry;

		code = spool_create(bed->spool, &wish, &entry, &err);
		if (code == 0)
			spool_release(entry);
	}
	return code;
}

static void the_size_holds_for_a_user(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct spool_entry *second;
	uint64_t written;
	uint64_t used;
	struct spool_wish wish = bed_wish("/b");
	int code;

	(void)state;
	bed_init(&bed);
	spool_close(bed.spool);
	bed.size_bytes = 4 << 20;
	bed.spool = bed_second(&bed);
	entry = bed_file(&bed, "/a");
	written = fill(entry, &code);
	assert_int_equal(code, -ENOSPC);
	assert_non_null(strstr(err.text, "spool_size"));
	assert_true(written > bed.size_bytes - (256 << 10));
	assert_int_equal(spool_used(bed.spool, BED_UID, &used, &err), 0);
	assert_true(used <= bed.size_bytes && used >= written);
	/* What was written is promised still. */
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	check_filled(entry, written);
	assert_int_equal(begin_many(&bed), -ENOSPC);
	/* Another user has a bound of their own. */
	wish.uid = BED_UID + 1;
	assert_int_equal(spool_create(bed.spool, &wish, &second, &err), 0);
	assert_int_equal(spool_write(second, piece, PIECE, 0, &err), 0);
	assert_int_equal(spool_remove(&second, &err), 0);
	/* What goes makes room. */
	assert_int_equal(spool_remove(&entry, &err), 0);
	entry = bed_file(&bed, "/c");
	assert_true(fill(entry, &code) > written - 20 * 4096);
	spool_release(entry);
	bed_fini(&bed);
}

static void it_holds_over_all_processes(void **state)
{
	struct bed bed;
	struct spool *other;
	struct spool_entry *mine;
	struct spool_entry *theirs;
	struct spool_wish wish = bed_wish("/b");
	uint64_t used;
	uint64_t at = 0;
	int mine_code = 0;
	int their_code = 0;

	(void)state;
	bed_init(&bed);
	spool_close(bed.spool);
	bed.size_bytes = 4 << 20;
	bed.spool = bed_second(&bed);
	other = bed_second(&bed);
	mine = bed_file(&bed, "/a");
	assert_int_equal(spool_create(other, &wish, &theirs, &err), 0);
	while (mine_code == 0 || their_code == 0) {
		mine_code = spool_write(mine, piece, PIECE, at, &err);
		their_code = spool_write(theirs, piece, PIECE, at, &err);
		at += PIECE;
		assert_true(at < bed.size_bytes);
	}
	assert_int_equal(mine_code, -ENOSPC);
	assert_int_equal(their_code, -ENOSPC);
	assert_int_equal(spool_used(other, BED_UID, &used, &err), 0);
	assert_true(used <= bed.size_bytes);
	assert_true(used > bed.size_bytes / 4 * 3);
	spool_release(theirs);
	spool_release(mine);
	spool_close(other);
	bed_fini(&bed);
}

/* What another may still write without asking is used already. */
static void what_others_have_claimed_counts(void **state)
{
	struct bed bed;
	struct spool *other;
	struct spool_entry *mine;
	struct spool_entry *theirs;
	struct spool_wish wish = bed_wish("/b");
	uint64_t used;
	uint64_t at;
	int code;

	(void)state;
	bed_init(&bed);
	spool_close(bed.spool);
	bed.size_bytes = 8 << 20;
	bed.spool = bed_second(&bed);
	other = bed_second(&bed);
	assert_int_equal(spool_create(other, &wish, &theirs, &err), 0);
	mine = bed_file(&bed, "/a");
	at = fill(mine, &code);
	while (spool_write(mine, piece, 4096, at, &err) == 0)
		at += 4096;
	/* Its lease, a 64th, less what a new entry takes. */
	assert_int_equal(spool_write(theirs, piece, PIECE, 0, &err), 0);
	assert_int_equal(spool_used(other, BED_UID, &used, &err), 0);
	assert_true(used <= bed.size_bytes);
	/* A dead one's claim is nobody's. */
	spool_release(theirs);
	spool_close(other);
	assert_int_equal(spool_write(mine, piece, 4096, at, &err), 0);
	spool_release(mine);
	bed_fini(&bed);
}

static void writing_over_what_is_there_needs_no_room(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	uint64_t written;
	int code;

	(void)state;
	bed_init(&bed);
	spool_close(bed.spool);
	bed.size_bytes = 4 << 20;
	bed.spool = bed_second(&bed);
	entry = bed_file(&bed, "/a");
	written = fill(entry, &code);
	assert_int_equal(spool_truncate(entry, written - 4 * PIECE, &err), 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(spool_write(entry, piece, PIECE, 0, &err), 0);
	spool_release(entry);
	bed_fini(&bed);
}

/* A bed on a disk of its own; false: this place has none to give. */
static bool bed_on_disk(struct bed *bed, const char *what)
{
	char image[64];
	pid_t child;
	int status;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	bed_init(bed);
	spool_close(bed->spool);
	bed_remove(bed->dir);
	if (strcmp(what, "tmpfs") == 0) {
		assert_int_equal(
		    mount("none", bed->top, "tmpfs", 0, "size=2m"), 0);
		bed->spool = bed_second(bed);
		return true;
	}
	(void)snprintf(image, sizeof(image), "%.40s.image", bed->top);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)execl("/bin/sh", "sh", "-c",
		    "truncate -s 16M \"$1\" && mkfs.ext4 -q -F -m 0 \"$1\" && "
		    "mount -o loop \"$1\" \"$2\"",
		    "sh", image, bed->top, (char *)NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	(void)unlink(image);
	if (status != 0) {
		bed->spool = NULL;
		bed_fini(bed);
		return false;
	}
	bed->spool = bed_second(bed);
	return true;
}

/* On a small disk that is full at last. */
static void fill_a_disk(const char *what)
{
	struct bed bed;
	struct spool_entry *entry;
	uint64_t written;
	int code;

	if (!bed_on_disk(&bed, what))
		skip();
	entry = bed_file(&bed, "/a");
	written = fill(entry, &code);
	assert_int_equal(code, -ENOSPC);
	assert_non_null(strstr(err.text, "disk is full"));
	assert_true(written >= 1 << 20);
	check_filled(entry, written);
	/* The reserve takes the promise. */
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	assert_int_equal(begin_many(&bed), -ENOSPC);
	spool_release(entry);
	bed_again(&bed);
	entry = bed_take(&bed, "/a");
	assert_non_null(entry);
	check_filled(entry, written);
	assert_int_equal(spool_remove(&entry, &err), 0);
	entry = bed_file(&bed, "/c");
	assert_int_equal(spool_write(entry, piece, PIECE, 0, &err), 0);
	assert_int_equal(spool_remove(&entry, &err), 0);
	spool_close(bed.spool);
	bed.spool = NULL;
	assert_int_equal(umount(bed.top), 0);
	bed_fini(&bed);
}

static void a_full_disk_costs_no_promise(void **state)
{
	(void)state;
	fill_a_disk("tmpfs");
}

/* One that finds its blocks late. */
static void a_full_ext4_costs_no_promise(void **state)
{
	(void)state;
	fill_a_disk("ext4");
}

/* Somebody else takes the reserve as well: not a byte is left. */
static void without_a_byte_left_each_call_fails_and_nothing_goes(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	char path[300];
	int fd;

	(void)state;
	if (!bed_on_disk(&bed, "tmpfs"))
		skip();
	entry = bed_file(&bed, "/a");
	bed_write(entry, 0, "promised");
	assert_int_equal(spool_sync(entry, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/ballast", bed.top);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, piece, 512) > 0)
		;
	(void)close(fd);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(spool_write(entry, piece, PIECE,
		                     (uint64_t)(i + 1) * 3 * PIECE, &err),
		    -ENOSPC);
	bed_expect(entry, "promised");
	/* Its journal has a block already. */
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	spool_release(entry);
	bed_again(&bed);
	entry = bed_take(&bed, "/a");
	bed_expect(entry, "promised");
	assert_int_equal(spool_remove(&entry, &err), 0);
	spool_close(bed.spool);
	bed.spool = NULL;
	assert_int_equal(umount(bed.top), 0);
	bed_fini(&bed);
}

static void a_disk_that_cannot_be_written_to_is_told(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct spool_config config = {
	    .clock = &bed.clock, .dir = bed.dir, .size_bytes = BED_SIZE};

	(void)state;
	if (!bed_on_disk(&bed, "tmpfs"))
		skip();
	entry = bed_file(&bed, "/a");
	bed_write(entry, 0, "promised");
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	spool_release(entry);
	spool_close(bed.spool);
	assert_int_equal(
	    mount(NULL, bed.top, NULL, MS_REMOUNT | MS_RDONLY | MS_BIND, NULL),
	    0);
	assert_int_equal(spool_open(&bed.spool, &config, &err), -EROFS);
	assert_non_null(strstr(err.text, bed.dir));
	assert_int_equal(
	    mount(NULL, bed.top, NULL, MS_REMOUNT | MS_BIND, NULL), 0);
	bed.spool = bed_second(&bed);
	assert_int_equal(bed_adopt(&bed), 1);
	spool_close(bed.spool);
	bed.spool = NULL;
	assert_int_equal(umount(bed.top), 0);
	bed_fini(&bed);
}

/* ---- descriptors ---- */

enum { MANY = 300, FILES_LIMIT = 64 };

static unsigned open_files(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < FILES_LIMIT; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static struct spool_entry *many[MANY];

static void make_many(struct bed *bed)
{
	char path[32];

	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(path, sizeof(path), "/file%u", i);
		many[i] = bed_file(bed, path);
		bed_write(many[i], 0, path);
		assert_int_equal(
		    spool_finish(many[i],
		        i % 2 == 0 ? SPOOL_TO_KILL : SPOOL_TO_POWER, &err),
		    0);
		if (i % 3 == 0)
			assert_int_equal(spool_stop(many[i], SPOOL_FAILED,
			                     -EHOSTUNREACH, "away", &err),
			    0);
		assert_true(open_files() < FILES_LIMIT - 8);
	}
}

static int keep_many(void *arg, struct spool_entry *entry)
{
	unsigned *count = arg;

	many[(*count)++] = entry;
	return 0;
}

/* All that can be done with one is done with one at rest. */
static void use_many(struct bed *bed)
{
	const struct spool_version sent = {.exists = true, .size_bytes = 9};
	char path[32];
	uint64_t changes;
	struct spool_entry *theirs;
	struct spool *other = bed_second(bed);
	struct spool_item item;

	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(path, sizeof(path), "/file%u", i);
		bed_expect(many[i], path);
		assert_int_equal(spool_item_of(many[i], &item), 0);
		/* It has its owner still. */
		assert_int_equal(
		    spool_take(other, item.serial, &theirs, &err), -EBUSY);
		spool_item_fini(&item);
		/* Its data file would have to be opened. */
		assert_int_equal(
		    spool_read_nowait(many[i], path, 1, 0, &err), -EAGAIN);
		if (i % 4 == 0) {
			assert_int_equal(spool_reopen(many[i], &err), 0);
			bed_write(many[i], strlen(path), "!");
			assert_int_equal(
			    spool_finish(many[i], SPOOL_TO_KILL, &err), 0);
			(void)strcat(path, "!");
			bed_expect(many[i], path);
		}
		if (i % 5 == 0)
			assert_int_equal(
			    spool_rename(many[i], "/renamed", &err), 0);
		assert_int_equal(
		    spool_sending(many[i], "/.part", &changes, &err), 0);
		if (i % 2 == 0)
			assert_int_equal(
			    spool_sent(many[i], changes, &sent, &err), 1);
		assert_true(open_files() < FILES_LIMIT - 4);
		if (i % 2 == 0)
			assert_int_equal(spool_remove(&many[i], &err), 0);
		else
			assert_int_equal(
			    spool_finish(many[i], SPOOL_TO_POWER, &err), 0);
	}
	spool_close(other);
}

static void thousands_wait_with_few_descriptors(void **state)
{
	struct bed bed;
	unsigned count = 0;

	(void)state;
	bed_init(&bed);
	bed_limit_open(FILES_LIMIT);
	bed_again(&bed);
	make_many(&bed);
	for (unsigned i = 0; i < MANY; i++)
		spool_release(many[i]);
	/* And so they are found. */
	bed_again(&bed);
	assert_int_equal(
	    spool_adopt(bed.spool, &(struct spool_filter){.any_uid = true},
	        keep_many, &count, &err),
	    0);
	assert_int_equal(count, MANY);
	use_many(&bed);
	for (unsigned i = 1; i < MANY; i += 2)
		spool_release(many[i]);
	assert_int_equal(bed_count(&bed, SPOOL_CLOSED), MANY / 2);
	bed_limit_open(0);
	bed_fini(&bed);
}

/* Those that are written keep theirs: the next is told, and how to cure it. */
static void what_is_written_needs_descriptors(void **state)
{
	struct spool_entry *entries[FILES_LIMIT];
	struct bed bed;
	struct spool_wish wish = bed_wish("/a");
	unsigned count = 0;
	int code = 0;

	(void)state;
	bed_init(&bed);
	bed_limit_open(FILES_LIMIT);
	while (code == 0 && count < FILES_LIMIT) {
		code = spool_create(bed.spool, &wish, &entries[count], &err);
		count += code == 0;
	}
	assert_int_equal(code, -ENOSPC);
	assert_non_null(strstr(err.text, "ulimit -n"));
	for (unsigned i = 0; i < count; i++)
		bed_write(entries[i], 0, "there");
	for (unsigned i = 0; i < count; i++)
		spool_release(entries[i]);
	bed_limit_open(0);
	assert_int_equal(bed_count_all(&bed), count);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(thousands_wait_with_few_descriptors),
	    cmocka_unit_test(what_is_written_needs_descriptors),
	    cmocka_unit_test(the_size_holds_for_a_user),
	    cmocka_unit_test(it_holds_over_all_processes),
	    cmocka_unit_test(what_others_have_claimed_counts),
	    cmocka_unit_test(writing_over_what_is_there_needs_no_room),
	    cmocka_unit_test(a_full_disk_costs_no_promise),
	    cmocka_unit_test(a_full_ext4_costs_no_promise),
	    cmocka_unit_test(
	        without_a_byte_left_each_call_fails_and_nothing_goes),
	    cmocka_unit_test(a_disk_that_cannot_be_written_to_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
