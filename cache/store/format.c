/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/format.c - the file `format`: read, or begun anew.
 *
 * It is the one file that is flushed and renamed into place, once in the
 * life of a generation and under a lock on the directory. What is not valid
 * is never repaired: a new generation with another name is begun, and what
 * the old one holds is removed later.
 */
#include "base/clock.h"
#include "cache/store/generation.h"
#include "cache/store/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
	LOCK_TRIES = 200, /* making larger tables takes a while */
	LOCK_PAUSE_MS = 10,
	ENTRIES_PER_BLOCK = 2,            /* half load */
	ENTRIES_PER_BLOCK_OF_OBJECTS = 4, /* small files of 32 KiB fill it */
};

void generation_name(
    char out[GENERATION_NAME_BYTES], const struct format_file *format)
{
	(void)snprintf(out, GENERATION_NAME_BYTES, "v1-%016llx",
	    (unsigned long long)le64toh(format->generation));
}

static uint64_t check_of(const struct format_file *format)
{
	return htole64(hash_plain(format, offsetof(struct format_file, check)));
}

static bool is_bucket_count(uint32_t count)
{
	return count > 0 && count <= FORMAT_BUCKETS_MAX;
}

int format_read(int dir_fd, struct format_file *out, struct stat *stat)
{
	int fd = openat(
	    dir_fd, "format", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? -EILSEQ : -errno;

	ssize_t n = fstat(fd, stat) < 0
	    ? -errno
	    : (S_ISREG(stat->st_mode) ? io_pread(fd, out, sizeof(*out), 0)
	                              : -EILSEQ);

	(void)close(fd);
	if (n < 0)
		return (int)n;
	if (n < (ssize_t)(sizeof(out->magic) + sizeof(out->version)) ||
	    memcmp(out->magic, FORMAT_MAGIC, sizeof(out->magic)) != 0)
		return -EILSEQ;
	if (le32toh(out->version) != FORMAT_VERSION)
		return -EPROTO;
	if (n < (ssize_t)sizeof(*out) ||
	    le32toh(out->size_bytes) != sizeof(*out) ||
	    out->check != check_of(out) || out->generation == 0 ||
	    !is_bucket_count(le32toh(out->block_buckets)) ||
	    !is_bucket_count(le32toh(out->object_buckets)))
		return -EILSEQ;
	return 0;
}

/* Buckets of a table with so many entries for each block of the cache. */
static uint32_t buckets_for(const struct store *store, unsigned per_block)
{
	uint64_t blocks = store->config_bytes / STORE_BLOCK_BYTES;
	uint64_t buckets = blocks / FORMAT_BUCKET_ENTRIES * per_block + 1;

	return buckets < FORMAT_BUCKETS_MAX ? (uint32_t)buckets
	                                    : FORMAT_BUCKETS_MAX;
}

uint64_t format_cache_bytes(const struct format_file *format)
{
	uint64_t buckets = le32toh(format->block_buckets);
	uint64_t steps = (buckets - 1) / ENTRIES_PER_BLOCK;

	/* The last bucket stands for what is less than a step. */
	return (steps > 0 ? steps : 1) * FORMAT_BUCKET_ENTRIES *
	    STORE_BLOCK_BYTES;
}

/* Write, flush, rename, flush the directory. */
static int write_format(int dir_fd, const struct format_file *format)
{
	int fd = openat(dir_fd, "format.new",
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	    0600);
	int code;

	if (fd < 0)
		return -errno;
	code = io_pwrite(fd, format, sizeof(*format), 0);
	if (code == 0 && fsync(fd) < 0)
		code = -errno;
	(void)close(fd);
	/* A directory of that name, when it is empty, stands in the way. */
	(void)unlinkat(dir_fd, "format", AT_REMOVEDIR);
	if (code == 0 && renameat(dir_fd, "format.new", dir_fd, "format") < 0)
		code = -errno;
	if (code == 0 && fsync(dir_fd) < 0)
		code = -errno;
	return code;
}

static int begin_format(
    const struct store *store, int dir_fd, const struct hash_secret *secret)
{
	struct format_file format = {
	    .version = htole32(FORMAT_VERSION),
	    .size_bytes = htole32(sizeof(format)),
	    .block_buckets = htole32(buckets_for(store, ENTRIES_PER_BLOCK)),
	    .object_buckets =
	        htole32(buckets_for(store, ENTRIES_PER_BLOCK_OF_OBJECTS)),
	};
	char name[GENERATION_NAME_BYTES];

	memcpy(format.magic, FORMAT_MAGIC, sizeof(format.magic));
	do
		clock_random(&format.generation, sizeof(format.generation));
	while (format.generation == 0);
	if (secret != NULL)
		memcpy(format.secret, secret->bytes, sizeof(format.secret));
	else
		clock_random(format.secret, sizeof(format.secret));
	format.check = check_of(&format);
	generation_name(name, &format);
	if (mkdirat(dir_fd, name, 0700) < 0)
		return -errno;
	return write_format(dir_fd, &format);
}

static bool is_to_begin(
    int code, const struct format_wish *wish, const struct format_file *format)
{
	if (code == 0)
		return wish->spoilt != 0 &&
		    le64toh(format->generation) == wish->spoilt;
	return code == -ENOENT || code == -EILSEQ ||
	    (code == -EPROTO && wish->takeover);
}

void table_name(char out[TABLE_NAME_BYTES], const struct format_file *format,
    enum table_kind kind)
{
	(void)snprintf(out, TABLE_NAME_BYTES, "%s-%u",
	    kind == TABLE_BLOCKS ? "blocks" : "objects",
	    le32toh(format->tables));
}

/* Tables are made larger when they are less than half of what the size of
 * the cache asks for; never smaller: another mount may have asked for it. */
static bool is_to_grow(
    const struct store *store, const struct format_file *format)
{
	return le32toh(format->block_buckets) <
	    buckets_for(store, ENTRIES_PER_BLOCK) / 2 ||
	    le32toh(format->object_buckets) <
	    buckets_for(store, ENTRIES_PER_BLOCK_OF_OBJECTS) / 2;
}

/* Fill the new table of a kind with what the old one has. */
static int copy_table(int dir_fd, const struct format_file *old,
    const struct format_file *new, enum table_kind kind)
{
	struct hash_secret secret;
	char name[TABLE_NAME_BYTES];
	bool blocks = kind == TABLE_BLOCKS;
	struct table from = {.fd = -1,
	    .kind = kind,
	    .secret = &secret,
	    .buckets =
	        le32toh(blocks ? old->block_buckets : old->object_buckets)};
	struct table to = {.fd = -1,
	    .kind = kind,
	    .secret = &secret,
	    .buckets =
	        le32toh(blocks ? new->block_buckets : new->object_buckets)};
	int code;

	memcpy(secret.bytes, old->secret, sizeof(secret.bytes));
	table_name(name, old, kind);
	code = table_open(&from, dir_fd, name);
	table_name(name, new, kind);
	/* Begun by one that did not finish. */
	(void)unlinkat(dir_fd, name, 0);
	if (code == 0)
		code = table_open(&to, dir_fd, name);
	if (code == 0)
		code = table_copy(&from, &to);
	table_close(&from);
	table_close(&to);
	explicit_bzero(&secret, sizeof(secret));
	return code;
}

/* Under the directory's lock: tables of another size under another name,
 * then the format that names them. Other processes see it within a second;
 * what they write into the old tables until then is lost, and a miss. */
static int grow_tables(
    const struct store *store, int dir_fd, const struct format_file *old)
{
	struct format_file new = *old;
	char name[GENERATION_NAME_BYTES];
	uint32_t block_buckets = buckets_for(store, ENTRIES_PER_BLOCK);
	uint32_t object_buckets =
	    buckets_for(store, ENTRIES_PER_BLOCK_OF_OBJECTS);
	int code;

	new.tables = htole32(le32toh(old->tables) + 1);
	if (block_buckets > le32toh(old->block_buckets))
		new.block_buckets = htole32(block_buckets);
	if (object_buckets > le32toh(old->object_buckets))
		new.object_buckets = htole32(object_buckets);
	new.check = check_of(&new);
	generation_name(name, old);

	int fd = openat(
	    dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	code = copy_table(fd, old, &new, TABLE_BLOCKS);
	if (code == 0)
		code = copy_table(fd, old, &new, TABLE_OBJECTS);
	if (code == 0)
		code = write_format(dir_fd, &new);
	if (code == 0) {
		table_name(name, old, TABLE_BLOCKS);
		(void)unlinkat(fd, name, 0);
		table_name(name, old, TABLE_OBJECTS);
		(void)unlinkat(fd, name, 0);
	}
	(void)close(fd);
	return code;
}

/* Under the directory's lock. */
static int change_format(const struct store *store, int dir_fd,
    const struct format_wish *wish, struct format_file *out, struct stat *stat)
{
	/* Another process may have been faster. */
	int code = format_read(dir_fd, out, stat);

	if (is_to_begin(code, wish, out))
		code = begin_format(store, dir_fd, wish->secret);
	else if (code == 0 && is_to_grow(store, out))
		code = grow_tables(store, dir_fd, out);
	else
		return code;
	return code < 0 ? code : format_read(dir_fd, out, stat);
}

int format_have(const struct store *store, int dir_fd,
    const struct format_wish *wish, struct format_file *out, struct stat *stat)
{
	int code = format_read(dir_fd, out, stat);
	bool begin = is_to_begin(code, wish, out);

	if (!begin && (code < 0 || !is_to_grow(store, out)))
		return code;
	code = io_lock_briefly(dir_fd, LOCK_TRIES, LOCK_PAUSE_MS);
	if (code == 0) {
		code = change_format(store, dir_fd, wish, out, stat);
		(void)flock(dir_fd, LOCK_UN);
	}
	/* Small tables do as well. */
	if (code < 0 && !begin)
		code = format_read(dir_fd, out, stat);
	return code;
}
