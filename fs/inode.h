/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inode.h - inodes: a number the kernel holds <-> a path, and one version
 * of the file that stands there.
 *
 * A version is an inode, but for what is written here. When a name is found to lead to another version (or
 * to a directory instead of a file), the name gets a new node and the old
 * node loses it; open handles keep the old one, with its attributes, for as
 * long as they live. So nothing the kernel has cached under an inode can
 * become wrong, and nothing is ever invalidated. A directory keeps its node
 * whatever its version is.
 *
 * What is written here is the exception (cache/drafts/drafts.h): a draft goes
 * on from the version that it began from, and so does the version that the
 * server has of it after it was sent. cache_attr.was tells that, and the node
 * becomes the next version in place: what the kernel has of its bytes is right,
 * since all that was written went through it. A file keeps its inode while it
 * is written, and its handles see each other's bytes.
 *
 * A name that is removed or replaced makes its node nameless; a renamed node
 * takes the other name, and what is below it follows, since a path is put
 * together from the nodes above.
 *
 * The number given to the kernel is the node's address, masked, since the kernel
 * shows it to every user (/proc/PID/maps, name_to_handle_at(2)): it comes back
 * only while the lookup count is above zero, and the kernel drops an inode from
 * its table before it sends the FORGET that brings the count to zero, so a
 * reused address is never taken for the old file; generations stay 0. The
 * number shown by stat is another one: made of the path and the version, so
 * that it is the same after a FORGET and after a remount.
 *
 * A node lives while the kernel counts a lookup of it or something here pins
 * it: a child, an open handle, a request that waits. A million nodes with
 * names of 20 bytes occupy about 136 MB.
 *
 * Threads: the FUSE thread only, so there is no lock. Answers that touch
 * nodes come back to it (fs/wait.h): they cost one wake-up, some 10 us after
 * a network round trip, and in exchange the order of lookup counts, replies
 * and forgets is the order of one thread.
 */
#ifndef FS_INODE_H
#define FS_INODE_H

#include "base/attr.h"
#include "base/path.h"
#include "base/sync.h"
#include "cache/cache.h"
#include "fs/lowlevel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct draft;

struct fs_node {
	struct fs_node *parent; /* pinned; NULL for the root */
	struct fs_node *chain;  /* next in its bucket */
	uint64_t lookup_count;  /* what the kernel will forget */
	uint64_t number;        /* st_ino */
	uint64_t version;       /* 0 for directories */
	union {
		uint64_t size_bytes;      /* files: of this version */
		uint64_t listing_version; /* directories: what the kernel may
		                           * have kept of its names; 0: none */
	};
	int64_t mtime_s;
	union {
		uint64_t began; /* files: the version that the draft began from,
		                 * as long as nothing of it was changed; or 0 */
		uint64_t moves; /* directories: how often one was moved out of
		                 * it, and has the number of its name still */
	};
	struct draft *draft;  /* what its handles read and write; one reference,
	                        while it has handles (handle.c); or NULL */
	uint32_t pin_count;   /* children, handles, waits */
	uint32_t open_count;  /* handles */
	uint32_t write_count; /* of them, those that may write */
	uint32_t hash;        /* of (parent, name) */
	uint8_t kind;         /* enum cache_kind */
	bool nameless;        /* another version took the name */
	uint16_t leaving;     /* renames on their way that replace it */
	uint8_t name_bytes;
	uint8_t room_bytes; /* of names that fit below */
	/* NUL-terminated; when it does not fit, a pointer to it. */
	char name[];
};

struct fs_nodes {
	struct fs_node **buckets;
	size_t bucket_count; /* a power of two */
	size_t node_count;   /* without the root */
	uint64_t key[2];     /* random: of the buckets */
	uint64_t mask;       /* random: of the numbers given to the kernel */
	struct fs_node *root;
};

/** @retval 0 made. @retval -ENOMEM */
NODISCARD int nodes_init(struct fs_nodes *nodes);

/** Free every node, whatever is counted: after the last reply. */
void nodes_fini(struct fs_nodes *nodes) REQUIRES(fuse_thread);

/** The node of a number that the kernel sent. */
struct fs_node *node_of(const struct fs_nodes *nodes, fuse_ino_t ino)
    REQUIRES(fuse_thread);

/** The number the kernel knows a node by. */
fuse_ino_t node_id(const struct fs_nodes *nodes, const struct fs_node *node);

/** Borrowed until the node is renamed. */
const char *node_name(const struct fs_node *node);

/**
 * The path of a node; that of a nameless one is where it was.
 * @retval 0              written.
 * @retval -ENAMETOOLONG  does not fit PATH_BYTES_MAX.
 */
NODISCARD int node_path(const struct fs_node *node, char out[PATH_BYTES_MAX])
    REQUIRES(fuse_thread);

/**
 * The node of `name` in `parent` with the version in `attr`, with its lookup
 * count raised by one: the one that is there, or a new one that takes the
 * name.
 *
 * @param name  1 to PATH_NAME_BYTES_MAX bytes.
 * @return      NULL when out of memory.
 */
struct fs_node *node_take(struct fs_nodes *nodes, struct fs_node *parent,
    const char *name, const struct cache_attr *attr) REQUIRES(fuse_thread);

/** The node of `name` in `parent` that the kernel has, or NULL. */
struct fs_node *node_find(const struct fs_nodes *nodes,
    const struct fs_node *parent, const char *name) REQUIRES(fuse_thread);

/** Raise the lookup count by one. */
void node_again(struct fs_node *node) REQUIRES(fuse_thread);

/** Lower the lookup count; the node may be freed. */
void node_forget(struct fs_nodes *nodes, struct fs_node *node,
    uint64_t lookup_count) REQUIRES(fuse_thread);

void node_pin(struct fs_node *node) REQUIRES(fuse_thread);

/** The node may be freed. */
void node_unpin(struct fs_nodes *nodes, struct fs_node *node)
    REQUIRES(fuse_thread);

/** Whether `attr` tells of the version that the node is, or of the next one,
 *  which it becomes. */
bool node_is(struct fs_node *node, const struct cache_attr *attr)
    REQUIRES(fuse_thread);

/** The same, and it stays what it is. */
bool node_would_be(const struct fs_node *node, const struct cache_attr *attr)
    REQUIRES(fuse_thread);

/** The node that has the name, also one that the kernel has no more; or
 *  NULL. */
struct fs_node *node_named(const struct fs_nodes *nodes,
    const struct fs_node *parent, const char *name) REQUIRES(fuse_thread);

/** A child of a directory that the kernel has, by a name that begins with '.';
 *  or NULL. Looks through all nodes when there may be one. */
struct fs_node *node_hidden(const struct fs_nodes *nodes,
    const struct fs_node *parent) REQUIRES(fuse_thread);

/** What had the name is there no more: its handles go on. */
void node_part(struct fs_node *node) REQUIRES(fuse_thread);

/** Memory for a new name of any node; NULL when out of memory. */
struct fs_room *node_room(void);

/**
 * The node has another name from now on; whatever had that is nameless.
 *
 * @param room  consumed.
 */
void node_move(struct fs_nodes *nodes, struct fs_node *node,
    struct fs_node *parent, const char *name, struct fs_room **room)
    REQUIRES(fuse_thread);

/** The attributes that a file's node is pinned to. */
struct cache_attr node_attr(const struct fs_node *node) REQUIRES(fuse_thread);

/** What st_ino is or would be for `name` in `parent`. */
uint64_t node_number(const struct fs_node *parent, const char *name,
    const struct cache_attr *attr);

#endif
