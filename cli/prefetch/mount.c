/* SPDX-License-Identifier: Apache-2.0 */
/* cli/prefetch/mount.c - see mount.h. */
#include "cli/prefetch/mount.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/prefetch/serve.h"
#include "cli/prefetch/talk.h"
#include "cli/prefetch/tally.h"
#include "cli/progress.h"

enum {
	FILE_EXTRA_BYTES = 4096, /* more than its bytes, on disk */
	/* Listings that are believed for less would be asked for too often. */
	RELIST_MS = 10 * 1000,
	ROOM_PERCENT = 80, /* of a cache's size: cache_room_bytes() */
};

/* A run of one mount. */
struct work {
	struct prefetch_mount *mount;
	struct tally *tally;
	struct progress bar;
	struct talk talk;
	unsigned asked; /* that are not answered */
	uint64_t done_bytes;
	uint64_t all_bytes;
	bool over; /* nothing more is asked for */
	int lost;  /* the conversation has ended: why */
	struct err err;
	const volatile sig_atomic_t *interrupted;
};

static void fail(struct work *work, size_t i, const char *name, const char *why)
{
	char path[PATH_BYTES_MAX];

	if (wanted_path(work->mount, i, true, path) < 0)
		(void)snprintf(
		    path, sizeof(path), ".../%s", work->mount->wanted[i].name);
	progress_clear(&work->bar);
	tally_fail(work->tally, path, name, why);
}

static void lose(struct work *work, int code)
{
	work->lost = code;
	work->over = true;
}

static void ask(struct work *work, const char *word, size_t i)
{
	char path[PATH_BYTES_MAX];
	int code = wanted_path(work->mount, i, false, path);

	if (code < 0) {
		fail(work, i, err_name(code), err_message(code));
		return;
	}
	code = talk_ask(&work->talk, word, i, path, &work->err);
	if (code < 0)
		lose(work, code);
	else
		work->asked++;
}

/* What holds for all that is still to come. */
static bool is_final(const char *name)
{
	static const char *const names[] = {"ENOKEY", "EKEYEXPIRED",
	    "EHOSTUNREACH", "ENOSPC", "EDQUOT", "EROFS"};

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static void take_failure(struct work *work, size_t i, const char *text)
{
	struct wanted *wanted = &work->mount->wanted[i];
	size_t name_bytes = strcspn(text, " ");
	char name[32];

	(void)snprintf(name, sizeof(name), "%.*s", (int)name_bytes, text);
	text += name_bytes;
	work->done_bytes -= wanted->there_bytes;
	wanted->there_bytes = 0;
	/* One says it for all. */
	if (!work->over)
		fail(work, i, name, text + strspn(text, " "));
	else
		work->tally->failures++;
	if (is_final(name))
		work->over = true;
}

/* A name that stands in directory `i`. */
static void take_entry(
    struct work *work, size_t i, const struct talk_line *line)
{
	struct wanted *wanted = wanted_add(work->mount, line->text);

	if (wanted == NULL) {
		(void)err_set(&work->err, -ENOMEM, "out of memory");
		lose(work, -ENOMEM);
		return;
	}
	wanted->parent = i;
	wanted->directory = line->what == 'D';
	wanted->sized = line->what != 'U';
	wanted->size_bytes = line->bytes;
}

static void take_progress(
    struct work *work, struct wanted *wanted, uint64_t bytes)
{
	work->done_bytes += bytes - wanted->there_bytes;
	wanted->there_bytes = bytes;
}

static void take_kept(
    struct work *work, struct wanted *wanted, const struct talk_line *line)
{
	take_progress(work, wanted, line->bytes);
	work->tally->kept_files++;
	work->tally->kept_bytes += line->bytes;
	work->tally->brought_bytes += line->brought;
}

/* Whether entries of a listing are news, or it is only asked for anew. */
static void take(struct work *work, const struct talk_line *line, bool news)
{
	size_t i = (size_t)line->number;
	struct wanted *wanted;

	if (line->what == '.')
		return;
	if (i >= work->mount->count) {
		(void)err_set(&work->err, -EPROTO, "an answer to no question");
		lose(work, -EPROTO);
		return;
	}
	wanted = &work->mount->wanted[i];
	if (strchr("EKX", line->what) != NULL)
		work->asked--;
	if (line->what == 'X') {
		take_failure(work, i, line->text);
	} else if (line->what == 'K') {
		take_kept(work, wanted, line);
	} else if (line->what == 'P') {
		take_progress(work, wanted, line->bytes);
	} else if (line->what != 'E' && line->text[0] != '\0') {
		if (news)
			take_entry(work, i, line);
	} else if (line->what != 'E') {
		wanted->sized = true;
		wanted->directory = line->what == 'D';
		wanted->size_bytes = line->bytes;
	}
}

/* Wait for an answer. */
static void hear(struct work *work, bool news)
{
	struct talk_line line;
	int code = talk_hear(&work->talk, &line, &work->err);

	if (*work->interrupted)
		work->over = true;
	if (code == 0)
		take(work, &line, news);
	else if (code != -EINTR)
		lose(work, code);
	if (*work->interrupted && work->lost == 0)
		lose(work, -EINTR);
}

static bool may_ask(const struct work *work)
{
	return !work->over && work->asked < PREFETCH_JOBS_MAX;
}

/* Look at what follows `next`. @return where it ended */
static size_t look_on(struct work *work, size_t next)
{
	for (; may_ask(work) && next < work->mount->count; next++) {
		if (!work->mount->wanted[next].sized)
			ask(work, "look", next);
	}
	return next;
}

/* List the directories before `end`, once their kind is known. @return where
 * it ended */
static size_t list_on(struct work *work, size_t next, size_t end)
{
	struct wanted *wanted = work->mount->wanted;

	for (; may_ask(work) && next < end &&
	     (wanted[next].sized || work->asked == 0);
	     next++) {
		if (!wanted[next].directory)
			continue;
		wanted[next].listed_ms = clock_now_ms(clock_system());
		ask(work, "list", next);
	}
	return next;
}

/* Look at what was named, and list: what is found stands behind. */
static void find_all(struct work *work)
{
	size_t looked = 0;
	size_t listed = 0;

	while (work->lost == 0 &&
	    (work->asked > 0 || (!work->over && listed < work->mount->count))) {
		looked = look_on(work, looked);
		listed = list_on(work, listed, looked);
		if (work->asked > 0 && work->lost == 0)
			hear(work, true);
	}
}

static uint64_t add_up(struct work *work)
{
	uint64_t disk_bytes = 0;

	for (size_t i = 0; i < work->mount->count; i++) {
		const struct wanted *wanted = &work->mount->wanted[i];

		if (wanted->directory || !wanted->sized)
			continue;
		work->tally->files++;
		work->all_bytes += wanted->size_bytes;
		disk_bytes += wanted->size_bytes + FILE_EXTRA_BYTES;
	}
	work->tally->bytes += work->all_bytes;
	return disk_bytes;
}

/* Its directory's listing has aged: one question for all files in it, instead
 * of one for each. */
static void list_again(struct work *work, struct wanted *directory, size_t i)
{
	uint64_t now_ms = clock_now_ms(clock_system());

	if (work->talk.ttl_ms < RELIST_MS ||
	    now_ms - directory->listed_ms < work->talk.ttl_ms)
		return;
	while (work->asked > 0 && work->lost == 0)
		hear(work, false);
	if (work->over)
		return;
	directory->listed_ms = now_ms;
	ask(work, "list", i);
	while (work->asked > 0 && work->lost == 0)
		hear(work, false);
}

static void keep_all(struct work *work)
{
	struct prefetch_mount *mount = work->mount;

	progress_begin(&work->bar, "prefetch", PROGRESS_BYTES);
	for (size_t i = 0; i < mount->count && !work->over; i++) {
		struct wanted *wanted = &mount->wanted[i];

		if (wanted->directory || !wanted->sized)
			continue;
		if (!wanted->named)
			list_again(work, &mount->wanted[wanted->parent],
			    wanted->parent);
		while (work->asked == PREFETCH_JOBS_MAX && work->lost == 0) {
			hear(work, false);
			progress_show(
			    &work->bar, work->done_bytes, work->all_bytes);
		}
		if (!work->over)
			ask(work, "keep", i);
	}
	while (work->asked > 0 && work->lost == 0) {
		hear(work, false);
		progress_show(&work->bar, work->done_bytes, work->all_bytes);
	}
	progress_clear(&work->bar);
}

/* The conversation has ended before all was said, or did not begin. */
static void tell_lost(const struct work *work)
{
	const struct mount_entry *entry = &work->mount->entry;

	if (*work->interrupted)
		tally_interrupted(work->tally, entry);
	else if (work->lost == -EPROTO || work->lost == -EACCES)
		tally_refused(work->tally, entry, &work->err);
	else if (work->lost < 0)
		tally_silent(work->tally, entry, &work->err);
}

void prefetch_mount_run(struct prefetch_mount *mount, struct tally *tally,
    const volatile sig_atomic_t *interrupted)
{
	const struct mount_entry *entry = &mount->entry;
	struct work work = {
	    .mount = mount, .tally = tally, .interrupted = interrupted};
	uint64_t disk_bytes;
	int code = talk_begin(&work.talk, entry, &work.err);

	if (code < 0) {
		lose(&work, code);
		tell_lost(&work);
		return;
	}
	if (work.talk.room_bytes == 0) {
		tally_uncached(tally, entry, work.talk.why);
		talk_end(&work.talk);
		return;
	}
	find_all(&work);
	disk_bytes = add_up(&work);
	if (!work.over && disk_bytes > work.talk.room_bytes)
		tally_too_large(tally, entry, disk_bytes, work.talk.room_bytes,
		    ROOM_PERCENT);
	else if (!work.over)
		keep_all(&work);
	tell_lost(&work);
	talk_end(&work.talk);
}
