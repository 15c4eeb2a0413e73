/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/plan/plan.h - everything about a mount that can be decided before it has
 * a process of its own: source, mount point, places, limits.
 *
 * Threads: before threads; immutable after.
 */
#ifndef CLI_PLAN_PLAN_H
#define CLI_PLAN_PLAN_H

#include "base/attr.h"
#include "base/err.h"
#include "fetch/fetch.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/options/names.h"
#include "cli/plan/servers.h"

struct fs_channel;
struct options;

struct plan {
	const struct options *options; /* borrowed */
	struct fetch_source source;
	bool federated;            /* the source is a federation, which has to
				      be asked for its servers */
	bool immutable;            /* no file ever changes */
	struct servers servers;    /* caches in front of it */
	char mountpoint[PATH_MAX]; /* real path */
	char cache_dir[PATH_MAX];  /* "": nothing is kept on disk */
	char spool_dir[PATH_MAX];  /* "": the mount is read-only */
	mode_t umask;              /* bits missing from the modes */
	const char *ca_dir;        /* NULL: none */
	uint32_t timeout_ms;       /* below the kernel's own limit */
	bool offline;              /* what is known may be served without a
				      server... */
	uint64_t grace_s;   /* ...so long past the end of the asker's token */
	struct names hosts; /* that a redirect may take the token to */
	/* It is mounted already (exec sets it); borrowed. NULL: it is not. */
	const struct fs_channel *channel;
	struct err cache_warning; /* text "" when there is none */
	struct err spool_warning;
	struct err time_warning;
};

/**
 * Decide.
 *
 * @param options    borrowed for the plan's life; its source is a URL.
 * @retval 0         *out is to be freed with plan_free().
 * @retval -errno    `err` is a whole sentence with the remedy.
 */
NODISCARD int plan_new(struct plan **out, const struct options *options,
    const char *mountpoint, struct err *err);

/** The same for a command that sends what a spool has (cli/unsent): without
 *  mount point and cache. @param spool_dir  its real path */
NODISCARD int plan_without_mount(struct plan **out,
    const struct options *options, const char *spool_dir, struct err *err);

/** Take the source apart, and the caches in front of it: what doctor and
 *  mount do alike. @param federated  see struct plan. */
NODISCARD int plan_source(struct fetch_source *source, struct servers *servers,
    bool *federated, const struct options *options, struct err *err);

/** Whether no file ever changes: as the option says, else by convention of
 *  federations. */
bool plan_immutable(const struct options *options, bool federated);

/** Check the options on trust roots; `ca_dir` is the directory to use, NULL:
 *  none. */
NODISCARD int plan_trust(
    const char **ca_dir, const struct options *options, struct err *err);

void plan_free(struct plan *plan);
DEFINE_FREEP(plan, plan_free)

/** Milliseconds that an operation may take when the kernel aborts requests
 *  after `limit_s` (0: never): at most a second less. */
uint32_t plan_timeout_ms(uint64_t wanted_ms, uint64_t limit_s);

#endif
