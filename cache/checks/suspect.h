/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/checks/suspect.h - versions of which bytes did not fit the server's
 * checksum.
 *
 * The kernel keeps what it was given, by inode; and a version is an inode. So
 * once its blocks are dropped, a suspect is shown under another number: whoever
 * opens the file again has no pages of it. One that was wrong twice is bad:
 * its readers get EIO. A suspect is forgotten SUSPECT_MS after it was last
 * wrong, so that a server that was mended is believed again.
 *
 * Threads: any; suspect_lock inside, never held over a call to another file.
 */
#ifndef CACHE_CHECKS_SUSPECT_H
#define CACHE_CHECKS_SUSPECT_H

#include "base/attr.h"
#include "base/sync.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fetch_version;

enum {
	SUSPECTS_MAX = 64, /* the one that is forgotten next gives way */
	SUSPECT_MS = 10 * 60 * 1000,
	SUSPECT_BAD = 2, /* so often wrong */
};

struct suspect {
	uint64_t key; /* of path and version; 0: none */
	uint64_t number;
	uint64_t until_ms;
	unsigned wrong; /* so often */
	unsigned shown; /* its blocks were dropped so often */
};

struct suspects {
	pthread_mutex_t mutex;
	atomic_uint count; /* none is the rule, and costs no lock */
	struct suspect entry[SUSPECTS_MAX] GUARDED_BY(suspect_lock);
};

void suspects_init(struct suspects *suspects);
void suspects_fini(struct suspects *suspects);

/** It was wrong. `number` is the version's, as meta_attr_of() makes it.
 *  @return how often it was. */
unsigned suspects_add(struct suspects *suspects, const char *path,
    const struct fetch_version *version, uint64_t number, uint64_t now_ms);

/** How often it was wrong. */
unsigned suspects_count(struct suspects *suspects, const char *path,
    const struct fetch_version *version);

/** Its blocks are dropped: another number from now on. */
void suspects_dropped(struct suspects *suspects, const char *path,
    const struct fetch_version *version);

/** The number that a version is shown under. */
uint64_t suspects_number(struct suspects *suspects, uint64_t number);

/** Forget those of long ago. */
void suspects_tick(struct suspects *suspects, uint64_t now_ms);

#endif
