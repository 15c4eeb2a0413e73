/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/probe.c - what is there, as far as maps tell: store_probe(),
 * store_want(), store_object_blocks(). It reads no blocks and promises nothing.
 */
#include "cache/store/load.h"
#include "cache/store/moved.h"

#include <errno.h>
#include <string.h>

int store_probe(struct store_object *object, uint64_t first_block,
    unsigned count, enum store_how how, bool have[])
{
	struct format_map_entry entries[STORE_RUN_BLOCKS];
	struct load load;
	int code = 0;

	if (count > STORE_RUN_BLOCKS)
		count = STORE_RUN_BLOCKS;
	memset(have, 0, count * sizeof(*have));
	if (!load_begin(&load, object, how))
		return (int)count;
	if (version_is_small(object)) {
		if (!load_find_small(&load))
			code = -EAGAIN;
		have[0] = first_block == 0 && object->size_bytes > 0 &&
		    load.small.content.pack != 0;
	} else {
		code = map_read(&load.object, first_block, count, how, entries);
		for (unsigned i = 0; code == 0 && i < count; i++)
			have[i] = map_has(&entries[i]) &&
			    version_block_bytes(object, first_block + i) > 0;
	}
	load_end(&load);
	return code == -EAGAIN ? -EAGAIN : (int)count;
}

/* Which of [first, first + count) are in a pack that is there, or were carried
 * into another one; `places` has where. */
static unsigned look_at(const struct load *load, uint64_t first, unsigned count,
    bool have[], struct place places[])
{
	struct format_map_entry entries[STORE_RUN_BLOCKS];
	struct format_map_entry now;
	unsigned there = 0;

	memset(have, 0, count * sizeof(*have));
	if (map_read(&load->object, first, count, STORE_WAIT, entries) < 0)
		return 0;
	for (unsigned i = 0; i < count; i++) {
		if (!map_has(&entries[i]))
			continue;
		places[i] = place_decode(entries[i].place);
		have[i] = !pack_is_known_gone(
		    load->store, load->generation, places[i].pack);
		if (!have[i] &&
		    moved_find(&load->object, first + i, &entries[i], &now)) {
			places[i] = place_decode(now.place);
			have[i] = true;
		}
		there += have[i];
	}
	return there;
}

/* The same of a small file, which has one block: its record. */
static bool look_at_small(struct load *load, struct place *place)
{
	(void)!load_find_small(load);
	*place = load->small.content;
	if (place->pack == 0)
		return false;
	place->offset_bytes -=
	    (uint32_t)version_content_offset(load->object.object);
	return true;
}

unsigned store_want(struct store_object *object, uint64_t first_block,
    unsigned count, bool have[])
{
	struct place places[STORE_RUN_BLOCKS] = {{.pack = 0}};
	struct load load;

	if (count > STORE_RUN_BLOCKS)
		count = STORE_RUN_BLOCKS;
	memset(have, 0, count * sizeof(*have));
	if (!load_begin(&load, object, STORE_WAIT))
		return count;
	if (!version_is_small(object))
		(void)look_at(&load, first_block, count, have, places);
	else if (first_block == 0)
		have[0] = look_at_small(&load, &places[0]);
	for (unsigned i = 0; i < count; i++) {
		if (have[i])
			load_note_use(&load, places[i], 1);
	}
	load_end(&load);
	return count;
}

uint64_t store_object_blocks(struct store_object *object)
{
	bool have[STORE_RUN_BLOCKS];
	struct place places[STORE_RUN_BLOCKS];
	uint64_t total = 0;
	struct load load;

	if (!load_begin(&load, object, STORE_WAIT))
		return 0;
	if (version_is_small(object)) {
		total = look_at_small(&load, &places[0]);
	} else {
		/* A map ends with its last block that was kept. */
		uint64_t blocks = map_blocks(&load.object);

		for (uint64_t i = 0; i < blocks; i += STORE_RUN_BLOCKS)
			total += look_at(&load, i,
			    blocks - i < STORE_RUN_BLOCKS
			        ? (unsigned)(blocks - i)
			        : STORE_RUN_BLOCKS,
			    have, places);
	}
	load_end(&load);
	return total;
}
