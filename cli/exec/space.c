/* SPDX-License-Identifier: Apache-2.0 */
/* cli/exec/space.c - see space.h. */
#include "cli/exec/space.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* A file of /proc takes its text in one write. */
static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int code;

	if (fd < 0)
		return -errno;
	code = io_write_all(fd, text, strlen(text));
	(void)close(fd);
	return code;
}

/* Each id stands for itself. Groups beside the first stay in force, and cannot
 * be given up (setgroups(2) would let one pass where a group is shut out). */
static int map_ids(uid_t uid, gid_t gid)
{
	char line[64];
	int code = write_text("/proc/self/setgroups", "deny");

	if (code == 0) {
		(void)snprintf(line, sizeof(line), "%u %u 1\n", (unsigned)uid,
		    (unsigned)uid);
		code = write_text("/proc/self/uid_map", line);
	}
	if (code == 0) {
		(void)snprintf(line, sizeof(line), "%u %u 1\n", (unsigned)gid,
		    (unsigned)gid);
		code = write_text("/proc/self/gid_map", line);
	}
	return code;
}

int space_enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWNS) == 0)
		return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0
		    ? -errno
		    : 0;
	if (errno != EPERM)
		return -errno;
	/* Its mounts follow those outside by the kernel's own doing. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	return map_ids(uid, gid);
}

/* The first letter of a setting; 0: there is none. */
static char setting(const char *path)
{
	char letter = '\0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return '\0';
	if (io_read_all(fd, &letter, 1) != 1)
		letter = '\0';
	(void)close(fd);
	return letter;
}

static int count_one(void *arg, int dir_fd, const char *name)
{
	unsigned *count = arg;

	(void)dir_fd;
	(void)name;
	(*count)++;
	return 0;
}

static unsigned count_threads(void)
{
	unsigned count = 0;

	if (io_each_name(AT_FDCWD, "/proc/self/task", count_one, &count) < 0)
		return 0;
	return count;
}

static bool have_no_user_namespaces(void)
{
	return access("/proc/self/ns/mnt", F_OK) == 0 &&
	    access("/proc/self/ns/user", F_OK) < 0 && errno == ENOENT;
}

void space_look(struct space_facts *out, int code, bool mounting)
{
	*out = (struct space_facts){
	    .code = code,
	    .threads_count = count_threads(),
	    .mounting = mounting,
	    .unknown = have_no_user_namespaces(),
	    .clone_forbidden =
	        setting("/proc/sys/kernel/unprivileged_userns_clone") == '0',
	    .none_allowed =
	        setting("/proc/sys/user/max_user_namespaces") == '0',
	    .apparmor = setting("/proc/sys/kernel/"
	                        "apparmor_restrict_unprivileged_userns") == '1',
	};
}

int space_explain(const struct space_facts *facts, struct err *out)
{
	const char *why = err_message(facts->code);

	if (facts->code == -EINVAL && facts->unknown)
		return err_set(out, facts->code,
		    "no private mount here: the kernel has no user namespaces "
		    "(CONFIG_USER_NS)");
	/* None of ours: bearerfs starts its threads later. The kernel looks at
	 * this before it asks who may. */
	if (facts->code == -EINVAL && facts->threads_count > 1)
		return err_set(out, facts->code,
		    "no private mount here: this process has %u threads, and "
		    "gets no user namespace with more than one; what started "
		    "them is not of bearerfs: look into LD_PRELOAD",
		    facts->threads_count);
	if (facts->clone_forbidden)
		return err_set(out, facts->code,
		    "no private mount here: user namespaces are switched off; "
		    "run as root: sysctl kernel.unprivileged_userns_clone=1");
	if (facts->none_allowed)
		return err_set(out, facts->code,
		    "no private mount here: no user namespace is allowed; run "
		    "as root: sysctl user.max_user_namespaces=10000");
	if (facts->code == -ENOSPC || facts->code == -EUSERS)
		return err_set(out, facts->code,
		    "no private mount here: too many namespaces, or too deep "
		    "within each other; end some, or raise "
		    "user.max_user_namespaces");
	if (facts->apparmor)
		return err_set(out, facts->code,
		    "no private mount here: AppArmor keeps ordinary users from "
		    "it; give bearerfs a profile with `userns,`, or run as "
		    "root: sysctl "
		    "kernel.apparmor_restrict_unprivileged_userns=0");
	if (facts->mounting)
		return err_set(out, facts->code,
		    "no private mount here: the kernel makes namespaces and "
		    "lets nobody mount in them (%s); FUSE wants Linux 4.18, "
		    "and no security module that forbids it",
		    why);
	return err_set(out, facts->code,
	    "no private mount here: %s; a chroot or a container's filter "
	    "forbids namespaces: run outside of it, or let the container make "
	    "them (seccomp: unshare, mount)",
	    why);
}
