/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/pelican.h - what a Pelican federation says: its discovery document,
 * and the headers with which its director answers a question about a path
 * (who may open the namespace, and which servers have the object).
 *
 * Reading only: nothing here asks a server. A public header of this folder,
 * beside fetch.h; it needs no struct fetch.
 *
 * Both come over verified TLS from hosts that the user named, or that were
 * named by those; what stands in them is outside text all the same. URLs are
 * https, of a plain host and port, without user, and bounded. What is not so
 * is passed over; how often, and the first time why, is told in `ignored`,
 * which repeats no URL, because one may hold a secret.
 *
 * Threads: every function may be called from any thread.
 * Sources: the Pelican Platform's director and client (headers and document);
 * RFC 8288 and RFC 6249 (Link).
 */
#ifndef FETCH_PELICAN_H
#define FETCH_PELICAN_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fetch_source;

enum {
	PELICAN_HEADERS_BYTES_MAX = 64 * 1024,
	PELICAN_DOCUMENT_BYTES_MAX = 64 * 1024,
	PELICAN_SERVERS_MAX = 16, /* a director names at most 6 */
	PELICAN_DIRECTORS_MAX = 16,
	PELICAN_ISSUERS_MAX = 16,
	PELICAN_BASE_PATHS_MAX = 16,
	PELICAN_ISSUER_BYTES_MAX = 1024,
	PELICAN_PRIORITY_NONE = -1, /* behind all that have one */
	PELICAN_DEPTH_NONE = -1,
};

/** What was passed over. */
struct pelican_ignored {
	unsigned count;
	struct err first; /* text "" when there is none */
};

/** Up to so many texts, each owned. */
struct pelican_issuers {
	unsigned count;
	char *names[PELICAN_ISSUERS_MAX]; /* byte by byte as they came */
};

/** A server that has the object, or gets it. */
struct pelican_server {
	char *url;        /* of the object there; without any authz= */
	int64_t priority; /* 0 and up, lowest first; PELICAN_PRIORITY_NONE */
	int64_t depth;    /* parts of the path below the namespace, the same on
			     all servers; PELICAN_DEPTH_NONE */
};

enum pelican_strategy {
	PELICAN_STRATEGY_NONE,
	PELICAN_STRATEGY_OAUTH2,
	PELICAN_STRATEGY_VAULT
};

/** How to get a token (X-Pelican-Token-Generation). */
struct pelican_generation {
	struct pelican_issuers issuers;
	unsigned base_path_count;
	char *base_paths[PELICAN_BASE_PATHS_MAX]; /* what the scope "/" of
						     these issuers means; normal */
	uint32_t scope_depth_max;                 /* 0: not said */
	enum pelican_strategy strategy;
};

/** What a director says of a path. */
struct pelican_facts {
	char *namespace_path;  /* normal; the path that was asked is in it */
	bool token_required;   /* to read; true unless it says plainly no */
	char *collections_url; /* where to list; NULL: not at all */
	struct pelican_issuers issuers; /* whose tokens open the namespace */
	struct pelican_generation generation;
	unsigned server_count;
	struct pelican_server servers[PELICAN_SERVERS_MAX]; /* best first */
	struct pelican_ignored ignored;
};

/** An answer as it came. */
struct pelican_answer {
	const char *url;     /* that was asked, https: for relative links */
	const char *path;    /* in the federation, normal */
	const char *headers; /* lines with the status line; outside text */
	size_t headers_bytes;
};

/**
 * Read a director's answer.
 *
 * Refused is an answer of which it is not clear what it is about: a
 * malformed header line, no X-Pelican-Namespace or one that is malformed, says
 * a thing twice, or names a namespace that does not hold the path.
 *
 * Issuers and base paths go together or not at all: when anything in
 * X-Pelican-Authorization or X-Pelican-Token-Generation is malformed,
 * unusable, said twice or too much, both lists stay empty, because whom to
 * believe, and how far, is no place for a half-read list. The servers judge
 * the token then.
 *
 * Of links those with the relation "duplicate" count; of two to the same
 * server URL the better one, of too many the best.
 *
 * @param out  on success to be released with pelican_facts_fini().
 * @retval 0         read.
 * @retval -ENOMSG   it has no X-Pelican-Namespace: no director's answer.
 * @retval -EBADMSG  refused.
 * @retval -ENOMEM   out of memory.
 */
NODISCARD int pelican_facts_read(struct pelican_facts *out,
    const struct pelican_answer *answer, struct err *err);

void pelican_facts_fini(struct pelican_facts *facts);

/** A federation's document, /.well-known/pelican-configuration. URLs are
 *  without a slash at their end. */
struct pelican_federation {
	char *director_url; /* NULL: the host that was asked serves the
			       objects itself, with a director's headers */
	char *registry_url; /* namespace_registration_endpoint; NULL: none */
	char *jwks_url;     /* keys of the federation itself; NULL: none */
	unsigned director_count;
	char *directors[PELICAN_DIRECTORS_MAX]; /* all of them, when several
						   are advertised */
	struct pelican_ignored ignored;
};

/**
 * Read a discovery document. "" and null stand for nothing, unknown members
 * are passed over.
 *
 * @param out  on success to be released with pelican_federation_fini().
 * @retval 0         read.
 * @retval -EBADMSG  no JSON object, a member named twice, or a director that
 *                   is no https URL.
 * @retval -ENOMEM   out of memory.
 */
NODISCARD int pelican_federation_read(struct pelican_federation *out,
    const char *text, size_t size_bytes, struct err *err);

void pelican_federation_fini(struct pelican_federation *federation);

/** Whether a SOURCE names a federation: pelican://HOST/PATH, osdf:///PATH. */
bool pelican_is_source(const char *url);

/**
 * Take it apart. Its `origin` is "pelican://host[:port]", which names the
 * federation and is no server; osdf:// is the Open Science Data Federation.
 *
 * @retval 0        done.
 * @retval -EINVAL  as fetch_source_parse(), or no path in the federation.
 */
NODISCARD int pelican_source_parse(
    struct fetch_source *out, const char *url, struct err *err);

#endif
