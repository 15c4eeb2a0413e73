/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/keyfile.c - see keyfile.h. */
#include "tokens/verify/keyfile.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/path.h"
#include "tokens/verify/issuer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#define MAGIC "bearerfs-keys 1 "

enum {
	SUM_BYTES = 32,
	SUM_TEXT_BYTES = 64 + 1,
	HEAD_BYTES = sizeof(MAGIC) - 1 + SUM_TEXT_BYTES,
	FILE_BYTES_MAX = JWKS_BYTES_MAX + ISSUER_BYTES_MAX + 256,
};

static int sum(char out[SUM_TEXT_BYTES], const void *bytes, size_t size_bytes)
{
	unsigned char digest[SUM_BYTES];

	if (EVP_Digest(bytes, size_bytes, digest, NULL, EVP_sha256(), NULL) !=
	    1)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(out + (size_t)2 * i, 3, "%02x", digest[i]);
	return 0;
}

void keyfile_name(char out[KEYFILE_NAME_BYTES], const char *issuer)
{
	char text[SUM_TEXT_BYTES] = "";

	/* Without memory for a digest the name is "": no file. */
	(void)sum(text, issuer, strlen(issuer));
	(void)snprintf(out, KEYFILE_NAME_BYTES, "%s.keys", text);
}

/* Open the directory: ours, and nobody else may write there. */
static int open_dir(const char *dir, struct err *err)
{
	struct stat found;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "key directory '%.200s': %s", dir,
		    err_message(errno));
	if (fstat(fd, &found) < 0 || found.st_uid != geteuid() ||
	    (found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		(void)close(fd);
		return err_set(err, -EPERM,
		    "key directory '%.200s' is not yours alone; run: chmod "
		    "700 '%.200s'",
		    dir, dir);
	}
	return fd;
}

/* Under a new name, then renamed; nobody else writes in this directory. */
static int replace(int dir, const char *name, const struct buf *content)
{
	char fresh[KEYFILE_NAME_BYTES + 24];
	uint64_t random;
	int code;
	int fd;

	clock_random(&random, sizeof(random));
	(void)snprintf(fresh, sizeof(fresh), "%s.%016" PRIx64, name, random);
	fd = openat(dir, fresh,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	code = io_write_all(fd, content->bytes, content->size_bytes);
	if (close(fd) < 0 && code == 0)
		code = -errno;
	if (code == 0 && renameat(dir, fresh, dir, name) < 0)
		code = -errno;
	if (code < 0)
		(void)unlinkat(dir, fresh, 0);
	return code;
}

static int compose(struct buf *out, const char *issuer,
    const struct keys_life *life, const char *text, size_t size_bytes)
{
	char digest[SUM_TEXT_BYTES];
	struct buf body;
	int code;

	buf_init(&body, FILE_BYTES_MAX);
	(void)buf_printf(&body, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
	    issuer, life->fetched_s, life->refresh_s, life->expires_s);
	(void)buf_append(&body, text, size_bytes);
	code = buf_code(&body);
	if (code == 0)
		code = sum(digest, body.bytes, body.size_bytes);
	if (code == 0) {
		(void)buf_printf(out, MAGIC "%s\n", digest);
		(void)buf_append(out, body.bytes, body.size_bytes);
		code = buf_code(out);
	}
	buf_fini(&body);
	return code;
}

int keyfile_write(const char *dir, const char *issuer,
    const struct keys_life *life, const char *text, size_t size_bytes,
    struct err *err)
{
	char name[KEYFILE_NAME_BYTES];
	struct buf content;
	int code;
	int fd;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "key directory '%.200s': %s", dir,
		    err_message(errno));
	fd = open_dir(dir, err);
	if (fd < 0)
		return fd;
	buf_init(&content, FILE_BYTES_MAX + HEAD_BYTES);
	code = compose(&content, issuer, life, text, size_bytes);
	keyfile_name(name, issuer);
	if (code == 0)
		code = replace(fd, name, &content);
	if (code < 0)
		(void)err_set(
		    err, code, "'%.200s/%s': %s", dir, name, err_message(code));
	buf_fini(&content);
	(void)close(fd);
	return code;
}

/* Read a regular file whole, at most `limit_bytes`. */
static int read_file(struct buf *out, int fd, const struct stat *found)
{
	char part[16 * 1024];

	if (!S_ISREG(found->st_mode))
		return -EBADMSG;
	for (;;) {
		ssize_t n = read(fd, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return buf_code(out);
		if (buf_append(out, part, (size_t)n) < 0)
			return buf_code(out);
	}
}

/* A number that ends at `end`; moves `*at` behind it. */
static bool read_number(uint64_t *out, const char **at, char end)
{
	char *stop = NULL;

	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	*out = strtoull(*at, &stop, 10);
	if (errno != 0 || *stop != end)
		return false;
	*at = stop + 1;
	return true;
}

/* Where the key set begins in a file that is whole and this issuer's; NULL:
 * it is not. */
static const char *check_file(struct keys_life *life, const struct buf *file,
    const char *issuer, uint64_t wall_s)
{
	char digest[SUM_TEXT_BYTES];
	const char *text = buf_text(file);
	const char *at = text + HEAD_BYTES;
	size_t issuer_bytes = strlen(issuer);

	if (file->size_bytes <= HEAD_BYTES ||
	    memcmp(text, MAGIC, sizeof(MAGIC) - 1) != 0 ||
	    text[HEAD_BYTES - 1] != '\n' ||
	    sum(digest, at, file->size_bytes - HEAD_BYTES) < 0 ||
	    memcmp(text + sizeof(MAGIC) - 1, digest, SUM_TEXT_BYTES - 1) != 0)
		return NULL;
	if (strncmp(at, issuer, issuer_bytes) != 0 || at[issuer_bytes] != ' ')
		return NULL;
	at += issuer_bytes + 1;
	if (!read_number(&life->fetched_s, &at, ' ') ||
	    !read_number(&life->refresh_s, &at, ' ') ||
	    !read_number(&life->expires_s, &at, '\n') ||
	    !keys_life_is_sane(life, wall_s))
		return NULL;
	return at;
}

static int open_file(
    struct buf *out, int dir, const char *name, struct stat *found)
{
	int fd = openat(dir, name,
	    O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	int code;

	if (fd < 0)
		return -errno;
	code = fstat(fd, found) < 0 ? -errno : read_file(out, fd, found);
	(void)close(fd);
	return code;
}

int keyfile_read(struct jwks **out, struct keys_life *life, const char *dir,
    const char *issuer, uint64_t wall_s, struct err *err)
{
	char name[KEYFILE_NAME_BYTES];
	struct stat found = {.st_mode = 0};
	struct buf file;
	const char *text;
	int code;
	int fd;

	*out = NULL;
	fd = open_dir(dir, err);
	if (fd < 0)
		return fd;
	keyfile_name(name, issuer);
	buf_init(&file, FILE_BYTES_MAX + HEAD_BYTES);
	code = open_file(&file, fd, name, &found);
	(void)close(fd);
	if (code == 0 &&
	    (found.st_uid != geteuid() || (found.st_mode & 0077) != 0))
		code = -EBADMSG;
	if (code == 0) {
		text = check_file(life, &file, issuer, wall_s);
		code = text == NULL
		    ? -EBADMSG
		    : jwks_parse(out, text,
		          file.size_bytes - (size_t)(text - buf_text(&file)),
		          err);
	}
	if (code < 0 && code != -ENOENT && code != -ENOMEM)
		code = -EBADMSG;
	if (code < 0)
		(void)err_set(err, code, "'%.200s/%s': %s", dir, name,
		    code == -EBADMSG
		        ? "not a whole and current key file of this issuer"
		        : err_message(code));
	buf_fini(&file);
	return code;
}

int keyfile_read_jwks(struct jwks **out, const char *path, struct err *err)
{
	struct stat found = {.st_mode = 0};
	struct buf file;
	int code;

	*out = NULL;
	buf_init(&file, JWKS_BYTES_MAX);
	/* A link is the user's own: followed, unlike in our directory. */
	code = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (code >= 0) {
		int fd = code;

		code = fstat(fd, &found) < 0 ? -errno
		                             : read_file(&file, fd, &found);
		(void)close(fd);
	} else {
		code = -errno;
	}
	if (code == 0 && (found.st_mode & S_IWOTH) != 0)
		code = err_set(err, -EPERM,
		    "anybody may write it; run: chmod o-w '%.200s'", path);
	else if (code == -EBADMSG)
		(void)err_set(err, code = -EINVAL, "not a regular file");
	else if (code == -EMSGSIZE)
		(void)err_set(
		    err, code, "larger than %d KiB", JWKS_BYTES_MAX / 1024);
	else if (code < 0)
		(void)err_set(err, code, "%s", err_message(code));
	else
		code = jwks_parse(out, buf_text(&file), file.size_bytes, err);
	if (code < 0)
		(void)err_wrap(err, "jwks '%.200s'", path);
	buf_fini(&file);
	return code;
}
