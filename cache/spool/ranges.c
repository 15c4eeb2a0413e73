/* SPDX-License-Identifier: Apache-2.0 */
/* cache/spool/ranges.c - see ranges.h. */
#include "cache/spool/ranges.h"

#include "cache/spool/spool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ranges_fini(struct ranges *ranges)
{
	free(ranges->list);
	*ranges = (struct ranges){.list = NULL};
}

int ranges_reserve(struct ranges *ranges)
{
	size_t room = ranges->room > 0 ? ranges->room * 2 : 8;
	struct range *list;

	if (ranges->count < ranges->room)
		return 0;
	if (ranges->count >= SPOOL_RANGES_MAX)
		return -ENOSPC;
	list = realloc(ranges->list, room * sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	ranges->list = list;
	ranges->room = room;
	return 0;
}

/* The first range that ends at or behind `at`. */
static size_t first_reaching(const struct ranges *ranges, uint64_t at)
{
	size_t low = 0;
	size_t high = ranges->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->list[middle].end < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void ranges_add(struct ranges *ranges, uint64_t start, uint64_t end)
{
	size_t first = first_reaching(ranges, start);
	size_t last = first; /* behind those that are made one */

	if (start >= end)
		return;
	while (last < ranges->count && ranges->list[last].start <= end) {
		if (ranges->list[last].start < start)
			start = ranges->list[last].start;
		if (ranges->list[last].end > end)
			end = ranges->list[last].end;
		last++;
	}
	assert(last > first || ranges->count < ranges->room);
	memmove(ranges->list + first + 1, ranges->list + last,
	    (ranges->count - last) * sizeof(*ranges->list));
	ranges->list[first] = (struct range){.start = start, .end = end};
	ranges->count = ranges->count + 1 - (last - first);
}

void ranges_cut(struct ranges *ranges, uint64_t limit)
{
	while (ranges->count > 0) {
		struct range *last = &ranges->list[ranges->count - 1];

		if (last->end <= limit)
			return;
		if (last->start < limit) {
			last->end = limit;
			return;
		}
		ranges->count--;
	}
}

bool ranges_at(const struct ranges *ranges, uint64_t at, uint64_t *until)
{
	size_t i = first_reaching(ranges, at);

	/* One that ends at `at` does not hold it. */
	if (i < ranges->count && ranges->list[i].end == at)
		i++;
	*until = UINT64_MAX;
	if (i >= ranges->count)
		return false;
	if (ranges->list[i].start > at) {
		*until = ranges->list[i].start;
		return false;
	}
	*until = ranges->list[i].end;
	return true;
}

bool ranges_next(const struct ranges *ranges, uint64_t at, struct range *out)
{
	size_t i = first_reaching(ranges, at);

	if (i < ranges->count && ranges->list[i].start < at)
		i++;
	if (i >= ranges->count)
		return false;
	*out = ranges->list[i];
	return true;
}

bool ranges_cover(const struct ranges *ranges, uint64_t start, uint64_t end)
{
	uint64_t until;

	return start >= end ||
	    (ranges_at(ranges, start, &until) && until >= end);
}

uint64_t ranges_bytes(const struct ranges *ranges)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < ranges->count; i++)
		bytes += ranges->list[i].end - ranges->list[i].start;
	return bytes;
}
