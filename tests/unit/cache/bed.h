/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/bed.h - a cache over fake_fetch, a door that the test
 * opens and closes, and readers that check the bytes they are given and that
 * they are answered once.
 */
#ifndef TESTS_UNIT_CACHE_BED_H
#define TESTS_UNIT_CACHE_BED_H

#include "base/clock.h"
#include "base/ident.h"
#include "cache/cache.h"
#include "cache/core.h"
#include "tests/unit/cache/fake_fetch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	BED_TIMEOUT_MS = 10000,
	BED_ATTR_TTL_MS = 60000,
	BED_NEVER = -10000,
};

struct bed_await {
	void (*answer)(void *arg, int code);
	void *arg;
	bool done;
};

/* What a caller was told of their token. */
struct bed_refusal {
	uid_t uid;
	char path[64];
	enum cache_want want;
	int code;
};

struct bed {
	struct clock clock;
	struct cache *cache;
	struct ident ident;
	int door;     /* what may() says: BED_NEVER is a final -EACCES */
	bool shared;  /* of the next start */
	bool offline; /* the same */
	int ended;    /* what the door says to an ended token while offline */
	/* Says it instead, when set. */
	int (*judge)(struct bed *bed, const struct ident *ident,
	    const char *path, enum cache_want want);
	struct bed_await await[16];
	unsigned await_count;
	const char *reach[4]; /* names below every path */
	unsigned reach_count;
	pid_t reach_tgid;           /* for this process alone; 0: for all */
	struct bed_refusal refused; /* the last one */
	unsigned refused_count;
	char dir[64]; /* "" : memory only */
};

/** Make a cache. `disk`: with a directory of its own under /tmp. */
void bed_start(struct bed *bed, const struct cache_limits *limits, bool disk);
void bed_start_as(struct bed *bed, const struct cache_limits *limits, bool disk,
    bool immutable);

/** The code of making one, memory only. */
int bed_try_start(struct bed *bed);

/** Stop and free it and what it asked for; the directory stays. */
void bed_end(struct bed *bed);

/** Remove the directory. */
void bed_wipe(struct bed *bed);

/** Let time pass, and tick. */
void bed_pass(struct bed *bed, uint64_t ms);

/** One answer of any kind. */
struct bed_answer {
	_Atomic unsigned count;
	int code;
	/* of a read */
	uint64_t offset_bytes;
	uint64_t content;
	size_t size_bytes;
	/* of others */
	struct cache_file *file;
	struct cache_attr attr;
	struct cache_listing *listing;
	struct cache_facts facts;
};

/** Open a file of a size, answering the question for it when one comes. */
struct cache_file *bed_open(struct bed *bed, const char *path,
    uint64_t size_bytes, int64_t mtime_s, const char *etag);

/** The same; NULL when there is no memory. */
struct cache_file *bed_try_open(
    struct bed *bed, const char *path, uint64_t size_bytes);

/** The code of an open that is answered at once, without a file. */
int bed_open_code(struct bed *bed, const char *path);

void bed_read(struct bed *bed, struct cache_file *file, uint64_t offset_bytes,
    size_t size_bytes, struct bed_answer *answer);

void bed_lookup(struct bed *bed, const char *path, struct bed_answer *answer);
void bed_list(struct bed *bed, const char *path, struct bed_answer *answer);

/** Wait (generously) until an answer has come. */
void bed_wait(const struct bed_answer *answer);

/** Wait (generously) until so many ranges were asked for. */
void bed_wait_ranges(unsigned count);

#endif
