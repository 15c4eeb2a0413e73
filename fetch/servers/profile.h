/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/profile.h - what a host can and cannot do, learned once from its
 * answers and not asked again with each request.
 *
 * Threads: everything on the fetch thread, but what says so.
 * Sources: measured on XRootD 5.5.3, nginx 1.22, Apache 2.4 (man page,
 * "Servers").
 */
#ifndef FETCH_SERVERS_PROFILE_H
#define FETCH_SERVERS_PROFILE_H

#include "base/attr.h"
#include "fetch/fetch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct response;

enum profile_dav {
	PROFILE_DAV_UNKNOWN,
	PROFILE_DAV_YES,
	PROFILE_DAV_NO, /* attributes by HEAD, listings from index pages */
};

enum {
	/* A host without DAV is asked once more after this: a proxy may have
	 * answered for it. */
	PROFILE_DAV_BELIEVED_MS = 10 * 60 * 1000,
	/* Refused PROPFINDs in a row after which a host that had DAV is
	 * taken to have lost it. */
	PROFILE_DAV_REFUSALS_MAX = 3,
	/* A host that was asked for a checksum and told none is asked once
	 * more after this; one that has told some, when so many in a row were
	 * missing. */
	PROFILE_DIGEST_NONE_MS = 10 * 60 * 1000,
	PROFILE_DIGEST_MISSING_MAX = 4,
};

struct profile {
	enum profile_dav dav;
	uint64_t dav_until_ms; /* of PROFILE_DAV_NO */
	unsigned dav_refusals;
	atomic_bool xrootd; /* hrefs unescaped, '?' cuts a name; see
				profile_digests_apart() */
	bool
	    times_differ; /* Last-Modified is not the time that PROPFIND tells */
	bool validates;   /* data has come with a validator */
	bool validates_not;    /* data has come without: lasting */
	atomic_bool validated; /* for other threads, as the next */
	atomic_bool has_dav;   /* PROPFIND was answered as it should be */
	atomic_int digests;    /* an algorithm and 1; 0: not known, -1: none */
	_Atomic uint64_t digest_none_ms; /* until then */
	unsigned digests_missing;
};

void profile_init(struct profile *profile);

/** Another host is asked in its place: what was learned of the first one is
 *  forgotten, but for what holds of the source (profile_data()). */
void profile_host_changed(struct profile *profile);

/** Learn what any answer shows. */
void profile_saw(struct profile *profile, const struct response *response);

/** Whether attributes are to be asked for by PROPFIND. */
bool profile_ask_dav(struct profile *profile, uint64_t now_ms);

/** A PROPFIND was answered as one should be. */
void profile_dav_works(struct profile *profile);

/** A PROPFIND was not understood, and HEAD or an index page was. */
void profile_dav_fails(struct profile *profile, uint64_t now_ms);

/**
 * Data has come with a validator of the version asked for, or without.
 *
 * Once without is for good: bytes that may be used before their range has
 * ended must never be mixed with bytes that may not.
 */
void profile_data(struct profile *profile, bool validated);

/** Whether data comes with validators, as far as is known. Any thread. */
bool profile_validates(const struct profile *profile);

/**
 * Whether a checksum is asked for by itself, and one at a time: of XRootD.
 *
 * With a range it would read the whole file before it gave the first byte.
 * And what it has not kept, 5.5.3 computes in a thread that goes on to answer
 * while the first one may still be at the same connection: a GET of a small
 * file then ends in 404, in silence, in broken TLS or in the end of the whole
 * server (measured: 400 files of 100 bytes, one after the other, end it). By
 * HEAD, one at a time and with other requests beside it, none of 4000 failed
 * (of files of a byte, one in 300 was not answered; on a machine with ten times
 * as much to do as it can, one in some 3000 ended the server); of four at a
 * time one in a hundred did. Any thread.
 */
bool profile_digests_apart(const struct profile *profile);

/** Whether to ask for a checksum by the way, with a range, because it is not
 *  known whether this host tells any. */
bool profile_ask_digest(const struct profile *profile, uint64_t now_ms);

/** A checksum that was asked for was told, or none. */
void profile_digest(struct profile *profile, const struct fetch_digest *digest,
    uint64_t now_ms);

/** As fetch_digests(). Any thread. */
enum fetch_digests profile_digests(const struct profile *profile,
    enum fetch_algorithm *algorithm, uint64_t now_ms);

/** 0, or -EINVAL for a path that this host takes for another: XRootD cuts
 *  names at a '?', however it is written. */
NODISCARD int profile_name_ok(const struct profile *profile, const char *path);

#endif
