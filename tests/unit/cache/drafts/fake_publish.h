/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/fake_publish.h - fetch/change.h to the server of
 * fake_cache.h: what is published is read, compared and put there on a thread
 * of its own, when the test lets it and as it says.
 *
 * Stands before the real library in link order, as fake_cache.h does.
 */
#ifndef TESTS_UNIT_CACHE_DRAFTS_FAKE_PUBLISH_H
#define TESTS_UNIT_CACHE_DRAFTS_FAKE_PUBLISH_H

#include "fetch/change.h"

#include <stdbool.h>
#include <stdint.h>

enum { FAKE_CALLS = 4096 };

/* What was asked, in that order. */
struct fake_call {
	char path[256];      /* the server's */
	char temporary[256]; /* as it was asked for */
	enum fetch_condition condition;
	uint64_t size_bytes;
	int64_t mtime_s;
	uid_t uid;
	bool of_user;        /* and no process of theirs: ident_of_user() */
	bool grew;           /* it was asked for before it was whole */
	uint64_t told_bytes; /* of that: so far */
	int code;            /* 1: not answered yet */
	bool cancelled;
};

void fake_publish_reset(void);

/** Answer all that is held with -ECANCELED, and at once what comes: what
 *  fetch_stop() does. */
void fake_publish_stop(void);

/** What comes stays on its way when so many percent of it were read; above
 *  100: nothing does any more. */
void fake_publish_hold(unsigned percent);

/** Before it answers it reads all once more, as after a lost connection. */
void fake_publish_again(bool again);

/** One of those that are held goes on. */
void fake_publish_one(void);

/** So many are held; were asked; were held at most at once. */
unsigned fake_publish_held(void);
unsigned fake_published(void);
unsigned fake_publish_most(void);

/** One of them. */
struct fake_call fake_call(unsigned nth);

/** What the server says; 0: it takes it, if it fits the condition. */
void fake_publish_code(int code);

/** It takes it, and then says this. */
void fake_publish_code_after(int code);

/** What it says is lost, and so is what a look would tell: -ETIMEDOUT. */
void fake_publish_lost(bool lost);

/** Of what it replaces it takes away the old one, and no more: -EACCES. */
void fake_publish_removes(bool removes);

/** No token may look: no version is told. */
void fake_publish_blind(bool blind);

/** It takes what is not whole yet (false, after a reset: -ENOTSUP), and goes
 *  on with it when it is. */
void fake_publish_grows(bool grows);

/** A temporary name is left; NULL: none. */
void fake_publish_leftover(const char *path);

/** fetch_delete(): what the server says, how often it has. */
void fake_delete_code(int code);
unsigned fake_deletes(void);

/** cache_note_file(): how often, and for what the last time. */
unsigned fake_notes(void);
uint64_t fake_noted_was(void);
bool fake_noted_version(void);
unsigned fake_doubts(void);

#endif
