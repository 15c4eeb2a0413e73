/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/trust_impl.h - a trust as its files share it: trust.c
 * makes it, judge.c judges, keeper.c is its thread that sees to the keys.
 */
#ifndef TOKENS_VERIFY_TRUST_IMPL_H
#define TOKENS_VERIFY_TRUST_IMPL_H

#include "base/attr.h"
#include "base/sync.h"
#include "tokens/verify/issuer.h"
#include "tokens/verify/keys.h"
#include "tokens/verify/profile.h"
#include "tokens/verify/trust.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/** Keys and where they come from: one for each issuer, or one file. */
struct trust_source {
	char *issuer; /* NULL: the file */
	struct keys keys GUARDED_BY(trust_lock);
	uint64_t generation GUARDED_BY(trust_lock); /* of the set; no two are
						       alike in the process */
	bool settled GUARDED_BY(trust_lock); /* keys are there, or an attempt
						has failed */
};

struct trust {
	/* Set once, before the thread starts. */
	const struct clock *clock;
	char **issuers; /* whose tokens are taken; none: whom the file's keys
			   speak for */
	unsigned issuer_count;
	char **audiences;
	unsigned audience_count;
	bool any_audience;
	char *jwks_file;
	char *key_dir;
	struct issuer_source fetcher; /* document NULL: nobody fetches */
	struct trust_source *sources;
	unsigned source_count; /* 0: nothing is trusted, no thread */
	uint64_t birth;        /* generation of what no key decides */
	pthread_t keeper;
	bool has_keeper;

	pthread_mutex_t mutex;
	pthread_cond_t wakes;   /* the keeper */
	pthread_cond_t changed; /* keys have come, or the keeper is gone */
	bool stopping GUARDED_BY(trust_lock);
	bool gone GUARDED_BY(trust_lock);
	bool abandoned GUARDED_BY(trust_lock); /* the keeper frees */
};

void trust_enter(struct trust *trust) ACQUIRES(trust_lock);
void trust_leave(struct trust *trust) RELEASES(trust_lock);

/** A number that no other set of keys of this process has. */
uint64_t trust_next_generation(void);

/** Put a set in (one reference, consumed). */
void trust_install(struct trust_source *source, struct jwks *set,
    const struct keys_life *life) REQUIRES(trust_lock);

/** What is at hand before the thread starts: the file (which must be
 *  usable), or what was kept of each issuer. */
NODISCARD int trust_keeper_load(struct trust *trust, struct err *err);

/** The thread; `arg` is the trust. */
void *trust_keeper_main(void *arg);

/** Free everything: for the last one who knows it. */
void trust_destroy(struct trust *trust);

#endif
