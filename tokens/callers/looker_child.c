/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker_child.c - one look, in a process of its own; see
 * looker.h. */
#include "tokens/callers/looker_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 4096 };

static ssize_t read_at(char text[TEXT_BYTES_MAX], int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, TEXT_BYTES_MAX - 1);
	if (n < 0)
		n = -errno;
	(void)close(fd);
	if (n >= 0)
		text[n] = '\0';
	return n;
}

/* Whether /proc/TGID is still the caller's program. */
static int check_caller(const struct caller *caller, int proc_fd)
{
	char text[TEXT_BYTES_MAX];
	struct caller_stat stat;
	ssize_t n = read_at(text, proc_fd, "stat");

	if (n < 0 || caller_stat_parse(&stat, text, (size_t)n) < 0)
		return -ESRCH;
	/* 0: its first thread has ended, or it is not ours to know. */
	return stat.start_ticks == caller->start_ticks &&
	        (stat.env_start == caller->env_start || stat.env_start == 0)
	    ? 0
	    : -ESRCH;
}

/* Whether all four ids on a line of /proc/PID/status are `id`. */
static bool all_are(const char *status, const char *label, unsigned id)
{
	char line[64];
	const char *at = strstr(status, label);
	int n = snprintf(
	    line, sizeof(line), "%s%u\t%u\t%u\t%u\n", label, id, id, id, id);

	return at != NULL && n > 0 && strncmp(at, line, (size_t)n) == 0;
}

static bool has_one_identity(const struct caller *caller, int proc_fd)
{
	char text[TEXT_BYTES_MAX];

	return read_at(text, proc_fd, "status") > 0 &&
	    all_are(text, "\nUid:\t", caller->uid) &&
	    all_are(text, "\nGid:\t", caller->gid);
}

/* The caller's ids, and no right beyond them. */
static int become(const struct caller *caller)
{
	struct __user_cap_header_struct header = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{.effective = 0}};

	if (geteuid() == 0 && setgroups(0, NULL) < 0)
		return -EPERM;
	if (setresgid(caller->gid, caller->gid, caller->gid) < 0 ||
	    setresuid(caller->uid, caller->uid, caller->uid) < 0 ||
	    syscall(SYS_capset, &header, none) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -EPERM;
	/* Again: a change of ids forgets it. Should the forker have ended in
	 * between, the alarm ends this one. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

static int look_at(struct looker_scene *scene, looker_look_fn look, void *arg)
{
	int code = check_caller(scene->caller, scene->proc_fd);

	if (code < 0)
		return code;
	scene->root_fd =
	    openat(scene->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (scene->root_fd < 0)
		return -ESRCH;
	code = become(scene->caller);
	if (code < 0)
		return code;
	scene->one_identity = has_one_identity(scene->caller, scene->proc_fd);
	code = look(arg, scene);
	if (code < 0)
		return code;
	return check_caller(scene->caller, scene->proc_fd);
}

int looker_child(
    const struct caller *caller, int answer_fd, looker_look_fn look, void *arg)
{
	struct looker_scene scene = {.caller = caller, .answer_fd = 3};
	struct rlimit zero = {0};
	char path[32];
	int code;

	(void)setrlimit(RLIMIT_CORE, &zero);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* 0 to 2 are /dev/null; nothing of the forker's stays open. */
	if (answer_fd != 3 && dup3(answer_fd, 3, O_CLOEXEC) < 0)
		return EIO;
	if (syscall(SYS_close_range, 4U, ~0U, 0U) < 0)
		return EIO;
	(void)snprintf(path, sizeof(path), "/proc/%d", (int)caller->tgid);
	scene.proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (scene.proc_fd < 0)
		return ESRCH;
	code = look_at(&scene, look, arg);
	return code < 0 && code > -256 ? -code : code < 0 ? EIO : 0;
}
