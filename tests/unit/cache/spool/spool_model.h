/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/spool_model.h - a trivial spool in memory beside the
 * real one. The memory is shared: a child does operations on both and may be
 * killed in between, its parent then holds what lies on the disk against what
 * had returned.
 */
#ifndef TESTS_UNIT_CACHE_SPOOL_SPOOL_MODEL_H
#define TESTS_UNIT_CACHE_SPOOL_SPOOL_MODEL_H

#include "tests/unit/cache/spool/spool_bed.h"

#include <stdbool.h>
#include <stdint.h>

enum { MODEL_FILES = 5, MODEL_BYTES = 20000, MODEL_PATH_BYTES = 24 };

struct model_file {
	bool exists;
	uint64_t serial; /* 0: not yet known */
	enum spool_state state;
	uint32_t size;
	uint32_t mode;
	uint64_t changes;
	char path[MODEL_PATH_BYTES];
	uint8_t bytes[MODEL_BYTES];
	/* Against loss of power: that it is listed, and as what. */
	bool listed;
	bool promised;
	enum spool_state promised_state;
	uint32_t promised_size;
	uint8_t promised_bytes[MODEL_BYTES];
};

struct model {
	struct bed bed;
	struct model_file files[MODEL_FILES];
	/* The operation on its way: one file, as it will be. */
	bool pending;
	bool writing; /* bytes may be mixed in [start, end) */
	unsigned which;
	uint32_t start;
	uint32_t end;
	struct model_file after;
	uint64_t random;
	uint64_t operations;
	uint64_t kills;
	uint64_t adopted;
	uint64_t aside;
};

/** A model with an empty spool, in shared memory. */
struct model *model_new(uint64_t seed);
void model_free(struct model *model);

/** In a child: open the spool, take what is there, do `count` random
 *  operations, let go. A failure ends the process with another status. */
void model_live(struct model *model, unsigned count);

/** In the parent: all that had returned is there, nothing else is. The model
 *  becomes what was found. */
void model_verify(struct model *model);

/** The file of a number; NULL: there is none. */
struct model_file *model_find(struct model *model, uint64_t serial);

/** Fork a life that ends at its nth system call, or in the middle of it.
 *  @return whether it lived to its end. */
bool model_run(
    struct model *model, unsigned count, unsigned nth, bool in_the_middle);

#endif
