/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/replay.h - what the bytes of a journal say, and what follows
 * from that when nobody alive owns the entry. Pure: no file is touched.
 *
 * Threads: one at a time.
 */
#ifndef CACHE_SPOOL_REPLAY_H
#define CACHE_SPOOL_REPLAY_H

#include "base/attr.h"
#include "cache/spool/ranges.h"
#include "cache/spool/unsent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct replay {
	struct spool_item item; /* its size is that of the last state */
	struct ranges ours;     /* below the limit */
	uint64_t limit_bytes;
	uint64_t end_bytes; /* behind the last whole record */
	uint32_t sequence;  /* of the next one */
	uint8_t boot[SPOOL_BOOT_BYTES];
	bool durable; /* the state was promised against loss of power */
	bool dropped; /* goes with its owner (spool_drop()) */
	bool begun;   /* the first record was understood */
	bool noise;   /* something behind the last one was not */
};

/** Go through a journal. @retval 0, -ENOMEM; replay_fini() in any case. */
NODISCARD int replay_run(struct replay *replay, const void *bytes,
    size_t size_bytes, uint64_t serial);

void replay_fini(struct replay *replay);

/**
 * The state of an entry without an owner: `item` gets state, cure, code and,
 * where it is put aside, the sentence. The size of a file becomes its true
 * one.
 *
 * @param data  of the data file; NULL: there is none.
 * @param boot  of the running kernel.
 * @retval true   the state is new and is to be written down.
 */
NODISCARD bool replay_judge(struct replay *replay, const struct stat *data,
    const uint8_t boot[SPOOL_BOOT_BYTES]);

/** The size of a file that is open, its limit with it. */
void replay_size(struct replay *replay, const struct stat *data);

/** What cures a state when nobody has the entry. */
enum spool_cure replay_cure(enum spool_state state);

#endif
