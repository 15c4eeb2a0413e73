/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/prefetch/serve.h - the mount's end of `bearerfs prefetch`: a
 * conversation with a client that says what it wants, and is told what became
 * of it.
 *
 * It begins as a request on the control socket ("prefetch"), whose connection
 * is then handed over to a thread of its own, so that long work holds no place
 * there. The client says, a line each, with a number that it chooses and
 * percent-encoded paths of the mount:
 *
 *   look N PATH    what is it?
 *   list N PATH    what is in that directory?
 *   keep N PATH    have that file on the disk
 *
 * at most PREFETCH_JOBS_MAX at a time, and is answered, in any order:
 *
 *   cache ROOM TTL      first of all: bytes for which there is room, and how
 *                       long a listing is believed, in milliseconds
 *   uncached WHY        or that nothing is kept on disk
 *   F N SIZE [NAME]     a file of that size; with a name: an entry of a listing
 *   D N [NAME]          a directory
 *   U N NAME            an entry that has to be looked at
 *   P N BYTES           so much of a file is on the disk by now
 *   K N SIZE BROUGHT    all of it is, and so much of it was not before
 *   E N                 looked at; listed to the end
 *   X N ERRNO TEXT      failed
 *   .                   still there: each second
 *
 * What is asked goes through the cache with the ident of the process at the
 * other end, as its reads of the mount would. When the client hangs up, what
 * is on its way comes to its end and nothing else is begun.
 *
 * Threads: control thread; each conversation has one.
 */
#ifndef CLI_PREFETCH_SERVE_H
#define CLI_PREFETCH_SERVE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/ident.h"

struct describe;
struct prefetch_serve;

enum {
	PREFETCH_JOBS_MAX = 128,
	PREFETCH_SESSIONS_MAX = 8, /* of a mount */
	PREFETCH_SESSIONS_OF_UID_MAX = 2,
	PREFETCH_ALIVE_MS = 1000, /* between two signs of life */
	PREFETCH_LINE_BYTES_MAX = 13 * 1024,
};

/** @retval -ENOMEM */
NODISCARD int prefetch_serve_new(struct prefetch_serve **out);

/** End all conversations; after cache_stop(), before cache_free(). NULL is
 *  allowed. */
void prefetch_serve_free(struct prefetch_serve *serve);

/**
 * Begin a conversation.
 *
 * @param mount  borrowed until prefetch_serve_free().
 * @param fd     a non-blocking connection; consumed with 0.
 * @retval 0, -EPERM (of who may not), -EUSERS (too many), -errno; with a
 *         sentence.
 */
NODISCARD int prefetch_serve_begin(struct prefetch_serve *serve,
    const struct describe *mount, const struct ident *ident, int fd,
    struct err *err);

#endif
