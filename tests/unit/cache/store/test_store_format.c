/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store_format.c - the file `format`: begun once,
 * told apart from other versions and from nonsense, never repaired; tables
 * that grow with the cache; the directory that vanishes and comes back.
 */
#include "cache/store/format.h"
#include "cache/store/hash.h"
#include "tests/unit/cache/store/store_bed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024, SIZE = 5 * 65536 + 3, BLOCKS = 6 };

static int set_up(void **state)
{
	static struct bed bed;

	bed_init_in_memory(&bed, (uint64_t)16 * MIB);
	*state = &bed;
	return 0;
}

static int tear_down(void **state)
{
	bed_fini(*state);
	return 0;
}

static void format_path(const struct bed *bed, char out[300])
{
	(void)snprintf(out, 300, "%s/format", bed->cache);
}

static void read_format(const struct bed *bed, struct format_file *out)
{
	char path[300];
	FILE *stream;

	format_path(bed, path);
	stream = fopen(path, "re");
	assert_non_null(stream);
	assert_int_equal(fread(out, 1, sizeof(*out), stream), sizeof(*out));
	(void)fclose(stream);
}

static void write_format(
    const struct bed *bed, const void *bytes, size_t size_bytes)
{
	char path[300];
	FILE *stream;

	format_path(bed, path);
	stream = fopen(path, "we");
	assert_non_null(stream);
	assert_int_equal(fwrite(bytes, 1, size_bytes, stream), size_bytes);
	(void)fclose(stream);
}

static unsigned count_generations(const struct bed *bed)
{
	DIR *dir = opendir(bed->cache);
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) // NOLINT(concurrency-mt-unsafe)
		count += entry->d_name[0] == 'v';
	(void)closedir(dir);
	return count;
}

static void keep(struct bed *bed)
{
	struct store_object *object = bed_object(bed->store, "/f", SIZE);

	assert_int_equal(
	    bed_keep(bed->store, object, SIZE, 1, 0, BLOCKS), BLOCKS);
	store_object_close(object);
}

static unsigned load(struct bed *bed)
{
	struct store_object *object = bed_object(bed->store, "/f", SIZE);
	unsigned there = 0;

	for (unsigned i = 0; i < BLOCKS; i++)
		there += (unsigned)bed_load(bed, object, SIZE, 1, i);
	store_object_close(object);
	return there;
}

static void a_directory_is_begun_once(void **state)
{
	struct bed *bed = *state;
	struct format_file first;
	struct format_file now;
	struct stat stat_;
	char path[300];

	read_format(bed, &first);
	keep(bed);
	for (unsigned i = 0; i < 3; i++) {
		struct store *other = bed_second(bed);

		store_close(other);
		bed_reopen(bed);
	}
	read_format(bed, &now);
	assert_memory_equal(&first, &now, sizeof(now));
	assert_int_equal(load(bed), BLOCKS);
	/* The secret is nobody else's business. */
	format_path(bed, path);
	assert_int_equal(stat(path, &stat_), 0);
	assert_int_equal(stat_.st_mode & 07777, 0600);
}

/* Eight processes that wait for the pipe to close and open the store then. */
static void begin_at_once(struct bed *bed)
{
	enum { CHILDREN = 8 };
	pid_t children[CHILDREN];
	int gate[2];

	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	for (unsigned i = 0; i < CHILDREN; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			char byte;

			(void)close(gate[1]);
			(void)!read(gate[0], &byte, 1);
			store_close(bed_second(bed));
			_exit(0);
		}
	}
	(void)close(gate[0]);
	(void)close(gate[1]);
	for (unsigned i = 0; i < CHILDREN; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

static void many_that_begin_at_once_agree(void **state)
{
	struct bed *bed = *state;

	for (unsigned round = 0; round < 10; round++) {
		store_close(bed->store);
		bed_remove(bed->cache);
		begin_at_once(bed);
		assert_int_equal(count_generations(bed), 1);
		bed->store = bed_second(bed);
		keep(bed);
		assert_int_equal(load(bed), BLOCKS);
	}
}

static void every_flipped_bit_of_the_format_begins_anew(void **state)
{
	struct bed *bed = *state;
	struct format_file good;

	read_format(bed, &good);
	for (unsigned bit = 0; bit < sizeof(good) * 8; bit += 5) {
		struct format_file bad = good;

		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		store_close(bed->store);
		write_format(bed, &bad, sizeof(bad));
		bed->store = bed_second(bed);
		read_format(bed, &bad);
		assert_int_not_equal(bad.generation, good.generation);
		assert_int_equal(bad.check, hash_plain(&bad, sizeof(bad) - 8));
		bed_tend(bed);
		assert_int_equal(count_generations(bed), 1);
		good = bad;
	}
}

static void a_format_of_any_length_but_its_own_begins_anew(void **state)
{
	struct bed *bed = *state;
	struct format_file good;

	for (size_t size = 0; size < sizeof(good); size += 7) {
		read_format(bed, &good);
		store_close(bed->store);
		write_format(bed, &good, size);
		bed->store = bed_second(bed);
		keep(bed);
		assert_int_equal(load(bed), BLOCKS);
	}
}

static void zeros_and_noise_begin_anew(void **state)
{
	struct bed *bed = *state;
	uint8_t bytes[1000];

	for (uint64_t i = 0; i < 20; i++) {
		memset(bytes, 0, sizeof(bytes));
		if (i > 0)
			bed_fill(bytes, sizeof(bytes), i, 1);
		/* Behind a right beginning, too. */
		if (i > 10)
			memcpy(bytes, FORMAT_MAGIC "\1\0\0\0\0\1\0\0", 16);
		store_close(bed->store);
		write_format(bed, bytes, sizeof(bytes));
		bed->store = bed_second(bed);
		assert_int_equal(load(bed), 0);
		keep(bed);
		assert_int_equal(load(bed), BLOCKS);
	}
}

/* A check that is right does not make geometry right. */
static void impossible_tables_are_not_opened(void **state)
{
	struct bed *bed = *state;
	static const uint32_t counts[] = {
	    0, FORMAT_BUCKETS_MAX + 1, UINT32_MAX};

	for (unsigned i = 0; i < 6; i++) {
		struct format_file format;

		read_format(bed, &format);
		if (i < 3)
			format.block_buckets = htole32(counts[i]);
		else
			format.object_buckets = htole32(counts[i - 3]);
		format.check = htole64(hash_plain(&format, 248));
		store_close(bed->store);
		write_format(bed, &format, sizeof(format));
		bed->store = bed_second(bed);
		keep(bed);
		assert_int_equal(load(bed), BLOCKS);
	}
}

static void another_version_is_not_read_and_not_fought_over(void **state)
{
	struct bed *bed = *state;
	struct format_file newer;
	struct format_file now;

	read_format(bed, &newer);
	newer.version = htole32(2);
	keep(bed);
	/* Another version takes the directory while this one has it open:
	 * this one steps back. */
	write_format(bed, &newer, sizeof(newer));
	bed_tend(bed);
	assert_int_equal(load(bed), 0);

	struct store_object *object = bed_object(bed->store, "/f", SIZE);

	assert_int_equal(bed_keep(bed->store, object, SIZE, 1, 0, BLOCKS), 0);
	store_object_close(object);

	struct buf buf;

	buf_init(&buf, 4096);
	assert_int_equal(store_describe(bed->store, &buf), 0);
	assert_null(strstr(buf_text(&buf), "\"state\":\"on\""));
	buf_fini(&buf);
	for (unsigned i = 0; i < 5; i++)
		bed_tend(bed);
	read_format(bed, &now);
	assert_memory_equal(&now, &newer, sizeof(now));
	/* Started on it, it begins anew. */
	bed_reopen(bed);
	read_format(bed, &now);
	assert_int_equal(le32toh(now.version), 1);
	assert_int_not_equal(now.generation, newer.generation);
	assert_int_equal(load(bed), 0);
	keep(bed);
	assert_int_equal(load(bed), BLOCKS);
}

static void old_generations_are_removed_and_nothing_else(void **state)
{
	struct bed *bed = *state;
	char path[400];
	struct stat stat_;
	static const char *const strangers[] = {"notes", "v1-short", "vault",
	    "v1-0123456789abcdeX", "x1-0123456789abcdef"};

	store_close(bed->store);
	(void)snprintf(
	    path, sizeof(path), "%s/v7-0123456789abcdef", bed->cache);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(
	    path, sizeof(path), "%s/v7-0123456789abcdef/deep", bed->cache);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(
	    path, sizeof(path), "%s/v7-0123456789abcdef/deep/link", bed->cache);
	/* Followed, this would remove what is not ours. */
	assert_int_equal(symlink(bed->dir, path), 0);
	for (unsigned i = 0; i < 5; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", bed->cache, strangers[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	bed->store = bed_second(bed);
	bed_tend(bed);
	(void)snprintf(
	    path, sizeof(path), "%s/v7-0123456789abcdef", bed->cache);
	assert_int_equal(stat(path, &stat_), -1);
	for (unsigned i = 0; i < 5; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", bed->cache, strangers[i]);
		assert_int_equal(stat(path, &stat_), 0);
	}
}

static void a_larger_cache_gets_larger_tables_and_loses_nothing(void **state)
{
	struct bed *bed = *state;
	struct store *small = bed->store;
	struct format_file before;
	struct format_file after;
	struct store_object *tiny = bed_object(bed->store, "/tiny", 100);

	assert_int_equal(bed_keep(bed->store, tiny, 100, 7, 0, 1), 1);
	store_object_close(tiny);
	keep(bed);
	read_format(bed, &before);
	bed->size_bytes = (uint64_t)256 * MIB;
	bed->store = bed_second(bed);
	read_format(bed, &after);
	assert_int_equal(after.generation, before.generation);
	assert_int_equal(le32toh(after.tables), le32toh(before.tables) + 1);
	assert_true(
	    le32toh(after.block_buckets) > 8 * le32toh(before.block_buckets));
	assert_int_equal(load(bed), BLOCKS);
	/* A small file is found by its table. */
	tiny = bed_object(bed->store, "/tiny", 100);
	assert_int_equal(bed_load(bed, tiny, 100, 7, 0), 1);
	store_object_close(tiny);
	/* The other one, which is still open, follows within a second. */
	store_close(bed->store);
	bed->store = small;
	tiny = bed_object(bed->store, "/tiny", 100);
	bed_tend(bed);
	assert_int_equal(bed_load(bed, tiny, 100, 7, 0), 1);
	assert_int_equal(load(bed), BLOCKS);
	store_object_close(tiny);
	bed->size_bytes = (uint64_t)16 * MIB;
	bed_reopen(bed);
	read_format(bed, &before);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void a_directory_that_vanishes_comes_back(void **state)
{
	struct bed *bed = *state;
	struct format_file before;
	struct format_file after;
	struct store_object *object = bed_object(bed->store, "/f", SIZE);

	read_format(bed, &before);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
		    bed_keep(bed->store, object, SIZE, 1, 0, BLOCKS), BLOCKS);
		bed_remove(bed->cache);
		/* What was open gives right bytes, or none. */
		(void)bed_load(bed, object, SIZE, 1, 0);
		bed_tend(bed);
		assert_int_equal(bed_load(bed, object, SIZE, 1, 0), 0);
		read_format(bed, &after);
		assert_int_not_equal(after.generation, before.generation);
		/* Sums that are on their way stay right. */
		assert_memory_equal(
		    after.secret, before.secret, sizeof(after.secret));
	}
	store_object_close(object);
	keep(bed);
	assert_int_equal(load(bed), BLOCKS);
}

static void a_file_in_the_way_is_lived_with_until_it_goes(void **state)
{
	struct bed *bed = *state;
	char path[300];
	FILE *stream;

	bed_remove(bed->cache);
	stream = fopen(bed->cache, "we");
	assert_non_null(stream);
	(void)fclose(stream);
	for (unsigned i = 0; i < 3; i++)
		bed_tend(bed);
	assert_int_equal(load(bed), 0);
	(void)snprintf(path, sizeof(path), "%s", bed->cache);
	assert_int_equal(unlink(path), 0);
	atomic_fetch_add(&bed->clock.monotonic_ms, 10000);
	bed_tend(bed);
	keep(bed);
	assert_int_equal(load(bed), BLOCKS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_directory_is_begun_once),
	    TEST(many_that_begin_at_once_agree),
	    TEST(every_flipped_bit_of_the_format_begins_anew),
	    TEST(a_format_of_any_length_but_its_own_begins_anew),
	    TEST(zeros_and_noise_begin_anew),
	    TEST(impossible_tables_are_not_opened),
	    TEST(another_version_is_not_read_and_not_fought_over),
	    TEST(old_generations_are_removed_and_nothing_else),
	    TEST(a_larger_cache_gets_larger_tables_and_loses_nothing),
	    TEST(a_directory_that_vanishes_comes_back),
	    TEST(a_file_in_the_way_is_lived_with_until_it_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
