/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/budget_show.c - see usage.h. */
#include "cache/ahead/budget_show.h"

#include "base/buf.h"
#include "base/stats.h"
#include "cache/core.h"

#include <inttypes.h>
#include <string.h>

enum {
	FILES_MAX = 8,       /* shown to programs */
	TEXT_FILES_MAX = 3,  /* and to people, */
	TEXT_UNREAD_MIB = 1, /* when it is worth a line */
};

/* In vain, or not read yet. */
static uint64_t unread_bytes(const struct object *object)
{
	const struct budget_file *file = &object->budget;

	return file->fetched_bytes > file->used_bytes
	    ? file->fetched_bytes - file->used_bytes
	    : 0;
}

/* Keep the most, in order. @return how many there are now. */
static unsigned insert(const struct object *found[FILES_MAX], unsigned count,
    const struct object *object)
{
	unsigned at = count;

	while (at > 0 && unread_bytes(object) > unread_bytes(found[at - 1]))
		at--;
	if (at == FILES_MAX)
		return count;
	count = count < FILES_MAX ? count + 1 : count;
	(void)memmove(&found[at + 1], &found[at],
	    (count - at - 1) * sizeof(struct object *));
	found[at] = object;
	return count;
}

/* Files that are open or remembered and of which something was fetched,
 * those first of which most was not read. */
static unsigned find(const struct cache *cache,
    const struct object *found[FILES_MAX]) REQUIRES(cache_lock);
static unsigned find(
    const struct cache *cache, const struct object *found[FILES_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < OBJECT_BUCKETS; i++)
		for (const struct object *object = cache->objects.buckets[i];
		     object != NULL; object = object->bucket_next)
			if (object->budget.fetched_bytes > 0)
				count = insert(found, count, object);
	return count;
}

/* With two digits; JSON has no number for what is not known. */
static void put_ratio(struct buf *out, uint64_t fetched, uint64_t used)
{
	if (used == 0)
		(void)buf_printf(out, "null");
	else
		(void)buf_printf(out, "%" PRIu64 ".%02" PRIu64, fetched / used,
		    fetched % used * 100 / used);
}

static void put_file(struct buf *out, const struct object *object)
{
	const struct budget_file *file = &object->budget;

	(void)buf_printf(out, "{\"path\":");
	(void)buf_json(out, object->path);
	(void)buf_printf(out,
	    ",\"fetched_bytes\":%" PRIu64 ",\"used_bytes\":%" PRIu64
	    ",\"budget_bytes\":%" PRId64 ",\"amplification\":",
	    file->fetched_bytes, file->used_bytes, file->balance_bytes);
	put_ratio(out, file->fetched_bytes, file->used_bytes);
	(void)buf_printf(out, "}");
}

void budget_show_json(struct cache *cache, struct buf *out)
{
	const struct object *found[FILES_MAX];
	unsigned count;

	(void)buf_printf(out, ",\"amplification\":");
	put_ratio(out, stats_get(STATS_cache_fetched_bytes),
	    stats_get(STATS_cache_used_bytes));
	cache_enter(cache);
	(void)buf_printf(out, ",\"budget_bytes\":%" PRId64 ",\"files\":[",
	    cache->budget.left_bytes);
	count = find(cache, found);
	for (unsigned i = 0; i < count; i++) {
		if (i > 0)
			(void)buf_printf(out, ",");
		put_file(out, found[i]);
	}
	cache_exit(cache);
	(void)buf_printf(out, "]");
}

static void put_line(struct buf *out, const struct object *object)
{
	const struct budget_file *file = &object->budget;

	if (unread_bytes(object) >> 20 < TEXT_UNREAD_MIB)
		return;
	(void)buf_printf(out,
	    "cache: %" PRIu64 " MiB fetched, %" PRIu64 " read of ",
	    file->fetched_bytes >> 20, file->used_bytes >> 20);
	(void)buf_visible(out, object->path);
	(void)buf_printf(out, "\n");
}

void budget_show_text(struct cache *cache, struct buf *out)
{
	const struct object *found[FILES_MAX];
	uint64_t used = stats_get(STATS_cache_used_bytes);
	unsigned count;

	if (used > 0) {
		(void)buf_printf(out, "; ");
		put_ratio(out, stats_get(STATS_cache_fetched_bytes), used);
		(void)buf_printf(out, " bytes fetched for each one read");
	}
	(void)buf_printf(out, "\n");
	cache_enter(cache);
	count = find(cache, found);
	for (unsigned i = 0; i < count && i < TEXT_FILES_MAX; i++)
		put_line(out, found[i]);
	cache_exit(cache);
}
