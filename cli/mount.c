/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount.c - see mount.h.
 *
 * Up:   tokens -> fetch -> (look at the source) -> cache -> fs -> control.
 * Down: the FUSE loop has ended -> fetch_stop -> cache_stop -> fs_free ->
 *       cache, fetch, tokens -> control last, so that who waits for the end
 *       of a connection (bearerfs umount) waits for everything.
 */
#include "cli/mount.h"

#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
#include "cache/cache.h"
#include "fetch/federation.h"
#include "fetch/fetch.h"
#include "fs/fs.h"
#include "tokens/tokens.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/answer.h"
#include "cli/control.h"
#include "cli/daemon.h"
#include "cli/describe.h"
#include "cli/door.h"
#include "cli/federated.h"
#include "cli/options.h"
#include "cli/own_tokens.h"
#include "cli/plan.h"
#include "cli/prefetch/serve.h"
#include "cli/say.h"
#include "cli/serve.h"
#include "cli/start.h"

/* READs that may wait for a silent server: a quarter of what the kernel
 * sends in the background stays free for files that are here. */
static unsigned reads_waiting_max(bool shared)
{
	unsigned most = shared ? FS_MAX_BACKGROUND_SHARED : FS_MAX_BACKGROUND;

	return most * 3 / 4;
}

struct mount {
	const struct plan *plan;
	struct daemon *daemon;
	struct ident ident; /* whose mount it is */
	int signal_fd;
	struct tokens *tokens;
	struct federation *federation; /* NULL: the source is a server */
	struct fetch *fetch;
	struct cache *cache;
	struct fs *fs;
	struct door door; /* of the cache */
	struct control *control;
	struct describe describe;
};

static void identify(void *arg, struct ident *ident)
{
	tokens_identify(arg, ident);
}

/* Where lines go from now on. The terminal is for `bearerfs: ...` lines; a
 * mount in the foreground logs there too. */
static int begin_log(const struct mount *mount, struct err *err)
{
	const struct options *options = mount->plan->options;
	enum log_level level = (enum log_level)options->log;

	if (options->log_file != NULL)
		return log_start(LOG_TO_FILE, level, options->log_file, err);
	if (mount->daemon->report_fd < 0)
		return log_start(LOG_TO_STDERR, level, NULL, err);
	return log_start(LOG_TO_SYSLOG, level, NULL, err);
}

static int make_tokens(struct mount *mount, struct err *err)
{
	const struct plan *plan = mount->plan;
	const struct own_tokens_config config = {
	    .source_path = plan->source.path,
	    .mountpoint = plan->mountpoint,
	    .cache_dir = plan->cache_dir,
	    .shared = plan->options->allow_other,
	    .verify = true,
	    .ca_dir = plan->ca_dir,
	    .timeout_ms = plan->timeout_ms,
	    .facts = mount->federation != NULL
	        ? federation_facts(mount->federation)
	        : NULL,
	};

	return own_tokens_new(&mount->tokens, plan->options, &config, err);
}

static int make_fetch(struct mount *mount, struct err *err)
{
	const struct plan *plan = mount->plan;
	const struct options *options = plan->options;
	const struct fetch_config config = {
	    .clock = clock_system(),
	    .tokens = mount->tokens,
	    .source = &plan->source,
	    .servers = plan->servers.of,
	    .server_count = plan->servers.count,
	    .federated = plan->federated,
	    .trouble = plan->federated ? federation_trouble : NULL,
	    .trouble_arg = mount->federation,
	    .immutable = plan->immutable,
	    .ca_file = options->ca_file,
	    .ca_dir = plan->ca_dir,
	    .redirect_hosts = plan->hosts.names,
	    .redirect_host_count = plan->hosts.count,
	    .timeout_ms = plan->timeout_ms,
	    .shared = options->allow_other,
	};
	int code;

	code = fetch_new(&mount->fetch, &config, err);
	if (code == 0 && mount->federation != NULL)
		code = federation_start(mount->federation, mount->fetch, err);
	return code;
}

static int make_cache(struct mount *mount, struct err *err)
{
	const struct plan *plan = mount->plan;
	const struct options *options = plan->options;
	const struct cache_config config = {
	    .clock = clock_system(),
	    .fetch = mount->fetch,
	    .origin = plan->source.origin,
	    .source_path = plan->source.path,
	    .dir = plan->cache_dir[0] != '\0' ? plan->cache_dir : NULL,
	    .size_bytes = options->cache_size,
	    .attr_ttl_ms = (uint32_t)options->attr_ttl,
	    .negative_ttl_ms = (uint32_t)options->negative_ttl,
	    .timeout_ms = plan->timeout_ms,
	    .reads_waiting_max = reads_waiting_max(options->allow_other),
	    .immutable = plan->immutable,
	    .shared = options->allow_other,
	    .offline = plan->offline,
	    .may = door_may,
	    .ended = door_ended,
	    .await = door_await,
	    .reach = door_reach,
	    .refused = door_refused,
	    .arg = &mount->door,
	};

	mount->door =
	    (struct door){.tokens = mount->tokens, .grace_s = plan->grace_s};
	return cache_new(&mount->cache, &config, err);
}

static int make_fs(struct mount *mount, struct err *err)
{
	const struct plan *plan = mount->plan;
	const struct options *options = plan->options;
	const struct fs_config config = {
	    .clock = clock_system(),
	    .cache = mount->cache,
	    .source = options->source,
	    .mountpoint = plan->mountpoint,
	    .origin = plan->source.origin,
	    .uid = options->uid >= 0 ? (uid_t)options->uid : geteuid(),
	    .gid = options->gid >= 0 ? (gid_t)options->gid : getegid(),
	    .umask = (mode_t)options->umask,
	    .read_only = true,
	    .allow_other = options->allow_other,
	    .identify = options->allow_other ? identify : NULL,
	    .identify_arg = mount->tokens,
	    .no_exec = options->noexec,
	};

	return fs_new(&mount->fs, &config, err);
}

/* Look at the source with the token of whoever mounts it. Where many share the
 * mount there is none yet. */
static int look_at_source(struct mount *mount, enum start_verdict *verdict,
    struct err *line, struct err *err)
{
	const struct plan *plan = mount->plan;
	struct start_facts facts;
	int code;

	code = plan->options->allow_other
	    ? start_look_bare(
	          &facts, mount->fetch, plan->source.path, mount->signal_fd)
	    : start_look(&facts, mount->tokens, mount->fetch, &mount->ident,
	          plan->source.path, mount->signal_fd);
	if (code == -ECANCELED)
		return err_set(err, code, "mount: stopped by a signal");
	if (code < 0)
		return err_set(err, code, "mount: %s", err_message(code));
	*verdict = start_judge(
	    &facts, plan->options->source, plan->options->check, line);
	if (*verdict == START_REFUSE) {
		*err = *line;
		return line->code;
	}
	return 0;
}

/* Find out which servers a federation has; when it does not say so now, it may
 * later. */
static int ask_federation(struct mount *mount, enum start_verdict *verdict,
    struct err *line, struct err *err)
{
	const struct plan *plan = mount->plan;

	if (!plan->federated)
		return 0;
	*verdict = federated_start(&mount->federation, &plan->source,
	    plan->options, plan->ca_dir, line);
	if (*verdict != START_REFUSE)
		return 0;
	*err = *line;
	return line->code;
}

/* Everything up to the mount itself. At most one warning about the source is
 * said, and one each about cache and time when the user's wish could not be
 * followed. */
static int make_layers(struct mount *mount, struct err *err)
{
	struct err line = ERR_INIT;
	enum start_verdict verdict = START_GO;
	int code = ask_federation(mount, &verdict, &line, err);

	if (code == 0)
		code = make_tokens(mount, err);
	if (code == 0)
		code = make_fetch(mount, err);
	/* A federation that has not answered cannot be looked at. */
	if (code == 0 && verdict == START_GO)
		code = look_at_source(mount, &verdict, &line, err);
	if (code == 0)
		code = make_cache(mount, err);
	if (code == 0)
		code = make_fs(mount, err);
	if (code < 0)
		return code;
	if (verdict == START_WARN) {
		say("%s", line.text);
		log_line(LOG_LEVEL_WARN, LOG_CLI, "started without the source",
		    "why=%s", LOG_TEXT(line.text));
	}
	code = prefetch_serve_new(&mount->describe.prefetches);
	if (code < 0)
		return err_set(err, code, "mount: out of memory");
	mount->control = answer_open(&mount->describe);
	return 0;
}

static void say_warnings(const struct plan *plan)
{
	const struct err *warnings[] = {
	    &plan->cache_warning, &plan->time_warning};

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

static int serve(struct mount *mount, struct err *err)
{
	const struct serve_config config = {
	    .fs = mount->fs,
	    .cache = mount->cache,
	    .control = mount->control,
	    .signal_fd = mount->signal_fd,
	    .ready = ready,
	    .arg = mount,
	};

	return serve_run(&config, err);
}

static void take_down(struct mount *mount)
{
	federation_stop(mount->federation);
	if (mount->fetch != NULL)
		fetch_stop(mount->fetch);
	if (mount->cache != NULL)
		cache_stop(mount->cache);
	prefetch_serve_free(mount->describe.prefetches);
	if (mount->fs != NULL)
		log_line(LOG_LEVEL_INFO, LOG_CLI, "unmounted", "mountpoint=%s",
		    LOG_TEXT(mount->plan->mountpoint));
	fs_free(mount->fs);
	cache_free(mount->cache);
	fetch_free(mount->fetch);
	federation_free(mount->federation);
	tokens_free(mount->tokens);
	control_free(mount->control);
	if (mount->signal_fd >= 0)
		(void)close(mount->signal_fd);
}

int mount_run(const struct plan *plan, struct daemon *daemon)
{
	struct mount mount = {.plan = plan, .daemon = daemon, .signal_fd = -1};
	struct err err = ERR_INIT;
	int code;

	mount.ident =
	    (struct ident){.uid = geteuid(), .gid = getegid(), .pid = getpid()};
	mount.describe.started_s = clock_wall_s(clock_system());
	code = begin_log(&mount, &err);
	fs_sandbox(); /* before the first thread */
	if (code == 0) {
		mount.signal_fd = serve_signals(&err);
		code = mount.signal_fd < 0 ? mount.signal_fd : 0;
	}
	if (code == 0) {
		say_warnings(plan);
		mount.describe.source = plan->options->source;
		mount.describe.mountpoint = plan->mountpoint;
		mount.describe.origin = plan->source.origin;
		mount.describe.source_path = plan->source.path;
		mount.describe.shared = plan->options->allow_other;
		mount.describe.timeout_ms = plan->timeout_ms;
		mount.describe.attr_ttl_ms = (uint32_t)plan->options->attr_ttl;
		code = make_layers(&mount, &err);
	}
	if (code == 0) {
		mount.describe.fs = mount.fs;
		mount.describe.cache = mount.cache;
		mount.describe.fetch = mount.fetch;
		mount.describe.federation = mount.federation;
		mount.describe.tokens = mount.tokens;
		code = serve(&mount, &err);
	}
	if (code < 0) {
		/* In the background stderr is /dev/null by then. */
		say("%s", err.text);
		log_line(LOG_LEVEL_ERROR, LOG_CLI, "mount ended",
		    "errno=%s why=%s", err_name(code), LOG_TEXT(err.text));
	}
	take_down(&mount);
	return code < 0 ? 1 : 0;
}
