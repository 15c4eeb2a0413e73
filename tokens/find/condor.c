/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/condor.c - see condor.h. */
#include "tokens/find/condor.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_use_file(const char *name)
{
	static const char suffix[] = ".use";
	size_t n = strlen(name);

	return name[0] != '.' && n > sizeof(suffix) - 1 &&
	    strcmp(name + n - (sizeof(suffix) - 1), suffix) == 0;
}

static int add(struct condor_files *files, const char *name)
{
	char *copy;

	if (files->count == CONDOR_FILES_MAX)
		return 0;
	copy = strdup(name);
	if (copy == NULL)
		return -ENOMEM;
	files->names[files->count++] = copy;
	return 0;
}

static int read_entries(struct condor_files *files, DIR *stream)
{
	int code = 0;

	for (unsigned i = 0; code == 0 && i < CONDOR_ENTRIES_MAX; i++) {
		const struct dirent *entry;

		errno = 0;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours */
		entry = readdir(stream);
		if (entry == NULL)
			return -errno;
		if (is_use_file(entry->d_name))
			code = add(files, entry->d_name);
	}
	return code;
}

int condor_list(struct condor_files *out, const char *dir,
    const struct file_rules *rules, struct err *err)
{
	char real[PATH_BYTES_MAX];
	DIR *stream;
	int code;

	*out = (struct condor_files){.count = 0};
	code = token_file_resolve(real, dir, rules, err);
	if (code < 0)
		return code == -ENOENT ? 0 : code;
	stream = opendir(real);
	if (stream == NULL && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (stream == NULL)
		return err_set(
		    err, -errno, "'%s': %s", dir, err_message(errno));
	code = read_entries(out, stream);
	(void)closedir(stream);
	if (code < 0) {
		condor_files_fini(out);
		return err_set(err, code, "'%s': %s", dir, err_message(code));
	}
	return 0;
}

void condor_files_fini(struct condor_files *files)
{
	for (unsigned i = 0; i < files->count; i++)
		free(files->names[i]);
	files->count = 0;
}

int condor_order(const char *a, const char *b)
{
	int first = (strcmp(b, "scitokens.use") == 0) -
	    (strcmp(a, "scitokens.use") == 0);

	return first != 0 ? first : strcmp(a, b);
}
