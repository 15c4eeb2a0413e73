/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/open_base.c - the bytes that a draft begins from, when nobody
 * has opened them yet: see impl.h.
 */
#include "cache/drafts/impl.h"
#include "cache/note.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct basing {
	struct draft *draft; /* the caller's reference */
	void (*done)(void *arg, int code);
	void *arg;
};

static void has_base(
    void *arg, int code, struct cache_file *file, const struct cache_attr *attr)
{
	struct basing *basing = arg;
	struct draft *draft = basing->draft;
	struct fetch_version version;

	(void)attr;
	if (code == -ENOENT || code == -EISDIR)
		code = -ESTALE;
	if (code == 0) {
		cache_file_version(file, &version);
		drafts_lock_enter(draft->drafts);
		if (!fetch_version_equal(&version, &draft->base.version))
			code = -ESTALE;
		else if (draft->base.file == NULL)
			draft->base.file = STEAL(file);
		drafts_lock_leave(draft->drafts);
	}
	if (file != NULL)
		cache_close(file);
	basing->done(basing->arg, code);
	free(basing);
}

void draft_open_base(
    struct draft *draft, void (*done)(void *arg, int code), void *arg)
{
	struct basing *basing = malloc(sizeof(*basing));
	char path[PATH_BYTES_MAX];
	struct ident ident;
	bool there;
	bool known;

	drafts_lock_enter(draft->drafts);
	there = draft->base.file != NULL;
	known = draft->base.known && draft->base.exists;
	ident = draft->ident;
	(void)snprintf(path, sizeof(path), "%s", draft->path);
	drafts_lock_leave(draft->drafts);
	if (there || !known || basing == NULL) {
		free(basing);
		done(arg, there ? 0 : known ? -ENOMEM : -ESTALE);
		return;
	}
	*basing = (struct basing){.draft = draft, .done = done, .arg = arg};
	cache_open(draft->drafts->config.cache, &ident, path, has_base, basing);
}
