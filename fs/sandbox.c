/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/sandbox.c - what a mounted daemon gives up; see fs_sandbox() in fs.h.
 *
 * Sources: prctl(2), getrlimit(2), core(5).
 */
#include "base/log.h"
#include "fs/fs.h"
#include "fs/mountpoint.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum {
	/* 64 packs, 64 connections and their pipes, many times over; more
	 * would only hide a leak. */
	FILES_MAX = 65536,
};

static void warn_of(const char *what)
{
	log_line(LOG_LEVEL_WARN, LOG_FS, "cannot restrict the process",
	    "what=%s errno=%s", what, err_name(errno));
}

void fs_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		warn_of("RLIMIT_NOFILE");
		return;
	}
	if (limit.rlim_cur >= FILES_MAX)
		return;
	limit.rlim_cur =
	    limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		warn_of("RLIMIT_NOFILE");
}

void fs_sandbox(void)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		warn_of("RLIMIT_CORE");
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		warn_of("PR_SET_DUMPABLE");
	if (mountpoint_is_privileged() &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		warn_of("PR_SET_NO_NEW_PRIVS");
	fs_raise_files();
}
