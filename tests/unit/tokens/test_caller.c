/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/caller.h, with real processes: which one asks, and which is
 * another one in spite of its number. */
#include "base/attr.h"
#include "tokens/callers/auxv.h"
#include "tokens/callers/caller.h"

#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct ident ident_of(pid_t tid)
{
	return (struct ident){.uid = 1001, .gid = 1002, .pid = tid};
}

static struct caller ask(pid_t tid)
{
	struct ident ident = ident_of(tid);
	struct caller out = {.tgid = 0};

	assert_int_equal(caller_of(&out, &ident), 0);
	return out;
}

/* A process that waits until it is told to exec or to end. */
struct child {
	pid_t pid;
	int tell; /* a byte: exec; closed: end */
};

/* @param pid  the number that it is to have; 0: any. */
static struct child child_new(pid_t pid)
{
	struct clone_args args = {.exit_signal = SIGCHLD,
	    .set_tid = pid != 0 ? (uint64_t)(uintptr_t)&pid : 0,
	    .set_tid_size = pid != 0};
	struct child child;
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	child.pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (child.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(ends[1]);
		/* The next program reads the same pipe to its end. */
		if (read(ends[0], &byte, 1) == 1 && dup2(ends[0], 0) == 0)
			(void)execl("/bin/cat", "cat", (char *)NULL);
		_exit(0);
	}
	(void)close(ends[0]);
	child.tell = ends[1];
	return child;
}

static void child_end(struct child *child)
{
	(void)close(child->tell);
	assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
}

static void a_process_is_itself_each_time(void **state)
{
	struct child child = child_new(0);
	struct caller first;
	struct caller self = ask(getpid());

	(void)state;
	assert_true(child.pid > 0);
	first = ask(child.pid);
	assert_int_equal(first.tgid, child.pid);
	assert_int_equal(first.uid, 1001);
	assert_int_equal(first.gid, 1002);
	assert_true(first.start_ticks > 0);
	assert_true(first.env_start > 0);
	for (unsigned i = 0; i < 3; i++) {
		struct caller again = ask(child.pid);

		assert_true(caller_same(&first, &again));
	}
	assert_false(caller_same(&first, &self));
	child_end(&child);
}

static void an_ended_process_is_none(void **state)
{
	struct child child = child_new(0);
	struct ident ident = ident_of(child.pid);
	struct caller out = {.tgid = 7};
	struct err err = ERR_INIT;

	(void)state;
	assert_true(child.pid > 0);
	(void)ask(child.pid);
	child_end(&child);
	assert_int_equal(caller_of(&out, &ident), -ESRCH);
	assert_int_equal(out.tgid, 7);
	assert_int_equal(caller_explain(&err, -ESRCH, &ident), -ESRCH);
	assert_non_null(strstr(err.text, "hidepid"));
}

static void another_namespace_is_refused_with_the_cure(void **state)
{
	struct ident ident = ident_of(0);
	struct caller out;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(caller_of(&out, &ident), -ENXIO);
	assert_int_equal(caller_explain(&err, -ENXIO, &ident), -ENXIO);
	assert_non_null(strstr(err.text, "user 1001"));
	assert_non_null(strstr(err.text, "mount inside that container"));
}

static void an_exec_makes_another_caller(void **state)
{
	struct child child = child_new(0);
	struct caller before;
	struct caller after;

	(void)state;
	assert_true(child.pid > 0);
	before = ask(child.pid);
	assert_int_equal(write(child.tell, "x", 1), 1);
	for (unsigned i = 0; i < 30000; i++) {
		after = ask(child.pid);
		/* 0 between the two programs */
		if (after.env_start != before.env_start && after.env_start > 0)
			break;
		(void)usleep(1000);
	}
	assert_int_equal(after.tgid, before.tgid);
	assert_int_equal(after.start_ticks, before.start_ticks);
	assert_true(after.env_start > 0);
	assert_false(caller_same(&before, &after));
	child_end(&child);
}

/* The very same number, taken by another process. */
static void a_number_used_again_is_another_caller(void **state)
{
	struct child first = child_new(0);
	struct child second;
	struct caller before;
	struct caller after;

	(void)state;
	assert_true(first.pid > 0);
	before = ask(first.pid);
	child_end(&first);
	(void)usleep(30000); /* more than one tick of /proc */
	second = child_new(first.pid);
	if (second.pid < 0) {
		(void)close(second.tell);
		assert_true(errno == EPERM || errno == EEXIST);
		print_message("no right to choose a pid\n");
		skip();
	}
	assert_int_equal(second.pid, first.pid);
	after = ask(second.pid);
	assert_true(after.start_ticks > before.start_ticks);
	/* A fork has its parent's addresses: the start alone tells them. */
	assert_int_equal(after.env_start, before.env_start);
	assert_false(caller_same(&before, &after));
	child_end(&second);
}

struct thread {
	pthread_t thread;
	pid_t tid;
	int told[2];
	int wait[2];
};

static void *run_thread(void *arg)
{
	struct thread *thread = arg;
	char byte;

	thread->tid = (pid_t)syscall(SYS_gettid);
	assert_int_equal(write(thread->told[1], "x", 1), 1);
	assert_int_equal(read(thread->wait[0], &byte, 1), 0);
	return NULL;
}

static void thread_start(struct thread *thread)
{
	char byte;

	assert_int_equal(pipe(thread->told), 0);
	assert_int_equal(pipe(thread->wait), 0);
	assert_int_equal(
	    pthread_create(&thread->thread, NULL, run_thread, thread), 0);
	assert_int_equal(read(thread->told[0], &byte, 1), 1);
}

static void thread_end(struct thread *thread)
{
	(void)close(thread->wait[1]);
	assert_int_equal(pthread_join(thread->thread, NULL), 0);
	(void)close(thread->wait[0]);
	(void)close(thread->told[0]);
	(void)close(thread->told[1]);
}

static void threads_are_their_process(void **state)
{
	struct thread thread;
	struct caller process;
	struct caller seen;

	(void)state;
	/* Later than the process by more than a tick. */
	(void)usleep(30000);
	thread_start(&thread);
	process = ask(getpid());
	assert_int_not_equal(thread.tid, getpid());
	for (unsigned i = 0; i < 3; i++) { /* learnt, then known */
		seen = ask(thread.tid);
		assert_int_equal(seen.tgid, getpid());
		assert_true(caller_same(&process, &seen));
	}
	thread_end(&thread);
}

/* A thread's number that a process of its own has later is not mistaken for
 * the thread that is known by it. */
static void a_known_thread_is_told_from_what_has_its_number(void **state)
{
	struct thread thread;
	struct child child;
	struct caller after;
	struct ident ident;

	(void)state;
	thread_start(&thread);
	assert_int_equal(ask(thread.tid).tgid, getpid());
	thread_end(&thread);
	ident = ident_of(thread.tid);
	/* Joined is not yet gone from /proc. */
	for (unsigned i = 0; i < 30000; i++) {
		if (caller_of(&after, &ident) == -ESRCH)
			break;
		(void)usleep(1000);
	}
	(void)usleep(30000);
	child = child_new(thread.tid);
	if (child.pid < 0) {
		(void)close(child.tell);
		assert_true(errno == EPERM || errno == EEXIST);
		print_message("no right to choose a pid\n");
		skip();
	}
	after = ask(child.pid);
	assert_int_equal(after.tgid, child.pid);
	child_end(&child);
}

/* A name may pretend to be the rest of its line, or a line of its own. */
static void a_name_cannot_forge_its_line(void **state)
{
	struct caller before = ask(getpid());
	struct thread thread;
	struct caller after;

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, ") R 1 1 1 1 1"), 0);
	after = ask(getpid());
	assert_true(caller_same(&before, &after));
	/* A thread starts with its maker's name, and is not known yet. */
	assert_int_equal(prctl(PR_SET_NAME, "\nTgid:\t1\n"), 0);
	thread_start(&thread);
	after = ask(thread.tid);
	assert_true(caller_same(&before, &after));
	thread_end(&thread);
	assert_int_equal(prctl(PR_SET_NAME, "test_caller"), 0);
}

#define FIELDS_4_TO_21 "1 2 3 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0"
#define FIELDS_23_TO_49             \
	"1 2 18446744073709551615 " \
	"4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7"

static void lines_are_read_strictly(void **state)
{
	static const char *const wrong[] = {"", ")", "1 (a)", "1 (a) ",
	    "1 (a) S " FIELDS_4_TO_21 " 77", "1 (a) S " FIELDS_4_TO_21 " ",
	    "1 (a) S " FIELDS_4_TO_21 " x " FIELDS_23_TO_49 " 99 1\n",
	    "1 (a) S " FIELDS_4_TO_21 " -7 " FIELDS_23_TO_49 " 99 1\n",
	    "1 (a) S " FIELDS_4_TO_21 " 77 " FIELDS_23_TO_49 " 9x 1\n",
	    "1 (a) S " FIELDS_4_TO_21 " 18446744073709551616 " FIELDS_23_TO_49
	    " 99 1\n"};
	static const char right[] =
	    "1 (a) b) S " FIELDS_4_TO_21 " 77 " FIELDS_23_TO_49 " 99 1\n";
	struct caller_stat stat;

	(void)state;
	assert_int_equal(caller_stat_parse(&stat, right, sizeof(right) - 1), 0);
	assert_int_equal(stat.start_ticks, 77);
	assert_int_equal(stat.env_start, 99);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(
		    caller_stat_parse(&stat, wrong[i], strlen(wrong[i])), -EIO);
}

static void the_starter_is_told_by_words_of_either_width(void **state)
{
	static const uint64_t wide[] = {33, UINT64_C(0x7ffc12345000), 16,
	    0xbfebfbff, AT_SECURE, 0, 31, UINT64_C(0x7ffc12346fe0), AT_NULL, 0};
	static const uint32_t narrow[] = {32, 0xf7f12340, 33, 0xf7f12000,
	    AT_SECURE, 0, 31, 0xffe12fe0, AT_NULL, 0};
	uint64_t secure[ARRAY_COUNT(wide)];
	uint32_t secure_narrow[ARRAY_COUNT(narrow)];

	(void)state;
	memcpy(secure, wide, sizeof(wide));
	memcpy(secure_narrow, narrow, sizeof(narrow));
	secure[5] = secure_narrow[5] = 1;
	assert_false(auxv_is_secure(wide, sizeof(wide)));
	assert_true(auxv_is_secure(secure, sizeof(secure)));
	assert_false(auxv_is_secure(narrow, sizeof(narrow)));
	assert_true(auxv_is_secure(secure_narrow, sizeof(secure_narrow)));
	/* Cut short, or of nothing. */
	assert_true(auxv_is_secure(wide, sizeof(wide) - 16));
	assert_true(auxv_is_secure(wide, sizeof(wide) - 17));
	assert_true(auxv_is_secure(narrow, sizeof(narrow) - 8));
	assert_true(auxv_is_secure("", 0));
	assert_true(auxv_is_secure(wide + 8, 16));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_process_is_itself_each_time),
	    cmocka_unit_test(an_ended_process_is_none),
	    cmocka_unit_test(another_namespace_is_refused_with_the_cure),
	    cmocka_unit_test(an_exec_makes_another_caller),
	    cmocka_unit_test(a_number_used_again_is_another_caller),
	    cmocka_unit_test(threads_are_their_process),
	    cmocka_unit_test(a_known_thread_is_told_from_what_has_its_number),
	    cmocka_unit_test(a_name_cannot_forge_its_line),
	    cmocka_unit_test(lines_are_read_strictly),
	    cmocka_unit_test(the_starter_is_told_by_words_of_either_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
