/* SPDX-License-Identifier: Apache-2.0 */
/* base/path.c - see path.h. */
#include "base/path.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

bool path_name_ok(const char *name, size_t size_bytes)
{
	if (size_bytes == 0 || size_bytes > PATH_NAME_BYTES_MAX)
		return false;
	if (memchr(name, '/', size_bytes) || memchr(name, '\0', size_bytes))
		return false;
	if (name[0] == '.' &&
	    (size_bytes == 1 || (size_bytes == 2 && name[1] == '.')))
		return false;
	return true;
}

bool path_is_normal(const char *path)
{
	const char *part = path;

	if (path[0] != '/' || strlen(path) >= PATH_BYTES_MAX)
		return false;
	if (path[1] == '\0')
		return true;
	while (*part == '/') {
		size_t n = strcspn(part + 1, "/");

		if (!path_name_ok(part + 1, n))
			return false;
		part += 1 + n;
	}
	return true;
}

int path_join(char out[PATH_BYTES_MAX], const char *parent, const char *name)
{
	size_t head = strlen(parent);
	size_t tail = strlen(name);

	if (head == 1)
		head = 0; /* the root's slash is the one we add */
	if (head + 1 + tail >= PATH_BYTES_MAX)
		return -ENAMETOOLONG;
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): name follows */
	memmove(out, parent, head);
	out[head] = '/';
	memcpy(out + head + 1, name, tail + 1);
	return 0;
}

void path_parent(char out[PATH_BYTES_MAX], const char *path)
{
	const char *last = strrchr(path, '/');
	size_t n;

	assert(last != NULL);
	n = (size_t)(last - path);
	if (n == 0)
		n = 1;
	memmove(out, path, n);
	out[n] = '\0';
}

const char *path_name(const char *path)
{
	const char *last = strrchr(path, '/');

	return last != NULL ? last + 1 : path;
}

bool path_is_within(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	if (n == 1 && prefix[0] == '/')
		return true;
	return strncmp(path, prefix, n) == 0 &&
	    (path[n] == '\0' || path[n] == '/');
}

/* RFC 3986, section 2.3, and the slash between parts. */
static bool stands_for_itself(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	    c == '~' || c == '/';
}

int path_encode(struct buf *out, const char *path)
{
	static const char digits[] = "0123456789ABCDEF";

	for (const char *p = path; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		char code[3] = {'%', digits[c >> 4], digits[c & 15]};

		if (stands_for_itself(c))
			(void)buf_append(out, p, 1);
		else
			(void)buf_append(out, code, sizeof(code));
	}
	return out->code;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int path_decode(char *out, const char *text, size_t size_bytes)
{
	int used = 0;

	for (size_t i = 0; i < size_bytes; i++) {
		int high = -1;
		int low = -1;

		if (text[i] == '%' && i + 2 < size_bytes) {
			high = hex_value(text[i + 1]);
			low = hex_value(text[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			out[used] = (char)(high * 16 + low);
			i += 2;
		} else {
			out[used] = text[i];
		}
		if (out[used] == '\0')
			return -EILSEQ;
		used++;
	}
	out[used] = '\0';
	return used;
}
