/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/caller.c - see caller.h. */
#include "tokens/callers/caller.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	STAT_FIELD_FIRST = 3, /* behind the name */
	STAT_FIELD_START = 22,
	STAT_FIELD_ENV_START = 50,
	TEXT_BYTES_MAX = 4096,
	KNOWN_COUNT = 1024, /* threads; a power of two */
	STATS_KEPT = 16,    /* descriptors; a power of two */
	/* The requests of one open come closer together than this, and no
	 * program can replace itself by another one in so short a time, let
	 * alone end and leave its number to a new one. */
	STAT_FRESH_US = 40,
};

/* Of which process a thread is. As long as it lives it stays there, so the
 * number and the start of a thread answer for both of its process. (Should
 * it exec, it becomes the process's first one, number and start included.) */
struct known {
	pid_t tid; /* 0: unused */
	pid_t tgid;
	uint64_t thread_start_ticks;
	uint64_t start_ticks;
};

static struct known all_known[KNOWN_COUNT];
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

static bool recall(struct known *thread)
{
	const struct known *known =
	    &all_known[(unsigned)thread->tid % KNOWN_COUNT];
	bool found;

	(void)pthread_mutex_lock(&known_lock);
	found = known->tid == thread->tid &&
	    known->thread_start_ticks == thread->thread_start_ticks;
	if (found)
		*thread = *known;
	(void)pthread_mutex_unlock(&known_lock);
	return found;
}

static void remember(const struct known *thread)
{
	(void)pthread_mutex_lock(&known_lock);
	all_known[(unsigned)thread->tid % KNOWN_COUNT] = *thread;
	(void)pthread_mutex_unlock(&known_lock);
}

/* A field of a line: digits and a space, or the end of the line behind. */
static const char *number(uint64_t *out, const char *at, const char *end)
{
	const char *start = at;
	uint64_t value = 0;

	for (; at < end && *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(
		        value, (unsigned)(*at - '0'), &value))
			return NULL;
	}
	if (at == start || (at < end && *at != ' ' && *at != '\n'))
		return NULL;
	*out = value;
	return at;
}

/* Behind the next space; NULL when there is none. */
static const char *next(const char *at, const char *end)
{
	const char *space = memchr(at, ' ', (size_t)(end - at));

	return space != NULL ? space + 1 : NULL;
}

int caller_stat_parse(
    struct caller_stat *out, const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;
	/* A name may hold parentheses: what stands behind it holds none. */
	const char *at = memrchr(text, ')', size_bytes);

	if (at != NULL)
		at = next(at, end);
	for (int field = STAT_FIELD_FIRST;
	     at != NULL && field < STAT_FIELD_START; field++)
		at = next(at, end);
	if (at != NULL)
		at = number(&out->start_ticks, at, end);
	for (int field = STAT_FIELD_START;
	     at != NULL && field < STAT_FIELD_ENV_START; field++)
		at = next(at, end);
	if (at != NULL)
		at = number(&out->env_start, at, end);
	return at != NULL ? 0 : -EIO;
}

static int open_proc(pid_t tid, const char *name)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return errno == ENOENT || errno == EPERM || errno == EACCES ? -ESRCH
	                                                            : -errno;
}

/* One small file, as it is now, NUL-terminated; its size, or -errno. */
static ssize_t read_proc(char text[TEXT_BYTES_MAX], int fd)
{
	ssize_t n;

	do
		n = pread(fd, text, TEXT_BYTES_MAX - 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return n;
}

/* The stat file of a thread that asked lately stays open: it is read for each
 * request, and opening and closing it costs more than that. Such a descriptor
 * is of the thread, not of its number: when the thread has ended a read gives
 * ESRCH, whoever has the number then. */
static struct kept_stat {
	pid_t tid; /* 0: unused */
	int fd;
	uint64_t read_us; /* when `stat` was read */
	struct caller_stat stat;
} kept_stats[STATS_KEPT];
static pthread_mutex_t stats_lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int keep_stat(struct kept_stat *kept, pid_t tid)
{
	int fd = open_proc(tid, "stat");

	if (kept->tid != 0)
		(void)close(kept->fd);
	*kept = (struct kept_stat){.tid = fd >= 0 ? tid : 0, .fd = fd};
	return fd >= 0 ? 0 : fd;
}

static int read_kept(struct kept_stat *kept, uint64_t at_us)
{
	char text[TEXT_BYTES_MAX];
	ssize_t n = read_proc(text, kept->fd);
	int code =
	    n < 0 ? (int)n : caller_stat_parse(&kept->stat, text, (size_t)n);

	kept->read_us = code == 0 ? at_us : 0;
	return code;
}

static int read_stat(struct caller_stat *out, pid_t tid)
{
	struct kept_stat *kept = &kept_stats[(unsigned)tid % STATS_KEPT];
	uint64_t at_us = now_us();
	int code = 0;

	(void)pthread_mutex_lock(&stats_lock);
	if (kept->tid != tid ||
	    (at_us - kept->read_us >= STAT_FRESH_US &&
	        read_kept(kept, at_us) < 0)) {
		code = keep_stat(kept, tid);
		if (code == 0)
			code = read_kept(kept, at_us);
	}
	if (code == 0)
		*out = kept->stat;
	(void)pthread_mutex_unlock(&stats_lock);
	return code;
}

static int read_tgid(pid_t *out, pid_t tid)
{
	static const char label[] = "\nTgid:\t";
	char text[TEXT_BYTES_MAX];
	const char *at;
	uint64_t value;
	ssize_t n;
	int fd = open_proc(tid, "status");

	if (fd < 0)
		return fd;
	n = read_proc(text, fd);
	(void)close(fd);
	if (n < 0)
		return (int)n;
	/* The name, on the first line, has its line breaks escaped. */
	at = strstr(text, label);
	if (at == NULL ||
	    number(&value, at + sizeof(label) - 1, text + n) == NULL ||
	    value == 0 || value > INT32_MAX)
		return -EIO;
	*out = (pid_t)value;
	return 0;
}

/* Ask for a thread's process. All of it was of one thread when that has, at
 * the end, the start that it had before. */
static int learn(struct known *thread)
{
	struct caller_stat leader = {.start_ticks = 0};
	struct caller_stat again = {.start_ticks = 0};
	int code = read_tgid(&thread->tgid, thread->tid);

	if (code == 0)
		code = read_stat(&leader, thread->tgid);
	if (code == 0)
		code = read_stat(&again, thread->tid);
	if (code < 0)
		return code;
	if (again.start_ticks != thread->thread_start_ticks)
		return -ESRCH;
	thread->start_ticks = leader.start_ticks;
	remember(thread);
	return 0;
}

int caller_of(struct caller *out, const struct ident *ident)
{
	struct known thread = {.tid = ident->pid};
	struct caller_stat stat;
	int code;

	if (ident->pid <= 0)
		return -ENXIO;
	code = read_stat(&stat, ident->pid);
	if (code != 0)
		return code;
	thread.thread_start_ticks = stat.start_ticks;
	if (!recall(&thread)) {
		code = learn(&thread);
		if (code < 0)
			return code;
	}
	*out = (struct caller){.tgid = thread.tgid,
	    .start_ticks = thread.start_ticks,
	    .env_start = stat.env_start,
	    .uid = ident->uid,
	    .gid = ident->gid};
	return 0;
}

int caller_explain(struct err *err, int code, const struct ident *ident)
{
	assert(code < 0);
	if (code == -ENXIO)
		return err_set(err, code,
		    "a process of user %u runs in a pid namespace that this "
		    "mount cannot see, so its token cannot be looked for; mount "
		    "inside that container, or share the host's pids with it",
		    (unsigned)ident->uid);
	if (code == -ESRCH)
		return err_set(err, code,
		    "process %d of user %u has ended or is hidden (hidepid), "
		    "so its token cannot be looked for; if it lives, mount "
		    "/proc without hidepid for this mount's user",
		    (int)ident->pid, (unsigned)ident->uid);
	return err_set(err, code,
	    "process %d of user %u: %s; is /proc mounted?", (int)ident->pid,
	    (unsigned)ident->uid, err_message(code));
}

bool caller_same(const struct caller *a, const struct caller *b)
{
	return a->tgid == b->tgid && a->start_ticks == b->start_ticks &&
	    a->env_start == b->env_start && a->uid == b->uid &&
	    a->gid == b->gid;
}
