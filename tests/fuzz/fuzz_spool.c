/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_spool.c - the journal of an unsent file, whatever it holds.
 *
 * An input that begins with 'r' is the journal itself; any other is a row of
 * payloads (kind, size, bytes), which are given right checks, so that what
 * lies behind those is reached too.
 */
#include "base/io.h"
#include "base/path.h"
#include "cache/spool/journal.h"
#include "cache/spool/replay.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SERIAL = 3, JOURNAL_BYTES = 64 * 1024 };

/* A journal of the payloads; its size. */
static size_t make_journal(
    uint8_t out[JOURNAL_BYTES], const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct journal journal = {.serial = SERIAL};
	ssize_t n;

	if (fd < 0)
		fd = memfd_create("journal", MFD_CLOEXEC);
	assert(fd >= 0 && ftruncate(fd, 0) == 0);
	journal.fd = fd;
	while (size >= 2 && journal.end_bytes < JOURNAL_BYTES / 2) {
		size_t part = data[1] < size - 2 ? data[1] : size - 2;

		if (journal_append(&journal, (enum disk_kind)(data[0] % 9),
		        &(struct journal_part){data + 2, part}, 1) < 0)
			break;
		data += 2 + part;
		size -= 2 + part;
	}
	n = io_pread(fd, out, JOURNAL_BYTES, 0);
	assert(n >= 0);
	return (size_t)n;
}

static void check(struct replay *replay, const struct stat *data)
{
	static const uint8_t boot[SPOOL_BOOT_BYTES] = {1};
	uint64_t until;

	(void)!replay_judge(replay, data, boot);
	if (!replay->begun) {
		assert(replay->item.state == SPOOL_DAMAGED);
		return;
	}
	/* Without a flush before the machine went down nothing is sent. */
	assert(replay->item.state != SPOOL_CLOSED || !replay->noise);
	assert(replay->item.state != SPOOL_OPEN);
	assert(path_is_normal(replay->item.text[SPOOL_PATH]));
	assert(ranges_bytes(&replay->ours) <= replay->limit_bytes);
	assert(!ranges_at(&replay->ours, replay->limit_bytes, &until));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t journal[JOURNAL_BYTES];
	struct stat about = {.st_size = 100};

	for (unsigned have = 0; have < 2; have++) {
		struct replay replay;
		int code;

		if (size > 0 && data[0] == 'r')
			code = replay_run(&replay, data + 1, size - 1, SERIAL);
		else
			code = replay_run(&replay, journal,
			    make_journal(journal, data, size), SERIAL);
		assert(code == 0);
		check(&replay, have > 0 ? &about : NULL);
		replay_fini(&replay);
	}
	return 0;
}
