/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/cache.h - which bytes we have, which we need: attributes, listings,
 * open files, reads.
 *
 * With cache/note.h the public header of this folder. What is not at
 * hand is fetched; nothing here waits: each question is answered exactly
 * once through its callback, before the call returns or later on the fetch
 * thread or a disk reader. A callback must not wait either. Bytes, names and
 * attributes leave through one door (access.c) that asks whether this caller
 * may have them now. Who asks and the path are read until a call returns, which
 * may be after its answer.
 *
 * Paths are the mount's: "/" is the source's root (base/path.h).
 *
 * Threads: every function may be called from any thread.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct cache;
struct cache_file;
struct cache_listing;
struct clock;
struct fetch;
struct ident;

/** What a caller wants to have of a path. */
enum cache_want {
	CACHE_LOOK, /* its name and attributes */
	CACHE_LIST, /* the names in it, and their attributes */
	CACHE_BYTES,
};

/** May this caller have that of `path` (the server's) now? As tokens_door():
 *  `ask` tells whether the server may be asked with their token. */
typedef int (*cache_may_fn)(void *arg, const struct ident *ident,
    const char *path, enum cache_want want, bool *ask);

/** Look for a token that may (an ended or missing one is waited for until
 *  `deadline_ms`); `answer` is called once, on any thread, with 0 or the
 *  errno. */
typedef void (*cache_await_fn)(void *arg, const struct ident *ident,
    const char *path, uint64_t deadline_ms,
    void (*answer)(void *answer_arg, int code), void *answer_arg);

/** A caller is told `code`, which is of their token (-ENOKEY, -EKEYEXPIRED,
 *  -EKEYREJECTED, -EACCES), of `path` (the server's). Called on any thread. */
typedef void (*cache_refused_fn)(void *arg, const struct ident *ident,
    const char *path, enum cache_want want, int code);

/** The names below `path` (the server's) that the token's scopes lead to;
 *  as tokens_reach(). */
typedef unsigned (*cache_reach_fn)(void *arg, const struct ident *ident,
    const char *path, void (*name)(void *name_arg, const char *name),
    void *name_arg);

struct cache_config {
	const struct clock *clock; /* borrowed */
	struct fetch *fetch; /* borrowed; stopped before the cache is freed */
	const char
	    *origin; /* "https://host:port": part of each version's key */
	const char *source_path; /* the server's path of the mount's root */
	const char *dir;     /* cache directory; NULL: no disk, memory only */
	uint64_t size_bytes; /* bound of the directory */
	uint32_t attr_ttl_ms;
	uint32_t negative_ttl_ms;
	uint32_t timeout_ms;
	unsigned
	    reads_waiting_max; /* READs that may wait for a silent server */
	bool immutable;
	bool shared;  /* by many users, each with their own token: whoever asks
			is judged by their own ident before each answer */
	bool offline; /* what is known, however old, is served while no
			server can be reached */
	cache_may_fn may;
	cache_may_fn ended; /* the same of a token that has ended, as in its
			       last second, while offline; NULL: never */
	cache_await_fn await;
	cache_reach_fn reach;
	cache_refused_fn refused; /* NULL: nobody wants to know */
	void *arg;                /* of the five above */
};

NODISCARD int cache_new(
    struct cache **out, const struct cache_config *config, struct err *err);

/** Answer everything that waits with -ECANCELED, write what is queued for
 *  the disk, end the threads. After fetch_stop(). */
void cache_stop(struct cache *cache);

/** Free; after cache_stop() and when every file and listing is closed. */
void cache_free(struct cache *cache);
DEFINE_FREEP(cache, cache_free)

/** Answer what has passed its deadline. Called each 100 ms by one thread. */
void cache_tick(struct cache *cache);

enum cache_kind { CACHE_FILE, CACHE_DIRECTORY };

struct cache_attr {
	enum cache_kind kind;
	uint64_t size_bytes;
	int64_t mtime_s;  /* 0 when the server does not say */
	uint64_t version; /* differs when the file was replaced; never 0 */
	uint64_t was;     /* the version it was while it was written here: what
	                     the kernel has of that is right; 0: none */
	uint64_t told;    /* what the server tells of it, as a number: the same
	                     of versions that are told apart only because they
	                     are too young for that to mean much; 0: nothing */
	uint64_t fresh_until_ms; /* monotonic: believed until then */
	bool made_up; /* a directory above the reach of the asker's token */
};

/** 0 and attributes (borrowed), or a negative errno of the man page. With
 *  -ENOENT, attr->fresh_until_ms tells how long that is believed; of a shared
 *  cache 0: by whoever asked alone. */
typedef void (*cache_attr_fn)(
    void *arg, int code, const struct cache_attr *attr);

/** Attributes of a path; from a fresh listing or answer when there is one. */
void cache_lookup(struct cache *cache, const struct ident *ident,
    const char *path, cache_attr_fn answer, void *arg);

/** 0 and a listing (one reference, the callee's), or a negative errno. */
typedef void (*cache_listing_fn)(
    void *arg, int code, struct cache_listing *listing);

/** A complete listing of a directory. It does not change while held. */
void cache_list(struct cache *cache, const struct ident *ident,
    const char *path, cache_listing_fn answer, void *arg);

size_t cache_listing_count(const struct cache_listing *listing);

/** Entry `index`: the name is borrowed from the listing. `known` is false
 *  when only its kind is sure and attributes have to be looked up. */
void cache_listing_entry(const struct cache_listing *listing, size_t index,
    const char **name, struct cache_attr *attr, bool *known);

/** Differs between two listings of a directory when their content does. */
uint64_t cache_listing_version(const struct cache_listing *listing);

void cache_listing_put(struct cache_listing *listing);

/** 0 and an open file (the callee's), or a negative errno. */
typedef void (*cache_open_fn)(void *arg, int code, struct cache_file *file,
    const struct cache_attr *attr);

/**
 * Open a file, pinned to the version it has now. Attributes younger than
 * attr_ttl are believed. The door to its bytes is here: it stays open for the
 * handle, whoever reads through it, as long as its opener's token does.
 */
void cache_open(struct cache *cache, const struct ident *ident,
    const char *path, cache_open_fn answer, void *arg);

/** Close; never waits. Reads of it have been answered. */
void cache_close(struct cache_file *file);

/** 0 and the bytes as vectors (borrowed for the call; fewer than asked only
 *  at the end of the file), or a negative errno. */
typedef void (*cache_read_fn)(
    void *arg, int code, const struct iovec *vectors, int vector_count);

enum {
	CACHE_BLOCK_BYTES = 64 * 1024,
	CACHE_READ_BYTES_MAX = 1024 * 1024, /* of one cache_read() */
	CACHE_READ_VECTORS_MAX = 18, /* blocks that such a read can touch */
};

/** Read up to CACHE_READ_BYTES_MAX bytes. Answered by its deadline (now +
 *  timeout), whatever happens. Of a shared cache with the opener's token; when
 *  that has ended, with that of `ident`, who reads. */
void cache_read(struct cache_file *file, const struct ident *ident,
    uint64_t offset_bytes, size_t size_bytes, cache_read_fn answer, void *arg);

enum { CACHE_PREFETCH_BYTES = 8 * 1024 * 1024 };

/** 0: `size_bytes` of the file are on the disk, of which `brought_bytes` were
 *  not before. Or a negative errno. */
typedef void (*cache_prefetch_fn)(
    void *arg, int code, uint64_t size_bytes, uint64_t brought_bytes);

/**
 * Have a range of a file on the disk; what is there already is not fetched
 * again. It goes behind everything that somebody waits for, and is answered
 * when the disk has been looked at and has it. Several may be on their way;
 * the file stays open until they are answered.
 *
 * @param offset_bytes  a multiple of CACHE_BLOCK_BYTES.
 * @param size_bytes    CACHE_PREFETCH_BYTES at most; cut at the file's end.
 *
 * Codes besides those of reading:
 *   -ENODEV   nothing is kept on disk here
 *   -ENOTSUP  by what the server tells versions cannot be told apart
 *   -EAGAIN   this version is too young to be told from the next: open the
 *             file again after CACHE_YOUNG_MS
 *   -ENOSPC, -EDQUOT, -EROFS, ...  the disk does not take it
 */
void cache_prefetch(struct cache_file *file, const struct ident *ident,
    uint64_t offset_bytes, uint64_t size_bytes, cache_prefetch_fn answer,
    void *arg);

enum { CACHE_YOUNG_MS = 2500 };

/** How much may be prefetched at once so that it all stays: what the cache is
 *  sure to have room for when all else goes. 0: nothing is kept on disk, and
 *  `why` says why (borrowed). */
uint64_t cache_room_bytes(const struct cache *cache, const char **why);

/** What the user.bearerfs.* attributes show. */
struct cache_facts {
	char etag[128];     /* "" when unknown */
	char server[512];   /* that the bytes came from last; the origin */
	char freshness[64]; /* "fresh", "stale 120 s", "offline 3600 s" */
	char checksum[144]; /* the server's, which the bytes have; "": it is
				not known, or not compared yet */
	int cached_percent; /* of the current version, on disk */
};

typedef void (*cache_facts_fn)(
    void *arg, int code, const struct cache_facts *facts);

void cache_facts(struct cache *cache, const struct ident *ident,
    const char *path, cache_facts_fn answer, void *arg);

/** What is known of a path, however old. */
struct cache_known {
	bool absent; /* it is not there; the rest is silent */
	enum cache_kind kind;
	bool made_up; /* a directory above the reach of a token */
	uint64_t size_bytes;
	bool fresh;
	bool offline; /* it is served as it is: no server can be reached */
	struct cache_facts facts;
};

/** 0, or -ENODATA: nothing; or what the door says. */
typedef void (*cache_known_fn)(
    void *arg, int code, const struct cache_known *known);

/** Tell what is known, and ask no server. Of a shared cache, to whom the door
 *  is open. */
void cache_known(struct cache *cache, const struct ident *ident,
    const char *path, cache_known_fn answer, void *arg);

/** Space of the source, for statfs(2). */
typedef void (*cache_space_fn)(
    void *arg, int code, uint64_t total_bytes, uint64_t free_bytes);

void cache_space(struct cache *cache, const struct ident *ident,
    cache_space_fn answer, void *arg);

/** Append a JSON object on the cache: "dir", "state" (on, off, and why),
 *  "size_bytes", "disk_bytes", "memory_blocks", "offline", ... */
int cache_describe(struct cache *cache, struct buf *out);

/** The same for a person. */
int cache_describe_text(struct cache *cache, struct buf *out);

#endif
