/* SPDX-License-Identifier: Apache-2.0 */
/* What `bearerfs exec` says when it may not, and how it ends. */
#include "base/attr.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/exec/attend.h"
#include "cli/exec/leave.h"
#include "cli/exec/space.h"

static void each_way_to_forbid_namespaces_has_its_cure(void **state)
{
	static const struct {
		struct space_facts facts;
		const char *cure;
	} cases[] = {
	    {{.code = -EPERM, .clone_forbidden = true},
	        "sysctl kernel.unprivileged_userns_clone=1"},
	    {{.code = -ENOSPC, .none_allowed = true},
	        "sysctl user.max_user_namespaces="},
	    {{.code = -ENOSPC}, "user.max_user_namespaces"},
	    {{.code = -EUSERS}, "user.max_user_namespaces"},
	    {{.code = -EPERM, .apparmor = true},
	        "sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
	    {{.code = -EACCES, .apparmor = true, .mounting = true}, "userns,"},
	    {{.code = -EINVAL, .threads_count = 1, .unknown = true},
	        "CONFIG_USER_NS"},
	    {{.code = -EINVAL, .threads_count = 2}, "has 2 threads"},
	    {{.code = -EINVAL, .threads_count = 2, .apparmor = true},
	        "has 2 threads"},
	    {{.code = -EINVAL, .threads_count = 1}, "Invalid argument"},
	    {{.code = -EPERM, .threads_count = 2}, "seccomp"},
	    {{.code = -EPERM, .mounting = true}, "Linux 4.18"},
	    {{.code = -EPERM, .mounting = true, .unknown = true}, "Linux 4.18"},
	    {{.code = -EPERM}, "seccomp"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(
		    space_explain(&cases[i].facts, &err), cases[i].facts.code);
		assert_non_null(strstr(err.text, cases[i].cure));
		assert_non_null(strstr(err.text, "no private mount here: "));
		/* Whole: nothing was cut off. */
		assert_true(strlen(err.text) < sizeof(err.text) - 1);
	}
}

static void any_errno_has_a_sentence(void **state)
{
	(void)state;
	for (int code = 1; code < 134; code++)
		for (unsigned bits = 0; bits < 64; bits++) {
			const struct space_facts facts = {.code = -code,
			    .threads_count = bits & 16 ? UINT_MAX : 1,
			    .unknown = bits & 32,
			    .mounting = bits & 1,
			    .clone_forbidden = bits & 2,
			    .none_allowed = bits & 4,
			    .apparmor = bits & 8};
			struct err err = ERR_INIT;

			assert_int_equal(space_explain(&facts, &err), -code);
			assert_true(strlen(err.text) > 40);
			assert_true(strlen(err.text) < sizeof(err.text) - 1);
		}
}

enum { NOBODY = 65534, FORBIDDEN = 1, SAID = 2, OTHER = 3 };

static void *stay(void *arg)
{
	(void)pause();
	return arg;
}

/* In a process of its own, of an ordinary user: enter them with a thread
 * beside it. */
static int enter_with_a_thread(void)
{
	struct err err = ERR_INIT;
	struct space_facts facts;
	pthread_t thread;
	int code;

	/* Else its /proc belongs to root. */
	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ||
	    prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L) < 0 ||
	    pthread_create(&thread, NULL, stay, NULL) != 0)
		return FORBIDDEN;
	code = space_enter();
	space_look(&facts, code, false);
	(void)space_explain(&facts, &err);
	if (code == -EPERM || code == -ENOSPC)
		return FORBIDDEN;
	(void)fprintf(stderr, "%s\n", err.text);
	return code == -EINVAL && facts.threads_count > 1 && !facts.unknown &&
	        strstr(err.text, " threads, ") != NULL
	    ? SAID
	    : OTHER;
}

/* The kernel's EINVAL has two causes; this is not the one that a machine's
 * owner could mend. */
static void a_thread_beside_it_is_told(void **state)
{
	int how = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip(); /* an ordinary user may keep rights of root's here */
	pid = fork();
	if (pid == 0)
		_exit(enter_with_a_thread());
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFEXITED(how));
	if (WEXITSTATUS(how) == FORBIDDEN)
		skip(); /* no such namespaces on this machine */
	assert_int_equal(WEXITSTATUS(how), SAID);
}

/* Of who ends like that. */
static int end_of(int status, int signal_number)
{
	int how = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (signal_number != 0) {
			(void)signal(signal_number, SIG_DFL);
			(void)raise(signal_number);
		}
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	return attend_status(how);
}

static void the_end_is_told_as_a_shell_tells_it(void **state)
{
	(void)state;
	for (int status = 0; status < 256; status += 51)
		assert_int_equal(end_of(status, 0), status);
	assert_int_equal(end_of(0, SIGKILL), 128 + SIGKILL);
	assert_int_equal(end_of(0, SIGTERM), 128 + SIGTERM);
}

/* A refusal for good must not cost a slot its two minutes. */
static void what_a_person_has_to_mend_is_not_waited_for(void **state)
{
	static const int never[] = {0, EACCES, EEXIST, ESTALE, ENOENT, ENOTDIR,
	    EISDIR, EINVAL, EFBIG, ENOTSUP, EDQUOT, ENOSPC, EROFS, EPERM};
	static const int soon[] = {ETIMEDOUT, EHOSTUNREACH, EIO, EBUSY, ENOKEY,
	    EKEYEXPIRED, EKEYREJECTED};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(never); i++)
		assert_false(leave_may_heal(-never[i]));
	for (size_t i = 0; i < ARRAY_COUNT(soon); i++)
		assert_true(leave_may_heal(-soon[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_way_to_forbid_namespaces_has_its_cure),
	    cmocka_unit_test(any_errno_has_a_sentence),
	    cmocka_unit_test(a_thread_beside_it_is_told),
	    cmocka_unit_test(the_end_is_told_as_a_shell_tells_it),
	    cmocka_unit_test(what_a_person_has_to_mend_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
