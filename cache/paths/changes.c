/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/changes.c - see changes.h. */
#include "cache/paths/changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

struct changes *changes_new(void)
{
	return calloc(1, sizeof(struct changes));
}

/* It is ours, whatever the struct says. */
static void free_name(const struct listing_change *item)
{
	free((void *)(uintptr_t)item->name);
}

static void free_names(struct changes *changes)
{
	for (uint32_t i = 0; i < changes->count; i++)
		free_name(&changes->items[i]);
}

void changes_free(struct changes *changes)
{
	if (changes == NULL)
		return;
	free_names(changes);
	free(changes->items);
	free(changes->index);
	free(changes);
}

static uint32_t *slot_of(const struct changes *changes, const char *name)
{
	uint32_t place = (uint32_t)XXH3_64bits(name, strlen(name));

	for (;; place++) {
		uint32_t *slot = &changes->index[place & changes->index_mask];

		if (*slot == 0 ||
		    strcmp(changes->items[*slot - 1].name, name) == 0)
			return slot;
	}
}

static void fill_index(struct changes *changes)
{
	(void)memset(changes->index, 0,
	    ((size_t)changes->index_mask + 1) * sizeof(*changes->index));
	for (uint32_t i = 0; i < changes->count; i++)
		*slot_of(changes, changes->items[i].name) = i + 1;
}

static int grow(struct changes *changes)
{
	uint32_t room = changes->room == 0 ? 8 : changes->room * 2;
	struct listing_change *items;
	uint32_t *index;

	if (changes->count < changes->room)
		return 0;
	items = realloc(changes->items, room * sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	changes->items = items;
	index = malloc((size_t)room * 2 * sizeof(*index));
	if (index == NULL)
		return -ENOMEM;
	free(changes->index);
	changes->index = index;
	changes->index_mask = room * 2 - 1;
	changes->room = room;
	fill_index(changes);
	return 0;
}

int changes_put(struct changes *changes, const struct listing_change *change)
{
	uint32_t *slot;
	char *name;
	int code = grow(changes);

	if (code < 0)
		return code;
	slot = slot_of(changes, change->name);
	if (*slot != 0) {
		struct listing_change *item = &changes->items[*slot - 1];
		const char *kept = item->name;

		*item = *change;
		item->name = kept;
		return 0;
	}
	if (changes->count == META_CHANGES_MAX)
		return -EFBIG;
	name = strdup(change->name);
	if (name == NULL)
		return -ENOMEM;
	changes->items[changes->count] = *change;
	changes->items[changes->count].name = name;
	changes->text_bytes += strlen(name) + 1;
	*slot = ++changes->count;
	return 0;
}

const struct listing_change *changes_find(
    const struct changes *changes, const char *name)
{
	uint32_t item;

	if (changes == NULL || changes->count == 0)
		return NULL;
	item = *slot_of(changes, name);
	return item == 0 ? NULL : &changes->items[item - 1];
}

void changes_drop(struct changes *changes, uint64_t until)
{
	uint32_t kept = 0;

	if (changes == NULL || changes->count == 0)
		return;
	for (uint32_t i = 0; i < changes->count; i++) {
		struct listing_change item = changes->items[i];

		if (item.serial > until) {
			changes->items[kept++] = item;
			continue;
		}
		changes->text_bytes -= strlen(item.name) + 1;
		free_name(&item);
	}
	changes->count = kept;
	fill_index(changes);
}

void changes_remove(struct changes *changes, const char *name)
{
	struct listing_change *item;
	uint32_t place;

	if (changes == NULL || changes->count == 0)
		return;
	place = *slot_of(changes, name);
	if (place == 0)
		return;
	item = &changes->items[place - 1];
	changes->text_bytes -= strlen(item->name) + 1;
	free_name(item);
	*item = changes->items[--changes->count];
	fill_index(changes);
}

int changes_copy(const struct changes *changes, uint64_t behind,
    struct listing_change **out, size_t *count)
{
	struct listing_change *copy;
	char *text;

	*out = NULL;
	*count = 0;
	if (changes == NULL || changes->count == 0)
		return 0;
	copy = malloc(changes->count * sizeof(*copy) + changes->text_bytes);
	if (copy == NULL)
		return -ENOMEM;
	text = (char *)(copy + changes->count);
	for (uint32_t i = 0; i < changes->count; i++) {
		const struct listing_change *item = &changes->items[i];
		size_t name_bytes = strlen(item->name) + 1;

		if (item->serial <= behind)
			continue;
		copy[*count] = *item;
		copy[(*count)++].name = memcpy(text, item->name, name_bytes);
		text += name_bytes;
	}
	*out = copy;
	return 0;
}

size_t changes_bytes(const struct changes *changes)
{
	if (changes == NULL)
		return 0;
	return sizeof(*changes) +
	    changes->room * (sizeof(*changes->items) + 2 * sizeof(uint32_t)) +
	    changes->text_bytes;
}
