/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_store.c - the files of a cache directory, overwritten with
 * any bytes: the store opens, what it gives is right, what it does not give
 * can be kept again; who looks after the directory finds no damage twice.
 *
 * The input is a list of edits: which file, where, how many bytes, the bytes.
 * The directory is made with a fixed secret, so that an input that found
 * something finds it again.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "cache/store/format.h"
#include "cache/store/hash.h"
#include "cache/store/store.h"
#include "cache/store/upkeep.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

enum {
	SMALL = 500,
	LARGE = 2 * 65536 + 9,
	LARGE_BLOCKS = 3,
	FILES_MAX = 16,
	PATH_BYTES = 512,
};

#define GENERATION UINT64_C(0x1122334455667788)

struct scene {
	char dir[PATH_BYTES];
	char files[FILES_MAX][PATH_BYTES];
	unsigned count;
	uint8_t *bytes; /* of the larger file; the smaller one's start so too */
	void *buffers[STORE_RUN_BLOCKS];
};

static struct scene scene;

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void write_file(const char *path, const void *bytes, size_t size_bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0);
	must(write(fd, bytes, size_bytes) == (ssize_t)size_bytes);
	(void)close(fd);
}

/* A format with a secret that is always the same. */
static void begin_directory(void)
{
	struct format_file format = {
	    .version = htole32(FORMAT_VERSION),
	    .size_bytes = htole32(sizeof(format)),
	    .generation = htole64(GENERATION),
	    .block_buckets = htole32(1),
	    .object_buckets = htole32(1),
	};
	char path[PATH_BYTES + 32];

	memcpy(format.magic, FORMAT_MAGIC, sizeof(format.magic));
	for (unsigned i = 0; i < sizeof(format.secret); i++)
		format.secret[i] = (uint8_t)(i * 37 + 11);
	format.check =
	    htole64(hash_plain(&format, offsetof(struct format_file, check)));
	must(mkdir(scene.dir, 0700) == 0);
	(void)snprintf(path, sizeof(path), "%s/format", scene.dir);
	write_file(path, &format, sizeof(format));
}

static struct store *open_store(void)
{
	struct store_config config = {.clock = clock_system(),
	    .dir = scene.dir,
	    .size_bytes = 4 * 1024 * 1024};
	struct err err = ERR_INIT;
	struct store *store = NULL;

	must(store_open(&store, &config, &err) == 0);
	return store;
}

static struct store_object *open_object(struct store *store, bool small)
{
	struct store_identity identity = {.origin = "https://o:1",
	    .path = small ? "/s" : "/l",
	    .size_bytes = small ? SMALL : LARGE,
	    .mtime_s = 1,
	    .etag = ""};
	struct store_object *object = NULL;

	must(store_object_open(store, &identity, &object) == 0);
	return object;
}

static size_t part_of(unsigned index)
{
	return index + 1 < LARGE_BLOCKS ? STORE_BLOCK_BYTES
	                                : LARGE % STORE_BLOCK_BYTES;
}

static unsigned keep(struct store *store)
{
	struct store_object *small = open_object(store, true);
	struct store_object *large = open_object(store, false);
	struct store_block blocks[1 + LARGE_BLOCKS] = {
	    {.object = small, .bytes = scene.bytes, .size_bytes = SMALL}};
	unsigned kept;

	for (unsigned i = 0; i < LARGE_BLOCKS; i++)
		blocks[1 + i] = (struct store_block){.object = large,
		    .index = i,
		    .bytes = scene.bytes + (size_t)i * STORE_BLOCK_BYTES,
		    .size_bytes = part_of(i)};
	kept = store_keep(store, blocks, 1 + LARGE_BLOCKS);
	store_object_close(small);
	store_object_close(large);
	return kept;
}

/* Blocks that are there, each compared. */
static unsigned load(struct store *store)
{
	struct store_object *small = open_object(store, true);
	struct store_object *large = open_object(store, false);
	unsigned there = 0;

	if (store_load(small, 0, 1, STORE_WAIT, scene.buffers) == 1) {
		must(memcmp(scene.buffers[0], scene.bytes, SMALL) == 0);
		there++;
	}
	for (unsigned i = 0; i < LARGE_BLOCKS; i++) {
		const uint8_t *want =
		    scene.bytes + (size_t)i * STORE_BLOCK_BYTES;

		if (store_load_pages(
		        large, i, 0, 1, STORE_WAIT, scene.buffers[0]) == 1)
			must(*(const uint8_t *)scene.buffers[0] == *want);
		if (store_load(large, i, 1, STORE_WAIT, scene.buffers) != 1)
			continue;
		must(memcmp(scene.buffers[0], want, part_of(i)) == 0);
		there++;
	}
	must(store_object_blocks(large) <= LARGE_BLOCKS);
	store_object_close(small);
	store_object_close(large);
	return there;
}

static int add_file(
    const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)ftw;
	if (type == FTW_F && scene.count < FILES_MAX)
		(void)snprintf(
		    scene.files[scene.count++], PATH_BYTES, "%s", path);
	return 0;
}

static int remove_one(
    const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void set_up_once(void)
{
	const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	if (scene.bytes != NULL)
		return;
	scene.bytes = calloc(1, LARGE);
	must(scene.bytes != NULL);
	for (unsigned i = 0; i < LARGE; i++)
		scene.bytes[i] = (uint8_t)(i * 31 + i / 4096);
	for (unsigned i = 0; i < STORE_RUN_BLOCKS; i++) {
		scene.buffers[i] =
		    aligned_alloc(STORE_PAGE_BYTES, STORE_BLOCK_BYTES);
		must(scene.buffers[i] != NULL);
	}
	(void)snprintf(scene.dir, sizeof(scene.dir),
	    "%s/bearerfs-fuzz-store-%d", place, (int)getpid());
	/* Damage is what this is about: nobody needs to be told. */
	must(log_start(LOG_TO_FILE, LOG_LEVEL_ERROR, "/dev/null",
	         &(struct err)ERR_INIT) == 0);
}

/* An edit: file, offset (3 bytes), length; then so many bytes. An offset
 * behind the end cuts the file there instead. */
static size_t edit(const uint8_t *data, size_t size_bytes)
{
	const char *path = scene.files[data[0] % scene.count];
	uint64_t offset = (uint64_t)data[1] | (uint64_t)data[2] << 8 |
	    (uint64_t)data[3] << 16;
	size_t length = data[4];
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat stat;

	must(fd >= 0 && fstat(fd, &stat) == 0);
	if (length > size_bytes - 5)
		length = size_bytes - 5;
	if (length == 0)
		must(ftruncate(fd, (off_t)offset % (stat.st_size + 1)) == 0);
	else
		must(
		    pwrite(fd, data + 5, length,
		        stat.st_size == 0 ? 0 : (off_t)offset % stat.st_size) ==
		    (ssize_t)length);
	(void)close(fd);
	return 5 + length;
}

static void found(void *arg, const struct upkeep_finding *finding)
{
	must(finding->origin != NULL && finding->path != NULL);
	(*(uint64_t *)arg)++;
}

/* What came of the edits is told, checked, and dropped or pruned. */
static void look_after(bool drop)
{
	const struct upkeep_config config = {
	    .clock = clock_system(), .dir = scene.dir};
	uint64_t findings = 0;
	const struct upkeep_progress progress = {.arg = &findings};
	struct upkeep_dropped dropped;
	struct upkeep_check check;
	struct upkeep *upkeep;
	struct err err = ERR_INIT;
	uint64_t left;

	/* Without a format there is nothing to look after. */
	if (upkeep_open(&upkeep, &config, &err) < 0)
		return;
	must(upkeep_check(upkeep, &check, found, &progress, &err) == 0);
	must(check.damaged == findings && check.blocks <= 1 + LARGE_BLOCKS);
	must(upkeep_check(upkeep, &check, found, &progress, &err) == 0);
	must(check.damaged == 0);
	if (drop)
		must(upkeep_drop(upkeep, "https://o:1", "/", &dropped,
		         &progress, &err) == 0);
	else
		must(upkeep_prune(upkeep, 0, &left, &progress, &err) == 0);
	upkeep_close(upkeep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct store *store;

	set_up_once();
	(void)nftw(scene.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	begin_directory();
	store = open_store();
	must(keep(store) == 1 + LARGE_BLOCKS);
	store_close(store);
	scene.count = 0;
	must(nftw(scene.dir, add_file, 16, FTW_PHYS) == 0);
	qsort(scene.files, scene.count, PATH_BYTES, compare_paths);
	for (size_t at = 0; size_bytes - at >= 5;)
		at += edit(data + at, size_bytes - at);
	/* Some are left to the store alone. */
	if (size_bytes % 4 < 2)
		look_after(size_bytes % 2 == 0);
	store = open_store();
	(void)load(store);
	store_tend(store);
	(void)load(store);
	must(keep(store) == 1 + LARGE_BLOCKS);
	must(load(store) == 1 + LARGE_BLOCKS);
	store_close(store);
	(void)nftw(scene.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
