/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/token_stdin.h - tokens that come on stdin, read under a bound, verified
 * and told of on stdout; what is wrong with one is said on stderr.
 *
 * Each returns an exit status: STATUS_OK when all of it is valid.
 *
 * Threads: the main thread, for the life of the process: nothing else reads
 * stdin.
 */
#ifndef CLI_TOKEN_STDIN_H
#define CLI_TOKEN_STDIN_H

#include <stdbool.h>

struct tokens_verifier;

/** One token, which is all of stdin. @param json  its verdict goes out as
 *  one object; else nothing does when it is valid. */
int token_stdin_one(struct tokens_verifier *verifier, bool json);

/** A token in each line; each is answered by a line, at once. */
int token_stdin_batch(struct tokens_verifier *verifier, bool json);

/** One JWS, by its signature alone: its payload goes out as it is. */
int token_stdin_signature(struct tokens_verifier *verifier);

#endif
