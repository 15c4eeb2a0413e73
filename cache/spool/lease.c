/* SPDX-License-Identifier: Apache-2.0 */
/* cache/spool/lease.c - see lease.h. */
#include "cache/spool/lease.h"

#include "base/clock.h"
#include "base/io.h"
#include "cache/spool/files.h"
#include "cache/spool/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	/* A lease is a 64th of the spool: the sum is then made 64 times while
	 * it fills, and that much may be refused early for each process. */
	LEASE_SHARE = 64,
	LEASE_BYTES_MAX = 256 * 1024 * 1024,
	RESERVE_SHARE = 64, /* of the disk; the cache's own is larger */
	RESERVE_BYTES_MAX = 1024 * 1024 * 1024,
	STAT_BLOCK_BYTES = 512, /* what st_blocks counts in */
};

/* What noise in a claim counts at most. */
#define CLAIM_BYTES_MAX ((uint64_t)1 << 50)

struct sum {
	uid_t uid;
	uint64_t bytes;
};

static int add_file(void *arg, int dir_fd, const char *text)
{
	struct sum *sum = arg;
	struct files_name name;
	struct stat about;

	/* One that went meanwhile occupies nothing. */
	if (files_parse(&name, text) && name.uid == sum->uid &&
	    fstatat(dir_fd, text, &about, AT_SYMLINK_NOFOLLOW) == 0)
		sum->bytes += (uint64_t)about.st_blocks * STAT_BLOCK_BYTES;
	return 0;
}

int lease_used(struct spool *spool, uid_t uid, uint64_t *bytes)
{
	struct sum sum = {.uid = uid};
	int code = io_each_name(spool->dir_fd, ".", add_file, &sum);

	*bytes = sum.bytes;
	return code;
}

struct claims {
	uid_t uid;
	ino_t own;
	uint64_t of_user;
	uint64_t of_all;
};

/* What another process has claimed; a dead one's goes. */
static int add_claim(void *arg, int dir_fd, const char *text)
{
	struct claims *claims = arg;
	struct disk_claim list[DISK_CLAIMS];
	struct stat about;
	int fd = files_open(dir_fd, text, O_RDONLY, &about);
	ssize_t n;

	if (fd < 0)
		return 0;
	if (about.st_ino == claims->own) {
		(void)close(fd);
		return 0;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		(void)unlinkat(dir_fd, text, 0);
		(void)close(fd);
		return 0;
	}
	n = io_pread(fd, list, sizeof(list), 0);
	for (ssize_t i = 0; i < n / (ssize_t)sizeof(*list); i++) {
		uint64_t bytes = le64toh(list[i].bytes);

		if (bytes > CLAIM_BYTES_MAX)
			bytes = CLAIM_BYTES_MAX;
		claims->of_all += bytes;
		if (le64toh(list[i].uid) == claims->uid)
			claims->of_user += bytes;
	}
	(void)close(fd);
	return 0;
}

static int make_claim(struct spool *spool) REQUIRES(spool_common_lock);
static int make_claim(struct spool *spool)
{
	char *name = spool->claim_name;
	uint64_t random;
	int fd;

	if (spool->claim_fd >= 0)
		return 0;
	clock_random(&random, sizeof(random));
	(void)snprintf(name, sizeof(spool->claim_name), "%016llx",
	    (unsigned long long)random);
	fd =
	    files_open(spool->claims_fd, name, O_RDWR | O_CREAT | O_EXCL, NULL);
	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int code = -errno;

		(void)unlinkat(spool->claims_fd, name, 0);
		(void)close(fd);
		return code;
	}
	spool->claim_fd = fd;
	return 0;
}

static int write_claims(struct spool *spool) REQUIRES(spool_common_lock);
static int write_claims(struct spool *spool)
{
	struct disk_claim list[DISK_CLAIMS] = {{0}};

	for (unsigned i = 0; i < spool->lease_count; i++)
		list[i] =
		    (struct disk_claim){.uid = htole64(spool->leases[i].uid),
		        .bytes = htole64(spool->leases[i].left_bytes)};
	return io_pwrite(spool->claim_fd, list, sizeof(list), 0);
}

/* The lease of a user; when there are too many, that with the least left is
 * given up for it. */
static struct lease *lease_of(struct spool *spool, uid_t uid)
    REQUIRES(spool_common_lock);
static struct lease *lease_of(struct spool *spool, uid_t uid)
{
	struct lease *least = &spool->leases[0];

	for (unsigned i = 0; i < spool->lease_count; i++) {
		if (spool->leases[i].uid == uid)
			return &spool->leases[i];
		if (spool->leases[i].left_bytes < least->left_bytes)
			least = &spool->leases[i];
	}
	if (spool->lease_count < DISK_CLAIMS)
		least = &spool->leases[spool->lease_count++];
	*least = (struct lease){.uid = uid};
	return least;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What the disk gives before its reserve is touched. */
static int disk_room(const struct spool *spool, uint64_t *out)
{
	struct statvfs disk;

	if (fstatvfs(spool->dir_fd, &disk) < 0)
		return -errno;
	*out = less((uint64_t)disk.f_bavail * disk.f_frsize,
	    smaller((uint64_t)disk.f_blocks * disk.f_frsize / RESERVE_SHARE,
	        RESERVE_BYTES_MAX));
	return 0;
}

/* Sum up and take a new lease, under the lock of all processes. */
static int renew(struct spool *spool, struct lease *lease, uint64_t bytes,
    struct err *err) REQUIRES(spool_common_lock);
static int renew(
    struct spool *spool, struct lease *lease, uint64_t bytes, struct err *err)
{
	struct claims claims = {.uid = lease->uid};
	struct stat own;
	uint64_t used = 0;
	uint64_t disk = 0;
	uint64_t room;
	uint64_t want =
	    smaller(spool->size_bytes / LEASE_SHARE, LEASE_BYTES_MAX);
	int code = make_claim(spool);

	if (code == 0 && fstat(spool->claim_fd, &own) < 0)
		code = -errno;
	if (code == 0) {
		claims.own = own.st_ino;
		code = io_each_name(spool->claims_fd, ".", add_claim, &claims);
	}
	if (code == 0)
		code = lease_used(spool, lease->uid, &used);
	if (code == 0)
		code = disk_room(spool, &disk);
	if (code < 0)
		return err_set(
		    err, code, "spool '%s': %s", spool->dir, err_message(code));
	room = less(spool->size_bytes, used + claims.of_user);
	if (room < bytes)
		return err_set(err, -ENOSPC,
		    "spool '%s' is full: %llu of %llu bytes hold unsent files "
		    "of user %u; send them (bearerfs status lists them), or "
		    "raise spool_size",
		    spool->dir, (unsigned long long)used,
		    (unsigned long long)spool->size_bytes,
		    (unsigned)lease->uid);
	disk = less(disk, claims.of_all);
	if (disk < bytes)
		return err_set(err, -ENOSPC,
		    "spool '%s': the disk is full but for its reserve; make "
		    "room on it",
		    spool->dir);
	/* Half of what is left, for others want some too. */
	want = smaller(want, smaller(room, disk) / 2);
	lease->left_bytes = want > bytes ? want : bytes;
	code = write_claims(spool);
	if (code < 0) {
		lease->left_bytes = 0;
		return err_set(
		    err, code, "spool '%s': %s", spool->dir, err_message(code));
	}
	return 0;
}

int lease_take(struct spool *spool, uid_t uid, uint64_t bytes, struct err *err)
{
	struct lease *lease;
	int code = 0;

	spool_common_enter(spool);
	lease = lease_of(spool, uid);
	if (lease->left_bytes < bytes) {
		code = files_lock(spool->next_fd);
		if (code < 0)
			(void)err_set(err, code,
			    "spool '%s': another process holds its lock: %s",
			    spool->dir, err_message(code));
		if (code == 0) {
			code = renew(spool, lease, bytes, err);
			files_unlock(spool->next_fd);
		}
	}
	if (code == 0)
		lease->left_bytes -= bytes;
	spool_common_leave(spool);
	return code;
}

void lease_give(struct spool *spool, uid_t uid, uint64_t bytes)
{
	spool_common_enter(spool);
	for (unsigned i = 0; i < spool->lease_count; i++)
		if (spool->leases[i].uid == uid)
			spool->leases[i].left_bytes += bytes;
	spool_common_leave(spool);
}

void lease_end(struct spool *spool)
{
	spool_common_enter(spool);
	spool->lease_count = 0;
	if (spool->claim_fd >= 0) {
		(void)unlinkat(spool->claims_fd, spool->claim_name, 0);
		(void)close(spool->claim_fd);
		spool->claim_fd = -1;
	}
	spool_common_leave(spool);
}
