/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/agent_call.h - one question to the agent's socket and its
 * answer.
 *
 * There is no framing: the question is one write, the answer ends with the
 * connection or with the closing brace of its object, and may come in pieces.
 * A call that is not answered in the time of one look stays open and is
 * taken up by the next one, so that an agent that hangs has one connection
 * of ours and an issuer that is slow answers in the end.
 *
 * The socket must be the user's or root's, by its inode and by who listens
 * (SO_PEERCRED): anybody can leave a socket under a name in /tmp.
 *
 * Threads: one at a time.
 * Sources: unix(7); oidc-agent 4.2.6, src/ipc.
 */
#ifndef TOKENS_AGENT_CALL_H
#define TOKENS_AGENT_CALL_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/find/file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	AGENT_QUESTION_BYTES_MAX = 4096,
	/* A token of TOKENS_TEXT_BYTES_MAX and what stands around it. */
	AGENT_ANSWER_BYTES_MAX = TOKENS_TEXT_BYTES_MAX + 8192,
	AGENT_AGAIN_MS = 20, /* between tries while its queue is full */
};

/** Where the agent is. */
struct agent_place {
	const char *path; /* absolute, borrowed */
	bool in_fds;      /* this process stands in its own /proc/self/fd,
			     which may have no such name */
	struct file_rules rules;
	const char *account; /* for sentences, borrowed */
};

struct agent_call {
	int fd;         /* -1: no call is open */
	bool sent;      /* the question has left */
	unsigned depth; /* of what was read of the answer */
	bool in_string;
	bool escaped;
	bool whole; /* the answer's object has closed */
	size_t question_bytes;
	size_t size_bytes;
	char question[AGENT_QUESTION_BYTES_MAX];
	char answer[AGENT_ANSWER_BYTES_MAX + 1]; /* NUL-terminated */
};

/** With no call open. */
void agent_call_init(struct agent_call *call);

/** Close it, wipe the answer. */
void agent_call_end(struct agent_call *call);

/** Whether one is open. */
bool agent_call_is_open(const struct agent_call *call);

/**
 * Ask, or go on waiting for the answer to the call that is open.
 *
 * @param question  one JSON object, shorter than AGENT_QUESTION_BYTES_MAX;
 *                  ignored when a call is open.
 * @param until_ms  monotonic, of the system's clock.
 *
 * @retval 0              call->answer has an object of call->size_bytes
 *                        bytes; agent_call_end() wipes it.
 * @retval -ETIMEDOUT     not yet; the call stays open.
 * @retval -ECONNREFUSED  nobody listens there.
 * @retval -EPERM         no socket, or not the user's; or it lies where none
 *                        may lie.
 * @retval -EPROTO        closed early, too long, or no object.
 * @retval -errno         of the system call that failed.
 */
NODISCARD int agent_call_run(struct agent_call *call,
    const struct agent_place *place, const char *question, uint64_t until_ms,
    struct err *err);

#endif
