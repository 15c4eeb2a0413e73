/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/sync.h - the process's locks, by name and in order: the whole locking
 * design.
 *
 * A thread may take a lock only if it holds none that stands below it in
 * this list. No lock is held over a callback, a FUSE reply, or I/O that may
 * wait (the store's lock is held over pread and pwrite of tables on disk
 * readers and the writer, which may wait, and two of the spool's over what
 * changes its files; nobody who answers requests takes them).
 *
 * The capabilities are declared and never defined: clang checks them and
 * they cost nothing.
 */
#ifndef BASE_SYNC_H
#define BASE_SYNC_H

#include "base/attr.h"

extern struct capability drafts_lock; /* 0: cache/drafts/: what is unsent */
extern struct capability cache_lock;  /* 1: cache/: objects, blocks, reads */
extern struct capability walk_lock;   /* 2: cache/ahead/: walks through trees */
extern struct capability meta_lock;   /* 3: cache/paths/meta.c */
extern struct capability listing_lock; /* 4: cache/paths/listing_room.c */
extern struct capability suspect_lock; /* 5: cache/checks/suspect.c */
extern struct capability store_lock;   /* 6: cache/store*: packs and tables */
extern struct capability fetch_queue_lock;  /* 7: fetch/: calls on their way */
extern struct capability tokens_lock;       /* 8: tokens/store/store.c */
extern struct capability trust_lock;        /* 9: tokens/verify/: keys */
extern struct capability hoard_lock;        /* 10: tokens/store/hoard.c */
extern struct capability federation_lock;   /* 11: fetch/federation*: answers */
extern struct capability spool_work_lock;   /* 12: cache/spool/: an entry */
extern struct capability spool_common_lock; /* 13: cache/spool/: processes */
extern struct capability spool_facts_lock;  /* 14: cache/spool/: facts */
extern struct capability feed_lock;         /* 15: fetch/changes/feeder.c */
extern struct capability worn_lock;         /* 16: cache/drafts/worn/worn.c */

/* Not locks: held by the one thread that may do it. */
extern struct capability fuse_thread;  /* inodes, waits: fs/ */
extern struct capability fetch_thread; /* curl_multi_*: fetch/ */

#endif
