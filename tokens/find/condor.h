/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/condor.h - the access tokens that HTCondor puts into a job's
 * sandbox: $_CONDOR_CREDS/<provider>[_<handle>].use.
 *
 * The directory is rewritten while the job runs, each file by a rename, and
 * can be gone for a moment.
 *
 * Threads: every function may be called from any thread.
 * Source: HTCondor's condor_credd and starter (cred_dir, jic_shadow).
 */
#ifndef TOKENS_CONDOR_H
#define TOKENS_CONDOR_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/find/file.h"

enum {
	CONDOR_FILES_MAX = 64,     /* that are considered */
	CONDOR_ENTRIES_MAX = 4096, /* of the directory that are looked at */
};

struct condor_files {
	unsigned count;
	char *names[CONDOR_FILES_MAX]; /* without the directory, in no order */
};

/**
 * List the .use files of a directory.
 *
 * @param out  released with condor_files_fini() after 0.
 * @retval 0        listed; there may be none, or no such directory.
 * @retval -EPERM   refused: the directory lies on the mount.
 * @retval -ENOMEM, or -errno of what failed.
 */
NODISCARD int condor_list(struct condor_files *out, const char *dir,
    const struct file_rules *rules, struct err *err);

void condor_files_fini(struct condor_files *files);

/** The order in which they are tried, as qsort(3) wants it: scitokens.use,
 *  which most sites have, then by name (as other clients do). */
int condor_order(const char *a, const char *b);

#endif
