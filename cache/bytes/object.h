/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/object.h - one version of a file as long as somebody uses it, and
 * a little longer: its blocks in memory, its place in the store, its readers'
 * streams, the ETag that its bytes are pinned to.
 *
 * All opens of one version share one object. A closed one is remembered, so
 * that a file that is opened again and again is cheap. An object that the
 * server has replaced (`stale`) answers its readers ESTALE and is found by
 * nobody any more.
 *
 * Threads: under cache_lock; what is set by object_open() alone is constant.
 */
#ifndef CACHE_BYTES_OBJECT_H
#define CACHE_BYTES_OBJECT_H

#include "base/attr.h"
#include "base/ident.h"
#include "base/list.h"
#include "base/sync.h"
#include "cache/ahead/budget.h"
#include "cache/ahead/stream.h"
#include "cache/bytes/disk.h"
#include "cache/cache.h"
#include "cache/checks/checksum.h"
#include "fetch/fetch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cache;
struct meta_attr;
struct store_identity;
struct store_object;
struct todo;

enum {
	OBJECT_BUCKETS = 1024,
	OBJECT_IDLE_MAX = 256,
	/* Presence of the blocks of a file up to 64 GiB is remembered. */
	OBJECT_KEPT_BLOCKS_MAX = 1024 * 1024,
};

enum object_disk {
	OBJECT_DISK_UNASKED, /* nobody has read it yet */
	OBJECT_DISK_OPENING, /* the disk is being asked */
	OBJECT_DISK_OPEN,    /* `store` may be used */
	OBJECT_DISK_NONE,    /* memory only */
};

/** What names a version: fills an object. */
struct object_key {
	const char *path; /* the mount's */
	const struct fetch_version *version;
	uint64_t number;       /* cache_attr.version */
	uint64_t plain_number; /* the same of one that was never wrong */
	bool lasting;   /* its validator may be trusted: goes to the disk */
	uint64_t nonce; /* of one that was written here: goes there as well,
	                   and is found by who knows this; 0: none */
	bool shared;    /* other opens may use it */
};

/* A path that it has no more. */
struct object_former {
	struct object_former *next;
	char *path;
	char *server_path;
};

struct object {
	struct cache *cache;
	/* Changed by object_moved() alone; the texts live as long as it. */
	char *_Atomic path;
	char *_Atomic server_path;
	struct object_former *former;
	struct fetch_version version;
	uint64_t number;
	uint64_t plain_number;
	uint64_t hash; /* of path and number: its bucket */
	bool lasting;
	uint64_t nonce;

	struct object *bucket_next;
	bool hashed;
	unsigned refs;
	unsigned opens;
	struct list idle;   /* in objects.idle, when refs is 0 */
	struct list forget; /* in writer.forgets */
	bool stale;
	char pin[FETCH_ETAG_BYTES]; /* ETag that bytes must carry; "": none */

	enum object_disk disk;
	struct store_object *store; /* constant once OPEN */
	struct disk_job open_job;   /* its place: todo.opens at first */
	int open_code; /* what the store has said; `store` with 0 */
	uint8_t *kept; /* bits: blocks that we put on the disk; NULL: unknown,
			  the store has to be asked */

	/* To be fetched ahead once the disk has said what it has. */
	uint64_t ahead_blocks;
	struct ident ahead_ident;

	struct checksum checksum;
	struct streams streams;
	struct budget_file budget;
	struct list blocks; /* of struct block */
	struct list parked; /* reads that wait for the disk's answer */
	struct list runs;   /* ranges being fetched */
};

struct objects {
	struct object *buckets[OBJECT_BUCKETS];
	struct list idle; /* the first goes first */
	unsigned idle_count;
	unsigned count;
};

/** An open file. */
struct cache_file {
	struct object *object;
	struct ident opener; /* who was let in */
	atomic_bool begun;   /* somebody reads it */
};

void objects_init(struct objects *objects);

/** The object of a version: the one there is, or a new one; one reference.
 *  NULL: out of memory. */
struct object *object_open(struct cache *cache, const struct object_key *key)
    REQUIRES(cache_lock);

/** The ETag that the bytes of a version carry, when it is known. */
void object_pin(struct cache *cache, const struct object_key *key,
    char out[FETCH_ETAG_BYTES]) REQUIRES(cache_lock);

void object_get(struct object *object) REQUIRES(cache_lock);

/** Release a reference; `todo` closes those that nobody needs. */
void object_put(struct object *object, struct todo *todo) REQUIRES(cache_lock);

/** The server has another version now. @return whether that is news. */
bool object_make_stale(struct object *object) REQUIRES(cache_lock);

/** It is found by the path that it has now. */
void object_rehash(struct object *object) REQUIRES(cache_lock);

/** Nobody who opens it finds it any more; who has it open keeps it. */
void object_hide(struct object *object) REQUIRES(cache_lock);

/** The checksum of a version that its bytes have; "" when none is known. */
void object_checksum(struct cache *cache, const struct object_key *key,
    char out[FETCH_DIGEST_TEXT_BYTES]) REQUIRES(cache_lock);

/** Forget those without users, at the end. */
void objects_drop_idle(struct cache *cache, struct todo *todo)
    REQUIRES(cache_lock);

/** Close the store's side and free; without the lock. */
void object_free(struct object *object);

/** Size of a block in its file: CACHE_BLOCK_BYTES but for the last one. */
uint32_t object_block_bytes(const struct object *object, uint64_t index);

/** Blocks of the file. */
uint64_t object_block_count(const struct object *object);

/* ---- object_paths.c ---- */

/** Of a path and what is known of it; shared, where versions can be told
 *  apart. */
struct object_key object_key_of(const char *path, const struct meta_attr *attr);

/** We have put another version at a path that the server's validator does not
 *  tell from those before: they are stale. */
void objects_replaced(struct cache *cache, const char *path,
    const struct fetch_version *version, uint64_t number) REQUIRES(cache_lock);

/** What was at a path, or below it, is elsewhere now, and is read there. */
void objects_moved(struct cache *cache, const char *from, const char *to)
    REQUIRES(cache_lock);

/** Free the paths that it had; with the object. */
void object_forget_paths(struct object *object);

/* ---- object_disk.c ---- */

/** Of a new one: memory only, until object_open() says otherwise. */
void object_init_disk(struct object *object);

/** Have the store say what it has, when nobody has yet: a file that is opened
 *  and not read, or read from the kernel's memory alone, costs no look. */
void object_ask_disk(struct object *object, struct todo *todo)
    REQUIRES(cache_lock);

/** One of todo.opens: ask the store as far as nobody has to wait. */
void object_look(struct object *object);

/** And what follows: a disk reader asks on, or its readers do. */
void object_looked(struct object *object, struct todo *todo)
    REQUIRES(cache_lock);

/** Ask the store on this thread, which may wait, unless it was asked. Leaves
 *  and takes the lock. @return whether the disk takes its blocks. */
bool object_open_disk(struct object *object) REQUIRES(cache_lock);

/** What the store knows it by. */
struct store_identity object_identity(const struct object *object);

/** Could the disk have this block? */
bool object_may_have(const struct object *object, uint64_t index)
    REQUIRES(cache_lock);

/** The writer has put a block on the disk. */
void object_note_kept(struct object *object, uint64_t index)
    REQUIRES(cache_lock);

#endif
