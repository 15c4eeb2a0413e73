/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/unsent/entry.h - one entry of a spool, named by its number, of which a
 * person decides: sent under another name or over the server's version, taken
 * out as a file, or dropped.
 *
 * Threads: main thread, which is the only one.
 */
#ifndef CLI_UNSENT_ENTRY_H
#define CLI_UNSENT_ENTRY_H

#include "base/attr.h"

#include <stdint.h>

struct command_source;
struct unsent_places;

enum entry_do { ENTRY_AS, ENTRY_OVERWRITE, ENTRY_EXPORT, ENTRY_DROP };

struct entry_order {
	uint64_t number;
	enum entry_do what;
	const char *argument; /* a path, or a directory */
	const struct command_source *with;
};

/** Find it in one of the places and do that. Says what went wrong.
 *  @return an exit status: STATUS_OK, STATUS_FAILED, EX_IOERR (not sent) */
NODISCARD int entry_decide(
    const struct entry_order *order, const struct unsent_places *places);

#endif
