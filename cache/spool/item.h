/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/item.h - what is told of an entry: made, copied, freed.
 *
 * Threads: an item belongs to one at a time.
 */
#ifndef CACHE_SPOOL_ITEM_H
#define CACHE_SPOOL_ITEM_H

#include "base/attr.h"
#include "cache/spool/unsent.h"

#include <stddef.h>

/** Nothing known, texts "". @retval 0, -ENOMEM */
NODISCARD int item_init(struct spool_item *item);

/** Set a text. @retval 0, -ENOMEM: it is as it was. */
NODISCARD int item_text(struct spool_item *item, enum spool_text which,
    const void *bytes, size_t size_bytes);

/** @retval 0, -ENOMEM: nothing is owned. */
NODISCARD int item_copy(struct spool_item *out, const struct spool_item *item);

#endif
