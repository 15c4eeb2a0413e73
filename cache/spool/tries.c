/* SPDX-License-Identifier: Apache-2.0 */
/* cache/spool/tries.c - see tries.h. */
#include "cache/spool/tries.h"

#include "cache/spool/impl.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

static_assert(sizeof(struct disk_try_list) ==
        sizeof(struct disk_tries) + SPOOL_TRIES_MAX * sizeof(struct disk_try),
    "no room in between");

static bool is_equal(const struct spool_try *a, const struct spool_try *b)
{
	return a->size_bytes == b->size_bytes && a->summed == b->summed &&
	    (!a->summed || memcmp(a->sum, b->sum, sizeof(a->sum)) == 0);
}

/* As the latest. */
static void add(struct spool_item *item, const struct spool_try *one)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < item->try_count; i++)
		if (!is_equal(&item->tries[i], one))
			item->tries[kept++] = item->tries[i];
	if (kept == SPOOL_TRIES_MAX) {
		kept--;
		memmove(item->tries, item->tries + 1,
		    kept * sizeof(item->tries[0]));
	}
	item->tries[kept++] = *one;
	item->try_count = kept;
}

size_t tries_write(const struct spool_item *item, struct disk_try_list *out)
{
	if (item->try_count == 0)
		return 0;
	*out = (struct disk_try_list){.head = {.sums = htole32(DISK_SHA256),
	                                  .count = htole32(item->try_count)}};
	for (unsigned i = 0; i < item->try_count; i++) {
		const struct spool_try *one = &item->tries[i];

		out->list[i].size_bytes = htole64(one->size_bytes);
		out->list[i].flags = htole32(one->summed ? DISK_SUMMED : 0);
		memcpy(out->list[i].sum, one->sum, sizeof(one->sum));
	}
	return sizeof(out->head) + item->try_count * sizeof(out->list[0]);
}

int tries_read(struct spool_item *item, const uint8_t *bytes, size_t size_bytes)
{
	struct disk_tries head;
	struct disk_try disk;
	uint32_t count;

	if (size_bytes < sizeof(head))
		return 0;
	memcpy(&head, bytes, sizeof(head));
	if (le32toh(head.sums) != DISK_SHA256)
		return 0;
	count = le32toh(head.count);
	if (count > SPOOL_TRIES_MAX ||
	    count > (size_bytes - sizeof(head)) / sizeof(disk))
		return -EBADMSG;
	item->try_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct spool_try one;

		memcpy(&disk, bytes + sizeof(head) + i * sizeof(disk),
		    sizeof(disk));
		one.size_bytes = le64toh(disk.size_bytes);
		one.summed = (le32toh(disk.flags) & DISK_SUMMED) != 0;
		memcpy(one.sum, disk.sum, sizeof(one.sum));
		add(item, &one);
	}
	return 0;
}

void tries_forget(struct spool_item *item)
{
	item->try_count = 0;
}

void spool_note_try(struct spool_entry *entry, const struct spool_try *one)
{
	spool_facts_enter(entry->spool);
	add(&entry->item, one);
	spool_facts_leave(entry->spool);
}

unsigned spool_tries(
    const struct spool_entry *entry, struct spool_try out[SPOOL_TRIES_MAX])
{
	unsigned count;

	spool_facts_enter(entry->spool);
	count = entry->item.try_count;
	memcpy(out, entry->item.tries, count * sizeof(*out));
	spool_facts_leave(entry->spool);
	return count;
}
