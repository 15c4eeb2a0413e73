/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/unsent.h - what lies in a spool: listed, looked after when its
 * owner died, taken by a command, moved out.
 *
 * Threads and errors as in cache/spool/spool.h; all of it may wait for the
 * disk, but for what is marked.
 */
#ifndef CACHE_SPOOL_UNSENT_H
#define CACHE_SPOOL_UNSENT_H

#include "base/attr.h"
#include "base/err.h"
#include "cache/spool/spool.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** Which entries are meant. */
struct spool_filter {
	bool any_uid;
	uid_t uid;
	const char *origin; /* NULL: any */
	const char *below;  /* path; NULL: any */
	uint64_t serial;    /* 0: any */
};

/** What helps. */
enum spool_cure {
	SPOOL_CURE_WAIT,    /* its process is at it */
	SPOOL_CURE_FLUSH,   /* sending it (again) */
	SPOOL_CURE_DECIDE,  /* another name, or over the server's version */
	SPOOL_CURE_LOOK,    /* taking it out as a file, and looking */
	SPOOL_CURE_BY_HAND, /* nothing of ours, or of another version: look at
	                       the place */
};

/** An entry as it is told of. */
struct spool_item {
	uint64_t serial; /* names it for ever; order of creation */
	enum spool_kind kind;
	enum spool_state state;
	enum spool_from from;
	enum spool_cure cure;
	bool busy; /* a living process has it */
	uid_t uid;
	struct spool_attr attr;
	struct spool_version base; /* its etag is in the texts */
	uint64_t missing_bytes;    /* of the base, not HERE */
	uint64_t disk_bytes;
	uint64_t since_s; /* begun */
	uint64_t when_s;  /* of the state */
	int code;         /* why not sent; 0: no failure */
	struct spool_try tries[SPOOL_TRIES_MAX]; /* oldest first */
	unsigned try_count;
	char *text[SPOOL_TEXTS]; /* owned; never NULL */
	char place[64];          /* file name below the spool */
};

/** Free the texts. */
void spool_item_fini(struct spool_item *item);

/** A copy of what is known of an open entry. Never waits.
 *  @retval 0, -ENOMEM; spool_item_fini() after 0. */
NODISCARD int spool_item_of(
    const struct spool_entry *entry, struct spool_item *out);

/** What spool_list() calls; the item is borrowed. Not 0 ends the listing. */
typedef int (*spool_item_fn)(void *arg, const struct spool_item *item);

/** Everything there is, in order of creation; what cannot be understood is
 *  among it (SPOOL_DAMAGED, for any origin and path). Changes nothing.
 *  @retval 0, what `each` returned, -ENOMEM, -errno of the directory. */
NODISCARD int spool_list(struct spool *spool, const struct spool_filter *filter,
    spool_item_fn each, void *arg, struct err *err);

/** What spool_adopt() gives; owned by the callee, not 0 ends it. */
typedef int (*spool_entry_fn)(void *arg, struct spool_entry *entry);

/**
 * Look after what the dead left: what is to be sent (CLOSED, SENDING, FAILED
 * become CLOSED) is given to `each` in order of creation; what was OPEN is
 * put ASIDE (fsync); what was half removed goes; the name on the server under
 * which one was being sent becomes an entry and is given in front of it. May
 * be killed and done again at any point.
 *
 * @retval 0, what `each` returned, -ENOMEM, -errno of the directory. What
 *         fails for one entry is logged and does not keep the others.
 */
NODISCARD int spool_adopt(struct spool *spool,
    const struct spool_filter *filter, spool_entry_fn each, void *arg,
    struct err *err);

/** Take one entry by number, in any state but DAMAGED, for a command.
 *  @retval -ENOENT    there is none.
 *  @retval -EBUSY     a living process has it.
 *  @retval -EBADMSG   DAMAGED. */
NODISCARD int spool_take(struct spool *spool, uint64_t serial,
    struct spool_entry **out, struct err *err);

/** The name under which an entry was being sent becomes an entry of its own,
 *  SPOOL_TEMPORARY (fsync). @param out  owned; NULL: it has none.
 *  @retval 0, as spool_create(): it has it still */
NODISCARD int spool_split_part(
    struct spool_entry *entry, struct spool_entry **out, struct err *err);

/** Bytes that a user's entries occupy. @retval 0, -errno */
NODISCARD int spool_used(
    struct spool *spool, uid_t uid, uint64_t *bytes, struct err *err);

/**
 * Move an unsent file out of the spool, as a plain file below a directory, by
 * its path: for a batch slot that is wiped. Durable in its new place before it
 * goes here (fsync). The entry is consumed on success, NULL then. A file of
 * which bytes of the base are missing gets the name NAME.partial and beside it
 * NAME.ranges, lines of "offset size" that tell what is there. A name that is
 * taken gets the entry's number behind it.
 *
 * @param dir  made when missing.
 * @param out  the name it got, relative to `dir`.
 * @retval -EBADF   no file.
 */
NODISCARD int spool_export(struct spool_entry **entry, const char *dir,
    char out[SPOOL_TEXT_BYTES_MAX + 32], struct err *err);

#endif
