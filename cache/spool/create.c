/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/create.c - an entry is begun: its number, its files, its first
 * record.
 */
#include "base/clock.h"
#include "base/io.h"
#include "base/path.h"
#include "cache/spool/files.h"
#include "cache/spool/impl.h"
#include "cache/spool/item.h"
#include "cache/spool/lease.h"
#include "cache/spool/owners.h"
#include "cache/spool/spare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	NEW_BYTES = 4 * 4096, /* journal, first block of data, directory */
	NUMBER_TRIES = 3,
	OWN_TRIES = 1000, /* of a millisecond */
	ACCOUNT_BYTES_MAX = 256,
};

static const char *text_or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

/* Printable, and nothing that may carry a secret: no user, no query. */
static bool origin_ok(const char *origin)
{
	size_t size_bytes = strlen(origin);

	if (size_bytes == 0 || size_bytes >= SPOOL_TEXT_BYTES_MAX)
		return false;
	for (const char *at = origin; *at != '\0'; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '@' ||
		    *at == '?' || *at == '#')
			return false;
	return true;
}

/* A name of where a token would come from, and not the token. */
static bool credential_ok(enum spool_from from, const char *name)
{
	switch (from) {
	case SPOOL_FROM_DISCOVERY:
		return name[0] == '\0';
	case SPOOL_FROM_FILE:
	case SPOOL_FROM_CONDOR:
		return path_is_normal(name);
	case SPOOL_FROM_AGENT:
		return strlen(name) < ACCOUNT_BYTES_MAX &&
		    strstr(name, "eyJ") == NULL;
	}
	return false;
}

static const char *wrong_with(const struct spool_wish *wish)
{
	const char *to = text_or_empty(wish->to);

	if (wish->kind < SPOOL_FILE || wish->kind > SPOOL_TEMPORARY)
		return "no such kind";
	if (!origin_ok(wish->origin))
		return "no plain origin";
	if (!path_is_normal(wish->path) ||
	    (wish->kind == SPOOL_RENAME ? !path_is_normal(to) : to[0] != '\0'))
		return "no normal path";
	if (!credential_ok(wish->from, text_or_empty(wish->credential)))
		return "no name of a credential";
	if (strlen(text_or_empty(wish->base.etag)) >= SPOOL_TEXT_BYTES_MAX)
		return "its ETag is too long";
	if (wish->base.size_bytes > SPOOL_FILE_BYTES_MAX)
		return "it is too large";
	return NULL;
}

static uint64_t limit_of(const struct spool_wish *wish)
{
	return wish->kind == SPOOL_FILE && wish->keep_base && wish->base.exists
	    ? wish->base.size_bytes
	    : 0;
}

/* A number that is higher than all there are, noted as given out. */
static int next_number(struct spool *spool, uint64_t *out)
{
	struct files_name *names;
	uint64_t disk = 0;
	ssize_t n = io_pread(spool->next_fd, &disk, sizeof(disk), 0);
	uint64_t next = n == (ssize_t)sizeof(disk) ? le64toh(disk) : 0;

	if (n < 0)
		return (int)n;
	/* Empty, or behind after a loss of power: what is there tells. */
	if (next == 0 || next > FILES_SERIAL_MAX || *out != 0) {
		n = files_all(spool, &names);
		if (n < 0)
			return (int)n;
		next = n > 0 ? names[n - 1].serial + 1 : 1;
		free(names);
	}
	disk = htole64(next + 1);
	*out = next;
	return io_pwrite(spool->next_fd, &disk, sizeof(disk), 0);
}

/* Who looks after the dead may have it for a moment, and sees that it is
 * empty. */
static int own_patiently(struct spool *spool, uint64_t serial)
{
	struct timespec pause = {.tv_nsec = 1000000};
	int code = owners_take(spool, serial);

	for (unsigned i = 0; i < OWN_TRIES && code == -EBUSY; i++) {
		(void)nanosleep(&pause, NULL);
		code = owners_take(spool, serial);
	}
	return code;
}

/* The files of a new entry, that is owned. */
static int make_files(struct spool *spool, struct files_name *name,
    int *journal_fd, int *data_fd, bool file)
{
	char text[FILES_NAME_BYTES];
	int code;

	*data_fd = -1;
	if (file && spare_take(spool, name, journal_fd, data_fd))
		return 0;
	if (file) {
		name->kind = FILES_DATA;
		files_name(text, name);
		*data_fd = files_open(
		    spool->dir_fd, text, O_RDWR | O_CREAT | O_EXCL, NULL);
		if (*data_fd < 0)
			return *data_fd;
	}
	name->kind = FILES_JOURNAL;
	files_name(text, name);
	*journal_fd =
	    files_open(spool->dir_fd, text, O_RDWR | O_CREAT | O_EXCL, NULL);
	code = *journal_fd < 0 ? *journal_fd : 0;
	if (code == 0)
		return 0;
	if (file) {
		name->kind = FILES_DATA;
		files_name(text, name);
		(void)unlinkat(spool->dir_fd, text, 0);
		(void)close(*data_fd);
	}
	return code;
}

int entry_begun(struct journal *journal, const struct spool_wish *wish,
    uint64_t limit_bytes, uint64_t since_s)
{
	const char *to = text_or_empty(wish->to);
	const char *credential = text_or_empty(wish->credential);
	const char *etag = text_or_empty(wish->base.etag);
	struct disk_begun begun = {.kind = htole32(wish->kind),
	    .from = htole32(wish->from),
	    .mode = htole32(wish->mode),
	    .flags = htole32(wish->base.exists ? DISK_EXISTS : 0),
	    .since_s = htole64(since_s),
	    .base_bytes = htole64(wish->base.size_bytes),
	    .base_mtime_s = (int64_t)htole64((uint64_t)wish->base.mtime_s),
	    .limit_bytes = htole64(limit_bytes),
	    .origin_bytes = htole16((uint16_t)strlen(wish->origin)),
	    .path_bytes = htole16((uint16_t)strlen(wish->path)),
	    .to_bytes = htole16((uint16_t)strlen(to)),
	    .credential_bytes = htole16((uint16_t)strlen(credential)),
	    .etag_bytes = htole16((uint16_t)strlen(etag))};

	return journal_append(journal, DISK_BEGUN,
	    (struct journal_part[]){{&begun, sizeof(begun)},
	        {wish->origin, strlen(wish->origin)},
	        {wish->path, strlen(wish->path)}, {to, strlen(to)},
	        {credential, strlen(credential)}, {etag, strlen(etag)}},
	    6);
}

static int set_facts(
    struct spool_entry *entry, const struct spool_wish *wish, uint64_t since_s)
{
	struct spool_item *item = &entry->item;
	const char *const texts[SPOOL_TEXTS] = {[SPOOL_ORIGIN] = wish->origin,
	    [SPOOL_PATH] = wish->path,
	    [SPOOL_TO] = wish->to,
	    [SPOOL_CREDENTIAL] = wish->credential,
	    [SPOOL_ETAG] = wish->base.etag};
	int code;

	spool_facts_enter(entry->spool);
	code = item_init(item);
	for (unsigned i = 0; i < SPOOL_TEXTS && code == 0; i++) {
		const char *text = text_or_empty(texts[i]);

		code = item_text(item, i, text, strlen(text));
	}
	item->serial = entry->serial;
	item->uid = entry->uid;
	item->kind = wish->kind;
	item->from = wish->from;
	item->base = wish->base;
	item->base.etag = item->text[SPOOL_ETAG];
	item->attr.mode = wish->mode;
	item->since_s = item->when_s = since_s;
	item->attr.size_bytes = entry->limit_bytes = limit_of(wish);
	item->state = wish->kind == SPOOL_FILE ? SPOOL_OPEN : SPOOL_CLOSED;
	spool_facts_leave(entry->spool);
	return code;
}

/* The first record, and the size of the data file. Nobody else knows the
 * entry yet. */
static int begin(struct spool_entry *entry, const struct spool_wish *wish,
    struct err *err) UNCHECKED
{
	uint64_t since_s = clock_wall_s(entry->spool->clock);
	int code = set_facts(entry, wish, since_s);

	entry->made = true;
	if (code < 0)
		return err_set(err, code, "spool '%s': %s", entry->spool->dir,
		    err_message(code));
	if (limit_of(wish) > 0 &&
	    ftruncate(entry->data_fd, (off_t)limit_of(wish)) < 0)
		code = -errno;
	if (code == 0)
		code =
		    entry_begun(&entry->journal, wish, limit_of(wish), since_s);
	if (code < 0)
		code = entry_fail(entry, err, code, "begun");
	return code;
}

/* A number that nobody has, held, and the files of it. */
static int make_numbered(struct spool *spool, struct files_name *name,
    bool with_data, int *journal_fd, int *data_fd)
{
	int code = -EEXIST;

	for (unsigned i = 0; i < NUMBER_TRIES && code == -EEXIST; i++) {
		code = next_number(spool, &name->serial);
		if (code == 0)
			code = own_patiently(spool, name->serial);
		if (code < 0)
			break;
		code = make_files(spool, name, journal_fd, data_fd, with_data);
		if (code < 0)
			owners_leave(spool, name->serial);
	}
	return code;
}

/* Under the lock of all processes: nobody takes it for a dead one's. */
static int create_locked(struct spool *spool, const struct spool_wish *wish,
    struct spool_entry **out, struct err *err)
{
	struct files_name name = {.uid = wish->uid};
	struct spool_entry *entry = NULL;
	int journal_fd = -1;
	int data_fd = -1;
	int code = make_numbered(
	    spool, &name, wish->kind == SPOOL_FILE, &journal_fd, &data_fd);

	if (code == 0)
		entry = entry_new(spool, &name, journal_fd, data_fd);
	/* What has no record is removed by the next who looks. */
	if (code == 0 && entry == NULL) {
		owners_leave(spool, name.serial);
		(void)close(journal_fd);
		if (data_fd >= 0)
			(void)close(data_fd);
		code = -ENOMEM;
	}
	if (entry == NULL)
		return rest_no_files(code)
		    ? err_set(err, -ENOSPC, "spool '%s': " REST_NO_FILES,
		          spool->dir)
		    : err_set(err, code, "spool '%s': %s", spool->dir,
		          err_message(code));
	code = begin(entry, wish, err);
	if (code < 0) {
		struct err ignored = ERR_INIT;

		(void)spool_remove(&entry, &ignored);
		return code;
	}
	*out = entry;
	return 0;
}

int spool_create(struct spool *spool, const struct spool_wish *wish,
    struct spool_entry **out, struct err *err)
{
	const char *wrong = wrong_with(wish);
	int code;

	*out = NULL;
	if (wrong != NULL)
		return err_set(err, -EINVAL, "spool: %s", wrong);
	code = lease_take(spool, wish->uid, NEW_BYTES, err);
	if (code < 0)
		return code;
	spool_common_enter(spool);
	code = files_lock(spool->next_fd);
	if (code < 0)
		(void)err_set(err, code,
		    "spool '%s': another process holds its lock: %s",
		    spool->dir, err_message(code));
	if (code == 0) {
		code = create_locked(spool, wish, out, err);
		files_unlock(spool->next_fd);
	}
	spool_common_leave(spool);
	/* The journal's block is in the next sum. */
	lease_give(spool, wish->uid, NEW_BYTES / 2);
	if (*out == NULL || wish->kind == SPOOL_FILE)
		return code;
	code = entry_enter(*out, err);
	if (code == 0)
		code = entry_flush(*out, err);
	(*out)->durable = code == 0;
	entry_leave(*out);
	if (code < 0) {
		struct err ignored = ERR_INIT;

		(void)spool_remove(out, &ignored);
	}
	return code;
}
