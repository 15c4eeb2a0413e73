/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/fs/fake_cache.c - see fake_cache.h. */
#include "tests/unit/fs/fake_cache.h"

#include "base/clock.h"
#include "base/path.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WAIT_S = 60 };

struct entry {
	char *path;
	struct cache_attr attr;
	uint64_t fresh_ms;
	int fail;
	bool present;
	bool known;
};

enum kind { LOOKUP, LIST, OPEN, READ, FACTS, SPACE };

struct call {
	struct call *next;
	enum kind kind;
	char path[PATH_BYTES_MAX];
	struct cache_file *file;
	uint64_t offset_bytes;
	size_t size_bytes;
	void *arg;
	union {
		cache_attr_fn attr;
		cache_listing_fn listing;
		cache_open_fn open;
		cache_read_fn read;
		cache_facts_fn facts;
		cache_space_fn space;
	} answer;
};

struct cache {
	const struct clock *clock;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct entry *entries;
	size_t entry_count;
	uint64_t negative_ms;
	bool hold;
	struct call *held; /* newest first */
	size_t held_count;
	size_t call_count;
	size_t file_count;
	size_t listing_count;
};

struct cache_file {
	struct cache *cache;
	uint64_t version;
	uint64_t size_bytes;
	size_t reading; /* calls whose answer has not been given */
};

struct named {
	char name[PATH_NAME_BYTES_MAX + 1];
	struct cache_attr attr;
	bool known;
};

struct cache_listing {
	struct cache *cache;
	size_t count;
	uint64_t version;
	struct named entries[];
};

_Thread_local volatile bool fake_allocates;

void *fake_memory(size_t size_bytes)
{
	void *memory;

	fake_allocates = true;
	memory = calloc(1, size_bytes);
	fake_allocates = false;
	assert(memory != NULL);
	return memory;
}

unsigned char fake_byte(uint64_t version, uint64_t offset_bytes)
{
	return (unsigned char)(version * 131 + offset_bytes * 7 +
	    (offset_bytes >> 12));
}

struct cache *fake_new(const struct clock *clock)
{
	struct cache *cache = fake_memory(sizeof(*cache));

	cache->clock = clock;
	(void)pthread_mutex_init(&cache->mutex, NULL);
	(void)pthread_cond_init(&cache->changed, NULL);
	fake_put(cache, "/", -1, 1, 1000);
	return cache;
}

void fake_free(struct cache *cache)
{
	assert(cache->held_count == 0);
	assert(cache->file_count == 0);
	assert(cache->listing_count == 0);
	for (size_t i = 0; i < cache->entry_count; i++)
		free(cache->entries[i].path);
	free(cache->entries);
	(void)pthread_mutex_destroy(&cache->mutex);
	(void)pthread_cond_destroy(&cache->changed);
	free(cache);
}

static struct entry *find(struct cache *cache, const char *path)
{
	for (size_t i = 0; i < cache->entry_count; i++)
		if (strcmp(cache->entries[i].path, path) == 0)
			return &cache->entries[i];
	return NULL;
}

static struct entry *find_or_add(struct cache *cache, const char *path)
{
	struct entry *entry = find(cache, path);

	if (entry)
		return entry;
	cache->entries = realloc(
	    cache->entries, (cache->entry_count + 1) * sizeof(*cache->entries));
	assert(cache->entries != NULL);
	entry = &cache->entries[cache->entry_count++];
	*entry = (struct entry){.path = strdup(path)};
	assert(entry->path != NULL);
	return entry;
}

void fake_put(struct cache *cache, const char *path, int64_t size_bytes,
    uint64_t version, uint64_t fresh_ms)
{
	struct entry *entry;

	(void)pthread_mutex_lock(&cache->mutex);
	entry = find_or_add(cache, path);
	entry->present = true;
	entry->known = true;
	entry->fresh_ms = fresh_ms;
	entry->attr = (struct cache_attr){
	    .kind = size_bytes < 0 ? CACHE_DIRECTORY : CACHE_FILE,
	    .size_bytes = size_bytes < 0 ? 0 : (uint64_t)size_bytes,
	    .mtime_s = 1700000000 + (int64_t)version,
	    .version = version,
	};
	(void)pthread_mutex_unlock(&cache->mutex);
}

void fake_make_up(struct cache *cache, const char *path)
{
	fake_put(cache, path, -1, 1, 1000);
	(void)pthread_mutex_lock(&cache->mutex);
	find_or_add(cache, path)->attr.made_up = true;
	(void)pthread_mutex_unlock(&cache->mutex);
}

void fake_hide_attr(struct cache *cache, const char *path)
{
	(void)pthread_mutex_lock(&cache->mutex);
	find_or_add(cache, path)->known = false;
	(void)pthread_mutex_unlock(&cache->mutex);
}

void fake_remove(struct cache *cache, const char *path)
{
	(void)pthread_mutex_lock(&cache->mutex);
	find_or_add(cache, path)->present = false;
	(void)pthread_mutex_unlock(&cache->mutex);
}

void fake_negative_ms(struct cache *cache, uint64_t fresh_ms)
{
	(void)pthread_mutex_lock(&cache->mutex);
	cache->negative_ms = fresh_ms;
	(void)pthread_mutex_unlock(&cache->mutex);
}

void fake_fail(struct cache *cache, const char *path, int code)
{
	(void)pthread_mutex_lock(&cache->mutex);
	find_or_add(cache, path)->fail = code;
	(void)pthread_mutex_unlock(&cache->mutex);
}

void fake_hold(struct cache *cache, bool hold)
{
	(void)pthread_mutex_lock(&cache->mutex);
	cache->hold = hold;
	(void)pthread_mutex_unlock(&cache->mutex);
}

void fake_await_held(struct cache *cache, size_t count)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	(void)pthread_mutex_lock(&cache->mutex);
	while (cache->held_count < count)
		if (pthread_cond_timedwait(
		        &cache->changed, &cache->mutex, &until) != 0)
			break;
	assert(cache->held_count >= count);
	(void)pthread_mutex_unlock(&cache->mutex);
}

static size_t counted(struct cache *cache, const size_t *value)
{
	size_t now;

	(void)pthread_mutex_lock(&cache->mutex);
	now = *value;
	(void)pthread_mutex_unlock(&cache->mutex);
	return now;
}

size_t fake_held(struct cache *cache)
{
	return counted(cache, &cache->held_count);
}

size_t fake_calls(struct cache *cache)
{
	return counted(cache, &cache->call_count);
}

size_t fake_open_files(struct cache *cache)
{
	return counted(cache, &cache->file_count);
}

size_t fake_open_listings(struct cache *cache)
{
	return counted(cache, &cache->listing_count);
}

/* What the table says: 0 and attributes, or the errno. */
static int look(struct cache *cache, const char *path, struct cache_attr *attr)
{
	struct entry *entry;
	int code = 0;

	(void)pthread_mutex_lock(&cache->mutex);
	entry = find(cache, path);
	*attr = (struct cache_attr){0};
	if (entry && entry->fail < 0) {
		code = entry->fail;
	} else if (!entry || !entry->present) {
		code = -ENOENT;
		if (cache->negative_ms)
			attr->fresh_until_ms =
			    clock_now_ms(cache->clock) + cache->negative_ms;
	} else {
		*attr = entry->attr;
		attr->fresh_until_ms =
		    clock_now_ms(cache->clock) + entry->fresh_ms;
	}
	(void)pthread_mutex_unlock(&cache->mutex);
	return code;
}

int fake_look(struct cache *cache, const char *path, struct cache_attr *attr)
{
	return look(cache, path, attr);
}

void fake_put_was(struct cache *cache, const char *path, int64_t size_bytes,
    uint64_t version, uint64_t was)
{
	fake_put(cache, path, size_bytes, version, 1000);
	(void)pthread_mutex_lock(&cache->mutex);
	find_or_add(cache, path)->attr.was = was;
	(void)pthread_mutex_unlock(&cache->mutex);
}

struct cache_listing *fake_listing_with(struct cache_listing *listing,
    const char *name, const struct cache_attr *attr)
{
	size_t count = listing->count;
	struct cache_listing *out =
	    fake_memory(sizeof(*out) + (count + 1) * sizeof(out->entries[0]));
	size_t i = 0;

	memcpy(out, listing, sizeof(*out) + count * sizeof(out->entries[0]));
	while (i < count && strcmp(out->entries[i].name, name) != 0)
		i++;
	(void)strcpy(out->entries[i].name, name);
	out->entries[i].attr = *attr;
	out->entries[i].known = true;
	out->count = i == count ? count + 1 : count;
	out->version = listing->version * 31 + attr->version;
	free(listing);
	return out;
}

static bool is_child(const char *parent, const char *path)
{
	char above[PATH_BYTES_MAX];

	if (strcmp(path, "/") == 0)
		return false;
	path_parent(above, path);
	return strcmp(above, parent) == 0;
}

static struct cache_listing *make_listing(struct cache *cache, const char *path)
{
	struct cache_listing *listing;
	uint64_t now_ms = clock_now_ms(cache->clock);

	(void)pthread_mutex_lock(&cache->mutex);
	listing = fake_memory(sizeof(*listing) +
	    cache->entry_count * sizeof(listing->entries[0]));
	listing->cache = cache;
	listing->version = 99;
	cache->listing_count++;
	for (size_t i = 0; i < cache->entry_count; i++) {
		const struct entry *entry = &cache->entries[i];
		struct named *named = &listing->entries[listing->count];

		if (!entry->present || !is_child(path, entry->path))
			continue;
		(void)strcpy(named->name, path_name(entry->path));
		named->attr = entry->attr;
		named->attr.fresh_until_ms = now_ms + entry->fresh_ms;
		named->known = entry->known;
		listing->count++;
		listing->version =
		    listing->version * 31 + i * 7 + entry->attr.version;
	}
	(void)pthread_mutex_unlock(&cache->mutex);
	return listing;
}

static void answer_list(struct cache *cache, const struct call *call, int code)
{
	struct cache_attr attr;
	struct cache_listing *listing = NULL;

	if (code == 0)
		code = look(cache, call->path, &attr);
	if (code == 0 && attr.kind != CACHE_DIRECTORY)
		code = -ENOTDIR;
	if (code == 0)
		listing = make_listing(cache, call->path);
	call->answer.listing(call->arg, code, listing);
}

static void answer_open(struct cache *cache, const struct call *call, int code)
{
	struct cache_attr attr;
	struct cache_file *file = NULL;

	if (code == 0)
		code = look(cache, call->path, &attr);
	if (code == 0) {
		file = fake_memory(sizeof(*file));
		file->cache = cache;
		file->version = attr.version;
		file->size_bytes = attr.size_bytes;
		(void)pthread_mutex_lock(&cache->mutex);
		cache->file_count++;
		(void)pthread_mutex_unlock(&cache->mutex);
	}
	call->answer.open(call->arg, code, file, code == 0 ? &attr : NULL);
}

/* In vectors of up to one block, as the real one gives them. */
static void answer_read(struct cache *cache, const struct call *call, int code)
{
	struct cache_file *file = call->file;
	struct iovec vectors[CACHE_READ_VECTORS_MAX];
	unsigned char *bytes = fake_memory(call->size_bytes + 1);
	size_t size_bytes = call->size_bytes;
	uint64_t at = call->offset_bytes;
	int count = 0;

	if (at >= file->size_bytes)
		size_bytes = 0;
	else if (size_bytes > file->size_bytes - at)
		size_bytes = file->size_bytes - at;
	for (size_t i = 0; i < size_bytes; i++)
		bytes[i] = fake_byte(file->version, at + i);
	for (size_t done = 0; done < size_bytes && code == 0;) {
		size_t n = CACHE_BLOCK_BYTES - (at + done) % CACHE_BLOCK_BYTES;

		if (n > size_bytes - done)
			n = size_bytes - done;
		vectors[count++] = (struct iovec){bytes + done, n};
		done += n;
	}
	(void)pthread_mutex_lock(&cache->mutex);
	file->reading--;
	(void)pthread_mutex_unlock(&cache->mutex);
	call->answer.read(call->arg, code, vectors, count);
	free(bytes);
}

static void answer(struct cache *cache, struct call *call, int code)
{
	struct cache_attr attr;
	struct cache_facts facts = {
	    .etag = "\"e1\"", .freshness = "fresh", .cached_percent = 37};

	switch (call->kind) {
	case LOOKUP:
		attr = (struct cache_attr){0};
		if (code == 0)
			code = look(cache, call->path, &attr);
		call->answer.attr(call->arg, code, &attr);
		break;
	case LIST:
		answer_list(cache, call, code);
		break;
	case OPEN:
		answer_open(cache, call, code);
		break;
	case READ:
		answer_read(cache, call, code);
		break;
	case FACTS:
		if (code == 0)
			code = look(cache, call->path, &attr);
		call->answer.facts(call->arg, code, &facts);
		break;
	case SPACE:
		call->answer.space(call->arg, code, 1000 * 4096, 400 * 4096);
		break;
	}
	free(call);
}

static struct call *call_new(enum kind kind, const char *path, void *arg)
{
	struct call *call = fake_memory(sizeof(*call));

	call->kind = kind;
	call->arg = arg;
	assert(path_is_normal(path));
	(void)strcpy(call->path, path);
	return call;
}

static void take(struct cache *cache, struct call *call)
{
	bool hold;

	(void)pthread_mutex_lock(&cache->mutex);
	hold = cache->hold;
	cache->call_count++;
	if (call->file)
		call->file->reading++;
	if (hold) {
		call->next = cache->held;
		cache->held = call;
		cache->held_count++;
		(void)pthread_cond_broadcast(&cache->changed);
	}
	(void)pthread_mutex_unlock(&cache->mutex);
	if (!hold)
		answer(cache, call, 0);
}

static struct call *take_held(struct cache *cache, bool oldest)
{
	struct call **at;
	struct call *call;

	(void)pthread_mutex_lock(&cache->mutex);
	at = &cache->held;
	while (oldest && *at && (*at)->next)
		at = &(*at)->next;
	call = *at;
	if (call) {
		*at = call->next;
		cache->held_count--;
	}
	(void)pthread_mutex_unlock(&cache->mutex);
	return call;
}

void fake_answer_oldest(struct cache *cache, int code)
{
	struct call *call = take_held(cache, true);

	assert(call != NULL);
	answer(cache, call, code);
}

void fake_answer_newest(struct cache *cache, int code)
{
	struct call *call = take_held(cache, false);

	assert(call != NULL);
	answer(cache, call, code);
}

void cache_stop(struct cache *cache)
{
	struct call *call;

	fake_hold(cache, false);
	while ((call = take_held(cache, true)))
		answer(cache, call, -ECANCELED);
}

void cache_lookup(struct cache *cache, const struct ident *ident,
    const char *path, cache_attr_fn answer_fn, void *arg)
{
	struct call *call = call_new(LOOKUP, path, arg);

	assert(ident != NULL);
	call->answer.attr = answer_fn;
	take(cache, call);
}

void cache_list(struct cache *cache, const struct ident *ident,
    const char *path, cache_listing_fn answer_fn, void *arg)
{
	struct call *call = call_new(LIST, path, arg);

	assert(ident != NULL);
	call->answer.listing = answer_fn;
	take(cache, call);
}

size_t cache_listing_count(const struct cache_listing *listing)
{
	return listing->count;
}

void cache_listing_entry(const struct cache_listing *listing, size_t index,
    const char **name, struct cache_attr *attr, bool *known)
{
	assert(index < listing->count);
	*name = listing->entries[index].name;
	*attr = listing->entries[index].attr;
	*known = listing->entries[index].known;
}

uint64_t cache_listing_version(const struct cache_listing *listing)
{
	return listing->version;
}

void cache_listing_put(struct cache_listing *listing)
{
	struct cache *cache = listing->cache;

	(void)pthread_mutex_lock(&cache->mutex);
	cache->listing_count--;
	(void)pthread_mutex_unlock(&cache->mutex);
	free(listing);
}

void cache_open(struct cache *cache, const struct ident *ident,
    const char *path, cache_open_fn answer_fn, void *arg)
{
	struct call *call = call_new(OPEN, path, arg);

	assert(ident != NULL);
	call->answer.open = answer_fn;
	take(cache, call);
}

void cache_close(struct cache_file *file)
{
	struct cache *cache = file->cache;

	(void)pthread_mutex_lock(&cache->mutex);
	assert(file->reading == 0); /* the contract: reads were answered */
	cache->file_count--;
	(void)pthread_mutex_unlock(&cache->mutex);
	free(file);
}

void cache_read(struct cache_file *file, const struct ident *ident,
    uint64_t offset_bytes, size_t size_bytes, cache_read_fn answer_fn,
    void *arg)
{
	struct call *call = call_new(READ, "/", arg);

	assert(ident != NULL);
	assert(size_bytes <= CACHE_READ_BYTES_MAX);
	call->answer.read = answer_fn;
	call->file = file;
	call->offset_bytes = offset_bytes;
	call->size_bytes = size_bytes;
	take(file->cache, call);
}

void cache_facts(struct cache *cache, const struct ident *ident,
    const char *path, cache_facts_fn answer_fn, void *arg)
{
	struct call *call = call_new(FACTS, path, arg);

	assert(ident != NULL);
	call->answer.facts = answer_fn;
	take(cache, call);
}

void cache_space(struct cache *cache, const struct ident *ident,
    cache_space_fn answer_fn, void *arg)
{
	struct call *call = call_new(SPACE, "/", arg);

	assert(ident != NULL);
	call->answer.space = answer_fn;
	take(cache, call);
}
