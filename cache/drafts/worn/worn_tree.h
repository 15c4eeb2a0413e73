/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/worn/worn_tree.h - the names of which something is worn
 * (worn.c), as a tree, so that a directory that is renamed takes what is below
 * it along in one step, however much that is.
 *
 * Each name is found through one ordered index over (the node above it, name):
 * no hash that somebody could fill with names of one bucket, no array that
 * grows under a lock.
 *
 * Names without anything worn stand in it only above others; so the bound on
 * what is worn, and one on all names, bound the memory (at most 100 MB, when
 * 2^18 files each have a directory of their own; as a rule a third).
 *
 * Threads: its owner's lock.
 */
#ifndef CACHE_DRAFTS_WORN_TREE_H
#define CACHE_DRAFTS_WORN_TREE_H

#include "base/list.h"
#include "cache/drafts/drafts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the index is ordered by. */
struct worn_key {
	const struct worn *above; /* NULL: the root */
	const char *name;
	size_t name_bytes;
};

/* A name. */
struct worn {
	struct worn_key key; /* name: owned */
	struct worn *parent; /* key.above; the root's: NULL */
	struct list below;
	struct list beside; /* in parent->below */
	struct list age;    /* in worn_tree.age, while something is worn */
	bool is_set;
	uint64_t version; /* cache_attr.version for which it holds, */
	uint64_t was;     /* or cache_attr.was; 0: none */
	uint64_t told;    /* or cache_attr.told: a look may take it for another
	                     version, which for mode and time it need not be */
	struct drafts_worn worn;
};

struct worn_tree {
	struct worn root;
	void *index; /* of tsearch(3) */
	struct list age;
	unsigned set_count;
	unsigned name_count;
};

void worn_tree_init(struct worn_tree *tree);
void worn_tree_fini(struct worn_tree *tree);

/* The name of a path; NULL: there is none. */
struct worn *worn_tree_find(struct worn_tree *tree, const char *path);

/* The same, made when it is not there; NULL: out of memory. */
struct worn *worn_tree_make(struct worn_tree *tree, const char *path);

/* Something is worn here from now on; the oldest go. */
void worn_tree_set(struct worn_tree *tree, struct worn *worn);

/* What is at or below a path has another one, or goes when that cannot be. */
void worn_tree_move(struct worn_tree *tree, const char *from, const char *to);

/* What is at or below a path goes. */
void worn_tree_forget(struct worn_tree *tree, const char *path);

#endif
