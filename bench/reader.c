/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/reader.c - the one program that reads files in every row, so that a
 * mount and the local file system are measured in the same way.
 *
 *   reader write  path=F size=N seed=S        make a file
 *   reader seq    path=F seed=S size=N [block=N] [check=0|1]
 *   reader random path=F seed=S size=N block=N count=N readers=N rng=S
 *                 [seconds=N] [check=0|1]
 *   reader files  path=DIR/d%llu/f%llu seed=S count=N readers=N size=N
 *                 [flat=1, path=DIR/f%llu] [check=0|1]
 *   reader first  path=F seed=S               open and read one byte
 *   reader opens  path=F count=N              open and close, again and again
 *
 * Output: one JSON object {"seconds", "bytes", "ops"}. A byte that is not
 * the pattern's ends it with status 1. The time is that of reading alone.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pattern.h"
#include "tool.h"

struct job {
	const char *path; /* a format with one number for `files` */
	uint64_t seed;
	uint64_t size_bytes; /* of a file */
	uint64_t block_bytes;
	uint64_t count; /* reads, or files, of all readers together */
	uint64_t readers;
	uint64_t rng;
	double until; /* monotonic; 0: no limit */
	bool check;
	bool files;
	bool flat; /* no directories of 100: the path has one number */
	_Atomic uint64_t next;
	_Atomic uint64_t ops;
	_Atomic uint64_t bytes;
};

static unsigned char *buffer_of(uint64_t size_bytes)
{
	void *buffer = NULL;

	if (posix_memalign(&buffer, 4096, size_bytes) != 0)
		die("out of memory");
	return buffer;
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("open %s: %s", path, strerrordesc_np(errno));
	return fd;
}

/* Read exactly what the file must have there. */
static void read_at(struct job *job, int fd, unsigned char *buffer,
    uint64_t seed, uint64_t offset, uint64_t size_bytes)
{
	uint64_t done = 0;

	while (done < size_bytes) {
		ssize_t n = pread(fd, buffer + done, size_bytes - done,
		    (off_t)(offset + done));

		if (n <= 0)
			die("read at %llu: %s",
			    (unsigned long long)(offset + done),
			    n < 0 ? strerrordesc_np(errno) : "end of file");
		done += (uint64_t)n;
	}
	if (job->check && !pattern_ok(buffer, size_bytes, seed, offset))
		die("WRONG BYTES at %llu", (unsigned long long)offset);
	job->bytes += size_bytes;
}

static void read_whole(
    struct job *job, const char *path, uint64_t seed, unsigned char *buffer)
{
	int fd = open_file(path);
	char surplus;

	for (uint64_t at = 0; at < job->size_bytes;) {
		uint64_t n = job->size_bytes - at;

		if (n > job->block_bytes)
			n = job->block_bytes;
		read_at(job, fd, buffer, seed, at, n);
		at += n;
	}
	if (pread(fd, &surplus, 1, (off_t)job->size_bytes) != 0)
		die("%s: longer than it must be", path);
	(void)close(fd);
	job->ops++;
}

static void *reader(void *arg)
{
	struct job *job = arg;
	unsigned char *buffer = buffer_of(job->block_bytes);
	uint64_t blocks = job->size_bytes / job->block_bytes;
	int fd = job->files ? -1 : open_file(job->path);

	while (job->until <= 0 || now_s() < job->until) {
		uint64_t nth = job->next++;

		if (nth >= job->count)
			break;
		if (job->files) {
			char path[NAME_BYTES];

			name_of(
			    path, job->path, job->flat ? nth : nth / 100, nth);
			read_whole(job, path, job->seed + nth, buffer);
			continue;
		}
		read_at(job, fd, buffer, job->seed,
		    pattern_mix(job->rng + nth) % blocks * job->block_bytes,
		    job->block_bytes);
		job->ops++;
	}
	if (fd >= 0)
		(void)close(fd);
	free(buffer);
	return NULL;
}

static void write_file(const char *path, uint64_t seed, uint64_t size_bytes)
{
	enum { PAGES = 256 };
	static uint64_t pages[PAGES][PATTERN_PAGE_WORDS];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		die("open %s: %s", path, strerrordesc_np(errno));
	for (uint64_t at = 0; at < size_bytes;) {
		uint64_t n = size_bytes - at;

		if (n > sizeof(pages))
			n = sizeof(pages);
		for (unsigned i = 0; i < PAGES; i++)
			pattern_page(
			    pages[i], seed, at / PATTERN_PAGE_BYTES + i);
		if (write(fd, pages, n) != (ssize_t)n)
			die("write %s: %s", path, strerrordesc_np(errno));
		at += n;
	}
	if (close(fd) < 0)
		die("close %s: %s", path, strerrordesc_np(errno));
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	struct job job = {
	    .path = option(argc, argv, "path", NULL),
	    .seed = number(argc, argv, "seed", 0),
	    .size_bytes = number(argc, argv, "size", 0),
	    .block_bytes = number(argc, argv, "block", 1 << 20),
	    .count = number(argc, argv, "count", 0),
	    .readers = number(argc, argv, "readers", 1),
	    .rng = number(argc, argv, "rng", 1),
	    .check = number(argc, argv, "check", 1) != 0,
	    .flat = number(argc, argv, "flat", 0) != 0,
	};
	uint64_t seconds = number(argc, argv, "seconds", 0);
	double begun;

	if (job.path == NULL)
		die("reader write|seq|random|files|first path=F ...");
	begun = now_s();
	if (seconds > 0)
		job.until = begun + (double)seconds;
	if (strcmp(mode, "write") == 0) {
		write_file(job.path, job.seed, job.size_bytes);
	} else if (strcmp(mode, "seq") == 0) {
		unsigned char *buffer = buffer_of(job.block_bytes);

		read_whole(&job, job.path, job.seed, buffer);
		free(buffer);
	} else if (strcmp(mode, "random") == 0) {
		if (job.size_bytes < job.block_bytes)
			die("size= below block=");
		run_workers("readers", job.readers, reader, &job);
	} else if (strcmp(mode, "files") == 0) {
		job.files = true;
		run_workers("readers", job.readers, reader, &job);
	} else if (strcmp(mode, "first") == 0) {
		unsigned char byte;
		int fd = open_file(job.path);

		read_at(&job, fd, &byte, job.seed, 0, 1);
		(void)close(fd);
		job.ops = 1;
	} else if (strcmp(mode, "opens") == 0) {
		for (; job.ops < job.count; job.ops++)
			(void)close(open_file(job.path));
	} else {
		die("unknown mode '%s'", mode);
	}
	print_result(begun, job.bytes, job.ops);
	return 0;
}
