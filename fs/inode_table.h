/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inode_table.h - nodes by parent and name: for inode.c alone.
 *
 * Nameless nodes stay where they were, and are not found.
 *
 * Threads: the FUSE thread.
 */
#ifndef FS_INODE_TABLE_H
#define FS_INODE_TABLE_H

#include "fs/inode.h"

#include <stddef.h>
#include <stdint.h>

uint32_t name_table_hash(const struct fs_nodes *nodes,
    const struct fs_node *parent, const char *name, size_t name_bytes);

struct fs_node *name_table_find(const struct fs_nodes *nodes,
    const struct fs_node *parent, const char *name, size_t name_bytes,
    uint32_t hash);

void name_table_insert(struct fs_nodes *nodes, struct fs_node *node);

void name_table_remove(struct fs_nodes *nodes, struct fs_node *node);

#endif
