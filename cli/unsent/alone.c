/* SPDX-License-Identifier: Apache-2.0 */
/* cli/unsent/alone.c - see alone.h. */
#include "cli/unsent/alone.h"

#include "base/log.h"
#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/mount/harden.h"
#include "cli/plan/plan.h"
#include "cli/say.h"

/* How a mount of it would be made. */
static int make_options(
    struct options *options, const struct orphans_group *group, struct err *err)
{
	char source[PATH_BYTES_MAX];
	int n = snprintf(source, sizeof(source), "%s/", group->origin);
	const char *name =
	    group->from == SPOOL_FROM_AGENT ? "account" : "token_file";
	int code;

	if (n < 0 || (size_t)n >= sizeof(source))
		return err_set(err, -ENAMETOOLONG, "origin: too long");
	code = options_set_source(options, source);
	if (code < 0)
		return err_set(err, code, "out of memory");
	code = options_set(options, "rw", "yes", err);
	/* An http:// origin was allowed when it was written. */
	if (code == 0 && strncmp(group->origin, "http://", 7) == 0)
		code = options_set(options, "insecure_http", "yes", err);
	if (code == 0 && group->credential[0] != '\0')
		code = options_set(options, name, group->credential, err);
	if (code == 0)
		code = command_options(options, group->with, err);
	return code;
}

static int make(struct alone *alone, const struct orphans_group *group,
    enum layers_upto upto, struct err *err)
{
	int code = options_init(&alone->options);

	if (code < 0)
		return err_set(err, code, "out of memory");
	code = make_options(&alone->options, group, err);
	if (code == 0)
		code = log_start(LOG_TO_STDERR, LOG_LEVEL_ERROR, NULL, err);
	if (code == 0)
		code = plan_without_mount(
		    &alone->plan, &alone->options, group->dir, err);
	return code < 0
	    ? code
	    : layers_make(&alone->layers, alone->plan, upto, -1, err);
}

void alone_stop(struct alone *alone)
{
	if (!alone->stopped)
		layers_stop(&alone->layers);
	alone->stopped = true;
}

static void take_down(struct alone *alone)
{
	alone_stop(alone);
	layers_free(&alone->layers);
	plan_free(alone->plan);
	options_fini(&alone->options);
}

static int end_of(pid_t pid)
{
	int status = 0;

	if (pid < 0)
		return say_exit(
		    STATUS_FAILED, "flush: no process: %s", err_message(errno));
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return say_exit(
			    STATUS_FAILED, "flush: %s", err_message(errno));
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return say_exit(EX_IOERR,
	    "flush: ended by signal %d; the data stay in the spool",
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static _Noreturn void end_child(int status)
{
	harden_end();
	/* And not _exit(): a leak checker looks at exit().
	 * NOLINTNEXTLINE(concurrency-mt-unsafe): its threads have ended */
	exit(status);
}

static int work_here(const struct orphans_group *group, enum layers_upto upto,
    int (*work)(struct alone *alone, const void *arg), const void *arg)
{
	struct alone alone = {.plan = NULL};
	struct err err = ERR_INIT;
	int code = make(&alone, group, upto, &err);
	int status = code < 0
	    ? say_exit(STATUS_FAILED, "flush %s: %s", group->origin, err.text)
	    : work(&alone, arg);

	take_down(&alone);
	return status;
}

int alone_run(const struct orphans_group *group, enum layers_upto upto,
    int (*work)(struct alone *alone, const void *arg), const void *arg)
{
	pid_t pid = fork();

	if (pid == 0)
		end_child(work_here(group, upto, work, arg));
	return end_of(pid);
}
