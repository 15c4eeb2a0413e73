/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_spool.c - the promises of spool.h, one by one.
 */
#include "tests/unit/cache/spool/spool_bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct err err;

/* As bed_expect(), of bytes that may be zero. */
static void expect_bytes(
    const struct spool_entry *entry, const char *text, size_t size)
{
	size_t found;
	uint8_t *bytes = bed_whole(entry, &found);

	assert_int_equal(found, size);
	assert_memory_equal(bytes, text, size);
	free(bytes);
}

static void bytes_are_where_they_were_written(void **state)
{
	struct bed bed;
	struct spool_entry *entry;

	(void)state;
	bed_init(&bed);
	entry = bed_file(&bed, "/a");
	bed_expect(entry, "");
	bed_write(entry, 0, "hello");
	bed_write(entry, 5, " world");
	bed_write(entry, 0, "J");
	bed_expect(entry, "Jello world");
	assert_int_equal(spool_truncate(entry, 3, &err), 0);
	assert_int_equal(spool_truncate(entry, 5, &err), 0);
	expect_bytes(entry, "Jel\0\0", 5);
	bed_write(entry, 8, "x");
	assert_int_equal(spool_attr(entry).size_bytes, 9);
	assert_int_equal(spool_attr(entry).changes, 6);
	assert_int_equal(spool_write(entry, "", 0, 100, &err), 0);
	assert_int_equal(spool_attr(entry).size_bytes, 9);
	assert_int_equal(spool_write(entry, "x", 1, UINT64_MAX, &err), -EFBIG);
	spool_release(entry);
	bed_fini(&bed);
}

static void a_file_in_place_is_ours_where_it_was_written(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct spool_piece piece;

	(void)state;
	bed_init(&bed);
	entry = bed_file_base(&bed, "/a", 10);
	bed_expect(entry, "abcdefghij");
	bed_write(entry, 2, "XY");
	bed_expect(entry, "abXYefghij");
	piece = spool_map(entry, 0);
	assert_int_equal(piece.where, SPOOL_BASE);
	assert_int_equal(piece.size_bytes, 2);
	assert_int_equal(spool_read(entry, (char[1]){0}, 1, 0, &err), 0);
	bed_write(entry, 9, "ZZZ"); /* over its end */
	bed_expect(entry, "abXYefghiZZZ");
	assert_int_equal(spool_map(entry, 9).size_bytes, 3);
	/* Cut, and longer again: the base does not come back. */
	assert_int_equal(spool_truncate(entry, 5, &err), 0);
	bed_expect(entry, "abXYe");
	bed_write(entry, 6, "w");
	expect_bytes(entry, "abXYe\0w", 7);
	spool_release(entry);
	bed_fini(&bed);
}

static void what_is_filled_up_gives_way_to_what_was_written(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct spool_item item;

	(void)state;
	bed_init(&bed);
	entry = bed_file_base(&bed, "/a", 10);
	bed_write(entry, 2, "XY");
	assert_int_equal(spool_fill(entry, "0123456789", 10, 0, &err), 0);
	bed_expect(entry, "01XY456789");
	bed_write(entry, 0, "Q");
	bed_expect(entry, "Q1XY456789");
	assert_int_equal(spool_item_of(entry, &item), 0);
	assert_int_equal(item.missing_bytes, 0);
	spool_item_fini(&item);
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	spool_release(entry);
	/* Filled bytes were not promised, ours were. */
	entry = bed_take(&bed, "/a");
	bed_expect(entry, "QbXYefghij");
	/* Behind the limit nothing is filled. */
	assert_int_equal(spool_fill(entry, "0123456789", 10, 5, &err), 0);
	bed_expect(entry, "QbXYe01234");
	spool_release(entry);
	bed_fini(&bed);
}

static void what_is_stopped_keeps_what_it_was_filled_up_with(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct spool_item item;

	(void)state;
	bed_init(&bed);
	entry = bed_file_base(&bed, "/a", 10);
	bed_write(entry, 2, "XY");
	assert_int_equal(spool_fill(entry, "0123456789", 10, 0, &err), 0);
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	assert_int_equal(
	    spool_stop(entry, SPOOL_CONFLICT, -ESTALE, "another", &err), 0);
	spool_release(entry);
	bed_again(&bed);
	item = bed_item(&bed, "/a");
	assert_int_equal(item.state, SPOOL_CONFLICT);
	assert_int_equal(item.missing_bytes, 0);
	assert_int_equal(spool_take(bed.spool, item.serial, &entry, &err), 0);
	spool_item_fini(&item);
	bed_expect(entry, "01XY456789");
	spool_release(entry);
	bed_fini(&bed);
}

static void what_was_closed_is_given_to_the_next(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct spool_item item;

	(void)state;
	bed_init(&bed);
	entry = bed_file_base(&bed, "/dir/a", 10);
	bed_write(entry, 3, "ours");
	assert_int_equal(spool_rename(entry, "/dir/b", &err), 0);
	assert_int_equal(spool_set(entry,
	                     &(struct spool_attr){
	                         .mode = 0640, .has_mtime = true, .mtime_s = 5},
	                     &err),
	    0);
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	assert_int_equal(bed_adopt(&bed), 0); /* it has an owner */
	item = bed_item(&bed, "/dir/b");
	assert_true(item.busy);
	assert_int_equal(item.cure, SPOOL_CURE_WAIT);
	spool_item_fini(&item);
	spool_release(entry);
	bed_again(&bed);
	item = bed_item(&bed, "/dir/b");
	assert_false(item.busy);
	assert_int_equal(item.state, SPOOL_CLOSED);
	assert_int_equal(item.cure, SPOOL_CURE_FLUSH);
	assert_int_equal(item.missing_bytes, 6);
	assert_int_equal(item.since_s, 1000);
	assert_int_equal(item.uid, BED_UID);
	assert_int_equal(item.from, SPOOL_FROM_FILE);
	assert_string_equal(
	    item.text[SPOOL_CREDENTIAL], "/run/user/1000/bt_u1000");
	spool_item_fini(&item);
	entry = bed_take(&bed, "/dir/b");
	assert_non_null(entry);
	bed_expect(entry, "abcourshij");
	assert_int_equal(spool_attr(entry).mode, 0640);
	assert_int_equal(spool_attr(entry).mtime_s, 5);
	assert_int_equal(spool_item_of(entry, &item), 0);
	assert_string_equal(item.text[SPOOL_ETAG], "\"abc\"");
	assert_string_equal(item.text[SPOOL_ORIGIN], BED_ORIGIN);
	assert_true(item.base.exists);
	assert_int_equal(item.base.mtime_s, 77);
	spool_item_fini(&item);
	assert_int_equal(spool_remove(&entry, &err), 0);
	assert_null(entry);
	assert_int_equal(bed_count_all(&bed), 0);
	assert_int_equal(bed_files(&bed, ".d") + bed_files(&bed, ".j"), 0);
	bed_fini(&bed);
}

static void what_was_open_is_put_aside_and_can_be_sent_by_a_person(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct spool_item item;

	(void)state;
	bed_init(&bed);
	entry = bed_file(&bed, "/a");
	bed_write(entry, 0, "half");
	spool_release(entry);
	assert_int_equal(bed_adopt(&bed), 0);
	assert_int_equal(bed_adopt(&bed), 0);
	item = bed_item(&bed, "/a");
	assert_int_equal(item.state, SPOOL_ASIDE);
	assert_int_equal(item.cure, SPOOL_CURE_LOOK);
	assert_non_null(strstr(item.text[SPOOL_WHY], "still being written"));
	assert_int_equal(spool_take(bed.spool, item.serial, &entry, &err), 0);
	spool_item_fini(&item);
	bed_expect(entry, "half");
	assert_int_equal(spool_write(entry, "x", 1, 0, &err), -EBADF);
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	spool_release(entry);
	entry = bed_take(&bed, "/a");
	bed_expect(entry, "half");
	spool_release(entry);
	bed_fini(&bed);
}

/* Unlinked while somebody has it open: nobody's afterwards. */
static void what_was_dropped_goes_with_its_owner(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed);
	for (unsigned how = 0; how < 4; how++) {
		struct spool_entry *entry = bed_file(&bed, "/dir/a");

		bed_write(entry, 0, "hello");
		if (how % 2 == 1)
			assert_int_equal(
			    spool_finish(entry, SPOOL_TO_POWER, &err), 0);
		assert_int_equal(spool_drop(entry, &err), 0);
		bed_write(entry, 5, " there");
		bed_expect(entry, "hello there");
		assert_int_equal(bed_count(&bed, SPOOL_OPEN), 1);
		/* Another may have it finished; nobody sends it. */
		if (how >= 2)
			assert_int_equal(
			    spool_finish(entry, SPOOL_TO_KILL, &err), 0);
		assert_int_equal(bed_adopt(&bed), 0);
		assert_int_equal(bed_files(&bed, ".d"), 1);
		spool_release(entry);
		if (how == 3)
			bed_reboot(&bed);
		assert_int_equal(bed_count_all(&bed), 0);
		assert_int_equal(bed_adopt(&bed), 0);
		assert_int_equal(
		    bed_files(&bed, ".d") + bed_files(&bed, ".j"), 0);
	}
	bed_fini(&bed);
}

static void the_road_of_an_entry_is_kept(void **state)
{
	const struct spool_version sent = {
	    .exists = true, .size_bytes = 4, .mtime_s = 99, .etag = "\"new\""};
	struct bed bed;
	struct spool_entry *entry;
	struct spool_item item;
	uint64_t changes;
	uint64_t again;

	(void)state;
	bed_init(&bed);
	entry = bed_file(&bed, "/a");
	assert_int_equal(spool_sending(entry, NULL, &changes, &err), -EBADF);
	bed_write(entry, 0, "one ");
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	assert_int_equal(spool_write(entry, "x", 1, 0, &err), -EBADF);
	assert_int_equal(spool_sending(entry, "/.part", &changes, &err), 0);
	item = bed_item(&bed, "/a");
	assert_int_equal(item.state, SPOOL_SENDING);
	assert_string_equal(item.text[SPOOL_PART], "/.part");
	spool_item_fini(&item);
	/* It changes while it is on its way. */
	assert_int_equal(spool_reopen(entry, &err), 0);
	bed_write(entry, 4, "two");
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	assert_int_equal(spool_sent(entry, changes, &sent, &err), 0);
	assert_int_equal(spool_attr(entry).state, SPOOL_CLOSED);
	/* Or was on its way again when the first answer came. */
	assert_int_equal(spool_sending(entry, NULL, &again, &err), 0);
	assert_int_equal(spool_sent(entry, changes, &sent, &err), 0);
	assert_int_equal(spool_attr(entry).state, SPOOL_SENDING);
	/* Given up, as if it had never begun; and begun again. */
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	assert_int_equal(spool_attr(entry).state, SPOOL_CLOSED);
	assert_int_equal(spool_sending(entry, NULL, &changes, &err), 0);
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	assert_int_equal(spool_attr(entry).state, SPOOL_CLOSED);
	assert_int_equal(spool_sent(entry, changes, &sent, &err), 0);
	assert_int_equal(spool_attr(entry).state, SPOOL_CLOSED);
	assert_int_equal(spool_sending(entry, NULL, &changes, &err), 0);
	/* Refused. */
	assert_int_equal(spool_stop(entry, SPOOL_FAILED, -EACCES,
	                     "the server says no", &err),
	    0);
	spool_release(entry);
	item = bed_item(&bed, "/a");
	assert_int_equal(item.state, SPOOL_FAILED);
	assert_int_equal(item.code, -EACCES);
	assert_int_equal(item.base.size_bytes, 4);
	assert_string_equal(item.text[SPOOL_WHY], "the server says no");
	assert_string_equal(item.text[SPOOL_ETAG], "\"new\"");
	spool_item_fini(&item);
	entry = bed_take(&bed, "/a");
	assert_int_equal(spool_sending(entry, NULL, &changes, &err), 0);
	assert_int_equal(spool_sent(entry, changes, &sent, &err), 1);
	assert_int_equal(spool_attr(entry).state, SPOOL_SENT);
	spool_release(entry);
	/* Sent and not yet removed: no one lists it, the next removes it. */
	assert_int_equal(bed_count_all(&bed), 0);
	assert_int_equal(bed_adopt(&bed), 0);
	assert_int_equal(bed_files(&bed, ".d") + bed_files(&bed, ".j"), 0);
	bed_fini(&bed);
}

struct given {
	unsigned count;
};

static int count_given(void *arg, struct spool_entry *entry)
{
	struct given *given = arg;

	given->count++;
	spool_release(entry);
	return 0;
}

/* One that is on its way, as so-and-so-many ways lead to. */
enum { WAYS = 5 };

static struct spool_entry *being_sent(struct bed *bed, unsigned way)
{
	struct spool_entry *entry = bed_file(bed, "/d/a");
	uint64_t changes;

	bed_write(entry, 0, "hello");
	assert_int_equal(spool_finish(entry,
	                     way == 1 ? SPOOL_TO_KILL : SPOOL_TO_POWER, &err),
	    0);
	if (way == 3) {
		assert_int_equal(
		    spool_stop(entry, SPOOL_CONFLICT, -ESTALE, "why", &err), 0);
		assert_int_equal(spool_part(entry, "/d/.part", &err), 0);
		return entry;
	}
	assert_int_equal(spool_sending(entry, "/d/.part", &changes, &err), 0);
	if (way == 2)
		assert_int_equal(spool_drop(entry, &err), 0);
	return entry;
}

static void what_a_dead_one_was_sending_as_is_an_entry(void **state)
{
	/* Set aside with the power; dropped; a person's decision; ours, and not
	 * this mount's. */
	static const enum spool_state states[WAYS] = {
	    SPOOL_CLOSED, SPOOL_ASIDE, 0, SPOOL_CONFLICT, SPOOL_CLOSED};
	static const unsigned given[WAYS] = {2, 1, 1, 1, 0};

	(void)state;
	for (unsigned way = 0; way < WAYS; way++) {
		struct spool_filter filter = {.any_uid = true};
		struct bed bed;
		struct spool_item item;
		struct given counted = {0};

		bed_init(&bed);
		spool_release(being_sent(&bed, way));
		if (way == 1)
			bed_reboot(&bed);
		if (way == 4)
			filter.origin = "https://other.test";
		/* Once, however often somebody looks. */
		for (unsigned i = 0; i < 2; i++) {
			counted.count = 0;
			assert_int_equal(spool_adopt(bed.spool, &filter,
			                     count_given, &counted, &err),
			    0);
			assert_int_equal(counted.count, given[way]);
			assert_int_equal(
			    bed_count_all(&bed), 1 + (states[way] != 0));
		}
		item = bed_item(&bed, "/d/.part");
		assert_int_equal(item.kind, SPOOL_TEMPORARY);
		assert_int_equal(item.uid, bed_wish("/d/a").uid);
		assert_string_equal(
		    item.text[SPOOL_ORIGIN], bed_wish("/d/a").origin);
		spool_item_fini(&item);
		item = bed_item(&bed, "/d/a");
		assert_int_equal(item.state, states[way]);
		if (states[way] != 0)
			assert_string_equal(item.text[SPOOL_PART], "");
		if (way == 3)
			assert_string_equal(item.text[SPOOL_WHY], "why");
		spool_item_fini(&item);
		bed_fini(&bed);
	}
}

static void whoever_ends_sending_leaves_no_name(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed);
	for (unsigned how = 0; how < 3; how++) {
		struct spool_entry *entry = being_sent(&bed, how == 2 ? 3 : 0);

		if (how == 0)
			assert_int_equal(
			    spool_finish(entry, SPOOL_TO_KILL, &err), 0);
		else if (how == 1)
			assert_int_equal(spool_stop(entry, SPOOL_FAILED,
			                     -EACCES, "no", &err),
			    0);
		else
			assert_int_equal(spool_part(entry, NULL, &err), 0);
		spool_release(entry);
		(void)bed_adopt(&bed);
		assert_int_equal(bed_count_all(&bed), how + 1);
	}
	bed_fini(&bed);
}

static void a_conflict_waits_for_a_person(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct spool_item item;
	uint64_t serial;

	(void)state;
	bed_init(&bed);
	entry = bed_file(&bed, "/a");
	bed_write(entry, 0, "mine");
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	assert_int_equal(spool_stop(entry, SPOOL_CONFLICT, -ESTALE,
	                     "the server's file is another one", &err),
	    0);
	spool_release(entry);
	bed_reboot(&bed);
	assert_int_equal(bed_adopt(&bed), 0);
	item = bed_item(&bed, "/a");
	assert_int_equal(item.state, SPOOL_CONFLICT);
	assert_int_equal(item.cure, SPOOL_CURE_DECIDE);
	serial = item.serial;
	spool_item_fini(&item);
	assert_int_equal(spool_take(bed.spool, serial, &entry, &err), 0);
	assert_int_equal(spool_rename(entry, "/a.mine", &err), 0);
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	spool_release(entry);
	entry = bed_take(&bed, "/a.mine");
	bed_expect(entry, "mine");
	spool_release(entry);
	bed_fini(&bed);
}

static void changes_of_names_wait_in_order(void **state)
{
	static const enum spool_kind kinds[] = {
	    SPOOL_MKDIR, SPOOL_RENAME, SPOOL_UNLINK, SPOOL_TEMPORARY};
	struct bed bed;
	struct spool_item item;
	uint64_t last = 0;

	(void)state;
	bed_init(&bed);
	for (unsigned i = 0; i < 4; i++) {
		char path[] = "/n0";
		struct spool_wish wish = bed_wish(path);
		struct spool_entry *entry;

		path[2] = (char)('0' + i);
		wish.kind = kinds[i];
		wish.to = kinds[i] == SPOOL_RENAME ? "/to" : NULL;
		assert_int_equal(
		    spool_create(bed.spool, &wish, &entry, &err), 0);
		assert_int_equal(spool_write(entry, "x", 1, 0, &err), -EBADF);
		spool_release(entry);
	}
	/* They were promised against loss of power. */
	bed_reboot(&bed);
	assert_int_equal(bed_adopt(&bed), 4);
	for (unsigned i = 0; i < 4; i++) {
		char path[] = "/n0";

		path[2] = (char)('0' + i);
		item = bed_item(&bed, path);
		assert_int_equal(item.kind, kinds[i]);
		assert_string_equal(
		    item.text[SPOOL_TO], kinds[i] == SPOOL_RENAME ? "/to" : "");
		assert_true(item.serial > last);
		last = item.serial;
		spool_item_fini(&item);
	}
	bed_fini(&bed);
}

static void a_promise_against_kills_is_none_against_power(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct spool_item item;

	(void)state;
	bed_init(&bed);
	entry = bed_file(&bed, "/kill");
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	spool_release(entry);
	entry = bed_file(&bed, "/power");
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	/* Less is not promised afterwards. */
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	spool_release(entry);
	bed_again(&bed);
	assert_int_equal(bed_adopt(&bed), 2);
	bed_reboot(&bed);
	assert_int_equal(bed_adopt(&bed), 1);
	item = bed_item(&bed, "/kill");
	assert_int_equal(item.state, SPOOL_ASIDE);
	assert_non_null(strstr(item.text[SPOOL_WHY], "machine went down"));
	spool_item_fini(&item);
	/* A machine that cannot be told apart is not believed. */
	memset(bed.boot, 0, sizeof(bed.boot));
	bed_again(&bed);
	entry = bed_file(&bed, "/kill2");
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	spool_release(entry);
	assert_int_equal(bed_adopt(&bed), 1);
	bed_fini(&bed);
}

static void wishes_that_make_no_sense_or_hold_a_secret_are_refused(void **state)
{
	struct bed bed;
	struct spool_wish wishes[9];
	char token[2000];
	struct spool_entry *entry;

	(void)state;
	bed_init(&bed);
	memset(token, 'x', sizeof(token) - 1);
	token[sizeof(token) - 1] = '\0';
	for (unsigned i = 0; i < 9; i++)
		wishes[i] = bed_wish("/a");
	wishes[0].path = "a/b";
	wishes[1].path = "/a/../b";
	wishes[2].origin = "https://user:password@origin.test";
	wishes[3].origin = "https://origin.test?authz=secret";
	wishes[4].origin = "";
	wishes[5].credential = "eyJhbGciOiJFUzI1NiJ9.e30.c2ln";
	wishes[6].from = SPOOL_FROM_AGENT;
	wishes[6].credential = token;
	wishes[7].to = "/elsewhere";
	wishes[8].from = SPOOL_FROM_DISCOVERY;
	for (unsigned i = 0; i < 9; i++) {
		assert_int_equal(
		    spool_create(bed.spool, &wishes[i], &entry, &err), -EINVAL);
		assert_null(entry);
		assert_null(strstr(err.text, "password"));
	}
	assert_int_equal(bed_files(&bed, ".j"), 0);
	bed_fini(&bed);
}

static int give_up(void *arg, struct spool_entry *entry)
{
	(*(unsigned *)arg)++;
	spool_release(entry);
	return -ECANCELED;
}

static int just_count(void *arg, struct spool_entry *entry)
{
	(*(unsigned *)arg)++;
	spool_release(entry);
	return 0;
}

static unsigned matching(struct bed *bed, const struct spool_filter *filter)
{
	unsigned count = 0;

	assert_int_equal(
	    spool_adopt(bed->spool, filter, just_count, &count, &err), 0);
	return count;
}

static void a_mount_takes_what_is_its_own(void **state)
{
	static const char *const paths[] = {"/a/b", "/a/bc", "/a/b/c"};
	struct bed bed;
	unsigned count = 0;

	(void)state;
	bed_init(&bed);
	for (unsigned i = 0; i < 6; i++) {
		struct spool_wish wish = bed_wish(paths[i % 3]);
		struct spool_entry *entry;

		wish.uid = i < 3 ? 1 : 2;
		wish.origin = i == 5 ? "https://other.test" : BED_ORIGIN;
		assert_int_equal(
		    spool_create(bed.spool, &wish, &entry, &err), 0);
		assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
		spool_release(entry);
	}
	assert_int_equal(
	    matching(&bed, &(struct spool_filter){.any_uid = true}), 6);
	assert_int_equal(matching(&bed, &(struct spool_filter){.uid = 1}), 3);
	assert_int_equal(
	    matching(&bed,
	        &(struct spool_filter){.any_uid = true, .origin = BED_ORIGIN}),
	    5);
	assert_int_equal(
	    matching(&bed, &(struct spool_filter){.uid = 1, .below = "/a/b"}),
	    2);
	assert_int_equal(
	    matching(&bed, &(struct spool_filter){.uid = 2, .serial = 4}), 1);
	assert_int_equal(
	    spool_adopt(bed.spool, &(struct spool_filter){.any_uid = true},
	        give_up, &count, &err),
	    -ECANCELED);
	assert_int_equal(count, 1);
	bed_fini(&bed);
}

static void one_entry_has_one_owner(void **state)
{
	struct bed bed;
	struct spool *other;
	struct spool_entry *entry;
	struct spool_entry *theirs;
	uint64_t serial;
	struct spool_item item;

	(void)state;
	bed_init(&bed);
	other = bed_second(&bed);
	entry = bed_file(&bed, "/a");
	assert_int_equal(spool_item_of(entry, &item), 0);
	serial = item.serial;
	spool_item_fini(&item);
	assert_int_equal(spool_take(other, serial, &theirs, &err), -EBUSY);
	assert_int_equal(spool_take(other, serial + 1, &theirs, &err), -ENOENT);
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	spool_release(entry);
	assert_int_equal(spool_take(other, serial, &theirs, &err), 0);
	assert_int_equal(spool_take(bed.spool, serial, &entry, &err), -EBUSY);
	assert_int_equal(bed_adopt(&bed), 0);
	/* A listing takes nothing away from anybody. */
	item = bed_item(&bed, "/a");
	assert_true(item.busy);
	spool_item_fini(&item);
	spool_release(theirs);
	spool_close(other);
	assert_int_equal(bed_adopt(&bed), 1);
	bed_fini(&bed);
}

static void numbers_are_given_out_once(void **state)
{
	struct bed bed;
	struct spool *other;
	uint64_t last = 0;

	(void)state;
	bed_init(&bed);
	other = bed_second(&bed);
	for (unsigned i = 0; i < 20; i++) {
		struct spool_wish wish = bed_wish("/a");
		struct spool_entry *entry;
		struct spool_item item;

		assert_int_equal(spool_create(i % 2 ? other : bed.spool, &wish,
		                     &entry, &err),
		    0);
		assert_int_equal(spool_item_of(entry, &item), 0);
		assert_true(item.serial > last);
		last = item.serial;
		spool_item_fini(&item);
		assert_int_equal(spool_remove(&entry, &err), 0);
	}
	spool_close(other);
	bed_fini(&bed);
}

static void what_it_replaces_survives_like_its_name(void **state)
{
	const struct spool_version there = {.exists = true,
	    .size_bytes = 77,
	    .mtime_s = 1234,
	    .etag = "\"there\""};
	struct bed bed;
	struct spool_entry *entry;
	struct spool_item item;

	(void)state;
	bed_init(&bed);
	entry = bed_file(&bed, "/new");
	bed_write(entry, 0, "text");
	assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	assert_int_equal(spool_rename(entry, "/old", &err), 0);
	assert_int_equal(spool_rebase(entry, &there, &err), 0);
	bed_expect(entry, "text");
	spool_release(entry);
	bed_again(&bed);
	bed_reboot(&bed);
	item = bed_item(&bed, "/old");
	assert_int_equal(item.state, SPOOL_CLOSED);
	assert_true(item.base.exists);
	assert_int_equal(item.base.size_bytes, 77);
	assert_int_equal(item.base.mtime_s, 1234);
	assert_string_equal(item.text[SPOOL_ETAG], "\"there\"");
	spool_item_fini(&item);
	entry = bed_take(&bed, "/old");
	assert_non_null(entry);
	bed_expect(entry, "text");
	spool_release(entry);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_it_replaces_survives_like_its_name),
	    cmocka_unit_test(bytes_are_where_they_were_written),
	    cmocka_unit_test(a_file_in_place_is_ours_where_it_was_written),
	    cmocka_unit_test(what_is_filled_up_gives_way_to_what_was_written),
	    cmocka_unit_test(what_is_stopped_keeps_what_it_was_filled_up_with),
	    cmocka_unit_test(what_was_closed_is_given_to_the_next),
	    cmocka_unit_test(
	        what_was_open_is_put_aside_and_can_be_sent_by_a_person),
	    cmocka_unit_test(what_was_dropped_goes_with_its_owner),
	    cmocka_unit_test(the_road_of_an_entry_is_kept),
	    cmocka_unit_test(what_a_dead_one_was_sending_as_is_an_entry),
	    cmocka_unit_test(whoever_ends_sending_leaves_no_name),
	    cmocka_unit_test(a_conflict_waits_for_a_person),
	    cmocka_unit_test(changes_of_names_wait_in_order),
	    cmocka_unit_test(a_promise_against_kills_is_none_against_power),
	    cmocka_unit_test(
	        wishes_that_make_no_sense_or_hold_a_secret_are_refused),
	    cmocka_unit_test(a_mount_takes_what_is_its_own),
	    cmocka_unit_test(one_entry_has_one_owner),
	    cmocka_unit_test(numbers_are_given_out_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
