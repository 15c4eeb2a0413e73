/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/token_verify.h - `bearerfs token verify`: is a token on stdin good, by
 * the judgement that a mount has.
 *
 * Threads: main thread.
 */
#ifndef CLI_TOKEN_VERIFY_H
#define CLI_TOKEN_VERIFY_H

/** @param argv  its own name, "verify", first. @return an exit status. */
int token_verify(int argc, char **argv);

#endif
