/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/begin.c - a change begins: its draft gets an entry of the spool,
 * or opens the one that it has again. See impl.h.
 */
#include "cache/drafts/impl.h"

#include <errno.h>

/* What of a draft goes into a new entry. */
struct begun {
	struct base base;
	struct ident ident;
	bool blank;
	uint32_t mode;
	bool has_mtime;
	int64_t mtime_s;
	uint32_t mtime_ns;
	int from;
	char path[PATH_BYTES_MAX];
	char credential[DRAFTS_CREDENTIAL_BYTES];
};

static int look_at(struct draft *draft, struct begun *out)
{
	struct drafts *drafts = draft->drafts;
	int code;

	drafts_lock_enter(drafts);
	out->base = draft->base;
	out->ident = draft->ident;
	out->blank = draft->blank;
	out->mode = draft->mode;
	out->has_mtime = draft->has_mtime;
	out->mtime_s = draft->mtime_s;
	out->mtime_ns = draft->mtime_ns;
	code = drafts_server_path(drafts, out->path, draft->path);
	drafts_lock_leave(drafts);
	out->from = SPOOL_FROM_DISCOVERY;
	out->credential[0] = '\0';
	if (code == 0 && drafts->config.credential != NULL)
		drafts->config.credential(drafts->config.arg, &out->ident,
		    out->path, &out->from, out->credential);
	return code;
}

static int create(
    struct draft *draft, struct spool_entry **out, struct err *err)
{
	struct drafts *drafts = draft->drafts;
	struct begun begun;
	struct spool_wish wish;
	struct spool_attr attr;
	int code = look_at(draft, &begun);

	if (code < 0)
		return err_set(err, code, "%s", err_message(code));
	wish = (struct spool_wish){
	    .kind = SPOOL_FILE,
	    .uid = begun.ident.uid,
	    .from = (enum spool_from)begun.from,
	    .origin = drafts->config.origin,
	    .path = begun.path,
	    .credential = begun.credential,
	    .base = {.exists = begun.base.exists, .mtime_s = -1},
	    .keep_base = begun.base.exists && !begun.blank,
	    .mode = begun.mode,
	};
	if (begun.base.known && begun.base.exists) {
		wish.base.size_bytes = begun.base.version.size_bytes;
		wish.base.mtime_s = begun.base.version.mtime_s;
		wish.base.etag = begun.base.version.etag;
	}
	code = spool_create(drafts->config.spool, &wish, out, err);
	if (code < 0 || !begun.has_mtime)
		return code;
	attr = spool_attr(*out);
	attr.has_mtime = true;
	attr.mtime_s = begun.mtime_s;
	attr.mtime_ns = begun.mtime_ns;
	code = spool_set(*out, &attr, err);
	if (code < 0) {
		struct err also = ERR_INIT;

		/* Nothing is lost with it. */
		(void)spool_remove(out, &also);
	}
	return code;
}

int draft_begin_change(struct draft *draft, struct err *err)
{
	struct spool_entry *entry;
	bool parted;
	int code = 0;

	drafts_lock_enter(draft->drafts);
	entry = draft->entry;
	parted = draft->parted && !draft->gone;
	drafts_lock_leave(draft->drafts);
	if (parted)
		return err_set(err, -ESTALE,
		    "the server has another version; what was written is kept "
		    "in the spool");
	if (entry == NULL) {
		code = create(draft, &entry, err);
	} else {
		enum spool_state state = spool_attr(entry).state;

		/* A flush failed: what it has is nothing to build on. */
		if (state == SPOOL_ASIDE)
			return err_set(err, -EIO,
			    "an earlier flush failed; what was written is put "
			    "aside in the spool");
		if (state != SPOOL_OPEN)
			code = spool_reopen(entry, err);
	}
	if (code < 0)
		return code;
	drafts_lock_enter(draft->drafts);
	/* Set once: who has seen it need not ask again. */
	if (draft->entry == NULL)
		draft->entry = entry;
	draft->kept = false;
	draft->again_ms = 0;
	list_remove(&draft->turn);
	drafts_lock_leave(draft->drafts);
	return 0;
}
