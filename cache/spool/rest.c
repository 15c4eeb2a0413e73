/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/rest.c - descriptors of entries: thousands of unsent files may
 * wait for a server, where a process may have a thousand files open.
 *
 * An entry is *awake* while it has descriptors. One that is at rest, promised
 * and not being sent, gives them up when many are awake, and gets them again
 * with the next call. Spare files (spare.h) count as awake, and go first. What
 * is not flushed is flushed before: the kernel tells
 * of bytes that it could not write to those who have the file open.
 */
#include "base/log.h"
#include "cache/spool/files.h"
#include "cache/spool/impl.h"
#include "cache/spool/spare.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	AWAKE_SHARE = 4, /* two descriptors each: half of all are others' */
	AWAKE_LEAST = 8,
	AWAKE_MOST = 16384,
};

unsigned rest_awake_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_cur / AWAKE_SHARE > AWAKE_MOST)
		return AWAKE_MOST;
	return limit.rlim_cur / AWAKE_SHARE < AWAKE_LEAST
	    ? AWAKE_LEAST
	    : (unsigned)(limit.rlim_cur / AWAKE_SHARE);
}

bool rest_no_files(int code)
{
	static struct log_limit limit;
	enum { TELL_MS = 1000 };

	if (code != -EMFILE && code != -ENFILE)
		return false;
	log_limited(&limit, TELL_MS, LOG_LEVEL_WARN, LOG_CACHE,
	    "no more unsent files", "errno=%s cure=%s", err_name(code),
	    LOG_TEXT(REST_NO_FILES));
	return true;
}

static int open_one(const struct spool_entry *entry, enum files_kind kind)
{
	const struct files_name name = {
	    .serial = entry->serial, .uid = entry->uid, .kind = kind};
	char text[FILES_NAME_BYTES];

	files_name(text, &name);
	return files_open(entry->spool->dir_fd, text, O_RDWR, NULL);
}

static int wake(struct spool_entry *entry) REQUIRES(spool_work_lock);
static int wake(struct spool_entry *entry)
{
	int journal_fd = open_one(entry, FILES_JOURNAL);
	int data_fd = -1;

	if (journal_fd < 0)
		return journal_fd;
	if (entry->file)
		data_fd = open_one(entry, FILES_DATA);
	if (entry->file && data_fd < 0) {
		(void)close(journal_fd);
		return data_fd;
	}
	entry->journal.fd = journal_fd;
	spool_facts_enter(entry->spool);
	entry->data_fd = data_fd;
	entry->spool->awake++;
	spool_facts_leave(entry->spool);
	spare_make_way(entry->spool);
	return 0;
}

int entry_enter(struct spool_entry *entry, struct err *err)
{
	int code = 0;

	spool_work_enter(entry);
	if (entry->journal.fd < 0)
		code = wake(entry);
	if (rest_no_files(code))
		return entry_fail(entry, err, -ENOSPC, REST_NO_FILES);
	return code < 0 ? entry_fail(entry, err, code, "opened again") : 0;
}

/* Whether it waits, and others want its descriptors. */
static bool is_to_rest(struct spool_entry *entry) REQUIRES(spool_work_lock);
static bool is_to_rest(struct spool_entry *entry)
{
	enum spool_state state;
	bool many;

	if (entry->journal.fd < 0 || entry->damaged || entry->spoilt ||
	    entry->dropped || entry->limit_pending || entry->cut_pending)
		return false;
	spool_facts_enter(entry->spool);
	many = entry->spool->awake + entry->spool->spare_count >
	        entry->spool->awake_max &&
	    *entry->readers == 0;
	state = entry->item.state;
	spool_facts_leave(entry->spool);
	return many &&
	    (state == SPOOL_CLOSED ||
	        (entry->durable &&
	            (state == SPOOL_FAILED || state == SPOOL_CONFLICT ||
	                state == SPOOL_ASIDE)));
}

static void rest(struct spool_entry *entry) REQUIRES(spool_work_lock);
static void rest(struct spool_entry *entry)
{
	int fds[2] = {-1, -1};

	spool_facts_enter(entry->spool);
	/* A reader may have come. */
	if (*entry->readers == 0) {
		fds[0] = entry->journal.fd;
		fds[1] = entry->data_fd;
		entry->journal.fd = entry->data_fd = -1;
		entry->spool->awake--;
	}
	spool_facts_leave(entry->spool);
	for (unsigned i = 0; i < 2; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

void entry_leave(struct spool_entry *entry)
{
	struct err ignored = ERR_INIT;

	if (is_to_rest(entry) &&
	    (entry->durable || entry_flush(entry, &ignored) == 0))
		rest(entry);
	spool_work_leave(entry);
}

int entry_read_begin(const struct spool_entry *entry, bool nowait)
{
	int fd;

	spool_facts_enter(entry->spool);
	fd = entry->data_fd;
	*entry->readers += fd >= 0;
	spool_facts_leave(entry->spool);
	if (fd < 0 && nowait)
		return -EAGAIN;
	return fd >= 0 ? fd : open_one(entry, FILES_DATA);
}

void entry_read_end(const struct spool_entry *entry, int fd)
{
	bool own;

	/* As long as somebody reads it, it stays what it is. */
	spool_facts_enter(entry->spool);
	own = fd != entry->data_fd;
	*entry->readers -= !own;
	spool_facts_leave(entry->spool);
	if (own)
		(void)close(fd);
}
