/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/was.c - see was.h. */
#include "cache/paths/was.h"

#include "base/path.h"
#include "cache/checks/suspect.h"
#include "cache/paths/meta.h"
#include "fetch/fetch.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

static void enter(struct written *written) ACQUIRES(suspect_lock);
static void leave(struct written *written) RELEASES(suspect_lock);

static UNCHECKED void enter(struct written *written)
{
	(void)pthread_mutex_lock(&written->mutex);
}

static UNCHECKED void leave(struct written *written)
{
	(void)pthread_mutex_unlock(&written->mutex);
}

UNCHECKED void written_init(struct written *written)
{
	(void)pthread_mutex_init(&written->mutex, NULL);
	atomic_init(&written->any, false);
	written->files = NULL;
}

UNCHECKED void written_fini(struct written *written)
{
	free(written->files);
	(void)pthread_mutex_destroy(&written->mutex);
}

uint64_t was_place(const char *path)
{
	return XXH3_64bits(path, strlen(path));
}

uint64_t was_key(uint64_t place, const char *name)
{
	return XXH3_64bits_withSeed(name, strlen(name), place);
}

uint64_t was_key_of(const char *path)
{
	char above[PATH_BYTES_MAX];

	path_parent(above, path);
	return was_key(was_place(above), path_name(path));
}

/* Of a path and what the server tells of it. */
static uint64_t key_of(uint64_t key, const struct fetch_version *version)
{
	struct {
		uint64_t size_bytes;
		int64_t mtime_s;
		uint64_t etag;
	} told = {
	    .size_bytes = version->size_bytes,
	    .mtime_s = version->mtime_s,
	    .etag = XXH3_64bits(version->etag, strlen(version->etag)),
	};
	uint64_t hash = XXH3_64bits_withSeed(&told, sizeof(told), key);

	return hash != 0 ? hash : 1;
}

static struct written_file *set_of(struct written *written, uint64_t key)
    REQUIRES(suspect_lock);
static struct written_file *set_of(struct written *written, uint64_t key)
{
	return &written->files[key % WRITTEN_SETS * WRITTEN_WAYS];
}

static bool find(
    struct written *written, uint64_t key, struct written_file *out)
{
	bool found = false;

	if (!atomic_load_explicit(&written->any, memory_order_acquire))
		return false;
	enter(written);
	for (unsigned i = 0; i < WRITTEN_WAYS && !found; i++) {
		*out = set_of(written, key)[i];
		found = out->key == key;
	}
	leave(written);
	return found;
}

/* The newest first; the oldest of its set goes. */
static void add(struct written *written, const struct written_file *file)
{
	struct written_file *set;
	unsigned last = 0;

	enter(written);
	if (written->files == NULL)
		written->files =
		    calloc((size_t)WRITTEN_SETS * WRITTEN_WAYS, sizeof(*file));
	if (written->files != NULL) {
		set = set_of(written, file->key);
		while (last < WRITTEN_WAYS - 1 && set[last].key != file->key)
			last++;
		(void)memmove(set + 1, set, last * sizeof(*set));
		set[0] = *file;
		atomic_store_explicit(
		    &written->any, true, memory_order_release);
	}
	leave(written);
}

void was_add(
    struct written *written, uint64_t key, const struct meta_attr *attr)
{
	add(written,
	    &(struct written_file){
	        .key = key_of(key, &attr->version),
	        .number = attr->plain_number,
	        .was = attr->was,
	        .nonce = attr->nonce,
	    });
}

void was_move(struct written *written, uint64_t from, uint64_t to,
    const struct fetch_version *version)
{
	struct written_file file;

	if (!find(written, key_of(from, version), &file))
		return;
	file.key = key_of(to, version);
	add(written, &file);
}

void was_apply(struct written *written, struct suspects *suspects, uint64_t key,
    struct meta_attr *attr)
{
	struct written_file file;

	if (attr->kind != CACHE_FILE || !attr->exact ||
	    !find(written, key_of(key, &attr->version), &file))
		return;
	attr->plain_number = file.number;
	attr->number = suspects_number(suspects, file.number);
	attr->was = file.was;
	attr->nonce = file.nonce;
	attr->lasting = attr->lasting || file.nonce == 0;
}
