/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/tries.h - what tries to send an entry have sent, of whose end
 * nobody knows: noted in its facts, and in the journal with each SENDING.
 *
 * Threads: under the facts lock of the item's entry, or alone.
 */
#ifndef CACHE_SPOOL_TRIES_H
#define CACHE_SPOOL_TRIES_H

#include "base/attr.h"
#include "cache/spool/format.h"
#include "cache/spool/unsent.h"

#include <stddef.h>

/** As it lies in a journal. */
struct disk_try_list {
	struct disk_tries head;
	struct disk_try list[SPOOL_TRIES_MAX];
};

/** Put them down. @return bytes of `out` that count; 0: there are none */
size_t tries_write(const struct spool_item *item, struct disk_try_list *out);

/** Take them from what follows the texts of a state; what is there may be of
 *  no such kind, or of none. @retval 0, -EBADMSG: it says what cannot be */
NODISCARD int tries_read(
    struct spool_item *item, const uint8_t *bytes, size_t size_bytes);

/** They count no more. */
void tries_forget(struct spool_item *item);

#endif
