/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker_child.c - one look, in a process of its own; see
 * looker.h. */
#include "tokens/callers/auxv.h"
#include "tokens/callers/looker_impl.h"
#include "tokens/callers/view.h"
#include "tokens/find/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
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

/* Its environment. One that was started with more rights than its starter has
 * may have made its ids one since, and of root's the kernel refuses none. */
static void open_environment(struct looker_scene *scene, int proc_fd)
{
	char auxv[TEXT_BYTES_MAX];
	ssize_t n = read_at(auxv, proc_fd, "auxv");

	if (n <= 0)
		return;
	if (auxv_is_secure(auxv, (size_t)n))
		scene->one_identity = false;
	else
		scene->environ_fd =
		    openat(proc_fd, "environ", O_RDONLY | O_CLOEXEC);
}

/* What has no name behind its view: opened before that and before any right
 * is dropped, but with the caller's ids, so that it can be done without
 * CAP_SYS_PTRACE; and so that the kernel refuses an environment that is not
 * that user's: of a program that took on its ids later. */
static int open_caller(
    struct looker_scene *scene, int proc_fd, struct view *view)
{
	int code;

	(void)setfsgid(scene->caller->gid);
	(void)setfsuid(scene->caller->uid);
	code = view_open(view, proc_fd);
	if (code == 0 && scene->one_identity)
		open_environment(scene, proc_fd);
	(void)setfsuid(geteuid());
	(void)setfsgid(getegid());
	return code;
}

/* Stand where this process's descriptors have names, whatever the caller has
 * at /proc. Paths are absolute: the directory is free for that. */
static int stand_in_fds(int self_fd)
{
	int fd = openat(self_fd, "fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int code = fd >= 0 && fchdir(fd) == 0 ? 0 : -errno;

	if (fd >= 0)
		(void)close(fd);
	(void)close(self_fd);
	return code;
}

static int read_mounts(struct mounts *out, int proc_fd)
{
	int fd = openat(proc_fd, "mountinfo", O_RDONLY | O_CLOEXEC);
	int code;

	if (fd < 0)
		return -ESRCH;
	code = mounts_read(out, fd);
	(void)close(fd);
	return code;
}

static int enter(struct view *view, const struct mounts *mounts)
{
	int self_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int code = view_enter(view, mounts);

	if (self_fd < 0)
		return -EIO;
	return code < 0 ? code : stand_in_fds(self_fd);
}

/* All that needs more than the caller's rights; then they are all there is. */
static int prepare(
    struct looker_scene *scene, struct mounts *mounts, int proc_fd)
{
	struct view view;
	int code;

	scene->one_identity = has_one_identity(scene->caller, proc_fd);
	code = open_caller(scene, proc_fd, &view);
	/* What was opened is this program's, if it is still the caller. */
	if (code == 0)
		code = check_caller(scene->caller, proc_fd);
	if (code == 0)
		code = read_mounts(mounts, proc_fd);
	if (code == 0)
		code = enter(&view, mounts);
	return code == 0 ? become(scene->caller) : code;
}

/* For a user of whom no process is known: in this one's own view. */
static int look_for_user(struct looker_scene *scene, struct mounts *mounts,
    looker_look_fn look, void *arg)
{
	int self_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int code;

	if (self_fd < 0)
		return -ESRCH;
	code = read_mounts(mounts, self_fd);
	if (code == 0)
		code = stand_in_fds(self_fd);
	if (code == 0)
		code = become(scene->caller);
	return code == 0 ? look(arg, scene) : code;
}

static int look_at_caller(struct looker_scene *scene, struct mounts *mounts,
    looker_look_fn look, void *arg)
{
	char path[32];
	int proc_fd;
	int code;

	(void)snprintf(
	    path, sizeof(path), "/proc/%d", (int)scene->caller->tgid);
	proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0)
		return -ESRCH;
	code = prepare(scene, mounts, proc_fd);
	if (code == 0)
		code = look(arg, scene);
	return code == 0 ? check_caller(scene->caller, proc_fd) : code;
}

int looker_child(const struct looker_request *request, int answer_fd,
    looker_look_fn look, void *arg)
{
	const struct caller *caller = &request->caller;
	struct mounts mounts = {.count = 0};
	struct looker_scene scene = {.caller = caller,
	    .environ_fd = -1,
	    .mounts = &mounts,
	    .held_s = request->held_s,
	    .answer_fd = LOOKER_ANSWER};
	struct rlimit zero = {0};
	int code;

	(void)setrlimit(RLIMIT_CORE, &zero);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* 0 to 2 are /dev/null; nothing of the forker's stays open. */
	if (answer_fd != LOOKER_ANSWER &&
	    dup3(answer_fd, LOOKER_ANSWER, O_CLOEXEC) < 0)
		return EIO;
	if (syscall(SYS_close_range, LOOKER_ANSWER + 1U, ~0U, 0U) < 0)
		return EIO;
	code = caller->tgid == IDENT_OF_USER
	    ? look_for_user(&scene, &mounts, look, arg)
	    : look_at_caller(&scene, &mounts, look, arg);
	return code < 0 && code > -256 ? -code : code < 0 ? EIO : 0;
}
