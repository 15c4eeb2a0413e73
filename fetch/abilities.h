/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/abilities.h - what the origin can do, of that which not every server
 * does right. A public header of this folder, beside fetch.h.
 *
 * Nothing here depends on it: reading asks for closed ranges within the file,
 * one at a time. It is for who runs the server, and for whoever wonders why.
 *
 * Threads: every function may be called from any thread; the answer comes on
 * the fetch thread.
 * Sources: RFC 9110 section 14 (ranges), RFC 9530 and RFC 3230 (checksums),
 * RFC 4918 sections 15.6 and 8.3 (getetag, hrefs), RFC 9113 (HTTP/2).
 */
#ifndef FETCH_ABILITIES_H
#define FETCH_ABILITIES_H

#include "base/attr.h"
#include "fetch/digest.h"

#include <stdint.h>

struct err;
struct fetch;
struct fetch_version;
struct ident;

enum {
	/* What was found out is believed for so long. */
	FETCH_ABILITIES_MS = 60 * 60 * 1000,
};

enum fetch_ability {
	FETCH_ABILITY_UNKNOWN, /* no answer, or a refusal; or not tried */
	FETCH_ABILITY_YES,
	FETCH_ABILITY_NO,    /* it does something else that is right */
	FETCH_ABILITY_WRONG, /* its answer breaks the rules */
};

struct fetch_abilities {
	enum fetch_ability open_range;  /* "bytes=N-" */
	enum fetch_ability past_end;    /* a range that ends behind the file */
	enum fetch_ability multi_range; /* two at once; not tried of one byte */
	enum fetch_ability checksum;    /* it tells one... */
	enum fetch_algorithm algorithm; /* ...of this kind, when YES */
	enum fetch_ability listed_etag; /* PROPFIND tells a strong ETag */
	enum fetch_ability escaped;     /* names in listings are encoded */
	enum fetch_ability http2;
	uint64_t age_ms; /* how long ago that was found out */
};

/** 0 and what was found, borrowed; or a negative errno with a sentence. */
typedef void (*fetch_abilities_fn)(void *arg, int code,
    const struct fetch_abilities *abilities, const struct err *err);

/**
 * Try the origin, with a file of at least one byte and the version that was
 * told of it: some small requests, one after the other, each once. A refusal
 * is none of the token. Answered from memory for FETCH_ABILITIES_MS.
 */
void fetch_abilities(struct fetch *fetch, const struct ident *ident,
    const char *path, const struct fetch_version *version,
    fetch_abilities_fn answer, void *arg);

#endif
