/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/changes/temporary.c - see temporary.h. */
#include "fetch/changes/temporary.h"

#include "fetch/change.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

static const char prefix[] = ".bearerfs-upload-";
static const char digits[] = "0123456789abcdef";

enum {
	PREFIX_BYTES = sizeof(prefix) - 1,
	RANDOM_BYTES = 16, /* nobody guesses one, and no two are alike */
};

bool fetch_is_temporary(const char *name)
{
	const char *rest = name + PREFIX_BYTES;

	return strncmp(name, prefix, PREFIX_BYTES) == 0 &&
	    strspn(rest, digits) == (size_t)RANDOM_BYTES * 2 &&
	    rest[(size_t)RANDOM_BYTES * 2] == '\0';
}

int temporary_name(char out[PATH_BYTES_MAX], const char *path)
{
	char parent[PATH_BYTES_MAX];
	char name[PREFIX_BYTES + RANDOM_BYTES * 2 + 1];
	uint8_t bytes[RANDOM_BYTES];
	char *at = name + PREFIX_BYTES;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO;
	memcpy(name, prefix, PREFIX_BYTES);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
	}
	*at = '\0';
	path_parent(parent, path);
	return path_join(out, parent, name);
}
