/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/env.h - the environment of this process.
 *
 * Threads: main thread. Only harden_forget() changes the environment, before
 * the first thread that reads it (libcurl's) starts.
 */
#ifndef CLI_ENV_H
#define CLI_ENV_H

#include <stdbool.h>

/** Whether a program of this name is on the PATH. */
bool env_on_path(const char *program);

/** As getenv(3). */
const char *env_get(const char *name);

#endif
