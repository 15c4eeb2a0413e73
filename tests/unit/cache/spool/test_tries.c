/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_tries.c - what tries to send an entry have sent is
 * known to whoever has it next, until it counts no more; journals of programs
 * that do not know of it are read, and those read ours.
 */
#include "base/io.h"
#include "cache/spool/journal.h"
#include "cache/spool/replay.h"
#include "cache/spool/tries.h"
#include "tests/unit/cache/spool/spool_bed.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SERIAL = 7, ROOM = 4096 };

static struct bed bed;

static int setup(void **state)
{
	(void)state;
	bed_init(&bed);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	bed_fini(&bed);
	return 0;
}

static struct spool_try try_of(uint8_t number)
{
	struct spool_try one = {.size_bytes = 100 + number, .summed = true};

	memset(one.sum, number, sizeof(one.sum));
	return one;
}

static void send_it(struct spool_entry *entry, uint8_t number)
{
	const struct spool_try one = try_of(number);
	struct err err = ERR_INIT;
	uint64_t changes;

	spool_note_try(entry, &one);
	assert_int_equal(spool_sending(entry, "/.part", &changes, &err), 0);
}

static struct spool_entry *finished(const char *path)
{
	struct spool_entry *entry = bed_file(&bed, path);
	struct err err = ERR_INIT;

	bed_write(entry, 0, "content");
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	return entry;
}

/* It has these, in that order; 0 ends them. */
static void expect(const struct spool_entry *entry, const char *numbers)
{
	struct spool_try tries[SPOOL_TRIES_MAX];
	unsigned count = spool_tries(entry, tries);

	assert_int_equal(count, strlen(numbers));
	for (unsigned i = 0; i < count; i++) {
		struct spool_try one = try_of((uint8_t)numbers[i]);

		assert_int_equal(tries[i].size_bytes, one.size_bytes);
		assert_true(tries[i].summed);
		assert_memory_equal(tries[i].sum, one.sum, sizeof(one.sum));
	}
}

/* Whoever comes after us. */
static struct spool_entry *again(struct spool_entry *entry, const char *path)
{
	spool_release(entry);
	bed_again(&bed);
	entry = bed_take(&bed, path);
	assert_non_null(entry);
	return entry;
}

static void the_next_owner_knows_them(void **state)
{
	struct spool_entry *entry = finished("/f");
	struct spool_try large = {.size_bytes = UINT64_C(1) << 40};
	struct spool_try tries[SPOOL_TRIES_MAX];
	struct err err = ERR_INIT;
	uint64_t changes;

	(void)state;
	expect(entry, "");
	send_it(entry, 'a');
	entry = again(entry, "/f");
	expect(entry, "a");
	send_it(entry, 'b');
	assert_int_equal(
	    spool_stop(entry, SPOOL_FAILED, -ETIMEDOUT, "so", &err), 0);
	entry = again(entry, "/f");
	expect(entry, "ab");
	/* Changed, and not sent since. */
	assert_int_equal(spool_reopen(entry, &err), 0);
	bed_write(entry, 0, "CON");
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	entry = again(entry, "/f");
	expect(entry, "ab");
	bed_expect(entry, "CONtent");
	/* Of one the size is all that is known. */
	spool_note_try(entry, &large);
	assert_int_equal(spool_sending(entry, NULL, &changes, &err), 0);
	entry = again(entry, "/f");
	assert_int_equal(spool_tries(entry, tries), 3);
	assert_int_equal(tries[2].size_bytes, UINT64_C(1) << 40);
	assert_false(tries[2].summed);
	spool_release(entry);
}

static void the_last_that_differ_are_kept(void **state)
{
	struct spool_entry *entry = finished("/f");

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		send_it(entry, 'a');
	expect(entry, "a");
	send_it(entry, 'b');
	send_it(entry, 'c');
	send_it(entry, 'a');
	expect(entry, "bca");
	send_it(entry, 'd');
	expect(entry, "bcad");
	send_it(entry, 'e');
	entry = again(entry, "/f");
	expect(entry, "cade");
	spool_release(entry);
}

static void they_end_when_the_servers_version_is_known(void **state)
{
	const struct spool_version version = {
	    .exists = true, .size_bytes = 7, .mtime_s = 5, .etag = "\"x\""};
	struct spool_entry *entry = finished("/f");
	struct err err = ERR_INIT;

	(void)state;
	/* It changed since. */
	send_it(entry, 'a');
	assert_int_equal(spool_sent(entry, UINT64_MAX, &version, &err), 0);
	expect(entry, "");
	entry = again(entry, "/f");
	expect(entry, "");
	send_it(entry, 'b');
	entry = again(entry, "/f");
	expect(entry, "b");
	assert_int_equal(spool_rebase(entry, &version, &err), 0);
	entry = again(entry, "/f");
	expect(entry, "");
	spool_release(entry);
}

static void they_end_with_the_path(void **state)
{
	struct spool_entry *entry = finished("/f");
	struct err err = ERR_INIT;

	(void)state;
	send_it(entry, 'a');
	assert_int_equal(spool_rename(entry, "/g", &err), 0);
	expect(entry, "");
	entry = again(entry, "/g");
	expect(entry, "");
	spool_release(entry);
}

/* ---- on the disk ---- */

struct row {
	int fd;
	struct journal journal;
	uint8_t bytes[ROOM];
	size_t size_bytes;
};

static void row_begin(struct row *row)
{
	struct disk_begun begun = {
	    .kind = htole32(SPOOL_FILE), .path_bytes = htole16(2)};

	row->fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	row->journal = (struct journal){.fd = row->fd, .serial = SERIAL};
	assert_int_equal(
	    journal_append(&row->journal, DISK_BEGUN,
	        (struct journal_part[]){{&begun, sizeof(begun)}, {"/a", 2}}, 2),
	    0);
}

static void row_state(struct row *row, enum spool_state state, const void *more,
    size_t more_bytes)
{
	struct disk_state disk = {.state = htole32(state),
	    .size_bytes = htole64(7),
	    .part_bytes = htole16(2),
	    .why_bytes = htole16(3)};

	assert_int_equal(journal_append(&row->journal, DISK_STATE,
	                     (struct journal_part[]){{&disk, sizeof(disk)},
	                         {"/p", 2}, {"why", 3}, {more, more_bytes}},
	                     4),
	    0);
}

static void row_replay(struct row *row, struct replay *out)
{
	ssize_t n = io_pread(row->fd, row->bytes, ROOM, 0);

	assert_true(n > 0);
	row->size_bytes = (size_t)n;
	assert_int_equal(
	    replay_run(out, row->bytes, row->size_bytes, SERIAL), 0);
	(void)close(row->fd);
	assert_true(out->begun);
}

static struct disk_try_list list_of(uint32_t sums, uint32_t count)
{
	struct disk_try_list list = {
	    .head = {.sums = htole32(sums), .count = htole32(count)}};

	for (unsigned i = 0; i < SPOOL_TRIES_MAX; i++)
		list.list[i] = (struct disk_try){.size_bytes = htole64(1 + i),
		    .flags = htole32(DISK_SUMMED)};
	return list;
}

/* What came before has none, and is read as ever. */
static void a_journal_without_them_is_read(void **state)
{
	struct replay replay;
	struct row row;

	(void)state;
	row_begin(&row);
	row_state(&row, SPOOL_CLOSED, NULL, 0);
	row_state(&row, SPOOL_SENDING, NULL, 0);
	row_replay(&row, &replay);
	assert_false(replay.noise);
	assert_int_equal(replay.item.state, SPOOL_SENDING);
	assert_string_equal(replay.item.text[SPOOL_PART], "/p");
	assert_string_equal(replay.item.text[SPOOL_WHY], "why");
	assert_int_equal(replay.item.try_count, 0);
	replay_fini(&replay);
}

/* Programs that know none write states without: what was noted stays. */
static void a_state_without_them_leaves_them(void **state)
{
	struct disk_try_list list = list_of(DISK_SHA256, 2);
	struct replay replay;
	struct row row;

	(void)state;
	row_begin(&row);
	row_state(&row, SPOOL_SENDING, &list, 8 + 2 * 48);
	row_state(&row, SPOOL_FAILED, NULL, 0);
	row_state(&row, SPOOL_SENDING, NULL, 0);
	row_replay(&row, &replay);
	assert_false(replay.noise);
	assert_int_equal(replay.item.try_count, 2);
	assert_int_equal(replay.item.tries[1].size_bytes, 2);
	replay_fini(&replay);
}

static void another_kind_is_passed_over(void **state)
{
	struct disk_try_list list = list_of(DISK_SHA256 + 1, 2000);
	struct replay replay;
	struct row row;

	(void)state;
	row_begin(&row);
	row_state(&row, SPOOL_SENDING, &list, sizeof(list));
	row_state(&row, SPOOL_SENDING, "1234567", 7);
	row_replay(&row, &replay);
	assert_false(replay.noise);
	assert_int_equal(replay.item.try_count, 0);
	replay_fini(&replay);
}

static void a_list_that_cannot_be_is_noise(void **state)
{
	static const uint32_t counts[] = {5, UINT32_MAX, 4};
	struct replay replay;
	struct row row;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct disk_try_list list = list_of(DISK_SHA256, counts[i]);

		row_begin(&row);
		row_state(&row, SPOOL_SENDING, &list,
		    sizeof(list) - (counts[i] == 4 ? 1 : 0));
		row_replay(&row, &replay);
		assert_true(replay.noise);
		replay_fini(&replay);
	}
}

/* As a program reads it that knows the state and its two texts, and passes
 * over the rest of a record. */
static void a_program_without_them_reads_ours(void **state)
{
	struct spool_entry *entry = finished("/f");
	uint8_t bytes[ROOM];
	struct journal_cursor cursor = {.bytes = bytes};
	struct journal_view view;
	struct disk_state disk;
	struct spool_item item;
	char path[512];
	unsigned sendings = 0;
	ssize_t n;
	int fd;

	(void)state;
	send_it(entry, 'a');
	send_it(entry, 'b');
	spool_release(entry);
	bed_path(&bed, ".j", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = io_pread(fd, bytes, sizeof(bytes), 0);
	assert_true(n > 0);
	(void)close(fd);
	cursor.size_bytes = (size_t)n;
	item = bed_item(&bed, "/f");
	cursor.serial = item.serial;
	spool_item_fini(&item);
	while (journal_next(&cursor, &view) == JOURNAL_RECORD) {
		/* No kind that it does not know. */
		assert_in_range(view.kind, DISK_BEGUN, DISK_BASE);
		if (view.kind != DISK_STATE)
			continue;
		memcpy(&disk, view.payload, sizeof(disk));
		if (le32toh(disk.state) != SPOOL_SENDING)
			continue;
		sendings++;
		assert_int_equal(le16toh(disk.part_bytes), 6);
		assert_int_equal(le16toh(disk.why_bytes), 0);
		assert_memory_equal(view.payload + sizeof(disk), "/.part", 6);
		assert_int_equal(view.payload_bytes,
		    sizeof(disk) + 6 + sizeof(struct disk_tries) +
		        sendings * sizeof(struct disk_try));
	}
	assert_int_equal(sendings, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_next_owner_knows_them),
	    TEST(the_last_that_differ_are_kept),
	    TEST(they_end_when_the_servers_version_is_known),
	    TEST(they_end_with_the_path),
	    TEST(a_journal_without_them_is_read),
	    TEST(a_state_without_them_leaves_them),
	    TEST(another_kind_is_passed_over),
	    TEST(a_list_that_cannot_be_is_noise),
	    TEST(a_program_without_them_reads_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
