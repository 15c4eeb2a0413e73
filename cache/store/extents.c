/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/extents.c - see extents.h.
 */
#include "cache/store/extents.h"

#include <errno.h>
#include <stdlib.h>

enum { PAGE_BYTES = 4096, WORDS = EXTENTS_PAGES / 64 };

static int compare_packs(const void *a, const void *b)
{
	const struct extents_pack *left = a;
	const struct extents_pack *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

int extents_init(struct extents *extents, const struct usage *usage)
{
	*extents = (struct extents){.count = usage->pack_count};
	extents->packs = calloc(usage->pack_count + 1, sizeof(*extents->packs));
	if (extents->packs == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < usage->pack_count; i++)
		extents->packs[i].number = usage->packs[i].number;
	qsort(extents->packs, extents->count, sizeof(*extents->packs),
	    compare_packs);
	return 0;
}

void extents_fini(struct extents *extents)
{
	for (size_t i = 0; extents->packs != NULL && i < extents->count; i++)
		free(extents->packs[i].pages);
	free(extents->packs);
	*extents = (struct extents){.packs = NULL};
}

static struct extents_pack *find(const struct extents *extents, uint64_t number)
{
	struct extents_pack key = {.number = number};

	return extents->count == 0
	    ? NULL
	    : bsearch(&key, extents->packs, extents->count,
	          sizeof(*extents->packs), compare_packs);
}

bool extents_has(const struct extents *extents, struct place place)
{
	const struct extents_pack *pack = find(extents, place.pack);
	unsigned page = place.offset_bytes / PAGE_BYTES;

	return pack != NULL && pack->pages != NULL &&
	    (pack->pages[page / 64] >> page % 64 & 1) != 0;
}

int extents_add(struct extents *extents, struct place place, size_t size_bytes)
{
	struct extents_pack *pack = find(extents, place.pack);
	size_t end = place.offset_bytes + size_bytes;

	if (pack == NULL || size_bytes == 0)
		return 0;
	if (pack->pages == NULL)
		pack->pages = calloc(WORDS, sizeof(*pack->pages));
	if (pack->pages == NULL)
		return -ENOMEM;
	for (size_t page = place.offset_bytes / PAGE_BYTES;
	     page * PAGE_BYTES < end && page < EXTENTS_PAGES; page++)
		pack->pages[page / 64] |= UINT64_C(1) << page % 64;
	return 0;
}
