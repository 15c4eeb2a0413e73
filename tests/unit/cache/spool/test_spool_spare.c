/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_spool_spare.c - files of entries that have ended
 * serve those that begin: which ones, and what others see of them; killed at
 * each step of it nothing is lost, nothing is sent twice and nothing lies
 * about.
 */
#include "tests/unit/cache/spool/kill_shim.h"
#include "tests/unit/cache/spool/spool_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SPARES = 64, SPARE_BYTES_MAX = 1024 * 1024, LIVES = 4 };

static struct err err;

/* ---- what somebody does right in front of a call of another ---- */

static void (*meanwhile)(void);
static unsigned calls_left;

static void pass_by(void)
{
	void (*hook)(void) = meanwhile;

	if (hook == NULL || --calls_left > 0)
		return;
	meanwhile = NULL;
	hook();
}

int __real_fcntl64(int fd, int what, ...);
int __wrap_fcntl64(int fd, int what, ...);
ssize_t __real_preadv64v2(
    int fd, const struct iovec *parts, int count, off64_t at, int flags);
ssize_t __wrap_preadv64v2(
    int fd, const struct iovec *parts, int count, off64_t at, int flags);
int __real_fstatat64(int fd, const char *name, struct stat *out, int flags);
int __wrap_fstatat64(int fd, const char *name, struct stat *out, int flags);

int __wrap_nanosleep(const struct timespec *wish, struct timespec *left);

/* Who waits for a lock waits for the one whom it has interrupted. */
int __wrap_nanosleep(const struct timespec *wish, struct timespec *left)
{
	(void)wish;
	(void)left;
	return 0;
}

int __wrap_fcntl64(int fd, int what, ...)
{
	va_list list;
	void *argument;

	va_start(list, what);
	argument = va_arg(list, void *);
	va_end(list);
	pass_by();
	return __real_fcntl64(fd, what, argument);
}

ssize_t __wrap_preadv64v2(
    int fd, const struct iovec *parts, int count, off64_t at, int flags)
{
	pass_by();
	return __real_preadv64v2(fd, parts, count, at, flags);
}

int __wrap_fstatat64(int fd, const char *name, struct stat *out, int flags)
{
	pass_by();
	return __real_fstatat64(fd, name, out, flags);
}

/* ---- in one line ---- */

static void finish(struct spool_entry *entry)
{
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
}

/* The server has it. */
static void send(struct spool_entry *entry)
{
	static const struct spool_version version = {.exists = true};
	uint64_t changes;

	assert_int_equal(spool_sending(entry, NULL, &changes, &err), 0);
	assert_int_equal(spool_sent(entry, changes, &version, &err), 1);
}

static void end(struct spool_entry *entry)
{
	assert_int_equal(spool_remove(&entry, &err), 0);
}

static struct spool_entry *sent_file(struct bed *bed, const char *path)
{
	struct spool_entry *entry = bed_file(bed, path);

	bed_write(entry, 0, path);
	finish(entry);
	send(entry);
	return entry;
}

static void expect_pairs(struct bed *bed, unsigned count)
{
	assert_int_equal(bed_files(bed, ".d"), count);
	assert_int_equal(bed_files(bed, ".j"), count);
	assert_int_equal(bed_files(bed, ".gone"), 0);
}

/* It is sent and ends, and that many pairs stay. */
static void send_and_end(
    struct bed *bed, struct spool_entry *entry, unsigned count)
{
	send(entry);
	end(entry);
	expect_pairs(bed, count);
}

static ino_t inode_of(const struct bed *bed, const char *ending)
{
	char path[512];
	struct stat about;

	bed_path(bed, ending, path);
	assert_int_equal(stat(path, &about), 0);
	return about.st_ino;
}

/* ---- which ---- */

static void what_was_sent_leaves_its_files_to_the_next(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	char start[4];
	ino_t data;
	ino_t journal;

	(void)state;
	bed_init(&bed);
	end(sent_file(&bed, "/first, which is longer"));
	expect_pairs(&bed, 1);
	data = inode_of(&bed, ".d");
	journal = inode_of(&bed, ".j");
	entry = bed_file(&bed, "/next");
	expect_pairs(&bed, 1);
	assert_int_equal(inode_of(&bed, ".d"), data);
	assert_int_equal(inode_of(&bed, ".j"), journal);
	bed_expect(entry, "");
	bed_write(entry, 4, "text");
	assert_int_equal(spool_read(entry, start, 4, 0, &err), 4);
	assert_memory_equal(start, "\0\0\0", 4);
	finish(entry);
	/* To whoever comes next it is a file like any. */
	spool_release(entry);
	bed_again(&bed);
	entry = bed_take(&bed, "/next");
	assert_non_null(entry);
	assert_int_equal(spool_attr(entry).size_bytes, 8);
	send_and_end(&bed, entry, 0);
	bed_fini(&bed);
}

static void what_was_dropped_leaves_its_files_too(void **state)
{
	struct bed bed;
	struct spool_entry *entry;

	(void)state;
	bed_init(&bed);
	entry = bed_file(&bed, "/a");
	bed_write(entry, 0, "text");
	assert_int_equal(spool_drop(entry, &err), 0);
	end(entry);
	expect_pairs(&bed, 1);
	bed_expect(entry = bed_file(&bed, "/b"), "");
	expect_pairs(&bed, 1);
	spool_release(entry);
	bed_fini(&bed);
}

/* What the disk may have of it would be believed. */
static void what_was_flushed_leaves_nothing(void **state)
{
	struct bed bed;
	struct spool_entry *entry;

	(void)state;
	bed_init(&bed);
	for (unsigned way = 0; way < 4; way++) {
		entry = bed_file(&bed, "/a");
		bed_write(entry, 0, "text");
		if (way == 0)
			assert_int_equal(spool_sync(entry, &err), 0);
		if (way == 1)
			assert_int_equal(
			    spool_finish(entry, SPOOL_TO_POWER, &err), 0);
		else
			finish(entry);
		if (way == 2)
			assert_int_equal(
			    spool_stop(entry, SPOOL_FAILED, -EIO, "why", &err),
			    0);
		if (way == 3) {
			assert_int_equal(
			    spool_finish(entry, SPOOL_TO_POWER, &err), 0);
			assert_int_equal(spool_reopen(entry, &err), 0);
			finish(entry);
		}
		send_and_end(&bed, entry, 0);
	}
	bed_fini(&bed);
}

static void what_is_unsent_or_anothers_leaves_nothing(void **state)
{
	struct bed bed;
	struct spool_entry *entry;

	(void)state;
	bed_init(&bed);
	end(bed_file(&bed, "/open"));
	expect_pairs(&bed, 0);
	finish(entry = bed_file(&bed, "/closed"));
	end(entry);
	expect_pairs(&bed, 0);
	/* Who knows what has been flushed of it. */
	finish(entry = bed_file(&bed, "/adopted"));
	spool_release(entry);
	bed_again(&bed);
	entry = bed_take(&bed, "/adopted");
	assert_non_null(entry);
	send_and_end(&bed, entry, 0);
	bed_fini(&bed);
}

static void large_files_go(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed);
	for (unsigned more = 0; more < 2; more++) {
		struct spool_entry *entry = bed_file(&bed, "/large");

		assert_int_equal(
		    spool_truncate(entry, SPARE_BYTES_MAX + more, &err), 0);
		finish(entry);
		send_and_end(&bed, entry, 1 - more);
	}
	bed_fini(&bed);
}

static void link_data(struct bed *bed, char out[200])
{
	char path[512];

	bed_path(bed, ".d", path);
	(void)snprintf(out, 200, "%s/taken", bed->top);
	assert_int_equal(link(path, out), 0);
}

/* Somebody has taken the bytes out by hand. */
static void a_file_with_another_name_is_left_alone(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct stat about;
	char taken[200];

	(void)state;
	bed_init(&bed);
	entry = sent_file(&bed, "/bytes");
	link_data(&bed, taken);
	end(entry);
	expect_pairs(&bed, 0);
	assert_int_equal(stat(taken, &about), 0);
	assert_int_equal(about.st_size, strlen("/bytes"));
	assert_int_equal(unlink(taken), 0);
	/* Too late for that: but what comes next is not theirs. */
	end(sent_file(&bed, "/bytes"));
	link_data(&bed, taken);
	entry = bed_file(&bed, "/next");
	bed_write(entry, 0, "text");
	expect_pairs(&bed, 1);
	assert_int_equal(stat(taken, &about), 0);
	assert_int_equal(about.st_size, 0);
	assert_int_equal(about.st_nlink, 1);
	spool_release(entry);
	bed_fini(&bed);
}

static void no_more_are_kept_than_are_sent_at_once(void **state)
{
	struct bed bed;
	struct spool_entry *entries[SPARES + 2];

	(void)state;
	bed_init(&bed);
	for (unsigned i = 0; i < SPARES + 2; i++)
		entries[i] = sent_file(&bed, "/a");
	expect_pairs(&bed, SPARES + 2);
	for (unsigned i = 0; i < SPARES; i++)
		end(entries[i]);
	expect_pairs(&bed, SPARES + 2);
	end(entries[SPARES]);
	expect_pairs(&bed, SPARES + 1);
	end(entries[SPARES + 1]);
	expect_pairs(&bed, SPARES);
	bed_fini(&bed);
}

static void users_have_their_own(void **state)
{
	struct bed bed;
	struct spool_wish wish = bed_wish("/theirs");
	struct spool_entry *entry;

	(void)state;
	bed_init(&bed);
	end(sent_file(&bed, "/a"));
	wish.uid++;
	assert_int_equal(spool_create(bed.spool, &wish, &entry, &err), 0);
	expect_pairs(&bed, 2);
	bed_write(entry, 0, "text");
	finish(entry);
	send_and_end(&bed, entry, 2);
	spool_release(bed_file(&bed, "/b"));
	expect_pairs(&bed, 2);
	bed_fini(&bed);
}

/* They have descriptors, as entries have: a quarter of all is for both. */
static void they_make_way_for_entries(void **state)
{
	enum { FILES_LIMIT = 64, MOST = FILES_LIMIT / 4 };
	struct spool_entry *theirs[MOST + 4];
	struct spool_entry *mine[MOST - 4];
	struct spool_wish wish = bed_wish("/theirs");
	struct bed bed;

	(void)state;
	bed_init(&bed);
	bed_limit_open(FILES_LIMIT);
	bed_again(&bed);
	for (unsigned i = 0; i < MOST - 4; i++)
		mine[i] = sent_file(&bed, "/a");
	for (unsigned i = 0; i < MOST - 4; i++)
		end(mine[i]);
	expect_pairs(&bed, MOST - 4);
	wish.uid++;
	for (unsigned i = 0; i < MOST + 4; i++) {
		assert_int_equal(
		    spool_create(bed.spool, &wish, &theirs[i], &err), 0);
		expect_pairs(&bed,
		    i < 4          ? MOST - 4 + i + 1
		        : i < MOST ? MOST
		                   : i + 1);
	}
	for (unsigned i = 0; i < MOST + 4; i++)
		assert_int_equal(spool_drop(theirs[i], &err), 0);
	/* As long as there are too many, what ends goes. */
	for (unsigned i = 0; i < MOST + 4; i++) {
		end(theirs[i]);
		expect_pairs(&bed, i < 4 ? MOST + 4 - i - 1 : MOST);
	}
	bed_limit_open(0);
	bed_fini(&bed);
}

static void a_name_that_is_taken_is_not_taken_over(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	char next[200];
	struct stat about;
	int fd;

	(void)state;
	bed_init(&bed);
	end(sent_file(&bed, "/a"));
	(void)snprintf(next, sizeof(next), "%s/v1/%016x-%u.d", bed.dir, 2u,
	    (unsigned)BED_UID);
	fd = open(next, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "bytes", 5), 5);
	(void)close(fd);
	entry = bed_file(&bed, "/b");
	bed_write(entry, 0, "text");
	bed_expect(entry, "text");
	assert_int_equal(stat(next, &about), 0);
	assert_int_equal(about.st_size, 5);
	spool_release(entry);
	bed_fini(&bed);
}

/* ---- what others see ---- */

static void spares_are_nothing_to_others(void **state)
{
	struct bed bed;
	struct spool *mine;
	struct spool_entry *entry;
	uint64_t used;

	(void)state;
	bed_init(&bed);
	end(sent_file(&bed, "/a"));
	assert_int_equal(spool_used(bed.spool, BED_UID, &used, &err), 0);
	assert_int_equal(used, 0);
	mine = bed.spool;
	bed.spool = bed_second(&bed);
	assert_int_equal(bed_count_all(&bed), 0);
	assert_int_equal(bed_adopt(&bed), 0);
	assert_int_equal(spool_take(bed.spool, 1, &entry, &err), -ENOENT);
	expect_pairs(&bed, 1);
	spool_close(bed.spool);
	expect_pairs(&bed, 1);
	bed.spool = mine;
	/* It is still ours, and of use. */
	bed_expect(entry = bed_file(&bed, "/b"), "");
	expect_pairs(&bed, 1);
	spool_release(entry);
	bed_fini(&bed);
}

static void they_go_when_the_spool_is_closed(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed);
	end(sent_file(&bed, "/a"));
	expect_pairs(&bed, 1);
	spool_close(bed.spool);
	expect_pairs(&bed, 0);
	bed.spool = bed_second(&bed);
	bed_fini(&bed);
}

static struct bed racing;
static struct spool_entry *before;
static struct spool_entry *after;

static void one_ends_and_one_begins(void)
{
	struct err ignored = ERR_INIT;
	struct spool_wish wish = bed_wish("/after");

	if (spool_remove(&before, &ignored) < 0 ||
	    spool_create(racing.spool, &wish, &after, &ignored) < 0)
		_exit(1);
}

static int see(void *arg, const struct spool_item *item)
{
	unsigned *seen = arg;

	assert_int_not_equal(item->state, SPOOL_DAMAGED);
	assert_true(item->busy);
	assert_string_equal(
	    item->text[SPOOL_PATH], item->serial == 1 ? "/before" : "/after");
	(*seen)++;
	return 0;
}

/* A journal is another one's between two looks at it. */
static void nobody_reads_one_entry_under_the_name_of_another(void **state)
{
	unsigned nth = 0;
	bool over = false;

	(void)state;
	while (!over) {
		struct spool *other;
		unsigned seen = 0;

		bed_init(&racing);
		before = sent_file(&racing, "/before");
		after = NULL;
		other = bed_second(&racing);
		calls_left = ++nth;
		meanwhile = one_ends_and_one_begins;
		assert_int_equal(
		    spool_list(other, &(struct spool_filter){.any_uid = true},
		        see, &seen, &err),
		    0);
		over = meanwhile != NULL;
		meanwhile = NULL;
		assert_true(seen <= 1);
		spool_close(other);
		spool_release(before);
		spool_release(after);
		bed_fini(&racing);
	}
	assert_true(nth > 3);
}

static int take_none(void *arg, struct spool_entry *entry)
{
	(void)arg;
	spool_release(entry);
	return -EPROTO;
}

static void look_after(struct spool *other)
{
	assert_int_equal(
	    spool_adopt(other, &(struct spool_filter){.any_uid = true},
	        take_none, NULL, &err),
	    0);
}

static void expect_after(void)
{
	assert_non_null(after);
	bed_write(after, 0, "text");
	bed_expect(after, "text");
	expect_pairs(&racing, 1);
	finish(after);
	spool_release(after);
	after = NULL;
	bed_again(&racing);
	after = bed_take(&racing, "/after");
	assert_non_null(after);
	bed_expect(after, "text");
	spool_release(after);
}

/* Who looks after the dead finds files under names that they have no more. */
static void nobody_takes_what_is_used_again(void **state)
{
	unsigned nth = 0;
	bool over = false;

	(void)state;
	while (!over) {
		struct spool *other;

		bed_init(&racing);
		before = sent_file(&racing, "/before");
		after = NULL;
		other = bed_second(&racing);
		calls_left = ++nth;
		meanwhile = one_ends_and_one_begins;
		look_after(other);
		over = meanwhile != NULL;
		meanwhile = NULL;
		if (over)
			one_ends_and_one_begins();
		look_after(other);
		spool_close(other);
		expect_after();
		bed_fini(&racing);
	}
	assert_true(nth > 3);
}

static struct spool *sweeper;

static void somebody_looks_after_the_dead(void)
{
	unsigned seen = 0;

	look_after(sweeper);
	assert_int_equal(
	    spool_list(sweeper, &(struct spool_filter){.any_uid = true}, see,
	        &seen, &err),
	    0);
	assert_true(seen <= 1);
}

/* Nor while they get their new ones. */
static void nobody_takes_what_is_being_used_again(void **state)
{
	unsigned nth = 0;
	bool over = false;

	(void)state;
	while (!over) {
		bed_init(&racing);
		before = sent_file(&racing, "/before");
		sweeper = bed_second(&racing);
		calls_left = ++nth;
		meanwhile = somebody_looks_after_the_dead;
		one_ends_and_one_begins();
		over = meanwhile != NULL;
		meanwhile = NULL;
		spool_close(sweeper);
		expect_after();
		bed_fini(&racing);
	}
	assert_true(nth > 5);
}

/* ---- kills ---- */

/* How far a life came; survives it. */
struct tale {
	unsigned closed; /* numbers of files: finish() returned */
	unsigned sent;   /* spool_sent() was called */
};

static void live(struct bed *bed, struct tale *tale)
{
	static const struct spool_version version = {.exists = true};
	struct err ignored = ERR_INIT;

	bed->spool = bed_second(bed);
	for (unsigned i = 1; i <= LIVES; i++) {
		struct spool_entry *entry;
		char path[16];
		struct spool_wish wish = bed_wish(path);
		uint64_t changes;

		(void)snprintf(path, sizeof(path), "/%u", i);
		if (spool_create(bed->spool, &wish, &entry, &ignored) < 0 ||
		    spool_write(entry, path, strlen(path), 0, &ignored) < 0 ||
		    spool_finish(entry, SPOOL_TO_KILL, &ignored) < 0)
			_exit(1);
		tale->closed = i;
		if (spool_sending(entry, NULL, &changes, &ignored) < 0)
			_exit(1);
		tale->sent = i;
		if (spool_sent(entry, changes, &version, &ignored) != 1 ||
		    spool_remove(&entry, &ignored) < 0)
			_exit(1);
	}
	spool_close(bed->spool);
	_exit(0);
}

static int check_whole(void *arg, struct spool_entry *entry)
{
	const struct tale *tale = arg;
	struct spool_item item;
	unsigned number;

	assert_int_equal(spool_item_of(entry, &item), 0);
	number = (unsigned)strtoul(item.text[SPOOL_PATH] + 1, NULL, 10);
	/* Nothing that was sent before, nor what had not been closed. */
	assert_true(number == tale->closed || number == tale->closed + 1);
	assert_true(number >= tale->sent);
	bed_expect(entry, item.text[SPOOL_PATH]);
	spool_item_fini(&item);
	spool_release(entry);
	return 0;
}

static bool killed_at(unsigned nth, bool within)
{
	struct tale *tale = mmap(NULL, sizeof(*tale), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct spool_filter all = {.any_uid = true};
	struct bed bed;
	int status;
	unsigned left;
	pid_t pid;

	assert_true(tale != MAP_FAILED);
	bed_init(&bed);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		kill_at(nth, within);
		live(&bed, tale);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(status == 0 || status == KILL_STATUS << 8);
	/* Before anybody has looked after it: of the one that was not sent
	 * at most, and nothing that nobody understands. */
	left = bed_count_all(&bed);
	assert_true(left <= 1);
	assert_int_equal(bed_count(&bed, SPOOL_DAMAGED), 0);
	assert_int_equal(
	    spool_adopt(bed.spool, &all, check_whole, tale, &err), 0);
	/* What was closed and not yet sent is there. */
	if (tale->closed > tale->sent)
		assert_int_equal(left, 1);
	/* Nothing of all that has ended lies about. */
	expect_pairs(&bed, left);
	bed_fini(&bed);
	(void)munmap(tale, sizeof(*tale));
	return status != 0;
}

static void a_kill_at_each_step_loses_and_leaves_nothing(void **state)
{
	unsigned nth;

	(void)state;
	for (nth = 1; killed_at(nth, false); nth++)
		(void)killed_at(nth, true);
	assert_true(nth > LIVES * 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_sent_leaves_its_files_to_the_next),
	    cmocka_unit_test(what_was_dropped_leaves_its_files_too),
	    cmocka_unit_test(what_was_flushed_leaves_nothing),
	    cmocka_unit_test(what_is_unsent_or_anothers_leaves_nothing),
	    cmocka_unit_test(large_files_go),
	    cmocka_unit_test(a_file_with_another_name_is_left_alone),
	    cmocka_unit_test(no_more_are_kept_than_are_sent_at_once),
	    cmocka_unit_test(users_have_their_own),
	    cmocka_unit_test(they_make_way_for_entries),
	    cmocka_unit_test(a_name_that_is_taken_is_not_taken_over),
	    cmocka_unit_test(spares_are_nothing_to_others),
	    cmocka_unit_test(they_go_when_the_spool_is_closed),
	    cmocka_unit_test(nobody_reads_one_entry_under_the_name_of_another),
	    cmocka_unit_test(nobody_takes_what_is_used_again),
	    cmocka_unit_test(nobody_takes_what_is_being_used_again),
	    cmocka_unit_test(a_kill_at_each_step_loses_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
