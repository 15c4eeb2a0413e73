/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/table_impl.h - what the files of the tables share: a bucket and
 * its entries, as they are on disk.
 *
 * Threads: any.
 */
#ifndef CACHE_STORE_TABLE_IMPL_H
#define CACHE_STORE_TABLE_IMPL_H

#include "base/attr.h"
#include "cache/store/table.h"

#include <stdbool.h>
#include <stdint.h>

/** Where the bucket of a key is. */
uint64_t table_bucket_offset(const struct table *table, struct hash128 key);

/** Read a bucket; one behind the end of a shortened file is an empty one.
 *  @retval 0, or -errno. */
NODISCARD int table_read_bucket(const struct table *table,
    uint64_t offset_bytes, struct table_bucket *bucket);

/** Does an entry carry its check? */
bool table_is_good(const struct table *table, const struct format_entry *entry);

bool table_has_key(const struct format_entry *entry, struct hash128 key);

void table_decode(const struct format_entry *entry, struct table_entry *out);

#endif
