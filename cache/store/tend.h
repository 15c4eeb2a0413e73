/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/tend.h - which generation a store works on.
 *
 * Threads: who opens or closes the store, in between its writer.
 */
#ifndef CACHE_STORE_TEND_H
#define CACHE_STORE_TEND_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

struct generation;
struct store;

/** Open the directory and put its generation in force, of another version
 *  too; may wait. What may come right leaves the store off.
 *  @retval 0, or -errno. */
NODISCARD int store_begin(struct store *store, struct err *err);

/** The same of a directory that a mount has made, and of the size that this
 *  was made for; nothing is begun anew.
 *  @retval -ENOENT  there is no cache in it. */
NODISCARD int store_begin_existing(struct store *store, struct err *err);

/** store_open() of such a directory, for who looks after it. */
struct store_config;
NODISCARD int store_open_existing(
    struct store **out, const struct store_config *config, struct err *err);

/** Put a generation (NULL: none) in force; may wait. */
void store_swap_in(struct store *store, struct generation *generation);

#endif
