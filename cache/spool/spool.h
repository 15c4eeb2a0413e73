/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/spool.h - unsent writes on the local disk: kept until a server
 * has them, whatever becomes of the process, the disk or the machine.
 *
 * With cache/spool/unsent.h, which finds entries again, the public header of
 * this folder. A spool is a directory of one user on
 * one node; several mounts and commands use it at the same time. It holds
 * *entries*: a file that is being written, or a change of names that waits.
 * An entry belongs to the process that has it open (a lock that ends
 * with the process); others see it as busy.
 *
 *   state     what it is                            leads to
 *   OPEN      being written                         CLOSED, ASIDE
 *   CLOSED    to be sent                            OPEN, SENDING, FAILED, ...
 *   SENDING   on its way; the data may change       SENT, FAILED, CONFLICT, ...
 *   SENT      the server has it; nothing is unsent  OPEN, removed
 *   FAILED    could not be sent; is tried again     CLOSED, SENDING, OPEN
 *   CONFLICT  the server has another version        CLOSED (a person says so)
 *   ASIDE     nobody can tell whether it is to be   CLOSED (a person says so)
 *             sent
 *   DAMAGED   cannot be understood; is only listed  -
 *
 * What was still open when its process died is put ASIDE by the next who
 * looks; nothing is guessed and nothing dropped.
 *
 * It knows no server and no token: how the version of a server is compared,
 * where bytes of it come from, and what a credential is, is the caller's
 * affair. A credential is named by where it would come from.
 *
 * Waiting: functions marked *never waits* take a lock that is not held over
 * I/O and may be called by threads that answer requests. All others touch the
 * disk; fsync is among them where it is said.
 *
 * Locks and descriptors belong to the process that opened it: open a spool
 * behind the last fork.
 *
 * Threads: every function may be called from any thread; what changes one
 * entry is done one after the other.
 *
 * Errors: those of the disk as they come (-ENOSPC, -EDQUOT, -EIO, -EROFS,
 * -EACCES, ...), and what each function names; `err` has a sentence.
 */
#ifndef CACHE_SPOOL_SPOOL_H
#define CACHE_SPOOL_SPOOL_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct clock;
struct spool;
struct spool_entry;

enum {
	SPOOL_TEXT_BYTES_MAX = 4096,    /* each text of an entry, with NUL */
	SPOOL_WHY_BYTES_MAX = 512,      /* a sentence; longer ones are cut */
	SPOOL_RANGES_MAX = 1024 * 1024, /* pieces of a file written in place */
	SPOOL_JOURNAL_BYTES_MAX = 64 * 1024 * 1024, /* more than those take */
	SPOOL_BOOT_BYTES = 16,
	SPOOL_TRIES_MAX = 4, /* that are remembered of an entry */
	SPOOL_SUM_BYTES = 32,
};

#define SPOOL_FILE_BYTES_MAX ((uint64_t)1 << 60)

struct spool_config {
	const struct clock *clock; /* outlives the spool */
	const char *dir;           /* made when missing; copied */
	uint64_t size_bytes;       /* what one user's entries may occupy */
	const uint8_t *boot; /* SPOOL_BOOT_BYTES that differ after a restart of
	                        the machine; NULL: the kernel's boot_id */
};

/**
 * Open a spool.
 *
 * @retval 0         open; spool_close() ends it.
 * @retval -EACCES   belongs to another user, or others may enter it.
 * @retval -ENOTDIR, -ELOOP  something else lies at its place.
 */
NODISCARD int spool_open(
    struct spool **out, const struct spool_config *config, struct err *err);

/** NULL is allowed. Every entry was released or removed before. */
void spool_close(struct spool *spool);
DEFINE_FREEP(spool, spool_close)

/** What an entry is. Numbers are on disk. */
enum spool_kind {
	SPOOL_FILE = 1,      /* bytes for a path */
	SPOOL_MKDIR = 2,     /* a directory to make */
	SPOOL_RENAME = 3,    /* path becomes `to` */
	SPOOL_UNLINK = 4,    /* path goes */
	SPOOL_TEMPORARY = 5, /* a name on the server that is left over */
};

/** Numbers are on disk. */
enum spool_state {
	SPOOL_OPEN = 1,
	SPOOL_CLOSED = 2,
	SPOOL_SENDING = 3,
	SPOOL_SENT = 4,
	SPOOL_FAILED = 5,
	SPOOL_CONFLICT = 6,
	SPOOL_ASIDE = 7,
	SPOOL_DAMAGED = 8, /* never on disk */
};

/** Where the token would come from. Numbers are on disk. */
enum spool_from {
	SPOOL_FROM_DISCOVERY = 0, /* no name */
	SPOOL_FROM_FILE = 1,      /* an absolute path */
	SPOOL_FROM_AGENT = 2,     /* an account */
	SPOOL_FROM_CONDOR = 3,    /* an absolute path */
};

/** Texts of an entry; "" where there is none. */
enum spool_text {
	SPOOL_ORIGIN,     /* "https://host:port" */
	SPOOL_PATH,       /* on the server */
	SPOOL_TO,         /* of SPOOL_RENAME */
	SPOOL_CREDENTIAL, /* name in the sense of enum spool_from */
	SPOOL_ETAG,       /* of the version it began from */
	SPOOL_PART,       /* name on the server while it is sent there */
	SPOOL_WHY,        /* not sent, a sentence */
	SPOOL_TEXTS,
};

/** A version on the server. */
struct spool_version {
	bool exists; /* false: there was no such file */
	uint64_t size_bytes;
	int64_t mtime_s;
	const char *etag; /* "" or NULL: none */
};

struct spool_wish {
	enum spool_kind kind;
	uid_t uid; /* whose it is */
	enum spool_from from;
	const char *origin;
	const char *path;
	const char *to;         /* NULL but for SPOOL_RENAME */
	const char *credential; /* NULL: none */
	struct spool_version base;
	bool keep_base; /* SPOOL_FILE: begins with the base's bytes; else
	                   empty */
	uint32_t mode;  /* wanted, as its caller has it */
};

/**
 * Begin an entry. A file is OPEN and not yet durable; anything else is CLOSED
 * and durable when this returns (fsync).
 *
 * @param out  owned: spool_release() or spool_remove().
 * @retval -EINVAL  a text is no normal path, holds what may be a secret (user
 *                  or query in an origin), or is too long.
 * @retval -ENOSPC  full: spool_size, or the disk's reserve.
 * @retval -EBUSY   another process holds the spool's lock and does not move.
 */
NODISCARD int spool_create(struct spool *spool, const struct spool_wish *wish,
    struct spool_entry **out, struct err *err);

/** Let go of an entry; another process may take it. What is still OPEN is
 *  then put ASIDE by it. NULL is allowed. */
void spool_release(struct spool_entry *entry);

/** The entry goes for good, its data too: it was sent, or unlinked by its
 *  user. Consumed, on failure too: what could not be removed then is found
 *  by the next who looks. */
int spool_remove(struct spool_entry **entry, struct err *err);

/* ---- bytes ---- */

/**
 * Write; the entry is OPEN. On failure the file has the size it had, and
 * bytes outside of the range are as they were.
 *
 * @retval -EBADF   not a file, or not OPEN.
 * @retval -EFBIG   past SPOOL_FILE_BYTES_MAX.
 * @retval -ENOSPC  full, or more than SPOOL_RANGES_MAX pieces in place.
 * @retval -EIO     also: an earlier flush failed, so that nothing that was
 *                  written since the last good one can be relied on.
 */
NODISCARD int spool_write(struct spool_entry *entry, const void *bytes,
    size_t size_bytes, uint64_t offset_bytes, struct err *err);

/** Cut or lengthen with zeros; as spool_write(). */
NODISCARD int spool_truncate(
    struct spool_entry *entry, uint64_t size_bytes, struct err *err);

/** Where the bytes at an offset are. */
enum spool_where {
	SPOOL_HERE, /* spool_read() has them; holes read as zeros */
	SPOOL_BASE, /* they are the base version's */
	SPOOL_END,  /* behind the end of the file */
};

struct spool_piece {
	enum spool_where where;
	uint64_t size_bytes; /* how far that holds; 0 at the end */
};

/** Never waits. */
struct spool_piece spool_map(
    const struct spool_entry *entry, uint64_t offset_bytes);

/** Read what is HERE, up to the end of that piece and of the file.
 *  @return bytes; 0 where nothing is here; -EIO, ... */
NODISCARD ssize_t spool_read(const struct spool_entry *entry, void *out,
    size_t size_bytes, uint64_t offset_bytes, struct err *err);

/** The same of what is in memory. @retval -EAGAIN  the disk has to be waited
 *  for; no `err` then */
NODISCARD ssize_t spool_read_nowait(const struct spool_entry *entry, void *out,
    size_t size_bytes, uint64_t offset_bytes, struct err *err);

/** Put bytes of the base version where nothing newer is. They are HERE then,
 *  in this process: after a crash they have to be put again. Any state but
 *  SENT; failures as spool_write(). */
NODISCARD int spool_fill(struct spool_entry *entry, const void *bytes,
    size_t size_bytes, uint64_t offset_bytes, struct err *err);

/* ---- facts ---- */

/** What stat(2) wants, and what tells one content from another. */
struct spool_attr {
	enum spool_state state;
	uint64_t size_bytes;
	uint32_t mode;
	bool has_mtime; /* wanted; else the time of the last write counts */
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint64_t changes; /* grows with each write and truncate */
};

/** Never waits. */
struct spool_attr spool_attr(const struct spool_entry *entry);

/** Mode and time that the server's file should get, as far as it can. */
NODISCARD int spool_set(
    struct spool_entry *entry, const struct spool_attr *attr, struct err *err);

/** Another path, as rename(2) of an unsent file gives it; durable when the
 *  entry is (fsync). @retval -EINVAL no normal path. */
NODISCARD int spool_rename(
    struct spool_entry *entry, const char *path, struct err *err);

/** What it replaces is another version now: it was renamed over a file. Of an
 *  entry without bytes of a base; durable when the entry is (fsync). */
NODISCARD int spool_rebase(struct spool_entry *entry,
    const struct spool_version *version, struct err *err);

/* ---- states ---- */

/** Everything up to now survives the power (fsync). @retval -EIO also when an
 *  earlier one failed. */
NODISCARD int spool_sync(struct spool_entry *entry, struct err *err);

enum spool_promise {
	SPOOL_TO_KILL,  /* survives the process */
	SPOOL_TO_POWER, /* survives the machine (fsync) */
};

/**
 * OPEN, SENDING, FAILED, CONFLICT, ASIDE -> CLOSED: it is to be sent, as it is
 * now. A CLOSED one may be promised more; of a SENDING one the sending was
 * given up.
 *
 * With SPOOL_TO_KILL it is put ASIDE should the machine go down before it was
 * flushed.
 * @retval -EBADMSG  the journal is damaged: only export and remove are left.
 */
NODISCARD int spool_finish(
    struct spool_entry *entry, enum spool_promise promise, struct err *err);

/** CLOSED, SENDING, SENT, FAILED -> OPEN, for the first change and not before:
 *  what is open when its process dies is put ASIDE, changed or not. When it
 *  was promised against loss of power, that it is open again is durable before
 *  this returns (fsync): no half-changed file is taken for a finished one. */
NODISCARD int spool_reopen(struct spool_entry *entry, struct err *err);

/** Any state of a file -> OPEN, for those who have it open still: it was
 *  unlinked, or something else has its name. Nobody sends it any more; when it
 *  is released, or its process ends, it goes, and is not put ASIDE. Durable
 *  when the entry was (fsync). @retval -EBADF no file. */
NODISCARD int spool_drop(struct spool_entry *entry, struct err *err);

/** CLOSED, FAILED -> SENDING; or SENDING, begun anew.
 *  @param part     name on the server while it is sent; NULL: none. It counts
 *                  until the sending has ended: spool_sent(), spool_stop(),
 *                  spool_finish(). Of who dies before, it becomes an entry of
 *                  its own (SPOOL_TEMPORARY; spool_adopt()).
 *  @param changes  of the content that goes, for spool_sent(). */
NODISCARD int spool_sending(struct spool_entry *entry, const char *part,
    uint64_t *changes, struct err *err);

/** What one try sends: its size, and what tells its bytes from all others. */
struct spool_try {
	uint64_t size_bytes;
	bool summed;                  /* false: the size is all that is known */
	uint8_t sum[SPOOL_SUM_BYTES]; /* SHA-256 */
};

/** To be noted with the next spool_sending(), so that it is known to whoever
 *  has the entry then and finds it on the server: the last SPOOL_TRIES_MAX
 *  that are not equal, until the server's version is known (spool_sent(),
 *  spool_rebase()) or the path is another (spool_rename()). Whoever replaces
 *  the file unsent takes them over. Never waits. */
void spool_note_try(struct spool_entry *entry, const struct spool_try *one);

/** Those that are noted, oldest first. Never waits. @return how many */
unsigned spool_tries(
    const struct spool_entry *entry, struct spool_try out[SPOOL_TRIES_MAX]);

/**
 * The server has the content of `changes`, as `version`; that is what the
 * entry is compared with from now on.
 *
 * @retval 1  nothing is unsent: SENT.
 * @retval 0  it changed since and stays in its state.
 */
NODISCARD int spool_sent(struct spool_entry *entry, uint64_t changes,
    const struct spool_version *version, struct err *err);

/** The same of who sends it without touching its state; NULL: it has ended. */
NODISCARD int spool_part(
    struct spool_entry *entry, const char *part, struct err *err);

/** -> FAILED, CONFLICT or ASIDE, with an errno and a sentence; durable
 *  (fsync), its data too, and with them what it was filled up with: the server
 *  may have that version no more. */
NODISCARD int spool_stop(struct spool_entry *entry, enum spool_state state,
    int code, const char *why, struct err *err);

#endif
