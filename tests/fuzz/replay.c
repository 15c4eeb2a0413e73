/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/replay.c - runs a fuzz target over the files of a folder, with
 * any compiler: the corpus as an ordinary test. An empty folder fails.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static int replay(const char *path)
{
	struct stat info;
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size = 0;
	int failed = 1;

	if (file == NULL || fstat(fileno(file), &info) < 0)
		goto out;
	size = (size_t)info.st_size;
	/* Exactly as large as the input, so that reading past it is seen. */
	data = malloc(size > 0 ? size : 1);
	if (data == NULL || fread(data, 1, size, file) != size)
		goto out;
	(void)LLVMFuzzerTestOneInput(data, size);
	failed = 0;
out:
	if (failed)
		perror(path);
	free(data);
	if (file != NULL)
		(void)fclose(file);
	return failed;
}

int main(int argc, char **argv)
{
	unsigned count = 0;
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *entry;

		if (dir == NULL) {
			perror(argv[i]);
			return 1;
		}
		while ((entry = readdir(dir)) != NULL) {
			char path[4096];

			if (entry->d_name[0] == '.')
				continue;
			(void)snprintf(path, sizeof(path), "%s/%s", argv[i],
			    entry->d_name);
			failed |= replay(path);
			count++;
		}
		(void)closedir(dir);
	}
	(void)printf("%u inputs replayed\n", count);
	return failed || count == 0;
}
