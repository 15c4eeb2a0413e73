/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/look_explain.c - why a look brought nothing; see look.h. */
#include "tokens/callers/look.h"

#include <assert.h>
#include <errno.h>

/* Of the caller, or of what it named. */
static int explain_caller(struct err *err, int code, int pid, unsigned uid)
{
	switch (code) {
	case -ETIMEDOUT:
		return err_set(err, code,
		    "process %d of user %u: its token file or agent does not "
		    "answer within %d s; see what BEARER_TOKEN_FILE, "
		    "_CONDOR_CREDS and OIDC_SOCK name where it was started",
		    pid, uid, LOOKER_DEADLINE_MS / 1000);
	case -ESRCH:
		return err_set(err, code,
		    "process %d of user %u has ended or runs another program "
		    "by now, so its token was not looked for; if it lives, "
		    "try again",
		    pid, uid);
	case -EPERM:
		return err_set(err, code,
		    "process %d of user %u cannot be looked at: this mount may "
		    "not take on that user's ids, or may not see what the "
		    "process names; run it as root, with CAP_SETUID, "
		    "CAP_SETGID and CAP_SYS_PTRACE",
		    pid, uid);
	case -EXDEV:
		return err_set(err, code,
		    "process %d of user %u runs in another mount namespace or "
		    "below another root directory, which this mount cannot "
		    "enter, so its token cannot be looked for; mount inside "
		    "that container, or run this mount with CAP_SYS_ADMIN and "
		    "CAP_SYS_CHROOT",
		    pid, uid);
	case -EMSGSIZE:
		return err_set(err, code,
		    "process %d of user %u has an environment of more than "
		    "1 MiB, so its token is not looked for; start it with a "
		    "smaller one",
		    pid, uid);
	case -EFBIG:
		return err_set(err, code,
		    "the token of process %d of user %u is not taken, because "
		    "there is no room for more: the processes of that user, or "
		    "of all, hold tokens of too many bytes; let them share "
		    "one, or take smaller ones",
		    pid, uid);
	case -EDQUOT:
		return err_set(err, code,
		    "user %u has %d looks for tokens waiting already, so that "
		    "of process %d is not looked for; see why that user's "
		    "token files or agent do not answer, then try again",
		    uid, LOOKER_USER_WAITING_MAX, pid);
	default:
		return 0;
	}
}

int look_explain(struct err *err, int code, const struct caller *caller)
{
	int pid = (int)caller->tgid;
	unsigned uid = (unsigned)caller->uid;

	assert(code < 0);
	if (explain_caller(err, code, pid, uid) < 0)
		return code;
	switch (code) {
	case -EAGAIN:
		return err_set(err, code,
		    "the token of process %d of user %u is not looked for, "
		    "because %d looks are under way or no process can be "
		    "started; try again later",
		    pid, uid, LOOKER_LOOKS_MAX);
	case -EIO:
	case -EBADMSG:
		return err_set(err, code,
		    "the helper that looked for the token of process %d of "
		    "user %u was killed; try again, and if that does not help "
		    "see whether memory is short",
		    pid, uid);
	case -EPIPE:
		return err_set(err, code,
		    "the token of process %d of user %u is not looked for, "
		    "because the helper process for that has ended; mount "
		    "again",
		    pid, uid);
	default:
		return err_set(err, code,
		    "looking for the token of process %d of user %u: %s; try "
		    "again",
		    pid, uid, err_message(code));
	}
}
