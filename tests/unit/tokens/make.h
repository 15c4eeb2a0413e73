/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/tokens/make.h - tokens, token files and directories for tests.
 *
 * The tokens are well formed and signed by nobody.
 */
#ifndef TESTS_UNIT_TOKENS_MAKE_H
#define TESTS_UNIT_TOKENS_MAKE_H

#include "tokens/tokens.h"

#include <stdint.h>
#include <sys/types.h>

enum { MAKE_BYTES = 8192 };

/** base64url of a text, without padding. */
void make_base64(char out[MAKE_BYTES], const char *text);

/** A compact JWT with a header of `alg` ES256 and these claims. */
void make_jwt(char out[MAKE_BYTES], const char *claims);

/** A JWT that ends at `expires_s`; `name` tells it from others. */
void make_token(char out[MAKE_BYTES], const char *name, uint64_t expires_s);

/** The token in a text; asserts that there is one. */
struct token *make_parsed(const char *text);

/** A private directory of this test, 0700; "make_remove" empties it. */
void make_directory(char out[256]);
void make_remove(const char *dir);

/** Write a file with just this mode, in place. */
void make_file(const char *path, const char *text, mode_t mode);

/** The same under a new name, then renamed: as a careful writer does. */
void make_replaced(const char *path, const char *text, mode_t mode);

/** Give a file times of a minute ago, so that its stamp is a settled one. */
void make_old(const char *path);

/** Take away every variable that names a token. */
void make_no_environment(void);

#endif
