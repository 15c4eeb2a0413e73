/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/tokens/fake_agent.h - a token agent on a socket of its own that
 * answers what a test wants, how it wants it. It allocates nothing while it
 * serves, so that allocations may be made to fail around it.
 */
#ifndef TESTS_UNIT_TOKENS_FAKE_AGENT_H
#define TESTS_UNIT_TOKENS_FAKE_AGENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

enum { FAKE_TEXT_BYTES = 16384 };

enum fake_way {
	FAKE_SAYS,   /* the text in one write, then closes */
	FAKE_KEEPS,  /* the text, and the connection stays open */
	FAKE_PIECES, /* the text byte by byte */
	FAKE_HALF,   /* half of the text, then closes */
	FAKE_CLOSES, /* closes without a word */
	FAKE_FLOODS, /* the text again and again, without an end */
	FAKE_HANGS,  /* says nothing until the way is another one */
};

struct fake_agent {
	char path[512];
	int fd;
	pthread_t thread;
	_Atomic enum fake_way way;
	atomic_uint asked;  /* questions for a token */
	atomic_uint listed; /* questions for the accounts */
	atomic_bool stopping;
	pthread_mutex_t mutex;
	char text[FAKE_TEXT_BYTES];     /* the answer */
	char accounts[FAKE_TEXT_BYTES]; /* the answer to loaded_accounts */
	char question[FAKE_TEXT_BYTES]; /* the last one for a token */
};

/** Serve below this path. */
void fake_agent_start(struct fake_agent *agent, const char *path);
void fake_agent_stop(struct fake_agent *agent);

/** What it answers from now on. */
void fake_agent_says(
    struct fake_agent *agent, enum fake_way way, const char *text);

/** That it answers with this token. */
void fake_agent_gives(
    struct fake_agent *agent, const char *token, unsigned long long expires_s);

/** A socket at `path` on which a child of another user listens (0: ours);
 *  its pid, to be killed. */
pid_t fake_agent_stranger(const char *path, uid_t uid);

#endif
