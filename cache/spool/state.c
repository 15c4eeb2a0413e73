/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/state.c - what an entry goes through: promised, sent, stopped,
 * opened again; names and attributes.
 */
#include "base/path.h"
#include "cache/spool/impl.h"
#include "cache/spool/item.h"
#include "cache/spool/tries.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int spool_sync(struct spool_entry *entry, struct err *err)
{
	int code = entry_enter(entry, err);

	if (code == 0 && !entry->damaged)
		code = entry_ready(entry, err);
	if (code == 0)
		code = entry_flush(entry, err);
	entry_leave(entry);
	return code;
}

/* Set a text of the facts. */
static int set_text(struct spool_entry *entry, enum spool_text which,
    const char *text, struct err *err)
{
	int code;

	if (text == NULL)
		text = "";
	if (strlen(text) >= SPOOL_TEXT_BYTES_MAX)
		return entry_fail(entry, err, -EINVAL, "a text is too long");
	spool_facts_enter(entry->spool);
	code = item_text(&entry->item, which, text, strlen(text));
	if (which == SPOOL_ETAG)
		entry->item.base.etag = entry->item.text[SPOOL_ETAG];
	spool_facts_leave(entry->spool);
	return code < 0 ? entry_fail(entry, err, code, "noted") : 0;
}

int spool_finish(
    struct spool_entry *entry, enum spool_promise promise, struct err *err)
{
	enum spool_state state;
	int code = entry_enter(entry, err);

	state = spool_attr(entry).state;
	/* Its sending has ended. */
	if (code == 0 && state == SPOOL_SENDING)
		code = set_text(entry, SPOOL_PART, NULL, err);
	if (code < 0) {
		entry_leave(entry);
		return code;
	}
	if (state == SPOOL_SENT)
		code = entry_fail(entry, err, -EBADF, "closed");
	else if (promise == SPOOL_TO_POWER)
		code = entry_settle(entry, SPOOL_CLOSED, 0, NULL, err);
	else if (entry->spoilt)
		code = entry_flush(entry, err);
	/* What is on the disk already is promised still. */
	else if (state != SPOOL_CLOSED)
		code = entry_state(
		    entry, SPOOL_CLOSED, entry->durable, 0, NULL, err);
	entry_leave(entry);
	return code;
}

int spool_reopen(struct spool_entry *entry, struct err *err)
{
	enum spool_state state;
	int code = entry_enter(entry, err);

	state = spool_attr(entry).state;
	if (code < 0) {
		entry_leave(entry);
		return code;
	}
	if (!entry->file ||
	    (state != SPOOL_CLOSED && state != SPOOL_SENDING &&
	        state != SPOOL_SENT && state != SPOOL_FAILED)) {
		code = entry_fail(entry, err, -EBADF, "opened again");
		entry_leave(entry);
		return code;
	}
	code = entry_state(entry, SPOOL_OPEN, false, 0, NULL, err);
	if (code == 0 && entry->durable)
		code = entry_flush(entry, err);
	if (code == 0)
		entry->durable = false;
	entry_leave(entry);
	return code;
}

int spool_drop(struct spool_entry *entry, struct err *err)
{
	int code = entry_enter(entry, err);

	entry->dropped = true;
	if (code == 0)
		code = entry->file
		    ? entry_state(entry, SPOOL_OPEN, false, 0, NULL, err)
		    : entry_fail(entry, err, -EBADF, "dropped");
	/* What was promised is not owed any more: no half of it may be sent by
	 * whoever comes after the power was lost. */
	if (code == 0 && entry->durable)
		code = entry_flush(entry, err);
	if (code == 0)
		entry->durable = false;
	else
		entry->dropped = false;
	entry_leave(entry);
	return code;
}

int spool_sending(struct spool_entry *entry, const char *part,
    uint64_t *changes, struct err *err)
{
	enum spool_state state;
	int code = entry_enter(entry, err);

	state = spool_attr(entry).state;
	if (code == 0)
		code = state == SPOOL_CLOSED || state == SPOOL_FAILED ||
		        state == SPOOL_SENDING
		    ? set_text(entry, SPOOL_PART, part, err)
		    : entry_fail(entry, err, -EBADF, "sent");
	if (code == 0)
		code = entry_state(
		    entry, SPOOL_SENDING, entry->durable, 0, NULL, err);
	*changes = spool_attr(entry).changes;
	entry_leave(entry);
	return code;
}

int spool_part(struct spool_entry *entry, const char *part, struct err *err)
{
	char why[SPOOL_WHY_BYTES_MAX];
	enum spool_state state;
	int code_why;
	int code = entry_enter(entry, err);

	if (code == 0)
		code = set_text(entry, SPOOL_PART, part, err);
	spool_facts_enter(entry->spool);
	state = entry->item.state;
	code_why = entry->item.code;
	(void)snprintf(why, sizeof(why), "%s", entry->item.text[SPOOL_WHY]);
	spool_facts_leave(entry->spool);
	/* The state that it has, with that text. */
	if (code == 0)
		code = entry_state(
		    entry, state, entry->durable, code_why, why, err);
	entry_leave(entry);
	return code;
}

int spool_split_part(
    struct spool_entry *entry, struct spool_entry **out, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct spool_item item;
	struct spool_wish wish = {.kind = SPOOL_TEMPORARY};
	int code = spool_item_of(entry, &item);

	*out = NULL;
	if (code < 0)
		return entry_fail(entry, err, code, "looked at");
	if (item.text[SPOOL_PART][0] != '\0') {
		wish.uid = item.uid;
		wish.from = item.from;
		wish.origin = item.text[SPOOL_ORIGIN];
		wish.path = item.text[SPOOL_PART];
		wish.credential = item.text[SPOOL_CREDENTIAL];
		code = spool_create(entry->spool, &wish, out, err);
		/* Noted twice it does no harm. */
		if (code == 0 && spool_part(entry, NULL, &ignored) < 0)
			ignored.code = 0;
	}
	spool_item_fini(&item);
	return code;
}

/* What the server has becomes what the entry is compared with. */
static int set_base(struct spool_entry *entry,
    const struct spool_version *version, struct err *err)
    REQUIRES(spool_work_lock);
static int set_base(struct spool_entry *entry,
    const struct spool_version *version, struct err *err)
{
	const char *etag = version->etag == NULL ? "" : version->etag;
	struct disk_base base = {.size_bytes = htole64(version->size_bytes),
	    .mtime_s = (int64_t)htole64((uint64_t)version->mtime_s),
	    .flags = htole32(version->exists ? DISK_EXISTS : 0),
	    .etag_bytes = htole32((uint32_t)strlen(etag))};
	int code;

	if (strlen(etag) >= SPOOL_TEXT_BYTES_MAX)
		return entry_fail(entry, err, -EINVAL, "its ETag is too long");
	code = entry_ready(entry, err);
	if (code < 0)
		return code;
	code = journal_append(&entry->journal, DISK_BASE,
	    (struct journal_part[]){
	        {&base, sizeof(base)}, {etag, strlen(etag)}},
	    2);
	if (code < 0)
		return entry_fail(entry, err, code, "its journal");
	spool_facts_enter(entry->spool);
	entry->item.base.exists = version->exists;
	entry->item.base.size_bytes = version->size_bytes;
	entry->item.base.mtime_s = version->mtime_s;
	tries_forget(&entry->item);
	spool_facts_leave(entry->spool);
	return set_text(entry, SPOOL_ETAG, etag, err);
}

int spool_sent(struct spool_entry *entry, uint64_t changes,
    const struct spool_version *version, struct err *err)
{
	struct spool_attr attr;
	int code = entry_enter(entry, err);

	attr = spool_attr(entry);
	if (code == 0)
		code = set_base(entry, version, err);
	if (code == 0)
		code = set_text(entry, SPOOL_PART, NULL, err);
	if (code == 0 && attr.changes == changes &&
	    attr.state == SPOOL_SENDING) {
		code = entry_state(
		    entry, SPOOL_SENT, entry->durable, 0, NULL, err);
		code = code < 0 ? code : 1;
	}
	entry_leave(entry);
	return code;
}

int spool_stop(struct spool_entry *entry, enum spool_state state, int code_why,
    const char *why, struct err *err)
{
	int code;

	assert(state == SPOOL_FAILED || state == SPOOL_CONFLICT ||
	    state == SPOOL_ASIDE);
	code = entry_enter(entry, err);
	if (code < 0) {
		entry_leave(entry);
		return code;
	}
	/* What cannot be noted is told as missing; the state counts more. */
	if (entry_own_filled(entry, err) < 0)
		err->code = 0;
	if (set_text(entry, SPOOL_PART, NULL, err) < 0)
		err->code = 0;
	code = entry_settle(entry, state, code_why, why, err);
	entry_leave(entry);
	return code;
}

int spool_set(
    struct spool_entry *entry, const struct spool_attr *attr, struct err *err)
{
	struct disk_attr disk = {.mode = htole32(attr->mode),
	    .flags = htole32(attr->has_mtime ? DISK_HAS_MTIME : 0),
	    .mtime_s = (int64_t)htole64((uint64_t)attr->mtime_s),
	    .mtime_ns = htole32(attr->mtime_ns)};
	int code = entry_enter(entry, err);

	if (code == 0)
		code = entry_ready(entry, err);
	if (code == 0) {
		code = journal_append(&entry->journal, DISK_ATTR,
		    &(struct journal_part){&disk, sizeof(disk)}, 1);
		if (code < 0)
			code = entry_fail(entry, err, code, "its journal");
	}
	if (code == 0) {
		spool_facts_enter(entry->spool);
		entry->item.attr.mode = attr->mode;
		entry->item.attr.has_mtime = attr->has_mtime;
		entry->item.attr.mtime_s = attr->mtime_s;
		entry->item.attr.mtime_ns = attr->mtime_ns;
		spool_facts_leave(entry->spool);
	}
	entry_leave(entry);
	return code;
}

int spool_rename(struct spool_entry *entry, const char *path, struct err *err)
{
	int code;

	if (!path_is_normal(path))
		return entry_fail(entry, err, -EINVAL, "no normal path");
	code = entry_enter(entry, err);
	if (code == 0)
		code = entry_ready(entry, err);
	if (code == 0) {
		code = journal_append(&entry->journal, DISK_NAME,
		    &(struct journal_part){path, strlen(path)}, 1);
		if (code < 0)
			code = entry_fail(entry, err, code, "its journal");
	}
	if (code == 0) {
		spool_facts_enter(entry->spool);
		tries_forget(&entry->item);
		spool_facts_leave(entry->spool);
		code = set_text(entry, SPOOL_PATH, path, err);
	}
	if (code == 0 && entry->durable)
		code = entry_flush(entry, err);
	entry_leave(entry);
	return code;
}

int spool_rebase(struct spool_entry *entry, const struct spool_version *version,
    struct err *err)
{
	int code = entry_enter(entry, err);

	if (code == 0)
		code = entry->damaged
		    ? entry_fail(entry, err, -EBADMSG, "renamed")
		    : set_base(entry, version, err);
	if (code == 0 && entry->durable)
		code = entry_flush(entry, err);
	entry_leave(entry);
	return code;
}
