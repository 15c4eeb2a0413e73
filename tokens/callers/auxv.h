/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/callers/auxv.h - what the kernel told a program at its start.
 *
 * Threads: pure.
 * Sources: getauxval(3), AT_SECURE; proc(5), /proc/PID/auxv.
 */
#ifndef TOKENS_AUXV_H
#define TOKENS_AUXV_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Whether a program was started by somebody with fewer rights than it has
 * (setuid, setgid, capabilities of its file): its environment is their word,
 * also when it has made its ids one since.
 *
 * @param bytes  of /proc/PID/auxv, of a program of 64 or of 32 bits.
 * @return       true as well when they do not say.
 */
bool auxv_is_secure(const void *bytes, size_t size_bytes);

#endif
