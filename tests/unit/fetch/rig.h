/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fetch/rig.h - a whole fetch engine in front of a scripted
 * server, asked synchronously.
 *
 * Every wait has a bound of a minute; a test that reaches it fails.
 */
#ifndef TESTS_UNIT_FETCH_RIG_H
#define TESTS_UNIT_FETCH_RIG_H

#include "base/err.h"
#include "fetch/fetch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct clock;
struct tokens;

struct rig {
	struct fetch_source source;
	struct tokens *tokens;
	struct fetch *fetch;
};

struct rig_config {
	const char *url;
	const char *ca_file;
	const char *token_file; /* NULL: $BEARER_TOKEN */
	const char *const *redirect_hosts;
	unsigned redirect_host_count;
	const char *const *servers; /* URLs of caches */
	unsigned server_count;
	uint32_t timeout_ms; /* 0: 60 s */
	bool immutable;
	bool shared;
	const struct clock *clock; /* NULL: the system's */
	bool federated;
	void (*trouble)(void *arg);
	void *trouble_arg;
};

void rig_init(struct rig *rig, const struct rig_config *config);
void rig_fini(struct rig *rig);

/** Something that is answered once, and what was answered. */
struct answer {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool done;
	unsigned times;
	int code;
	struct err err;
	struct fetch_stat stat;
	struct fetch_quota quota;
	/* A range: */
	uint8_t *bytes; /* room for it */
	uint64_t offset;
	size_t room;
	size_t size; /* so far, without a gap */
	bool gap;
	unsigned begins;
	int begin_code;              /* that begin() gives */
	char etag[FETCH_ETAG_BYTES]; /* of a listing: the last entry's */
	char digest[FETCH_DIGEST_TEXT_BYTES]; /* "": none was told */
	/* A listing: */
	char names[4096]; /* "a,b/,c" */
	unsigned entries;
	unsigned restarts;
};

void answer_init(struct answer *answer, uint64_t offset, size_t room);
void answer_fini(struct answer *answer);

/** Wait until it was answered; its code. */
int answer_wait(struct answer *answer);

/** Begin; the caller waits. */
void rig_stat(struct rig *rig, const char *path, struct answer *answer);
void rig_stat_bare(struct rig *rig, const char *path, struct answer *answer);
void rig_list(struct rig *rig, const char *path, struct answer *answer);
void rig_quota(struct rig *rig, struct answer *answer);
uint64_t rig_range(
    struct rig *rig, const struct fetch_range *range, struct answer *answer);

/** The byte that every test file has at an offset. */
uint8_t rig_byte(uint64_t offset);

/** Whether the answer holds exactly the file's bytes. */
bool answer_is_right(const struct answer *answer);

#endif
