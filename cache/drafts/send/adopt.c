/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/adopt.c - what earlier mounts left: drafts of what is to be
 * sent, in the order in which it was begun.
 *
 * What the spool sets aside, and conflicts, it does not give: they wait for
 * their user and are listed. Of several entries of one path (of two mounts,
 * say) the later ones are *parked* until the path is free: what they are
 * compared with then tells whether they may still be sent.
 *
 * Of a mount of one user, their own entries; of a shared one, those of all
 * users: nobody knows their processes any more.
 */
#include "base/log.h"
#include "cache/drafts/send/send.h"
#include "cache/spool/unsent.h"

#include <assert.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

struct parked {
	struct list in;
	struct spool_entry *entry;
	struct ident ident;
	struct spool_item item;
	char path[]; /* the mount's */
};

enum {
	PASSWD_BYTES = 16 * 1024,
	NOBODYS_GROUP = 65534, /* of a user that the system does not know */
};

/* As whom it is sent. */
static void find_ident(
    const struct drafts *drafts, uid_t uid, struct ident *out)
{
	char text[PASSWD_BYTES];
	struct passwd passwd;
	struct passwd *found = NULL;

	if (!drafts->config.shared) {
		*out = drafts->config.owner;
		return;
	}
	/* No group opens more than it should. */
	*out = ident_of_user(uid, NOBODYS_GROUP);
	if (getpwuid_r(uid, &passwd, text, sizeof(text), &found) == 0 &&
	    found != NULL)
		out->gid = found->pw_gid;
}

/* The mount's path of a server's; NULL: it is not below the source. */
static const char *mount_path(const struct drafts *drafts, const char *path)
{
	const char *root = drafts->config.source_path;

	if (!path_is_within(path, root))
		return NULL;
	if (strcmp(root, "/") != 0)
		path += strlen(root);
	return *path == '\0' ? NULL : path;
}

static struct base base_of(const struct spool_item *item)
{
	struct base base = {
	    .exists = item->base.exists,
	    .version = {.size_bytes = item->base.size_bytes,
	        .mtime_s = item->base.mtime_s},
	};
	const char *etag = item->text[SPOOL_ETAG];

	/* One that does not fit is none of fetch's. */
	if (strlen(etag) < sizeof(base.version.etag))
		(void)memcpy(base.version.etag, etag, strlen(etag) + 1);
	base.known = version_is_known(&base.version);
	return base;
}

/* A draft of it, that is to be sent; its path is free. */
static int make_draft(struct drafts *drafts, const struct ident *ident,
    const char *path, const struct spool_item *item, struct spool_entry *entry)
    REQUIRES(drafts_lock);
static int make_draft(struct drafts *drafts, const struct ident *ident,
    const char *path, const struct spool_item *item, struct spool_entry *entry)
{
	struct base base = base_of(item);
	struct draft *draft = draft_new(drafts, ident, path, &base);
	int code;

	if (draft == NULL)
		return -ENOMEM;
	draft->entry = entry;
	draft->size_bytes = item->attr.size_bytes;
	draft->mode = item->attr.mode;
	draft->has_mtime = item->attr.has_mtime;
	draft->mtime_s =
	    item->attr.has_mtime ? item->attr.mtime_s : (int64_t)item->when_s;
	draft->mtime_ns = item->attr.has_mtime ? item->attr.mtime_ns : 0;
	draft->created = !item->base.exists;
	draft->changed = true;
	draft->adopted = true;
	draft->perhaps = item->try_count > 0;
	draft_settle(draft);
	/* Nobody else has it, so nothing is in its queue. */
	code = send_want(draft, NULL);
	assert(code == 1);
	draft_let_go(draft);
	return 0;
}

static int park(struct drafts *drafts, const struct ident *ident,
    const char *path, struct spool_item *item, struct spool_entry *entry)
    REQUIRES(drafts_lock);
static int park(struct drafts *drafts, const struct ident *ident,
    const char *path, struct spool_item *item, struct spool_entry *entry)
{
	size_t path_bytes = strlen(path) + 1;
	struct parked *parked = calloc(1, sizeof(*parked) + path_bytes);

	if (parked == NULL)
		return -ENOMEM;
	parked->entry = entry;
	parked->ident = *ident;
	parked->item = *item;
	*item = (struct spool_item){0};
	(void)memcpy(parked->path, path, path_bytes);
	list_push(&drafts->sender->parked, &parked->in);
	return 0;
}

static bool is_parked(struct drafts *drafts, uid_t uid, const char *path)
    REQUIRES(drafts_lock);
static bool is_parked(struct drafts *drafts, uid_t uid, const char *path)
{
	struct list *all = &drafts->sender->parked;

	for (struct list *in = all->next; in != all; in = in->next) {
		struct parked *parked = CONTAINER_OF(in, struct parked, in);

		if (strcmp(parked->path, path) == 0 &&
		    (!drafts->config.shared || parked->ident.uid == uid))
			return true;
	}
	return false;
}

static int take_file(struct drafts *drafts, const struct ident *ident,
    struct spool_item *item, struct spool_entry *entry)
{
	const char *path = mount_path(drafts, item->text[SPOOL_PATH]);
	int code;

	if (path == NULL) {
		spool_release(entry); /* a file in place of the source */
		return 0;
	}
	drafts_lock_enter(drafts);
	if (drafts_at(drafts, ident->uid, path) != NULL ||
	    is_parked(drafts, ident->uid, path))
		code = park(drafts, ident, path, item, entry);
	else
		code = make_draft(drafts, ident, path, item, entry);
	drafts_lock_leave(drafts);
	if (code < 0)
		spool_release(entry);
	return code;
}

static int adopt_one(void *arg, struct spool_entry *entry)
{
	struct drafts *drafts = arg;
	struct spool_item item = {0};
	struct ident ident;
	int code = spool_item_of(entry, &item);

	if (code < 0) {
		spool_release(entry);
		return code;
	}
	find_ident(drafts, item.uid, &ident);
	if (item.kind == SPOOL_FILE) {
		code = take_file(drafts, &ident, &item, entry);
	} else if (item.kind == SPOOL_TEMPORARY) {
		code = leftover_adopt(
		    drafts, &ident, item.text[SPOOL_PATH], entry);
		if (code < 0)
			spool_release(entry);
	} else {
		/* Of another version of this program; it stays listed. */
		spool_release(entry);
	}
	spool_item_fini(&item);
	return code;
}

int adopt_all(struct drafts *drafts, struct err *err)
{
	const struct drafts_config *config = &drafts->config;
	const struct spool_filter filter = {.any_uid = config->shared,
	    .uid = config->owner.uid,
	    .origin = config->origin,
	    .below = config->source_path};
	int code = spool_adopt(config->spool, &filter, adopt_one, drafts, err);

	if (code < 0)
		return err->code < 0
		    ? code
		    : err_set(err, code, "what earlier mounts left unsent: %s",
		          err_message(code));
	send_next(drafts);
	return 0;
}

void adopt_tick(struct drafts *drafts)
{
	struct list *all = &drafts->sender->parked;
	struct list *next;

	drafts_lock_enter(drafts);
	for (struct list *in = all->next; in != all && !drafts->stopping;
	     in = next) {
		struct parked *parked = CONTAINER_OF(in, struct parked, in);

		next = in->next;
		if (drafts_at(drafts, parked->ident.uid, parked->path) !=
		        NULL ||
		    make_draft(drafts, &parked->ident, parked->path,
		        &parked->item, parked->entry) < 0)
			continue;
		list_remove(&parked->in);
		spool_item_fini(&parked->item);
		free(parked);
	}
	drafts_lock_leave(drafts);
}

unsigned adopt_parked(struct drafts *drafts, uint64_t *bytes)
{
	struct list *all = &drafts->sender->parked;
	unsigned count = 0;

	for (struct list *in = all->next; in != all; in = in->next) {
		count++;
		*bytes +=
		    CONTAINER_OF(in, struct parked, in)->item.attr.size_bytes;
	}
	return count;
}

bool adopt_is_parked(struct drafts *drafts, const char *path)
{
	struct list *all = &drafts->sender->parked;

	for (struct list *in = all->next; in != all; in = in->next)
		if (path_is_within(
		        CONTAINER_OF(in, struct parked, in)->path, path))
			return true;
	return false;
}

void adopt_free(struct sender *sender) UNCHECKED
{
	struct list *in;

	while ((in = list_pop(&sender->parked)) != NULL) {
		struct parked *parked = CONTAINER_OF(in, struct parked, in);

		spool_release(parked->entry);
		spool_item_fini(&parked->item);
		free(parked);
	}
}
