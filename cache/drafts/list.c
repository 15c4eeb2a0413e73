/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/list.c - a directory's listing with the drafts in it: new files,
 * and those that are written with their size and time of now.
 *
 * The cache lists first, then drafts are put over that. What was sent between
 * the two would be in neither; so it stays in the table while it is held.
 */
#include "cache/drafts/impl.h"
#include "cache/note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Entries to be put over a listing; their names are copies. */
struct overs {
	const struct ident *ident;
	const char *path;
	struct cache_over *over;
	size_t count;
	size_t room;
};

static int grow(struct overs *overs)
{
	size_t room = overs->room == 0 ? 8 : 2 * overs->room;
	struct cache_over *over;

	if (overs->count < overs->room)
		return 0;
	over = reallocarray(overs->over, room, sizeof(*over));
	if (over == NULL)
		return -ENOMEM;
	overs->over = over;
	overs->room = room;
	return 0;
}

/* The name of what lies in a directory; NULL: it lies deeper, or is it. */
static const char *name_in(const char *path, const char *directory)
{
	size_t bytes = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
	const char *name = path + bytes + 1;

	/* The path is within the directory. */
	if (path[bytes] == '\0' || *name == '\0' || strchr(name, '/') != NULL)
		return NULL;
	return name;
}

/* Its name in a directory, as somebody sees it; NULL: it is not there. */
static const char *name_seen(const struct draft *draft,
    const struct ident *ident, const char *directory) REQUIRES(drafts_lock);
static const char *name_seen(
    const struct draft *draft, const struct ident *ident, const char *directory)
{
	if ((!draft->changed && !draft->base.exists) ||
	    (draft->drafts->config.shared && draft->ident.uid != ident->uid))
		return NULL;
	return name_in(draft->path, directory);
}

static int take(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int take(void *arg, struct draft *draft)
{
	struct overs *overs = arg;
	const char *name = name_seen(draft, overs->ident, overs->path);
	struct draft_attr attr;
	struct cache_over *over;

	if (name == NULL)
		return 0;
	if (grow(overs) < 0)
		return -ENOMEM;
	over = &overs->over[overs->count];
	over->name = strdup(name);
	if (over->name == NULL)
		return -ENOMEM;
	draft_show(draft, &attr);
	over->attr = attr.attr;
	overs->count++;
	return 0;
}

struct cache_listing *drafts_list(struct drafts *drafts,
    const struct ident *ident, const char *path, struct cache_listing *listing)
{
	struct overs overs = {.ident = ident, .path = path};
	struct cache_listing *out = listing;
	int code;

	drafts_lock_enter(drafts);
	code = drafts_below(drafts, path, take, &overs);
	drafts_lock_leave(drafts);
	if (code < 0 || overs.count > 0) {
		out = code < 0 ? NULL
		               : cache_listing_over(drafts->config.cache,
		                     listing, overs.over, overs.count);
		cache_listing_put(listing);
	}
	for (size_t i = 0; i < overs.count; i++)
		free((char *)(uintptr_t)overs.over[i].name);
	free(overs.over);
	return out;
}

/* ---- what is about to be listed ---- */

struct drafts_held {
	struct drafts_held *next;
	struct draft *draft; /* a reference */
};

struct holding {
	const struct ident *ident;
	const char *path;
	struct drafts_held *held;
};

static int hold(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int hold(void *arg, struct draft *draft)
{
	struct holding *holding = arg;
	struct drafts_held *held;

	if (name_seen(draft, holding->ident, holding->path) == NULL)
		return 0;
	held = malloc(sizeof(*held));
	if (held == NULL)
		return -ENOMEM;
	draft_hold(draft);
	*held = (struct drafts_held){.next = holding->held, .draft = draft};
	holding->held = held;
	return 0;
}

int drafts_hold_listed(struct drafts *drafts, const struct ident *ident,
    const char *path, struct drafts_held **out)
{
	struct holding holding = {.ident = ident, .path = path};
	int code;

	drafts_lock_enter(drafts);
	code = drafts_below(drafts, path, hold, &holding);
	drafts_lock_leave(drafts);
	if (code < 0)
		drafts_held_put(holding.held);
	else
		*out = holding.held;
	return code;
}

void drafts_held_put(struct drafts_held *held)
{
	while (held != NULL) {
		struct drafts_held *next = held->next;

		draft_put(held->draft);
		free(held);
		held = next;
	}
}
