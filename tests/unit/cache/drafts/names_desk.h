/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/names_desk.h - drafts and their sender over a spool
 * in memory and the server of fake_tree.h; questions that are waited for.
 */
#ifndef TESTS_UNIT_CACHE_DRAFTS_NAMES_DESK_H
#define TESTS_UNIT_CACHE_DRAFTS_NAMES_DESK_H

#include "cache/drafts/impl.h"
#include "tests/unit/cache/drafts/fake_tree.h"
#include "tests/unit/cache/spool/spool_bed.h"

#include <semaphore.h>

struct desk {
	struct bed bed;
	struct drafts *drafts;
	struct ident ident;
	bool back;
	bool shared;
};

void desk_begin(struct desk *desk);
void desk_start(struct desk *desk);
void desk_end(struct desk *desk);

/** An answer; exactly one. */
struct reply {
	sem_t come;
	unsigned count;
	int64_t code;
	struct draft *draft;
	char *bytes;
	size_t size_bytes;
};

void reply_init(struct reply *reply);
int reply_wait(struct reply *reply);
bool reply_is_here(struct reply *reply);
void reply_code(void *arg, int code);
void reply_copied(void *arg, int64_t code);

/** Open to write, made when missing; fails the test when it does not work. */
struct draft *desk_open(struct desk *desk, const char *path, unsigned how);
void desk_close(struct desk *desk, struct draft *draft);
void desk_write(struct draft *draft, uint64_t offset, const char *text);
int desk_flush(struct desk *desk, struct draft *draft);

/** What it reads as, malloc'ed; NULL: it cannot be read. */
char *desk_text(struct desk *desk, struct draft *draft);
void desk_reads(struct desk *desk, struct draft *draft, const char *text);

/** Written, flushed and closed. */
void desk_file(struct desk *desk, const char *path, const char *text);

int desk_mkdir(struct desk *desk, const char *path);
int desk_rmdir(struct desk *desk, const char *path);
int desk_unlink(struct desk *desk, const char *path);
int desk_rename(struct desk *desk, const char *from, const char *to);

/** The server has that; NULL: nothing. */
void desk_served(const char *path, const char *text);

/** A draft, or none, has that path. */
bool desk_has(struct desk *desk, const char *path);

/** What the spool has for a path (the server's); 0: nothing. */
enum spool_state desk_state(
    struct desk *desk, const char *path, bool *base_exists);

/** Wait until it is true. */
void desk_until(bool (*is)(void *arg), void *arg);
void desk_until_waiting(unsigned count);

/** Everything is sent. */
int desk_send_all(struct desk *desk);

/** Wait until there is no draft, and nothing in the spool. */
void desk_until_empty(struct desk *desk);

#endif
