/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/leftover.c - temporary names that an upload left on the
 * server, since no token allowed to remove them, or its process was killed:
 * noted in the spool, removed later.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cache/drafts/send/send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	LEFTOVERS_MAX = 1024, /* of a mount; the rest is the next one's */
	LEFTOVER_TICK_MAX = 4,
	/* How often it has to be absent: a server that is slow may not have
	 * begun with what was sent, and a connection that is closed does not
	 * keep it from that. */
	LEFTOVER_ABSENCES = 3,
};

struct leftover {
	struct list in;
	struct drafts *drafts;
	struct work work; /* of no draft */
	struct spool_entry *entry;
	struct ident ident;
	bool asking;
	bool late; /* of a sending of this mount: it may come yet */
	unsigned absences;
	unsigned tries;
	uint64_t again_ms;
	char path[]; /* the server's */
};

/* It is gone from the server: from the spool, too. */
static void forget(struct work *work)
{
	struct leftover *leftover = CONTAINER_OF(work, struct leftover, work);
	struct drafts *drafts = leftover->drafts;
	struct err err = ERR_INIT;

	if (spool_remove(&leftover->entry, &err) < 0)
		log_line(LOG_LEVEL_WARN, LOG_CACHE, "spool entry not removed",
		    "path=%s error=%s", LOG_TEXT(leftover->path),
		    LOG_TEXT(err.text));
	free(leftover);
	drafts_lock_enter(drafts);
	work_end_last(drafts);
	drafts_lock_leave(drafts);
}

static void deleted(void *arg, int code, const struct err *err)
{
	struct leftover *leftover = arg;
	struct drafts *drafts = leftover->drafts;
	uint64_t now_ms = clock_now_ms(drafts->config.clock);
	bool gone = code == 0;

	(void)err;
	drafts_lock_enter(drafts);
	leftover->asking = false;
	if (code == -ENOENT) {
		gone = !leftover->late ||
		    ++leftover->absences == LEFTOVER_ABSENCES;
		code = -EAGAIN;
	}
	if (gone) {
		list_remove(&leftover->in);
		leftover->work.run = forget;
		work_chore(drafts, &leftover->work);
	} else {
		uint32_t pause_ms = again_after_ms(leftover->tries++, code);

		leftover->again_ms =
		    now_ms + (pause_ms > 0 ? pause_ms : DRAFTS_AGAIN_MAX_MS);
	}
	drafts_lock_leave(drafts);
}

void leftover_tick(struct drafts *drafts, uint64_t now_ms)
{
	struct list *all = &drafts->sender->leftovers;
	struct leftover *due[LEFTOVER_TICK_MAX];
	unsigned count = 0;

	drafts_lock_enter(drafts);
	for (struct list *in = all->next;
	     in != all && !drafts->stopping && count < LEFTOVER_TICK_MAX;
	     in = in->next) {
		struct leftover *leftover =
		    CONTAINER_OF(in, struct leftover, in);

		if (leftover->asking || leftover->again_ms > now_ms)
			continue;
		leftover->asking = true;
		due[count++] = leftover;
	}
	drafts_lock_leave(drafts);
	for (unsigned i = 0; i < count; i++)
		fetch_delete(drafts->config.fetch, &due[i]->ident, due[i]->path,
		    deleted, due[i]);
}

unsigned leftover_count(struct drafts *drafts)
{
	struct list *all = &drafts->sender->leftovers;
	unsigned count = 0;

	for (struct list *in = all->next; in != all; in = in->next)
		count++;
	return count;
}

unsigned leftover_untried(struct drafts *drafts)
{
	struct list *all = &drafts->sender->leftovers;
	unsigned count = 0;

	for (struct list *in = all->next; in != all; in = in->next)
		count += CONTAINER_OF(in, struct leftover, in)->tries == 0;
	return count;
}

static int adopt(struct drafts *drafts, const struct ident *ident,
    const char *path, struct spool_entry *entry, bool late)
{
	size_t path_bytes = strlen(path) + 1;
	struct leftover *leftover = calloc(1, sizeof(*leftover) + path_bytes);
	bool full;

	if (leftover == NULL)
		return -ENOMEM;
	leftover->drafts = drafts;
	leftover->entry = entry;
	leftover->late = late;
	leftover->ident = *ident;
	leftover->again_ms =
	    clock_now_ms(drafts->config.clock) + DRAFTS_AGAIN_FIRST_MS;
	(void)memcpy(leftover->path, path, path_bytes);
	drafts_lock_enter(drafts);
	full = leftover_count(drafts) >= LEFTOVERS_MAX;
	if (!full)
		list_push(&drafts->sender->leftovers, &leftover->in);
	drafts_lock_leave(drafts);
	if (full) {
		spool_release(entry);
		free(leftover);
	}
	return 0;
}

int leftover_adopt(struct drafts *drafts, const struct ident *ident,
    const char *path, struct spool_entry *entry)
{
	return adopt(drafts, ident, path, entry, false);
}

void leftover_add(
    struct drafts *drafts, const struct ident *ident, const char *path)
{
	const struct drafts_config *config = &drafts->config;
	char credential[DRAFTS_CREDENTIAL_BYTES] = "";
	int from = SPOOL_FROM_DISCOVERY;
	struct spool_entry *entry = NULL;
	struct spool_wish wish = {.kind = SPOOL_TEMPORARY,
	    .uid = ident->uid,
	    .origin = config->origin,
	    .path = path,
	    .credential = credential};
	struct err err = ERR_INIT;
	int code;

	if (config->credential != NULL)
		config->credential(config->arg, ident, path, &from, credential);
	wish.from = (enum spool_from)from;
	code = spool_create(config->spool, &wish, &entry, &err);
	if (code == 0 && adopt(drafts, ident, path, entry, true) < 0)
		spool_release(entry); /* the next mount finds it */
	if (code < 0)
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "temporary name left on the server, and not noted",
		    "path=%s error=%s cure=%s", LOG_TEXT(path),
		    LOG_TEXT(err.text),
		    LOG_TEXT("remove it there when nothing is being sent"));
}

/* Nothing is asked any more. */
void leftover_free(struct sender *sender) UNCHECKED
{
	struct list *in;

	while ((in = list_pop(&sender->leftovers)) != NULL) {
		struct leftover *leftover =
		    CONTAINER_OF(in, struct leftover, in);

		spool_release(leftover->entry);
		free(leftover);
	}
}
