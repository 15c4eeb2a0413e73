/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/impl.h - the drafts of a mount as the files of this folder
 * share them.
 *
 *   file            what
 *   drafts.c        begin, end, the table of paths
 *   draft.c         one draft's life: references, attributes
 *   open.c          from a path to a draft: its base
 *   open_base.c     and that one's bytes, when they are wanted later
 *   work.c          threads that wait for the spool's disk; each draft's queue
 *   begin.c         a change begins: the entry of the spool
 *   change.c        write, truncate, set: done one after the other
 *   read.c          pieces of the spool and of the base, as one answer
 *   sync.c          fsync, close, RELEASE: what has to be sent, and when
 *   copy.c          files that the server copies
 *   list.c          listings with drafts in them
 *   tell.c          counting, describing, waiting for all
 *
 *   send/           to the server (send.h)
 *     send.c        the queue: who is next
 *     look.c        what stands there, if nobody knows it
 *     flight.c      one try to send one draft, step by step
 *     send_bytes.c  what is missing of its base is brought
 *     land.c        what the server said, and what follows
 *     fail.c        and if it said no
 *     ahead.c       a new file is sent while it is written
 *     tries.c       what each try sends is noted before
 *     own.c         a conflict with what an earlier try of ours put there
 *     again.c       what failed: pauses, and trying again
 *     late.c        the server is silent, and somebody writes on
 *     leftover.c    temporary names that stay on the server
 *     adopt.c       what earlier mounts left
 *
 *   names/          changes of names (names.h)
 *     names.c       who may change names now, and what they touch
 *     directory.c   mkdir, rmdir
 *     unlink.c      unlink
 *     rename.c      rename, step by step:
 *     rename_first.c  what is sent before
 *     rename_there.c  the server
 *     rename_here.c   what follows of drafts and their entries
 *     keep_base.c   what is removed while somebody reads it
 *
 *   worn/           mode and time that no server keeps
 *     worn.c        which they are, and how long they are believed
 *     worn_tree.c   the names of which something is worn
 *
 * One lock, drafts_lock, never held over I/O or a call to another folder that
 * is not marked "never waits". What follows from a change made under it is
 * done after it was left.
 */
#ifndef CACHE_DRAFTS_IMPL_H
#define CACHE_DRAFTS_IMPL_H

#include "base/attr.h"
#include "base/ident.h"
#include "base/list.h"
#include "base/path.h"
#include "base/sync.h"
#include "cache/cache.h"
#include "cache/drafts/drafts.h"
#include "cache/drafts/send/sender.h"
#include "cache/drafts/work.h"
#include "cache/spool/spool.h"
#include "fetch/change.h"
#include "fetch/fetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	DRAFTS_BUCKETS = 1024,
	DRAFTS_THREADS = 8, /* that wait for the spool's disk: an fsync is slow,
	                       and others want to write meanwhile */
	DRAFTS_SENDING_MAX =
	    32, /* at once, of all files; of one user as many */
	DRAFTS_AGAIN_FIRST_MS = 1000,     /* the first pause; doubled ... */
	DRAFTS_AGAIN_MAX_MS = 300 * 1000, /* ... up to this */
};

/* What a draft began from, or what we made of it since. */
struct base {
	bool known;  /* false: no token may look; an entry of the spool says so
	                with size 0, mtime -1 and no ETag */
	bool exists; /* false: there was no such file */
	struct fetch_version version;
	struct cache_file *file; /* its bytes; NULL: none are wanted, or not
	                            opened yet (draft_open_base()). Once it
	                            is set it stays: reads go on */
};

/*
 * A change runs only while the draft is at rest, and it stays at rest until
 * that has ended: whoever wants it sent comes through the draft's queue
 * (draft_send()) or is a work in it. So the sender has the entry to itself from
 * DRAFT_QUEUED on.
 *
 * But for one whose answer is late (send/late.c): no byte of it is read again,
 * so those who write go on; it lands in its turn, between two changes, and
 * what was written since is sent after that. What is sent never overtakes
 * what was sent before.
 */

enum draft_sending {
	DRAFT_AT_REST,
	DRAFT_QUEUED,  /* wants to be sent */
	DRAFT_FILLING, /* its base is brought */
	DRAFT_SENDING, /* the server takes it; nobody changes it */
	DRAFT_LATE,    /* fetch has all of it, and the server is silent: bytes
	                  may change, names not */
};

/* A file of the cache under an earlier path, closed with its draft. */
struct past {
	struct list in; /* draft.pasts */
	struct cache_file *file;
};

struct ahead;

struct draft {
	struct drafts *drafts;
	struct list in;     /* the bucket of the table, while it has its path */
	struct list turn;   /* in one of the sender's turns or drafts.again */
	unsigned refs;      /* handles, work, the sender; the table's */
	bool held;          /* by the table: it is unsent (draft_settle()) */
	unsigned writers;   /* opens without draft_done() */
	bool used;          /* draft_done() */
	struct ident ident; /* whose; the last who wrote */
	char *path;         /* the mount's */
	uint64_t number;    /* cache_attr.version */
	uint64_t was;       /* the cache's version that it began from; 0 */
	struct base base;
	struct spool_entry *entry; /* NULL before the first change; then the
	                              same to the draft's end */
	uint64_t size_bytes;       /* as its writers see it */
	uint32_t mode;             /* as of draft_attr; 0: not set */
	bool has_mtime;            /* set by hand; else of the last write */
	int64_t mtime_s;
	uint32_t mtime_ns;
	bool created;       /* no server has had it under this name yet */
	bool changed;       /* since it was sent last: from its opening on when
	                      that creates it or cuts it to nothing */
	bool adopted;       /* an earlier mount may have sent it */
	bool perhaps;       /* a try of which nobody saw the end may have put it
	                       under its name */
	bool blank;         /* created or cut to nothing, never written since */
	bool kept;          /* the cache has been given these bytes */
	bool gone;          /* unlinked or replaced: is never sent */
	bool parted;        /* a conflict: it has its path no more */
	bool seized;        /* a change of names has it (names.h) */
	bool closing_waits; /* `closing` is in the queue */
	bool elsewhere;     /* it is sent with what its user has in other
	                       processes: the one that closed it had no good
	                       token */
	struct seat *seat;  /* of that, while its base is kept (keep_base.c) */
	struct list queue;  /* of struct work, in order */
	struct work *running; /* one of them is on a thread */
	enum draft_sending sending;
	struct flight *flight;  /* FILLING, SENDING */
	struct ahead *ahead;    /* it is sent while it is written */
	bool ahead_decided;     /* whether that is begun */
	uint64_t call;          /* of fetch_publish(), to cancel it; 0: none */
	bool giving_way;        /* a change waits: it was cancelled for that, */
	uint64_t giving_way_ms; /* or is waited for since then */
	struct list waiters;    /* of struct waiter */
	int code;               /* of the last try */
	unsigned tries;
	uint64_t failed_at;  /* sender.failures of the last; 0 */
	uint64_t again_ms;   /* when it is tried again; 0: not by itself */
	uint64_t sent_bytes; /* of the sending that goes on */
	struct work closing; /* sync.c: draft_done() */
	struct work ending;  /* draft.c: nobody has it any more */
	struct list pasts;   /* of struct past: base.file under earlier paths,
	                        from which somebody may read still */
};

struct worn_table;
struct flight;
struct seat;

struct drafts {
	struct drafts_config config; /* its texts are the two below */
	char *origin;
	char *source_path;
	uint64_t seed; /* random: numbers of drafts */
	pthread_mutex_t mutex;
	pthread_cond_t quiet; /* drafts_stop(): a sending or a work ended */
	struct list buckets[DRAFTS_BUCKETS] GUARDED_BY(drafts_lock);
	unsigned count GUARDED_BY(drafts_lock);
	struct list ready GUARDED_BY(drafts_lock); /* of struct work */
	struct worker workers[DRAFTS_THREADS];
	unsigned worker_count;
	struct list idle GUARDED_BY(drafts_lock); /* of struct worker: first who
	                                             fell asleep last */
	/* Whom drafts_lock_leave() wakes, when the lock is free: who is woken
	 * before would fall asleep again at once. */
	struct worker *called[DRAFTS_THREADS] GUARDED_BY(drafts_lock);
	unsigned called_count GUARDED_BY(drafts_lock);
	unsigned awake GUARDED_BY(drafts_lock); /* workers, or called */
	atomic_uint waking;                     /* threads that are at that */
	bool stopping GUARDED_BY(drafts_lock);
	bool ended GUARDED_BY(drafts_lock); /* the workers are to go */
	bool names_beginning GUARDED_BY(drafts_lock);
	unsigned busy GUARDED_BY(drafts_lock);     /* works added, not done */
	struct sender *sender;                     /* send.h */
	struct list again GUARDED_BY(drafts_lock); /* of struct draft */
	unsigned sending_count GUARDED_BY(drafts_lock);
	uint64_t conflicts GUARDED_BY(drafts_lock);
	struct list flushes GUARDED_BY(drafts_lock); /* tell.c */
	struct list names GUARDED_BY(drafts_lock);   /* names.c, in order */
	struct worn_table *worn; /* with a lock of its own inside drafts_lock */
};

/* ---- drafts.c: the lock and the table ---- */

void drafts_lock_enter(struct drafts *drafts) ACQUIRES(drafts_lock);
void drafts_lock_leave(struct drafts *drafts) RELEASES(drafts_lock);

/* The server's path of a mount's path. @retval -ENAMETOOLONG */
NODISCARD int drafts_server_path(
    const struct drafts *drafts, char out[PATH_BYTES_MAX], const char *path);

/* Where drafts of a path are. */
struct list *drafts_bucket(struct drafts *drafts, const char *path)
    REQUIRES(drafts_lock);

/* The draft that has this path for `uid` (any, unless the mount is shared). */
struct draft *drafts_at(struct drafts *drafts, uid_t uid, const char *path)
    REQUIRES(drafts_lock);

/* Each draft at or below a path; not 0 ends it. */
int drafts_below(struct drafts *drafts, const char *path,
    int (*each)(void *arg, struct draft *draft), void *arg)
    REQUIRES(drafts_lock);

/* ---- draft.c ---- */

/* A new draft with one reference, in the table: unchanged, of the base's size
 * and time. Who makes it something else calls draft_settle(). `base` is taken
 * on success. NULL: out of memory. */
struct draft *draft_new(struct drafts *drafts, const struct ident *ident,
    const char *path, struct base *base) REQUIRES(drafts_lock);

/* `changed`, `gone` or `parted` are others: the table holds what is unsent and
 * has its path. May let go of a reference: have one. */
void draft_settle(struct draft *draft) REQUIRES(drafts_lock);

/* It has its path no more: nobody finds it. Its handles keep it. */
void draft_part(struct draft *draft) REQUIRES(drafts_lock);

/* It has another path, which is taken; its old one is free. */
void draft_move(struct draft *draft, char **path) REQUIRES(drafts_lock);

/* References under the lock. The last one ends it later, on a work thread:
 * what was sent goes to the cache (cache_keep(), worn_take()) and out of the
 * spool, so does what is `gone`; of what is unsent the entry is let go. */
void draft_hold(struct draft *draft) REQUIRES(drafts_lock);
void draft_let_go(struct draft *draft) REQUIRES(drafts_lock);

/* Who wrote or opened it last: it is sent as them. */
void draft_asked_by(struct draft *draft, const struct ident *ident)
    REQUIRES(drafts_lock);

/* What draft_attr() tells. */
void draft_show(const struct draft *draft, struct draft_attr *out)
    REQUIRES(drafts_lock);

/* base.file, as it is now; it stays open as long as the draft lives. NULL: a
 * change of names has come between (rename_here.c), it is to be opened anew. */
struct cache_file *draft_base_file(struct draft *draft);

/* ---- open_base.c ---- */

/* Have base.file: 0 when it is there, of the version that the draft began
 * from; -ESTALE when the server has another. As `draft`'s own user; `done` is
 * called once, on any thread. The caller has a reference until then. */
void draft_open_base(
    struct draft *draft, void (*done)(void *arg, int code), void *arg);

/* ---- begin.c ---- */

/* On a work thread, in the draft's turn, at rest: have an entry that is OPEN,
 * made now or opened again, for a change that follows. It is taken out of
 * drafts.again then: whoever changes it closes it.
 * @retval -ESTALE  it has parted from its path. */
NODISCARD int draft_begin_change(struct draft *draft, struct err *err);

/* ---- sync.c ---- */

/* Behind what its queue has: finish what is OPEN, and want it sent. The waiter
 * (may be NULL) hears how that ended, 0 of what is not unsent. For all but a
 * work of the draft's own queue: again.c, tell.c, rename_first.c, adopt.c. Any
 * thread, never waits. @retval -ENOMEM  the waiter was not taken. */
NODISCARD int draft_send(struct draft *draft, struct waiter *waiter);

/* ---- tell.c ---- */

/* drafts_stop(): whoever waits for all hears -ECANCELED. */
void flushes_stop(struct drafts *drafts);

/* ---- worn/worn.c ---- */

struct worn_table *worn_new(void);
void worn_free(struct worn_table *table);

/* A draft was sent and ends: its mode and time are known for the version that
 * the server has now, of which `number` is cache_attr.was (or .version).
 * Called under drafts_lock, as it leaves the table. */
void worn_take(struct drafts *drafts, const char *path, uint64_t number,
    const struct draft_attr *attr);
void worn_move(struct drafts *drafts, const char *from, const char *to);
void worn_forget(struct drafts *drafts, const char *path);

#endif
