/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/harvest.c - see harvest.h.
 */
#include "cache/store/harvest.h"

#include <errno.h>
#include <stdlib.h>

void harvest_init(struct harvest *harvest)
{
	*harvest = (struct harvest){.entries = NULL};
}

void harvest_fini(struct harvest *harvest)
{
	free(harvest->entries);
	harvest_init(harvest);
}

struct walk {
	struct harvest *harvest;
	harvest_fn wanted;
	const void *arg;
};

static int add(void *arg, const struct table_entry *entry)
{
	const struct walk *walk = arg;
	struct harvest *harvest = walk->harvest;

	if (!walk->wanted(walk->arg, entry->place))
		return 0;
	if (harvest->count == harvest->room) {
		size_t more = harvest->room == 0 ? 1024 : harvest->room * 2;
		struct table_entry *bigger =
		    realloc(harvest->entries, more * sizeof(*bigger));

		if (bigger == NULL)
			return -ENOMEM;
		harvest->entries = bigger;
		harvest->room = more;
	}
	harvest->entries[harvest->count++] = *entry;
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *left = &((const struct table_entry *)a)->place;
	const struct place *right = &((const struct table_entry *)b)->place;

	if (left->pack != right->pack)
		return left->pack < right->pack ? -1 : 1;
	if (left->offset_bytes != right->offset_bytes)
		return left->offset_bytes < right->offset_bytes ? -1 : 1;
	return 0;
}

bool harvest_next(struct harvest *harvest, const struct table *table,
    harvest_fn wanted, const void *arg)
{
	struct walk walk = {.harvest = harvest, .wanted = wanted, .arg = arg};
	int code = 0;

	harvest->count = 0;
	while (code == 0 && harvest->bucket < table->buckets &&
	    harvest->count < HARVEST_ENTRIES_MAX)
		code = table_each_of(table, harvest->bucket++, add, &walk);
	/* What cannot be had now is not had later. */
	if (code < 0) {
		harvest->code = code;
		harvest->bucket = table->buckets;
	}
	if (harvest->count == 0)
		return false;
	qsort(harvest->entries, harvest->count, sizeof(*harvest->entries),
	    compare_places);
	return true;
}
