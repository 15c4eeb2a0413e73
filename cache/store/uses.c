/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/uses.c - see uses.h.
 */
#include "cache/store/uses.h"

#include "cache/store/impl.h"
#include "cache/store/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HAND_SLOT = 0 };

static int open_file(int dir_fd)
{
	struct stat stat;
	int fd = openat(dir_fd, "uses",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd >= 0 && (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

void uses_open(struct generation *generation)
{
	int dir_fd = generation->dir_fd;

	generation->uses_fd = open_file(dir_fd);
	if (generation->uses_fd >= 0)
		return;
	/* Something else has its name. */
	if (unlinkat(dir_fd, "uses", 0) < 0)
		(void)unlinkat(dir_fd, "uses", AT_REMOVEDIR);
	generation->uses_fd = open_file(dir_fd);
}

void uses_close(struct generation *generation)
{
	if (generation->uses_fd >= 0)
		(void)close(generation->uses_fd);
	generation->uses_fd = -1;
}

static uint64_t offset_of(uint32_t slot)
{
	return (uint64_t)slot * sizeof(struct format_use);
}

static bool read_slot(
    const struct generation *generation, uint32_t slot, struct format_use *out)
{
	return generation->uses_fd >= 0 &&
	    io_pread(generation->uses_fd, out, sizeof(*out), offset_of(slot)) ==
	    sizeof(*out) &&
	    le64toh(out->check) == hash_use(generation->secret, slot, out);
}

static void write_slot(
    const struct generation *generation, uint32_t slot, struct format_use *use)
{
	use->check = htole64(hash_use(generation->secret, slot, use));
	/* What cannot be noted is as if it had not been used. */
	if (generation->uses_fd >= 0)
		(void)!io_pwrite(
		    generation->uses_fd, use, sizeof(*use), offset_of(slot));
}

static uint32_t slot_of(uint64_t number)
{
	return (uint32_t)(number % FORMAT_USE_SLOTS);
}

void uses_read(
    const struct generation *generation, uint64_t number, struct uses *out)
{
	struct format_use use;
	uint32_t slot = slot_of(number);

	*out = (struct uses){.proven = false};
	if (slot == HAND_SLOT || !read_slot(generation, slot, &use) ||
	    le64toh(use.number) != number)
		return;
	out->proven = le32toh(use.proven) != 0;
	for (unsigned i = 0; i < FORMAT_USE_WORDS; i++)
		out->used[i] = le64toh(use.used[i]);
}

void uses_write(const struct generation *generation, uint64_t number,
    const struct uses *uses)
{
	struct format_use use = {
	    .number = htole64(number), .proven = htole32(uses->proven)};

	if (slot_of(number) == HAND_SLOT)
		return;
	for (unsigned i = 0; i < FORMAT_USE_WORDS; i++)
		use.used[i] = htole64(uses->used[i]);
	write_slot(generation, slot_of(number), &use);
}

void uses_add(const struct generation *generation, uint64_t number,
    const uint64_t used[FORMAT_USE_WORDS])
{
	struct uses now;
	bool more = false;

	uses_read(generation, number, &now);
	for (unsigned i = 0; i < FORMAT_USE_WORDS; i++) {
		more = more || (used[i] & ~now.used[i]) != 0;
		now.used[i] |= used[i];
	}
	if (more)
		uses_write(generation, number, &now);
}

uint64_t uses_hand(const struct generation *generation)
{
	struct format_use use;

	return read_slot(generation, HAND_SLOT, &use) ? le64toh(use.number) : 0;
}

void uses_set_hand(const struct generation *generation, uint64_t number)
{
	struct format_use use = {.number = htole64(number)};

	write_slot(generation, HAND_SLOT, &use);
}

uint64_t uses_disk_bytes(const struct generation *generation)
{
	struct stat stat;

	return generation->uses_fd >= 0 &&
	        fstat(generation->uses_fd, &stat) == 0
	    ? (uint64_t)stat.st_blocks * 512
	    : 0;
}

unsigned uses_count(const uint64_t used[FORMAT_USE_WORDS])
{
	unsigned count = 0;

	for (unsigned i = 0; i < FORMAT_USE_WORDS; i++)
		count += (unsigned)__builtin_popcountll(used[i]);
	return count;
}
