/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/load.c - reading and verifying whole blocks: store_load().
 * Single pages are in pages.c, small files in small.c.
 *
 * Whatever comes from disk is believed for its check alone, and bytes are
 * verified in the very buffer that the caller gets. An entry that is torn or
 * whose bytes are wrong is read once more (another process may have been
 * writing it), then cleared, so that the block is fetched and kept anew.
 */
#include "cache/store/load.h"

#include "base/log.h"
#include "base/stats.h"
#include "cache/store/moved.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum outcome load_outcome(ssize_t code)
{
	switch (-code) {
	case EAGAIN:
		return BUSY;
	case ENOENT:
		return GONE;
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return REFUSED;
	default:
		return DAMAGED; /* EIO: this place cannot be read */
	}
}

bool load_begin(
    struct load *load, struct store_object *object, enum store_how how)
{
	load->store = object->store;
	load->how = how;
	load->generation = generation_get(object->store);
	if (load->generation == NULL)
		return false;
	if (version_see(load->store, load->generation, object, &load->object,
	        &load->small))
		return true;
	generation_put(load->store, load->generation);
	return false;
}

void load_end(struct load *load)
{
	generation_put(load->store, load->generation);
}

void load_note_use(const struct load *load, struct place place, unsigned count)
{
	if (!load->object.object->quiet)
		pack_note_use(load->store, load->generation, place, count);
}

bool load_verify(const struct hash_secret *secret, const uint8_t *block,
    size_t start, size_t end, const uint64_t sums[FORMAT_PAGES])
{
	while (start < end) {
		size_t part = end - start < STORE_PAGE_BYTES ? end - start
		                                             : STORE_PAGE_BYTES;

		if (hash_page(secret, block + start, part) !=
		    sums[start / STORE_PAGE_BYTES])
			return false;
		start += part;
	}
	return true;
}

/* Read one run: blocks that lie behind one another in one pack. */
static enum outcome read_run(const struct load *load, uint64_t first,
    const struct map_place places[], unsigned count, void *const buffers[],
    unsigned *good)
{
	const struct store_object *object = load->object.object;
	struct iovec vectors[STORE_RUN_BLOCKS];
	struct pack_span span = {
	    .pack = places[0].place.pack,
	    .offset_bytes = places[0].place.offset_bytes,
	    .vectors = vectors,
	    .vector_count = count,
	    .aligned = true,
	};

	for (unsigned i = 0; i < count; i++) {
		vectors[i] = (struct iovec){
		    .iov_base = buffers[i],
		    .iov_len = round_up(version_block_bytes(object, first + i),
		        STORE_PAGE_BYTES),
		};
		span.size_bytes += vectors[i].iov_len;
	}

	ssize_t n = pack_read(load->store, load->generation, &span, load->how);

	*good = 0;
	if (n < 0)
		return load_outcome(n);
	for (unsigned i = 0; i < count; i++) {
		size_t size_bytes = version_block_bytes(object, first + i);

		if (n < (ssize_t)size_bytes ||
		    !load_verify(load->generation->secret, buffers[i], 0,
		        size_bytes, places[i].sums))
			return DAMAGED;
		(*good)++;
		n -= (ssize_t)vectors[i].iov_len;
	}
	load_note_use(load, places[0].place, count);
	return GOOD;
}

/* How many of the places follow one another in one pack. */
static unsigned run_length(const struct map_place places[], unsigned count)
{
	unsigned length = 1;

	while (length < count &&
	    places[length].place.pack == places[0].place.pack &&
	    places[length].place.offset_bytes ==
	        places[0].place.offset_bytes + length * STORE_BLOCK_BYTES)
		length++;
	return length;
}

enum outcome load_decode(const struct load *load, uint64_t first,
    unsigned count, const struct format_map_entry entries[],
    struct map_place places[], unsigned *decoded)
{
	const struct store_object *object = load->object.object;

	for (*decoded = 0; *decoded < count; (*decoded)++) {
		const struct format_map_entry *entry = &entries[*decoded];
		uint64_t index = first + *decoded;

		if (!map_has(entry))
			return ABSENT;
		if (!map_decode(load->generation->secret, load->object.bind,
		        index, version_block_bytes(object, index), entry,
		        &places[*decoded]))
			return TORN;
	}
	return GOOD;
}

/* One attempt; `why` tells what stopped it at the first block that it did
 * not give. `entries[0]` is what stood there. */
static unsigned attempt(const struct load *load, uint64_t first, unsigned count,
    void *const buffers[], struct format_map_entry entries[], enum outcome *why)
{
	struct map_place places[STORE_RUN_BLOCKS];
	unsigned decoded;
	unsigned done = 0;
	int code = map_read(&load->object, first, count, load->how, entries);

	if (code < 0) {
		*why = code == -EAGAIN ? BUSY : REFUSED;
		return 0;
	}

	enum outcome last =
	    load_decode(load, first, count, entries, places, &decoded);

	while (done < decoded) {
		unsigned length = run_length(places + done, decoded - done);
		unsigned good;

		*why = read_run(load, first + done, places + done, length,
		    buffers + done, &good);
		done += good;
		if (*why != GOOD)
			return done;
	}
	*why = last;
	return done;
}

void load_tell_damage(
    const struct load *load, struct place place, const char *what)
{
	static struct log_limit limit;

	stats_add(STATS_cache_corrupt_blocks, 1);
	log_limited(&limit, 1000, LOG_LEVEL_WARN, LOG_CACHE,
	    "damaged block dropped", "dir=%s pack=%llu offset_bytes=%u what=%s",
	    LOG_TEXT(load->store->dir), (unsigned long long)place.pack,
	    place.offset_bytes, what);
}

void load_drop(const struct load *load, uint64_t index,
    const struct format_map_entry *before, const struct format_map_entry *now,
    enum outcome why)
{
	if (why != TORN && why != DAMAGED && why != GONE)
		return;
	if (memcmp(before, now, sizeof(*now)) != 0)
		return;
	if (why != GONE)
		load_tell_damage(load, place_decode(now->place),
		    why == TORN ? "entry" : "bytes");
	map_replace(&load->object, index, now, NULL);
}

void load_look_again(const struct load *load, uint64_t first, unsigned count,
    const struct format_map_entry entries[], enum outcome why)
{
	if (why == DAMAGED)
		pack_close(load->store, load->generation,
		    place_decode(entries[0].place).pack);
	else if (why == GONE)
		moved_mend(&load->object, first, count, entries);
}

static int load_blocks(const struct load *load, uint64_t first, unsigned count,
    void *const buffers[])
{
	struct format_map_entry entries[STORE_RUN_BLOCKS];
	struct format_map_entry again[STORE_RUN_BLOCKS];
	enum outcome why;
	unsigned done = attempt(load, first, count, buffers, entries, &why);

	if (done > 0)
		return (int)done;
	if (why == ABSENT || why == REFUSED)
		return 0;
	/* What is to be mended is left to those who may wait. */
	if (load->how == STORE_NOWAIT || why == BUSY)
		return -EAGAIN;
	load_look_again(load, first, count, entries, why);
	/* One alone, but for those that moved together. */
	done =
	    attempt(load, first, why == GONE ? count : 1, buffers, again, &why);
	if (done == 0)
		load_drop(load, first, &entries[0], &again[0], why);
	return (int)done;
}

int store_load(struct store_object *object, uint64_t first_block,
    unsigned count, enum store_how how, void *const buffers[])
{
	struct load load;
	int loaded;

	assert(count >= 1 && count <= STORE_RUN_BLOCKS);
	while (count > 0 &&
	    version_block_bytes(object, first_block + count - 1) == 0)
		count--;
	if (count == 0 || !load_begin(&load, object, how))
		return 0;
	if (version_is_small(object))
		loaded = load_small(
		    &load, 0, (size_t)object->size_bytes, buffers[0]);
	else
		loaded = load_blocks(&load, first_block, count, buffers);
	load_end(&load);
	return loaded;
}
