/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/answers/link.c - see link.h. */
#include "fetch/answers/link.h"

#include <string.h>

/* One part of a path, decoded; false: no name can be that. */
static bool take_part(char out[PATH_NAME_BYTES_MAX + 1], const char *text,
    size_t size_bytes, bool unescaped)
{
	char decoded[3 * PATH_NAME_BYTES_MAX + 1];
	int used = (int)size_bytes;

	if (size_bytes >= sizeof(decoded))
		return false;
	if (unescaped)
		memcpy(decoded, text, size_bytes);
	else
		used = path_decode(decoded, text, size_bytes);
	if (used < 0 || !path_name_ok(decoded, (size_t)used))
		return false;
	memcpy(out, decoded, (size_t)used);
	out[used] = '\0';
	return true;
}

/* NOLINTNEXTLINE(readability-function-cognitive-complexity): one check a form */
enum link_where link_locate(const char *request_path, const char *path,
    size_t size_bytes, bool unescaped, char name[PATH_NAME_BYTES_MAX + 1])
{
	const char *end = path + size_bytes;
	const char *wanted = request_path + 1;
	bool is_child = false;

	for (;;) {
		const char *from;
		size_t n = strcspn(wanted, "/");

		while (path < end && *path == '/')
			path++;
		if (path == end)
			break;
		from = path;
		while (path < end && *path != '/')
			path++;
		if (is_child ||
		    !take_part(name, from, (size_t)(path - from), unescaped))
			return LINK_ELSEWHERE;
		if (n == 0) {
			is_child = true;
			continue;
		}
		if (strncmp(wanted, name, n) != 0 || name[n] != '\0')
			return LINK_ELSEWHERE;
		wanted += n + (wanted[n] == '/');
	}
	if (is_child)
		return LINK_CHILD;
	return *wanted == '\0' ? LINK_SELF : LINK_ELSEWHERE;
}
