/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/look.h: what a caller may name as its token, or its
 * environment be, and that it costs that caller a sentence, or 2 s, and nobody
 * else anything. Needs root. */
#include "base/clock.h"
#include "tests/unit/tokens/look_bed.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/mount_bed.h"
#include "tokens/callers/look.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { RACES = 200, PATIENT_MS = 60000 };

static struct finding found;
static struct mount_bed mounted;

static int set_up(void **state)
{
	const struct tokens_config config = {.clock = NULL};

	(void)state;
	found = (struct finding){.count = 0};
	mounted.fd = -1;
	look_bed_start(&config);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (mounted.fd >= 0)
		mount_bed_end(&mounted);
	finding_fini(&found);
	look_bed_end();
	return 0;
}

static uint64_t now_ms(void)
{
	return clock_now_ms(clock_system());
}

/* The token file of ALICE's. */
static int look_at(const char *name)
{
	const char *const environment[] = {
	    look_bed_variable("BEARER_TOKEN_FILE", name), NULL};
	struct bed_who who = bed_user(ALICE, ALICE);

	who.environment = environment;
	finding_fini(&found);
	return look_bed_look(&who, &found);
}

static void assert_refused(const char *name, int code, const char *says)
{
	/* Not -ETIMEDOUT. */
	assert_int_equal(look_at(name), 0);
	assert_int_equal(found.count, 0);
	if (found.problem.code != code ||
	    strstr(found.problem.text, says) == NULL)
		fail_msg("%s: %d: '%s'", name, found.problem.code,
		    found.problem.text);
}

static void what_is_no_token_file_is_refused_at_once(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(mkfifo(look_bed_path("fifo"), 0600), 0);
	assert_int_equal(chown(look_bed_path("fifo"), ALICE, ALICE), 0);
	assert_refused("fifo", -EPERM, "FIFO");
	assert_int_equal(
	    mknod(look_bed_path("zero"), S_IFCHR | 0600, makedev(1, 5)), 0);
	assert_int_equal(chown(look_bed_path("zero"), ALICE, ALICE), 0);
	assert_refused("zero", -EPERM, "a device");
	look_bed_token("big", ALICE);
	assert_int_equal(truncate(look_bed_path("big"), INT64_C(2) << 30), 0);
	assert_refused("big", -EMSGSIZE, "KiB");
	assert_refused("", -EPERM, "a directory");
	look_bed_token("bobs", BOB);
	assert_refused("bobs", -EPERM, "belongs to user 1002");
	look_bed_token("open", ALICE);
	assert_int_equal(chmod(look_bed_path("open"), 0644), 0);
	assert_refused("open", -EPERM, "chmod 600");
	look_bed_token("roots", 0);
	assert_refused("roots", -EACCES, "must be able to read it");
	assert_int_equal(
	    symlink(look_bed_path("roots"), look_bed_path("link")), 0);
	assert_refused("link", -EACCES, "Permission denied");
	assert_int_equal(symlink("loop", look_bed_path("loop")), 0);
	assert_refused("loop", -ELOOP, "remove one");
	fd = open(look_bed_path("noise"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\0\1\2\3", 4), 4);
	assert_int_equal(close(fd), 0);
	assert_int_equal(chown(look_bed_path("noise"), ALICE, ALICE), 0);
	assert_refused("noise", -EINVAL, "write the token there again");
}

static void a_bearerfs_mount_is_not_asked(void **state)
{
	(void)state;
	assert_int_equal(mkdir(look_bed_path("mnt"), 0755), 0);
	mount_bed_start(&mounted, look_bed_path("mnt"), "fuse.bearerfs");
	assert_refused("mnt/token", -EPERM, "keep it elsewhere");
	assert_int_equal(mount_bed_requests(&mounted), 0);
}

static struct bed_process start_with(uid_t uid, const char *const *environment)
{
	struct bed_who who = bed_user(uid, uid);

	who.environment = environment;
	return bed_start(&who);
}

/* A file system that is dead, and even keeps those who wait from being
 * killed: they cost their user's share until it is gone, and nobody else. */
static void a_stalled_file_costs_its_user_alone(void **state)
{
	const char *const stalled[] = {
	    look_bed_variable("BEARER_TOKEN_FILE", "mnt/token"), NULL};
	const char *const good[] = {
	    look_bed_variable("BEARER_TOKEN_FILE", "bobs"), NULL};
	struct looker *looker = look_bed_looker();
	struct bed_process alice;
	struct bed_process bob;
	struct looker_answer answer;
	uint64_t begun_ms;

	(void)state;
	look_bed_token("bobs", BOB);
	assert_int_equal(mkdir(look_bed_path("mnt"), 0755), 0);
	mount_bed_start(&mounted, look_bed_path("mnt"), "fuse.other");
	alice = start_with(ALICE, stalled);
	bob = start_with(BOB, good);
	begun_ms = now_ms();
	for (unsigned i = 0; i < LOOKER_USER_RUNNING_MAX + 1; i++)
		assert_int_equal(looker_ask(looker, i, &alice.caller, 0), 0);
	assert_int_equal(looker_ask(looker, 42, &bob.caller, 0), 0);
	answer = bed_take(looker);
	assert_int_equal(answer.number, 42);
	assert_int_equal(answer.code, 0);
	looker_answer_fini(&answer);
	/* From now on they cannot be killed: each has asked. */
	for (unsigned asked = 0; asked < LOOKER_USER_RUNNING_MAX;) {
		assert_true(now_ms() - begun_ms < PATIENT_MS);
		asked += mount_bed_requests(&mounted);
	}
	for (unsigned i = 0; i < LOOKER_USER_RUNNING_MAX; i++)
		assert_int_equal(bed_take(looker).code, -ETIMEDOUT);
	assert_true(now_ms() - begun_ms >= LOOKER_DEADLINE_MS - 100);
	/* The last one waits for its turn, and bob does not. */
	assert_int_equal(looker_ask(looker, 43, &bob.caller, 0), 0);
	answer = bed_take(looker);
	assert_int_equal(answer.number, 43);
	assert_int_equal(answer.code, 0);
	looker_answer_fini(&answer);
	assert_int_equal(mount_bed_requests(&mounted), 0);
	/* The mount is dead at last: so is the file. */
	mount_bed_end(&mounted);
	answer = bed_take(looker);
	assert_int_equal(answer.number, LOOKER_USER_RUNNING_MAX);
	assert_int_equal(answer.code, 0);
	looker_answer_fini(&answer);
	bed_end(&alice);
	bed_end(&bob);
}

/* Change what the name stands for as fast as that can be done. */
static _Noreturn void exchange(void)
{
	static const char *const names[] = {
	    "mine", "to-roots", "fifo", "to-mount", "to-dir"};
	char from[512];
	char to[512];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(from, sizeof(from), "%s", look_bed_path("next"));
	(void)snprintf(to, sizeof(to), "%s", look_bed_path("name"));
	for (unsigned i = 0;; i++) {
		if (link(look_bed_path(names[i % 5]), from) == 0)
			(void)rename(from, to);
		(void)unlink(from);
	}
}

static void races_give_the_users_own_token_or_none(void **state)
{
	const char *const environment[] = {
	    look_bed_variable("BEARER_TOKEN_FILE", "name"), NULL};
	struct bed_process alice;
	unsigned found_count = 0;
	pid_t pid;

	(void)state;
	look_bed_token("mine", ALICE);
	look_bed_token("roots", 0);
	assert_int_equal(mkfifo(look_bed_path("fifo"), 0600), 0);
	assert_int_equal(chown(look_bed_path("fifo"), ALICE, ALICE), 0);
	assert_int_equal(mkdir(look_bed_path("mnt"), 0755), 0);
	assert_int_equal(symlink("roots", look_bed_path("to-roots")), 0);
	assert_int_equal(symlink("mnt/x", look_bed_path("to-mount")), 0);
	assert_int_equal(symlink("/etc", look_bed_path("to-dir")), 0);
	mount_bed_start(&mounted, look_bed_path("mnt"), "fuse.bearerfs");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		exchange();
	alice = start_with(ALICE, environment);
	for (unsigned i = 0; i < RACES; i++) {
		struct looker_answer got = bed_look(look_bed_looker(), &alice);

		assert_int_equal(got.code, 0);
		finding_fini(&found);
		assert_int_equal(
		    finding_decode(&found, got.bytes, got.size_bytes), 0);
		looker_answer_fini(&got);
		if (found.count > 0)
			assert_string_equal(
			    found.tokens[0]->claims.subject, "mine");
		else
			assert_int_not_equal(found.problem.code, 0);
		found_count += found.count;
	}
	assert_true(found_count > 0);
	assert_int_equal(mount_bed_requests(&mounted), 0);
	bed_end(&alice);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void an_environment_has_a_limit(void **state)
{
	enum { COUNT = 10, BYTES = 120 * 1024 };
	static char text[BYTES + 1];
	const char *environment[COUNT + 1] = {NULL};
	struct bed_who who = bed_user(ALICE, ALICE);

	(void)state;
	memset(text, 'x', BYTES);
	for (unsigned i = 0; i < COUNT; i++)
		environment[i] = text;
	who.environment = environment;
	assert_int_equal(look_bed_look(&who, &found), -EMSGSIZE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_is_no_token_file_is_refused_at_once),
	    TEST(a_bearerfs_mount_is_not_asked),
	    TEST(a_stalled_file_costs_its_user_alone),
	    TEST(races_give_the_users_own_token_or_none),
	    TEST(an_environment_has_a_limit),
	};

	if (!look_bed_possible()) {
		(void)puts("not root: cannot take on the ids of users");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
