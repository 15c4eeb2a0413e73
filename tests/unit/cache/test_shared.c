/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache of many users: what one of them may have is given to no other, and
 * nobody is told of the trouble with another's token.
 */
#include "cache/core.h"
#include "cache/note.h"
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { USERS = 8, BLOCK = CACHE_BLOCK_BYTES, MIB = 1024 * 1024 };

static struct bed bed;

/* Then they are processes of one, who may join one another's questions. */
static bool of_one_user;

/* What the door says to each user. */
static struct {
	int look;
	int list;
	int bytes;
} door[USERS];

static int judge(struct bed *of, const struct ident *ident, const char *path,
    enum cache_want want)
{
	unsigned who =
	    of_one_user ? (unsigned)ident->tgid - 1000 : (unsigned)ident->uid;

	(void)of;
	assert_in_range(who, 1, USERS - 1);
	assert_int_equal(strncmp(path, "/src", 4), 0);
	if (want == CACHE_BYTES)
		return door[who].bytes;
	return want == CACHE_LIST ? door[who].list : door[who].look;
}

static void says(unsigned uid, int code)
{
	door[uid].look = code;
	door[uid].list = code;
	door[uid].bytes = code;
}

static void be(unsigned uid)
{
	bed.ident = (struct ident){.uid = of_one_user ? 500 : uid,
	    .gid = uid,
	    .pid = 1000 + (int)uid,
	    .tgid = 1000 + (int)uid};
}

static int begin(void **state)
{
	(void)state;
	bed = (struct bed){.shared = true, .judge = judge};
	of_one_user = false;
	(void)memset(door, 0, sizeof(door));
	be(1);
	bed_start(&bed, NULL, false);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (bed.cache != NULL)
		bed_end(&bed);
	return 0;
}

static void answer_file(unsigned i, uint64_t size_bytes)
{
	struct fetch_stat stat = fake_file(size_bytes, 1000, "\"x\"");

	fake_answer_stat(i, 0, &stat);
}

static void asked(unsigned i, unsigned uid)
{
	assert_int_equal(fake.stat_count, i + 1);
	assert_int_equal(fake.stat[i].ident.tgid, 1000 + uid);
}

static void came(const struct bed_answer *answer, int code)
{
	assert_int_equal(answer->count, 1);
	assert_int_equal(answer->code, code);
}

static void each_asker_goes_through_the_door_again(void **state)
{
	static struct bed_answer answer[3];

	(void)state;
	of_one_user = true;
	for (unsigned i = 0; i < 3; i++) {
		be(1 + i);
		bed_lookup(&bed, "/a", &answer[i]);
	}
	asked(0, 1); /* one question for all, as the door is open to all */
	says(2, BED_NEVER);
	answer_file(0, 42);
	came(&answer[0], 0);
	came(&answer[1], -EACCES);
	came(&answer[2], 0);
	assert_int_equal(answer[2].attr.size_bytes, 42);
	/* From memory, too. */
	be(2);
	bed_lookup(&bed, "/a", &answer[1]);
	came(&answer[1], -EACCES);
	be(3);
	bed_lookup(&bed, "/a", &answer[2]);
	came(&answer[2], 0);
	asked(0, 1);
}

static void the_unproven_ask_with_their_own_token(void **state)
{
	static struct bed_answer answer[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		says(1 + i, -EAGAIN);
		be(1 + i);
		bed_lookup(&bed, "/a", &answer[i]);
		asked(i, 1 + i);
	}
	answer_file(0, 42);
	came(&answer[0], 0);
	assert_int_equal(answer[1].count, 0);
	fake_answer_stat(1, -EACCES, NULL);
	came(&answer[1], -EACCES);
	fake_answer_stat(2, -ENOENT, NULL);
	came(&answer[2], -ENOENT);
	/* What is known is told to nobody whom it was not proven to. */
	be(2);
	bed_lookup(&bed, "/a", &answer[1]);
	assert_int_equal(answer[1].count, 0);
	asked(3, 2);
	fake_answer_stat(3, -EKEYREJECTED, NULL);
	came(&answer[1], -EKEYREJECTED);
}

/* Two processes of one user may hold two tokens. */
static void a_users_processes_are_told_apart(void **state)
{
	static struct bed_answer answer[2];

	(void)state;
	says(1, -EAGAIN);
	bed_lookup(&bed, "/a", &answer[0]);
	bed.ident.tgid++;
	bed_lookup(&bed, "/a", &answer[1]);
	asked(1, 2);
	assert_int_equal(fake.stat[0].ident.uid, fake.stat[1].ident.uid);
	answer_file(0, 42);
	came(&answer[0], 0);
	assert_int_equal(answer[1].count, 0);
	fake_answer_stat(1, -EACCES, NULL);
	came(&answer[1], -EACCES);
}

static void nobody_hears_of_anothers_token(void **state)
{
	static const int codes[] = {
	    -EACCES, -EKEYREJECTED, -ENOKEY, -EKEYEXPIRED};
	static struct bed_answer answer[3];

	(void)state;
	of_one_user = true;
	for (unsigned k = 0; k < 4; k++) {
		unsigned first = fake.stat_count;
		char path[8];

		(void)snprintf(path, sizeof(path), "/%u", k);
		for (unsigned i = 0; i < 3; i++) {
			be(1 + i);
			bed_lookup(&bed, path, &answer[i]);
		}
		asked(first, 1);
		fake_answer_stat(first, codes[k], NULL);
		came(&answer[0], codes[k]);
		/* The others ask for themselves, and are told so. */
		assert_int_equal(answer[1].count + answer[2].count, 0);
		assert_int_equal(fake.stat_count, first + 3);
		for (unsigned i = first + 1; i < first + 3; i++) {
			pid_t tgid = fake.stat[i].ident.tgid;

			assert_in_range(tgid, 1002, 1003);
			if (tgid == 1002)
				answer_file(i, 7);
			else
				fake_answer_stat(i, -EACCES, NULL);
		}
		came(&answer[1], 0);
		came(&answer[2], -EACCES);
	}
	/* What is no token's trouble is everybody's. */
	for (unsigned i = 0; i < 3; i++) {
		be(1 + i);
		bed_lookup(&bed, "/down", &answer[i]);
	}
	fake_answer_stat(fake.stat_count - 1, -ETIMEDOUT, NULL);
	for (unsigned i = 0; i < 3; i++)
		came(&answer[i], -ETIMEDOUT);
}

static void listings_are_behind_the_door_as_well(void **state)
{
	static struct bed_answer answer[3];
	struct err err = ERR_INIT;

	(void)state;
	of_one_user = true;
	for (unsigned i = 0; i < 3; i++) {
		be(1 + i);
		bed_list(&bed, "/d", &answer[i]);
	}
	assert_int_equal(fake.list_count, 1);
	says(2, BED_NEVER);
	says(3, -EAGAIN);
	fake.list[0].done = true;
	fake.list[0].lister.done(fake.list[0].lister.arg, 0, &err);
	came(&answer[0], 0);
	came(&answer[1], -EACCES);
	assert_int_equal(answer[2].count, 0);
	assert_int_equal(fake.list_count, 2);
	assert_int_equal(fake.list[1].ident.tgid, 1003);
	fake.list[1].done = true;
	fake.list[1].lister.done(fake.list[1].lister.arg, -EACCES, &err);
	came(&answer[2], -EACCES);
	cache_listing_put(answer[0].listing);
	/* An absence that the listing tells of. */
	be(1);
	bed_lookup(&bed, "/d/none", &answer[0]);
	came(&answer[0], -ENOENT);
	be(2);
	bed_lookup(&bed, "/d/none", &answer[1]);
	came(&answer[1], -EACCES);
	be(3);
	bed_lookup(&bed, "/d/none", &answer[2]);
	assert_int_equal(answer[2].count, 0);
	asked(0, 3);
	fake_answer_stat(0, -EACCES, NULL);
	came(&answer[2], -EACCES);
}

/* Servers let some see that a directory is there who may not list it. */
static void who_may_see_a_directory_is_not_told_what_is_in_it(void **state)
{
	const struct fetch_stat stat = fake_file(10, 1000, "\"x\"");
	static struct bed_answer answer[3];
	struct err err = ERR_INIT;

	(void)state;
	door[2].list = -EAGAIN;
	for (unsigned i = 0; i < 2; i++) {
		be(1 + i);
		bed_list(&bed, "/d", &answer[i]);
		assert_int_equal(fake.list_count, 1 + i);
		assert_int_equal(fake.list[i].ident.uid, 1 + i);
	}
	assert_int_equal(
	    fake.list[0].lister.entry(fake.list[0].lister.arg, "x", &stat), 0);
	fake.list[0].done = true;
	fake.list[0].lister.done(fake.list[0].lister.arg, 0, &err);
	came(&answer[0], 0);
	assert_int_equal(answer[1].count, 0);
	fake.list[1].done = true;
	fake.list[1].lister.done(fake.list[1].lister.arg, -EACCES, &err);
	came(&answer[1], -EACCES);
	/* Nor by what is remembered. */
	bed_list(&bed, "/d", &answer[2]);
	assert_int_equal(answer[2].count, 0);
	assert_int_equal(fake.list[2].ident.uid, 2);
	fake.list[2].done = true;
	fake.list[2].lister.done(fake.list[2].lister.arg, -EACCES, &err);
	came(&answer[2], -EACCES);
	cache_listing_put(answer[0].listing);
}

static void what_is_above_a_tokens_reach_is_made_up_for_its_owner_only(
    void **state)
{
	static struct bed_answer answer;
	struct cache_attr attr;
	const char *name;
	bool known;

	(void)state;
	bed.reach[0] = "alice";
	bed.reach_count = 1;
	/* By the token's own scope: no request. By the server: each time. */
	for (unsigned i = 0; i < 2; i++) {
		says(2, i == 0 ? BED_NEVER : -EAGAIN);
		be(2);
		bed_lookup(&bed, "/", &answer);
		if (i == 1)
			fake_answer_stat(0, -EACCES, NULL);
		came(&answer, 0);
		assert_true(answer.attr.made_up);
		assert_int_equal(answer.attr.kind, CACHE_DIRECTORY);
		bed_list(&bed, "/", &answer);
		if (i == 1) {
			struct err err = ERR_INIT;

			fake.list[0].done = true;
			fake.list[0].lister.done(
			    fake.list[0].lister.arg, -EKEYREJECTED, &err);
		}
		came(&answer, 0);
		assert_int_equal(cache_listing_count(answer.listing), 1);
		cache_listing_entry(answer.listing, 0, &name, &attr, &known);
		assert_string_equal(name, "alice");
		cache_listing_put(answer.listing);
		assert_int_equal(fake.stat_count, i);
		assert_int_equal(fake.list_count, i);
	}
	says(2, BED_NEVER);
	assert_int_equal(bed_open_code(&bed, "/"), -EISDIR);
	/* Another is not shown it. */
	bed.reach_count = 0;
	be(1);
	bed_lookup(&bed, "/", &answer);
	assert_int_equal(answer.count, 0);
	bed_list(&bed, "/", &answer);
	assert_int_equal(answer.count, 0);
	fake_answer_stat(1, -ENOENT, NULL);
	says(1, BED_NEVER);
	bed_lookup(&bed, "/", &answer);
	came(&answer, -EACCES);
	says(1, -EACCES);
	bed_lookup(&bed, "/", &answer);
	assert_int_equal(answer.count, 0); /* asked again */
	fake_answer_stat(2, -EACCES, NULL);
	came(&answer, -EACCES);
}

static void who_joined_is_not_shown_what_is_made_up_for_another(void **state)
{
	static struct bed_answer answer[2];
	struct err err = ERR_INIT;

	(void)state;
	bed.reach[0] = "alice";
	bed.reach_count = 1;
	bed.reach_tgid = 1002;
	of_one_user = true;
	for (unsigned i = 0; i < 2; i++) {
		be(2 + i);
		bed_lookup(&bed, "/", &answer[i]);
	}
	asked(0, 2);
	fake_answer_stat(0, -EACCES, NULL);
	came(&answer[0], 0);
	assert_true(answer[0].attr.made_up);
	assert_int_equal(answer[1].count, 0);
	asked(1, 3);
	fake_answer_stat(1, -EACCES, NULL);
	came(&answer[1], -EACCES);
	for (unsigned i = 0; i < 2; i++) {
		be(2 + i);
		bed_list(&bed, "/", &answer[i]);
	}
	fake.list[0].done = true;
	fake.list[0].lister.done(fake.list[0].lister.arg, -EACCES, &err);
	came(&answer[0], 0);
	cache_listing_put(answer[0].listing);
	assert_int_equal(answer[1].count, 0);
	fake.list[1].done = true;
	fake.list[1].lister.done(fake.list[1].lister.arg, -EACCES, &err);
	came(&answer[1], -EACCES);
	/* A server's no that is remembered: no request. */
	says(2, -EACCES);
	be(2);
	bed_lookup(&bed, "/", &answer[0]);
	came(&answer[0], 0);
	assert_true(answer[0].attr.made_up);
	assert_int_equal(fake.stat_count, 2);
}

/* An open of "/a" by a user; its answer comes here. */
static struct bed_answer opened_answer[USERS];

static void opened(
    void *arg, int code, struct cache_file *file, const struct cache_attr *attr)
{
	struct bed_answer *answer = arg;

	(void)attr;
	answer->code = code;
	answer->file = file;
	(void)atomic_fetch_add(&answer->count, 1);
}

static struct bed_answer *open_as(unsigned uid)
{
	struct bed_answer *answer = &opened_answer[uid];

	be(uid);
	*answer = (struct bed_answer){0};
	cache_open(bed.cache, &bed.ident, "/a", opened, answer);
	return answer;
}

/* "/a" is known to the cache: ten blocks. */
static struct cache_file *open_first(void)
{
	struct bed_answer *answer = open_as(1);

	answer_file(0, 10 * BLOCK);
	came(answer, 0);
	return answer->file;
}

/* Servers may say so to whom they refuse. */
static void what_is_not_there_for_one_may_be_there_for_another(void **state)
{
	static struct bed_answer answer;

	(void)state;
	says(2, -EAGAIN);
	be(2);
	bed_lookup(&bed, "/a", &answer);
	fake_answer_stat(0, -ENOENT, NULL);
	came(&answer, -ENOENT);
	assert_int_equal(answer.attr.fresh_until_ms, 0);
	be(1);
	bed_lookup(&bed, "/a", &answer);
	assert_int_equal(answer.count, 0);
	answer_file(1, 42);
	came(&answer, 0);
	be(2);
	bed_lookup(&bed, "/a", &answer);
	fake_answer_stat(2, -ENOENT, NULL);
	be(1);
	bed_lookup(&bed, "/a", &answer);
	came(&answer, 0);
	/* To whom the door is open the server says what there is. */
	bed_lookup(&bed, "/none", &answer);
	fake_answer_stat(3, -ENOENT, NULL);
	came(&answer, -ENOENT);
	assert_true(answer.attr.fresh_until_ms > 0);
	be(3);
	bed_lookup(&bed, "/none", &answer);
	came(&answer, -ENOENT);
}

static const struct fetch_lister *lister_of(unsigned i)
{
	return &fake.list[i].lister;
}

/* A listing of one user of about so many bytes, that an open directory goes
 * on to hold. */
static int hold_listing(
    unsigned uid, const char *path, size_t bytes, struct bed_answer *answer)
{
	struct fetch_stat stat = fake_file(10, 1000, "");
	unsigned i = fake.list_count;
	struct err err = ERR_INIT;
	char name[201];
	char number[24];
	int code = 0;

	be(uid);
	bed_list(&bed, path, answer);
	assert_int_equal(fake.list_count, i + 1);
	(void)memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (size_t n = 0; n < bytes && code == 0; n += 256) {
		(void)snprintf(number, sizeof(number), "%08zu", n);
		(void)memcpy(name, number, 8);
		code = lister_of(i)->entry(lister_of(i)->arg, name, &stat);
	}
	fake.list[i].done = true;
	lister_of(i)->done(lister_of(i)->arg, code, &err);
	assert_int_equal(answer->count, 1);
	return answer->code;
}

static void what_one_holds_of_listings_leaves_room_for_others(void **state)
{
	static const struct cache_limits limits = {.pool_blocks = 16,
	    .meta_bytes = 64 * 1024, /* none of them is remembered */
	    .idle_objects = 1,
	    .writer_blocks = 1,
	    .listing_bytes = 16 * MIB};
	static struct bed_answer eves[20];
	static struct bed_answer adas;
	unsigned held = 0;

	(void)state;
	bed_end(&bed);
	bed_start(&bed, &limits, false);
	while (
	    held < 20 && hold_listing(1, "/d", (size_t)MIB, &eves[held]) == 0)
		held++;
	assert_in_range(held, 5, 8);
	assert_int_equal(eves[held].code, -ENOMEM);
	assert_int_equal(hold_listing(2, "/e", (size_t)MIB, &adas), 0);
	cache_listing_put(adas.listing);
	/* What is closed makes room again. */
	cache_listing_put(eves[0].listing);
	assert_int_equal(hold_listing(1, "/d", (size_t)MIB, &eves[0]), 0);
	for (unsigned i = 0; i < held; i++)
		cache_listing_put(eves[i].listing);
}

/* Or one would wait for another's turn. */
static void users_do_not_join_one_anothers_questions(void **state)
{
	static struct bed_answer answer[3];
	static struct bed_answer listed[2];
	struct err err = ERR_INIT;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		be(1 + i);
		bed_lookup(&bed, "/a", &answer[i]);
		asked(i, 1 + i);
	}
	answer_file(2, 42);
	came(&answer[2], 0);
	assert_int_equal(answer[0].count + answer[1].count, 0);
	answer_file(0, 42);
	answer_file(1, 42);
	for (unsigned i = 0; i < 2; i++) {
		be(1 + i);
		bed_list(&bed, "/d", &listed[i]);
		assert_int_equal(fake.list_count, 1 + i);
	}
	for (unsigned i = 0; i < 2; i++) {
		fake.list[i].done = true;
		fake.list[i].lister.done(fake.list[i].lister.arg, 0, &err);
		came(&listed[i], 0);
		cache_listing_put(listed[i].listing);
	}
}

/* Bytes that another has asked for are not asked for again; but they come at
 * whose turn is sooner. */
static void bytes_that_another_waits_for_are_hurried(void **state)
{
	static struct bed_answer answer[3];
	struct cache_file *file[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		be(1 + i);
		file[i] =
		    bed_open(&bed, "/a", 4000 * (uint64_t)MIB, 1000, "\"x\"");
	}
	be(1);
	bed_read(&bed, file[0], 5 * MIB, 100, &answer[0]);
	bed_read(&bed, file[0], 5 * MIB, 100, &answer[2]);
	assert_false(fake.range[0].hurried);
	be(2);
	bed_read(&bed, file[1], 5 * MIB, 100, &answer[1]);
	assert_true(fake.range[0].hurried);
	assert_int_equal(fake.hurried_by, 2);
	for (unsigned i = 1; i < fake.range_count; i++)
		assert_int_not_equal(fake.range[i].offset_bytes, 5 * MIB);
	fake_finish(0, "\"x\"");
	for (unsigned i = 0; i < 3; i++)
		came(&answer[i], 0);
	for (unsigned i = 0; i < 2; i++)
		cache_close(file[i]);
}

static void who_may_look_has_to_prove_that_they_may_read(void **state)
{
	struct cache_file *first = open_first();
	struct bed_answer *answer;

	(void)state;
	door[2].bytes = -EAGAIN;
	answer = open_as(2);
	assert_int_equal(answer->count, 0);
	assert_int_equal(fake.range_count, 1);
	assert_int_equal(fake.range[0].ident.uid, 2);
	assert_int_equal(fake.range[0].length_bytes, 1);
	assert_string_equal(fake.range[0].path, "/src/a");
	fake_done(0, -EACCES);
	came(answer, -EACCES);
	assert_null(answer->file);
	answer = open_as(2);
	assert_int_equal(answer->count, 0);
	fake_finish(1, "\"x\"");
	came(answer, 0);
	cache_close(answer->file);
	/* What the token itself leaves out is not asked for. */
	door[2].bytes = BED_NEVER;
	answer = open_as(2);
	came(answer, -EACCES);
	assert_int_equal(fake.range_count, 2);
	/* A proof is only looked for when it is wanted. */
	answer = open_as(3);
	came(answer, 0);
	cache_close(answer->file);
	assert_int_equal(fake.range_count, 2);
	asked(0, 1);
	cache_close(first);
}

static void a_handle_reads_with_its_openers_token(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_first();

	(void)state;
	/* Inherited by one to whom the door is closed. */
	says(2, BED_NEVER);
	be(2);
	bed_read(&bed, file, 5 * BLOCK, 100, &answer);
	assert_int_equal(fake.range_count, 1);
	assert_int_equal(fake.range[0].ident.uid, 1);
	fake_finish(0, "\"x\"");
	came(&answer, 0);
	/* A proof that has lapsed does not end the handle. */
	says(1, -EAGAIN);
	bed_read(&bed, file, 5 * BLOCK, 100, &answer);
	came(&answer, 0);
	/* A server's no does. */
	says(1, -EACCES);
	bed_read(&bed, file, 5 * BLOCK, 100, &answer);
	came(&answer, -EACCES);
	/* The opener's token has ended: it is the reader's now. */
	says(1, -EKEYEXPIRED);
	bed_read(&bed, file, 5 * BLOCK, 100, &answer);
	came(&answer, -EACCES);
	says(2, 0);
	bed_read(&bed, file, 8 * BLOCK, 100, &answer);
	assert_int_equal(fake.range[fake.range_count - 1].ident.uid, 2);
	fake_finish(fake.range_count - 1, "\"x\"");
	came(&answer, 0);
	cache_close(file);
}

static void a_reader_in_anothers_place_has_to_be_proven(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_first();

	(void)state;
	bed_read(&bed, file, 5 * BLOCK, 100, &answer);
	fake_finish(0, "\"x\"");
	came(&answer, 0);
	says(1, -ENOKEY);
	says(2, -EAGAIN);
	be(2);
	bed_read(&bed, file, 5 * BLOCK, 100, &answer);
	assert_int_equal(answer.count, 0); /* though the block is here */
	assert_int_equal(fake.range_count, 2);
	assert_int_equal(fake.range[1].ident.uid, 2);
	assert_int_equal(fake.range[1].length_bytes, 1);
	fake_done(1, -EACCES);
	came(&answer, -EACCES);
	bed_read(&bed, file, 5 * BLOCK, 100, &answer);
	fake_finish(2, "\"x\"");
	came(&answer, 0);
	/* The opener waits for a newer token of theirs. */
	be(1);
	bed_read(&bed, file, 5 * BLOCK, 100, &answer);
	assert_int_equal(answer.count, 0);
	assert_int_equal(bed.await_count, 1);
	says(1, 0);
	bed.await[0].done = true;
	bed.await[0].answer(bed.await[0].arg, 0);
	came(&answer, 0);
	cache_close(file);
}

static void a_refused_fill_is_asked_for_by_the_next_who_waits(void **state)
{
	enum { READERS = 6 };
	static struct bed_answer answer[USERS];
	struct cache_file *file[USERS];

	(void)state;
	file[1] = open_first();
	for (unsigned uid = 2; uid <= READERS; uid++) {
		struct bed_answer *one = open_as(uid);

		came(one, 0);
		file[uid] = one->file;
	}
	for (unsigned uid = 1; uid <= READERS; uid++) {
		be(uid);
		bed_read(&bed, file[uid], 5 * BLOCK, 100, &answer[uid]);
	}
	assert_int_equal(fake.range_count, 1);
	/* All but the last are refused, each by their own. */
	for (unsigned k = 0; k < READERS - 1; k++) {
		unsigned refused = fake.range[k].ident.uid;

		assert_int_equal(fake.range_count, k + 1);
		assert_int_equal(answer[refused].count, 0);
		fake_done(k, k % 2 == 0 ? -EACCES : -EKEYEXPIRED);
		came(&answer[refused], k % 2 == 0 ? -EACCES : -EKEYEXPIRED);
	}
	assert_int_equal(fake.range_count, READERS);
	fake_finish(READERS - 1, "\"x\"");
	came(&answer[fake.range[READERS - 1].ident.uid], 0);
	for (unsigned uid = 1; uid <= READERS; uid++) {
		assert_int_equal(answer[uid].count, 1);
		cache_close(file[uid]);
	}
}

static void has_space(
    void *arg, int code, uint64_t total_bytes, uint64_t free_bytes)
{
	(void)total_bytes;
	assert_int_equal(code, 0);
	*(uint64_t *)arg = free_bytes;
}

static uint64_t space_as(unsigned uid)
{
	uint64_t free_bytes = 0;

	be(uid);
	cache_space(bed.cache, &bed.ident, has_space, &free_bytes);
	return free_bytes;
}

static void room_is_told_to_who_may_see_the_source(void **state)
{
	(void)state;
	says(2, BED_NEVER);
	fake.quota =
	    (struct fetch_quota){.used_bytes = 1, .available_bytes = 2};
	assert_int_equal(space_as(2), UINT64_C(1) << 50);
	assert_int_equal(fake.quota_count, 0);
	assert_int_equal(space_as(1), 2);
	assert_int_equal(fake.quota_count, 1);
}

/* 256 buffers; each of these reads needs 16, and no server answers. */
static void a_user_who_waits_keeps_no_buffers_from_others(void **state)
{
	enum { READS = 40 };
	static struct bed_answer eves[READS];
	static struct bed_answer adas[2];
	uint64_t size_bytes = 4000 * (uint64_t)MIB;
	struct cache_file *file[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		be(1 + i);
		file[i] = bed_open(&bed, i == 0 ? "/tape" : "/disk", size_bytes,
		    1000, "\"x\"");
	}
	be(1);
	/* Far apart: no stream. */
	for (unsigned i = 0; i < READS; i++)
		bed_read(&bed, file[0], (i * i + 8 * i + 5) * (uint64_t)MIB,
		    MIB, &eves[i]);
	assert_int_equal(fake.range_count, 8); /* half of all */
	be(2);
	for (unsigned i = 0; i < 2; i++) {
		bed_read(&bed, file[1], (i + 1) * 200 * (uint64_t)MIB, MIB,
		    &adas[i]);
		assert_int_equal(fake.range_count, 9 + i);
		assert_int_equal(fake.range[8 + i].ident.uid, 2);
		fake_finish(8 + i, "\"x\"");
		came(&adas[i], 0);
	}
	/* What they give back she has. */
	for (unsigned i = 0; i < fake.range_count; i++) {
		if (!fake.range[i].done)
			fake_finish(i, "\"x\"");
	}
	for (unsigned i = 0; i < READS; i++)
		came(&eves[i], 0);
	for (unsigned i = 0; i < 2; i++)
		cache_close(file[i]);
}

static int64_t give(
    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes)
{
	unsigned char *bytes = out;

	(void)arg;
	for (size_t i = 0; i < size_bytes; i++)
		bytes[i] = fake_byte(0, offset_bytes + i);
	return (int64_t)size_bytes;
}

/* That one user has changed something opens no door to another. */
static void what_one_has_written_is_behind_the_door(void **state)
{
	static struct bed_answer answer;
	struct fetch_version version = fake_file(42, 1000, "\"x\"").version;
	unsigned stats;

	(void)state;
	cache_note_directory(bed.cache, "/d");
	cache_note_file(bed.cache, "/d/f", &version, 7);
	cache_keep(bed.cache, "/d/f", &version, give, NULL);
	cache_note_gone(bed.cache, "/d/g");
	/* To whom it is open. */
	be(1);
	bed_lookup(&bed, "/d/f", &answer);
	came(&answer, 0);
	assert_int_equal(answer.attr.was, 7);
	bed_lookup(&bed, "/d/g", &answer);
	came(&answer, -ENOENT);
	/* To whom it is not. */
	be(2);
	says(2, BED_NEVER);
	bed_lookup(&bed, "/d/f", &answer);
	came(&answer, -EACCES);
	bed_lookup(&bed, "/d/g", &answer);
	came(&answer, -EACCES);
	bed_list(&bed, "/d", &answer);
	came(&answer, -EACCES);
	assert_int_equal(bed_open_code(&bed, "/d/f"), -EACCES);
	/* Who is not proven asks with their own token, and is told what that is
	 * answered. */
	be(3);
	says(3, -EAGAIN);
	for (unsigned i = 0; i < 2; i++) {
		stats = fake.stat_count;
		bed_lookup(&bed, i == 0 ? "/d/f" : "/d/g", &answer);
		assert_int_equal(answer.count, 0);
		asked(stats, 3);
		fake_answer_stat(stats, i == 0 ? -ENOENT : -EACCES, NULL);
		came(&answer, i == 0 ? -ENOENT : -EACCES);
	}
	/* Which changes nothing for the others. */
	be(1);
	bed_lookup(&bed, "/d/f", &answer);
	came(&answer, 0);
	/* Who may see it has to prove that they may read it. */
	be(4);
	door[4].bytes = BED_NEVER;
	assert_int_equal(bed_open_code(&bed, "/d/f"), -EACCES);
	assert_int_equal(fake.range_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_asker_goes_through_the_door_again),
	    TEST(the_unproven_ask_with_their_own_token),
	    TEST(a_users_processes_are_told_apart),
	    TEST(nobody_hears_of_anothers_token),
	    TEST(listings_are_behind_the_door_as_well),
	    TEST(who_may_see_a_directory_is_not_told_what_is_in_it),
	    TEST(a_user_who_waits_keeps_no_buffers_from_others),
	    TEST(what_is_not_there_for_one_may_be_there_for_another),
	    TEST(what_one_holds_of_listings_leaves_room_for_others),
	    TEST(users_do_not_join_one_anothers_questions),
	    TEST(bytes_that_another_waits_for_are_hurried),
	    TEST(what_is_above_a_tokens_reach_is_made_up_for_its_owner_only),
	    TEST(who_joined_is_not_shown_what_is_made_up_for_another),
	    TEST(who_may_look_has_to_prove_that_they_may_read),
	    TEST(a_handle_reads_with_its_openers_token),
	    TEST(a_reader_in_anothers_place_has_to_be_proven),
	    TEST(a_refused_fill_is_asked_for_by_the_next_who_waits),
	    TEST(what_one_has_written_is_behind_the_door),
	    TEST(room_is_told_to_who_may_see_the_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
