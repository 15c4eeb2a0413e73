/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount/mount.c - see mount.h.
 *
 * Up:   the layers (cli/mount/layers.h) -> control.
 * Down: the FUSE loop has ended -> layers_stop() -> prefetch -> layers_free()
 *       -> control last, so that who waits for the end of a connection
 *       (bearerfs umount) waits for everything.
 */
#include "cli/mount/mount.h"

#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "fs/fs.h"

#include <errno.h>
#include <unistd.h>

#include "cli/control/answer.h"
#include "cli/control/control.h"
#include "cli/control/describe.h"
#include "cli/mount/daemon.h"
#include "cli/mount/layers.h"
#include "cli/mount/serve.h"
#include "cli/options/options.h"
#include "cli/plan/plan.h"
#include "cli/prefetch/serve.h"
#include "cli/say.h"

struct mount {
	const struct plan *plan;
	struct daemon *daemon;
	int signal_fd;
	struct layers layers;
	struct control *control;
	struct describe describe;
};

/* Where lines go from now on. The terminal is for `bearerfs: ...` lines; a
 * mount in the foreground logs there too. */
static int begin_log(const struct mount *mount, struct err *err)
{
	const struct options *options = mount->plan->options;
	enum log_level level = (enum log_level)options->log;

	if (options->log_file != NULL)
		return log_start(LOG_TO_FILE, level, options->log_file, err);
	if (mount->daemon->report_fd < 0 || mount->daemon->word_fd >= 0)
		return log_start(LOG_TO_STDERR, level, NULL, err);
	return log_start(LOG_TO_SYSLOG, level, NULL, err);
}

static void say_warnings(const struct plan *plan)
{
	const struct err *warnings[] = {
	    &plan->cache_warning, &plan->spool_warning, &plan->time_warning};

	for (size_t i = 0; i < ARRAY_COUNT(warnings); i++) {
		if (warnings[i]->text[0] == '\0')
			continue;
		say("%s", warnings[i]->text);
		log_line(LOG_LEVEL_WARN, LOG_CLI, "option not followed",
		    "why=%s", LOG_TEXT(warnings[i]->text));
	}
}

/* The mount answers: leave the terminal and let the caller go on. */
static int ready(void *arg)
{
	struct mount *mount = arg;
	struct err err = ERR_INIT;

	if (daemon_detach(mount->daemon, &err) < 0) {
		say("%s", err.text);
		return err.code;
	}
	log_line(LOG_LEVEL_INFO, LOG_CLI, "mounted",
	    "source=%s mountpoint=%s cache=%s",
	    LOG_TEXT(mount->plan->options->source),
	    LOG_TEXT(mount->plan->mountpoint),
	    LOG_TEXT(mount->plan->cache_dir));
	return daemon_report(mount->daemon, 0);
}

/* Of exec: COMMAND has ended; or who started the mount has, or waits no
 * longer. */
static bool heard(void *arg, int fd)
{
	struct mount *mount = arg;
	char word;

	fs_stop(mount->layers.fs);
	return read(fd, &word, 1) == 1;
}

static int serve(struct mount *mount, struct err *err)
{
	const struct serve_config config = {
	    .fs = mount->layers.fs,
	    .cache = mount->layers.cache,
	    .drafts = mount->layers.drafts,
	    .control = mount->control,
	    .signal_fd = mount->signal_fd,
	    .heard = mount->daemon->word_fd >= 0 ? heard : NULL,
	    .ready = ready,
	    .arg = mount,
	};

	return serve_run(&config, err);
}

/* What is asked of the mount, and about it, is answered with the layers. */
static int open_to_questions(struct mount *mount, struct err *err)
{
	const struct plan *plan = mount->plan;
	struct describe *describe = &mount->describe;

	describe->source = plan->options->source;
	describe->mountpoint = plan->mountpoint;
	describe->origin = plan->source.origin;
	describe->source_path = plan->source.path;
	describe->shared = plan->options->allow_other;
	describe->timeout_ms = plan->timeout_ms;
	describe->attr_ttl_ms = (uint32_t)plan->options->attr_ttl;
	describe->fs = mount->layers.fs;
	describe->cache = mount->layers.cache;
	describe->drafts = mount->layers.drafts;
	describe->spool_dir = plan->spool_dir;
	describe->write_back = plan->options->write == OPTION_WRITE_BACK;
	describe->fetch = mount->layers.fetch;
	describe->federation = mount->layers.federation;
	describe->tokens = mount->layers.tokens;
	if (prefetch_serve_new(&describe->prefetches) < 0)
		return err_set(err, -ENOMEM, "mount: out of memory");
	mount->control = answer_open(describe);
	return 0;
}

/* At most one warning about the source is said, and one each about cache and
 * time when the user's wish could not be followed. */
static int start(struct mount *mount, struct err *err)
{
	int code;

	say_warnings(mount->plan);
	code = layers_make(
	    &mount->layers, mount->plan, LAYERS_MOUNT, mount->signal_fd, err);
	if (code < 0)
		return code;
	if (mount->layers.warning.text[0] != '\0') {
		say("%s", mount->layers.warning.text);
		log_line(LOG_LEVEL_WARN, LOG_CLI, "started without the source",
		    "why=%s", LOG_TEXT(mount->layers.warning.text));
	}
	return open_to_questions(mount, err);
}

static void take_down(struct mount *mount)
{
	layers_stop(&mount->layers);
	prefetch_serve_free(mount->describe.prefetches);
	if (mount->layers.fs != NULL)
		log_line(LOG_LEVEL_INFO, LOG_CLI, "unmounted", "mountpoint=%s",
		    LOG_TEXT(mount->plan->mountpoint));
	layers_free(&mount->layers);
	control_free(mount->control);
	if (mount->signal_fd >= 0)
		(void)close(mount->signal_fd);
}

int mount_run(const struct plan *plan, struct daemon *daemon)
{
	struct mount mount = {.plan = plan, .daemon = daemon, .signal_fd = -1};
	struct err err = ERR_INIT;
	int code;

	heap_keep();
	mount.describe.started_s = clock_wall_s(clock_system());
	code = begin_log(&mount, &err);
	fs_sandbox(); /* before the first thread */
	if (code == 0) {
		mount.signal_fd = daemon->word_fd >= 0 ? daemon->word_fd
		                                       : serve_signals(&err);
		code = mount.signal_fd < 0 ? mount.signal_fd : 0;
	}
	if (code == 0)
		code = start(&mount, &err);
	if (code == 0)
		code = serve(&mount, &err);
	if (code < 0) {
		/* In the background stderr is /dev/null by then. */
		say("%s", err.text);
		log_line(LOG_LEVEL_ERROR, LOG_CLI, "mount ended",
		    "errno=%s why=%s", err_name(code), LOG_TEXT(err.text));
	}
	take_down(&mount);
	return code < 0 ? 1 : 0;
}
