/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/look.c - the first step of a flight: what stands there is
 * looked at, when it is ours and nobody has told its version, or nobody could
 * look when it was opened.
 */
#include "cache/drafts/send/send.h"
#include "cache/note.h"

#include <errno.h>
#include <stdio.h>

/* The size that was sent, when nothing else of the version is known. */
static bool may_be_ours(
    const struct base *base, const struct fetch_version *version)
{
	return base->version.size_bytes == 0 ||
	    base->version.size_bytes == version->size_bytes;
}

/* What stands there now is what we put there, as far as anybody can tell, and
 * what we compare with from now on.
 * @return 0, or why it cannot be sent; 1: it is to be looked at again */
static int take_look(
    struct flight *flight, int code, const struct cache_attr *attr)
{
	struct drafts *drafts = flight->drafts;
	struct base *base = &flight->draft->base;
	struct fetch_version version;

	if (code == -EACCES || code == -EKEYREJECTED)
		return 0; /* no token may look: FETCH_IF_ANY */
	if (code == -ENOENT)
		return err_set(&flight->err, -ESTALE,
		    "the file was removed meanwhile; send it as a new one");
	if (code < 0)
		return err_set(&flight->err, code,
		    "what stands there cannot be looked at: %s",
		    err_message(code));
	if (attr->kind == CACHE_DIRECTORY)
		return err_set(&flight->err, -EISDIR,
		    "a directory has this name; give the file another one");
	/* Somebody has changed it since, or been told that it is another. */
	if (!cache_path_version(drafts->config.cache, flight->path, &version))
		return ++flight->looks < SEND_LOOKS_MAX
		    ? 1
		    : err_set(&flight->err, -EIO,
		          "what stands there changes whenever it is looked at; "
		          "try again");
	drafts_lock_enter(drafts);
	if (may_be_ours(base, &version)) {
		base->version = version;
		base->known = version_is_known(&version);
	} else {
		code = err_set(&flight->err, -ESTALE,
		    "somebody has replaced the file meanwhile; send ours "
		    "under another name, or replace it");
	}
	drafts_lock_leave(drafts);
	return code;
}

static void looked(void *arg, int code, const struct cache_attr *attr)
{
	struct flight *flight = arg;

	code = take_look(flight, code, attr);
	flight->code = code < 0 ? code : 0;
	flight_go(flight,
	    code < 0       ? flight_land
	        : code > 0 ? flight_look
	                   : flight_fill);
}

void flight_look(struct flight *flight)
{
	struct drafts *drafts = flight->drafts;
	struct draft *draft = flight->draft;
	bool given_up;
	bool look;

	drafts_lock_enter(drafts);
	given_up = flight_is_given_up(flight);
	look = draft->base.exists && !draft->base.known;
	(void)snprintf(flight->path, sizeof(flight->path), "%s", draft->path);
	flight->ident = flight_sender(draft);
	drafts_lock_leave(drafts);
	if (given_up) {
		flight_land(flight);
	} else if (!look) {
		flight_fill(flight);
	} else {
		cache_note_doubt(drafts->config.cache, flight->path);
		cache_lookup(drafts->config.cache, &flight->ident, flight->path,
		    looked, flight);
	}
}
