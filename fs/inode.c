/* SPDX-License-Identifier: Apache-2.0 */
/* fs/inode.c - see inode.h. */
#include "fs/inode.h"

#include "base/clock.h"
#include "base/stats.h"
#include "fs/inode_table.h"
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

/* A name that does not fit where the first one of its node was. */
struct fs_room {
	char name[PATH_NAME_BYTES_MAX + 1];
};

enum { ROOM_BYTES_MIN = sizeof(struct fs_room *) - 1 };

static struct fs_node *node_new(const char *name, size_t name_bytes)
{
	size_t room_bytes =
	    name_bytes > ROOM_BYTES_MIN ? name_bytes : ROOM_BYTES_MIN;
	struct fs_node *node = calloc(1, sizeof(*node) + room_bytes + 1);

	if (!node)
		return NULL;
	node->name_bytes = (uint8_t)name_bytes;
	node->room_bytes = (uint8_t)room_bytes;
	memcpy(node->name, name, name_bytes);
	return node;
}

static struct fs_room *room_of(const struct fs_node *node)
{
	struct fs_room *room = NULL;

	if (node->name_bytes > node->room_bytes)
		memcpy(&room, node->name, sizeof(void *));
	return room;
}

const char *node_name(const struct fs_node *node)
{
	const struct fs_room *room = room_of(node);

	return room ? room->name : node->name;
}

static void node_free(struct fs_node *node)
{
	free(room_of(node));
	free(node);
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

			node_free(node);
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
		memcpy(out + at, node_name(node), node->name_bytes);
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
	uint64_t key =
	    attr->kind == CACHE_DIRECTORY ? parent->moves : version_of(attr);
	uint64_t number = siphash(parent->number, key, name, strlen(name));

	return number < NUMBER_MIN ? number + NUMBER_MIN : number;
}

bool node_would_be(const struct fs_node *node, const struct cache_attr *attr)
{
	if (node->nameless || node->kind != attr->kind)
		return false;
	return node->version == version_of(attr) ||
	    (attr->was != 0 && node->version == attr->was &&
	        node->leaving == 0);
}

bool node_is(struct fs_node *node, const struct cache_attr *attr)
{
	if (!node_would_be(node, attr))
		return false;
	if (node->version != version_of(attr)) {
		node->version = attr->version;
		node->size_bytes = attr->size_bytes;
		node->mtime_s = attr->mtime_s;
	}
	return true;
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
	uint32_t hash = name_table_hash(nodes, parent, name, name_bytes);
	struct fs_node *old =
	    name_table_find(nodes, parent, name, name_bytes, hash);
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
		node_part(old);
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
	name_table_insert(nodes, node);
	return node;
}

struct fs_node *node_named(const struct fs_nodes *nodes,
    const struct fs_node *parent, const char *name)
{
	size_t name_bytes = strlen(name);

	return name_table_find(nodes, parent, name, name_bytes,
	    name_table_hash(nodes, parent, name, name_bytes));
}

struct fs_node *node_find(const struct fs_nodes *nodes,
    const struct fs_node *parent, const char *name)
{
	struct fs_node *node = node_named(nodes, parent, name);

	return node != NULL && node->lookup_count > 0 ? node : NULL;
}

struct fs_node *node_hidden(
    const struct fs_nodes *nodes, const struct fs_node *parent)
{
	/* A child would pin it. */
	for (size_t i = 0; parent->pin_count > 0 && i < nodes->bucket_count;
	     i++)
		for (struct fs_node *node = nodes->buckets[i]; node;
		     node = node->chain)
			if (node->parent == parent && !node->nameless &&
			    node->lookup_count > 0 && node_name(node)[0] == '.')
				return node;
	return NULL;
}

void node_again(struct fs_node *node)
{
	node->lookup_count++;
}

/* Free a node that nobody holds, and then its parents that only it held. */
static void reap(struct fs_nodes *nodes, struct fs_node *node)
{
	while (node->lookup_count == 0 && node->pin_count == 0) {
		struct fs_node *parent = node->parent;

		name_table_remove(nodes, node);
		node_free(node);
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

void node_part(struct fs_node *node)
{
	node->nameless = true;
}

struct fs_room *node_room(void)
{
	return malloc(sizeof(struct fs_room));
}

static void set_name(
    struct fs_node *node, const char *name, struct fs_room **room)
{
	size_t name_bytes = strlen(name);
	struct fs_room *old = room_of(node);

	node->name_bytes = (uint8_t)name_bytes;
	if (name_bytes > node->room_bytes) {
		struct fs_room *fresh = STEAL(*room);

		memcpy(fresh->name, name, name_bytes + 1);
		memcpy(node->name, &fresh, sizeof(void *));
	} else {
		memcpy(node->name, name, name_bytes + 1);
	}
	free(old);
	free(STEAL(*room));
}

/* A server that says so has moved a directory below itself. */
static bool is_below(const struct fs_node *node, const struct fs_node *above)
{
	for (; node; node = node->parent)
		if (node == above)
			return true;
	return false;
}

void node_move(struct fs_nodes *nodes, struct fs_node *node,
    struct fs_node *parent, const char *name, struct fs_room **room)
{
	struct fs_node *old_parent = node->parent;
	struct fs_node *replaced = node_named(nodes, parent, name);
	size_t name_bytes = strlen(name);

	assert(name_bytes >= 1 && name_bytes <= PATH_NAME_BYTES_MAX);
	assert(old_parent != NULL && !node->nameless);
	if (replaced == node || is_below(parent, node)) {
		free(STEAL(*room));
		return;
	}
	if (replaced)
		node_part(replaced);
	name_table_remove(nodes, node);
	set_name(node, name, room);
	/* A new directory of that name is another one; find(1) sees a loop in
	 * two of a number, one below the other. */
	if (node->kind == CACHE_DIRECTORY)
		old_parent->moves++;
	node->parent = parent;
	node->hash = name_table_hash(nodes, parent, name, name_bytes);
	node_pin(parent);
	name_table_insert(nodes, node);
	node_unpin(nodes, old_parent);
}
