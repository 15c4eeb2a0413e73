/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_spool_together.c - threads of one process, and
 * processes of one spool: each file is sent by one of them, once, whole.
 */
#include "tests/unit/cache/spool/spool_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 40, PIECES = 16, PIECE = 100 };

/* What happens right in front of the next lock of a journal. */
static void (*before_lock)(void);

int __real_fcntl64(int fd, int what, ...);
int __wrap_fcntl64(int fd, int what, ...);

int __wrap_fcntl64(int fd, int what, ...)
{
	void (*hook)(void) = before_lock;
	va_list list;
	void *argument;

	va_start(list, what);
	argument = va_arg(list, void *);
	va_end(list);
	if (what == F_OFD_SETLK && hook != NULL) {
		before_lock = NULL;
		hook();
	}
	return __real_fcntl64(fd, what, argument);
}

struct crew {
	struct bed bed;
	struct spool_entry *shared;
	_Atomic bool over;
	_Atomic unsigned failures;
};

static void *write_pieces(void *arg)
{
	struct crew *crew = arg;
	struct err err = ERR_INIT;
	char piece[PIECE];

	memset(piece, 'x', sizeof(piece));
	for (unsigned i = 0; i < ROUNDS * PIECES; i++)
		if (spool_write(crew->shared, piece, sizeof(piece),
		        (uint64_t)(i % PIECES) * 2 * PIECE, &err) < 0)
			crew->failures++;
	return NULL;
}

/* As the thread that answers requests: it asks and does not wait. */
static void *look(void *arg)
{
	struct crew *crew = arg;
	uint64_t last = 0;

	while (!crew->over) {
		struct spool_attr attr = spool_attr(crew->shared);
		struct spool_piece piece = spool_map(crew->shared, 150);
		struct spool_item item;

		if (attr.changes < last)
			crew->failures++;
		last = attr.changes;
		if (piece.where == SPOOL_HERE &&
		    piece.size_bytes + 150 > attr.size_bytes + 10000)
			crew->failures++;
		if (spool_item_of(crew->shared, &item) == 0)
			spool_item_fini(&item);
	}
	return NULL;
}

static int ignore(void *arg, const struct spool_item *item)
{
	(void)arg;
	(void)item;
	return 0;
}

static void *come_and_go(void *arg)
{
	struct crew *crew = arg;
	struct err err = ERR_INIT;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct spool_wish wish = bed_wish("/own");
		struct spool_entry *entry;

		if (spool_create(crew->bed.spool, &wish, &entry, &err) < 0 ||
		    spool_write(entry, "own", 3, 0, &err) < 0 ||
		    spool_finish(entry, SPOOL_TO_KILL, &err) < 0 ||
		    spool_list(crew->bed.spool,
		        &(struct spool_filter){.any_uid = true}, ignore, NULL,
		        &err) < 0 ||
		    spool_remove(&entry, &err) < 0)
			crew->failures++;
	}
	return NULL;
}

static void threads_work_on_one_spool(void **state)
{
	static struct crew crew;
	struct err err = ERR_INIT;
	pthread_t writers[THREADS];
	pthread_t others[THREADS];
	pthread_t looker;

	(void)state;
	bed_init(&crew.bed);
	crew.shared = bed_file_base(&crew.bed, "/shared", 5000);
	assert_int_equal(pthread_create(&looker, NULL, look, &crew), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(
		    pthread_create(&writers[i], NULL, write_pieces, &crew), 0);
		assert_int_equal(
		    pthread_create(&others[i], NULL, come_and_go, &crew), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(writers[i], NULL), 0);
		assert_int_equal(pthread_join(others[i], NULL), 0);
	}
	crew.over = true;
	assert_int_equal(pthread_join(looker, NULL), 0);
	assert_int_equal(crew.failures, 0);
	assert_int_equal(
	    spool_attr(crew.shared).changes, THREADS * ROUNDS * PIECES);
	assert_int_equal(spool_map(crew.shared, 0).size_bytes, PIECE);
	assert_int_equal(spool_map(crew.shared, PIECE).where, SPOOL_BASE);
	assert_int_equal(spool_finish(crew.shared, SPOOL_TO_POWER, &err), 0);
	assert_int_equal(spool_remove(&crew.shared, &err), 0);
	assert_int_equal(bed_count_all(&crew.bed), 0);
	bed_fini(&crew.bed);
}

/* What all processes count together. */
struct tally {
	_Atomic unsigned made;
	_Atomic unsigned sent;
	_Atomic unsigned wrong;
};

static int send_one(void *arg, struct spool_entry *entry)
{
	struct tally *tally = arg;
	static const struct spool_version version = {.exists = true};
	struct err err = ERR_INIT;
	char bytes[64];
	struct spool_item item;
	uint64_t changes;
	ssize_t n = spool_read(entry, bytes, sizeof(bytes), 0, &err);

	if (spool_item_of(entry, &item) < 0)
		_exit(1);
	/* Its path is its content. */
	if (n != (ssize_t)strlen(item.text[SPOOL_PATH]) ||
	    memcmp(bytes, item.text[SPOOL_PATH], (size_t)n) != 0)
		tally->wrong++;
	spool_item_fini(&item);
	if (spool_sending(entry, NULL, &changes, &err) < 0 ||
	    spool_sent(entry, changes, &version, &err) != 1 ||
	    spool_remove(&entry, &err) < 0)
		tally->wrong++;
	tally->sent++;
	(void)sched_yield();
	return 0;
}

static void live(struct bed *bed, struct tally *tally, unsigned which)
{
	struct spool *spool = bed_second(bed);
	struct err err = ERR_INIT;

	for (unsigned i = 0; i < ROUNDS; i++) {
		char path[32];
		struct spool_wish wish = bed_wish(path);
		struct spool_entry *entry;

		(void)snprintf(path, sizeof(path), "/p%u/%u", which, i);
		if (spool_create(spool, &wish, &entry, &err) < 0 ||
		    spool_write(entry, path, strlen(path), 0, &err) < 0 ||
		    spool_finish(entry, i % 4 ? SPOOL_TO_KILL : SPOOL_TO_POWER,
		        &err) < 0) {
			(void)fprintf(stderr, "%s\n", err.text);
			_exit(1);
		}
		spool_release(entry);
		tally->made++;
		if (spool_adopt(spool, &(struct spool_filter){.any_uid = true},
		        send_one, tally, &err) != 0)
			_exit(1);
	}
	spool_close(spool);
	_exit(0);
}

static void processes_send_each_file_once(void **state)
{
	struct tally *tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct bed bed;
	struct err err = ERR_INIT;
	pid_t children[THREADS];

	(void)state;
	assert_true(tally != MAP_FAILED);
	bed_init(&bed);
	for (unsigned i = 0; i < THREADS; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0)
			live(&bed, tally, i);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(
	    spool_adopt(bed.spool, &(struct spool_filter){.any_uid = true},
	        send_one, tally, &err),
	    0);
	assert_int_equal(tally->wrong, 0);
	assert_int_equal(tally->made, THREADS * ROUNDS);
	assert_int_equal(tally->sent, THREADS * ROUNDS);
	assert_int_equal(bed_count_all(&bed), 0);
	assert_int_equal(bed_files(&bed, ".d") + bed_files(&bed, ".j"), 0);
	(void)munmap(tally, sizeof(*tally));
	bed_fini(&bed);
}

/* One that is stopped while it holds the lock of all: others say so within
 * seconds, what is open goes on. */
static void a_stopped_process_stops_no_one_for_long(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	struct spool_wish wish = bed_wish("/a");
	struct spool_entry *open_one;
	struct spool_entry *entry;
	int ready[2];
	char byte;
	pid_t child;
	int status;

	(void)state;
	bed_init(&bed);
	open_one = bed_file(&bed, "/open");
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char path[512];
		int next;

		bed_path(&bed, "next", path);
		next = open(path, O_RDWR | O_CLOEXEC);
		if (next < 0 || flock(next, LOCK_EX) < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(spool_create(bed.spool, &wish, &entry, &err), -EBUSY);
	assert_non_null(strstr(err.text, "another process"));
	bed_write(open_one, 0, "goes on");
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(spool_create(bed.spool, &wish, &entry, &err), 0);
	spool_release(entry);
	spool_release(open_one);
	(void)close(ready[0]);
	(void)close(ready[1]);
	bed_fini(&bed);
}

static struct spool *faster;

static void take_it_away(void)
{
	struct err err = ERR_INIT;
	struct spool_entry *entry;

	assert_int_equal(spool_take(faster, 1, &entry, &err), 0);
	assert_int_equal(spool_remove(&entry, &err), 0);
}

/* It was sent between our opening and our lock. */
static void an_entry_that_went_meanwhile_is_not_taken(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	struct spool_wish wish = bed_wish("/a");
	struct spool_entry *entry;

	(void)state;
	bed_init(&bed);
	faster = bed_second(&bed);
	/* A directory: it has no data whose absence would tell. */
	wish.kind = SPOOL_MKDIR;
	assert_int_equal(spool_create(bed.spool, &wish, &entry, &err), 0);
	spool_release(entry);
	before_lock = take_it_away;
	assert_int_equal(bed_adopt(&bed), 0);
	assert_null(before_lock);
	spool_close(faster);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(threads_work_on_one_spool),
	    cmocka_unit_test(processes_send_each_file_once),
	    cmocka_unit_test(an_entry_that_went_meanwhile_is_not_taken),
	    cmocka_unit_test(a_stopped_process_stops_no_one_for_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
