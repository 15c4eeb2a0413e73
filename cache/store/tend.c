/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/tend.c - putting a generation in force, and each second: is it
 * still what the directory names? See store.h.
 */
#include "cache/store/tend.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "cache/store/counts.h"
#include "cache/store/evict.h"
#include "cache/store/generation.h"
#include "cache/store/impl.h"
#include "cache/store/pack_write.h"
#include "cache/store/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	REOPEN_MS = 5000, /* between tries while the directory is off */
	TELL_MS = 60000,  /* between lines about it */
};

/* Free generations that nobody uses any more; may wait. */
static void free_dead(struct store *store)
{
	for (;;) {
		struct generation *dead;

		store_enter(store);
		dead = store->dead;
		if (dead != NULL)
			store->dead = dead->next;
		store_leave(store);
		if (dead == NULL)
			return;
		generation_free(store, dead);
	}
}

/* The lasting copy of a secret, in force from now on. */
static const struct hash_secret *note_secret(
    struct store *store, const uint8_t bytes[FORMAT_SECRET_BYTES])
{
	struct secret_note *note = store->secrets;

	while (note != NULL &&
	    memcmp(note->secret.bytes, bytes, FORMAT_SECRET_BYTES) != 0)
		note = note->next;
	if (note == NULL) {
		note = calloc(1, sizeof(*note));
		if (note == NULL)
			return NULL;
		memcpy(note->secret.bytes, bytes, FORMAT_SECRET_BYTES);
		note->next = store->secrets;
		store->secrets = note;
	}
	atomic_store_explicit(
	    &store->secret, &note->secret, memory_order_release);
	return &note->secret;
}

void store_swap_in(struct store *store, struct generation *generation)
{
	struct generation *old;

	append_close(&store->fresh);
	append_close(&store->proven);
	store_enter(store);
	old = store->generation;
	store->generation = generation;
	if (old != NULL) {
		/* Objects find their maps anew. */
		handles_drop_all(&old->maps);
		generation_let_go(store, old);
	}
	store_leave(store);
	free_dead(store);
}

/* Damage that no write mends: something else has a name of ours. */
static bool is_spoilt(int code)
{
	return code == -ENOTDIR || code == -EISDIR || code == -ELOOP ||
	    code == -EEXIST || code == -ENXIO;
}

static int open_generation(struct store *store, int dir_fd,
    struct format_wish *wish, struct generation **out)
{
	struct format_file format;
	int code = 0;

	*out = NULL;
	for (unsigned try = 0; try < 2; try++) {
		code = format_have(
		    store, dir_fd, wish, &format, &store->format_stat);
		if (code < 0)
			return code;

		const struct hash_secret *secret =
		    note_secret(store, format.secret);

		if (secret == NULL)
			return -ENOMEM;
		code = generation_open(store, dir_fd, &format, secret, out);
		if (!is_spoilt(code))
			return code;
		wish->spoilt = le64toh(format.generation);
	}
	return code;
}

static const char *why_not(int code)
{
	return code == -EPROTO ? "another version of bearerfs uses it"
	                       : err_message(code);
}

/* What is in force from now on is what was opened, or why nothing was. */
static int put_in_force(struct store *store, int dir_fd, int code,
    struct generation *generation, struct err *err)
{
	struct usage usage;

	(void)close(dir_fd);
	if (code < 0)
		return err_set(err, code, "cache directory '%s': %s",
		    store->dir, why_not(code));
	if (usage_count(store, generation, &usage) < 0)
		atomic_store(&store->bound_bytes, store->config_bytes);
	usage_fini(&usage);
	atomic_store(&store->state_code, 0);
	store->clean = store->opened = true;
	store->count_ms = 0;
	store_swap_in(store, generation);
	return 0;
}

/* A directory of another version is taken over at the beginning only: later
 * the other one would be fought over it. What was in force stays. */
static int set_up(struct store *store, struct err *err)
{
	struct format_wish wish = {
	    .takeover = !store->opened, .secret = atomic_load(&store->secret)};
	struct generation *generation;
	int dir_fd = directory_open(store->dir, true, err);

	if (dir_fd < 0)
		return dir_fd;

	int code = open_generation(store, dir_fd, &wish, &generation);

	return put_in_force(store, dir_fd, code, generation, err);
}

int store_begin_existing(struct store *store, struct err *err)
{
	struct format_file format;
	struct generation *generation = NULL;
	const struct hash_secret *secret;
	int dir_fd = directory_open(store->dir, false, err);
	int code;

	if (dir_fd < 0)
		return dir_fd;
	code = format_read(dir_fd, &format, &store->format_stat);
	if (code == -EILSEQ)
		code = -ENOENT; /* a mount would begin anew */
	if (code == 0) {
		store->config_bytes = format_cache_bytes(&format);
		secret = note_secret(store, format.secret);
		code = secret == NULL ? -ENOMEM
		                      : generation_open(store, dir_fd, &format,
		                            secret, &generation);
	}
	return put_in_force(store, dir_fd, code, generation, err);
}

static bool is_unlinked(int fd)
{
	struct stat stat;

	return fd >= 0 && fstat(fd, &stat) == 0 && stat.st_nlink == 0;
}

/* Is what is open what the directory names? */
static bool is_current(
    const struct store *store, const struct generation *generation)
{
	const struct stat *then = &store->format_stat;
	struct stat now;
	int dir_fd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool same = dir_fd >= 0 &&
	    fstatat(dir_fd, "format", &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now.st_dev == then->st_dev && now.st_ino == then->st_ino &&
	    now.st_size == then->st_size &&
	    now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == then->st_mtim.tv_nsec;

	if (dir_fd >= 0)
		(void)close(dir_fd);
	return same && !is_unlinked(generation->dir_fd) &&
	    !is_unlinked(generation->packs_fd) &&
	    !is_unlinked(generation->maps_fd) &&
	    !is_unlinked(generation->blocks.fd) &&
	    !is_unlinked(generation->objects.fd);
}

/* Nothing is kept or found until the directory can be opened. */
static void turn_off(struct store *store, int code, const char *why)
{
	static struct log_limit limit;

	store_swap_in(store, NULL);
	atomic_store(&store->state_code, code);
	store->retry_ms = clock_now_ms(store->clock) + REOPEN_MS;
	log_limited(&limit, TELL_MS, LOG_LEVEL_WARN, LOG_CACHE,
	    "cache directory is off", "dir=%s errno=%s why=%s",
	    LOG_TEXT(store->dir), err_name(code), LOG_TEXT(why));
}

/* Open again after the directory changed or while it is off. */
static void reopen(struct store *store)
{
	static struct log_limit limit;
	struct err err = ERR_INIT;
	int code = set_up(store, &err);

	if (code < 0) {
		turn_off(store, code, err.text);
		return;
	}
	log_limited(&limit, 1000, LOG_LEVEL_INFO, LOG_CACHE,
	    "cache directory opened again", "dir=%s", LOG_TEXT(store->dir));
}

/* May it come right without anybody changing the mount? */
static bool is_passing(int code)
{
	return code == -ENOSPC || code == -EDQUOT || code == -EROFS ||
	    code == -EIO || code == -EBUSY;
}

int store_begin(struct store *store, struct err *err)
{
	uint8_t secret[FORMAT_SECRET_BYTES];
	int code;

	/* Blocks are summed before there is a directory that names one. */
	clock_random(secret, sizeof(secret));
	if (note_secret(store, secret) == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	explicit_bzero(secret, sizeof(secret));
	atomic_store(&store->bound_bytes, store->config_bytes);
	code = set_up(store, err);
	if (!is_passing(code))
		return code;
	turn_off(store, code, err->text);
	return 0;
}

static void clean(struct store *store, const struct generation *generation)
{
	int dir_fd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	store->clean = false;
	if (dir_fd < 0)
		return;
	generation_clean(dir_fd, &generation->format);
	(void)close(dir_fd);
}

/* The gauge follows what was counted, whoever counted it. */
static void show_used(struct store *store)
{
	uint64_t used_bytes = atomic_load(&store->used_bytes);

	stats_add(STATS_cache_disk_bytes,
	    (int64_t)used_bytes - (int64_t)store->shown_bytes);
	store->shown_bytes = used_bytes;
}

static void tend_generation(
    struct store *store, struct generation *generation, uint64_t now_ms)
{
	handles_tend(store, &generation->packs.handles);
	handles_tend(store, &generation->maps);
	append_tend(&store->fresh, generation);
	append_tend(&store->proven, generation);
	if (now_ms >= store->note_ms) {
		packs_note_uses(store, generation);
		counts_note(store, generation);
		store->note_ms = now_ms + STORE_TOUCH_MS;
	}
	if (store->clean)
		clean(store, generation);
	if (now_ms < store->count_ms)
		return;

	size_t packs = evict_tend(store, generation);

	/* Counting takes a microsecond or two a pack. */
	store->count_ms = now_ms + 500 + packs * 2;
	show_used(store);
}

void store_tend(struct store *store)
{
	uint64_t now_ms = clock_now_ms(store->clock);
	struct generation *generation = generation_get(store);

	if (generation == NULL) {
		if (now_ms >= store->retry_ms)
			reopen(store);
		return;
	}
	if (is_current(store, generation)) {
		tend_generation(store, generation, now_ms);
		generation_put(store, generation);
	} else {
		generation_put(store, generation);
		reopen(store);
	}
	free_dead(store);
}
