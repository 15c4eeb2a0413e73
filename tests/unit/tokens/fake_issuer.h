/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/tokens/fake_issuer.h - an issuer that is a function: its
 * metadata and its key set, or that it is down, or that it hangs.
 */
#ifndef TESTS_UNIT_TOKENS_FAKE_ISSUER_H
#define TESTS_UNIT_TOKENS_FAKE_ISSUER_H

#include "tokens/tokens.h"

#include <pthread.h>
#include <stdbool.h>

#define FAKE_ISSUER "https://i.example"

enum { FAKE_GIVEN_MAX = 4096 };

struct fake_issuer {
	pthread_mutex_t mutex;
	pthread_cond_t released;
	const char *text; /* of the key set; NULL: it is down */
	unsigned fetches; /* of the key set, or failed attempts */
	unsigned alien;   /* URLs that are not the issuer's */
	bool hangs;
	bool waiting;                      /* somebody hangs */
	const char *given[FAKE_GIVEN_MAX]; /* the sets, one after the other */
	unsigned given_count;
};

void fake_issuer_init(struct fake_issuer *issuer, const char *text);
void fake_issuer_fini(struct fake_issuer *issuer);

/** What it has from now on; NULL: it is down. */
void fake_issuer_serve(struct fake_issuer *issuer, const char *text);

/** It hangs from now on, or does no more. */
void fake_issuer_hang(struct fake_issuer *issuer, bool hangs);
bool fake_issuer_is_waiting(struct fake_issuer *issuer);

/** How often it was asked; asserts that nobody else was. */
unsigned fake_issuer_fetches(struct fake_issuer *issuer);

/** How many sets it has given. */
unsigned fake_issuer_given(struct fake_issuer *issuer);

/** A tokens_document_fn; `arg` is the issuer. */
int fake_issuer_document(void *arg, const char *url, struct buf *out,
    struct tokens_document_facts *facts, struct err *err);

#endif
