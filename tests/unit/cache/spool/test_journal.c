/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_journal.c - records are found as they were
 * written, and what was torn, cut, flipped or put there is told apart from
 * them, in each byte.
 */
#include "base/io.h"
#include "cache/spool/journal.h"
#include "cache/spool/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { RECORDS = 4, ROOM = 4096, SERIAL = 9 };

struct row {
	uint8_t bytes[ROOM];
	size_t size;
	size_t ends[RECORDS];
};

static void make(struct row *row)
{
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct journal journal = {.fd = fd, .serial = SERIAL};
	static const char *const texts[RECORDS] = {
	    "begun", "", "a longer one that is padded", "12345678"};
	ssize_t n;

	assert_true(fd >= 0);
	for (unsigned i = 0; i < RECORDS; i++) {
		assert_int_equal(
		    journal_append(&journal, DISK_NAME,
		        (struct journal_part[]){{texts[i], strlen(texts[i])}},
		        1),
		    0);
		row->ends[i] = (size_t)journal.end_bytes;
	}
	n = io_pread(fd, row->bytes, sizeof(row->bytes), 0);
	assert_int_equal(n, journal.end_bytes);
	row->size = (size_t)n;
	(void)close(fd);
}

/* How many records are found, and how it ends. */
static unsigned count(
    const struct row *row, size_t size, uint64_t serial, enum journal_next *end)
{
	struct journal_cursor cursor = {
	    .bytes = row->bytes, .size_bytes = size, .serial = serial};
	struct journal_view view;
	unsigned found = 0;

	while ((*end = journal_next(&cursor, &view)) == JOURNAL_RECORD)
		found++;
	assert_true(cursor.at_bytes <= size);
	return found;
}

static unsigned whole_below(const struct row *row, size_t size)
{
	unsigned found = 0;

	while (found < RECORDS && row->ends[found] <= size)
		found++;
	return found;
}

static void a_journal_may_end_anywhere(void **state)
{
	struct row row;
	enum journal_next end;

	(void)state;
	make(&row);
	for (size_t size = 0; size <= row.size; size++) {
		assert_int_equal(
		    count(&row, size, SERIAL, &end), whole_below(&row, size));
		/* What was begun was never promised. */
		assert_int_equal(end, JOURNAL_OVER);
	}
}

static void every_flipped_bit_is_noise(void **state)
{
	struct row row;
	enum journal_next end;

	(void)state;
	make(&row);
	for (size_t bit = 0; bit < row.size * 8; bit++) {
		row.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(count(&row, row.size, SERIAL, &end),
		    whole_below(&row, bit / 8));
		assert_int_equal(end, JOURNAL_NOISE);
		row.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
}

static void zeros_behind_it_are_its_end_and_noise_is_not(void **state)
{
	struct row row;
	enum journal_next end;

	(void)state;
	memset(&row, 0, sizeof(row));
	make(&row);
	memset(row.bytes + row.size, 0, ROOM - row.size);
	assert_int_equal(count(&row, ROOM, SERIAL, &end), RECORDS);
	assert_int_equal(end, JOURNAL_OVER);
	row.bytes[ROOM - 1] = 1;
	assert_int_equal(count(&row, ROOM, SERIAL, &end), RECORDS);
	assert_int_equal(end, JOURNAL_NOISE);
}

static void records_of_others_and_old_ones_are_noise(void **state)
{
	struct row row;
	enum journal_next end;

	(void)state;
	make(&row);
	assert_int_equal(count(&row, row.size, SERIAL + 1, &end), 0);
	assert_int_equal(end, JOURNAL_NOISE);
	/* The same one once more. */
	memcpy(row.bytes + row.size, row.bytes, row.ends[0]);
	assert_int_equal(
	    count(&row, row.size + row.ends[0], SERIAL, &end), RECORDS);
	assert_int_equal(end, JOURNAL_NOISE);
}

/* Whatever bytes there are, replay lives. */
static void noise_is_lived_with(void **state)
{
	uint8_t bytes[600];

	(void)state;
	srandom(11);
	for (unsigned round = 0; round < 5000; round++) {
		struct replay replay;
		size_t size = (size_t)random() % sizeof(bytes);

		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)random();
		assert_int_equal(replay_run(&replay, bytes, size, 5), 0);
		assert_false(replay.begun);
		replay_fini(&replay);
	}
}

/* Whole records with payloads of noise: the checks are right. */
static void nonsense_in_whole_records_is_noise(void **state)
{
	(void)state;
	srandom(12);
	for (unsigned round = 0; round < 5000; round++) {
		int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		struct journal journal = {.fd = fd, .serial = 5};
		struct disk_begun begun = {.kind = htole32(SPOOL_FILE),
		    .limit_bytes = htole64(100),
		    .path_bytes = htole16(2)};
		uint8_t bytes[200];
		uint8_t out[1000];
		struct replay replay;
		ssize_t n;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = random() % 3 ? 0 : (uint8_t)random();
		assert_int_equal(journal_append(&journal, DISK_BEGUN,
		                     (struct journal_part[]){
		                         {&begun, sizeof(begun)}, {"/a", 2}},
		                     2),
		    0);
		assert_int_equal(
		    journal_append(&journal, (enum disk_kind)(random() % 9),
		        (struct journal_part[]){
		            {bytes, (size_t)random() % sizeof(bytes)}},
		        1),
		    0);
		n = io_pread(fd, out, sizeof(out), 0);
		assert_int_equal(replay_run(&replay, out, (size_t)n, 5), 0);
		assert_true(replay.begun);
		assert_true(replay.limit_bytes <= 100);
		replay_fini(&replay);
		(void)close(fd);
	}
}

/* A record that does not fit leaves what there is as it is. */
static void a_full_journal_takes_states_longer_than_ranges(void **state)
{
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct journal journal = {.fd = fd,
	    .serial = 1,
	    .end_bytes = SPOOL_JOURNAL_BYTES_MAX - 1024 * 1024};
	struct journal_part part = {"x", 1};

	(void)state;
	assert_int_equal(
	    journal_append(&journal, DISK_RANGE, &part, 1), -ENOSPC);
	assert_int_equal(journal_append(&journal, DISK_STATE, &part, 1), 0);
	journal.end_bytes = SPOOL_JOURNAL_BYTES_MAX;
	assert_int_equal(
	    journal_append(&journal, DISK_STATE, &part, 1), -ENOSPC);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_journal_may_end_anywhere),
	    cmocka_unit_test(every_flipped_bit_is_noise),
	    cmocka_unit_test(zeros_behind_it_are_its_end_and_noise_is_not),
	    cmocka_unit_test(records_of_others_and_old_ones_are_noise),
	    cmocka_unit_test(noise_is_lived_with),
	    cmocka_unit_test(nonsense_in_whole_records_is_noise),
	    cmocka_unit_test(a_full_journal_takes_states_longer_than_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
