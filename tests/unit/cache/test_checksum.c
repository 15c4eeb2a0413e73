/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole files are compared with what the server says: small ones before they
 * are given, others when the last block has landed; what differs is dropped,
 * and never because the file has changed.
 */
#include "base/stats.h"
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	KIB = 1024,
	MIB = 1024 * 1024,
	SMALL = 100000,
	LARGE = 3 * MIB + 777,
	MTIME_S = 1000,
	PATIENCE_MS = 60000,
};

static struct bed bed;
static struct bed_answer answer;
static uint64_t equal;
static uint64_t differed;

static void start(bool disk)
{
	bed = (struct bed){0};
	bed_start(&bed, NULL, disk);
	fake.digests = FETCH_DIGESTS_TOLD;
	fake.algorithm = FETCH_ADLER32;
	equal = stats_get(STATS_cache_checksums_equal);
	differed = stats_get(STATS_cache_checksums_differed);
}

static int begin(void **state)
{
	(void)state;
	start(false);
	return 0;
}

static int begin_disk(void **state)
{
	(void)state;
	start(true);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (bed.cache != NULL)
		bed_end(&bed);
	bed_wipe(&bed);
	return 0;
}

static uint64_t equal_count(void)
{
	return stats_get(STATS_cache_checksums_equal) - equal;
}

static uint64_t differed_count(void)
{
	return stats_get(STATS_cache_checksums_differed) - differed;
}

static uint64_t digest_count(void)
{
	return fake_digests();
}

static uint64_t stat_count(void)
{
	return fake_stats();
}

/* Wait (generously) until a number is reached. */
static void wait_for(uint64_t (*count)(void), uint64_t wanted)
{
	for (unsigned i = 0; i < PATIENCE_MS && count() < wanted; i++)
		(void)usleep(1000);
	assert_int_equal(count(), wanted);
}

static struct cache_file *open_it(uint64_t size_bytes)
{
	return bed_open(&bed, "/f", size_bytes, MTIME_S, "\"x\"");
}

/* Open it, whether or not it has to be looked at. */
static struct cache_file *open_again(void)
{
	bed_pass(&bed, 2 * (uint64_t)BED_ATTR_TTL_MS);
	return open_it(LARGE);
}

static void read_span(struct cache_file *file, uint64_t at, uint64_t until)
{
	for (; at < until; at += answer.size_bytes) {
		size_t size = until - at < MIB ? (size_t)(until - at) : MIB;

		bed_read(&bed, file, at, size, &answer);
		while (atomic_load(&answer.count) == 0) {
			fake_finish_all("\"x\"");
			(void)usleep(1000);
		}
		assert_int_equal(answer.code, 0);
		assert_int_equal(answer.size_bytes, size);
	}
	fake_finish_all("\"x\"");
}

static void read_all(struct cache_file *file)
{
	read_span(file, 0, LARGE);
}

static void tell_digest(unsigned i, uint64_t content, uint64_t size_bytes)
{
	struct fetch_digest digest =
	    fake_sum((enum fetch_algorithm)fake.algorithm, content, size_bytes);

	fake_answer_digest(i, 0, &digest);
}

static void answer_version(unsigned i, int64_t mtime_s)
{
	struct fetch_stat stat = fake_file(LARGE, mtime_s, "\"x\"");

	fake_answer_stat(i, 0, &stat);
}

/* ------------------------------------------- files that are one range */

static void bring(unsigned i, uint64_t content)
{
	struct fetch_digest digest =
	    fake_sum((enum fetch_algorithm)fake.algorithm, content, SMALL);
	struct fake_range *range = &fake.range[i];

	assert_true(range->digest);
	assert_int_equal(fake_begin(i, "\"x\""), 0);
	range->sink.digest(range->sink.arg, &digest);
	fake_send(i, SMALL);
}

static void a_small_file_is_compared_before_it_is_given(void **state)
{
	struct cache_file *file = open_it(SMALL);

	(void)state;
	bed_read(&bed, file, 0, SMALL, &answer);
	bed_wait_ranges(1);
	bring(0, fake.content);
	assert_int_equal(answer.count, 0);
	fake_done(0, 0);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	assert_int_equal(equal_count(), 1);
	assert_int_equal(differed_count(), 0);
	assert_int_equal(file->object->checksum.state, CHECKSUM_RIGHT);
	cache_close(file);
	assert_int_equal(fake_digests(), 0);
}

static void a_small_file_that_differs_is_fetched_again(void **state)
{
	struct cache_file *file = open_it(SMALL);

	(void)state;
	bed_read(&bed, file, 0, SMALL, &answer);
	bed_wait_ranges(1);
	bring(0, fake.content + 1);
	fake_done(0, 0);
	bed_wait_ranges(2);
	assert_int_equal(answer.count, 0);
	assert_int_equal(differed_count(), 1);
	bring(1, fake.content);
	fake_done(1, 0);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	assert_int_equal(equal_count(), 1);
	cache_close(file);
}

static void one_that_always_differs_is_eio_and_kept_nowhere(void **state)
{
	struct cache_file *file = open_it(SMALL);
	unsigned asked = 0;

	(void)state;
	bed_read(&bed, file, 0, SMALL, &answer);
	while (atomic_load(&answer.count) == 0) {
		bed_wait_ranges(asked + 1);
		bring(asked, fake.content + 1);
		fake_done(asked++, 0);
	}
	assert_int_equal(answer.code, -EIO);
	assert_int_equal(asked, CHECKSUM_WRONG_MAX);
	assert_int_equal(differed_count(), asked);
	/* The kernel tries again at once, a page or two. */
	bed_read(&bed, file, 0, 4 * KIB, &answer);
	bed_wait(&answer);
	assert_int_equal(answer.code, -EIO);
	assert_int_equal(fake_ranges(), asked);
	/* Later no part of it is given without the whole. */
	bed_pass(&bed, CHECKSUM_FAILED_MS);
	bed_read(&bed, file, 70 * KIB, 4 * KIB, &answer);
	bed_wait_ranges(asked + 1);
	bring(asked, fake.content + 1);
	fake_done(asked++, 0);
	bed_wait(&answer);
	assert_int_equal(answer.code, -EIO);
	/* The server may be mended at any time. */
	bed_pass(&bed, CHECKSUM_FAILED_MS);
	bed_read(&bed, file, 70 * KIB, 4 * KIB, &answer);
	bed_wait_ranges(asked + 1);
	assert_int_equal(fake.range[asked].length_bytes, SMALL);
	bring(asked, fake.content);
	fake_done(asked, 0);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	cache_close(file);
}

static void what_comes_without_a_checksum_is_given_and_not_asked_for(
    void **state)
{
	struct cache_file *file = open_it(SMALL);

	(void)state;
	bed_read(&bed, file, 0, SMALL, &answer);
	bed_wait_ranges(1);
	assert_int_equal(fake_begin(0, "\"x\""), 0);
	fake_send(0, 100);
	assert_int_equal(answer.count, 0);
	fake_send(0, SMALL - 100);
	bed_wait(&answer); /* before the range has ended */
	assert_int_equal(answer.code, 0);
	fake_done(0, 0);
	cache_close(file);
	assert_int_equal(fake_digests(), 0);
	assert_int_equal(equal_count() + differed_count(), 0);
}

/* All of a small file, from a cache, which tells no checksum. */
static void bring_from_cache(unsigned i, uint64_t content)
{
	fake.content = content;
	fake_from(i, 2);
	assert_int_equal(fake_begin(i, "\"x\""), 0);
	fake_send(i, SMALL);
	fake_done(i, 0);
}

static void what_a_cache_gives_is_held_against_the_origins_checksum(
    void **state)
{
	uint64_t content = fake.content;
	struct cache_file *file = open_it(SMALL);

	(void)state;
	bed_read(&bed, file, 0, SMALL, &answer);
	bed_wait_ranges(1);
	bring_from_cache(0, content);
	wait_for(digest_count, 1);
	assert_int_equal(answer.count, 0);
	tell_digest(0, content, SMALL);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	assert_int_equal(equal_count(), 1);
	assert_int_equal(file->object->checksum.state, CHECKSUM_RIGHT);
	assert_int_equal(fake.blamed, 0);
	cache_close(file);
}

static void a_cache_that_gave_wrong_bytes_is_blamed(void **state)
{
	uint64_t content = fake.content;
	struct cache_file *file = open_it(SMALL);

	(void)state;
	bed_read(&bed, file, 0, SMALL, &answer);
	bed_wait_ranges(1);
	bring_from_cache(0, content + 1);
	tell_digest(0, content, SMALL);
	/* From the origin alone, whoever else has them. */
	bed_wait_ranges(2);
	assert_int_equal(answer.count, 0);
	assert_int_equal(fake.blamed, FETCH_GAVE(2));
	assert_int_equal(fake.range[1].only, FETCH_ONLY_ORIGIN);
	fake.content = content;
	bring(1, content);
	fake_done(1, 0);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	assert_int_equal(differed_count(), 1);
	assert_int_equal(fake_digests(), 1);
	cache_close(file);
}

/* It is compared later, as a large one is. */
static void an_origin_that_is_silent_keeps_nobody_waiting(void **state)
{
	uint64_t content = fake.content;
	struct cache_file *file = open_it(SMALL);

	(void)state;
	bed_read(&bed, file, 0, SMALL, &answer);
	bed_wait_ranges(1);
	bring_from_cache(0, content);
	fake_answer_digest(0, -ETIMEDOUT, NULL);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	wait_for(digest_count, 2);
	tell_digest(1, content, SMALL);
	wait_for(equal_count, 1);
	cache_close(file);
}

static void of_a_large_file_the_cache_is_blamed_too(void **state)
{
	struct cache_file *file = open_it(LARGE);

	(void)state;
	bed_read(&bed, file, 0, 4 * KIB, &answer);
	bed_wait_ranges(1);
	fake_from(0, 1);
	fake_finish(0, "\"x\"");
	bed_wait(&answer);
	read_all(file);
	wait_for(digest_count, 1);
	tell_digest(0, fake.content + 1, LARGE);
	wait_for(stat_count, 2);
	answer_version(1, MTIME_S);
	wait_for(differed_count, 1);
	assert_int_equal(fake.blamed, FETCH_GAVE(1));
	cache_close(file);
}

static void where_none_are_told_none_are_asked_for(void **state)
{
	struct cache_file *file;

	(void)state;
	fake.digests = FETCH_DIGESTS_NONE;
	file = bed_open(&bed, "/s", SMALL, MTIME_S, "\"x\"");
	bed_read(&bed, file, 0, SMALL, &answer);
	bed_wait_ranges(1);
	assert_false(fake.range[0].digest);
	fake_finish_all("\"x\"");
	bed_wait(&answer);
	cache_close(file);
	file = open_it(LARGE);
	read_all(file);
	assert_null(file->object->checksum.landed);
	cache_close(file);
	(void)usleep(20000);
	assert_int_equal(fake_digests(), 0);
}

/* ------------------------------------------------------ larger files */

static void a_large_file_is_compared_when_all_has_come(void **state)
{
	static const enum fetch_algorithm algorithms[] = {
	    FETCH_ADLER32, FETCH_CRC32C, FETCH_MD5, FETCH_SHA256};
	unsigned count = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(algorithms); i++) {
		char path[] = "/0";
		struct cache_file *file;

		/* The guess is the algorithm of the file before. */
		path[1] = (char)('0' + i);
		file = bed_open(&bed, path, LARGE, MTIME_S, "\"x\"");
		assert_int_equal(fake_digests(), count);
		read_all(file);
		wait_for(digest_count, ++count);
		fake.algorithm = algorithms[i];
		tell_digest(i, fake.content, LARGE);
		wait_for(equal_count, i + 1);
		cache_close(file);
	}
	assert_int_equal(differed_count(), 0);
}

static void the_order_does_not_matter(void **state)
{
	struct cache_file *file = open_it(LARGE);

	(void)state;
	for (int64_t at = LARGE / MIB * MIB; at >= 0; at -= MIB)
		read_span(file, (uint64_t)at,
		    (uint64_t)at + MIB < LARGE ? (uint64_t)at + MIB : LARGE);
	wait_for(digest_count, 1);
	tell_digest(0, fake.content, LARGE);
	wait_for(equal_count, 1);
	cache_close(file);
}

static void what_left_memory_is_summed_from_the_disk(void **state)
{
	struct cache_limits limits = {.pool_blocks = 24,
	    .meta_bytes = META_BYTES,
	    .idle_objects = 8,
	    .writer_blocks = 128};
	struct cache_file *file;

	(void)state;
	bed_end(&bed);
	bed_start(&bed, &limits, true);
	fake.digests = FETCH_DIGESTS_UNKNOWN; /* nothing is summed ahead */
	file = open_it(LARGE);
	read_all(file);
	wait_for(digest_count, 1);
	tell_digest(0, fake.content, LARGE);
	wait_for(equal_count, 1);
	cache_close(file);
}

static void what_another_mount_began_is_compared_at_its_end(void **state)
{
	struct cache_file *file = open_it(LARGE);

	(void)state;
	read_span(file, MIB, MIB + 64 * KIB);
	cache_close(file);
	bed_end(&bed);
	assert_int_equal(fake_digests(), 0);
	bed_start(&bed, NULL, true);
	fake.digests = FETCH_DIGESTS_TOLD;
	file = open_it(LARGE);
	read_all(file);
	assert_true(fake_ranges() > 1);
	wait_for(digest_count, 1);
	tell_digest(0, fake.content, LARGE);
	wait_for(equal_count, 1);
	cache_close(file);
}

static void a_file_that_is_not_read_whole_is_not_asked_for(void **state)
{
	struct cache_file *file = open_it(LARGE);

	(void)state;
	read_span(file, MIB, LARGE);
	bed_read(&bed, file, 0, 100, &answer);
	fake_finish_all("\"x\"");
	cache_close(file);
	(void)usleep(20000);
	assert_int_equal(fake_digests(), 0);
}

static void of_an_unknown_server_one_file_is_asked_for(void **state)
{
	struct cache_file *first;
	struct cache_file *second;

	(void)state;
	fake.digests = FETCH_DIGESTS_UNKNOWN;
	first = bed_open(&bed, "/1", LARGE, MTIME_S, "\"x\"");
	second = bed_open(&bed, "/2", LARGE, MTIME_S, "\"x\"");
	read_all(first);
	wait_for(digest_count, 1);
	read_all(second);
	(void)usleep(20000);
	assert_int_equal(fake_digests(), 1);
	fake.digests = FETCH_DIGESTS_TOLD;
	tell_digest(0, fake.content, LARGE);
	wait_for(equal_count, 1);
	/* Now it is known. */
	cache_close(second);
	wait_for(digest_count, 2);
	cache_close(first);
}

/* --------------------- where they are told apart, for one at a time */

/* The ith file, of a range that brings no checksum. */
static struct cache_file *read_plain(unsigned i, unsigned server)
{
	const char path[] = {'/', (char)('a' + i), '\0'};
	struct cache_file *file = bed_open(&bed, path, SMALL, MTIME_S, "\"x\"");
	struct fetch_sink *sink;

	bed_read(&bed, file, 0, SMALL, &answer);
	bed_wait_ranges(i + 1);
	sink = &fake.range[i].sink;
	sink->from(sink->arg, server);
	assert_int_equal(fake_begin(i, "\"x\""), 0);
	fake_send(i, SMALL);
	fake_done(i, 0);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	return file;
}

static void of_a_server_that_is_asked_apart_one_file_is_at_a_time(void **state)
{
	struct cache_file *files[4];

	(void)state;
	fake.apart = true;
	for (unsigned i = 0; i < ARRAY_COUNT(files); i++)
		files[i] = read_plain(i, 0);
	wait_for(digest_count, 1);
	(void)usleep(20000);
	assert_int_equal(fake_digests(), 1);
	tell_digest(0, fake.content, SMALL);
	wait_for(equal_count, 1);
	wait_for(digest_count, 2);
	/* One that does not come makes room for the next. */
	fake_answer_digest(1, -ETIMEDOUT, NULL);
	wait_for(digest_count, 3);
	tell_digest(2, fake.content, SMALL);
	wait_for(equal_count, 2);
	/* No more are told: who waits is asked for no more, and let go of. */
	fake.digests = FETCH_DIGESTS_NONE;
	wait_for(digest_count, 4);
	fake_answer_digest(3, -ENODATA, NULL);
	for (unsigned i = 0; i < ARRAY_COUNT(files); i++)
		cache_close(files[i]);
	(void)usleep(20000);
	assert_int_equal(fake_digests(), 4);
	assert_int_equal(differed_count(), 0);
}

/* It is compared later, as what comes from the origin. */
static void while_another_is_asked_for_what_a_cache_gave_is_given(void **state)
{
	struct cache_file *first;
	struct cache_file *second;

	(void)state;
	fake.apart = true;
	first = read_plain(0, 0);
	wait_for(digest_count, 1);
	second = read_plain(1, 1);
	assert_int_equal(fake_digests(), 1);
	tell_digest(0, fake.content, SMALL);
	wait_for(digest_count, 2);
	tell_digest(1, fake.content, SMALL);
	wait_for(equal_count, 2);
	cache_close(first);
	cache_close(second);
}

static void an_end_lets_go_of_those_that_wait(void **state)
{
	struct cache_file *files[3];

	(void)state;
	fake.apart = true;
	for (unsigned i = 0; i < ARRAY_COUNT(files); i++)
		files[i] = read_plain(i, 0);
	wait_for(digest_count, 1);
	for (unsigned i = 0; i < ARRAY_COUNT(files); i++)
		cache_close(files[i]);
}

/* --------------------------------------------------------- differing */

/* Read it, and say that it is wrong. */
static void differ(unsigned digest, bool last)
{
	struct cache_file *file = open_again();
	unsigned stats = fake_stats();
	unsigned ranges;

	read_all(file);
	wait_for(digest_count, digest + 1);
	tell_digest(digest, fake.content + 1, LARGE);
	wait_for(stat_count, stats + 1);
	assert_int_equal(differed_count(), digest);
	answer_version(stats, MTIME_S);
	wait_for(differed_count, digest + 1);
	/* Who has it open is given no old byte. */
	ranges = fake_ranges();
	bed_read(&bed, file, 0, 100, &answer);
	if (!last) {
		bed_wait_ranges(ranges + 1);
		fake_finish_all("\"x\"");
	}
	bed_wait(&answer);
	assert_int_equal(answer.code, last ? -EIO : 0);
	cache_close(file);
}

/* What it is shown as; the server is asked only when it has to be. */
static uint64_t number_shown(void)
{
	unsigned stats = fake_stats();

	bed_lookup(&bed, "/f", &answer);
	if (fake_stats() > stats)
		answer_version(stats, MTIME_S);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	return answer.attr.version;
}

static uint64_t number_now(void)
{
	bed_pass(&bed, 2 * (uint64_t)BED_ATTR_TTL_MS);
	return number_shown();
}

/* The blocks are gone when it is shown under another number: without time
 * passing, and as soon as the disk's writer has come to them. */
static uint64_t wait_number(uint64_t old)
{
	uint64_t number = number_shown();

	for (unsigned i = 0; i < PATIENCE_MS && number == old; i++) {
		(void)usleep(1000);
		number = number_shown();
	}
	assert_int_not_equal(number, old);
	return number;
}

static void differing_bytes_are_dropped_then_eio(void)
{
	uint64_t number = number_now();
	uint64_t second;
	unsigned ranges;
	struct cache_file *file;

	differ(0, false);
	second = wait_number(number);
	ranges = fake_ranges();
	differ(1, true);
	assert_true(fake_ranges() > ranges);
	(void)wait_number(second);
	/* Whoever opens it is told at once. */
	ranges = fake_ranges();
	file = open_again();
	bed_read(&bed, file, 0, 100, &answer);
	bed_wait(&answer);
	assert_int_equal(answer.code, -EIO);
	cache_close(file);
	assert_int_equal(fake_ranges(), ranges);
	/* And after a while the server is believed again. */
	bed_pass(&bed, SUSPECT_MS);
	assert_int_equal(number_now(), number);
	file = open_again();
	read_all(file);
	wait_for(digest_count, 3);
	tell_digest(2, fake.content, LARGE);
	wait_for(equal_count, 1);
	read_all(file);
	cache_close(file);
}

static void bytes_that_differ_twice_are_eio_without_a_disk(void **state)
{
	(void)state;
	differing_bytes_are_dropped_then_eio();
}

static void bytes_that_differ_twice_are_eio_and_not_on_the_disk(void **state)
{
	(void)state;
	differing_bytes_are_dropped_then_eio();
}

static void wrong_bytes_do_not_outlive_the_mount(void **state)
{
	struct cache_file *file;

	(void)state;
	differ(0, false);
	bed_end(&bed);
	bed_start(&bed, NULL, true);
	file = open_it(LARGE);
	bed_read(&bed, file, 0, MIB, &answer);
	bed_wait_ranges(1);
	fake_finish_all("\"x\"");
	bed_wait(&answer);
	cache_close(file);
}

static void right_bytes_are_believed_after_wrong_ones(void **state)
{
	struct cache_file *file;

	(void)state;
	differ(0, false);
	file = open_again();
	read_all(file);
	wait_for(digest_count, 2);
	tell_digest(1, fake.content, LARGE);
	wait_for(equal_count, 1);
	cache_close(file);
}

static void a_file_that_has_changed_is_not_blamed(void **state)
{
	struct cache_file *file = open_it(LARGE);

	(void)state;
	read_all(file);
	wait_for(digest_count, 1);
	tell_digest(0, fake.content + 1, LARGE);
	wait_for(stat_count, 2);
	answer_version(1, MTIME_S + 1);
	bed_read(&bed, file, 0, 100, &answer);
	bed_wait(&answer);
	assert_int_equal(answer.code, -ESTALE);
	cache_close(file);
	assert_int_equal(differed_count(), 0);
}

static void while_nothing_can_be_asked_nothing_is_dropped(void **state)
{
	struct cache_file *file = open_it(LARGE);
	unsigned ranges;

	(void)state;
	read_all(file);
	wait_for(digest_count, 1);
	fake_answer_digest(0, -ETIMEDOUT, NULL);
	/* Once more when it is closed. */
	cache_close(file);
	wait_for(digest_count, 2);
	tell_digest(1, fake.content + 1, LARGE);
	wait_for(stat_count, 2);
	fake_answer_stat(1, -EHOSTUNREACH, NULL);
	ranges = fake_ranges();
	file = open_it(LARGE);
	read_all(file);
	assert_int_equal(fake_ranges(), ranges);
	cache_close(file);
	assert_int_equal(differed_count(), 0);
}

static void none_and_another_version_end_the_question(void **state)
{
	static const int codes[] = {-ENODATA, -ESTALE};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(codes); i++) {
		struct cache_file *file = bed_open(
		    &bed, i == 0 ? "/0" : "/1", LARGE, MTIME_S, "\"x\"");

		read_all(file);
		wait_for(digest_count, i + 1);
		fake_answer_digest(i, codes[i], NULL);
		cache_close(file);
	}
	(void)usleep(20000);
	assert_int_equal(fake_digests(), ARRAY_COUNT(codes));
	assert_int_equal(equal_count() + differed_count(), 0);
}

static void facts_came(void *arg, int code, const struct cache_facts *facts)
{
	struct bed_answer *out = arg;

	out->code = code;
	if (code == 0)
		out->facts = *facts;
	(void)atomic_fetch_add(&out->count, 1);
}

static void the_attribute_shows_what_was_compared(void **state)
{
	static struct bed_answer facts;
	char text[FETCH_DIGEST_TEXT_BYTES];
	struct fetch_digest digest =
	    fake_sum(FETCH_ADLER32, fake.content, LARGE);
	struct cache_file *file = open_it(LARGE);

	(void)state;
	read_all(file);
	wait_for(digest_count, 1);
	for (unsigned i = 0; i < 2; i++) {
		facts = (struct bed_answer){0};
		cache_facts(bed.cache, &bed.ident, "/f", facts_came, &facts);
		bed_wait(&facts);
		assert_int_equal(facts.code, 0);
		fetch_digest_text(text, &digest);
		assert_string_equal(facts.facts.checksum, i == 0 ? "" : text);
		if (i == 0)
			fake_answer_digest(0, 0, &digest);
		wait_for(equal_count, 1);
	}
	cache_close(file);
}

static void an_end_on_the_way_is_an_end(void **state)
{
	struct cache_file *file = open_it(LARGE);

	(void)state;
	read_all(file);
	cache_close(file);
	/* Whatever it is at. */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define DISK(name) cmocka_unit_test_setup_teardown(name, begin_disk, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_small_file_is_compared_before_it_is_given),
	    TEST(a_small_file_that_differs_is_fetched_again),
	    DISK(one_that_always_differs_is_eio_and_kept_nowhere),
	    TEST(what_comes_without_a_checksum_is_given_and_not_asked_for),
	    TEST(what_a_cache_gives_is_held_against_the_origins_checksum),
	    TEST(a_cache_that_gave_wrong_bytes_is_blamed),
	    TEST(an_origin_that_is_silent_keeps_nobody_waiting),
	    TEST(of_a_large_file_the_cache_is_blamed_too),
	    TEST(where_none_are_told_none_are_asked_for),
	    TEST(a_large_file_is_compared_when_all_has_come),
	    DISK(the_order_does_not_matter),
	    DISK(what_left_memory_is_summed_from_the_disk),
	    DISK(what_another_mount_began_is_compared_at_its_end),
	    TEST(a_file_that_is_not_read_whole_is_not_asked_for),
	    TEST(of_an_unknown_server_one_file_is_asked_for),
	    TEST(of_a_server_that_is_asked_apart_one_file_is_at_a_time),
	    TEST(while_another_is_asked_for_what_a_cache_gave_is_given),
	    TEST(an_end_lets_go_of_those_that_wait),
	    TEST(bytes_that_differ_twice_are_eio_without_a_disk),
	    DISK(bytes_that_differ_twice_are_eio_and_not_on_the_disk),
	    DISK(wrong_bytes_do_not_outlive_the_mount),
	    DISK(right_bytes_are_believed_after_wrong_ones),
	    TEST(a_file_that_has_changed_is_not_blamed),
	    TEST(while_nothing_can_be_asked_nothing_is_dropped),
	    TEST(none_and_another_version_end_the_question),
	    DISK(the_attribute_shows_what_was_compared),
	    DISK(an_end_on_the_way_is_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
