/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/tokens/make.c - see make.h. */
#include "tests/unit/tokens/make.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

void make_base64(char out[MAKE_BYTES], const char *text)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                               "abcdefghijklmnopqrstuvwxyz"
	                               "0123456789-_";
	const unsigned char *p = (const unsigned char *)text;
	size_t n = strlen(text);
	size_t used = 0;

	assert_true(n < MAKE_BYTES / 2);
	for (size_t i = 0; i < n; i += 3) {
		unsigned bits = (unsigned)p[i] << 16;

		if (i + 1 < n)
			bits |= (unsigned)p[i + 1] << 8;
		if (i + 2 < n)
			bits |= p[i + 2];
		for (size_t k = 0; k < 4 && k <= n - i; k++)
			out[used++] = alphabet[bits >> (18 - 6 * k) & 63];
	}
	out[used] = '\0';
}

void make_jwt(char out[MAKE_BYTES], const char *claims)
{
	char payload[MAKE_BYTES];
	char header[MAKE_BYTES];
	int n;

	make_base64(header, "{\"alg\":\"ES256\",\"typ\":\"JWT\"}");
	make_base64(payload, claims);
	n = snprintf(out, MAKE_BYTES, "%s.%s.c2ln", header, payload);
	assert_true(n > 0 && n < MAKE_BYTES);
}

void make_token(char out[MAKE_BYTES], const char *name, uint64_t expires_s)
{
	char claims[512];

	(void)snprintf(claims, sizeof(claims),
	    "{\"iss\":\"https://issuer.example\",\"sub\":\"%s\","
	    "\"scope\":\"read:/\",\"exp\":%llu}",
	    name, (unsigned long long)expires_s);
	make_jwt(out, claims);
}

struct token *make_parsed(const char *text)
{
	struct token *token = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(token_parse(&token, text, strlen(text), &err), 0);
	assert_non_null(token);
	return token;
}

void make_directory(char out[256])
{
	(void)snprintf(out, 256, "/tmp/bearerfs-test-XXXXXX");
	assert_non_null(mkdtemp(out));
}

void make_remove(const char *dir)
{
	DIR *stream = opendir(dir);
	const struct dirent *entry;

	if (stream == NULL)
		return;
	while ((entry = readdir(stream)) != NULL) {
		char path[600];

		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (unlink(path) < 0)
			make_remove(path);
	}
	(void)closedir(stream);
	(void)rmdir(dir);
}

static void write_text(int fd, const char *text)
{
	size_t n = strlen(text);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
}

void make_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	write_text(fd, text);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

void make_replaced(const char *path, const char *text, mode_t mode)
{
	char fresh[512];

	(void)snprintf(fresh, sizeof(fresh), "%s.tmp", path);
	make_file(fresh, text, mode);
	assert_int_equal(rename(fresh, path), 0);
}

void make_old(const char *path)
{
	struct timespec times[2];

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &times[0]), 0);
	times[0].tv_sec -= 60;
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

void make_no_environment(void)
{
	(void)unsetenv("BEARER_TOKEN");
	(void)unsetenv("BEARER_TOKEN_FILE");
	(void)unsetenv("XDG_RUNTIME_DIR");
	(void)unsetenv("_CONDOR_CREDS");
	(void)unsetenv("OIDC_SOCK");
}
