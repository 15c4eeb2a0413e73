/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/impl.h - a spool and an entry as the files of this folder see
 * them.
 *
 * Locks (base/sync.h): an entry's *work* lock is held over I/O by whoever
 * changes it (entry_enter()); the spool's *common* lock, over I/O too, by
 * whoever needs what processes share; the *facts* lock never over I/O. Who
 * answers requests takes the last one only.
 */
#ifndef CACHE_SPOOL_IMPL_H
#define CACHE_SPOOL_IMPL_H

#include "base/attr.h"
#include "base/sync.h"
#include "cache/spool/files.h"
#include "cache/spool/format.h"
#include "cache/spool/journal.h"
#include "cache/spool/ranges.h"
#include "cache/spool/unsent.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* What a process may still write for a user without asking again. */
struct lease {
	uid_t uid;
	uint64_t left_bytes;
};

/* More than are sent at once. */
enum { SPARES_MAX = 64 };

/* Files without an entry (spare.h). */
struct spare {
	struct files_name name; /* of the entry that had them; no kind */
	int journal_fd;
	int data_fd;
};

/* Numbers that this process owns (owners.h), in order. */
struct owned {
	uint64_t *list;
	size_t count;
	size_t room;
};

struct spool {
	const struct clock *clock;
	uint64_t size_bytes;
	uint8_t boot[SPOOL_BOOT_BYTES];
	int dir_fd;    /* v1/ */
	int claims_fd; /* v1/claims/ */
	int next_fd;
	int owners_fd;
	unsigned awake_max; /* rest.c */
	pthread_mutex_t common;
	pthread_mutex_t facts;
	int claim_fd GUARDED_BY(spool_common_lock); /* -1: none yet */
	char claim_name[24] GUARDED_BY(spool_common_lock);
	struct lease leases[DISK_CLAIMS] GUARDED_BY(spool_common_lock);
	unsigned lease_count GUARDED_BY(spool_common_lock);
	unsigned entries GUARDED_BY(spool_facts_lock);
	unsigned awake GUARDED_BY(spool_facts_lock); /* with descriptors */
	struct spare spares[SPARES_MAX] GUARDED_BY(spool_facts_lock);
	unsigned spare_count GUARDED_BY(spool_facts_lock);
	struct owned owned GUARDED_BY(spool_facts_lock);
	char dir[PATH_MAX];
};

struct spool_entry {
	struct spool *spool;
	uint64_t serial;
	uid_t uid;
	bool file;         /* it has a data file */
	int data_fd;       /* -1: none, or at rest. Written under both locks */
	unsigned *readers; /* of data_fd, under the facts lock */
	pthread_mutex_t work;
	struct journal journal GUARDED_BY(spool_work_lock);
	uint64_t anew_bytes GUARDED_BY(spool_work_lock); /* anew.c: from here */
	uint64_t disk_bytes GUARDED_BY(spool_work_lock);
	bool limit_pending GUARDED_BY(spool_work_lock); /* to be written */
	bool cut_pending GUARDED_BY(spool_work_lock);   /* data file too long */
	bool spoilt GUARDED_BY(spool_work_lock);        /* a flush failed */
	bool damaged GUARDED_BY(spool_work_lock); /* journal not understood */
	bool dropped GUARDED_BY(spool_work_lock); /* goes with its owner */
	bool made GUARDED_BY(spool_work_lock);    /* by this process */
	bool spared GUARDED_BY(spool_work_lock);  /* files, number: a spare's */
	bool named GUARDED_BY(spool_work_lock);   /* directory flushed */
	bool durable GUARDED_BY(spool_work_lock); /* all of it is on the disk */
	struct spool_item item GUARDED_BY(spool_facts_lock);
	struct ranges ours GUARDED_BY(spool_facts_lock); /* in the journal */
	struct ranges here GUARDED_BY(spool_facts_lock); /* filled ones too */
	uint64_t limit_bytes GUARDED_BY(spool_facts_lock);
};

void spool_work_enter(struct spool_entry *entry) ACQUIRES(spool_work_lock);
void spool_work_leave(struct spool_entry *entry) RELEASES(spool_work_lock);
void spool_common_enter(struct spool *spool) ACQUIRES(spool_common_lock);
void spool_common_leave(struct spool *spool) RELEASES(spool_common_lock);
void spool_facts_enter(struct spool *spool) ACQUIRES(spool_facts_lock);
void spool_facts_leave(struct spool *spool) RELEASES(spool_facts_lock);

/* ---- entry.c ---- */

/** An entry around descriptors, which it owns from now on, and of a number
 *  that this process owns; NULL: they stay the caller's. Its facts are to be
 *  filled in. */
struct spool_entry *entry_new(struct spool *spool,
    const struct files_name *name, int journal_fd, int data_fd);

/** Close and free; the files stay. */
void entry_free(struct spool_entry *entry);

/** As spool_remove(); its files go, whatever they would be good for. */
int entry_remove(struct spool_entry **entry, struct err *err);

/** Flush data, journal, and once the directory. */
NODISCARD int entry_flush(struct spool_entry *entry, struct err *err)
    REQUIRES(spool_work_lock);

/** Put a state behind the others and make it the entry's. `why` NULL: "". */
NODISCARD int entry_state(struct spool_entry *entry, enum spool_state state,
    bool durable, int code, const char *why, struct err *err)
    REQUIRES(spool_work_lock);

/** As entry_state(), surviving the power: what it speaks of is flushed first,
 *  then the state. */
NODISCARD int entry_settle(struct spool_entry *entry, enum spool_state state,
    int code, const char *why, struct err *err) REQUIRES(spool_work_lock);

/** "spool 'DIR', entry N (PATH): WHAT: MESSAGE" */
int entry_fail(const struct spool_entry *entry, struct err *err, int code,
    const char *what);

/** Whether the journal takes records: what is pending is written first. */
NODISCARD int entry_ready(struct spool_entry *entry, struct err *err)
    REQUIRES(spool_work_lock);

/* ---- create.c ---- */

/** The first record of a journal. */
NODISCARD int entry_begun(struct journal *journal,
    const struct spool_wish *wish, uint64_t limit_bytes, uint64_t since_s);

/* ---- anew.c ---- */

/** When the journal has grown, write what it says into a new one, which takes
 *  its place whole or not at all. Without room it stays as it is. */
void entry_anew(struct spool_entry *entry) REQUIRES(spool_work_lock);

/* ---- rest.c ---- */

/** As spool_work_enter(), with its descriptors open. @retval 0, -errno: they
 *  are not, and it is the caller's to leave all the same */
NODISCARD int entry_enter(struct spool_entry *entry, struct err *err)
    ACQUIRES(spool_work_lock);

/** As spool_work_leave(). At rest it gives its descriptors up, when there are
 *  many. */
void entry_leave(struct spool_entry *entry) RELEASES(spool_work_lock);

/** The data file, for reading, whatever becomes of the entry meanwhile.
 *  @return a descriptor for entry_read_end(), -errno; -EAGAIN when that would
 *          have to be opened, and `nowait` */
NODISCARD int entry_read_begin(const struct spool_entry *entry, bool nowait);
void entry_read_end(const struct spool_entry *entry, int fd);

/** How many may have descriptors at a time, spares included. */
unsigned rest_awake_max(void);

/** Whether a failure is for want of descriptors, which is logged. Whoever
 *  writes is told -ENOSPC: there is no room for one more. */
bool rest_no_files(int code);
#define REST_NO_FILES                                                     \
	"too many files are being written at once for the limit of open " \
	"files; close some, or start it with a higher one (ulimit -n)"

/* ---- data.c ---- */

/** What was filled up from the base version is the entry's own from now on:
 *  the server may have that version no more. @retval 0, -errno: some of it is
 *  not, and counts as missing where this process is not */
NODISCARD int entry_own_filled(struct spool_entry *entry, struct err *err)
    REQUIRES(spool_work_lock);

#endif
