/* SPDX-License-Identifier: Apache-2.0 */
/* fs/inode.c - see inode.h. */
#include "fs/inode.h"

#include "base/clock.h"
#include "base/stats.h"
#include "fs/siphash.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	BUCKETS_MIN = 1024,
	NUMBER_MIN = 16, /* below: the root, and what programs take as none */
};

static struct fs_node *node_new(const char *name, size_t name_bytes)
{
	struct fs_node *node = calloc(1, sizeof(*node) + name_bytes + 1);

	if (!node)
		return NULL;
	node->name_bytes = (uint8_t)name_bytes;
	memcpy(node->name, name, name_bytes);
	return node;
}

int nodes_init(struct fs_nodes *nodes)
{
	*nodes = (struct fs_nodes){.bucket_count = BUCKETS_MIN};
	clock_random(nodes->key, sizeof(nodes->key));
	clock_random(&nodes->mask, sizeof(nodes->mask));
	/* No number is 0 or the root's: an address begins with 0, and is a
	 * multiple of this. */
	nodes->mask = (nodes->mask | UINT64_C(1) << 63) &
	    ~(uint64_t)(_Alignof(max_align_t) - 1);
	nodes->buckets = calloc(nodes->bucket_count, sizeof(struct fs_node *));
	nodes->root = node_new("", 0);
	if (!nodes->buckets || !nodes->root) {
		free(nodes->buckets);
		free(nodes->root);
		return -ENOMEM;
	}
	nodes->root->kind = CACHE_DIRECTORY;
	nodes->root->number = FUSE_ROOT_ID;
	nodes->root->pin_count = 1; /* ours: it is never freed */
	return 0;
}

void nodes_fini(struct fs_nodes *nodes)
{
	for (size_t i = 0; i < nodes->bucket_count; i++) {
		struct fs_node *node = nodes->buckets[i];

		while (node) {
			struct fs_node *next = node->chain;

			free(node);
			node = next;
		}
	}
	stats_add(STATS_fs_nodes, -(int64_t)nodes->node_count);
	free(nodes->buckets);
	free(nodes->root);
	*nodes = (struct fs_nodes){0};
}

struct fs_node *node_of(const struct fs_nodes *nodes, fuse_ino_t ino)
{
	if (ino == FUSE_ROOT_ID)
		return nodes->root;
	return (struct fs_node *)(uintptr_t)(ino ^ nodes->mask);
}

fuse_ino_t node_id(const struct fs_nodes *nodes, const struct fs_node *node)
{
	if (node == nodes->root)
		return FUSE_ROOT_ID;
	return (fuse_ino_t)(uintptr_t)node ^ nodes->mask;
}

int node_path(const struct fs_node *node, char out[PATH_BYTES_MAX])
{
	size_t at = PATH_BYTES_MAX - 1;

	out[at] = '\0';
	for (; node->parent; node = node->parent) {
		if (at < (size_t)node->name_bytes + 1)
			return -ENAMETOOLONG;
		at -= node->name_bytes;
		memcpy(out + at, node->name, node->name_bytes);
		out[--at] = '/';
	}
	if (out[at] == '\0')
		out[--at] = '/';
	memmove(out, out + at, PATH_BYTES_MAX - at);
	return 0;
}

static uint64_t version_of(const struct cache_attr *attr)
{
	return attr->kind == CACHE_DIRECTORY ? 0 : attr->version;
}

uint64_t node_number(const struct fs_node *parent, const char *name,
    const struct cache_attr *attr)
{
	uint64_t number =
	    siphash(parent->number, version_of(attr), name, strlen(name));

	return number < NUMBER_MIN ? number + NUMBER_MIN : number;
}

static uint32_t hash_of(const struct fs_nodes *nodes,
    const struct fs_node *parent, const char *name, size_t name_bytes)
{
	return (uint32_t)siphash(nodes->key[0] ^ parent->number,
	    nodes->key[1] ^ (uint64_t)(uintptr_t)parent, name, name_bytes);
}

static struct fs_node **bucket_of(const struct fs_nodes *nodes, uint32_t hash)
{
	return &nodes->buckets[hash & (nodes->bucket_count - 1)];
}

static struct fs_node *find(const struct fs_nodes *nodes,
    const struct fs_node *parent, const char *name, size_t name_bytes,
    uint32_t hash)
{
	struct fs_node *node = *bucket_of(nodes, hash);

	for (; node; node = node->chain)
		if (node->hash == hash && node->parent == parent &&
		    !node->nameless && node->name_bytes == name_bytes &&
		    memcmp(node->name, name, name_bytes) == 0)
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

static void insert(struct fs_nodes *nodes, struct fs_node *node)
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

bool node_is(const struct fs_node *node, const struct cache_attr *attr)
{
	return !node->nameless && node->kind == attr->kind &&
	    node->version == version_of(attr);
}

struct cache_attr node_attr(const struct fs_node *node)
{
	assert(node->kind == CACHE_FILE);
	return (struct cache_attr){
	    .kind = CACHE_FILE,
	    .size_bytes = node->size_bytes,
	    .mtime_s = node->mtime_s,
	    .version = node->version,
	};
}

struct fs_node *node_take(struct fs_nodes *nodes, struct fs_node *parent,
    const char *name, const struct cache_attr *attr)
{
	size_t name_bytes = strlen(name);
	uint32_t hash = hash_of(nodes, parent, name, name_bytes);
	struct fs_node *old = find(nodes, parent, name, name_bytes, hash);
	struct fs_node *node;

	assert(name_bytes >= 1 && name_bytes <= PATH_NAME_BYTES_MAX);
	if (old && node_is(old, attr)) {
		old->lookup_count++;
		return old;
	}
	node = node_new(name, name_bytes);
	if (!node)
		return NULL;
	if (old)
		old->nameless = true;
	node->parent = parent;
	node->hash = hash;
	node->kind = (uint8_t)attr->kind;
	node->version = version_of(attr);
	node->number = node_number(parent, name, attr);
	node->lookup_count = 1;
	if (attr->kind == CACHE_FILE) {
		node->size_bytes = attr->size_bytes;
		node->mtime_s = attr->mtime_s;
	}
	node_pin(parent);
	insert(nodes, node);
	return node;
}

struct fs_node *node_find(const struct fs_nodes *nodes,
    const struct fs_node *parent, const char *name)
{
	size_t name_bytes = strlen(name);
	struct fs_node *node = find(nodes, parent, name, name_bytes,
	    hash_of(nodes, parent, name, name_bytes));

	return node != NULL && node->lookup_count > 0 ? node : NULL;
}

void node_again(struct fs_node *node)
{
	node->lookup_count++;
}

static void unlink_from_bucket(struct fs_nodes *nodes, struct fs_node *node)
{
	struct fs_node **at = bucket_of(nodes, node->hash);

	while (*at != node)
		at = &(*at)->chain;
	*at = node->chain;
	nodes->node_count--;
	stats_add(STATS_fs_nodes, -1);
}

/* Free a node that nobody holds, and then its parents that only it held. */
static void reap(struct fs_nodes *nodes, struct fs_node *node)
{
	while (node->lookup_count == 0 && node->pin_count == 0) {
		struct fs_node *parent = node->parent;

		unlink_from_bucket(nodes, node);
		free(node);
		assert(parent != NULL && parent->pin_count > 0);
		parent->pin_count--;
		node = parent;
	}
}

void node_forget(
    struct fs_nodes *nodes, struct fs_node *node, uint64_t lookup_count)
{
	if (node == nodes->root)
		return; /* the kernel has it without a lookup */
	assert(node->lookup_count >= lookup_count);
	node->lookup_count -= lookup_count;
	reap(nodes, node);
}

void node_pin(struct fs_node *node)
{
	assert(node->pin_count < UINT32_MAX);
	node->pin_count++;
}

void node_unpin(struct fs_nodes *nodes, struct fs_node *node)
{
	assert(node->pin_count > 0);
	node->pin_count--;
	reap(nodes, node);
}
