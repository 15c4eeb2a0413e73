/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/options/nearest.h - what a mistyped word was meant to be.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef CLI_OPTIONS_NEAREST_H
#define CLI_OPTIONS_NEAREST_H

#include <stddef.h>

enum { NEAREST_BYTES_MAX = 64 }; /* longer words resemble nothing */

/** The candidate that resembles `word` most, NULL when none does. */
const char *nearest_word(
    const char *word, const char *const *candidates, size_t count);

#endif
