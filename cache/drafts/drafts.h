/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/drafts.h - what is written here and not yet, or not only, on
 * the server: files as their writers see them, and changes of names.
 *
 * The only header of this folder that others may include. A *draft* is a file
 * from the first open for writing until the server has it and nobody has it
 * open any more. All who write or read the file share it. Its bytes lie in the
 * spool (cache/spool/spool.h); those of the version that it began from, and
 * that nobody wrote, come from the cache. It is sent whole (fetch/change.h)
 * when a descriptor is closed; what stands on the server then is compared with
 * what it began from.
 *
 *   call            answered when                       promises
 *   drafts_open     the base is known                   nothing is written yet
 *   draft_write     the spool has the bytes             survive the process
 *   draft_sync      durable in the spool (fsync); with  survive the machine
 *                   fsync=server: the server has it
 *   draft_flush     write=through: the server has it,   as it says
 *                   size and checksum compared;
 *                   write=back: the spool has it
 *   draft_done      -                                   sent behind our back
 *
 * Nothing of this waits: each question is answered exactly once through its
 * callback, before the call returns or later, on a thread of the drafts (they
 * wait for the spool's disk) or on the fetch thread. A callback must not wait
 * either. Questions about one draft that change it are done in the order in
 * which they came; a change that comes while the draft is being sent waits for
 * the end of that, or ends it when nobody waits for it: what the server gets is
 * never a mixture.
 *
 * Paths are the mount's: "/" is the source's root. Whose a draft is: of a mount
 * of one user, everybody's; of a shared mount, of the user (uid) who wrote it,
 * and all others see what the server has.
 *
 * What goes wrong has an errno of the manual. After a failure to send the data
 * are in the spool: FAILED is tried again, with growing pauses, as long as the
 * mount lives and by the next one; CONFLICT (-EEXIST, -ESTALE: the server has
 * another version) waits for its user, and the path shows the server's again.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef CACHE_DRAFTS_DRAFTS_H
#define CACHE_DRAFTS_DRAFTS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ident.h"
#include "cache/cache.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
struct clock;
struct draft;
struct drafts;
struct fetch;
struct spool;

/** What a change needs of a token. */
enum drafts_need {
	DRAFTS_CREATE,      /* a file or directory that is not there */
	DRAFTS_MODIFY,      /* what is there */
	DRAFTS_CREATE_TOLD, /* as DRAFTS_CREATE; -EACCES when the token does
			       not tell */
};

/** May this caller do that at `path` (the server's), as far as their token
 *  tells? 0 (also when it does not tell), or -EACCES, -ENOKEY, ...; never
 *  waits. The server has the last word. */
typedef int (*drafts_may_fn)(void *arg, const struct ident *ident,
    const char *path, enum drafts_need need);

enum { DRAFTS_CREDENTIAL_BYTES = 4096 };

/** Where the token for writing would come from: by reference, never the token
 *  itself. `from` is an enum spool_from; the name fits `name`. */
typedef void (*drafts_credential_fn)(void *arg, const struct ident *ident,
    const char *path, int *from, char name[DRAFTS_CREDENTIAL_BYTES]);

struct drafts_config {
	const struct clock *clock; /* borrowed, as all below */
	struct cache *cache;       /* stopped after the drafts are */
	struct fetch *fetch;       /* stopped before the drafts are */
	struct spool *spool;       /* closed after the drafts are freed */
	const char *origin;        /* "https://host:port" */
	const char *source_path;   /* the server's path of the mount's root */
	struct ident owner;        /* as whom what the spool has is sent */
	uint32_t timeout_ms;
	bool back;         /* write=back */
	bool sync_server;  /* fsync=server */
	bool shared;       /* a draft is seen by its own user alone */
	drafts_may_fn may; /* NULL: the server says */
	drafts_credential_fn credential; /* NULL: not known */
	void *arg;                       /* of the two above */
};

/** Open what the spool has of this source, as far as it can be sent, and send
 *  it. @retval 0, -ENOMEM, -EAGAIN (threads), -errno of the spool */
NODISCARD int drafts_new(
    struct drafts **out, const struct drafts_config *config, struct err *err);

/** Answer everything that waits with -ECANCELED; what is unsent is durable in
 *  the spool (fsync). After fetch_stop(), before cache_stop(). */
void drafts_stop(struct drafts *drafts);

/** Free; after drafts_stop() and when every draft is put. NULL is allowed. */
void drafts_free(struct drafts *drafts);
DEFINE_FREEP(drafts, drafts_free)

/** Try again what failed and whose pause is over. Called each 100 ms by one
 *  thread. */
void drafts_tick(struct drafts *drafts);

/* ---- files ---- */

/** The draft of a path, as `ident` sees it: one reference, or NULL: there is
 *  none, and the cache knows. Never waits. */
struct draft *drafts_find(
    struct drafts *drafts, const struct ident *ident, const char *path);

/** A reference less. The last one of a draft that the server has, or that was
 *  removed, ends it. */
void draft_put(struct draft *draft);
struct draft *draft_get(struct draft *draft);

/** Beside 07777 in each mode that somebody has set, be that 0. */
enum { DRAFTS_MODE_SET = 010000 };

/** What stat(2) shows. */
struct draft_attr {
	struct cache_attr attr; /* .version: the draft's own, as long as it
	                           lives, whatever is written */
	uint32_t mtime_ns;
	uint32_t mode; /* 07777, DRAFTS_MODE_SET; 0: nobody has set one */
	bool unsent;
	int code; /* why the last try to send it failed; 0 */
};

/** Never waits. */
void draft_attr(const struct draft *draft, struct draft_attr *out);

enum drafts_how {
	DRAFTS_OPEN_CREATE = 1,    /* when it is not there */
	DRAFTS_OPEN_EXCLUSIVE = 2, /* -EEXIST when it is */
	DRAFTS_OPEN_TRUNCATE = 4,
};

struct drafts_ask {
	const struct ident *ident; /* copied */
	const char *path;          /* copied */
	unsigned how;              /* enum drafts_how */
	uint32_t mode;             /* wanted of a new one, as of draft_attr */
};

/** 0 and a draft (one reference, the callee's) and its attributes (borrowed),
 *  or a negative errno. attr->attr.was tells the version that it began from. */
typedef void (*drafts_open_fn)(
    void *arg, int code, struct draft *draft, const struct draft_attr *attr);

/**
 * Open a file to write it. Who opens it ends with draft_done() and
 * draft_put(); who only reads it (drafts_find()) with draft_put().
 *
 * Codes: -ENOENT, -EEXIST, -EISDIR, -EACCES, ... and what cache_lookup() says.
 */
void drafts_open(struct drafts *drafts, const struct drafts_ask *ask,
    drafts_open_fn answer, void *arg);

/** Whether this caller's token says that they may create what is at `path`:
 *  then they may open it with DRAFTS_OPEN_CREATE though they may not look. */
bool drafts_may_create_blindly(
    struct drafts *drafts, const struct ident *ident, const char *path);

/** 0, or a negative errno; of a write, the bytes written (all of them). */
typedef void (*draft_fn)(void *arg, int code);

/** Write; the bytes are copied before this returns. `append`: behind the end,
 *  wherever that is now. */
void draft_write(struct draft *draft, const void *bytes, size_t size_bytes,
    uint64_t offset_bytes, bool append, draft_fn answer, void *arg);

void draft_truncate(
    struct draft *draft, uint64_t size_bytes, draft_fn answer, void *arg);

/** What setattr may set besides; DRAFT_KEEP: as it is. */
struct draft_set {
	int64_t mode; /* as of draft_attr, or DRAFT_KEEP */
	int64_t mtime_s;
	uint32_t mtime_ns;
};
#define DRAFT_KEEP INT64_MIN

void draft_set(struct draft *draft, const struct draft_set *set,
    draft_fn answer, void *arg);

/** As cache_read(). */
void draft_read(struct draft *draft, const struct ident *ident,
    uint64_t offset_bytes, size_t size_bytes, cache_read_fn answer, void *arg);

/** fsync(2). */
void draft_sync(
    struct draft *draft, const struct ident *ident, draft_fn answer, void *arg);

/**
 * close(2) of a descriptor (FUSE's FLUSH). Of what is sent already, and of a
 * draft that nobody changed, 0 at once. A file that was created or cut to
 * nothing and never written is sent empty, unless the token may only create:
 * that is sent by draft_done(), since it could not be replaced any more.
 */
void draft_flush(
    struct draft *draft, const struct ident *ident, draft_fn answer, void *arg);

/** The last descriptor of a drafts_open() is closed (RELEASE): what is unsent
 *  (stores through a mapping; an empty file) is sent. Once for each open. */
void draft_done(struct draft *draft, const struct ident *ident);

/** The same of an open that nobody was given (answered with an error, or
 *  interrupted): what it alone has created or cut to nothing is as it was. */
void draft_unused(struct draft *draft, const struct ident *ident);

/** The same file's bytes under another name, copied by the server: only of
 *  whole files, into an empty draft. -EXDEV: copy it by hand. 0 or more: the
 *  bytes copied, at most INT_MAX a call are told. */
void drafts_copy(struct drafts *drafts, const struct ident *ident,
    const char *from, struct draft *to, void (*answer)(void *arg, int64_t code),
    void *arg);

/* ---- names ---- */

/** Each changes the server before it answers, but for files that no server
 *  has: those change here alone. */
void drafts_mkdir(struct drafts *drafts, const struct ident *ident,
    const char *path, draft_fn answer, void *arg);
void drafts_rmdir(struct drafts *drafts, const struct ident *ident,
    const char *path, draft_fn answer, void *arg);
void drafts_unlink(struct drafts *drafts, const struct ident *ident,
    const char *path, draft_fn answer, void *arg);

/** rename(2); `replace` false: RENAME_NOREPLACE. Unsent files below a
 *  directory are sent before it moves. */
void drafts_rename(struct drafts *drafts, const struct ident *ident,
    const char *from, const char *to, bool replace, draft_fn answer, void *arg);

/** What lies in a directory, before the cache is asked to list it: as long as
 *  it is held drafts_list() finds it there, though it has been sent since.
 *  Given back with drafts_held_put(). -ENOMEM. Never waits. */
struct drafts_held;
NODISCARD int drafts_hold_listed(struct drafts *drafts,
    const struct ident *ident, const char *path, struct drafts_held **out);

/** NULL is allowed. */
void drafts_held_put(struct drafts_held *held);

/** A directory's listing with the drafts in it, as `ident` sees it: the
 *  listing's reference is taken, the result's is the caller's. NULL: out of
 *  memory. Never waits. */
struct cache_listing *drafts_list(struct drafts *drafts,
    const struct ident *ident, const char *path, struct cache_listing *listing);

/* ---- attributes that the server does not keep ---- */

/** Mode and time that were set (chmod, utimens) for the version of a path that
 *  `attr` tells of; false: none are known. Kept in memory, for the newest
 *  DRAFTS_WORN_MAX files. Never waits. */
struct drafts_worn {
	uint32_t mode; /* as of draft_attr */
	bool has_mtime;
	int64_t mtime_s;
	uint32_t mtime_ns;
};
enum { DRAFTS_WORN_MAX = 1 << 18 };
bool drafts_worn(struct drafts *drafts, const char *path,
    const struct cache_attr *attr, struct drafts_worn *out);

/** Set them for a path that has no draft. */
int drafts_wear(struct drafts *drafts, const char *path,
    const struct cache_attr *attr, const struct draft_set *set);

/* ---- seeing and waiting ---- */

/** What is on its way. */
struct drafts_count {
	uint64_t unsent_files;
	uint64_t unsent_bytes;
	uint64_t sent_bytes; /* of those being sent */
	uint64_t failed;     /* among them: tried again later */
	uint64_t conflicts;  /* of this source, of this mount's life */
	uint64_t untried;    /* temporary names on the server that nobody has
	                        tried to remove yet */
};
void drafts_count(struct drafts *drafts, struct drafts_count *out);

/**
 * Wait until nothing below `path` is unsent: what failed is tried again now.
 * Answered with 0, or with the first errno when all has been tried once;
 * -ETIMEDOUT at the deadline.
 *
 * @param err  of the answer: a sentence on the first that failed.
 */
typedef void (*drafts_flushed_fn)(void *arg, int code, const struct err *err);
void drafts_flush(struct drafts *drafts, const char *path, uint64_t deadline_ms,
    drafts_flushed_fn answer, void *arg);

/** Append a JSON object: "unsent_files", "unsent_bytes", "failed",
 *  "conflicts", "sending" and "files", an array of what is unsent of `uid`
 *  (or of all): path, size_bytes, state, errno, why. */
int drafts_describe(
    struct drafts *drafts, bool any_uid, uint32_t uid, struct buf *out);

#endif
