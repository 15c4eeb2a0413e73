/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/drafts/fake_cache.c - see fake_cache.h. */
#include "tests/unit/cache/drafts/fake_cache.h"

#include "base/ident.h"
#include "base/list.h"
#include "cache/cache.h"
#include "cache/note.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct file {
	char path[256]; /* "": none */
	uint8_t *bytes;
	size_t size_bytes;
	unsigned number;
};

struct cache_file {
	uint8_t *bytes;
	struct fetch_version version;
};

/* An answer that is given later. */
struct later {
	struct list in;
	cache_attr_fn attr_fn;
	cache_open_fn open_fn;
	cache_read_fn read_fn;
	void *arg;
	int code;
	struct cache_attr attr;
	struct cache_file *file;
	uint64_t offset_bytes;
	size_t size_bytes;
};

_Thread_local volatile unsigned fake_at_work;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct file files[FAKE_FILES];
static unsigned numbers;
static int look_code;
static int open_code;
static unsigned forgets;
static unsigned lookups, opens, reads, kept, open_files;
static bool is_later;
static bool ended;
static struct list queue;
static pthread_t thread;

static void enter(void)
{
	fake_at_work++;
	(void)pthread_mutex_lock(&mutex);
}

static void leave(void)
{
	(void)pthread_mutex_unlock(&mutex);
	fake_at_work--;
}

void fake_cache_reset(void)
{
	enter();
	for (unsigned i = 0; i < FAKE_FILES; i++) {
		free(files[i].bytes);
		files[i] = (struct file){0};
	}
	look_code = open_code = 0;
	forgets = 0;
	lookups = opens = reads = kept = open_files = 0;
	list_init(&queue);
	leave();
}

static void answer(struct later *later)
{
	struct iovec vectors[2];
	size_t first = later->size_bytes / 2;

	if (later->attr_fn != NULL) {
		later->attr_fn(later->arg, later->code,
		    later->code == 0 ? &later->attr : NULL);
	} else if (later->open_fn != NULL) {
		later->open_fn(later->arg, later->code, later->file,
		    later->code == 0 ? &later->attr : NULL);
	} else {
		vectors[0] = (struct iovec){
		    later->file->bytes + later->offset_bytes, first};
		vectors[1] = (struct iovec){
		    later->file->bytes + later->offset_bytes + first,
		    later->size_bytes - first};
		later->read_fn(
		    later->arg, later->code, vectors, later->code == 0 ? 2 : 0);
	}
	free(later);
}

static void *serve(void *arg)
{
	struct list *first;

	(void)arg;
	enter();
	for (;;) {
		first = list_pop(&queue);
		if (first != NULL) {
			leave();
			answer(CONTAINER_OF(first, struct later, in));
			enter();
		} else if (ended) {
			break;
		} else {
			(void)pthread_cond_wait(&wake, &mutex);
		}
	}
	leave();
	return NULL;
}

void fake_cache_later(void)
{
	is_later = true;
	ended = false;
	(void)pthread_create(&thread, NULL, serve, NULL);
}

void fake_cache_end(void)
{
	if (!is_later)
		return;
	enter();
	ended = true;
	(void)pthread_cond_signal(&wake);
	leave();
	(void)pthread_join(thread, NULL);
	is_later = false;
}

static void give(const struct later *what)
{
	struct later *later;

	fake_at_work++;
	later = malloc(sizeof(*later));
	fake_at_work--;
	assert(later != NULL);
	*later = *what;
	if (!is_later) {
		answer(later);
		return;
	}
	enter();
	list_init(&later->in);
	list_push(&queue, &later->in);
	(void)pthread_cond_signal(&wake);
	leave();
}

/* ---- the server ---- */

static struct file *find(const char *path)
{
	for (unsigned i = 0; i < FAKE_FILES; i++)
		if (strcmp(files[i].path, path) == 0)
			return &files[i];
	return NULL;
}

static struct fetch_version version_of(const struct file *file)
{
	struct fetch_version version = {.size_bytes = file->size_bytes,
	    .mtime_s = 1000 + (int64_t)file->number};

	(void)snprintf(
	    version.etag, sizeof(version.etag), "\"%u\"", file->number);
	return version;
}

static struct cache_attr attr_of(const struct file *file)
{
	return (struct cache_attr){.kind = CACHE_FILE,
	    .size_bytes = file->size_bytes,
	    .mtime_s = 1000 + (int64_t)file->number,
	    .version = 5000000 + file->number};
}

struct fetch_version fake_put(
    const char *path, const void *bytes, size_t size_bytes)
{
	struct fetch_version version;
	struct file *file;

	enter();
	file = find(path);
	if (file == NULL)
		file = find("");
	assert(file != NULL);
	(void)snprintf(file->path, sizeof(file->path), "%s", path);
	free(file->bytes);
	file->bytes = malloc(size_bytes + 1);
	assert(file->bytes != NULL);
	if (size_bytes > 0)
		(void)memcpy(file->bytes, bytes, size_bytes);
	file->size_bytes = size_bytes;
	file->number = ++numbers;
	version = version_of(file);
	leave();
	return version;
}

void fake_remove(const char *path)
{
	struct file *file;

	enter();
	file = find(path);
	if (file != NULL)
		file->path[0] = '\0';
	leave();
}

uint8_t *fake_get(
    const char *path, size_t *size_bytes, struct fetch_version *version)
{
	uint8_t *copy = NULL;
	struct file *file;

	enter();
	file = find(path);
	if (file != NULL) {
		copy = malloc(file->size_bytes + 1);
		assert(copy != NULL);
		(void)memcpy(copy, file->bytes, file->size_bytes);
		*size_bytes = file->size_bytes;
		if (version != NULL)
			*version = version_of(file);
	}
	leave();
	return copy;
}

void fake_look_code(int code)
{
	look_code = code;
}

void fake_open_code(int code)
{
	open_code = code;
}

void fake_forgets(unsigned times)
{
	enter();
	forgets = times;
	leave();
}

static unsigned told(const unsigned *count)
{
	unsigned now;

	enter();
	now = *count;
	leave();
	return now;
}

unsigned fake_lookups(void)
{
	return told(&lookups);
}

unsigned fake_opens(void)
{
	return told(&opens);
}

unsigned fake_reads(void)
{
	return told(&reads);
}

unsigned fake_kept(void)
{
	return told(&kept);
}

unsigned fake_open_files(void)
{
	return told(&open_files);
}

/* ---- cache.h ---- */

void cache_lookup(struct cache *cache, const struct ident *ident,
    const char *path, cache_attr_fn to, void *arg)
{
	struct later later = {.attr_fn = to, .arg = arg};
	struct file *file;

	(void)cache;
	(void)ident;
	enter();
	lookups++;
	file = find(path);
	later.code = look_code != 0 ? look_code : file == NULL ? -ENOENT : 0;
	if (later.code == 0)
		later.attr = attr_of(file);
	leave();
	if (strcmp(path, "/dir") == 0) {
		later.code = 0;
		later.attr =
		    (struct cache_attr){.kind = CACHE_DIRECTORY, .version = 1};
	}
	give(&later);
}

void cache_open(struct cache *cache, const struct ident *ident,
    const char *path, cache_open_fn to, void *arg)
{
	struct later later = {.open_fn = to, .arg = arg};
	struct file *file;

	(void)cache;
	(void)ident;
	enter();
	opens++;
	file = find(path);
	later.code = look_code != 0 ? look_code
	    : file == NULL          ? -ENOENT
	                            : open_code;
	if (strcmp(path, "/dir") == 0)
		later.code = -EISDIR;
	if (later.code == 0) {
		later.attr = attr_of(file);
		later.file = malloc(sizeof(*later.file));
		assert(later.file != NULL);
		later.file->version = version_of(file);
		later.file->bytes = malloc(file->size_bytes + 1);
		assert(later.file->bytes != NULL);
		(void)memcpy(later.file->bytes, file->bytes, file->size_bytes);
		open_files++;
	}
	leave();
	give(&later);
}

void cache_close(struct cache_file *file)
{
	enter();
	open_files--;
	leave();
	free(file->bytes);
	free(file);
}

void cache_read(struct cache_file *file, const struct ident *ident,
    uint64_t offset_bytes, size_t size_bytes, cache_read_fn to, void *arg)
{
	struct later later = {.read_fn = to,
	    .arg = arg,
	    .file = file,
	    .offset_bytes = offset_bytes,
	    .size_bytes = size_bytes};

	(void)ident;
	assert(size_bytes > 0 && size_bytes <= CACHE_READ_BYTES_MAX);
	assert(offset_bytes < file->version.size_bytes);
	if (size_bytes > file->version.size_bytes - offset_bytes)
		later.size_bytes =
		    (size_t)(file->version.size_bytes - offset_bytes);
	enter();
	reads++;
	leave();
	give(&later);
}

/* ---- note.h ---- */

void cache_file_version(
    const struct cache_file *file, struct fetch_version *out)
{
	*out = file->version;
}

bool cache_path_version(
    struct cache *cache, const char *path, struct fetch_version *out)
{
	struct file *file;

	(void)cache;
	enter();
	file = forgets > 0 ? NULL : find(path);
	forgets -= forgets > 0;
	if (file != NULL)
		*out = version_of(file);
	leave();
	return file != NULL;
}

uint64_t cache_told(
    const struct cache *cache, const struct fetch_version *version)
{
	(void)cache;
	return version->size_bytes * 1000003 + (uint64_t)version->mtime_s;
}

void cache_keep(struct cache *cache, const char *path,
    const struct fetch_version *version,
    int64_t (*read)(
        void *arg, uint64_t offset_bytes, void *out, size_t size_bytes),
    void *arg)
{
	struct fetch_version now;
	size_t size = 0;
	uint8_t *wanted = fake_get(path, &size, &now);
	uint8_t piece[1000];
	bool right = wanted != NULL && fetch_version_equal(&now, version);
	size_t at = 0;

	(void)cache;
	while (right && at < size) {
		int64_t n = read(arg, at, piece, sizeof(piece));

		right = n > 0 && memcmp(piece, wanted + at, (size_t)n) == 0;
		at += right ? (size_t)n : 0;
	}
	free(wanted);
	enter();
	kept += right;
	leave();
}
