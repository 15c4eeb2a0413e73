/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/worn/worn.c - mode and time that were set for a file and that no
 * server keeps: remembered by path and version, for the newest ones.
 *
 * Threads: any; one lock inside drafts_lock, never held over I/O.
 */
#include "cache/drafts/impl.h"
#include "cache/drafts/worn/worn_tree.h"

#include <errno.h>
#include <stdlib.h>

struct worn_table {
	pthread_mutex_t mutex;
	struct worn_tree tree GUARDED_BY(worn_lock);
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

static bool holds(const struct worn *worn, const struct cache_attr *attr)
{
	return worn->is_set &&
	    (worn->version == attr->version ||
	        (worn->was != 0 && worn->was == attr->version) ||
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
	worn_tree_init(&table->tree);
	return table;
}

void worn_free(struct worn_table *table)
{
	if (table == NULL)
		return;
	enter(table);
	worn_tree_fini(&table->tree);
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
	worn = worn_tree_make(&table->tree, path);
	if (worn != NULL) {
		worn->version = number;
		worn->was = attr->attr.version;
		worn->told = attr->attr.told;
		worn->worn = (struct drafts_worn){.mode = attr->mode,
		    .has_mtime = true,
		    .mtime_s = attr->attr.mtime_s,
		    .mtime_ns = attr->mtime_ns};
		worn_tree_set(&table->tree, worn);
	}
	leave(table);
}

void worn_move(struct drafts *drafts, const char *from, const char *to)
{
	enter(drafts->worn);
	worn_tree_move(&drafts->worn->tree, from, to);
	leave(drafts->worn);
}

void worn_forget(struct drafts *drafts, const char *path)
{
	enter(drafts->worn);
	worn_tree_forget(&drafts->worn->tree, path);
	leave(drafts->worn);
}

bool drafts_worn(struct drafts *drafts, const char *path,
    const struct cache_attr *attr, struct drafts_worn *out)
{
	struct worn_table *table = drafts->worn;
	struct worn *worn;
	bool known;

	enter(table);
	worn = table->tree.set_count == 0 ? NULL
	                                  : worn_tree_find(&table->tree, path);
	known = worn != NULL && holds(worn, attr);
	if (known) {
		*out = worn->worn;
		/* A node that has become it tells of nothing else. */
		worn->version = attr->version;
	}
	leave(table);
	return known;
}

int drafts_wear(struct drafts *drafts, const char *path,
    const struct cache_attr *attr, const struct draft_set *set)
{
	struct worn_table *table = drafts->worn;
	struct worn *worn;

	enter(table);
	worn = worn_tree_make(&table->tree, path);
	if (worn != NULL) {
		if (!holds(worn, attr)) {
			worn->worn = (struct drafts_worn){.mode = 0};
			worn->was = attr->was;
		}
		worn->version = attr->version;
		worn->told = attr->told;
		if (set->mode != DRAFT_KEEP)
			worn->worn.mode =
			    (uint32_t)set->mode & (DRAFTS_MODE_SET | 07777);
		if (set->mtime_s != DRAFT_KEEP) {
			worn->worn.has_mtime = true;
			worn->worn.mtime_s = set->mtime_s;
			worn->worn.mtime_ns = set->mtime_ns;
		}
		worn_tree_set(&table->tree, worn);
	}
	leave(table);
	return worn == NULL ? -ENOMEM : 0;
}
