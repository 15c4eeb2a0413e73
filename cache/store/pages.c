/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/pages.c - reading and verifying some pages of a block:
 * store_load_pages(), store_ask_pages(). What load.c says of belief holds
 * here too.
 */
#include "cache/store/load.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Pages [start, end) of a block, and where they are. */
struct pages {
	uint64_t block;
	size_t start;
	size_t end;
	uint8_t *buffer; /* the block's */
	struct map_place place;
	struct iovec vector;
};

/* False: there are none behind the file's end. */
static bool pages_of(const struct store_object *object, uint64_t block,
    size_t offset_bytes, size_t size_bytes, struct pages *pages)
{
	size_t block_bytes = version_block_bytes(object, block);

	assert(size_bytes > 0 && offset_bytes < STORE_BLOCK_BYTES &&
	    size_bytes <= STORE_BLOCK_BYTES - offset_bytes);
	pages->block = block;
	pages->start = offset_bytes / STORE_PAGE_BYTES * STORE_PAGE_BYTES;
	pages->end =
	    (size_t)round_up(offset_bytes + size_bytes, STORE_PAGE_BYTES);
	if (pages->end > block_bytes)
		pages->end = block_bytes;
	return offset_bytes < pages->end;
}

/* Where are they? `entry` is what stood in the map. */
static enum outcome find_pages(const struct load *load, struct pages *pages,
    struct format_map_entry *entry)
{
	unsigned decoded;
	int code = map_read(&load->object, pages->block, 1, load->how, entry);

	if (code < 0)
		return code == -EAGAIN ? BUSY : REFUSED;
	return load_decode(
	    load, pages->block, 1, entry, &pages->place, &decoded);
}

/* The span that has them; it borrows `pages`. */
static struct pack_span span_of(struct pages *pages)
{
	pages->vector = (struct iovec){
	    .iov_base = pages->buffer + pages->start,
	    .iov_len = round_up(pages->end, STORE_PAGE_BYTES) - pages->start,
	};
	return (struct pack_span){
	    .pack = pages->place.place.pack,
	    .offset_bytes = pages->place.place.offset_bytes + pages->start,
	    .vectors = &pages->vector,
	    .vector_count = 1,
	    .size_bytes = pages->vector.iov_len,
	    .aligned = true,
	};
}

/* What a read has brought. */
static enum outcome judge(
    const struct load *load, const struct pages *pages, ssize_t n)
{
	if (n < 0)
		return load_outcome(n);
	if (n < (ssize_t)(pages->end - pages->start) ||
	    !load_verify(load->generation->secret, pages->buffer, pages->start,
	        pages->end, pages->place.sums))
		return DAMAGED;
	load_note_use(load, pages->place.place, 1);
	return GOOD;
}

static enum outcome attempt(const struct load *load, struct pages *pages,
    struct format_map_entry *entry)
{
	enum outcome why = find_pages(load, pages, entry);
	struct pack_span span;

	if (why != GOOD)
		return why;
	span = span_of(pages);
	return judge(load, pages,
	    pack_read(load->store, load->generation, &span, load->how));
}

/* What somebody who does not wait answers. */
static int told(enum outcome why)
{
	if (why == GOOD)
		return 1;
	return why == ABSENT || why == REFUSED ? 0 : -EAGAIN;
}

static int load_pages(const struct load *load, struct pages *pages)
{
	struct format_map_entry before;
	struct format_map_entry now;
	enum outcome why = attempt(load, pages, &before);

	if (told(why) >= 0 || load->how == STORE_NOWAIT || why == BUSY)
		return told(why);
	load_look_again(load, pages->block, 1, &before, why);
	why = attempt(load, pages, &now);
	if (why != GOOD && why != REFUSED)
		load_drop(load, pages->block, &before, &now, why);
	return why == GOOD ? 1 : 0;
}

int store_load_pages(struct store_object *object, uint64_t block,
    size_t offset_bytes, size_t size_bytes, enum store_how how, void *buffer)
{
	struct pages pages = {.buffer = buffer};
	struct load load;
	int loaded;

	if (!pages_of(object, block, offset_bytes, size_bytes, &pages) ||
	    !load_begin(&load, object, how))
		return 0;
	if (version_is_small(object))
		loaded = load_small(&load, pages.start, pages.end, buffer);
	else
		loaded = load_pages(&load, &pages);
	load_end(&load);
	return loaded;
}

/* One that the disk was asked for. */
struct asking {
	struct pack_ask pack;
	struct load load;
	struct pages pages;
	store_pages_fn done;
	void *arg;
};

static void landed(struct direct_read *read, ssize_t n)
{
	struct pack_ask *pack = CONTAINER_OF(read, struct pack_ask, read);
	struct asking *asking = CONTAINER_OF(pack, struct asking, pack);
	enum outcome why = judge(&asking->load, &asking->pages, n);

	pack_asked(asking->load.store, asking->load.generation, &asking->pack);
	load_end(&asking->load);
	/* What is not right is looked at again by who may wait. */
	asking->done(asking->arg, why == GOOD ? 1 : -EAGAIN);
	free(asking);
}

/* As store_ask_pages(); the call goes on after -EINPROGRESS. */
static int ask_pages(const struct load *load, const struct pages *pages,
    const struct store_pages *want)
{
	struct asking *asking = malloc(sizeof(*asking));
	struct format_map_entry entry;
	struct pack_span span;
	enum outcome why;
	ssize_t n;

	if (asking == NULL)
		return -EAGAIN;
	asking->load = *load;
	asking->pages = *pages;
	asking->pack.read.done = landed;
	asking->done = want->done;
	asking->arg = want->arg;
	why = find_pages(load, &asking->pages, &entry);
	if (why == GOOD) {
		span = span_of(&asking->pages);
		n = pack_ask(
		    load->store, load->generation, &span, &asking->pack);
		if (n == -EINPROGRESS)
			return -EINPROGRESS;
		why = judge(load, &asking->pages, n);
	}
	free(asking);
	return told(why);
}

int store_ask_pages(struct store_object *object, const struct store_pages *want)
{
	struct pages pages = {.buffer = want->buffer};
	struct load load;
	int code;

	if (!pages_of(object, want->block, want->offset_bytes, want->size_bytes,
	        &pages) ||
	    !load_begin(&load, object, STORE_NOWAIT))
		return 0;
	if (version_is_small(object))
		code = load_small(&load, pages.start, pages.end, want->buffer);
	else
		code = ask_pages(&load, &pages, want);
	if (code != -EINPROGRESS)
		load_end(&load);
	return code;
}

int store_land_begin(struct store *store)
{
	return direct_begin(&store->direct);
}

void store_land(struct store *store)
{
	direct_serve(&store->direct);
}

void store_land_end(struct store *store)
{
	direct_end(&store->direct);
}
