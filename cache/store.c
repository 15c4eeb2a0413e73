/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store.c - opening, tending, describing and closing a store; see
 * store.h. What it does with blocks is in keep.c and load.c.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "cache/evict.h"
#include "cache/generation.h"
#include "cache/pack_write.h"
#include "cache/store_impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REOPEN_MS = 5000 }; /* between tries while the directory is off */

void store_enter(struct store *store) UNCHECKED
{
	int code = pthread_mutex_lock(&store->mutex);

	assert(code == 0);
	(void)code;
}

void store_leave(struct store *store) UNCHECKED
{
	int code = pthread_mutex_unlock(&store->mutex);

	assert(code == 0);
	(void)code;
}

struct generation *generation_get(struct store *store)
{
	struct generation *generation;

	store_enter(store);
	generation = store->generation;
	if (generation != NULL)
		generation->users++;
	store_leave(store);
	return generation;
}

static void let_go(struct store *store, struct generation *generation)
    REQUIRES(store_lock)
{
	if (--generation->users > 0)
		return;
	generation->next = store->dead;
	store->dead = generation;
}

void generation_put(struct store *store, struct generation *generation)
{
	store_enter(store);
	let_go(store, generation);
	store_leave(store);
}

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

/* Put a generation (NULL: none) in force. */
static void swap_in(struct store *store, struct generation *generation)
{
	struct generation *old;

	append_close(store);
	store_enter(store);
	old = store->generation;
	store->generation = generation;
	if (old != NULL) {
		/* Objects find their maps anew. */
		handles_drop_all(&old->maps);
		let_go(store, old);
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

/* Open the directory and put its generation in force. */
static int set_up(struct store *store, bool takeover, struct err *err)
{
	struct format_wish wish = {
	    .takeover = takeover, .secret = atomic_load(&store->secret)};
	struct generation *generation;
	struct usage usage;
	int dir_fd = directory_open(store->dir, err);

	if (dir_fd < 0)
		return dir_fd;

	int code = open_generation(store, dir_fd, &wish, &generation);

	(void)close(dir_fd);
	if (code < 0)
		return err_set(err, code, "cache directory '%s': %s",
		    store->dir,
		    code == -EPROTO ? "another version of bearerfs uses it"
		                    : err_message(code));
	if (usage_count(store, generation, &usage) < 0)
		atomic_store(&store->bound_bytes, store->config_bytes);
	usage_fini(&usage);
	atomic_store(&store->state_code, 0);
	store->clean = true;
	store->count_ms = 0;
	swap_in(store, generation);
	return 0;
}

int store_open(
    struct store **out, const struct store_config *config, struct err *err)
{
	struct store *store = calloc(1, sizeof(*store));

	*out = NULL;
	if (store == NULL)
		return err_set(err, -ENOMEM, "out of memory");

	int code = pthread_mutex_init(&store->mutex, NULL);

	assert(code == 0);
	store->clock = config->clock;
	store->config_bytes = config->size_bytes;
	store->appender.fd = store->appender.direct_fd = -1;
	store->dir = strdup(config->dir);
	store->scratch = aligned_alloc(STORE_PAGE_BYTES, STORE_BLOCK_BYTES);
	store->arena = aligned_alloc(STORE_PAGE_BYTES, STORE_ARENA_BYTES);
	if (store->dir == NULL || store->scratch == NULL ||
	    store->arena == NULL)
		code = err_set(err, -ENOMEM, "out of memory");
	else
		code = set_up(store, true, err);
	if (code < 0) {
		store_close(store);
		return code;
	}
	*out = store;
	return 0;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	swap_in(store, NULL);
	while (store->secrets != NULL) {
		struct secret_note *next = store->secrets->next;

		explicit_bzero(store->secrets, sizeof(*store->secrets));
		free(store->secrets);
		store->secrets = next;
	}
	(void)pthread_mutex_destroy(&store->mutex);
	free(store->scratch);
	free(store->arena);
	free(store->dir);
	free(store);
}

uint64_t store_size_bytes(const struct store *store)
{
	return atomic_load(&store->bound_bytes);
}

uint64_t store_page_sum(
    const struct store *store, const void *page, size_t size_bytes)
{
	return hash_page(
	    atomic_load_explicit(&store->secret, memory_order_acquire), page,
	    size_bytes);
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

/* Open again after the directory changed or while it is off. */
static void reopen(struct store *store, uint64_t now_ms)
{
	static struct log_limit limit;
	struct err err = ERR_INIT;
	int code = set_up(store, false, &err);

	if (code == 0) {
		log_limited(&limit, 1000, LOG_LEVEL_INFO, LOG_CACHE,
		    "cache directory opened again", "dir=%s",
		    LOG_TEXT(store->dir));
		return;
	}
	swap_in(store, NULL);
	atomic_store(&store->state_code, code);
	store->retry_ms = now_ms + REOPEN_MS;
	log_limited(&limit, 60 * 1000, LOG_LEVEL_WARN, LOG_CACHE,
	    "cache directory is off", "dir=%s errno=%s why=%s",
	    LOG_TEXT(store->dir), err_name(code), LOG_TEXT(err.text));
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
	append_tend(store, generation);
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
			reopen(store, now_ms);
		return;
	}
	if (is_current(store, generation)) {
		tend_generation(store, generation, now_ms);
		generation_put(store, generation);
	} else {
		generation_put(store, generation);
		reopen(store, now_ms);
	}
	free_dead(store);
}

int store_describe(struct store *store, struct buf *out)
{
	int code = atomic_load(&store->state_code);

	(void)buf_printf(out, "\"dir\":");
	(void)buf_json(out, store->dir);
	(void)buf_printf(out, ",\"size_bytes\":%llu,\"disk_bytes\":%llu,",
	    (unsigned long long)atomic_load(&store->bound_bytes),
	    (unsigned long long)atomic_load(&store->used_bytes));
	(void)buf_printf(out, "\"state\":");
	if (code == 0)
		return buf_json(out, "on");

	char text[128];

	(void)snprintf(
	    text, sizeof(text), "keeps nothing new: %s", err_message(code));
	return buf_json(out, text);
}
