/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker.h, with real processes of several users: who looks,
 * with which rights, and what a stalled look costs whom. Needs root. */
#include "base/attr.h"
#include "tests/unit/tokens/caller_bed.h"
#include "tokens/callers/looker.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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
#include <unistd.h>

#include <cmocka.h>

enum { ALICE = 1001, BOB = 1002, CAROL = 1003, STALLED = ALICE };

static struct looker *looker;

/* What the callback does for a caller of this group. */
enum act {
	ACT_IDS = 2001,
	ACT_STALL,
	ACT_ROOT_ONLY,
	ACT_HUGE,
	ACT_KILLED,
	ACT_EXEC,
};

static int say(const struct looker_scene *scene, const void *text, size_t size)
{
	return write(scene->answer_fd, text, size) == (ssize_t)size ? 0 : -EIO;
}

static int say_ids(const struct looker_scene *scene)
{
	char status[4096];
	char text[256];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
	gid_t groups[8];
	int fds = 0;

	if (n < 0)
		return -EIO;
	status[n] = '\0';
	(void)close(fd);
	for (int i = 0; i < 1024; i++)
		fds += fcntl(i, F_GETFD) >= 0;
	n = snprintf(text, sizeof(text),
	    "%u %u %u %u groups=%d caps=%d nnp=%d "
	    "dump=%d fds=%d one=%d",
	    getuid(), geteuid(), getgid(), getegid(), getgroups(8, groups),
	    strstr(status, "CapEff:\t0000000000000000\nCapBnd") == NULL ||
	        strstr(status, "CapPrm:\t0000000000000000") == NULL,
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE), fds,
	    (int)scene->one_identity);
	return say(scene, text, (size_t)n);
}

/* Have the caller run another program in the middle of the look. */
static int make_exec(const struct looker_scene *scene)
{
	struct ident ident = {.pid = scene->caller->tgid};
	struct caller now = *scene->caller;

	if (kill(ident.pid, SIGUSR1) < 0)
		return -EIO;
	while (
	    now.env_start == scene->caller->env_start || now.env_start == 0) {
		if (caller_of(&now, &ident) < 0)
			return -EIO;
		(void)usleep(1000);
	}
	return say(scene, "x", 1);
}

static int act(void *arg, const struct looker_scene *scene)
{
	static char huge[LOOKER_ANSWER_BYTES_MAX + 1];

	(void)arg;
	switch ((enum act)scene->caller->gid) {
	case ACT_IDS:
		return say_ids(scene);
	case ACT_STALL:
		for (;;)
			(void)pause();
	case ACT_ROOT_ONLY:
		return open("/etc/shadow", O_RDONLY) < 0 ? -errno : 0;
	case ACT_HUGE:
		return say(scene, huge, sizeof(huge));
	case ACT_KILLED:
		(void)kill(getpid(), SIGKILL);
		return 0;
	case ACT_EXEC:
		return make_exec(scene);
	default:
		return -EINVAL;
	}
}

static int set_up(void **state)
{
	static const gid_t groups[] = {0, 4242};
	struct err err = ERR_INIT;

	(void)state;
	/* A look must not have them. */
	assert_int_equal(setgroups(ARRAY_COUNT(groups), groups), 0);
	return looker_start(&looker, act, NULL, &err);
}

static int tear_down(void **state)
{
	(void)state;
	looker_free(looker);
	looker = NULL;
	return 0;
}

static struct bed_process process_of(uid_t uid, enum act act)
{
	const struct bed_who who = bed_user(uid, act);

	return bed_start(&who);
}

static struct looker_answer look_with(const struct bed_who *who)
{
	struct bed_process process = bed_start(who);
	struct looker_answer out = bed_look(looker, &process);

	bed_end(&process);
	return out;
}

static struct looker_answer look(uid_t uid, enum act act)
{
	const struct bed_who who = bed_user(uid, act);

	return look_with(&who);
}

static void it_has_the_callers_ids_and_nothing_else(void **state)
{
	struct looker_answer got = look(ALICE, ACT_IDS);

	(void)state;
	assert_int_equal(got.code, 0);
	/* Descriptors: /dev/null three times, answer, /proc, environment. */
	assert_int_equal(got.size_bytes,
	    strlen("1001 1001 2001 2001 groups=0 caps=0 nnp=1 dump=0 fds=6 "
	           "one=1"));
	assert_memory_equal(got.bytes,
	    "1001 1001 2001 2001 groups=0 caps=0 nnp=1 dump=0 fds=6 one=1",
	    got.size_bytes);
	looker_answer_fini(&got);
}

static void it_has_no_capability_for_root_either(void **state)
{
	struct looker_answer got = look(0, ACT_IDS);

	(void)state;
	assert_int_equal(got.code, 0);
	assert_memory_equal(got.bytes, "0 0 2001 2001 groups=0 caps=0", 29);
	looker_answer_fini(&got);
}

static void two_identities_are_told(void **state)
{
	struct bed_who who = bed_user(ALICE, ACT_IDS);
	struct looker_answer got;

	(void)state;
	who.real_uid = BOB;
	got = look_with(&who);
	assert_int_equal(got.code, 0);
	assert_memory_equal(got.bytes + got.size_bytes - 5, "one=0", 5);
	looker_answer_fini(&got);
}

static void two_groups_are_two_identities(void **state)
{
	struct bed_who who = bed_user(ALICE, ACT_IDS);
	struct looker_answer got;

	(void)state;
	who.real_gid = 77;
	got = look_with(&who);
	assert_int_equal(got.code, 0);
	assert_memory_equal(got.bytes + got.size_bytes - 5, "one=0", 5);
	looker_answer_fini(&got);
}

/* As of a setuid program that has dropped what it was started with: what the
 * kernel would tell is put there by hand. */
static bool was_started_secure(void *arg)
{
	unsigned long long auxv[] = {AT_SECURE, 1, AT_NULL, 0};
	struct prctl_mm_map map = {.brk = (uintptr_t)sbrk(0),
	    .auxv = auxv,
	    .auxv_size = sizeof(auxv),
	    .exe_fd = (uint32_t)-1};
	char text[1024] = "";
	int fd = open("/proc/self/stat", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at = n < 0 ? NULL : strrchr(text, ')');
	uint64_t fields[53] = {0};

	(void)arg;
	(void)close(fd);
	if (at == NULL)
		return false;
	at += strlen(") R ");
	for (unsigned i = 4; i < ARRAY_COUNT(fields); i++) {
		char *end;

		fields[i] = strtoull(at, &end, 10);
		at = end;
	}
	map.start_code = fields[26];
	map.end_code = fields[27];
	map.start_stack = fields[28];
	map.start_data = fields[45];
	map.end_data = fields[46];
	map.start_brk = fields[47];
	map.arg_start = fields[48];
	map.arg_end = fields[49];
	map.env_start = fields[50];
	map.env_end = fields[51];
	return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) == 0;
}

static void ids_that_are_one_by_now_are_not_believed(void **state)
{
	struct bed_who who = bed_user(ALICE, ACT_IDS);
	struct bed_process process;
	struct looker_answer got;

	(void)state;
	who.prepare = was_started_secure;
	process = bed_start(&who);
	if (process.pid == 0)
		skip(); /* a kernel without CONFIG_CHECKPOINT_RESTORE */
	got = bed_look(looker, &process);
	bed_end(&process);
	assert_int_equal(got.code, 0);
	assert_memory_equal(got.bytes + got.size_bytes - 5, "one=0", 5);
	looker_answer_fini(&got);
}

static void an_exec_in_the_middle_throws_the_answer_away(void **state)
{
	struct looker_answer got = look(ALICE, ACT_EXEC);

	(void)state;
	assert_int_equal(got.code, -ESRCH);
	assert_null(got.bytes);
}

static void a_file_for_root_alone_is_not_opened(void **state)
{
	(void)state;
	assert_int_equal(look(ALICE, ACT_ROOT_ONLY).code, -EACCES);
}

static void an_answer_has_a_limit(void **state)
{
	(void)state;
	assert_true(look(ALICE, ACT_HUGE).code < 0);
}

static void a_look_may_be_killed_by_its_user(void **state)
{
	(void)state;
	assert_int_equal(look(ALICE, ACT_KILLED).code, -EIO);
}

static void another_program_by_now_is_not_looked_at(void **state)
{
	struct bed_process process = process_of(ALICE, ACT_IDS);
	struct caller caller = process.caller;
	struct looker_answer got;

	(void)state;
	caller.start_ticks--;
	assert_int_equal(looker_ask(looker, 1, &caller, 0), 0);
	got = bed_take(looker);
	assert_int_equal(got.code, -ESRCH);
	caller.start_ticks++;
	caller.env_start++;
	assert_int_equal(looker_ask(looker, 2, &caller, 0), 0);
	got = bed_take(looker);
	assert_int_equal(got.code, -ESRCH);
	assert_null(got.bytes);
	bed_end(&process);
}

/* 200 looks of three users at once; all of one's stall. The others' 132 are
 * answered before the first of the stalled. */
static void a_user_who_stalls_delays_nobody_else(void **state)
{
	struct bed_process processes[3] = {process_of(STALLED, ACT_STALL),
	    process_of(BOB, ACT_IDS), process_of(CAROL, ACT_IDS)};
	unsigned refused = 0;
	unsigned late = 0;
	unsigned good = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		int code = looker_ask(looker, i, &processes[i % 3].caller, 0);

		if (code == -EDQUOT)
			refused++;
		else
			assert_int_equal(code, 0);
	}
	assert_int_equal(refused, 0); /* 67 = 4 that run, 63 that wait */
	for (unsigned i = 0; i < 133 + 4; i++) {
		struct looker_answer got = bed_take(looker);

		if (got.number % 3 == 0) {
			assert_int_equal(got.code, -ETIMEDOUT);
			late++;
			assert_int_equal(good, 133);
		} else {
			assert_int_equal(got.code, 0);
			good++;
		}
		looker_answer_fini(&got);
	}
	assert_int_equal(good, 133);
	assert_int_equal(late, 4);
	for (unsigned i = 0; i < 3; i++)
		bed_end(&processes[i]);
}

static void one_user_has_a_limit_that_is_not_the_others(void **state)
{
	struct bed_process process = process_of(STALLED, ACT_STALL);
	struct bed_process bob = process_of(BOB, ACT_IDS);
	struct looker_answer got;

	(void)state;
	for (unsigned i = 0;
	     i < LOOKER_USER_RUNNING_MAX + LOOKER_USER_WAITING_MAX; i++)
		assert_int_equal(looker_ask(looker, 7, &process.caller, 0), 0);
	assert_int_equal(looker_ask(looker, 7, &process.caller, 0), -EDQUOT);
	assert_int_equal(looker_ask(looker, 8, &bob.caller, 0), 0);
	got = bed_take(looker);
	assert_int_equal(got.number, 8);
	looker_answer_fini(&got);
	bed_end(&process);
	bed_end(&bob);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(it_has_the_callers_ids_and_nothing_else),
	    TEST(it_has_no_capability_for_root_either),
	    TEST(two_identities_are_told),
	    TEST(two_groups_are_two_identities),
	    TEST(ids_that_are_one_by_now_are_not_believed),
	    TEST(an_exec_in_the_middle_throws_the_answer_away),
	    TEST(a_file_for_root_alone_is_not_opened),
	    TEST(an_answer_has_a_limit),
	    TEST(a_look_may_be_killed_by_its_user),
	    TEST(another_program_by_now_is_not_looked_at),
	    TEST(a_user_who_stalls_delays_nobody_else),
	    TEST(one_user_has_a_limit_that_is_not_the_others),
	};

	if (geteuid() != 0) {
		(void)puts("not root: cannot take on the ids of users");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
