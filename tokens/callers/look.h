/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/callers/look.h - what a look does: it searches for the caller's
 * tokens where the caller's own environment says, and answers with a finding
 * (find/finding.h); and what is said of looks that bring none.
 *
 * A program whose ids are not all one (setuid, setgid), or that was started
 * with rights that its starter has not, though its ids are one by now, was
 * started by somebody else than it acts for: its environment is not believed,
 * and only the well-known place in /tmp is looked at.
 *
 * Threads: look_plan_new() while there is one; the rest as documented.
 */
#ifndef TOKENS_LOOK_H
#define TOKENS_LOOK_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/callers/looker.h"

struct tokens_config;

/** What all looks have in common: an agent, an account, an issuer, an
 *  audience. */
struct look_plan;

/**
 * Copy what looks need of the configuration; a token file is not among it.
 *
 * @retval 0        made; to be kept as long as the looker.
 * @retval -EINVAL  the agent's socket or the account's name is of no use.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int look_plan_new(struct look_plan **out,
    const struct tokens_config *config, struct err *err);

void look_plan_free(struct look_plan *plan);
DEFINE_FREEP(look_plan, look_plan_free)

/**
 * A looker_look_fn, for looker_start(); `arg` is the plan.
 *
 * @retval 0          answered; finding_decode() reads it.
 * @retval -EMSGSIZE  its environment is too large.
 * @retval -EIO       the answer could not be written.
 * @retval -ENOMEM    out of memory.
 * @retval -errno     of reading the environment.
 */
int look_for_tokens(void *arg, const struct looker_scene *scene);

/** The sentence, with its cure, for a look without an answer: any code of
 *  looker_ask(), of a looker_answer, or of finding_decode().
 *  @return `code` */
int look_explain(struct err *err, int code, const struct caller *caller);

#endif
