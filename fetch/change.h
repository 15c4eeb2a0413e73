/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/change.h - changing things on the server: files are published whole,
 * directories are made and removed, things are moved and copied.
 *
 * With fetch.h what others may include of this folder. A change goes to the
 * origin, never to a cache, and is answered exactly once, on the fetch thread
 * (or, without memory and after fetch_stop(), before the question returns).
 * Refused tokens, redirects, lost connections and busy servers are lived with
 * as for reads; an answer that was lost is made up for by looking at what the
 * server has. What is answered is final: the caller keeps the bytes until
 * then, and after a failure.
 *
 * What goes wrong has an errno of the manual and a sentence:
 *
 *   -EACCES, -EKEYREJECTED, -EKEYEXPIRED, -ENOKEY   of the token
 *   -ENOENT      not there, or the directory it is to be in is not
 *   -EEXIST      it was to be new, and is there
 *   -ESTALE      it is not the version any more that was to be replaced
 *   -EISDIR, -ENOTDIR, -ENOTEMPTY   what is there is something else
 *   -EBUSY       locked, or somebody writes it (423)
 *   -EDQUOT      no space, or no quota left (507)
 *   -EFBIG       larger than the server takes (413)
 *   -EINVAL      a name that this server cannot carry
 *   -ENOTSUP     the server has no such method
 *   -EIO         an answer that is none; what came to stand there is not what
 *                was sent
 *   -ETIMEDOUT, -EHOSTUNREACH   no server, or one without an answer
 *   -ECANCELED, -ENOMEM
 *
 * Threads: every function may be called from any thread.
 * Sources: RFC 9110 sections 9.3.4, 9.3.5, 13.1; RFC 4918 section 9; how
 * servers break them: ARCHITECTURE.md, "A file is published whole".
 */
#ifndef FETCH_CHANGE_H
#define FETCH_CHANGE_H

#include "base/path.h"
#include "fetch/fetch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The bytes of a file that is sent. */
struct fetch_bytes {
	uint64_t size_bytes; /* of a file that grows: so far */
	bool grows;          /* it is sent while it is written: fetch_grown() */
	/** Give bytes from an offset: at least one, at most `size_bytes`;
	 *  of a file that grows none behind what was told of it. Called in
	 *  any order and again from the start, on one thread at a time.
	 *  @param nowait  the thread may wait for no disk: -EAGAIN where it
	 *                 would have to
	 *  @return how many, or a negative errno, which ends the change (but
	 *          for that one) */
	int64_t (*read)(void *arg, uint64_t offset_bytes, void *out,
	    size_t size_bytes, bool nowait);
	/** Exactly once, when nobody reads any more; any thread, perhaps
	 *  after the answer. */
	void (*release)(void *arg);
	void *arg;
};

/** What must be true of the file that is replaced. */
enum fetch_condition {
	FETCH_IF_ANY,    /* nothing: last writer wins */
	FETCH_IF_ABSENT, /* there is none */
	FETCH_IF_SAME,   /* it is `version` still */
};

/** How sure it is that the server has what was sent. */
enum fetch_proof {
	FETCH_UNVERIFIED, /* it said yes to exactly so many bytes; no token may
	                     look */
	FETCH_SIZE,       /* and tells that size */
	FETCH_CHECKSUM,   /* and tells the checksum of these bytes */
};

struct fetch_publish {
	const struct ident *ident; /* copied */
	const char *path;          /* copied; the server's path */
	struct fetch_bytes bytes;  /* taken over, also on failure */
	enum fetch_condition condition;
	const struct fetch_version *version; /* copied; of FETCH_IF_SAME */
	int64_t mtime_s; /* seconds since 1970 that the file is to show; -1:
	                    whatever the server makes it. `version` of the
	                    answer tells what came of it: of the servers known
	                    only nginx takes one */
	const char *temporary; /* copied; of fetch_temporary(), NULL or "": one
	                          that nobody has noted */
};

/** What has become of it; told after failures too. */
struct fetch_published {
	bool sent; /* the server said yes to the bytes, under the file's own
	              name */
	/** It failed, and nothing has the name now: the old version had to be
	 *  removed before the new one could be given it (a cluster), or the
	 *  server says that it has done what it has not. */
	bool removed;
	enum fetch_proof proof;
	/** The file now; mtime -1 where no token may look. After a failure
	 *  that is a conflict, the one that is in the way, if it was seen. */
	struct fetch_version version;
	bool version_known;
	/** A temporary name that could not be removed, or that was not there
	 *  and may come yet, since nobody saw the end of an upload; borrowed
	 *  for the call, "": none. It stays hidden (fetch_is_temporary()); remove it with
	 *  fetch_delete() when a token allows. */
	const char *leftover;
};

typedef void (*fetch_published_fn)(void *arg, int code,
    const struct fetch_published *published, const struct err *err);

/**
 * Put a file on the server so that at each moment whoever looks sees the old
 * one or the new one, whole.
 *
 * Where the server's PUT does not do that, and where only a MOVE can keep
 * what is there, the bytes go under a temporary name beside it first. One
 * exception: a token that may only create cannot MOVE; the file is then sent
 * under its own name (it is new, so no old one can suffer), and what is there
 * already is -EEXIST.
 *
 * The condition is the server's to keep where it does (Apache, and nginx for
 * FETCH_IF_ABSENT); elsewhere it is compared by looking just before.
 *
 * The time that it may take is counted without progress: `timeout` since the
 * server last took bytes.
 *
 * @return a number for fetch_cancel(); never 0. (While the server computes a
 *         checksum, cancelling waits for that.)
 */
uint64_t fetch_publish(struct fetch *fetch, const struct fetch_publish *ask,
    fetch_published_fn answer, void *arg);

/**
 * A name beside `path` under which fetch_publish() may send the file first, to
 * be noted before it is given to it: who is killed in between can then tell
 * what is to be removed. A new one each time. "" where none will be used,
 * since the token does not allow it. Never waits.
 */
void fetch_temporary(struct fetch *fetch, const struct ident *ident,
    const char *path, enum fetch_condition condition, char out[PATH_BYTES_MAX]);

/**
 * A file that grows has so many bytes now; `whole`: and will have no more.
 * Those that it had before are as they were.
 *
 * It is sent as it comes, and nothing is published before it is whole: it goes
 * under a temporary name that no server has before the last byte has come, so
 * that fetch_cancel() leaves nothing. Where that cannot be (the server must be
 * told the length before, or leaves a stump of what is cut, or keeps the
 * condition at a PUT alone; the token cannot MOVE) the answer is -ENOTSUP, and
 * nothing was sent. The wait for more is not
 * counted as the server's.
 *
 * @param number  from fetch_publish(); answered already: nothing happens.
 * @retval -ENOMEM  it was not told: cancel it.
 */
NODISCARD int fetch_grown(
    struct fetch *fetch, uint64_t number, uint64_t size_bytes, bool whole);

/** An answer to what follows: 0, or an errno with a sentence. */
typedef void (*fetch_changed_fn)(void *arg, int code, const struct err *err);

/** Remove a file. That it is gone already is -ENOENT. */
void fetch_delete(struct fetch *fetch, const struct ident *ident,
    const char *path, fetch_changed_fn answer, void *arg);

/** Make a directory; -EEXIST: something is there. */
void fetch_mkcol(struct fetch *fetch, const struct ident *ident,
    const char *path, fetch_changed_fn answer, void *arg);

/**
 * Remove a directory that is empty: it is listed just before, because a
 * server's DELETE takes all that is in it. Temporary names in it go with it.
 */
void fetch_rmdir(struct fetch *fetch, const struct ident *ident,
    const char *path, fetch_changed_fn answer, void *arg);

/** What is moved, or copied, on the server. */
struct fetch_move {
	const struct ident *ident;
	const char *from;
	const char *to;
	enum fetch_kind kind; /* of `from` */
	bool replace; /* false: -EEXIST when there is something. A directory is
	                 never replaced: -EEXIST */
};

void fetch_move(struct fetch *fetch, const struct fetch_move *move,
    fetch_changed_fn answer, void *arg);

/** Of files alone; -ENOTSUP where the server cannot (XRootD's COPY is between
 *  servers). */
void fetch_copy(struct fetch *fetch, const struct fetch_move *copy,
    fetch_changed_fn answer, void *arg);

/** Whether a name is one of those under which files are sent before they have
 *  their own. Listings leave them out. */
bool fetch_is_temporary(const char *name);

#endif
