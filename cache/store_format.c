/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store_format.c - the file `format`: read, or begun anew.
 *
 * It is the one file that is flushed and renamed into place, once in the
 * life of a generation and under a lock on the directory. What is not valid
 * is never repaired: a new generation with another name is begun, and what
 * the old one holds is removed later.
 */
#include "base/clock.h"
#include "cache/generation.h"
#include "cache/store_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
	LOCK_TRIES = 200, /* of 10 ms; making larger tables takes a while */
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

static int lock_patiently(int fd)
{
	struct timespec pause = {.tv_nsec = 10 * 1000000};

	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		(void)nanosleep(&pause, NULL);
	}
	return -EBUSY;
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

int format_have(const struct store *store, int dir_fd,
    const struct format_wish *wish, struct format_file *out, struct stat *stat)
{
	int code = format_read(dir_fd, out, stat);

	if (!is_to_begin(code, wish, out))
		return code;
	code = lock_patiently(dir_fd);
	if (code < 0)
		return code;
	/* Another process may have been faster. */
	code = format_read(dir_fd, out, stat);
	if (is_to_begin(code, wish, out)) {
		code = begin_format(store, dir_fd, wish->secret);
		if (code == 0)
			code = format_read(dir_fd, out, stat);
	}
	(void)flock(dir_fd, LOCK_UN);
	return code;
}
