/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/plan/federated.h - a source that is a federation: it is asked for its
 * servers before there is anything else.
 *
 * Threads: main thread, before there are others.
 */
#ifndef CLI_PLAN_FEDERATED_H
#define CLI_PLAN_FEDERATED_H

#include "base/attr.h"
#include "base/err.h"

#include "cli/mount/start.h"

struct federation;
struct fetch_source;
struct options;

enum {
	/* Of one question; several may follow each other. */
	FEDERATED_ASK_MS = 5000,
};

/** Make it and ask it once. @param code  of federation_ask(), with its
 *  sentence in `err`. @retval 0 or -ENOMEM */
NODISCARD int federated_ask(struct federation **out,
    const struct fetch_source *source, const struct options *options,
    const char *ca_dir, int *code, struct err *err);

/**
 * The same for a mount that starts: one that has no answer now starts with a
 * warning, because it may come; one that says that there is no such
 * federation or namespace, or is not whom it should be, does not.
 *
 * @param line  for START_WARN and START_REFUSE: one sentence with the remedy.
 */
NODISCARD enum start_verdict federated_start(struct federation **out,
    const struct fetch_source *source, const struct options *options,
    const char *ca_dir, struct err *line);

/** What follows from the code of federation_ask(): pure. `why` is its
 *  sentence. */
NODISCARD enum start_verdict federated_judge(int code, const struct err *why,
    const struct options *options, struct err *line);

#endif
