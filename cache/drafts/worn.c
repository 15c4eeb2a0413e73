/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/worn.c - mode and time that were set for a file and that no
 * server keeps: remembered by path and version, for the newest ones.
 *
 * A tree of names, so that a directory that is renamed takes what is below it
 * along in one step, however much that is. Each name is found through one
 * ordered index over (the node above it, name): no hash that somebody could
 * fill with names of one bucket, no array that grows under a lock.
 *
 * Names without anything worn stand in it only above others; so the bound on
 * what is worn, and one on all names, bound the memory (at most 100 MB, when
 * 2^18 files each have a directory of their own; as a rule a third).
 *
 * Threads: any; one lock inside drafts_lock, never held over I/O.
 */
#include "cache/drafts/impl.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { WORN_NAMES_MAX = 2 * DRAFTS_WORN_MAX };

/* What the index is ordered by. */
struct worn_key {
	const struct worn *above; /* NULL: the root */
	const char *name;
	size_t name_bytes;
};

struct worn {
	struct worn_key key; /* name: owned */
	struct worn *parent; /* key.above; the root's: NULL */
	struct list below;
	struct list beside; /* in parent->below */
	struct list age;    /* in worn_table.age, while something is worn */
	bool is_set;
	uint64_t version; /* cache_attr.version for which it holds, */
	uint64_t was;     /* or cache_attr.was; 0: none */
	uint64_t told;    /* or cache_attr.told: a look may take it for another
	                     version, which for mode and time it need not be */
	struct drafts_worn worn;
};

struct worn_table {
	pthread_mutex_t mutex;
	struct worn root GUARDED_BY(worn_lock);
	void *index GUARDED_BY(worn_lock); /* of tsearch(3) */
	struct list age GUARDED_BY(worn_lock);
	unsigned set_count GUARDED_BY(worn_lock);
	unsigned name_count GUARDED_BY(worn_lock);
};

static void enter(struct worn_table *table) ACQUIRES(worn_lock);
static void enter(struct worn_table *table) UNCHECKED
{
	(void)pthread_mutex_lock(&table->mutex);
}

static void leave(struct worn_table *table) RELEASES(worn_lock);
static void leave(struct worn_table *table) UNCHECKED
{
	(void)pthread_mutex_unlock(&table->mutex);
}

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

static struct worn *find(struct worn_table *table, const char *path)
    REQUIRES(worn_lock);
static struct worn *find(struct worn_table *table, const char *path)
{
	struct worn_key key = {.above = &table->root};
	struct worn *at = &table->root;

	while (at != NULL && next_part(&path, &key)) {
		/* The key is the first thing in what the index holds. */
		void *const *slot = tfind(&key, &table->index, by_key);

		at = slot == NULL ? NULL : *slot;
		key.above = at;
	}
	return at;
}

static struct worn *add(struct worn_table *table, struct worn *above,
    const struct worn_key *key) REQUIRES(worn_lock);
static struct worn *add(
    struct worn_table *table, struct worn *above, const struct worn_key *key)
{
	struct worn *worn = calloc(1, sizeof(*worn));
	char *name = strndup(key->name, key->name_bytes);

	if (worn != NULL && name != NULL) {
		worn->key = (struct worn_key){above, name, key->name_bytes};
		worn->parent = above;
		list_init(&worn->below);
		list_init(&worn->beside);
		list_init(&worn->age);
		if (tsearch(worn, &table->index, by_key) != NULL) {
			list_push(&above->below, &worn->beside);
			table->name_count++;
			return worn;
		}
	}
	free(name);
	free(worn);
	return NULL;
}

static void unset(struct worn_table *table, struct worn *worn)
    REQUIRES(worn_lock);
static void unset(struct worn_table *table, struct worn *worn)
{
	if (!worn->is_set)
		return;
	worn->is_set = false;
	list_remove(&worn->age);
	table->set_count--;
}

/* One without anything below it goes. */
static void drop(struct worn_table *table, struct worn *worn)
    REQUIRES(worn_lock);
static void drop(struct worn_table *table, struct worn *worn)
{
	unset(table, worn);
	(void)tdelete(worn, &table->index, by_key);
	list_remove(&worn->beside);
	table->name_count--;
	free((char *)(uintptr_t)worn->key.name);
	free(worn);
}

/* What serves nothing any more goes, from here upwards. */
static void prune(struct worn_table *table, struct worn *worn)
    REQUIRES(worn_lock);
static void prune(struct worn_table *table, struct worn *worn)
{
	while (worn != &table->root && !worn->is_set &&
	    list_is_empty(&worn->below)) {
		struct worn *above = worn->parent;

		drop(table, worn);
		worn = above;
	}
}

/* It and all below it; not the root itself. */
static void drop_tree(struct worn_table *table, struct worn *top)
    REQUIRES(worn_lock);
static void drop_tree(struct worn_table *table, struct worn *top)
{
	struct worn *above = top->parent;
	struct worn *at = top;

	for (;;) {
		struct worn *up = at->parent;

		if (!list_is_empty(&at->below)) {
			at = CONTAINER_OF(at->below.next, struct worn, beside);
			continue;
		}
		if (at == &table->root)
			return;
		drop(table, at);
		if (up == above)
			break;
		at = up;
	}
	if (top != &table->root && above != NULL)
		prune(table, above);
}

/* The node of a path, made when it is not there; NULL: out of memory. */
static struct worn *make(struct worn_table *table, const char *path)
    REQUIRES(worn_lock);
static struct worn *make(struct worn_table *table, const char *path)
{
	struct worn_key key = {.above = &table->root};
	struct worn *at = &table->root;

	while (next_part(&path, &key)) {
		void *const *slot = tfind(&key, &table->index, by_key);
		struct worn *next =
		    slot == NULL ? add(table, at, &key) : (struct worn *)*slot;

		if (next == NULL) {
			prune(table, at);
			return NULL;
		}
		at = next;
		key.above = at;
	}
	return at;
}

/* Something is worn here from now on; the oldest go. */
static void set_now(struct worn_table *table, struct worn *worn)
    REQUIRES(worn_lock);
static void set_now(struct worn_table *table, struct worn *worn)
{
	if (!worn->is_set)
		table->set_count++;
	worn->is_set = true;
	list_remove(&worn->age);
	list_push(&table->age, &worn->age);
	while (table->set_count > DRAFTS_WORN_MAX ||
	    (table->name_count > WORN_NAMES_MAX && table->set_count > 1)) {
		struct worn *oldest =
		    CONTAINER_OF(table->age.next, struct worn, age);

		unset(table, oldest);
		prune(table, oldest);
	}
}

static bool holds(const struct worn *worn, const struct cache_attr *attr)
{
	return worn->is_set &&
	    (worn->version == attr->version ||
	        (attr->told != 0 && worn->told == attr->told) ||
	        (attr->was != 0 &&
	            (worn->version == attr->was || worn->was == attr->was)));
}

struct worn_table *worn_new(void) UNCHECKED
{
	struct worn_table *table = calloc(1, sizeof(*table));

	if (table == NULL || pthread_mutex_init(&table->mutex, NULL) != 0) {
		free(table);
		return NULL;
	}
	list_init(&table->root.below);
	list_init(&table->root.beside);
	list_init(&table->root.age);
	list_init(&table->age);
	return table;
}

void worn_free(struct worn_table *table)
{
	if (table == NULL)
		return;
	enter(table);
	unset(table, &table->root);
	drop_tree(table, &table->root);
	leave(table);
	(void)pthread_mutex_destroy(&table->mutex);
	free(table);
}

void worn_take(struct drafts *drafts, const char *path, uint64_t number,
    const struct draft_attr *attr)
{
	struct worn_table *table = drafts->worn;
	struct worn *worn;

	enter(table);
	worn = make(table, path);
	if (worn != NULL) {
		worn->version = number;
		worn->was = attr->attr.version;
		worn->told = attr->attr.told;
		worn->worn = (struct drafts_worn){.mode = attr->mode,
		    .has_mtime = true,
		    .mtime_s = attr->attr.mtime_s,
		    .mtime_ns = attr->mtime_ns};
		set_now(table, worn);
	}
	leave(table);
}

static void move(struct worn_table *table, struct worn *worn, const char *to)
    REQUIRES(worn_lock);
static void move(struct worn_table *table, struct worn *worn, const char *to)
{
	struct worn *old = worn->parent;
	struct worn *place = make(table, to);
	struct worn *above;

	/* A node of that name lends its name and its place. */
	if (place == NULL || place == &table->root) {
		drop_tree(table, worn);
		return;
	}
	above = place->parent;
	(void)tdelete(place, &table->index, by_key);
	(void)tdelete(worn, &table->index, by_key);
	list_remove(&worn->beside);
	free((char *)(uintptr_t)worn->key.name);
	worn->key = place->key;
	worn->parent = above;
	list_remove(&place->beside);
	table->name_count--;
	free(place);
	list_push(&above->below, &worn->beside);
	if (tsearch(worn, &table->index, by_key) == NULL)
		drop_tree(table, worn); /* which finds it by its links */
	prune(table, old);
}

void worn_move(struct drafts *drafts, const char *from, const char *to)
{
	struct worn_table *table = drafts->worn;
	struct worn *worn;

	enter(table);
	worn = find(table, to);
	if (worn != NULL && worn != &table->root && !path_is_within(to, from))
		drop_tree(table, worn);
	worn = find(table, from);
	if (worn != NULL && worn != &table->root && !path_is_within(to, from))
		move(table, worn, to);
	leave(table);
}

void worn_forget(struct drafts *drafts, const char *path)
{
	struct worn_table *table = drafts->worn;
	struct worn *worn;

	enter(table);
	worn = find(table, path);
	if (worn != NULL && worn != &table->root)
		drop_tree(table, worn);
	leave(table);
}

bool drafts_worn(struct drafts *drafts, const char *path,
    const struct cache_attr *attr, struct drafts_worn *out)
{
	struct worn_table *table = drafts->worn;
	const struct worn *worn;
	bool known;

	enter(table);
	worn = table->set_count == 0 ? NULL : find(table, path);
	known = worn != NULL && holds(worn, attr);
	if (known)
		*out = worn->worn;
	leave(table);
	return known;
}

int drafts_wear(struct drafts *drafts, const char *path,
    const struct cache_attr *attr, const struct draft_set *set)
{
	struct worn_table *table = drafts->worn;
	struct worn *worn;

	enter(table);
	worn = make(table, path);
	if (worn != NULL) {
		if (!holds(worn, attr)) {
			worn->worn = (struct drafts_worn){.mode = 0};
			worn->was = attr->was;
		}
		worn->version = attr->version;
		worn->told = attr->told;
		if (set->mode != DRAFT_KEEP)
			worn->worn.mode = (uint32_t)set->mode & 07777;
		if (set->mtime_s != DRAFT_KEEP) {
			worn->worn.has_mtime = true;
			worn->worn.mtime_s = set->mtime_s;
			worn->worn.mtime_ns = set->mtime_ns;
		}
		set_now(table, worn);
	}
	leave(table);
	return worn == NULL ? -ENOMEM : 0;
}
