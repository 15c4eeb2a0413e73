/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/view.c - see view.h. */
#include "tokens/callers/view.h"

#include "tokens/find/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int code_of(int error)
{
	if (error == ENOENT || error == ESRCH)
		return -ESRCH;
	return error == EACCES || error == EPERM ? -EPERM : -error;
}

/* -1 in `out` when it is the namespace of this process. */
static int open_namespace(int *out, int proc_fd)
{
	struct stat theirs;
	struct stat ours;

	*out = -1;
	if (fstatat(proc_fd, "ns/mnt", &theirs, 0) < 0)
		return code_of(errno);
	if (stat("/proc/self/ns/mnt", &ours) < 0)
		return -errno;
	if (theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino)
		return 0;
	*out = openat(proc_fd, "ns/mnt", O_RDONLY | O_CLOEXEC);
	return *out >= 0 ? 0 : code_of(errno);
}

/* One directory may be mounted twice, with other things mounted below it. */
static bool is_our_root(int fd)
{
	const unsigned mask = STATX_INO | STATX_MNT_ID;
	struct statx theirs;
	struct statx ours;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, mask,
	           &theirs) == 0 &&
	    statx(AT_FDCWD, "/", AT_STATX_DONT_SYNC, mask, &ours) == 0 &&
	    (theirs.stx_mask & ours.stx_mask & mask) == mask &&
	    theirs.stx_mnt_id == ours.stx_mnt_id &&
	    theirs.stx_ino == ours.stx_ino;
}

int view_open(struct view *out, int proc_fd)
{
	int code = open_namespace(&out->namespace_fd, proc_fd);

	out->root_fd = -1;
	if (code < 0)
		return code;
	out->root_fd =
	    openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out->root_fd >= 0)
		return 0;
	code = code_of(errno);
	if (out->namespace_fd >= 0)
		(void)close(out->namespace_fd);
	return code;
}

/* Going to a directory asks its file system whether one may. */
static bool lies_on(int fd, const struct mounts *mounts)
{
	struct statx found;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &found) <
	    0 ||
	    mounts_have(
	        mounts, makedev(found.stx_dev_major, found.stx_dev_minor));
}

int view_enter(struct view *view, const struct mounts *mounts)
{
	/* Only where no other thread (a sanitizer's, say) stands here too. */
	bool entered = view->namespace_fd < 0 ||
	    (unshare(CLONE_FS) == 0 &&
	        setns(view->namespace_fd, CLONE_NEWNS) == 0);

	if (entered && !is_our_root(view->root_fd))
		entered = !lies_on(view->root_fd, mounts) &&
		    fchdir(view->root_fd) == 0 && chroot(".") == 0;
	if (view->namespace_fd >= 0)
		(void)close(view->namespace_fd);
	(void)close(view->root_fd);
	return entered ? 0 : -EXDEV;
}
