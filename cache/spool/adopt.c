/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/adopt.c - what the dead left is looked after: entries are taken,
 * set aside, or removed to the end.
 *
 * Each step can be done again: what was set aside is found set aside, what
 * was half removed is removed.
 */
#include "base/log.h"
#include "cache/spool/files.h"
#include "cache/spool/find.h"
#include "cache/spool/impl.h"
#include "cache/spool/owners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Make an entry of what was found; `found` gives up what it has. */
static struct spool_entry *take_found(
    struct spool *spool, const struct files_name *name, struct found *found)
{
	struct spool_entry *entry =
	    entry_new(spool, name, found->journal_fd, found->data_fd);
	struct replay *replay = &found->replay;
	struct ranges here = {.list = NULL};
	int code = 0;

	if (entry == NULL)
		return NULL;
	found->journal_fd = found->data_fd = -1;
	found->owned = NULL;
	if (replay->ours.count > 0) {
		here.list = malloc(replay->ours.count * sizeof(*here.list));
		code = here.list == NULL ? -ENOMEM : 0;
	}
	if (code == 0 && replay->ours.count > 0) {
		memcpy(here.list, replay->ours.list,
		    replay->ours.count * sizeof(*here.list));
		here.count = here.room = replay->ours.count;
	}
	spool_work_enter(entry);
	entry->journal.end_bytes = replay->end_bytes;
	entry->journal.sequence = replay->sequence;
	entry->damaged = replay->noise;
	entry->durable = replay->durable && !found->changed;
	entry->disk_bytes = replay->item.disk_bytes;
	/* Whatever a dead one wrote behind it would be taken for noise. */
	if (!entry->damaged &&
	    ftruncate(entry->journal.fd, (off_t)replay->end_bytes) < 0)
		entry->damaged = true;
	spool_work_leave(entry);
	spool_facts_enter(spool);
	entry->item = replay->item;
	memset(replay->item.text, 0, sizeof(replay->item.text));
	entry->ours = replay->ours;
	replay->ours = (struct ranges){.list = NULL};
	entry->here = here;
	entry->limit_bytes = replay->limit_bytes;
	spool_facts_leave(spool);
	if (code == 0)
		return entry;
	entry_free(entry);
	return NULL;
}

/* Write down that an entry is set aside, as it was judged. */
static int write_aside(struct spool_entry *entry, struct err *err)
{
	char why[SPOOL_WHY_BYTES_MAX];
	int code_why;
	int code;

	spool_facts_enter(entry->spool);
	(void)strncpy(why, entry->item.text[SPOOL_WHY], sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	code_why = entry->item.code;
	spool_facts_leave(entry->spool);
	code = entry_enter(entry, err);
	if (code == 0 && !entry->damaged)
		code = entry_settle(entry, SPOOL_ASIDE, code_why, why, err);
	entry_leave(entry);
	return code;
}

/* What an entry's owner did not finish: the rest of its removal. */
static void finish_removal(
    const struct spool *spool, const struct files_name *gone)
{
	struct files_name data = *gone;
	char text[FILES_NAME_BYTES];

	data.kind = FILES_DATA;
	files_name(text, &data);
	if (unlinkat(spool->dir_fd, text, 0) < 0 && errno != ENOENT)
		return;
	files_name(text, gone);
	(void)unlinkat(spool->dir_fd, text, 0);
}

/* A data file, empty or not there; no bytes go with it. */
static bool no_bytes(const struct spool *spool, const char *text)
{
	struct stat about;

	if (fstatat(spool->dir_fd, text, &about, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	return S_ISREG(about.st_mode) && about.st_blocks == 0;
}

/* An entry whose maker died before its first record. Under the lock of all
 * processes it is no longer being made. */
static void remove_unborn(struct spool *spool, const struct files_name *name)
{
	struct files_name data = *name;
	struct files_name journal = *name;
	char data_text[FILES_NAME_BYTES];
	char text[FILES_NAME_BYTES];
	struct found found;
	int code;

	data.kind = FILES_DATA;
	journal.kind = FILES_JOURNAL;
	files_name(data_text, &data);
	files_name(text, &journal);
	spool_common_enter(spool);
	if (files_lock(spool->next_fd) < 0) {
		spool_common_leave(spool);
		return;
	}
	code = found_open(&found, spool, &journal, true);
	if (((code == -ENODATA && !found.busy) || code == -ENOENT) &&
	    no_bytes(spool, data_text)) {
		(void)unlinkat(spool->dir_fd, data_text, 0);
		(void)unlinkat(spool->dir_fd, text, 0);
	}
	if (code == 0 || code == -ENODATA)
		found_fini(&found);
	files_unlock(spool->next_fd);
	spool_common_leave(spool);
}

static bool is_to_send(enum spool_state state)
{
	return state == SPOOL_CLOSED || state == SPOOL_FAILED;
}

/* What an entry was being sent as is on the server still, perhaps. */
static void split(
    struct spool_entry *entry, bool meant, struct spool_entry **part)
{
	struct err err = ERR_INIT;

	if (spool_split_part(entry, part, &err) < 0)
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "temporary name left on the server, and not noted",
		    "error=%s cure=%s", LOG_TEXT(err.text),
		    LOG_TEXT("remove it there when nothing is being sent"));
	if (!meant) {
		spool_release(*part);
		*part = NULL;
	}
}

/* Is nothing to be done with it, or not by us? */
static bool is_left(const struct found *found, bool meant, bool sending)
{
	enum spool_state state = found->replay.item.state;

	if (found->busy || state == SPOOL_DAMAGED)
		return true;
	return state != SPOOL_SENT && !found->changed && !sending &&
	    !(is_to_send(state) && meant);
}

/* One entry that nobody has, and what it was being sent as (NULL: nothing).
 * @return 1: `*out` is to be given away. */
static int adopt_one(struct spool *spool, const struct files_name *name,
    const struct spool_filter *filter, struct spool_entry **part,
    struct spool_entry **out, struct err *err)
{
	struct found found;
	struct spool_entry *entry;
	enum spool_state state;
	bool changed;
	bool meant;
	bool sending;
	int code = found_open(&found, spool, name, true);

	if (code == -ENODATA) {
		bool busy = found.busy;

		found_fini(&found);
		if (!busy)
			remove_unborn(spool, name);
	}
	if (code == -ENODATA || code == -ENOENT || code == -EPERM)
		return 0;
	if (code < 0)
		return err_set(
		    err, code, "spool '%s': %s", spool->dir, err_message(code));
	state = found.replay.item.state;
	changed = found.changed;
	meant = found_meant(filter, &found.replay.item);
	sending = found.replay.begun && !found.replay.noise &&
	    found.replay.item.text[SPOOL_PART][0] != '\0';
	if (is_left(&found, meant, sending)) {
		found_fini(&found);
		return 0;
	}
	entry = take_found(spool, name, &found);
	found_fini(&found);
	if (entry == NULL)
		return err_set(
		    err, -ENOMEM, "spool '%s': out of memory", spool->dir);
	if (sending)
		split(entry, meant, part);
	if (state == SPOOL_SENT)
		return spool_remove(&entry, err);
	if (changed || !is_to_send(state) || !meant) {
		code = changed ? write_aside(entry, err) : 0;
		entry_free(entry);
		return code;
	}
	spool_facts_enter(spool);
	entry->item.state = entry->item.attr.state = SPOOL_CLOSED;
	spool_facts_leave(spool);
	spool_work_enter(entry);
	entry_leave(entry);
	*out = entry;
	return 1;
}

/* What has no journal: the rest of one that was removed or never begun, or a
 * new one that has not taken its place. */
static void clean(struct spool *spool, const struct files_name *names,
    size_t count, size_t at)
{
	bool alone = at == 0 || names[at - 1].serial != names[at].serial;
	char text[FILES_NAME_BYTES];

	if (names[at].kind == FILES_GONE)
		finish_removal(spool, &names[at]);
	else if (names[at].kind == FILES_NEW &&
	    !owners_have(spool, names[at].serial)) {
		files_name(text, &names[at]);
		(void)unlinkat(spool->dir_fd, text, 0);
	} else if (names[at].kind == FILES_DATA && alone &&
	    (at + 1 == count || names[at + 1].serial != names[at].serial))
		remove_unborn(spool, &names[at]);
}

/* Each of the two may be NULL. */
static int give(spool_entry_fn each, void *arg, struct spool_entry *part,
    struct spool_entry *entry)
{
	int code = part == NULL ? 0 : each(arg, part);

	if (entry == NULL)
		return code;
	if (code == 0)
		return each(arg, entry);
	spool_release(entry);
	return code;
}

int spool_adopt(struct spool *spool, const struct spool_filter *filter,
    spool_entry_fn each, void *arg, struct err *err)
{
	struct files_name *names;
	ssize_t count = files_all(spool, &names);
	int code = 0;

	if (count < 0)
		return err_set(err, (int)count, "spool '%s': %s", spool->dir,
		    err_message((int)count));
	for (size_t i = 0; i < (size_t)count && code == 0; i++) {
		struct spool_entry *part = NULL;
		struct spool_entry *entry = NULL;
		struct err one = ERR_INIT;

		if (names[i].kind != FILES_JOURNAL) {
			clean(spool, names, (size_t)count, i);
			continue;
		}
		code = adopt_one(spool, &names[i], filter, &part, &entry, &one);
		if (code < 0 && code != -ENOMEM) {
			log_line(LOG_LEVEL_WARN, LOG_CACHE,
			    "spool entry cannot be looked after",
			    "entry=%llu error=%s why=%s",
			    (unsigned long long)names[i].serial, err_name(code),
			    LOG_TEXT(one.text));
			code = 0;
		}
		if (code < 0) {
			*err = one;
			spool_release(part);
		} else {
			code = give(each, arg, part, entry);
		}
	}
	free(names);
	return code;
}

/* The journal of a number. @retval 0, -ENOENT, -errno */
static int find_journal(
    const struct spool *spool, uint64_t serial, struct files_name *out)
{
	struct files_name *names;
	ssize_t count = files_all(spool, &names);
	int code = count < 0 ? (int)count : -ENOENT;

	for (ssize_t i = 0; i < count && code < 0; i++) {
		*out = names[i];
		if (out->serial == serial && out->kind == FILES_JOURNAL)
			code = 0;
	}
	if (count >= 0)
		free(names);
	return code;
}

/* Take what was found, when it can be taken; `found` is given up. */
static int take_one(struct spool *spool, const struct files_name *name,
    struct found *found, struct spool_entry **out)
{
	int code = 0;

	if (found->busy)
		code = -EBUSY;
	else if (found->replay.item.state == SPOOL_DAMAGED)
		code = -EBADMSG;
	else if ((*out = take_found(spool, name, found)) == NULL)
		code = -ENOMEM;
	found_fini(found);
	return code;
}

int spool_take(struct spool *spool, uint64_t serial, struct spool_entry **out,
    struct err *err)
{
	struct files_name name;
	struct found found;
	int code = find_journal(spool, serial, &name);

	*out = NULL;
	if (code == 0)
		code = found_open(&found, spool, &name, true);
	if (code == 0)
		code = take_one(spool, &name, &found, out);
	else if (code == -ENODATA) {
		/* Not begun: as good as none. */
		found_fini(&found);
		code = -ENOENT;
	}
	if (code < 0)
		return err_set(err, code, "spool '%s', entry %llu: %s",
		    spool->dir, (unsigned long long)serial, err_message(code));
	return 0;
}
