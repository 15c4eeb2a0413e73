/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/federation.h - a Pelican federation as a source: who its director
 * names for a path, asked once when the mount starts and again by a thread of
 * its own, as federation_times.h says. A public header of this folder.
 *
 * What was told stays in force when a later question has no answer. Nothing
 * here gets a token.
 *
 * Threads: every function may be called from any thread unless it says
 * otherwise.
 * Sources: the Pelican Platform's clients and director.
 */
#ifndef FETCH_FEDERATION_H
#define FETCH_FEDERATION_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct federation;
struct fetch;
struct fetch_servers;
struct fetch_source;
struct pelican_facts;

struct federation_config {
	const struct clock *clock; /* borrowed */
	const struct fetch_source
	    *source;         /* of pelican_source_parse(); copied */
	const char *ca_file; /* trust roots; both NULL: the system's */
	const char *ca_dir;
	uint32_t timeout_ms; /* of one question */
	bool proxied;        /* the environment may name a proxy */
};

/** Nobody is asked yet. @retval 0 or -ENOMEM */
NODISCARD int federation_new(struct federation **out,
    const struct federation_config *config, struct err *err);

/**
 * Ask the federation now: its document when that is due, its director, and
 * the director once more for the origin. Blocks. Before federation_start().
 *
 * @retval 0         see federation_servers() and federation_facts().
 * @retval -ENOENT   no such federation, or no such namespace in it.
 * @retval -EPROTO   TLS: not whom it should be.
 * @return           else why there is no answer. `err` names who was asked for
 *                   what, and the cure.
 */
NODISCARD int federation_ask(struct federation *federation, struct err *err);

/** When it is to be asked again, monotonic. */
uint64_t federation_next_ms(struct federation *federation);

/** Who is asked for servers; "": the federation's host has no director and
 *  serves the objects itself; NULL: there is no document yet. As
 *  federation_facts(). */
const char *federation_director(const struct federation *federation);

/** What the director said of the namespace; NULL: nothing yet. Borrowed;
 *  before federation_start(). */
const struct pelican_facts *federation_facts(
    const struct federation *federation);

/** Which servers there are; NULL: it is not known. As federation_facts(). */
const struct fetch_servers *federation_servers(
    const struct federation *federation);

/**
 * Tell `fetch` (made with `federated`) what is known, and keep asking until
 * federation_stop(). Once.
 *
 * @retval 0, -ENOMEM, -EAGAIN (no thread)
 */
NODISCARD int federation_start(
    struct federation *federation, struct fetch *fetch, struct err *err);

/** The servers fail: ask again, soon. For fetch_config's `trouble`: `arg` is
 *  the federation. */
void federation_trouble(void *arg);

/** Ask no more: the thread ends, within a second or so. Before the fetch is
 *  freed. */
void federation_stop(struct federation *federation);

/** Free; after federation_stop(). NULL is allowed. */
void federation_free(struct federation *federation);
DEFINE_FREEP(federation, federation_free)

/** Append a JSON object with stable names (bearerfs(1), STATUS). */
int federation_describe(struct federation *federation, struct buf *out);

/** The same for a person: who said what, and when. */
int federation_describe_text(struct federation *federation, struct buf *out);

#endif
