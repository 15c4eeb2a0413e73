/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/listing_over.c - a listing with other entries in it. See
 * listing.h, note.h. */
#include "cache/core.h"
#include "cache/note.h"
#include "cache/paths/listing_impl.h"
#include "fetch/fetch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

/* Names of changes, to be found while a listing is copied. */
struct names {
	const struct listing_change *changes;
	uint32_t *slots; /* change + 1; 0: none */
	uint32_t mask;
	uint64_t seed;
};

static uint32_t *slot_of(const struct names *names, const char *name)
{
	uint32_t place =
	    (uint32_t)XXH3_64bits_withSeed(name, strlen(name), names->seed);

	for (;; place++) {
		uint32_t *slot = &names->slots[place & names->mask];

		if (*slot == 0 ||
		    strcmp(names->changes[*slot - 1].name, name) == 0)
			return slot;
	}
}

static int names_init(struct names *names,
    const struct listing_change changes[], size_t count, uint64_t seed)
{
	uint32_t slots = 16;

	while (slots / 2 < count)
		slots *= 2;
	*names = (struct names){
	    .changes = changes,
	    .slots = calloc(slots, sizeof(uint32_t)),
	    .mask = slots - 1,
	    .seed = seed,
	};
	if (names->slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		*slot_of(names, changes[i].name) = (uint32_t)i + 1;
	return 0;
}

/* The entries that are not changed. */
static int copy_others(struct cache_listing *out,
    const struct cache_listing *listing, const struct names *names)
{
	for (uint32_t i = 0; i < listing->count; i++) {
		const struct listing_entry *entry = &listing->entries[i];
		const char *name = listing_name_of(listing, entry);
		struct fetch_stat stat;
		int code;

		if (*slot_of(names, name) != 0)
			continue;
		listing_told(listing, entry, &stat);
		code = listing_add(out, name, &stat);
		if (code < 0)
			return code;
	}
	return 0;
}

static int add_changes(struct cache_listing *out,
    const struct listing_change changes[], size_t count)
{
	int code = 0;

	for (size_t i = 0; i < count && code == 0; i++) {
		const struct meta_attr *attr = &changes[i].attr;
		struct fetch_stat stat = {
		    .kind =
		        attr->kind == CACHE_FILE ? FETCH_FILE : FETCH_DIRECTORY,
		    .exact = attr->exact,
		    .version = attr->version,
		};

		if (changes[i].there)
			code = listing_add(out, changes[i].name, &stat);
	}
	return code;
}

static int compare(const void *a, const void *b)
{
	const struct listing_extra *one = a;
	const struct listing_extra *other = b;

	return (one->entry > other->entry) - (one->entry < other->entry);
}

static void add_extra(struct cache_listing *out, const char *name,
    const struct listing_extra *extra)
{
	uint32_t index;

	if (!listing_place(out, name, &index))
		return;
	out->extras[out->extra_count] = *extra;
	out->extras[out->extra_count++].entry = index;
}

static struct listing_extra extra_of(const struct meta_attr *attr)
{
	return (struct listing_extra){
	    .lasting = attr->lasting,
	    .number = attr->number,
	    .plain_number = attr->plain_number,
	    .told = attr->told,
	    .was = attr->was,
	    .nonce = attr->nonce,
	    .fresh_until_ms = attr->fresh_until_ms,
	    .asked_s = attr->asked_s,
	};
}

/* What the server did not tell: of the changes, and of what was changed
 * before. */
static int add_extras(struct cache_listing *out,
    const struct cache_listing *listing, const struct names *names,
    size_t count)
{
	size_t room = (size_t)listing->extra_count + count;

	if (room == 0)
		return 0;
	if (listing_take_room(out, room * sizeof(*out->extras)) < 0)
		return -ENOMEM;
	out->extras = malloc(room * sizeof(*out->extras));
	if (out->extras == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < listing->extra_count; i++) {
		const struct listing_extra *extra = &listing->extras[i];
		const char *name = listing_name(listing, extra->entry);

		if (*slot_of(names, name) == 0)
			add_extra(out, name, extra);
	}
	for (size_t i = 0; i < count; i++) {
		const struct listing_change *change = &names->changes[i];
		struct listing_extra extra = extra_of(&change->attr);

		if (change->there && change->attr.exact)
			add_extra(out, change->name, &extra);
	}
	qsort(out->extras, out->extra_count, sizeof(*out->extras), compare);
	return 0;
}

static int fill(struct cache_listing *out, const struct cache_listing *listing,
    const struct listing_change changes[], size_t count)
{
	struct names names;
	int code = names_init(&names, changes, count, listing->seed);

	if (code == 0)
		code = copy_others(out, listing, &names);
	if (code == 0)
		code = add_changes(out, changes, count);
	if (code == 0)
		code = listing_seal(out, &listing->times);
	if (code == 0)
		code = add_extras(out, listing, &names, count);
	free(names.slots);
	return code;
}

struct cache_listing *listing_amended(const struct cache_listing *listing,
    const struct listing_change changes[], size_t count)
{
	struct cache_listing *out =
	    listing_new(listing->within, listing->user->uid, listing->seed);

	if (out == NULL)
		return NULL;
	if (fill(out, listing, changes, count) < 0) {
		cache_listing_put(out);
		return NULL;
	}
	out->place = listing->place;
	out->whole = listing->whole;
	out->lent_until_ms = listing->lent_until_ms;
	out->absences_until_ms = listing->absences_until_ms;
	if (listing_is_shown(listing))
		listing_show(out);
	listing_number(out);
	return out;
}

struct cache_listing *cache_listing_over(struct cache *cache,
    const struct cache_listing *listing, const struct cache_over *entries,
    size_t count)
{
	struct listing_change *changes;
	struct cache_listing *out;

	(void)cache; /* the listing knows its own */
	changes = calloc(count + 1, sizeof(*changes));
	if (changes == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const struct cache_attr *attr = &entries[i].attr;

		changes[i] = (struct listing_change){
		    .name = entries[i].name,
		    .there = true,
		    .attr = {.kind = attr->kind,
		        .exact = true,
		        .version = {.size_bytes = attr->size_bytes,
		            .mtime_s = attr->mtime_s},
		        .number = attr->version,
		        .plain_number = attr->version,
		        .told = attr->told,
		        .was = attr->was,
		        .fresh_until_ms = attr->fresh_until_ms},
		};
	}
	out = listing_amended(listing, changes, count);
	free(changes);
	return out;
}
