/* SPDX-License-Identifier: Apache-2.0 */
/* cache/drafts/worn/worn_tree.c - see worn_tree.h. */
#include "cache/drafts/worn/worn_tree.h"

#include "base/path.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { WORN_NAMES_MAX = 2 * DRAFTS_WORN_MAX };

static int by_key(const void *left, const void *right)
{
	const struct worn_key *a = left;
	const struct worn_key *b = right;

	if (a->above != b->above)
		return (uintptr_t)a->above < (uintptr_t)b->above ? -1 : 1;
	if (a->name_bytes != b->name_bytes)
		return a->name_bytes < b->name_bytes ? -1 : 1;
	return memcmp(a->name, b->name, a->name_bytes);
}

/* The next part of a path, and where it goes on; false: there is none. */
static bool next_part(const char **path, struct worn_key *key)
{
	while (**path == '/')
		(*path)++;
	key->name = *path;
	key->name_bytes = strcspn(*path, "/");
	*path += key->name_bytes;
	return key->name_bytes != 0;
}

struct worn *worn_tree_find(struct worn_tree *tree, const char *path)
{
	struct worn_key key = {.above = &tree->root};
	struct worn *at = &tree->root;

	while (at != NULL && next_part(&path, &key)) {
		/* The key is the first thing in what the index holds. */
		void *const *slot = tfind(&key, &tree->index, by_key);

		at = slot == NULL ? NULL : *slot;
		key.above = at;
	}
	return at;
}

static struct worn *add(
    struct worn_tree *tree, struct worn *above, const struct worn_key *key)
{
	struct worn *worn = calloc(1, sizeof(*worn));
	char *name = strndup(key->name, key->name_bytes);

	if (worn != NULL && name != NULL) {
		worn->key = (struct worn_key){above, name, key->name_bytes};
		worn->parent = above;
		list_init(&worn->below);
		list_init(&worn->beside);
		list_init(&worn->age);
		if (tsearch(worn, &tree->index, by_key) != NULL) {
			list_push(&above->below, &worn->beside);
			tree->name_count++;
			return worn;
		}
	}
	free(name);
	free(worn);
	return NULL;
}

static void unset(struct worn_tree *tree, struct worn *worn)
{
	if (!worn->is_set)
		return;
	worn->is_set = false;
	list_remove(&worn->age);
	tree->set_count--;
}

/* One without anything below it goes. */
static void drop(struct worn_tree *tree, struct worn *worn)
{
	unset(tree, worn);
	(void)tdelete(worn, &tree->index, by_key);
	list_remove(&worn->beside);
	tree->name_count--;
	free((char *)(uintptr_t)worn->key.name);
	free(worn);
}

/* What serves nothing any more goes, from here upwards. */
static void prune(struct worn_tree *tree, struct worn *worn)
{
	while (worn != &tree->root && !worn->is_set &&
	    list_is_empty(&worn->below)) {
		struct worn *above = worn->parent;

		drop(tree, worn);
		worn = above;
	}
}

/* It and all below it; not the root itself. */
static void drop_tree(struct worn_tree *tree, struct worn *top)
{
	struct worn *above = top->parent;
	struct worn *at = top;

	for (;;) {
		struct worn *up = at->parent;

		if (!list_is_empty(&at->below)) {
			at = CONTAINER_OF(at->below.next, struct worn, beside);
			continue;
		}
		if (at == &tree->root)
			return;
		drop(tree, at);
		if (up == above)
			break;
		at = up;
	}
	if (top != &tree->root && above != NULL)
		prune(tree, above);
}

struct worn *worn_tree_make(struct worn_tree *tree, const char *path)
{
	struct worn_key key = {.above = &tree->root};
	struct worn *at = &tree->root;

	while (next_part(&path, &key)) {
		void *const *slot = tfind(&key, &tree->index, by_key);
		struct worn *next =
		    slot == NULL ? add(tree, at, &key) : (struct worn *)*slot;

		if (next == NULL) {
			prune(tree, at);
			return NULL;
		}
		at = next;
		key.above = at;
	}
	return at;
}

void worn_tree_set(struct worn_tree *tree, struct worn *worn)
{
	if (!worn->is_set)
		tree->set_count++;
	worn->is_set = true;
	list_remove(&worn->age);
	list_push(&tree->age, &worn->age);
	while (tree->set_count > DRAFTS_WORN_MAX ||
	    (tree->name_count > WORN_NAMES_MAX && tree->set_count > 1)) {
		struct worn *oldest =
		    CONTAINER_OF(tree->age.next, struct worn, age);

		unset(tree, oldest);
		prune(tree, oldest);
	}
}

static void move_node(struct worn_tree *tree, struct worn *worn, const char *to)
{
	struct worn *old = worn->parent;
	struct worn *place = worn_tree_make(tree, to);
	struct worn *above;

	/* A node of that name lends its name and its place. */
	if (place == NULL || place == &tree->root) {
		drop_tree(tree, worn);
		return;
	}
	above = place->parent;
	(void)tdelete(place, &tree->index, by_key);
	(void)tdelete(worn, &tree->index, by_key);
	list_remove(&worn->beside);
	free((char *)(uintptr_t)worn->key.name);
	worn->key = place->key;
	worn->parent = above;
	list_remove(&place->beside);
	tree->name_count--;
	free(place);
	list_push(&above->below, &worn->beside);
	if (tsearch(worn, &tree->index, by_key) == NULL)
		drop_tree(tree, worn); /* which finds it by its links */
	prune(tree, old);
}

void worn_tree_move(struct worn_tree *tree, const char *from, const char *to)
{
	struct worn *worn;

	if (path_is_within(to, from))
		return;
	worn_tree_forget(tree, to);
	worn = worn_tree_find(tree, from);
	if (worn != NULL && worn != &tree->root)
		move_node(tree, worn, to);
}

void worn_tree_forget(struct worn_tree *tree, const char *path)
{
	struct worn *worn = worn_tree_find(tree, path);

	if (worn != NULL && worn != &tree->root)
		drop_tree(tree, worn);
}

void worn_tree_init(struct worn_tree *tree)
{
	*tree = (struct worn_tree){.index = NULL};
	list_init(&tree->root.below);
	list_init(&tree->root.beside);
	list_init(&tree->root.age);
	list_init(&tree->age);
}

void worn_tree_fini(struct worn_tree *tree)
{
	unset(tree, &tree->root);
	drop_tree(tree, &tree->root);
}
