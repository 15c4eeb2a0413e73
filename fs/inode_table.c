/* SPDX-License-Identifier: Apache-2.0 */
/* fs/inode_table.c - see inode_table.h. */
#include "fs/inode_table.h"

#include "base/stats.h"
#include "fs/siphash.h"

#include <stdlib.h>
#include <string.h>

uint32_t name_table_hash(const struct fs_nodes *nodes,
    const struct fs_node *parent, const char *name, size_t name_bytes)
{
	return (uint32_t)siphash(nodes->key[0] ^ parent->number,
	    nodes->key[1] ^ (uint64_t)(uintptr_t)parent, name, name_bytes);
}

static struct fs_node **bucket_of(const struct fs_nodes *nodes, uint32_t hash)
{
	return &nodes->buckets[hash & (nodes->bucket_count - 1)];
}

struct fs_node *name_table_find(const struct fs_nodes *nodes,
    const struct fs_node *parent, const char *name, size_t name_bytes,
    uint32_t hash)
{
	struct fs_node *node = *bucket_of(nodes, hash);

	for (; node; node = node->chain)
		if (node->hash == hash && node->parent == parent &&
		    !node->nameless && node->name_bytes == name_bytes &&
		    memcmp(node_name(node), name, name_bytes) == 0)
			return node;
	return NULL;
}

/* Twice the buckets. Without memory for them the chains grow instead. */
static void grow(struct fs_nodes *nodes)
{
	size_t old_count = nodes->bucket_count;
	struct fs_node **old = nodes->buckets;
	struct fs_node **fresh =
	    calloc(old_count * 2, sizeof(struct fs_node *));

	if (!fresh)
		return;
	nodes->buckets = fresh;
	nodes->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		struct fs_node *node = old[i];

		while (node) {
			struct fs_node *next = node->chain;
			struct fs_node **bucket = bucket_of(nodes, node->hash);

			node->chain = *bucket;
			*bucket = node;
			node = next;
		}
	}
	free(old);
}

void name_table_insert(struct fs_nodes *nodes, struct fs_node *node)
{
	struct fs_node **bucket;

	if (nodes->node_count >= nodes->bucket_count)
		grow(nodes);
	bucket = bucket_of(nodes, node->hash);
	node->chain = *bucket;
	*bucket = node;
	nodes->node_count++;
	stats_add(STATS_fs_nodes, 1);
}

void name_table_remove(struct fs_nodes *nodes, struct fs_node *node)
{
	struct fs_node **at = bucket_of(nodes, node->hash);

	while (*at != node)
		at = &(*at)->chain;
	*at = node->chain;
	nodes->node_count--;
	stats_add(STATS_fs_nodes, -1);
}
