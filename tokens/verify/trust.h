/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/trust.h - is this token true: signed by a key of an issuer
 * that was configured, in its time, for our audience, whole by the rules of
 * its profile.
 *
 * Trust comes from the configuration and never from the token: a token that
 * names another issuer is refused and causes no request to anybody. What it
 * allows (scopes, paths) is scope.h's; whether it is sent anywhere, the
 * store's.
 *
 * Keys are fetched, refreshed ahead and kept on disk by a thread of trust's
 * own; who asks for a judgement never waits for them.
 *
 * Threads: every function may be called from any thread; trust_judge() also
 * with the store's lock held.
 * Sources: RFC 7515, 7517, 7519; RFC 8414; RFC 9068; the WLCG token profile;
 * SciTokens.
 */
#ifndef TOKENS_VERIFY_TRUST_H
#define TOKENS_VERIFY_TRUST_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/tokens.h"

#include <stdbool.h>
#include <stdint.h>

struct trust;

/**
 * Make a trust. It has no thread and judges nothing when neither an issuer
 * nor a key file is configured.
 *
 * @param clock   borrowed for its life.
 * @param config  NULL: nothing is trusted. Its texts are copied; `document`
 *                is called on trust's thread, at the latest two seconds after
 *                trust_free() has begun, and `arg` must outlive a call that
 *                has begun.
 * @retval 0        made.
 * @retval -EINVAL  an issuer, an audience or the key file is unusable.
 * @retval -errno   of opening or reading the key file.
 * @retval -ENOMEM, -EAGAIN  no memory, no thread.
 */
NODISCARD int trust_new(struct trust **out, const struct clock *clock,
    const struct tokens_trust *config, struct err *err);

/** Stop the thread and free. NULL is allowed. Waits at most two seconds for
 *  a document that is being fetched. */
void trust_free(struct trust *trust);
DEFINE_FREEP(trust, trust_free)

/** Whether anything is trusted at all: an issuer or a key file is there. */
bool trust_is_configured(const struct trust *trust);

/**
 * Judge a token now. Never waits: a verification costs some 0.1 ms the first
 * time, and a look at what the token remembers later. Times are looked at
 * each time.
 *
 * @param trust  NULL: as one that trusts nothing.
 * @param why    a sentence with the remedy for everything but 0; never a
 *               byte of the token.
 * @retval 0              signature, issuer, times, audience and profile are
 *                        good.
 * @retval -EKEYEXPIRED   it has ended, or not begun.
 * @retval -EKEYREJECTED  it can never be accepted here: forged, of an issuer
 *                        or an audience that is not ours, against its
 *                        profile.
 * @retval -EAGAIN        it cannot be verified here now: it is no JWT,
 *                        nothing is configured, or the issuer's keys are not
 *                        at hand (they are being asked for).
 */
NODISCARD int trust_judge(
    struct trust *trust, struct token *token, struct err *why);

/** What trust_judge() says at another time, `at_s` of the wall clock, by the
 *  keys of now. */
NODISCARD int trust_judge_at(
    struct trust *trust, struct token *token, uint64_t at_s, struct err *why);

/**
 * Wait until each issuer's keys are at hand or could not be got: for
 * commands, never on a thread that answers requests.
 *
 * @param wait_ms  real time, at most.
 */
void trust_wait(struct trust *trust, unsigned wait_ms);

/** The name of the profile of a token that was judged, static; NULL when it
 *  is not known. */
const char *trust_profile(struct trust *trust, const struct token *token);

/** Do at once whatever is due, when the clock is driven by hand: for tests.
 */
void trust_wake(struct trust *trust);

#endif
