/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/map_file.h - the file of a map: its name, found with the right
 * head, or made. What else has the name is taken out of the way.
 *
 * Threads: any.
 */
#ifndef CACHE_STORE_MAP_FILE_H
#define CACHE_STORE_MAP_FILE_H

#include "base/attr.h"
#include "cache/store/map.h"

/** "ab/<32 hex>" of a key. */
enum { MAP_NAME_BYTES = 40 };
void map_name(char out[MAP_NAME_BYTES], struct hash128 key);

/** @return a descriptor; -ENOENT: there is none that is right; -errno. */
NODISCARD int map_file_open(const struct map_object *object);

/** The same, made with its head when it is missing: the writer's thread only.
 *  @return a descriptor, or -errno. */
NODISCARD int map_file_make(const struct map_object *object);

#endif
