/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/probe.c - what is there, as far as maps tell: store_probe(),
 * store_object_blocks(). It reads no blocks and promises nothing.
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

/* Blocks of [first, first + count) whose pack, or another one that they were
 * carried into, is there. */
static uint64_t count_blocks(
    const struct load *load, uint64_t first, unsigned count)
{
	struct format_map_entry entries[STORE_RUN_BLOCKS];
	struct format_map_entry now;
	uint64_t there = 0;

	if (map_read(&load->object, first, count, STORE_WAIT, entries) < 0)
		return 0;
	for (unsigned i = 0; i < count; i++) {
		if (map_has(&entries[i]) &&
		    (!pack_is_known_gone(load->store, load->generation,
		         place_decode(entries[i].place).pack) ||
		        moved_find(
		            &load->object, first + i, &entries[i], &now)))
			there++;
	}
	return there;
}

uint64_t store_object_blocks(struct store_object *object)
{
	uint64_t total = 0;
	struct load load;

	if (!load_begin(&load, object, STORE_WAIT))
		return 0;
	if (version_is_small(object)) {
		(void)!load_find_small(&load);
		total = load.small.content.pack != 0;
	} else {
		/* A map ends with its last block that was kept. */
		uint64_t blocks = map_blocks(&load.object);

		for (uint64_t i = 0; i < blocks; i += STORE_RUN_BLOCKS)
			total += count_blocks(&load, i,
			    blocks - i < STORE_RUN_BLOCKS
			        ? (unsigned)(blocks - i)
			        : STORE_RUN_BLOCKS);
	}
	load_end(&load);
	return total;
}
