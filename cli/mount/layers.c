/* SPDX-License-Identifier: Apache-2.0 */
/* cli/mount/layers.c - see layers.h. */
#include "cli/mount/layers.h"

#include "base/clock.h"
#include "cache/cache.h"
#include "cache/drafts/drafts.h"
#include "cache/spool/spool.h"
#include "fetch/federation.h"
#include "fetch/fetch.h"
#include "fs/fs.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <unistd.h>

#include "cli/mount/own_tokens.h"
#include "cli/mount/start.h"
#include "cli/options/options.h"
#include "cli/plan/federated.h"
#include "cli/plan/plan.h"

/* READs that may wait for a silent server: a quarter of what the kernel
 * sends in the background stays free for files that are here. */
static unsigned reads_waiting_max(bool shared)
{
	unsigned most = shared ? FS_MAX_BACKGROUND_SHARED : FS_MAX_BACKGROUND;

	return most * 3 / 4;
}

static void identify(void *arg, struct ident *ident)
{
	tokens_identify(arg, ident);
}

static int make_tokens(struct layers *layers, struct err *err)
{
	const struct plan *plan = layers->plan;
	const struct own_tokens_config config = {
	    .source_path = plan->source.path,
	    .mountpoint = plan->mountpoint[0] != '\0' ? plan->mountpoint : NULL,
	    .cache_dir = plan->cache_dir,
	    .shared = plan->options->allow_other,
	    .verify = true,
	    .ca_dir = plan->ca_dir,
	    .timeout_ms = plan->timeout_ms,
	    .facts = layers->federation != NULL
	        ? federation_facts(layers->federation)
	        : NULL,
	};

	return own_tokens_new(&layers->tokens, plan->options, &config, err);
}

static int make_fetch(struct layers *layers, struct err *err)
{
	const struct plan *plan = layers->plan;
	const struct options *options = plan->options;
	const struct fetch_config config = {
	    .clock = clock_system(),
	    .tokens = layers->tokens,
	    .source = &plan->source,
	    .servers = plan->servers.of,
	    .server_count = plan->servers.count,
	    .federated = plan->federated,
	    .trouble = plan->federated ? federation_trouble : NULL,
	    .trouble_arg = layers->federation,
	    .immutable = plan->immutable,
	    .ca_file = options->ca_file,
	    .ca_dir = plan->ca_dir,
	    .redirect_hosts = plan->hosts.names,
	    .redirect_host_count = plan->hosts.count,
	    .timeout_ms = plan->timeout_ms,
	    .shared = options->allow_other,
	};
	int code;

	code = fetch_new(&layers->fetch, &config, err);
	if (code == 0 && layers->federation != NULL)
		code = federation_start(layers->federation, layers->fetch, err);
	return code;
}

static void make_door(struct layers *layers)
{
	const struct plan *plan = layers->plan;
	const struct options *options = plan->options;

	layers->door = (struct door){
	    .tokens = layers->tokens,
	    .grace_s = plan->grace_s,
	    .tokenless = !plan->source.tls,
	    .write_file = options->token_write_file != NULL
	        ? options->token_write_file
	        : options->token_file,
	};
}

static int make_cache(struct layers *layers, struct err *err)
{
	const struct plan *plan = layers->plan;
	const struct options *options = plan->options;
	const struct cache_config config = {
	    .clock = clock_system(),
	    .fetch = layers->fetch,
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
	    .arg = &layers->door,
	};

	return cache_new(&layers->cache, &config, err);
}

static int make_spool(struct layers *layers, struct err *err)
{
	const struct plan *plan = layers->plan;
	const struct spool_config config = {
	    .clock = clock_system(),
	    .dir = plan->spool_dir,
	    .size_bytes = plan->options->spool_size,
	};
	struct err why = ERR_INIT;
	int code;

	if (plan->spool_dir[0] == '\0')
		return 0;
	code = spool_open(&layers->spool, &config, &why);
	return code < 0
	    ? err_set(err, code,
	          "%.600s; name another directory with -o spool_dir=DIR, or "
	          "mount with -o ro",
	          why.text)
	    : 0;
}

static int make_drafts(struct layers *layers, struct err *err)
{
	const struct plan *plan = layers->plan;
	const struct options *options = plan->options;
	const struct drafts_config config = {
	    .clock = clock_system(),
	    .cache = layers->cache,
	    .fetch = layers->fetch,
	    .spool = layers->spool,
	    .origin = plan->source.origin,
	    .source_path = plan->source.path,
	    .owner = layers->ident,
	    .timeout_ms = plan->timeout_ms,
	    .back = options->write == OPTION_WRITE_BACK,
	    .sync_server = options->fsync == OPTION_FSYNC_SERVER,
	    .shared = options->allow_other,
	    .may = door_may_change,
	    .credential = door_credential,
	    .arg = &layers->door,
	};

	return layers->spool == NULL
	    ? 0
	    : drafts_new(&layers->drafts, &config, err);
}

static int make_fs(struct layers *layers, struct err *err)
{
	const struct plan *plan = layers->plan;
	const struct options *options = plan->options;
	const struct fs_config config = {
	    .clock = clock_system(),
	    .cache = layers->cache,
	    .drafts = layers->drafts,
	    .source = options->source,
	    .mountpoint = plan->mountpoint,
	    .origin = plan->source.origin,
	    .uid = options->uid >= 0 ? (uid_t)options->uid : geteuid(),
	    .gid = options->gid >= 0 ? (gid_t)options->gid : getegid(),
	    .umask = plan->umask,
	    .read_only = !options->rw,
	    .allow_other = options->allow_other,
	    .identify = options->allow_other ? identify : NULL,
	    .identify_arg = layers->tokens,
	    .no_exec = options->noexec,
	    .channel = plan->channel,
	};

	return fs_new(&layers->fs, &config, err);
}

/* Look at the source with the token of whoever mounts it. Where many share the
 * mount there is none yet. */
static int look_at_source(struct layers *layers, int signal_fd,
    enum start_verdict *verdict, struct err *line, struct err *err)
{
	const struct plan *plan = layers->plan;
	struct start_facts facts;
	int code;

	code = plan->options->allow_other
	    ? start_look_bare(
	          &facts, layers->fetch, plan->source.path, signal_fd)
	    : start_look(&facts, layers->tokens, layers->fetch, &layers->ident,
	          plan->source.path, signal_fd);
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
static int ask_federation(struct layers *layers, enum start_verdict *verdict,
    struct err *line, struct err *err)
{
	const struct plan *plan = layers->plan;

	if (!plan->federated)
		return 0;
	*verdict = federated_start(&layers->federation, &plan->source,
	    plan->options, plan->ca_dir, line);
	if (*verdict != START_REFUSE)
		return 0;
	*err = *line;
	return line->code;
}

int layers_make(struct layers *layers, const struct plan *plan,
    enum layers_upto upto, int signal_fd, struct err *err)
{
	struct err line = ERR_INIT;
	enum start_verdict verdict = START_GO;
	int code;

	*layers = (struct layers){.plan = plan};
	fs_raise_files(); /* what the spool has may be thousands of files */
	layers->ident =
	    (struct ident){.uid = geteuid(), .gid = getegid(), .pid = getpid()};
	code = ask_federation(layers, &verdict, &line, err);
	if (code == 0)
		code = make_tokens(layers, err);
	make_door(layers);
	/* For many users it has forked, for the last time. */
	if (code == 0 && upto != LAYERS_FETCH)
		code = make_spool(layers, err);
	if (code == 0)
		code = make_fetch(layers, err);
	/* A federation that has not answered cannot be looked at. */
	if (code == 0 && verdict == START_GO && upto == LAYERS_MOUNT)
		code = look_at_source(layers, signal_fd, &verdict, &line, err);
	if (code == 0 && upto != LAYERS_FETCH)
		code = make_cache(layers, err);
	if (code == 0 && upto != LAYERS_FETCH)
		code = make_drafts(layers, err);
	if (code == 0 && upto == LAYERS_MOUNT)
		code = make_fs(layers, err);
	if (code == 0 && verdict == START_WARN)
		layers->warning = line;
	return code;
}

void layers_stop(struct layers *layers)
{
	federation_stop(layers->federation);
	if (layers->fetch != NULL)
		fetch_stop(layers->fetch);
	if (layers->drafts != NULL)
		drafts_stop(layers->drafts);
	if (layers->cache != NULL)
		cache_stop(layers->cache);
}

void layers_free(struct layers *layers)
{
	fs_free(layers->fs);
	drafts_free(layers->drafts);
	cache_free(layers->cache);
	spool_close(layers->spool);
	fetch_free(layers->fetch);
	federation_free(layers->federation);
	tokens_free(layers->tokens);
	*layers = (struct layers){.plan = layers->plan};
}
