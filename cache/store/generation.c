/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/generation.c - see generation.h.
 */
#include "cache/store/generation.h"

#include "cache/store/evict_maps.h"
#include "cache/store/io.h"
#include "cache/store/uses.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int directory_open(const char *path, bool make, struct err *err)
{
	int code = make ? io_make_dirs(path) : 0;

	/* Where a part above may not be looked at, the open below tells. */
	if (code < 0 && code != -EACCES && code != -EROFS)
		return err_set(err, code, "cache directory '%s': %s", path,
		    err_message(code));

	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) < 0) {
		code = -errno;
		if (fd >= 0)
			(void)close(fd);
		return err_set(err, code, "cache directory '%s': %s", path,
		    err_message(code));
	}
	if (stat.st_uid != geteuid()) {
		(void)close(fd);
		return err_set(err, -EACCES,
		    "cache directory '%s' belongs to user %u: name another "
		    "with cache_dir",
		    path, (unsigned)stat.st_uid);
	}
	if ((stat.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		(void)close(fd);
		return err_set(err, -EACCES,
		    "cache directory '%s' may be written to by others (mode "
		    "%04o): run: chmod 700 %s",
		    path, (unsigned)(stat.st_mode & 07777), path);
	}
	return fd;
}

/* A directory below another, made when missing. */
static int open_below(int dir_fd, const char *name)
{
	if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
		return -errno;

	int fd = openat(
	    dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

static int open_table(const struct generation *generation, struct table *table,
    enum table_kind kind)
{
	char name[TABLE_NAME_BYTES];
	const struct format_file *format = &generation->format;
	bool blocks = kind == TABLE_BLOCKS;

	*table = (struct table){
	    .fd = -1,
	    .kind = kind,
	    .buckets = le32toh(
	        blocks ? format->block_buckets : format->object_buckets),
	    .secret = generation->secret,
	};
	table_name(name, format, kind);
	return table_open(table, generation->dir_fd, name);
}

static int open_parts(struct generation *generation, int dir_fd)
{
	char name[GENERATION_NAME_BYTES];
	int code;

	generation_name(name, &generation->format);
	generation->dir_fd = open_below(dir_fd, name);
	if (generation->dir_fd < 0)
		return generation->dir_fd;
	generation->packs_fd = open_below(generation->dir_fd, "packs");
	if (generation->packs_fd < 0)
		return generation->packs_fd;
	generation->maps_fd = open_below(generation->dir_fd, "maps");
	if (generation->maps_fd < 0)
		return generation->maps_fd;
	code = open_table(generation, &generation->blocks, TABLE_BLOCKS);
	if (code == 0)
		code =
		    open_table(generation, &generation->objects, TABLE_OBJECTS);
	if (code == 0)
		uses_open(generation);
	return code;
}

int generation_open(struct store *store, int dir_fd,
    const struct format_file *format, const struct hash_secret *secret,
    struct generation **out)
{
	struct generation *generation = calloc(1, sizeof(*generation));
	int code;

	*out = NULL;
	if (generation == NULL)
		return -ENOMEM;
	generation->format = *format;
	generation->secret = secret;
	generation->dir_fd = generation->packs_fd = generation->maps_fd =
	    generation->uses_fd = -1;
	generation->blocks = generation->objects = (struct table)TABLE_INIT;
	store_enter(store);
	generation->users = 1;
	generation->id = ++store->generations;
	generation->packs.handles.limit = STORE_PACK_DESCRIPTORS;
	generation->maps.limit = STORE_MAP_DESCRIPTORS;
	store_leave(store);
	code = open_parts(generation, dir_fd);
	if (code < 0) {
		generation_free(store, generation);
		return code;
	}
	evict_count_maps(generation);
	*out = generation;
	return 0;
}

void generation_free(struct store *store, struct generation *generation)
{
	struct handle *dead;

	if (generation == NULL)
		return;
	packs_note_uses(store, generation);
	store_enter(store);
	handles_drop_all(&generation->maps);
	dead = handles_take_dead(&generation->maps);
	store_leave(store);
	handles_close(dead);
	packs_fini(store, generation);
	table_close(&generation->blocks);
	table_close(&generation->objects);
	uses_close(generation);
	if (generation->maps_fd >= 0)
		(void)close(generation->maps_fd);
	if (generation->packs_fd >= 0)
		(void)close(generation->packs_fd);
	if (generation->dir_fd >= 0)
		(void)close(generation->dir_fd);
	free(generation);
}

/* "v<digits>-<16 hex>": a generation of some version of ours. */
static bool is_generation(const char *name)
{
	size_t digits;

	if (*name++ != 'v')
		return false;
	digits = strspn(name, "0123456789");
	if (digits == 0 || digits > 9 || name[digits] != '-')
		return false;
	name += digits + 1;
	return strlen(name) == 16 && strspn(name, "0123456789abcdef") == 16;
}

/* What remove_tree() removes, no deeper than `depth`: a generation has three
 * levels. */
static int remove_tree(int dir_fd, const char *name, unsigned depth);

static int remove_at_depth(void *arg, int dir_fd, const char *name)
{
	return remove_tree(dir_fd, name, *(unsigned *)arg);
}

static int remove_tree(int dir_fd, const char *name, unsigned depth)
{
	unsigned below = depth - 1;

	if (unlinkat(dir_fd, name, 0) == 0 ||
	    (errno != EISDIR && errno != EPERM) || depth == 0)
		return 0;
	/* What is left over is tried again when a store is opened. */
	(void)!io_each_name(dir_fd, name, remove_at_depth, &below);
	(void)unlinkat(dir_fd, name, AT_REMOVEDIR);
	return 0;
}

static int remove_other(void *arg, int dir_fd, const char *name)
{
	enum { DEPTH = 3 };

	if (is_generation(name) && strcmp(name, arg) != 0)
		return remove_tree(dir_fd, name, DEPTH);
	return 0;
}

void generation_clean(int dir_fd, const struct format_file *format)
{
	char mine[GENERATION_NAME_BYTES];
	struct format_file now;
	struct stat stat;

	/* Only while the format stands still and is the one we know. */
	if (flock(dir_fd, LOCK_EX | LOCK_NB) < 0)
		return;
	generation_name(mine, format);
	if (format_read(dir_fd, &now, &stat) == 0 &&
	    now.generation == format->generation)
		(void)!io_each_name(dir_fd, ".", remove_other, mine);
	(void)flock(dir_fd, LOCK_UN);
}
