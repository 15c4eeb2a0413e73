/* SPDX-License-Identifier: Apache-2.0 */
/* cli/plan/plan.c - see plan.h. */
#include "cli/plan/plan.h"

#include "fetch/pelican.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/options/number.h"
#include "cli/options/options.h"
#include "cli/plan/places.h"
#include "cli/plan/spool_place.h"

enum { GRACE_S = 7 * 86400 };

#define GRID_CERTIFICATES "/etc/grid-security/certificates"

uint32_t plan_timeout_ms(uint64_t wanted_ms, uint64_t limit_s)
{
	/* An aborted request aborts the whole mount: stay below by a second,
	 * or by half where the limit itself is tiny. */
	uint64_t limit_ms = limit_s * 1000;
	uint64_t margin_ms = limit_ms > 2000 ? 1000 : limit_ms / 2;

	if (limit_s > 0 && limit_s < UINT32_MAX &&
	    wanted_ms > limit_ms - margin_ms)
		wanted_ms = limit_ms - margin_ms;
	return (uint32_t)wanted_ms;
}

/* A number that the kernel shows in a file; 0 when there is none. */
static uint64_t kernel_number(const char *file)
{
	char text[32];
	uint64_t number = 0;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return number_parse(text, NUMBER_PLAIN, &number) == 0 ? number : 0;
}

static void decide_timeout(struct plan *plan)
{
	uint64_t limit_s =
	    kernel_number("/proc/sys/fs/fuse/max_request_timeout");
	uint64_t default_s =
	    kernel_number("/proc/sys/fs/fuse/default_request_timeout");

	if (limit_s == 0 || (default_s > 0 && default_s < limit_s))
		limit_s = default_s;
	plan->timeout_ms = plan_timeout_ms(plan->options->timeout, limit_s);
	if (plan->timeout_ms < plan->options->timeout)
		(void)err_set(&plan->time_warning, -ETIMEDOUT,
		    "timeout: the kernel aborts requests after %llu s "
		    "(fs.fuse.max_request_timeout); using %u s",
		    (unsigned long long)limit_s, plan->timeout_ms / 1000);
}

int plan_trust(
    const char **ca_dir, const struct options *options, struct err *err)
{
	const char *file = options->ca_file;
	struct stat about;

	*ca_dir = options->ca_dir;
	if (file != NULL && access(file, R_OK) < 0)
		return err_set(err, -errno, "option ca_file '%s': %s", file,
		    err_message(errno));
	if (*ca_dir != NULL &&
	    (stat(*ca_dir, &about) < 0 || !S_ISDIR(about.st_mode)))
		return err_set(err, -ENOTDIR,
		    "option ca_dir '%s': is not a directory", *ca_dir);
	if (file == NULL && *ca_dir == NULL &&
	    stat(GRID_CERTIFICATES, &about) == 0 && S_ISDIR(about.st_mode))
		*ca_dir = GRID_CERTIFICATES;
	return 0;
}

/* One mount for many users. */
static int decide_sharing(struct plan *plan, struct err *err)
{
	const struct options *options = plan->options;

	if (!options->allow_other)
		return 0;
	if (geteuid() != 0)
		return err_set(err, -EPERM,
		    "option allow_other: only root may look for the tokens of "
		    "other users; mount as root, or without it for yourself");
	if (options->token_file != NULL || options->token_write_file != NULL)
		return err_set(err, -EINVAL,
		    "option %s: with allow_other each user has a token of "
		    "their own; leave it out",
		    options->token_file != NULL ? "token_file"
		                                : "token_write_file");
	if (options->check)
		return err_set(err, -EINVAL,
		    "option check: with allow_other there is no token yet when "
		    "the mount starts; leave it out");
	if (!plan->source.tls)
		return err_set(err, -EINVAL,
		    "option allow_other: a source that begins with http:// "
		    "never gets a token; use https://");
	return 0;
}

/* Without a server a token cannot be renewed. The cache of one user is their
 * own; where many share one, the end of a token is the end. */
static void decide_offline(struct plan *plan)
{
	const struct options *options = plan->options;
	bool shared = options->allow_other;

	plan->offline = options->offline == OPTION_OFFLINE_YES ||
	    (options->offline == OPTION_OFFLINE_AUTO && !shared);
	plan->grace_s = shared ? 0 : GRACE_S;
	if (options->offline_grace != OPTION_TIME_UNSET)
		plan->grace_s = options->offline_grace / 1000;
}

/* What others may see of a directory that its owner writes is the owner's to
 * say. */
static void decide_modes(struct plan *plan)
{
	const struct options *options = plan->options;

	plan->umask = options->rw && !options->allow_other ? 077 : 022;
	if (options->umask_given)
		plan->umask = (mode_t)options->umask;
}

static int decide_spool(
    struct plan *plan, const struct places_env *env, struct err *err)
{
	if (!plan->options->rw)
		return 0;
	return spool_place_make(plan->spool_dir, plan->options->spool_dir, env,
	    &(struct spool_place_not){
	        .mountpoint = plan->mountpoint, .cache_dir = plan->cache_dir},
	    &plan->spool_warning, err);
}

static int decide_places(
    struct plan *plan, const char *mountpoint, struct err *err)
{
	const struct options *options = plan->options;
	struct places_env env = places_env();
	int code = places_mountpoint(plan->mountpoint, mountpoint, err);

	if (code == 0 && options->log_file != NULL)
		code = places_refuse_own(
		    "log file", options->log_file, plan->mountpoint, err);
	if (code == 0 && options->token_file != NULL)
		code = places_refuse_own(
		    "token file", options->token_file, plan->mountpoint, err);
	if (code == 0 && options->token_write_file != NULL)
		code = places_refuse_own("token file",
		    options->token_write_file, plan->mountpoint, err);
	if (code == 0 && options->agent != NULL)
		code = places_refuse_own(
		    "agent", options->agent, plan->mountpoint, err);
	if (code == 0 && options->cache_size > 0)
		code = places_cache(plan->cache_dir, options->cache_dir, &env,
		    plan->mountpoint, &plan->cache_warning, err);
	return code < 0 ? code : decide_spool(plan, &env, err);
}

int plan_source(struct fetch_source *source, struct servers *servers,
    bool *federated, const struct options *options, struct err *err)
{
	int code;

	*federated = pelican_is_source(options->source);
	code = *federated ? pelican_source_parse(source, options->source, err)
	                  : fetch_source_parse(source, options->source,
	                        options->insecure_http, err);
	if (code < 0)
		return code;
	return servers_parse(servers, options->server, source, err);
}

bool plan_immutable(const struct options *options, bool federated)
{
	return options->immutable_given ? options->immutable : federated;
}

/* What does not depend on where it is mounted. */
static int decide_source(struct plan *plan, struct err *err)
{
	const struct options *options = plan->options;
	int code = plan_source(
	    &plan->source, &plan->servers, &plan->federated, options, err);

	plan->immutable = plan_immutable(options, plan->federated);
	if (code == 0)
		code = decide_sharing(plan, err);
	if (code == 0)
		code = names_split(&plan->hosts, "redirect_hosts",
		    options->redirect_hosts, err);
	if (code == 0)
		code = plan_trust(&plan->ca_dir, options, err);
	decide_timeout(plan);
	decide_offline(plan);
	decide_modes(plan);
	return code;
}

int plan_new(struct plan **out, const struct options *options,
    const char *mountpoint, struct err *err)
{
	AUTO(plan) plan = calloc(1, sizeof(*plan));
	int code;

	if (plan == NULL)
		return err_set(err, -ENOMEM, "mount: out of memory");
	plan->options = options;
	code = decide_source(plan, err);
	if (code == 0)
		code = decide_places(plan, mountpoint, err);
	if (code < 0)
		return code;
	*out = STEAL(plan);
	return 0;
}

int plan_without_mount(struct plan **out, const struct options *options,
    const char *spool_dir, struct err *err)
{
	AUTO(plan) plan = calloc(1, sizeof(*plan));
	int code;

	if (plan == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	plan->options = options;
	code = decide_source(plan, err);
	if (code < 0)
		return code;
	(void)snprintf(
	    plan->spool_dir, sizeof(plan->spool_dir), "%s", spool_dir);
	*out = STEAL(plan);
	return 0;
}

void plan_free(struct plan *plan)
{
	if (plan == NULL)
		return;
	names_fini(&plan->hosts);
	free(plan);
}
