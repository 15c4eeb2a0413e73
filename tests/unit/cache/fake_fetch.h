/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/fake_fetch.h - fetch.h without a server: what the cache
 * asks for is written down, and the test answers when and how it likes, on
 * its own thread.
 *
 * It stands before the real library in link order. The bytes of a file are a
 * function of their offset and a version number.
 *
 * Threads: asking is locked (disk readers ask, too); answering is for one
 * thread.
 */
#ifndef TESTS_UNIT_CACHE_FAKE_FETCH_H
#define TESTS_UNIT_CACHE_FAKE_FETCH_H

#include "base/ident.h"
#include "fetch/fetch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_MAX = 4096, FAKE_LISTS_MAX = 512 };

struct fake_range {
	struct ident ident;
	char path[256];
	uint64_t offset_bytes;
	uint64_t length_bytes;
	char pin[FETCH_ETAG_BYTES]; /* "" when none was given */
	struct fetch_version version;
	bool demand;
	bool done;
	bool cancelled;
	bool hurried;
	bool digest; /* its checksum is wanted as well */
	unsigned only;
	struct fetch_sink sink;
	uint64_t sent_bytes;
};

struct fake_stat {
	struct ident ident;
	char path[256];
	fetch_stat_fn answer;
	void *arg;
	bool done;
};

/* A question for a checksum. */
struct fake_digest {
	char path[256];
	fetch_digest_fn answer;
	void *arg;
	bool done;
};

/* A question without a token. */
struct fake_bare {
	char path[256];
	fetch_stat_fn answer;
	void *arg;
	bool done;
};

struct fake_list {
	struct ident ident;
	char path[256];
	struct fetch_lister lister;
	bool demand;
	bool hurried;
	bool done;
};

struct fake {
	struct fake_range range[FAKE_MAX];
	unsigned range_count;
	struct fake_stat stat[FAKE_LISTS_MAX];
	unsigned stat_count;
	struct fake_list list[FAKE_LISTS_MAX];
	unsigned list_count;
	struct fake_bare bare[64];
	unsigned bare_count;
	struct fake_digest digest[64];
	unsigned digest_count;
	_Atomic unsigned digests; /* what fetch_digests() says */
	_Atomic unsigned algorithm;
	_Atomic bool apart;      /* what fetch_digests_apart() says */
	_Atomic unsigned blamed; /* FETCH_GAVE() of them all */
	unsigned quota_count;
	bool lost; /* the server cannot be reached, since and until: */
	struct fetch_reach reach;
	bool validates;
	bool stopped; /* everything asked from now on is cancelled */
	uint64_t silent_ms;
	struct fetch_quota quota;
	uint64_t content; /* number of the version whose bytes are sent */
	uid_t hurried_by;
};

extern struct fake fake;

void fake_reset(void);

/** Ranges asked so far, under the lock (for tests with threads). */
unsigned fake_ranges(void);

unsigned char fake_byte(uint64_t content, uint64_t offset_bytes);

/** What comes next of range i is given by that server (sink.h, from). */
void fake_from(unsigned i, unsigned server);

/** Begin the answer of range i. @return what the sink says. */
int fake_begin(unsigned i, const char *etag);

/** Send the next bytes, in pieces of at most 16384 as TLS gives them. */
void fake_send(unsigned i, uint64_t size_bytes);

void fake_done(unsigned i, int code);

/** Begin, send everything, done(0). */
void fake_finish(unsigned i, const char *etag);

/** fake_finish() for all that are open. */
void fake_finish_all(const char *etag);

void fake_answer_stat(unsigned i, int code, const struct fetch_stat *stat);

void fake_answer_bare(unsigned i, int code);

/** Answer a question for a checksum; NULL: -ENODATA, or the code. */
void fake_answer_digest(
    unsigned i, int code, const struct fetch_digest *digest);

/** Questions for one so far, and for attributes, under the lock. */
unsigned fake_digests(void);
unsigned fake_stats(void);

/** The checksum of such a file. */
struct fetch_digest fake_sum(
    enum fetch_algorithm algorithm, uint64_t content, uint64_t size_bytes);

/** A stat of a file. */
struct fetch_stat fake_file(
    uint64_t size_bytes, int64_t mtime_s, const char *etag);

/** End all that is open with -ECANCELED, and all that comes. */
void fake_stop(void);

#endif
