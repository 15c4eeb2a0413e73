/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/carry_items.c - see carry_items.h.
 */
#include "cache/store/carry_items.h"

#include "cache/store/carry.h"
#include "cache/store/table.h"
#include "cache/store/uses.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

void carry_items_init(struct carry_items *items)
{
	*items = (struct carry_items){.items = NULL};
}

void carry_items_fini(struct carry_items *items)
{
	free(items->items);
	carry_items_init(items);
}

struct walk {
	struct carry_items *items;
	const struct carry *carry;
};

static bool is_wanted(const struct carry *carry, struct place place)
{
	for (unsigned i = 0; i < carry->count; i++)
		if (carry->packs[i].number == place.pack)
			return uses_has(
			    carry->packs[i].used, place.offset_bytes);
	return false;
}

static int add(void *arg, const struct table_entry *entry)
{
	struct walk *walk = arg;
	struct carry_items *items = walk->items;

	if (!is_wanted(walk->carry, entry->place))
		return 0;
	if (items->count == items->room) {
		size_t more = items->room == 0 ? 1024 : items->room * 2;
		struct carry_item *bigger;

		if (more > CARRY_ITEMS_MAX)
			return -ENOSPC;
		bigger = realloc(items->items, more * sizeof(*bigger));
		if (bigger == NULL)
			return -ENOMEM;
		items->items = bigger;
		items->room = more;
	}
	items->items[items->count++] = (struct carry_item){
	    .key = entry->key, .place = entry->place, .extra = entry->extra};
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct carry_item *left = a;
	const struct carry_item *right = b;

	if (left->place.pack != right->place.pack)
		return left->place.pack < right->place.pack ? -1 : 1;
	if (left->place.offset_bytes != right->place.offset_bytes)
		return left->place.offset_bytes < right->place.offset_bytes ? -1
		                                                            : 1;
	return 0;
}

void carry_items_collect(struct carry_items *items, const struct carry *carry,
    const struct table *table)
{
	struct walk walk = {.items = items, .carry = carry};

	/* What a table does not give, or is too much, is not carried. */
	(void)!table_each(table, add, &walk);
	if (items->count > 0)
		qsort(items->items, items->count, sizeof(*items->items),
		    compare_places);
}
