/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/desk.h - drafts over a spool in memory and the fakes
 * of this folder, and questions that are waited for.
 */
#ifndef TESTS_UNIT_CACHE_DRAFTS_DESK_H
#define TESTS_UNIT_CACHE_DRAFTS_DESK_H

#include "base/ident.h"
#include "cache/drafts/drafts.h"
#include "tests/unit/cache/drafts/fake_cache.h"
#include "tests/unit/cache/drafts/fake_send.h"
#include "tests/unit/cache/spool/spool_bed.h"

#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct desk {
	struct bed bed; /* its spool */
	struct drafts *drafts;
	struct ident ident;
	bool back;
	bool sync_server;
	bool shared;
	_Atomic int may_create; /* what the token tells */
	_Atomic int may_modify;
};

/** As desk_init() left it, or with other options set. */
void desk_init(struct desk *desk);
void desk_start(struct desk *desk);
void desk_stop(struct desk *desk); /* drafts_stop(), drafts_free() */
void desk_fini(struct desk *desk); /* what desk_init() and the fakes made */

/** An answer, waited for. */
struct reply {
	sem_t come;
	unsigned count;
	int code;
	struct draft *draft;
	struct draft_attr attr;
	uint8_t *bytes; /* of a read, malloc'ed by its asker */
	size_t size_bytes;
};

void reply_init(struct reply *reply);
int reply_wait(struct reply *reply); /* its code */
bool reply_is_here(struct reply *reply);
void reply_code(void *arg, int code); /* a draft_fn */

void reply_open(void *arg, int code, struct draft *draft,
    const struct draft_attr *attr); /* a drafts_open_fn */

/** Open; fails the test when it does not work. */
struct draft *desk_open(struct desk *desk, const char *path, unsigned how);
int desk_open_code(struct desk *desk, const char *path, unsigned how);

/** draft_done() and draft_put(). */
void desk_close(struct desk *desk, struct draft *draft);

int desk_write(struct draft *draft, uint64_t offset, const char *text);
int desk_append(struct draft *draft, const char *text);
int desk_truncate(struct draft *draft, uint64_t size);
int desk_flush(struct desk *desk, struct draft *draft);
int desk_sync(struct desk *desk, struct draft *draft);

/** Read into `out`. @return bytes, or the code. */
ssize_t desk_read(struct desk *desk, struct draft *draft, uint64_t offset,
    void *out, size_t size_bytes);

/** The draft reads as that text, whole. */
void desk_reads(struct desk *desk, struct draft *draft, const char *text);

/** Wait until nothing is done and nothing is on its way. */
void desk_until_quiet(struct desk *desk);

/** A tick, when every pause is over. */
void desk_tick(struct desk *desk);

/** The server has that; NULL: nothing. */
void desk_served(const char *path, const char *text);

/** Wait (generously) for something to become true. */
void desk_until(bool (*is)(void *arg), void *arg);

/** Wait until there is no draft any more; nothing is in the spool then. */
void desk_until_empty(struct desk *desk);

/** Wait until nothing is being done. */
void desk_until_idle(struct desk *desk);

/** Wait until so many are being sent and held. */
void desk_until_held(unsigned count);

#endif
