/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fetch/cluster.h - an engine in front of several scripted
 * servers: caches, of which each has a fault, and the origin.
 *
 * All have one file, "/f", of rig_byte()s.
 */
#ifndef TESTS_UNIT_FETCH_CLUSTER_H
#define TESTS_UNIT_FETCH_CLUSTER_H

#include "fetch/fetch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rig.h"
#include "server.h"

enum { CLUSTER_FILE_BYTES = 300000, CLUSTER_MAX = 4 };

enum fault {
	FAULT_NONE,
	FAULT_DOWN,       /* nobody listens */
	FAULT_SILENT,     /* no header */
	FAULT_LATE,       /* it is right, a while later */
	FAULT_PAUSE_MID,  /* its bytes in three parts, a while apart */
	FAULT_SILENT_MID, /* half of the bytes, then none */
	FAULT_CUT,        /* half of the bytes, then the end */
	FAULT_CUT_ONCE,   /* ...and is right afterwards */
	FAULT_SLOW,       /* 10 KiB/s */
	FAULT_500,
	FAULT_503, /* with Retry-After: 300 */
	FAULT_404,
	FAULT_412,
	FAULT_416,
	FAULT_PAGE, /* 200 and a page for people */
	FAULT_403,  /* whatever the token */
	FAULT_OTHER_SIZE,
	FAULT_OTHER_TIME,
	FAULT_OTHER_ETAG,
	FAULT_NO_VERSION, /* neither ETag nor time */
	FAULT_COUNT,
};

/** What is kept of the last request. */
enum last { LAST_TOKEN, LAST_TARGET };

struct member {
	struct server *server;
	atomic_int fault;
	atomic_uint gets;  /* ranges asked for */
	atomic_uint other; /* anything else */
	char last[2][64];  /* of the last request: see enum last */
	bool is_origin;
};

struct cluster {
	struct member members[CLUSTER_MAX]; /* the caches, and the origin */
	unsigned count;
	struct member *origin;
	struct rig rig;
};

struct cluster_config {
	unsigned caches;
	bool tls;
	bool immutable;
	const char *prefix; /* path of the caches' URLs; NULL: none */
	bool federated;     /* nobody is known but by cluster_name() */
	uint32_t timeout_ms;
	void (*trouble)(void *arg);
	void *trouble_arg;
};

void cluster_begin(
    struct cluster *cluster, const struct cluster_config *config);
void cluster_end(struct cluster *cluster);

/** Name the caches that are read from now on, the best first, and the
 *  origin. */
void cluster_name(
    struct cluster *cluster, const unsigned *caches, unsigned count);

void cluster_fault(struct cluster *cluster, unsigned member, enum fault fault);

/** Ranges that a member was asked for. */
unsigned cluster_gets(struct cluster *cluster, unsigned member);

/** What it was asked with last, until it is asked again. */
const char *cluster_last(
    struct cluster *cluster, unsigned member, enum last what);

/** Read a range of "/f" of the version with this ETag; its code. The bytes
 *  are checked when it is 0. */
int cluster_read(struct cluster *cluster, const char *etag, uint64_t offset,
    uint64_t size_bytes);

#endif
