/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/writer.c - the one program that writes files in every row.
 *
 *   writer path=DIR/f%llu seed=S count=N writers=N size=N
 *
 * Each writer takes the next file, makes it (it must not be there), writes it
 * in pieces of 1 MiB, and closes it: what close(2) says counts. The number in
 * the path is the file's; its seed is S and that number. Output as reader's.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "pattern.h"
#include "tool.h"

enum { PIECE_BYTES = 1 << 20 };

struct job {
	const char *path;
	uint64_t seed;
	uint64_t count;
	uint64_t size_bytes;
	_Atomic uint64_t next;
	_Atomic uint64_t bytes;
};

static void write_piece(
    int fd, const char *path, const unsigned char *bytes, uint64_t size_bytes)
{
	for (uint64_t done = 0; done < size_bytes;) {
		ssize_t n = write(fd, bytes + done, size_bytes - done);

		if (n <= 0)
			die("write %s: %s", path,
			    n < 0 ? strerrordesc_np(errno) : "nothing");
		done += (uint64_t)n;
	}
}

static void write_file(struct job *job, const char *path, uint64_t seed,
    uint64_t pages[][PATTERN_PAGE_WORDS])
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		die("open %s: %s", path, strerrordesc_np(errno));
	for (uint64_t at = 0; at < job->size_bytes;) {
		uint64_t n = job->size_bytes - at;

		if (n > PIECE_BYTES)
			n = PIECE_BYTES;
		for (uint64_t i = 0; i * PATTERN_PAGE_BYTES < n; i++)
			pattern_page(
			    pages[i], seed, at / PATTERN_PAGE_BYTES + i);
		write_piece(fd, path, (const unsigned char *)pages, n);
		at += n;
	}
	if (close(fd) < 0)
		die("close %s: %s", path, strerrordesc_np(errno));
	job->bytes += job->size_bytes;
}

static void *writer(void *arg)
{
	struct job *job = arg;
	uint64_t(*pages)[PATTERN_PAGE_WORDS] = malloc(PIECE_BYTES);

	if (pages == NULL)
		die("out of memory");
	for (uint64_t nth; (nth = job->next++) < job->count;) {
		char path[NAME_BYTES];

		name_of(path, job->path, nth, 0);
		write_file(job, path, job->seed + nth, pages);
	}
	free(pages);
	return NULL;
}

int main(int argc, char **argv)
{
	struct job job = {
	    .path = option(argc, argv, "path", NULL),
	    .seed = number(argc, argv, "seed", 0),
	    .count = number(argc, argv, "count", 1),
	    .size_bytes = number(argc, argv, "size", 0),
	};
	uint64_t writers = number(argc, argv, "writers", 1);
	double begun = now_s();

	if (job.path == NULL)
		die("writer path=DIR/f%%llu writers=N ...");
	run_workers("writers", writers, writer, &job);
	print_result(begun, job.bytes, job.count);
	return 0;
}
